"""The state of each source, decided from independent signals.

The rules go from the cause to its effects: a source that is down also stalls its connector, and a connector that is
stalled leaves the consumers without work. A sink that fails holds every source up and is named first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from monitoring.signals import GROUPS, MISSING, STAGES, UNREACHABLE, Signals
from monitoring.texts import Cause, sentence

HEARTBEAT_STALE: Final = 15.0
"""Seconds without a heartbeat after which a connector counts as stalled: sixty intervals."""
STAGE_LAG: Final = 30.0
"""Seconds that the queryable frontier may lie behind the captured one, and that a group may stand still with work
before it: three times what a group takes to notice a killed member."""
SINK_HANGS: Final = 60.0
"""Seconds that one batch may take to be written; a large one takes some."""
FIRST_MARK: Final = 60.0
"""Seconds from the first look, with nothing waiting, after which a source without a frontier is not just starting."""
FIRST_HEARTBEAT: Final = 120.0
"""Seconds without any heartbeat and any change after which a connector that runs is not just starting."""
SKEW_LIMIT: Final = 5.0
"""Seconds that a source's clock may differ from ours. NTP keeps it within a fraction of one."""
SLOT_WARN: Final = 1024**3
"""WAL kept for a slot, where the server has no limit: a gigabyte is hours of a department's changes."""
SLOT_SHARE: Final = 0.5
"""Share of the server's limit beyond which a slot's growth is an alarm: half is left to react."""
MICRO: Final = 1_000_000

_BEHIND: Final = {"normalize": Cause.NORMALIZE, "link": Cause.LINK, "store": Cause.STORE}


class State(StrEnum):
    """What a source is doing; ``idle`` is when nothing is wrong."""

    INITIALISING = "initialising"
    IDLE = "idle"
    SOURCE_DOWN = "source down"
    CONNECTOR_STALLED = "connector stalled"
    CONSUMER_LAGGING = "consumer lagging"
    SINK_FAILING = "sink failing"


class Evidence(msgspec.Struct, frozen=True):
    """One signal as a person reads it: its name, its value with unit, and whether it speaks against health."""

    name: str
    value: str
    good: bool


class Verdict(msgspec.Struct, frozen=True):
    """A state, its cause, and what fills the cause's sentence."""

    state: State
    cause: Cause
    detail: str = ""

    def reason(self, language: str) -> str:
        """Return the sentence that says why and what to do, in ``zh`` or ``en``."""
        return sentence(self.cause, language, self.detail)


def decide(signals: Signals) -> Verdict:
    """Return the state that the signals speak for."""
    return (
        _sink(signals)
        or _source(signals)
        or _broker(signals)
        or (_captured(signals) if signals.heartbeats else _delivered(signals))
        or Verdict(State.IDLE, Cause.FINE)
    )


def _captured(signals: Signals) -> Verdict | None:
    return _connector(signals) or _starting(signals) or _consumers(signals)


def _delivered(signals: Signals) -> Verdict | None:
    standing = _standing(signals)
    return None if standing is None else _lagging(signals, standing)


def heartbeat_age(signals: Signals) -> float | None:
    """Return the seconds since the newest heartbeat came into Kafka, None when there never was one."""
    return None if signals.heartbeat is None else max(0.0, (signals.now - signals.heartbeat) / MICRO)


def hub_delay(signals: Signals) -> float | None:
    """Return the seconds from captured to queryable, None before the first mark.

    A source whose clock runs behind has commit times that look old: what the clock explains is no delay.
    """
    captured = signals.frontiers.get("captured")
    queryable = signals.frontiers.get("queryable")
    if captured is None or queryable is None:
        return None
    behind = max(0.0, -signals.skew) if signals.skew is not None and abs(signals.skew) > SKEW_LIMIT else 0.0
    return max(0.0, (captured - queryable) / MICRO - behind)


def source_delay(signals: Signals) -> float | None:
    """Return the seconds since the source time that is captured, None before the first heartbeat."""
    captured = signals.frontiers.get("captured")
    return None if captured is None else max(0.0, (signals.now - captured) / MICRO)


def _alive(signals: Signals) -> bool:
    age = heartbeat_age(signals)
    return age is not None and age <= HEARTBEAT_STALE


def _sink(signals: Signals) -> Verdict | None:
    if signals.sink_error:
        return Verdict(State.SINK_FAILING, Cause.SINK_ERROR, signals.sink_error)
    if signals.sink_busy > SINK_HANGS:
        return Verdict(State.SINK_FAILING, Cause.SINK_HANGS, f"{signals.sink_busy:.0f}")
    return None


def _source(signals: Signals) -> Verdict | None:
    if signals.source_reachable is False:
        return Verdict(State.SOURCE_DOWN, Cause.SOURCE_REFUSES)
    if signals.blames_source and signals.source_reachable is None and not _alive(signals):
        return Verdict(State.SOURCE_DOWN, Cause.CONNECT_BLAMES_SOURCE)
    return None


def _broker(signals: Signals) -> Verdict | None:
    # Without Kafka neither heartbeats nor groups can be seen: nothing may be concluded from their absence.
    if signals.broker_error:
        return Verdict(State.CONSUMER_LAGGING, Cause.BROKER_AWAY, signals.broker_error)
    return None


def _connector(signals: Signals) -> Verdict | None:
    def stalled(cause: Cause, detail: str = "") -> Verdict:
        return Verdict(State.CONNECTOR_STALLED, cause, detail)

    state = signals.connector
    if state == "FAILED":
        return stalled(Cause.FAILED, signals.trace)
    if state == MISSING:
        return stalled(Cause.MISSING)
    if state in ("PAUSED", "STOPPED"):
        return stalled(Cause.PAUSED, state)
    if signals.slot is not None and signals.slot.wal_status == "lost":
        return stalled(Cause.SLOT_LOST)
    if _alive(signals):
        return None
    if state == UNREACHABLE:
        return stalled(Cause.CONNECT_AWAY)
    if state not in (None, "RUNNING"):
        return stalled(Cause.NOT_STARTED, state or "")
    if signals.snapshot and (signals.quiet is None or signals.quiet < FIRST_HEARTBEAT):
        return None  # a connector that takes a snapshot may send no heartbeats
    age = heartbeat_age(signals)
    if age is not None:
        return stalled(Cause.NO_HEARTBEAT, f"{age:.0f}")
    waited = signals.uptime if signals.quiet is None else min(signals.quiet, signals.uptime)
    return stalled(Cause.NEVER_A_HEARTBEAT) if waited > FIRST_HEARTBEAT else None


def _starting(signals: Signals) -> Verdict | None:
    if not _alive(signals):
        return Verdict(State.INITIALISING, Cause.SNAPSHOT)
    if "queryable" in signals.frontiers:
        return None
    if _standing(signals) is not None:
        return None
    waiting = sum(lag.waiting for lag in signals.lags.values())
    if signals.uptime > FIRST_MARK and not waiting and len(signals.lags) == len(GROUPS):
        return None  # everything is read and no mark has come out of it: `_consumers` says so
    return Verdict(State.INITIALISING, Cause.FIRST_ROWS, str(waiting))


def _standing(signals: Signals) -> str | None:
    """Return the first stage that has work and does not move."""
    for group in GROUPS:
        lag = signals.lags.get(group)
        if lag is not None and lag.waiting and lag.stuck > STAGE_LAG:
            return group
    return None


def _lagging(signals: Signals, group: str) -> Verdict:
    lag = signals.lags.get(group)
    detail = "" if lag is None else f"{lag.waiting}, {lag.trend:+.0f}/s"
    return Verdict(State.CONSUMER_LAGGING, _BEHIND[group], detail)


def _consumers(signals: Signals) -> Verdict | None:
    standing = _standing(signals)
    if standing is not None:
        return _lagging(signals, standing)
    delay = hub_delay(signals)
    if delay is None:
        return Verdict(State.CONSUMER_LAGGING, Cause.NO_MARKS)
    if delay <= STAGE_LAG:
        return None
    if len(signals.lags) == len(GROUPS) and not any(lag.waiting for lag in signals.lags.values()):
        # Nothing waits in Kafka, so nobody of ours is behind: what has been captured is old itself.
        if signals.quiet is not None and signals.quiet > STAGE_LAG:
            return Verdict(State.CONSUMER_LAGGING, Cause.NO_MARKS)
        return Verdict(State.CONNECTOR_STALLED, Cause.BEHIND, f"{delay:.0f}")
    return _lagging(signals, _slowest(signals))


def _slowest(signals: Signals) -> str:
    """Return the stage with the largest gap between its frontier and that of the stage before it."""
    times = [signals.frontiers.get(stage, 0) for stage in STAGES]
    gaps = {group: times[index] - times[index + 1] for index, group in enumerate(GROUPS)}
    return max(GROUPS, key=lambda group: gaps[group])


def slot_growth(signals: Signals) -> tuple[int, int] | None:
    """Return the bytes kept for the slot and the alarm's threshold when the first exceeds the second, else None."""
    slot = signals.slot
    if slot is None:
        return None
    threshold = SLOT_WARN if slot.limit is None else int(slot.limit * SLOT_SHARE)
    return (slot.retained, threshold) if slot.retained > threshold else None


def evidence(signals: Signals) -> tuple[Evidence, ...]:
    """Return every signal that is known, as a person reads it."""
    found: list[Evidence] = []
    age = heartbeat_age(signals)
    cause = decide(signals).cause
    if age is not None:
        found.append(Evidence("heartbeat", f"{age:.1f} s", age <= HEARTBEAT_STALE))
    if signals.connector is not None:
        found.append(Evidence("connector", signals.connector, signals.connector == "RUNNING"))
    if signals.source_reachable is not None:
        found.append(
            Evidence("source", "up" if signals.source_reachable else "down", signals.source_reachable)
        )
    for group in GROUPS:
        lag = signals.lags.get(group)
        if lag is not None:
            good = cause is not _BEHIND[group] and (not lag.waiting or lag.stuck <= STAGE_LAG)
            found.append(Evidence(group, f"{lag.waiting} ({lag.trend:+.0f}/s)", good))
    if signals.broker_error:
        found.append(Evidence("broker", signals.broker_error, False))
    found.append(Evidence("sink", signals.sink_error or f"{signals.sink_busy:.1f} s", _sink(signals) is None))
    if signals.slot is not None:
        size = f"{signals.slot.retained / 1024**2:.1f} MB"
        if signals.slot.limit is not None:
            size += f" / {signals.slot.limit / 1024**2:.0f} MB"
        good = slot_growth(signals) is None and signals.slot.wal_status not in ("unreserved", "lost")
        found.append(Evidence("slot", size, good))
    elif signals.slot_missing:
        found.append(Evidence("slot", "missing", False))
    if signals.skew is not None:
        found.append(Evidence("clock", f"{signals.skew:+.2f} s", abs(signals.skew) <= SKEW_LIMIT))
    if signals.snapshot:
        found.append(Evidence("snapshot", "under way", True))
    return tuple(found)


class StageStatus(msgspec.Struct):
    """How far a stage is; null before the first mark. ``rate`` is in changes a second, null when not known."""

    frontier: int | None
    lag_seconds: float | None
    rate: float | None = None


class SourceStatus(msgspec.Struct):
    """One source in ``renkou status --json``. ``since`` is microseconds since 1970."""

    department: str
    state: State
    since: int
    reason: str
    stages: dict[str, StageStatus]
    cause: str = ""
    reason_zh: str = ""
    evidence: tuple[Evidence, ...] = ()


class StatusBoard:
    """Remembers since when each source is in its state."""

    def __init__(self) -> None:
        self._sources: dict[str, SourceStatus] = {}

    def update(
        self, department: str, signals: Signals, rates: dict[str, float] | None = None
    ) -> SourceStatus:
        """Judge a source by new signals; ``rates`` maps stages to changes a second."""
        verdict = decide(signals)
        before = self._sources.get(department)
        since = before.since if before is not None and before.state is verdict.state else signals.now
        stages = {}
        for stage in STAGES:
            frontier = signals.frontiers.get(stage)
            # A source whose clock runs ahead is not younger than new.
            lag = None if frontier is None else max(0.0, (signals.now - frontier) / MICRO)
            stages[stage] = StageStatus(frontier, lag, (rates or {}).get(stage))
        status = self._sources[department] = SourceStatus(
            department,
            verdict.state,
            since,
            verdict.reason("en"),
            stages,
            verdict.cause.value,
            verdict.reason("zh"),
            evidence(signals),
        )
        return status

    def sources(self) -> list[SourceStatus]:
        """Return every source, by name."""
        return [self._sources[name] for name in sorted(self._sources)]
