"""The province's day and year: how much happens at an hour, on a clock that may run faster than ours.

Offices work on working days from eight to twelve and from half past one to half past five; checkpoints, births and
deaths go on at night. On a Sunday night next to nothing happens. Around the first of September schools enrol, and
their offices have twice as much to do. Holidays, and the weekends worked for them, are the State Council's; where a
year's are not known, weekdays count.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import chinese_calendar

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


_SCHOOL_BEGINS: Final = ((8, 25), (9, 15))
"""First and last day of the weeks in which pupils are enrolled and moved up."""
_SCHOOL_PEAK: Final = 2.0
_OFFICES: Final = range(8, 18)


def is_school_peak(day: date) -> bool:
    """Whether the school year begins in these weeks."""
    first, last = _SCHOOL_BEGINS
    return first <= (day.month, day.day) <= last


def is_open(moment: datetime) -> bool:
    """Whether offices are open at a moment, Beijing time."""
    return moment.hour in _OFFICES and is_workday(moment.date())


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
        peak = _SCHOOL_PEAK if moment.hour in _OFFICES and is_school_peak(today) else 1.0
        return peak * _WORKDAY[moment.hour] / _MEAN
    if moment.hour >= _NIGHT_BEFORE_WORK and is_workday(today + timedelta(days=1)):
        return 1 / _MEAN
    return _DAY_OFF[moment.hour] / _MEAN
