"""The lunar calendar, in which old people tell their birthdays (GB/T 33661)."""

from __future__ import annotations

from bisect import bisect
from datetime import date
from functools import cache
from typing import Final

from lunar_python import LunarYear, Solar

_MONTHS: Final = ("正", "二", "三", "四", "五", "六", "七", "八", "九", "十", "冬", "腊")
_DIGITS: Final = ("", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十")


def lunar(day: date) -> tuple[int, int, int, bool]:
    """Return lunar year, month, day and whether the month is a leap one."""
    year = day.year
    if day < _months(year)[0][0]:
        year -= 1
    months = _months(year)
    first, month = months[bisect(months, (day, 13)) - 1]
    return year, abs(month), (day - first).days + 1, month < 0


def words(day: date) -> str:
    """Return the lunar date as people write it, such as 农历1941年二月初八."""
    year, month, number, is_leap = lunar(day)
    return f"农历{year}年{'闰' if is_leap else ''}{_MONTHS[month - 1]}月{_day(number)}"


def _day(number: int) -> str:
    if number <= 10:
        return "初" + _DIGITS[number]
    if number < 20:
        return "十" + _DIGITS[number - 10]
    return {20: "二十", 30: "三十"}.get(number) or "廿" + _DIGITS[number - 20]


@cache
def _months(year: int) -> list[tuple[date, int]]:
    """Return the first days of the months of a lunar year, a leap month with its number below zero."""
    found: list[tuple[date, int]] = []
    for month in LunarYear.fromYear(year).getMonths():
        if month.getYear() == year:
            first = Solar.fromJulianDay(month.getFirstJulianDay())
            found.append((date(first.getYear(), first.getMonth(), first.getDay()), month.getMonth()))
    return found
