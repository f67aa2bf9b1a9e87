"""The province's time at each transaction, where it follows offices' hours, nights, weekends, holidays and seasons.

A pure function of start and daily number: the n-th transaction has the same moment whenever it is made, so that a
simulator that goes on makes the same past again.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

from connectors.simulate.people import BASE_TIME
from connectors.simulate.rhythm import HOUR, share

_HOURS: Final = 24


class Course:
    """``daily`` transactions on a mean day from ``start`` on (Beijing time, not before the province was filled)."""

    def __init__(self, start: datetime, daily: float) -> None:
        """Raises ValueError where there is no such course."""
        if start < BASE_TIME or daily <= 0:
            raise ValueError(f"a course begins at {BASE_TIME:%Y-%m-%d %H:%M} or later and has transactions")
        self.start = start
        self.daily = daily
        self._first = start.replace(minute=0, second=0, microsecond=0)
        self._made = [-(start - self._first) / HOUR * self._in_hour(0)]
        """How many transactions there were at the beginning of each hour; before the start, less than none."""

    @property
    def name(self) -> str:
        """What tells one course from another."""
        return f"{self.start.isoformat()}/{self.daily:g}"

    def at(self, number: int) -> datetime:
        """Return the moment of a transaction, which are numbered from 1: never before that of the one before."""
        while self._made[-1] < number:
            self._made.append(self._made[-1] + self._in_hour(len(self._made) - 1))
        hour = bisect_right(self._made, number) - 1
        hour = min(hour, len(self._made) - 2)
        part = (number - self._made[hour]) / self._in_hour(hour)
        return self._first + (hour + part) * HOUR

    def until(self, moment: datetime) -> int:
        """Return the number of the last transaction at or before a moment."""
        hour = max(0, (moment - self._first) // HOUR)
        while len(self._made) <= hour + 1:
            self._made.append(self._made[-1] + self._in_hour(len(self._made) - 1))
        part = (moment - self._first) / HOUR - hour
        return max(0, int(self._made[hour] + part * self._in_hour(hour)))

    def _in_hour(self, hour: int) -> float:
        return self.daily / _HOURS * share(self._first + timedelta(hours=hour))
