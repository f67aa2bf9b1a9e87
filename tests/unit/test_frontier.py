"""Frontiers: they move only when everything noted has passed, and never claim more than the stream has reached."""

from __future__ import annotations

from monitoring.frontier import FrontierTracker

A, B = ("cdc.police.public.a", 0), ("cdc.police.public.b", 0)


def test_an_idle_source_advances_with_its_heartbeats() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, {A: 0, B: 0})
    assert tracker.advance({}) == {"police": 100}
    tracker.on_heartbeat("police", 200, {A: 0, B: 0})
    assert tracker.advance({}) == {"police": 200}


def test_a_frontier_waits_for_every_topic() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, {A: 5, B: 7})
    assert tracker.advance({A: 5, B: 6}) == {}
    assert tracker.advance({A: 5, B: 7}) == {"police": 100}


def test_heartbeats_of_a_connector_with_a_backlog_do_not_claim_its_clock() -> None:
    tracker = FrontierTracker()
    tracker.on_change("police", 40)
    tracker.on_heartbeat("police", 100, {A: 1})
    assert tracker.advance({A: 1}) == {"police": 40}
    tracker.on_heartbeat("police", 110, {A: 1})
    assert tracker.advance({A: 1}) == {"police": 110}


def test_a_frontier_never_goes_back() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, {})
    assert tracker.advance({}) == {"police": 100}
    tracker.on_change("police", 50)
    tracker.on_heartbeat("police", 120, {})
    assert tracker.advance({}) == {}


def test_one_department_does_not_hold_another() -> None:
    tracker = FrontierTracker()
    tracker.on_heartbeat("police", 100, {A: 9})
    tracker.on_heartbeat("hrss", 90, {})
    assert tracker.advance({}) == {"hrss": 90}
    assert tracker.waiting()


def test_a_clock_that_runs_ahead_promises_nothing() -> None:
    tracker = FrontierTracker()
    tracker.on_change("police", 900)
    tracker.on_heartbeat("police", 100, {})
    assert tracker.advance({}) == {"police": 100}
    tracker.on_heartbeat("police", 110, {})
    assert tracker.advance({}) == {"police": 110}


def test_a_clock_that_was_set_back_does_not_stand_on_what_it_said_before() -> None:
    tracker = FrontierTracker()
    tracker.on_change("police", 95)
    tracker.on_heartbeat("police", 100, {})
    assert tracker.advance({}) == {"police": 95}
    tracker.on_change("police", 60)
    tracker.on_heartbeat("police", 110, {})
    assert tracker.advance({}) == {}
    tracker.on_heartbeat("police", 120, {})
    assert tracker.advance({}) == {"police": 120}
