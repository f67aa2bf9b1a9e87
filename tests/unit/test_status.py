"""States of a source: each signal alone, the cause before its effects, and seeded faults on a simulated clock."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from monitoring.metrics import quantile
from monitoring.signals import GROUPS, MISSING, UNREACHABLE, GroupLag, Signals, Slot
from monitoring.status import State, StatusBoard, decide, evidence, hub_delay, slot_growth
from monitoring.texts import LANGUAGES, Cause, sentence
from tests.support.signal_model import DETECT, FAULTS, RECOVER, Model

NOW = 1_000_000_000_000
SECOND = 1_000_000
FRESH = {
    "captured": NOW - 1 * SECOND,
    "normalized": NOW - 2 * SECOND,
    "linked": NOW - 2 * SECOND,
    "queryable": NOW - 2 * SECOND,
}
NOTHING = dict.fromkeys(GROUPS, GroupLag(0))
WELL = Signals(
    now=NOW,
    frontiers=FRESH,
    heartbeat=NOW - SECOND,
    connector="RUNNING",
    source_reachable=True,
    lags=NOTHING,
    quiet=5.0,
    slot=Slot(active=True, retained=1000, unconfirmed=0, wal_status="reserved"),
    skew=0.01,
    uptime=600,
)
OLD = NOW - 60 * SECOND
LATE = {**FRESH, "queryable": NOW - 90 * SECOND}
WAITING = {**NOTHING, "store": GroupLag(50, 2.0)}


@pytest.mark.parametrize(
    ("changes", "state", "cause"),
    [
        ({}, State.IDLE, Cause.FINE),
        (
            {"connector": None, "source_reachable": None, "lags": {}, "slot": None, "skew": None},
            State.IDLE,
            Cause.FINE,
        ),
        ({"connector": UNREACHABLE}, State.IDLE, Cause.FINE),
        ({"frontiers": {}, "heartbeat": None}, State.INITIALISING, Cause.SNAPSHOT),
        ({"frontiers": {"captured": NOW}, "lags": WAITING}, State.INITIALISING, Cause.FIRST_ROWS),
        ({"frontiers": {"captured": NOW}}, State.CONSUMER_LAGGING, Cause.NO_MARKS),
        ({"heartbeat": OLD, "snapshot": True}, State.INITIALISING, Cause.SNAPSHOT),
        ({"heartbeat": OLD, "snapshot": True, "quiet": 900.0}, State.CONNECTOR_STALLED, Cause.NO_HEARTBEAT),
        ({"source_reachable": False}, State.SOURCE_DOWN, Cause.SOURCE_REFUSES),
        ({"source_reachable": False, "connector": "FAILED"}, State.SOURCE_DOWN, Cause.SOURCE_REFUSES),
        (
            {"source_reachable": None, "blames_source": True, "connector": "FAILED", "heartbeat": OLD},
            State.SOURCE_DOWN,
            Cause.CONNECT_BLAMES_SOURCE,
        ),
        (
            {"source_reachable": True, "blames_source": True, "connector": "FAILED", "heartbeat": OLD},
            State.CONNECTOR_STALLED,
            Cause.FAILED,
        ),
        ({"connector": MISSING}, State.CONNECTOR_STALLED, Cause.MISSING),
        ({"connector": "PAUSED"}, State.CONNECTOR_STALLED, Cause.PAUSED),
        ({"connector": "RESTARTING", "heartbeat": OLD}, State.CONNECTOR_STALLED, Cause.NOT_STARTED),
        ({"connector": UNREACHABLE, "heartbeat": OLD}, State.CONNECTOR_STALLED, Cause.CONNECT_AWAY),
        ({"heartbeat": OLD}, State.CONNECTOR_STALLED, Cause.NO_HEARTBEAT),
        (
            {"heartbeat": None, "frontiers": {}, "quiet": 500.0},
            State.CONNECTOR_STALLED,
            Cause.NEVER_A_HEARTBEAT,
        ),
        (
            {"slot": Slot(active=False, retained=0, unconfirmed=0, wal_status="lost")},
            State.CONNECTOR_STALLED,
            Cause.SLOT_LOST,
        ),
        ({"frontiers": LATE, "lags": WAITING}, State.CONSUMER_LAGGING, Cause.STORE),
        ({"frontiers": LATE, "lags": {}}, State.CONSUMER_LAGGING, Cause.STORE),
        ({"frontiers": LATE, "quiet": 0.5}, State.CONNECTOR_STALLED, Cause.BEHIND),
        ({"frontiers": LATE, "quiet": 80.0}, State.CONSUMER_LAGGING, Cause.NO_MARKS),
        ({"frontiers": LATE, "quiet": 0.5, "skew": -88.0}, State.IDLE, Cause.FINE),
        ({"lags": {**NOTHING, "link": GroupLag(9, 1.0, 31.0)}}, State.CONSUMER_LAGGING, Cause.LINK),
        (
            {"broker_error": "_TRANSPORT", "heartbeat": OLD, "lags": {}},
            State.CONSUMER_LAGGING,
            Cause.BROKER_AWAY,
        ),
        ({"sink_error": "no room on the disk"}, State.SINK_FAILING, Cause.SINK_ERROR),
        ({"sink_error": "no room", "source_reachable": False}, State.SINK_FAILING, Cause.SINK_ERROR),
        ({"sink_busy": 61.0}, State.SINK_FAILING, Cause.SINK_HANGS),
        (
            {"heartbeats": False, "connector": None, "heartbeat": None, "frontiers": {}},
            State.IDLE,
            Cause.FINE,
        ),
        (
            {"heartbeats": False, "heartbeat": None, "lags": {**NOTHING, "normalize": GroupLag(9, 0, 40)}},
            State.CONSUMER_LAGGING,
            Cause.NORMALIZE,
        ),
    ],
)
def test_decide(changes: dict[str, object], state: State, cause: Cause) -> None:
    verdict = decide(msgspec.structs.replace(WELL, **changes))
    assert (verdict.state, verdict.cause) == (state, cause)
    for language in LANGUAGES:
        assert len(verdict.reason(language)) > 10


def test_every_cause_has_a_sentence_in_both_languages() -> None:
    for cause in Cause:
        zh, en = (sentence(cause, language, "7") for language in LANGUAGES)
        assert any("一" <= letter <= "鿿" for letter in zh)
        assert en.isascii()


def inject(fault: str, seed: int) -> tuple[int, int, list[str]]:
    """Return how many looks were judged, how many rightly, and what the wrong ones said."""
    rates = (0.05, 1.0, 10.0, 200.0)
    model = Model(fault, seed, rates[seed % len(rates)])
    wrong: list[str] = []
    judged = 0

    def look(expected: State, when: str) -> None:
        nonlocal judged
        judged += 1
        verdict = decide(model.signals())
        if verdict.state is not expected:
            wrong.append(f"{fault}, seed {seed}, {when} {model.now - model.since:.0f} s: {verdict}")

    before = 40 + seed % 40
    if fault != "first snapshot":
        for second in range(before):
            model.step()
            if second > 5 and second % 4 == 1:
                look(State.IDLE, "before")
        model.begin()
    lasts = 3600 if fault == "idle" else 200
    settled = 0 if FAULTS[fault] is State.IDLE or fault == "first snapshot" else DETECT
    for second in range(1, lasts):
        model.step()
        if second > settled and second % 4 == 1:
            look(FAULTS[fault], "after")
    model.end()
    for second in range(RECOVER + 60):
        model.step()
        if second > RECOVER and second % 4 == 1:
            look(State.IDLE, "healed")
    return judged, judged - len(wrong), wrong


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_never_recorded_is_named_in_a_model(fault: str) -> None:
    complaints: list[str] = []
    for seed in range(6):
        judged, good, wrong = inject(fault, seed)
        assert judged > 30
        assert judged - good == len(wrong)
        complaints += wrong
    assert complaints == []


def test_a_slot_that_grows_is_an_alarm_by_the_servers_limit() -> None:
    def growth(retained: int, limit: int | None) -> tuple[int, int] | None:
        slot = Slot(active=False, retained=retained, unconfirmed=retained, wal_status="extended", limit=limit)
        return slot_growth(msgspec.structs.replace(WELL, slot=slot))

    assert growth(2**30, None) is None
    assert growth(2**30 + 1, None) == (2**30 + 1, 2**30)
    assert growth(50, 100) is None
    assert growth(51, 100) == (51, 50)
    assert slot_growth(msgspec.structs.replace(WELL, slot=None)) is None


def test_evidence_says_which_signal_is_bad() -> None:
    assert all(item.good for item in evidence(WELL))
    slow = msgspec.structs.replace(WELL, frontiers=LATE, lags=WAITING)
    assert [item.name for item in evidence(slow) if not item.good] == ["store"]
    bad = msgspec.structs.replace(WELL, heartbeat=OLD, connector="FAILED", source_reachable=False, skew=-60.0)
    assert [item.name for item in evidence(bad) if not item.good] == [
        "heartbeat",
        "connector",
        "source",
        "clock",
    ]


def test_a_clock_that_is_behind_is_no_delay() -> None:
    late = msgspec.structs.replace(WELL, frontiers={**FRESH, "queryable": NOW - 61 * SECOND})
    assert hub_delay(late) == 60
    assert hub_delay(msgspec.structs.replace(late, skew=-60.0)) == 0
    assert hub_delay(msgspec.structs.replace(late, skew=60.0)) == 60
    assert hub_delay(msgspec.structs.replace(WELL, frontiers={})) is None


def test_since_is_kept_while_the_state_lasts() -> None:
    board = StatusBoard()
    for seconds, connector in ((0, "RUNNING"), (5, "RUNNING"), (10, "FAILED"), (12, "FAILED")):
        now = NOW + seconds * SECOND
        signals = msgspec.structs.replace(
            WELL, now=now, heartbeat=now, frontiers=dict.fromkeys(FRESH, now), connector=connector
        )
        board.update("police", signals)
    (source,) = board.sources()
    assert source.state is State.CONNECTOR_STALLED
    assert source.since == NOW + 10 * SECOND
    assert source.stages["queryable"].lag_seconds == 0
    assert source.reason.isascii()
    assert not source.reason_zh.isascii()


def test_quantile_interpolates_and_admits_ignorance() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0, float("inf"): 0}, 0.5) is None
    assert quantile({1.0: 10, 2.0: 20, float("inf"): 20}, 0.75) == 1.5
    assert quantile({1.0: 10, 2.0: 10, float("inf"): 20}, 0.99) == 2.0


class Recorded(msgspec.Struct):
    """A look at a real stack, with the state that was right."""

    fault: str
    state: State
    signals: Signals


RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.jsonl"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_was_recorded_on_a_real_stack_is_judged_rightly(path: Path) -> None:
    """Recorded by tests/faults/test_states.py with RENKOU_RECORD."""
    looks = [msgspec.json.decode(line, type=Recorded) for line in path.read_bytes().splitlines()]
    assert looks
    for look in looks:
        assert decide(look.signals).state is look.state, look
