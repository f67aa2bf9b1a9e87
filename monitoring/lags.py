"""How far consumer groups are behind: lag, trend and standstill from offsets that were looked up again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from monitoring.frontier import TopicPartition
from monitoring.signals import GroupLag

TREND_SECONDS: Final = 60.0
"""What a trend is measured over: longer than any single batch, shorter than an objective."""
RATE_SECONDS: Final = 10.0
"""What a rate is measured over."""


class Meter:
    """A count that grows, and its rate in units a second over the last seconds."""

    def __init__(self, window: float = RATE_SECONDS) -> None:
        self._window = window
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, now: float, count: float) -> None:
        """The count is ``count`` at ``now`` (monotonic seconds). One that has fallen begins anew."""
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()

    def rate(self) -> float | None:
        """Return the rate, None before the second look."""
        if len(self._seen) < 2:
            return None
        (first, low), (last, high) = self._seen[0], self._seen[-1]
        return (high - low) / (last - first) if last > first else None


class LagTracker:
    """One group and the partitions of one source or of the hub."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, int]] = deque()
        self._position = -1
        self._moved = 0.0

    def note(
        self,
        now: float,
        partitions: Iterable[TopicPartition],
        ends: Mapping[TopicPartition, int],
        positions: Mapping[TopicPartition, int],
    ) -> GroupLag:
        """Return the lag at ``now`` (monotonic seconds); a partition without a position is read from its start.

        ``ends`` are to be looked up after ``positions``, or the lag would be less than it is.
        """
        known = [(ends[tp], positions.get(tp, 0)) for tp in partitions if tp in ends]
        waiting = sum(max(0, end - position) for end, position in known)
        position = sum(position for _, position in known)
        if position != self._position or not waiting:
            self._position, self._moved = position, now
        self._waiting.append((now, waiting))
        while now - self._waiting[0][0] > TREND_SECONDS:
            self._waiting.popleft()
        first, before = self._waiting[0]
        trend = (waiting - before) / (now - first) if now > first else 0.0
        return GroupLag(waiting, round(trend, 3), now - self._moved)
