"""Frontiers: the source time up to which every change of a source has passed a stage.

A heartbeat topic orders nothing by itself. So again and again the end offsets of a source's topics are *noted*, with
each heartbeat and, while changes come, several times a second; once a stage has passed all of the noted ends, it has
passed all that was in Kafka then. What source time that is, is told in two ways:

* Changes passed. A connector writes in the order of commits, but into several topics, whose messages may overtake one
  another by an instant. So only a change counts that was read, or lay in Kafka, an `INSTANT` before the ends were noted
  that are passed now. Others may have been committed in its very moment (a transaction is one moment): the frontier is
  just before it.
* The heartbeat's own time, if the source was quiet about it: `QUIET` before its time and until it was sent no change
  was sent. A heartbeat alone says only that the connector lives, and one that works off a backlog sends them too.
  After a change that was sent as soon as it was committed the connector has no backlog, and `PAUSE` is enough.

No frontier is later than the heartbeat or the note: a source whose clock runs ahead would otherwise promise what is
still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

TopicPartition = tuple[str, int]

QUIET: Final = 250_000
"""Microseconds without a change before a heartbeat, after which a connector has no backlog: with one it writes several
times in this time, at the rate of its polls."""
PAUSE: Final = 100_000
"""Microseconds instead, where the change before was sent within `QUIET` of its commit: two polls."""
INSTANT: Final = 50_000
"""Microseconds by which messages of one connector may overtake one another: it sends what it has for all topics
together, so that another topic's share is at most one request late."""
NOTES: Final = 64
"""Notes that wait for a slow stage. Beyond that every second one is dropped, for which the one behind it stands."""
RUNS: Final = 256
"""Runs that are remembered. Beyond that two become one: a longer wait has a coarser grain."""


class Asked(msgspec.Struct, frozen=True):
    """End offsets of a department's topics, and between which moments of a steady clock, in microseconds, they were
    asked for and known."""

    ends: Mapping[TopicPartition, int]
    asked: int
    known: int


@dataclass(slots=True)
class _Run:
    """Changes that were read together: the offsets behind them, their newest commit, between when they were sent, the
    moment by which they had been read, and whether a frontier has counted them."""

    ends: dict[TopicPartition, int]
    newest: int
    first: int
    last: int
    read: int
    counted: bool = False

    @property
    def quiet_from(self) -> int:
        """When the source counts as quiet if nothing else is sent."""
        return self.last + (PAUSE if abs(self.last - self.newest) <= QUIET else QUIET)

    def joined(self, other: _Run) -> _Run:
        ends = self.ends | {tp: max(end, self.ends.get(tp, 0)) for tp, end in other.ends.items()}
        return _Run(
            ends,
            max(self.newest, other.newest),
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.read, other.read),
            self.counted and other.counted,
        )


@dataclass(slots=True, frozen=True)
class _Note:
    """Ends at a moment. ``before`` are those of an earlier note, an instant ago at least; ``sent`` is when the
    heartbeat was sent, None without one."""

    time: int
    sent: int | None
    asked: int
    ends: Mapping[TopicPartition, int]
    before: Mapping[TopicPartition, int]


@dataclass(slots=True)
class _Source:
    frontier: int = 0
    earlier: list[Asked] = field(default_factory=list)
    """The newest ends that are an instant old, and those behind them."""
    runs: list[_Run] = field(default_factory=list)
    pending: list[_Note] = field(default_factory=list)

    def note(self, time: int, sent: int | None, ends: Asked) -> None:
        limit = ends.asked - INSTANT
        while len(self.earlier) > 1 and self.earlier[1].known <= limit:
            del self.earlier[0]
        before = self.earlier[0].ends if self.earlier and self.earlier[0].known <= limit else {}
        self.earlier.append(ends)
        self.pending.append(_Note(time, sent, ends.asked, ends.ends, before))
        if len(self.pending) > NOTES:
            del self.pending[1:-1:2]

    def take(self, run: _Run) -> None:
        self.runs.append(run)
        if len(self.runs) > RUNS:
            pairs = zip(self.runs[::2], self.runs[1::2], strict=False)
            odd = self.runs[-1:] if len(self.runs) % 2 else []
            self.runs = [first.joined(second) for first, second in pairs] + odd

    def reached(self, note: _Note) -> int:
        """Return what is reached when the note's ends are passed, and forget what no later note needs."""
        newest, quiet = 0, note.sent is not None
        kept: list[_Run] = []
        for run in self.runs:
            if note.sent is not None and run.quiet_from > note.time and run.first <= note.sent:
                quiet = False
            if run.counted or run.read + INSTANT <= note.asked or _within(run.ends, note.before):
                # Counted once: what a clock that was set back says since must not stand on it.
                newest = max(newest, 0 if run.counted else run.newest)
                run.counted = True
                if run.last <= note.time - QUIET:
                    continue
            kept.append(run)
        self.runs = kept
        return note.time if quiet or newest >= note.time else max(0, newest - 1)


class FrontierTracker:
    """Turns heartbeats, changes and positions into frontiers. All times are microseconds since 1970, but for the
    moments of reading and asking, which are microseconds of one steady clock."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def on_changes(
        self,
        department: str,
        ends: Mapping[TopicPartition, int],
        newest: int,
        first: int,
        last: int,
        read: int,
    ) -> None:
        """Streamed changes of the department are passed together, in partitions up to ``ends`` (the next offsets).

        ``newest`` is the newest commit among them; they were sent to Kafka between ``first`` and ``last``, and had been
        read at the moment ``read``.
        """
        self._source(department).take(_Run(dict(ends), newest, first, last, read))

    def on_heartbeat(self, department: str, time: int, sent: int, ends: Asked) -> None:
        """A heartbeat of ``time`` that was sent to Kafka at ``sent`` was read before ``ends`` were asked for."""
        self._source(department).note(time, sent, ends)

    def on_ends(self, department: str, now: int, ends: Asked) -> None:
        """The department's topics end at ``ends`` ``now``, without a heartbeat."""
        self._source(department).note(now, None, ends)

    def waiting(self) -> int | None:
        """Return since when the oldest note waits for positions, a moment; None when there is none."""
        return min(
            (source.pending[0].asked for source in self._sources.values() if source.pending), default=None
        )

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
