"""Signals: what can be seen of one source from outside, before anybody judges it.

Each signal comes from a place of its own (the heartbeat topic, Connect's REST interface, consumer groups, the sink, the
source's database), so that one that is missing or wrong can be told by the others. They are plain values: recorded as
JSON lines on a real stack, they are judged again in tests.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

STAGES = ("captured", "normalized", "linked", "queryable")
"""The stages of a frontier, in the order of the flow."""

GROUPS = ("normalize", "link", "store")
"""The stages that read from Kafka as consumer groups, in the order of the flow."""

UNREACHABLE = "unreachable"
MISSING = "missing"
"""What `Signals.connector` says besides Connect's own words: it does not answer, or does not know the connector."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A PostgreSQL replication slot as ``pg_replication_slots`` shows it; sizes in bytes.

    ``retained`` is the WAL that the server keeps for the slot, ``unconfirmed`` what the connector has not confirmed.
    ``limit`` is ``max_slot_wal_keep_size``, None when there is none and the slot can fill the disk. ``wal_status`` is
    reserved, extended, unreserved or lost.
    """

    active: bool
    retained: int
    unconfirmed: int
    wal_status: str
    limit: int | None = None


class GroupLag(msgspec.Struct, frozen=True):
    """A consumer group in front of a stage.

    ``waiting`` messages are before it, ``trend`` is their change in messages a second over the last minute (negative:
    catching up), ``stuck`` the seconds since its position last moved while something waited, 0 when nothing waits.
    """

    waiting: int
    trend: float = 0.0
    stuck: float = 0.0


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one source at ``now``. Moments are microseconds since 1970, durations seconds.

    ``frontiers`` maps a stage to the source time it has reached. ``heartbeat`` is when the newest heartbeat came into
    Kafka, None when there never was one. ``connector`` is what Connect says of connector and task together (RUNNING,
    FAILED, PAUSED …), `UNREACHABLE`, `MISSING`, or None when there is nobody to ask; ``trace`` the known meaning of a
    failed task's stack trace, ``blames_source`` whether that is the source's database being away.
    ``source_reachable`` is None when the source cannot be tried from here. ``lags`` maps a stage to its consumer
    group, without those that could not be asked. ``broker_error`` and ``sink_error`` are sentences, empty when all is
    well; ``sink_busy`` is how long the batch that is being written has taken so far. ``quiet`` is how long no change
    of the source has come into Kafka, None when not known. ``snapshot`` tells that its newest change is a snapshot's
    row. ``slot`` is None when the source does not allow the look, ``slot_missing`` that it does and there is no slot.
    ``skew`` is how far the source's clock is ahead of ours, None when not known. ``uptime`` is how long the watch
    has been looking. ``heartbeats`` is false for a source that only delivers files or pushes: nothing is heard of it
    between two deliveries, and that is no fault.
    """

    now: int
    heartbeats: bool = True
    frontiers: Mapping[str, int] = {}
    heartbeat: int | None = None
    connector: str | None = None
    trace: str = ""
    blames_source: bool = False
    source_reachable: bool | None = None
    lags: Mapping[str, GroupLag] = {}
    broker_error: str = ""
    sink_error: str = ""
    sink_busy: float = 0.0
    quiet: float | None = None
    snapshot: bool = False
    slot: Slot | None = None
    slot_missing: bool = False
    skew: float | None = None
    uptime: float = 0.0
