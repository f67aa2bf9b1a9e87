"""Periods of days, as PostgreSQL writes its type daterange: ``[2024-01-01,2025-01-01)``."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.date import Day, normalize_date
from avro.normalize.issues import NONE
from avro.normalize.text import squeeze

_RANGE: Final = re.compile(r"([\[(])([^,\[\]()]*),([^,\[\]()]*)([\])])")
_UNBOUNDED: Final = frozenset(("", "infinity", "-infinity"))
_EMPTY: Final = "empty"


def normalize_first_day(value: str | None) -> Day:
    """Return the first day of a period; null where it has no beginning."""
    return _bound(value, upper=False)


def normalize_last_day(value: str | None) -> Day:
    """Return the last day of a period, the one before an excluded bound; null where it has no end."""
    return _bound(value, upper=True)


def _bound(value: str | None, *, upper: bool) -> Day:
    text = "" if value is None else squeeze(value)
    if not text:
        return None, NONE
    match = _RANGE.fullmatch(text)
    if match is None:
        return None, ("empty_range",) if text == _EMPTY else ("unreadable_range",)
    opening, first, last, closing = match.groups()
    bound = last.strip('"') if upper else first.strip('"')
    if bound in _UNBOUNDED:
        return None, NONE
    day, issues = normalize_date(bound)
    if day is None:
        return None, issues or ("unreadable_range",)
    if upper:
        return (day - 1 if closing == ")" else day), issues
    return (day + 1 if opening == "(" else day), issues
