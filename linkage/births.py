"""Comparison of birth dates, and what an ID number says of them.

A birth is a date, or only its month, or a lunar date as the source wrote it. Some files hold a lunar date as if
it were a solar one: two dates of which one is the other's lunar form are `BirthLevel.LUNAR`.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from avro.normalize.lunar import LunarDate, solar_day

EPOCH: Final = date(1970, 1, 1).toordinal()
_CACHE: Final = 1 << 16
_LAST_LUNAR_YEAR: Final = 1999
"""Later births are registered by the solar calendar; archives of the last century may hold either."""
_LUNAR: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(L?)")


_NEW_YEAR: Final = (1, 1)
"""Where only the year was known."""


class BirthLevel(StrEnum):
    """How two births compare."""

    EQUAL = "equal"
    DEFAULT_EQUAL = "default_equal"
    NUMBER_EQUAL = "number_equal"
    SWAPPED = "swapped"
    LUNAR = "lunar"
    ONE_PART = "one_part"
    YEAR_EQUAL = "year_equal"
    MONTH_EQUAL = "month_equal"
    MONTH_DIFFERENT = "month_different"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Day(NamedTuple):
    """A day of the solar calendar."""

    year: int
    month: int
    day: int


@lru_cache(_CACHE)
def day_of(days: int) -> Day:
    """Return the day that is ``days`` after 1970-01-01."""
    found = date.fromordinal(days + EPOCH)
    return Day(found.year, found.month, found.day)


def days_of(year: int, month: int, day: int) -> int | None:
    """Return days since 1970-01-01, None when there is no such day."""
    try:
        return date(year, month, day).toordinal() - EPOCH
    except ValueError:
        return None


def iso_day(days: int) -> str:
    """Return the day as yyyy-MM-dd."""
    return date.fromordinal(days + EPOCH).isoformat()


@lru_cache(_CACHE)
def date_in(number: str) -> int:
    """Return the birth date in a valid ID number."""
    days = days_of(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    assert days is not None, "the number is valid"
    return days


@lru_cache(_CACHE)
def compare_days(left: int, right: int) -> BirthLevel:
    """Compare two dates, days since 1970-01-01: symmetric."""
    if left == right:
        return BirthLevel.EQUAL
    one, other = day_of(left), day_of(right)
    if one.year == other.year and one.month == other.day and one.day == other.month:
        return BirthLevel.SWAPPED
    if left in lunar_readings(right) or right in lunar_readings(left):
        return BirthLevel.LUNAR
    equal = (one.year == other.year) + (one.month == other.month) + (one.day == other.day)
    if equal == len(one) - 1:
        return BirthLevel.ONE_PART
    if one.year == other.year and (one[1:] == _NEW_YEAR or other[1:] == _NEW_YEAR):
        return BirthLevel.YEAR_EQUAL
    return BirthLevel.DIFFERENT


@lru_cache(_CACHE)
def lunar_readings(days: int) -> tuple[int, ...]:
    """Return the solar dates that are meant if ``days`` is a lunar date that was written as a solar one."""
    day = day_of(days)
    if day.year > _LAST_LUNAR_YEAR:
        return ()
    return solar_dates(day.year, day.month, day.day)


def solar_dates(year: int, month: int, day: int) -> tuple[int, ...]:
    """Return the solar dates of a day of the lunar calendar: two where the month was followed by a leap month."""
    days = (solar_day(LunarDate(year, month, day, leap)) for leap in (False, True))
    return tuple([day for day in days if day is not None])


def written_lunar(text: str) -> tuple[int | None, tuple[int, ...]]:
    """Return what a lunar date (yyyy-MM-dd, L behind a leap month) is when it is read as a solar one, and the solar
    dates that it means."""
    match = _LUNAR.fullmatch(text)
    if match is None:
        return None, ()
    year, month, day = (int(match[place]) for place in (1, 2, 3))
    meant = solar_day(LunarDate(year, month, day, True)) if match[4] else None
    return days_of(year, month, day), solar_dates(year, month, day) if meant is None else (meant,)
