"""Frontiers: the source time up to which every change of a source has passed a stage.

A heartbeat topic orders nothing by itself. So now and then the end offsets of a source's topics are *noted*, on each
heartbeat and, while changes come, between them; once a stage has passed all of the noted ends, it has passed all that
was in Kafka then. What source time that is, is told in two ways:

* Changes passed. A connector writes in the order of commits, but into several topics, whose messages may overtake one
  another by an instant. So only a change counts that was seen, or lay in Kafka, before the ends were noted that are
  passed now. Others may have been committed in its very moment (a transaction is one moment): the frontier is just
  before it.
* The heartbeat's own time, if the source was quiet about it: `QUIET` before its time and until it was sent no change
  was sent. A heartbeat alone says only that the connector lives, and one that works off a backlog sends them too.

No frontier is later than the heartbeat or the note: a source whose clock runs ahead would otherwise promise what is
still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TopicPartition = tuple[str, int]

QUIET: Final = 250_000
"""Microseconds without a change before a heartbeat, after which a connector has no backlog: with one it writes several
times in this time, at the rate of its polls."""
PENDING: Final = 64
"""Notes and batches that wait for a slow stage. Beyond that every second note is dropped, for which the one behind it
stands, and two batches become one: a longer wait has a coarser grain."""


@dataclass(slots=True)
class _Batch:
    """Changes that were read together: the offsets behind them, their newest commit and between when they were sent."""

    ends: dict[TopicPartition, int]
    newest: int
    first: int
    last: int

    def joined(self, other: _Batch) -> _Batch:
        ends = self.ends | {tp: max(end, self.ends.get(tp, 0)) for tp, end in other.ends.items()}
        return _Batch(
            ends, max(self.newest, other.newest), min(self.first, other.first), max(self.last, other.last)
        )


@dataclass(slots=True, frozen=True)
class _Note:
    """Ends at a moment. ``before`` are those of the note before, ``newest`` the newest commit read between the two;
    ``sent`` is when the heartbeat was sent, None without one."""

    time: int
    sent: int | None
    ends: Mapping[TopicPartition, int]
    before: Mapping[TopicPartition, int]
    newest: int


@dataclass(slots=True)
class _Source:
    frontier: int = 0
    newest: int = 0
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)
    batches: list[_Batch] = field(default_factory=list)
    pending: list[_Note] = field(default_factory=list)

    def note(self, time: int, sent: int | None, ends: Mapping[TopicPartition, int]) -> None:
        self.pending.append(_Note(time, sent, ends, self.ends, self.newest))
        self.newest, self.ends = 0, ends
        if len(self.pending) > PENDING:
            del self.pending[1:-1:2]

    def take(self, batch: _Batch) -> None:
        self.newest = max(self.newest, batch.newest)
        self.batches.append(batch)
        if len(self.batches) > PENDING:
            pairs = zip(self.batches[::2], self.batches[1::2], strict=False)
            odd = self.batches[-1:] if len(self.batches) % 2 else []
            self.batches = [first.joined(second) for first, second in pairs] + odd

    def reached(self, note: _Note) -> int:
        """Return what is reached when the note's ends are passed, and forget what no later note needs."""
        newest, quiet, since = note.newest, note.sent is not None, note.time - QUIET
        kept: list[_Batch] = []
        for batch in self.batches:
            if note.sent is not None and batch.last > since and batch.first <= note.sent:
                quiet = False
            if _within(batch.ends, note.before):
                newest = max(newest, batch.newest)
                batch.newest = 0  # its moment is taken: what was set back since must not stand on it
                if batch.last <= since:
                    continue
            kept.append(batch)
        self.batches = kept
        return note.time if quiet or newest >= note.time else max(0, newest - 1)


class FrontierTracker:
    """Turns heartbeats, changes and positions into frontiers. All times are microseconds since 1970."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def on_changes(
        self, department: str, ends: Mapping[TopicPartition, int], newest: int, first: int, last: int
    ) -> None:
        """Streamed changes of the department were passed together, in partitions up to ``ends`` (the next offsets).

        ``newest`` is the newest commit among them; they were sent to Kafka between ``first`` and ``last``.
        """
        self._source(department).take(_Batch(dict(ends), newest, first, last))

    def on_heartbeat(self, department: str, time: int, sent: int, ends: Mapping[TopicPartition, int]) -> None:
        """A heartbeat of ``time`` that was sent to Kafka at ``sent`` was read; ``ends`` are the end offsets of the
        department's topics now.
        """
        self._source(department).note(time, sent, dict(ends))

    def on_ends(self, department: str, now: int, ends: Mapping[TopicPartition, int]) -> None:
        """The department's topics end at ``ends`` ``now``, without a heartbeat."""
        self._source(department).note(now, None, dict(ends))

    def moving(self) -> set[str]:
        """Return the departments with changes that no note stands behind yet."""
        return {department for department, source in self._sources.items() if source.newest}

    def waiting(self) -> bool:
        """Return whether a note waits for positions."""
        return any(source.pending for source in self._sources.values())

    def advance(self, positions: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Return the departments whose frontier has moved, given the next offset to read of each partition."""
        moved: dict[str, int] = {}
        for department, source in self._sources.items():
            while source.pending and _within(source.pending[0].ends, positions):
                reached = source.reached(source.pending.pop(0))
                if reached > source.frontier:
                    source.frontier = moved[department] = reached
        return moved

    def _source(self, department: str) -> _Source:
        return self._sources.setdefault(department, _Source())


def _within(ends: Mapping[TopicPartition, int], limits: Mapping[TopicPartition, int]) -> bool:
    return all(limits.get(tp, 0) >= end for tp, end in ends.items())
