"""How Debezium's JSON spells values, as far as PostgreSQL's and MariaDB's connectors agree."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any, Final

from monitoring.reconcile.source import INCOMPARABLE

EPOCH_DAY: Final = dt.date(1970, 1, 1)
EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock without a zone
MICROSECOND: Final = dt.timedelta(microseconds=1)
MILLISECOND_DIGITS: Final = 3
"""Up to so many digits of a second a column without zone comes in milliseconds, else in microseconds."""


def days(text: str) -> Any:
    """Return the days since 1970 of a date; INCOMPARABLE where the calendar has none: infinity, 0000-00-00."""
    try:
        return (dt.date.fromisoformat(text) - EPOCH_DAY).days
    except ValueError:
        return INCOMPARABLE


def micros(text: str) -> Any:
    """Return the microseconds since 1970 of a wall clock's time."""
    try:
        return (dt.datetime.fromisoformat(text) - EPOCH) // MICROSECOND
    except ValueError:
        return INCOMPARABLE


def millis(text: str) -> Any:
    """Return the milliseconds since 1970 of a wall clock's time."""
    value = micros(text)
    return value if value is INCOMPARABLE else value // 1000


def base64_text(data: bytes | str) -> str:
    """Return bytes as JSON has them."""
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def incomparable(value: Any) -> Any:
    """Return what equals nothing, for types that are not compared."""
    return INCOMPARABLE
