"""The state of each source, decided from independent evidence.

The rules go from the cause to its effects: a source that is down also stalls its connector, and a connector that is
stalled also leaves the consumers without work.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

STAGES: Final = ("captured", "normalized", "linked", "queryable")
"""The stages of a frontier, in the order of the flow."""

HEARTBEAT_STALE: Final = 15.0
"""Seconds without a heartbeat after which a connector counts as stalled: fifteen intervals of the default."""
STAGE_LAG: Final = 30.0
"""Seconds that the queryable frontier may lie behind the captured one."""
MICRO: Final = 1_000_000


class State(StrEnum):
    """What a source is doing; ``idle`` is when nothing is wrong."""

    INITIALISING = "initialising"
    IDLE = "idle"
    SOURCE_DOWN = "source down"
    CONNECTOR_STALLED = "connector stalled"
    CONSUMER_LAGGING = "consumer lagging"
    SINK_FAILING = "sink failing"


class Evidence(msgspec.Struct, frozen=True):
    """What is known of one source at ``now``; times in microseconds since 1970.

    ``connector`` is what Kafka Connect says (``RUNNING``, ``FAILED``, ``PAUSED`` …), ``unreachable`` when it does not
    answer and None when there is nobody to ask. ``source_reachable`` is None when the source cannot be tried from here.
    """

    now: int
    frontiers: Mapping[str, int]
    connector: str | None = None
    source_reachable: bool | None = None
    sink_error: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A state and the sentence that says why and what to do."""

    state: State
    reason: str


def decide(evidence: Evidence) -> Verdict:
    """Return the state that the evidence speaks for."""
    captured = evidence.frontiers.get("captured", 0)
    queryable = evidence.frontiers.get("queryable", 0)
    if evidence.sink_error:
        return Verdict(State.SINK_FAILING, f"{evidence.sink_error}; see the store's log")
    if evidence.source_reachable is False:
        return Verdict(State.SOURCE_DOWN, "the database does not accept connections; ask its administrator")
    if evidence.connector is not None and evidence.connector != "RUNNING":
        return Verdict(
            State.CONNECTOR_STALLED, f"the connector is {evidence.connector}; see renkou connect status"
        )
    if captured and (evidence.now - captured) / MICRO > HEARTBEAT_STALE:
        return Verdict(State.CONNECTOR_STALLED, "no heartbeat; see renkou connect status and Connect's log")
    if not queryable:
        return Verdict(State.INITIALISING, "the first snapshot is under way")
    if (captured - queryable) / MICRO > STAGE_LAG:
        return Verdict(State.CONSUMER_LAGGING, "the stages are behind the capture; see the stages' rates")
    return Verdict(State.IDLE, "everything captured is queryable")


class StageStatus(msgspec.Struct):
    """How far a stage is; null before the first mark."""

    frontier: int | None
    lag_seconds: float | None


class SourceStatus(msgspec.Struct):
    """One source in ``renkou status --json``. ``since`` is microseconds since 1970."""

    department: str
    state: State
    since: int
    reason: str
    stages: dict[str, StageStatus]


class StatusBoard:
    """Remembers since when each source is in its state."""

    def __init__(self) -> None:
        self._sources: dict[str, SourceStatus] = {}

    def update(self, department: str, evidence: Evidence) -> None:
        """Judge a source by new evidence."""
        verdict = decide(evidence)
        before = self._sources.get(department)
        since = before.since if before is not None and before.state is verdict.state else evidence.now
        stages = {}
        for stage in STAGES:
            frontier = evidence.frontiers.get(stage)
            lag = None if frontier is None else (evidence.now - frontier) / MICRO
            stages[stage] = StageStatus(frontier, lag)
        self._sources[department] = SourceStatus(department, verdict.state, since, verdict.reason, stages)

    def sources(self) -> list[SourceStatus]:
        """Return every source, by name."""
        return [self._sources[name] for name in sorted(self._sources)]
