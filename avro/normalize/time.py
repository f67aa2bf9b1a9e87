"""Instants, in the forms that sources have them, to microseconds since 1970 in UTC.

Columns without a zone hold Beijing time: UTC+8, whatever the clocks showed in the summers of 1986 to 1991, which is
how the sources' own databases count it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from avro.normalize.date import FIRST_DAY, LAST_DAY, REMEMBERED_DAYS, Day, normalize_date, normalize_days
from avro.normalize.issues import NONE, Issues, remembering
from avro.normalize.text import MISSING, squeeze

Instant = tuple[int | None, Issues]

SECOND: Final = 1_000_000
"""Microseconds."""
DAY: Final = 86_400 * SECOND
BEIJING: Final = 8 * 3600 * SECOND
"""What Beijing's clocks are ahead of UTC, in microseconds."""

UNITS: Final = {"microseconds": 1, "milliseconds": 1000, "seconds": SECOND}
"""Name of a unit of time → microseconds in it."""

_FIRST: Final = FIRST_DAY * DAY
_LAST: Final = (LAST_DAY + 1) * DAY
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_COMPACT: Final = re.compile(r"([0-9]{8})([0-9]{2})([0-9]{2})([0-9]{2})")
_compact_day: Final = remembering(normalize_date, REMEMBERED_DAYS)
COMPACT_DAYS: Final[dict[str, int]] = {}
"""yyyyMMdd → the instant at which that day began in Beijing; filled by the long way."""
_HOURS: Final = {f"{hour:02}": hour * 3600 * SECOND for hour in range(24)}
_MINUTES: Final = {f"{minute:02}": minute * 60 * SECOND for minute in range(60)}
SECONDS: Final = {f"{second:02}": second * SECOND for second in range(60)}
CLOCK: Final = {
    f"{hour}{minute}": from_hours + from_minutes
    for hour, from_hours in _HOURS.items()
    for minute, from_minutes in _MINUTES.items()
}
"""hhmm → microseconds since midnight."""

# The usual shape, yyyy-MM-ddThh:mm:ss[.000000]Z, in four pieces: a sum of look-ups costs a sixth of a calendar's work.
ISO_HOURS: Final = {f"T{hour}:": instant for hour, instant in _HOURS.items()}
ISO_MINUTES: Final = {f"{minute}:": instant for minute, instant in _MINUTES.items()}
ISO_SECONDS: Final = {
    f"{second}{tail}": instant for second, instant in SECONDS.items() for tail in ("Z", ".000000Z")
}
# Filled by the long way, with days in the register's centuries only.
ISO_DAYS: Final[dict[str, int]] = {}
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.([0-9]{1,9}))?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)


def normalize_instant(value: int | None, unit: int, ahead: int = 0) -> Instant:
    """Return the instant of a count of ``unit`` microseconds since 1970, on a clock ``ahead`` of UTC by so many."""
    if value is None:
        return None, NONE
    instant = value * unit - ahead
    return (instant, NONE) if _FIRST <= instant < _LAST else (None, ("out_of_range_date",))


def normalize_iso_instant(value: str | None) -> Instant:
    """Return the instant of an ISO 8601 text with its zone, as Debezium writes ``timestamptz``.

    Digits beyond the microsecond are cut. PostgreSQL's infinity is out of range.
    """
    if value is None:
        return None, NONE
    try:
        return (
            ISO_DAYS[value[:10]]
            + ISO_HOURS[value[10:14]]
            + ISO_MINUTES[value[14:17]]
            + ISO_SECONDS[value[17:]]
        ), NONE
    except KeyError:
        return _read_iso(value)


def _read_iso(value: str) -> Instant:
    match = _ISO.fullmatch(value)
    if match is None:
        text = value.strip()
        if text in MISSING:
            return None, NONE
        return None, ("out_of_range_date",) if text.endswith(("infinity", "BC")) or text.startswith(
            "-"
        ) else ("unreadable_time",)
    fraction = match[1]
    if fraction is not None:
        start, end = match.span(1)
        value = f"{value[:start]}{fraction[:6]:0<6}{value[end:]}"
    try:
        instant = (datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None, ("impossible_time",)
    if value.endswith("Z") and _FIRST <= instant < _LAST:
        if len(ISO_DAYS) >= REMEMBERED_DAYS:
            ISO_DAYS.clear()
        ISO_DAYS[value[:10]] = instant // DAY * DAY
    return normalize_instant(instant, 1)


def normalize_compact_time(value: str | None) -> Instant:
    """Return the instant of a text yyyyMMddHHmmss in Beijing time."""
    if value is None:
        return None, NONE
    try:
        return COMPACT_DAYS[value[:8]] + CLOCK[value[8:12]] + SECONDS[value[12:]], NONE
    except KeyError:
        return _read_compact(value)


def _read_compact(value: str) -> Instant:
    text = squeeze(value)
    match = _COMPACT.fullmatch(text)
    if match is None:
        return None, NONE if text in MISSING else ("unreadable_time",)
    date, hour, minute, second = match.groups()
    day, issues = _compact_day(date)
    if day is None:
        return None, issues if issues or not text.strip("0") else ("impossible_time",)
    if hour > "23" or minute > "59" or second > "59":
        return None, ("impossible_time",)
    if len(COMPACT_DAYS) >= REMEMBERED_DAYS:
        COMPACT_DAYS.clear()
    COMPACT_DAYS[date] = day * DAY - BEIJING
    return day * DAY + (int(hour) * 3600 + int(minute) * 60 + int(second)) * SECOND - BEIJING, NONE


def normalize_day_of_instant(value: str | None) -> Day:
    """Return the day that Beijing's calendars showed at an instant written as for `normalize_iso_instant`."""
    instant, issues = normalize_iso_instant(value)
    return (None, issues) if instant is None else beijing_day(instant)


def beijing_day(instant: int) -> Day:
    """Return the day that Beijing's calendars showed at an instant."""
    return normalize_days((instant + BEIJING) // DAY)
