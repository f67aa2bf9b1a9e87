"""Deliveries of files: what has come, what is due, and whether a delivery has a suspicious size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import median
from typing import Final

import msgspec

from connectors.feeds.objectives import Due, Size
from monitoring.workdays import ZONE, Calendar

KEPT: Final = 30
"""Deliveries of a feed that are remembered: two years of monthly ones and more."""
ENOUGH: Final = 3
"""Earlier deliveries before a size is judged."""
FEW: Final = 20
"""Records by which a delivery may always differ from the usual: with five records a third less is chance."""


class Delivery(msgspec.Struct, frozen=True):
    """A file that was delivered and accepted: its ``.ok`` was there and agreed.

    ``date`` is the day that the file is about (``YYYY-MM-DD``, from its name), ``sequence`` its number on that day,
    ``records`` how many it holds, ``arrived`` when it was accepted, microseconds since 1970.
    """

    feed: str
    date: str
    sequence: int
    records: int
    arrived: int

    @property
    def day(self) -> dt.date:
        """The day that the file is about. Raises ValueError when it is none."""
        return dt.date.fromisoformat(self.date)


def due_moments(
    due: Due, calendar: Calendar, now: dt.datetime
) -> tuple[dt.datetime, dt.datetime, dt.datetime]:
    """Return the last two due moments at or before ``now``, the older first, and the next one after it."""
    moments = _moments_around(due, calendar, now.astimezone(ZONE).date())
    passed = [moment for moment in moments if moment <= now]
    return passed[-2], passed[-1], next(moment for moment in moments if moment > now)


@lru_cache(maxsize=256)
def _moments_around(due: Due, calendar: Calendar, day: dt.date) -> tuple[dt.datetime, ...]:
    # Two months and what a shift can add hold at least three due days of every cadence.
    days = (day + dt.timedelta(days=offset) for offset in range(-100, 75))
    # Days that a holiday shifts to one day fall together.
    return tuple(sorted({_moment(due, calendar, one) for one in days if _is_nominal(due, one)}))


def _is_nominal(due: Due, day: dt.date) -> bool:
    if due.every == "week":
        return day.isoweekday() == due.day
    return due.every == "day" or day.day == due.day


def _moment(due: Due, calendar: Calendar, day: dt.date) -> dt.datetime:
    if due.shift != "none":
        day = calendar.nearest_workday(day, 1 if due.shift == "next" else -1)
    return dt.datetime(day.year, day.month, day.day, due.minute // 60, due.minute % 60, tzinfo=ZONE)


def late_since(
    due: Due, calendar: Calendar, deliveries: Iterable[Delivery], now: dt.datetime, watched: dt.datetime
) -> dt.datetime | None:
    """Return since when a delivery is missing, None when none is; what was due before ``watched`` is not asked for.

    A delivery counts for a due moment when the day it is about lies behind the due moment before: last week's file
    that comes late does not stand for this week's.
    """
    before, last, _ = due_moments(due, calendar, now)
    if last < watched:
        return None
    newest = max((delivery.day for delivery in deliveries), default=None)
    if newest is not None and newest > before.date():
        return None
    return last


def unusual_size(size: Size, deliveries: Sequence[Delivery]) -> tuple[int, float] | None:
    """Return the newest delivery's records and the usual number when it is suspicious, else None.

    The usual number is the median of the earlier deliveries; corrections of one day count once, the last.
    """
    by_day = {one.day: one for one in sorted(deliveries, key=lambda one: (one.day, one.sequence))}
    *earlier, newest = by_day.values() if by_day else [None]
    if newest is None or len(earlier) < ENOUGH:
        return None
    usual = median(one.records for one in earlier if one is not None)
    if abs(newest.records - usual) <= FEW or size.least * usual <= newest.records <= size.most * usual:
        return None
    return newest.records, usual


class DeliveryBook:
    """The newest deliveries of each feed."""

    def __init__(self, known: Iterable[Delivery] = ()) -> None:
        self._by_feed: dict[str, list[Delivery]] = {}
        for delivery in known:
            self.note(delivery)

    def note(self, delivery: Delivery) -> bool:
        """Remember a delivery; one that is known already (told twice) changes nothing. Return whether it was new."""
        known = self._by_feed.setdefault(delivery.feed, [])
        if any((one.date, one.sequence) == (delivery.date, delivery.sequence) for one in known):
            return False
        known.append(delivery)
        known.sort(key=lambda one: (one.date, one.sequence))
        del known[:-KEPT]
        return True

    def of(self, feed: str) -> Sequence[Delivery]:
        """Return the feed's deliveries, the newest last."""
        return tuple(self._by_feed.get(feed, ()))

    def all(self) -> list[Delivery]:
        """Return every delivery that is remembered."""
        return [delivery for known in self._by_feed.values() for delivery in known]
