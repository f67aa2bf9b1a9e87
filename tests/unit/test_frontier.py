"""Frontiers: they move only when everything noted has passed, and never claim more than the stream has reached."""

from __future__ import annotations

import random
from collections.abc import Mapping

from monitoring.frontier import INSTANT, NOTES, PAUSE, QUIET, RUNS, Asked, FrontierTracker, TopicPartition

A, B = ("cdc.police.public.a", 0), ("cdc.police.public.b", 0)
S = 1_000_000


def at(moment: int, ends: Mapping[TopicPartition, int]) -> Asked:
    """Return ends that were asked for at a moment and known at once."""
    return Asked(dict(ends), moment, moment)


def test_an_idle_source_advances_with_its_heartbeats() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, 101, at(0, {A: 0, B: 0}))
    assert tracker.advance({}) == {"police": 100}
    tracker.on_heartbeat("police", 200, 201, at(1 * S, {A: 0, B: 0}))
    assert tracker.advance({}) == {"police": 200}


def test_a_frontier_waits_for_every_topic() -> None:
    tracker = FrontierTracker()
    assert tracker.waiting() is None
    tracker.on_heartbeat("police", 100, 101, at(7, {A: 5, B: 7}))
    assert tracker.advance({A: 5, B: 6}) == {}
    assert tracker.waiting() == 7
    assert tracker.advance({A: 5, B: 7}) == {"police": 100}
    assert tracker.waiting() is None


def test_heartbeats_of_a_connector_with_a_backlog_do_not_claim_its_clock() -> None:
    tracker = FrontierTracker()
    tracker.on_changes("police", {A: 1}, 40 * S, 99 * S, 100 * S, 0)
    tracker.on_heartbeat("police", 100 * S, 100 * S + 5, at(INSTANT, {A: 1}))
    assert tracker.advance({A: 1}) == {"police": 40 * S - 1}
    tracker.on_heartbeat("police", 101 * S, 101 * S + 5, at(1 * S, {A: 1}))
    assert tracker.advance({A: 1}) == {"police": 101 * S}


def test_changes_that_are_read_after_a_heartbeat_tell_what_it_meant() -> None:
    """The heartbeat topic is read ahead of the others: at its heartbeat nothing of the backlog had been seen."""
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 99 * S, 99 * S + 5, at(1 * S, {A: 0}))
    assert tracker.advance({}) == {"police": 99 * S}
    tracker.on_heartbeat("police", 100 * S, 100 * S + 5, at(2 * S, {A: 9}))
    assert tracker.advance({}) == {}
    tracker.on_changes("police", {A: 9}, 90 * S, 99 * S + 10, 100 * S - 10, 2 * S + 5)
    assert tracker.advance({A: 9}) == {}  # 90 s are passed, not 100, and 99 s had been


def test_changes_long_before_a_heartbeat_do_not_hold_it() -> None:
    """Shorter after a change that was sent when it was committed than after one that waited or whose clock is off."""
    sent = 40 * S
    for delay, quiet in ((0, PAUSE), (QUIET, PAUSE), (QUIET + 1, QUIET), (-QUIET - 1, QUIET)):
        commit = sent - delay
        tracker = FrontierTracker()
        tracker.on_changes("police", {A: 1}, commit, sent, sent, 0)
        tracker.on_heartbeat("police", sent + quiet - 1, sent + quiet, at(QUIET, {A: 1}))
        assert tracker.advance({A: 1})["police"] <= commit
        tracker.on_heartbeat("police", sent + quiet, sent + quiet + 5, at(QUIET, {A: 1}))
        assert tracker.advance({A: 1}) in ({"police": sent + quiet}, {})
        assert tracker._sources["police"].frontier == sent + quiet


def test_a_change_sent_with_a_heartbeat_is_no_quiet() -> None:
    """A heartbeat waits behind the changes that are sent before it: its own time is older than theirs."""
    tracker = FrontierTracker()
    tracker.on_changes("police", {A: 1}, 40 * S, 52 * S, 52 * S, 0)
    tracker.on_heartbeat("police", 50 * S, 53 * S, at(1 * S, {A: 1}))
    assert tracker.advance({A: 1}) == {"police": 40 * S - 1}


def test_a_backlog_is_counted_once() -> None:
    """What lay in Kafka at the note before is reached, not what had been read when the ends were noted."""
    tracker = FrontierTracker()
    tracker.on_changes("police", {A: 10}, 1 * S, 1 * S, 1 * S, 0)
    tracker.on_ends("police", 20 * S, at(1 * S, {A: 500}))
    tracker.on_changes("police", {A: 20}, 2 * S, 2 * S, 2 * S, 1 * S + 1)
    tracker.on_ends("police", 21 * S, at(2 * S, {A: 600}))
    assert tracker.advance({A: 20}) == {}
    tracker.on_changes("police", {A: 500}, 18 * S, 2 * S, 18 * S, 3 * S)
    assert tracker.advance({A: 500}) == {"police": 1 * S - 1}
    tracker.on_changes("police", {A: 600}, 19 * S, 18 * S, 19 * S, 4 * S)
    assert tracker.advance({A: 600}) == {"police": 18 * S - 1}


def test_a_message_that_another_topic_has_overtaken_is_waited_for() -> None:
    """The change in B was committed first and came into Kafka after the ends were noted: A's alone claims nothing."""
    tracker = FrontierTracker()
    tracker.on_ends("police", 10 * S, at(1 * S, {A: 1, B: 0}))
    tracker.on_changes("police", {A: 1}, 9 * S, 9 * S, 9 * S, 1 * S + 1)
    assert tracker.advance({A: 1}) == {}
    tracker.on_ends("police", 11 * S, at(2 * S, {A: 1, B: 1}))
    assert tracker.advance({A: 1}) == {}
    assert tracker.advance({A: 1, B: 1}) == {"police": 9 * S - 1}


def test_what_was_read_is_counted_an_instant_later() -> None:
    """A change that an overtaken one may stand behind was in Kafka an instant before the ends that are passed."""
    tracker = FrontierTracker()
    tracker.on_changes("police", {A: 1}, 9 * S, 9 * S, 9 * S, 1 * S)
    tracker.on_ends("police", 10 * S, at(1 * S + INSTANT - 1, {A: 1}))
    assert tracker.advance({A: 1}) == {}
    tracker.on_ends("police", 10 * S, at(1 * S + INSTANT, {A: 1}))
    assert tracker.advance({A: 1}) == {"police": 9 * S - 1}


def test_what_lay_in_kafka_is_counted_an_instant_later() -> None:
    """A run that is read long after: ends that were known too short a time before the note do not count it."""
    for known, counted in ((2 * S - INSTANT + 1, {}), (2 * S - INSTANT, {"police": 9 * S - 1})):
        tracker = FrontierTracker()
        tracker.on_ends("police", 10 * S, Asked({A: 1}, 1 * S, known))
        tracker.on_ends("police", 10 * S, at(2 * S, {A: 1}))
        tracker.on_changes("police", {A: 1}, 9 * S, 9 * S, 9 * S, 5 * S)
        assert tracker.advance({A: 1}) == counted


def test_a_long_batch_reaches_what_was_noted_while_it_was_handled() -> None:
    """Notes go on while a stage is busy: with its end the newest note that it passes counts, not the batch's first."""
    tracker = FrontierTracker()
    for tenth in range(1, 11):
        tracker.on_ends("police", 100 * S + tenth * S // 10, at(tenth * S // 10, {A: tenth}))
    for tenth in range(1, 11):  # read together, at last
        moment = 100 * S + tenth * S // 10
        tracker.on_changes("police", {A: tenth}, moment - 9, moment, moment, 2 * S)
    assert tracker.advance({A: 10}) == {"police": 100 * S + 9 * S // 10 - 9 - 1}


def test_a_frontier_never_goes_back() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100 * S, 100 * S, at(0, {}))
    assert tracker.advance({}) == {"police": 100 * S}
    tracker.on_changes("police", {}, 50 * S, 119 * S, 120 * S, 1 * S)
    tracker.on_heartbeat("police", 120 * S, 120 * S, at(2 * S, {}))
    assert tracker.advance({}) == {}


def test_one_department_does_not_hold_another() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, 100, at(3, {A: 9}))
    tracker.on_heartbeat("hrss", 90, 90, at(4, {}))
    assert tracker.advance({}) == {"hrss": 90}
    assert tracker.waiting() == 3


def test_a_clock_that_runs_ahead_promises_nothing() -> None:
    tracker = FrontierTracker()
    tracker.on_changes("police", {}, 900 * S, 100 * S, 100 * S, 0)
    tracker.on_heartbeat("police", 100 * S, 100 * S, at(1 * S, {}))
    assert tracker.advance({}) == {"police": 100 * S}
    tracker.on_heartbeat("police", 110 * S, 110 * S, at(2 * S, {}))
    assert tracker.advance({}) == {"police": 110 * S}


def test_a_clock_that_was_set_back_does_not_stand_on_what_it_said_before() -> None:
    tracker = FrontierTracker()
    tracker.on_changes("police", {A: 1}, 95 * S, 100 * S, 100 * S, 0)
    tracker.on_heartbeat("police", 100 * S, 100 * S, at(1 * S, {A: 1}))
    assert tracker.advance({A: 1}) == {"police": 95 * S - 1}
    tracker.on_changes("police", {A: 2}, 60 * S, 110 * S, 110 * S, 2 * S)
    tracker.on_heartbeat("police", 110 * S, 110 * S, at(3 * S, {A: 2}))
    assert tracker.advance({A: 2}) == {}
    tracker.on_heartbeat("police", 120 * S, 120 * S, at(4 * S, {A: 2}))
    assert tracker.advance({A: 2}) == {"police": 120 * S}


def test_a_stage_far_behind_still_moves_and_keeps_a_bounded_number_of_notes() -> None:
    """With a backlog of more notes than are kept the frontier goes on, at a coarser grain, and claims no more."""
    tracker = FrontierTracker()
    behind = 40 * NOTES
    frontier, longest, moved_at = 0, 0, behind
    for second in range(100 * NOTES):
        tracker.on_heartbeat("police", second * S, second * S, at(second * S, {A: second + 1}))
        done = second - behind
        if done <= 0:
            continue
        sent = (done - 1) * S
        tracker.on_changes("police", {A: done}, sent, sent, sent, second * S)
        moved = tracker.advance({A: done})
        source = tracker._sources["police"]
        assert len(source.pending) <= NOTES
        assert len(source.runs) <= RUNS
        assert len(source.earlier) <= 2
        if moved:
            assert frontier < moved["police"] <= done * S
            frontier, longest, moved_at = moved["police"], max(longest, second - moved_at), second
    assert frontier > 0
    assert longest < behind


def test_no_frontier_is_past_a_change_that_was_not_passed() -> None:
    """Seeded: a source of two topics, a connector and a stage that stall now and then, heartbeats read out of order.

    Topics overtake one another by an instant. Whatever is claimed, every change that was committed before has passed.
    """
    for seed in range(60):
        rng = random.Random(seed)
        tracker = FrontierTracker()
        committed: list[tuple[int, tuple[str, int]]] = []  # by commit time, what was not sent yet
        logs: dict[tuple[str, int], list[tuple[int, int]]] = {A: [], B: []}  # commit, sent
        late: list[tuple[tuple[str, int], int, int]] = []  # sent, and in the log an instant later
        read = {A: 0, B: 0}
        fetched: dict[tuple[str, int], list[tuple[int, int]]] = {}
        beats: list[tuple[int, int]] = []
        rate, frontier, beat, fetched_at = rng.choice((0.1, 0.5, 4.0)), 0, 0, 0
        for tick in range(1, 1500):  # of 20 ms
            now = tick * 20_000
            committed += [
                (now - rng.randrange(19_999), rng.choice((A, B))) for _ in range(_poisson(rng, rate))
            ]
            committed.sort()
            for tp, commit, sent in late:
                logs[tp].append((commit, sent))
            late = []
            if tick % 400 > 80 or rng.random() < 0.1:  # else the connector is starved
                room = rng.randrange(int(rate * 3) + 2)
                sending, committed = committed[:room], committed[room:]
                for commit, tp in sending:
                    if tp is B and rng.random() < 0.3:
                        late.append((tp, commit, now))
                    elif not any(one[0] is tp for one in late):
                        logs[tp].append((commit, now))
                    else:
                        late.append((tp, commit, now))
                # A heartbeat stands behind all that was read of the source: it is idle, or works off a backlog.
                if now - beat >= 500_000 and (sending or not committed):
                    beat = now
                    beats.append((now, now))
            if tick % 300 > 60 and rng.random() < 0.7:  # else the stage is busy
                for tp, run in fetched.items():
                    read[tp] += len(run)
                new = {tp: run for tp, run in fetched.items() if run}
                # What is fetched now is passed in a later instant: it is written to Kafka before.
                fetched = {tp: logs[tp][read[tp] :][: rng.randrange(25)] for tp in logs}
                for tp, run in new.items():
                    tracker.on_changes(
                        "police",
                        {tp: read[tp]},
                        max(commit for commit, _ in run),
                        run[0][1],
                        run[-1][1],
                        fetched_at,
                    )
                fetched_at = now
            if beats and beats[-1][0] + 40_000 <= now and rng.random() < 0.5:
                (time, sent), beats = beats[-1], []
                tracker.on_heartbeat(
                    "police", time, sent, at(now, {tp: len(log) for tp, log in logs.items()})
                )
            if tick % 5 == 0:
                tracker.on_ends("police", now, at(now, {tp: len(log) for tp, log in logs.items()}))
            moved = tracker.advance(read)
            if moved:
                frontier = moved["police"]
                unpassed = [commit for tp, log in logs.items() for commit, _ in log[read[tp] :]]
                unpassed += [commit for commit, _ in committed] + [commit for _, commit, _ in late]
                assert all(commit > frontier for commit in unpassed), (seed, tick)
        assert frontier > 1000 * 20_000, seed


def _poisson(rng: random.Random, mean: float) -> int:
    count, product = 0, rng.random()
    limit = 2.718281828**-mean
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count
