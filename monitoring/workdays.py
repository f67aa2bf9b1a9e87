"""Working days in China, with holidays, the working weekends that make up for them (调休), and a file of one's own.

The State Council announces each year's days late in the year before, and a package learns them after that. A year that
neither the package nor the file knows is not guessed at silently: `Calendar.covers` is false, and weekdays count.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import chinese_calendar

from connectors.feeds.located import Located, read_yaml

ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The register's clock: every department's offices keep Beijing time."""

HOLIDAY: Final = 7
MAKE_UP: Final = 8
"""Kinds of a day besides its weekday (0 is Monday): a weekday that is off, a weekend day that is worked."""

_DAYS: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")
_WEEKEND: Final = 5
_LONGEST: Final = 31


class Calendar:
    """Which days are worked. ``override`` is a YAML file with ``holidays`` and ``workdays``: lists of dates or ranges
    (``2027-02-05..2027-02-12``); it goes before the package. A year that it names at all counts as covered."""

    def __init__(self, override: Path | None = None) -> None:
        """Read the file. Raises FeedError, naming file and line."""
        self._off: set[dt.date] = set()
        self._worked: set[dt.date] = set()
        if override is not None:
            entries = read_yaml(override).fields((), ("holidays", "workdays"))
            self._off = _dates(entries.get("holidays"))
            self._worked = _dates(entries.get("workdays"))
            both = sorted(self._off & self._worked)
            if both:
                entries["workdays"].fail(f"{both[0]} is a holiday above and a workday here; remove one")
        self._years = {day.year for day in self._off | self._worked}
        self._known: dict[dt.date, bool] = {}

    def covers(self, day: dt.date) -> bool:
        """Return whether the holidays of the day's year are known."""
        if day.year in self._years:
            return True
        try:
            chinese_calendar.is_workday(day)
        except NotImplementedError:
            return False
        return True

    def is_workday(self, day: dt.date) -> bool:
        """Return whether offices work on this day; by its weekday alone where the year is not covered."""
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = self._look_up(day)
        return known

    def _look_up(self, day: dt.date) -> bool:
        if day in self._off:
            return False
        if day in self._worked:
            return True
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:
            return day.weekday() < _WEEKEND

    def kind(self, day: dt.date) -> int:
        """Return the day's weekday, 0 to 6, `HOLIDAY` for a weekday that is off, `MAKE_UP` for a worked weekend day."""
        worked, weekend = self.is_workday(day), day.weekday() >= _WEEKEND
        if worked == weekend:
            return MAKE_UP if worked else HOLIDAY
        return day.weekday()

    def nearest_workday(self, day: dt.date, step: int) -> dt.date:
        """Return ``day`` or the first workday in the direction of ``step``, 1 or -1."""
        for _ in range(_LONGEST):
            if self.is_workday(day):
                return day
            day += dt.timedelta(days=step)
        return day


def _dates(place: Located | None) -> set[dt.date]:
    found: set[dt.date] = set()
    for item in place.items() if place is not None else []:
        match = _DAYS.fullmatch(item.text())
        try:
            first = dt.date.fromisoformat(match[1]) if match is not None else None
            last = dt.date.fromisoformat(match[2] or match[1]) if match is not None else None
        except ValueError:
            first = last = None
        if first is None or last is None:
            item.fail("a date such as 2027-01-01, or a range 2027-01-01..2027-01-03, is wanted here")
        if not 0 <= (last - first).days < _LONGEST:
            item.fail(f"a range of 1 to {_LONGEST} days is wanted here, the earlier date first")
        found |= {first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)}
    return found
