"""Dates, in every form the register has, to days since 1970-01-01."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import MISSING, squeeze

Day = tuple[int | None, Issues]

EPOCH: Final = date(1970, 1, 1).toordinal()

# The register covers living people and archives; PostgreSQL's infinite dates come as days far outside.
FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 2199
FIRST_DAY: Final = date(FIRST_YEAR, 1, 1).toordinal() - EPOCH
LAST_DAY: Final = date(LAST_YEAR, 12, 31).toordinal() - EPOCH

_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_PARTED: Final = re.compile(r"([0-9]{4})[-./年]([0-9]{1,2})[-./月]([0-9]{1,2})日?")
_WITH_TIME: Final = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})T? ?[0-9]{2}:?[0-9]{2}(?::?[0-9]{2})?(?:[.][0-9]+)?Z?"
)
_PARTIAL: Final = re.compile(r"[0-9]{4}(?:[-./年]?(?:[0-9]{1,2}月?)?)")
_LUNAR: Final = re.compile(r"农历|阴历|旧历|[初廿卅闰正腊]")
_ZEROS: Final = re.compile(r"0+(?:[-./年]0+[-./月]0+日?)?")


REMEMBERED_DAYS: Final = 1 << 16
"""A century and a half of days, as columns of birth dates have them: a smaller memory would forget most of them."""


def normalize_date(value: str | None) -> Day:
    """Return the day of a text: yyyyMMdd, yyyy-MM-dd, yyyy.M.d, yyyy/M/d or yyyy年M月d日.

    Blank and zero are null. Year and month alone, lunar dates and days that do not exist are null with a finding.
    """
    if value is None:
        return None, NONE
    text = squeeze(value)
    if text in MISSING or _ZEROS.fullmatch(text):
        return None, NONE
    match = _COMPACT.fullmatch(text) or _PARTED.fullmatch(text) or _WITH_TIME.fullmatch(text)
    if match is not None:
        year, month, day = match.groups()
        return _day(int(year), int(month), int(day))
    if _LUNAR.search(text):
        return None, ("lunar_date",)
    if _PARTIAL.fullmatch(text):
        return None, ("incomplete_date",)
    return None, ("unreadable_date",)


def normalize_date_number(value: int | None) -> Day:
    """Return the day of a number yyyyMMdd; zero is null, yyyyMM and yyyy are incomplete."""
    if not value:
        return None, NONE
    if 10_000_000 <= value <= 99_999_999:
        return _day(value // 10_000, value // 100 % 100, value % 100)
    return None, ("incomplete_date",) if 1000 <= value <= 999_999 else ("unreadable_date",)


def normalize_days(value: int | None) -> Day:
    """Return Debezium's days since 1970-01-01 as they are, if they are within the register's centuries."""
    if value is None:
        return None, NONE
    return (value, NONE) if FIRST_DAY <= value <= LAST_DAY else (None, ("out_of_range_date",))


def _day(year: int, month: int, day: int) -> Day:
    if day == 0 or month == 0:
        return None, ("incomplete_date",)
    try:
        days = date(year, month, day).toordinal() - EPOCH
    except ValueError:
        return None, ("impossible_date",)
    return normalize_days(days)
