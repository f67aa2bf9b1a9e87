"""The province's day: how much happens at an hour of it, on a clock that may run faster than ours.

Offices work on working days from eight to twelve and from half past one to half past five; checkpoints, births and
deaths go on at night. On a Sunday night next to nothing happens. Holidays, and the weekends worked for them, are the
State Council's; where a year's are not known, weekdays count.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import chinese_calendar

from connectors.simulate.people import BASE_TIME

DAY: Final = 86_400.0
HOUR: Final = timedelta(hours=1)
_WORKDAY: Final = (
    2, 1, 1, 1, 1, 2, 6, 20, 90, 130, 125, 100, 35, 70, 120, 125, 100, 55, 25, 16, 12, 10, 6, 3,
)  # fmt: skip
_DAY_OFF: Final = (2, 1, 1, 1, 1, 2, 4, 7, 12, 15, 15, 14, 11, 12, 14, 14, 13, 12, 11, 10, 9, 7, 4, 2)
_NIGHT_BEFORE_WORK: Final = 20
"""From this hour of a day off before a working day the province sleeps."""
_MEAN: Final = (5 * sum(_WORKDAY) + 2 * sum(_DAY_OFF)) / (7 * 24)
"""Of an ordinary week: a rate is that week's mean."""


def is_workday(day: date) -> bool:
    """Whether offices work on a day."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def share(moment: datetime) -> float:
    """Return how much happens in the hour of ``moment``, Beijing time; 1 is an ordinary week's mean."""
    today = moment.date()
    if is_workday(today):
        return _WORKDAY[moment.hour] / _MEAN
    if moment.hour >= _NIGHT_BEFORE_WORK and is_workday(today + timedelta(days=1)):
        return 1 / _MEAN
    return _DAY_OFF[moment.hour] / _MEAN


class Rhythm:
    """The course of days of ``day`` seconds each, from ``start`` (Beijing time) on."""

    def __init__(self, day: float, start: datetime = BASE_TIME) -> None:
        self._speed = DAY / day
        self._start = start
        self._hour = start.replace(minute=0, second=0, microsecond=0)
        self._before = 0.0
        """What has passed, in the province's seconds of mean rate, until ``_hour``."""
        self._skipped = (start - self._hour).total_seconds() * share(start)

    def at(self, seconds: float) -> datetime:
        """Return the province's time after so many of our seconds."""
        return self._start + timedelta(seconds=seconds * self._speed)

    def passed(self, seconds: float) -> float:
        """Return for how many of our seconds the mean rate would have made what has happened until then.

        Moments must not go back by more than what is left of the province's hour.
        """
        now = self.at(seconds)
        while now >= self._hour + HOUR:
            self._before += HOUR.total_seconds() * share(self._hour)
            self._hour += HOUR
        own = (now - self._hour).total_seconds() * share(self._hour)
        return (self._before + own - self._skipped) / self._speed
