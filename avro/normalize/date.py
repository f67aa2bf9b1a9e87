"""Dates, in every form the register has, to days since 1970-01-01."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.lunar import MONTHS, MOST_DAYS, LunarDate, is_lunar, read_lunar, solar_day
from avro.normalize.text import MISSING, fold, squeeze

Day = tuple[int | None, Issues]
Text = tuple[str | None, Issues]

EPOCH: Final = date(1970, 1, 1).toordinal()

# The register covers living people and archives; PostgreSQL's infinite dates come as days far outside.
FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 2199
FIRST_DAY: Final = date(FIRST_YEAR, 1, 1).toordinal() - EPOCH
LAST_DAY: Final = date(LAST_YEAR, 12, 31).toordinal() - EPOCH

_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_PARTED: Final = re.compile(r"([0-9]{4})[-./年]([0-9]{1,2})[-./月]([0-9]{1,2})[日号]?")
_CLOCK: Final = r"[0-9]{1,2}[:时]?[0-9]{2}(?:[:分]?[0-9]{2}(?:[.][0-9]+)?秒?)?"
_WITH_TIME: Final = re.compile(
    rf"([0-9]{{4}})[-./年]([0-9]{{1,2}})[-./月]([0-9]{{1,2}})(?:[T ]|日 ?){_CLOCK}"
)
_COMPACT_TIME: Final = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})[T ]?[0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:[.][0-9]+)?)?"
)
_ZONED: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
)
_WORDS: Final = re.compile(
    r"([〇零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月([一二三四五六七八九十]{1,3})[日号]"
)
_MONTH: Final = re.compile(r"([0-9]{4})(?:[-./年]([0-9]{1,2})月?|([0-9]{2}))")
_YEAR: Final = re.compile(r"[0-9]{4}年?")
_SHORT: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")
_SERIAL_DAY: Final = re.compile(r"([0-9]{1,5})(?:\.[0-9]+)?")
_ZEROS: Final = re.compile(r"0+(?:[-./年]0+[-./月]0+日?)?(?:[T ]?[0:.]+)?")
_OPEN_ENDED: Final = frozenset(("长期", "长期有效", "永久", "永久有效", "无固定期限"))

_BEIJING: Final = timezone(timedelta(hours=8))
_NUMERALS: Final = str.maketrans("〇零一二三四五六七八九", "00123456789")

_SPREADSHEET_EPOCH: Final = date(1899, 12, 30).toordinal() - EPOCH
"""Day 0 of spreadsheets. Their 29 February 1900 never was: days before 61 are off by one, and nobody's here."""
_FIRST_SERIAL: Final = 61
_PRESENT_YEARS: Final = range(1900, 2100)
"""Four digits within these are a year and no day number of 1905."""

_CENTURY: Final = 1900
"""Of dates of six digits: the archives that have them cover 1900 to 1999."""

SOLAR: Final = "1"
LUNAR: Final = "2"
"""Codes of the list calendar."""


REMEMBERED_DAYS: Final = 1 << 16
"""A century and a half of days, as columns of birth dates have them: a smaller memory would forget most of them."""


def normalize_date(value: str | None) -> Day:
    """Return the day of a text: yyyyMMdd, yyyy-MM-dd, yyyy.M.d, yyyy/M/d, yyyy年M月d日, also in Chinese numerals, and
    with a time behind it; an instant with its zone is the day that it was in Beijing.

    Blank and zero are null. A lunar date gives the solar day derived from it, with the finding lunar_date. Year and
    month alone and days that do not exist are null with a finding.
    """
    if value is None:
        return None, NONE
    text = squeeze(value)
    match = _COMPACT.fullmatch(text) or _PARTED.fullmatch(text)
    if match is not None and not _ZEROS.fullmatch(text):
        return _day(*map(int, match.groups()))
    if text in MISSING or _ZEROS.fullmatch(text):
        return None, NONE
    return _unusual_date(fold(value), text)


def _unusual_date(folded: str, text: str) -> Day:
    if _ZONED.fullmatch(folded):
        return _zoned_day(folded)
    match = _WITH_TIME.fullmatch(folded) or _COMPACT_TIME.fullmatch(text)
    if match is not None:
        return _day(*map(int, match.groups()))
    if is_lunar(text):
        lunar = read_lunar(text)
        return (None, ("incomplete_date", "lunar_date")) if lunar is None else _derived(lunar)
    match = _WORDS.fullmatch(text)
    if match is not None:
        year, month, day = match.groups()
        return _day(int(year.translate(_NUMERALS)), _numeral(month), _numeral(day))
    if text in _OPEN_ENDED:
        return None, ("open_ended",)
    if _MONTH.fullmatch(text) or _YEAR.fullmatch(text):
        return None, ("incomplete_date",)
    return None, ("unreadable_date",)


def _zoned_day(text: str) -> Day:
    try:
        moment = datetime.fromisoformat(text).astimezone(_BEIJING)
    except (ValueError, OverflowError):
        return None, ("impossible_date",)
    return _day(moment.year, moment.month, moment.day)


def _derived(lunar: LunarDate) -> Day:
    day = solar_day(lunar)
    if day is None:
        return None, ("lunar_date", "impossible_date")
    return (day, ("lunar_date",)) if FIRST_DAY <= day <= LAST_DAY else (None, ("out_of_range_date",))


def _numeral(text: str) -> int:
    """Return a Chinese numeral below a hundred; one that is none, such as 十十, as 99, which is no day or month."""
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return int(text.translate(_NUMERALS))
    if "十" in tens:
        return 99
    return int((tens.translate(_NUMERALS) or "1") + "0") + int(ones.translate(_NUMERALS) or 0)


def normalize_lunar_text(value: str | None) -> Text:
    """Return the lunar date of a text as yyyy-MM-dd (L behind it in a leap month), null for what is no lunar date.

    Without findings: the column is read as a date as well, and that says what is wrong.
    """
    lunar = None if value is None else read_lunar(value)
    return None if lunar is None else lunar.text(), NONE


def normalize_serial_date(value: str | None) -> Day:
    """Return the day of a text out of a spreadsheet: a day number (days since 1899-12-30), or as `normalize_date`."""
    if value is None:
        return None, NONE
    match = _SERIAL_DAY.fullmatch(squeeze(value).lstrip("'"))
    if match is None or (len(match[1]) == 4 and int(match[1]) in _PRESENT_YEARS):
        return normalize_date(value.strip().lstrip("'"))
    number = int(match[1])
    if number == 0:
        return None, NONE
    if number < _FIRST_SERIAL:
        return None, ("out_of_range_date",)
    return _SPREADSHEET_EPOCH + number, ("day_number",)


def normalize_month(value: str | None) -> Text:
    """Return the month of a text as yyyyMM: yyyyMM, yyyy-MM, yyyy.M, yyyy/M, yyyy年M月, or any date."""
    if value is None:
        return None, NONE
    text = squeeze(value)
    if text in MISSING or _ZEROS.fullmatch(text):
        return None, NONE
    match = _MONTH.fullmatch(text)
    if match is not None:
        return _month(int(match[1]), int(match[2] or match[3]))
    day, issues = normalize_date(value)
    return (None, issues) if day is None else (f"{date.fromordinal(day + EPOCH):%Y%m}", issues)


def normalize_month_of_date(value: str | None) -> Text:
    """Return the month of a text that gives a month without its day, null for everything else.

    Without findings: the column is read as a date as well, and that says what is wrong.
    """
    match = None if value is None else _MONTH.fullmatch(squeeze(value))
    return (None, NONE) if match is None else (_month(int(match[1]), int(match[2] or match[3]))[0], NONE)


def _month(year: int, month: int) -> Text:
    if month == 0:
        return None, ("incomplete_date",)
    if month > 12:
        return None, ("impossible_date",)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None, ("out_of_range_date",)
    return f"{year:04}{month:02}", NONE


def normalize_short_date(value: str | None, calendar: str | None = SOLAR) -> Day:
    """Return the day of a text yymmdd of the twentieth century, in a calendar of the list ``calendar``.

    A lunar date gives the day derived from it, with the finding lunar_date. Where the calendar is not known, what can
    be a solar date is read as one, with the finding calendar_unknown, and what cannot as a lunar one.
    """
    lunar, issues = _read_short(value)
    if lunar is None:
        return None, issues
    if calendar == LUNAR:
        return _derived(lunar)
    day, issues = _day(lunar.year, lunar.month, lunar.day)
    if calendar == SOLAR:
        return day, issues
    if day is None:
        day, issues = _derived(lunar)
    return day, (*issues, "calendar_unknown")


def normalize_short_lunar(value: str | None, calendar: str | None) -> Text:
    """Return the lunar date of a text yymmdd of the twentieth century as yyyy-MM-dd, null where it is a solar one.

    Without findings: the column is read as a date as well, and that says what is wrong.
    """
    lunar = _read_short(value)[0]
    if lunar is None or calendar == SOLAR:
        return None, NONE
    if calendar is None and _day(lunar.year, lunar.month, lunar.day)[0] is not None:
        return None, NONE
    return lunar.text() if lunar.month <= MONTHS and lunar.day <= MOST_DAYS else None, NONE


def _read_short(value: str | None) -> tuple[LunarDate | None, Issues]:
    """Return year, month and day of a text yymmdd, in whichever calendar: also a 31st, which no lunar month has."""
    if value is None:
        return None, NONE
    text = squeeze(value)
    if text in MISSING or _ZEROS.fullmatch(text):
        return None, NONE
    match = _SHORT.fullmatch(text)
    if match is None:
        return None, ("unreadable_date",)
    year, month, day = map(int, match.groups())
    if month == 0 or day == 0:
        return None, ("incomplete_date",)
    return LunarDate(_CENTURY + year, month, day), NONE


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
