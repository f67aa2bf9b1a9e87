"""Frontiers: the source time up to which every change of a source has passed a stage.

A heartbeat topic orders nothing by itself. So on a heartbeat at source time T the end offsets of the source's topics
are noted, and T is the frontier of a stage once that stage has passed all of them.

A heartbeat's own time says only that the connector lives. While changes keep coming, the stream stands at the commit
time of the newest change and not at the connector's clock: a connector that works off a backlog sends heartbeats too.
Hence T is the heartbeat's time if no change came since the heartbeat before it, else the newest commit time seen since
then, but never later than the heartbeat: a source whose clock runs ahead would otherwise promise what is still to come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TopicPartition = tuple[str, int]

PENDING_HEARTBEATS: Final = 64
"""Heartbeats that wait for a slow stage; beyond that the oldest is dropped, the next ones cover it."""


@dataclass(slots=True)
class _Source:
    newest_commit: int = 0
    changed: bool = False
    frontier: int = 0
    pending: deque[tuple[int, dict[TopicPartition, int]]] = field(
        default_factory=lambda: deque(maxlen=PENDING_HEARTBEATS)
    )


class FrontierTracker:
    """Turns heartbeats, changes and positions into frontiers. All times are microseconds since 1970."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def on_change(self, department: str, source_time: int) -> None:
        """A streamed change of the department was read."""
        source = self._sources.setdefault(department, _Source())
        source.changed = True
        source.newest_commit = max(source.newest_commit, source_time)

    def on_heartbeat(self, department: str, time: int, ends: Mapping[TopicPartition, int]) -> None:
        """A heartbeat was read; ``ends`` are the end offsets of the department's topics at this moment."""
        source = self._sources.setdefault(department, _Source())
        reached = min(source.newest_commit, time) if source.changed else time
        source.changed, source.newest_commit = False, 0
        source.pending.append((reached, dict(ends)))

    def waiting(self) -> bool:
        """Return whether a heartbeat waits for positions."""
        return any(source.pending for source in self._sources.values())

    def advance(self, positions: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Return the departments whose frontier has moved, given the next offset to read of each partition."""
        moved: dict[str, int] = {}
        for department, source in self._sources.items():
            while source.pending:
                time, ends = source.pending[0]
                if any(positions.get(tp, 0) < end for tp, end in ends.items()):
                    break
                source.pending.popleft()
                if time > source.frontier:
                    source.frontier = moved[department] = time
        return moved
