"""What is usual: how many changes a feed has at this hour of this kind of day, learned from the hours before.

A slot is an hour of one of nine kinds of day (Monday to Sunday, a holiday on a weekday, a working weekend day). Each
keeps its newest counts. Silence is judged by how many changes would have been usual since the last one: with the
slots' lower quartiles taken as rates of a Poisson process, the probability of no change at all is exp(-expected), and
at `SILENCE` expected changes it is below one in a million. A slot that has been seen too seldom expects nothing.
"""

from __future__ import annotations

import datetime as dt
import math
from statistics import quantiles
from typing import Final

import msgspec

from monitoring.workdays import ZONE, Calendar

SAMPLES: Final = 8
"""Counts that a slot keeps: two months of one weekday."""
ENOUGH: Final = 4
"""Counts from which on a slot says what is usual."""
SILENCE: Final = 14.0
"""Usual changes without which a silence is an alarm: exp(-14) is 8e-7."""
HOURLY: Final = SILENCE / 2
"""What an hour counts at most. Changes that come in bursts are no Poisson process, and a burst of thousands may be late
by an hour: two whole hours of silence it takes."""
FULL_HOUR: Final = 3300.0
"""Seconds of an hour that must have been watched, with everything well, for its count to be learned from."""
GAP: Final = 600.0
"""Seconds between two looks beyond which what came between them is no hour's own."""
WIDTH: Final = 4.0
"""Standard deviations of the interval that is shown."""

HOUR: Final = dt.timedelta(hours=1)


class Interval(msgspec.Struct, frozen=True):
    """What is usual in an hour; ``low`` and ``high`` are changes, ``samples`` how many hours it is learned from."""

    low: float
    high: float
    samples: int


class FeedRates(msgspec.Struct):
    """What is known of one feed. ``slots`` maps ``<kind of day>.<hour>`` to counts, the newest last.

    ``hour`` is the hour that is being counted (seconds since 1970), ``count`` its changes and ``watched`` its seconds
    so far; ``missed`` how many changes would have been usual since the last one.
    """

    slots: dict[str, list[int]] = {}
    hour: int = 0
    count: int = 0
    watched: float = 0.0
    missed: float = 0.0


class RateBook:
    """Learns and judges. One thread at a time."""

    def __init__(self, calendar: Calendar, known: dict[str, FeedRates] | None = None) -> None:
        self._calendar = calendar
        self.feeds: dict[str, FeedRates] = known or {}
        self._seen: dict[str, tuple[float, int]] = {}

    def note(self, feed: str, now: float, total: int, well: bool) -> None:
        """The feed has had ``total`` changes at ``now`` (seconds since 1970); ``well`` tells whether its source is.

        What happens while the source is not well, or was not watched, is neither learned from nor judged.
        """
        rates = self.feeds.setdefault(feed, FeedRates())
        before, seen = self._seen.get(feed, (now, total))
        self._seen[feed] = (now, total)
        hour = int(now // 3600) * 3600
        if hour != rates.hour:
            self._close(rates)
            rates.hour, rates.count, rates.watched = hour, 0, 0.0
        elapsed, changes = now - before, max(0, total - seen)
        if not well or not 0 < elapsed <= GAP:
            rates.missed = 0.0
            return
        rates.count += changes
        rates.watched += elapsed
        rates.missed = 0.0 if changes else rates.missed + self._rate(rates, hour) * elapsed / 3600

    def _close(self, rates: FeedRates) -> None:
        if rates.hour and rates.watched >= FULL_HOUR:
            counts = rates.slots.setdefault(self._slot(rates.hour), [])
            counts.append(rates.count)
            del counts[:-SAMPLES]

    def _slot(self, hour: int) -> str:
        moment = dt.datetime.fromtimestamp(hour, ZONE)
        return f"{self._calendar.kind(moment.date())}.{moment.hour}"

    def _quartiles(self, rates: FeedRates, hour: int) -> tuple[float, float, int]:
        counts = rates.slots.get(self._slot(hour), [])
        if len(counts) < ENOUGH:
            return 0.0, math.inf, len(counts)
        low, _, high = quantiles(counts, n=4, method="inclusive")
        return low, high, len(counts)

    def _rate(self, rates: FeedRates, hour: int) -> float:
        return min(self._quartiles(rates, hour)[0], HOURLY)

    def silent(self, feed: str) -> float | None:
        """Return how many changes would have been usual since the last one when that is an alarm, else None."""
        rates = self.feeds.get(feed)
        return rates.missed if rates is not None and rates.missed >= SILENCE else None

    def usual(self, feed: str, now: float) -> Interval:
        """Return what is usual in the hour of ``now``; from 0 to infinity while nothing has been learned."""
        low, high, samples = self._quartiles(self.feeds.get(feed, FeedRates()), int(now // 3600) * 3600)
        if samples < ENOUGH:
            return Interval(0.0, math.inf, samples)
        return Interval(max(0.0, low - WIDTH * math.sqrt(low)), high + WIDTH * math.sqrt(high + 1), samples)
