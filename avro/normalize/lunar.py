"""Dates of the lunar calendar (农历), as old people state their birthdays, and the solar day that one derives.

A derived day is a guess at what was meant: registrars wrote lunar dates down as if they were solar. Whoever uses it
gets the finding lunar_date beside it, and the lunar date itself as a value of its own.

The months are in ``avro/codes/lunar.csv``, made by lunar-python, which takes 10 ms a year; they follow GB/T 33661 for
1929 and after, and the calendar as it was issued before.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from avro.codes import rows
from avro.normalize.text import squeeze

# The lunar year of the first solar dates that the register covers, and of the last.
FIRST_LUNAR_YEAR: Final = 1799
LAST_LUNAR_YEAR: Final = 2199

MOST_DAYS: Final = 30
MONTHS: Final = 12

_DIGITS: Final = {"〇": 0} | {character: digit for digit, character in enumerate("零一二三四五六七八九")}
_NUMBER: Final = "[一二三四五六七八九]"
_LUNAR: Final = re.compile(
    r"(?P<calendar>农历|阴历|旧历|夏历|老历)?[:：]?"
    r"(?P<year>[0-9]{4}|[零〇一二三四五六七八九]{4})[-./年]?"
    rf"(?P<leap>闰)?(?P<month>[0-9]{{1,2}}|正|冬|腊|十[一二]?|{_NUMBER})[-./月]?"
    rf"(?P<day>[0-9]{{1,2}}|初[十]|初{_NUMBER}|[二三]?十{_NUMBER}?|[廿卅]{_NUMBER}?|{_NUMBER})[日号]?"
)
_WORDS: Final = re.compile(r"[农阴旧夏老]历|[初廿卅闰]|[正冬腊]月")
_COMPACT: Final = re.compile(r"(?:农历|阴历|旧历|夏历|老历)[:：]?([0-9]{4})([0-9]{2})([0-9]{2})")
_NAMED_MONTHS: Final = {"正": 1, "冬": 11, "腊": 12}


class LunarDate(NamedTuple):
    """A day of the lunar calendar; ``is_leap`` for the second month of its number in a year of thirteen."""

    year: int
    month: int
    day: int
    is_leap: bool = False

    def text(self) -> str:
        """Return the date as the standard's text: yyyy-MM-dd, with L behind it in a leap month."""
        return f"{self.year:04}-{self.month:02}-{self.day:02}{'L' if self.is_leap else ''}"


def is_lunar(text: str) -> bool:
    """Return whether a text speaks of the lunar calendar at all."""
    return _WORDS.search(text) is not None


def read_lunar(value: str) -> LunarDate | None:
    """Return the lunar date that a text states in words or in digits, None when it states none in full.

    It need not exist: see `solar_day`.
    """
    text = squeeze(value)
    if not is_lunar(text):
        return None
    compact = _COMPACT.fullmatch(text)
    if compact is not None:
        year, month, day = map(int, compact.groups())
        return _plausible(LunarDate(year, month, day))
    match = _LUNAR.fullmatch(text)
    if match is None:
        return None
    return _plausible(
        LunarDate(
            year=int("".join(str(_DIGITS.get(digit, digit)) for digit in match["year"])),
            month=_NAMED_MONTHS.get(match["month"]) or _number(match["month"]),
            day=_number(match["day"].removeprefix("初")),
            is_leap=match["leap"] is not None,
        )
    )


def _plausible(lunar: LunarDate) -> LunarDate | None:
    """Return the date if it could be one of the register's centuries."""
    within = FIRST_LUNAR_YEAR <= lunar.year <= LAST_LUNAR_YEAR
    return lunar if within and 1 <= lunar.month <= MONTHS and 1 <= lunar.day <= MOST_DAYS else None


def _number(text: str) -> int:
    """Return a number below a hundred, in digits or in words; 廿 is twenty, 卅 thirty."""
    if text.isdecimal():
        return int(text)
    text = text.replace("廿", "二十").replace("卅", "三十")
    tens, ten, ones = text.rpartition("十")
    return (_DIGITS[tens] if tens else 1) * 10 * bool(ten) + (_DIGITS[ones] if ones else 0)


def solar_day(lunar: LunarDate) -> int | None:
    """Return the day as days since 1970-01-01, None when the calendar has no such day."""
    if not FIRST_LUNAR_YEAR <= lunar.year <= LAST_LUNAR_YEAR:
        return None
    first, length = _months(lunar.year).get((lunar.month, lunar.is_leap), (0, 0))
    return first + lunar.day - 1 if 1 <= lunar.day <= length else None


@cache
def _years() -> dict[int, tuple[int, int, str]]:
    """Return the lunar years: first day since 1970-01-01, number of the leap month or 0, long months."""
    return {
        int(row["year"]): (int(row["first_day"]), int(row["leap_month"]), row["long_months"])
        for row in rows("lunar")
    }


@cache
def _months(year: int) -> dict[tuple[int, bool], tuple[int, int]]:
    """Return the months of a lunar year, (number, leap) → first day since 1970-01-01 and length."""
    day, leap, long = _years()[year]
    numbers = [(number, False) for number in range(1, MONTHS + 1)]
    if leap:
        numbers.insert(leap, (leap, True))
    months: dict[tuple[int, bool], tuple[int, int]] = {}
    for number, is_long in zip(numbers, long, strict=True):
        length = MOST_DAYS if is_long == "1" else MOST_DAYS - 1
        months[number] = day, length
        day += length
    return months
