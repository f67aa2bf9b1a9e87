"""Values in the forms that Debezium gives them where a connector is set up otherwise than renkou's own.

renkou's connectors send decimals as text and times as whole numbers; another cluster's may have any of
``decimal.handling.mode``, ``time.precision.mode`` and ``bigint.unsigned.handling.mode``. Plain JSON does not say which:
the feed names the rule, and a value that does not fit it is null with a finding, never a guess. All forms of one value
give one result.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from avro.normalize.date import Day, normalize_date
from avro.normalize.issues import NONE, Issues
from avro.normalize.time import Instant, normalize_instant, normalize_iso_instant

Text = tuple[str | None, Issues]

MOST_SCALE: Final = 1000
"""Digits behind the point that a column can be declared with in PostgreSQL; MariaDB has 38."""

_MOST_BYTES: Final = 1024
"""Of an unscaled number, 2,466 digits: with the scale's they stay below what Python turns into text."""

_UNREADABLE: Final = (None, ("unreadable_number",))
_WORD: Final = 1 << 64
_ISO_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)
_NANOSECONDS: Final = 1000
"""In a microsecond."""


def normalize_decimal_bytes(value: str | None, scale: int) -> Text:
    """Return a decimal of ``decimal.handling.mode=precise``: base64 of the unscaled number, big-endian."""
    number = _unscaled(value) if value is not None else None
    if value is None:
        return None, NONE
    return _UNREADABLE if number is None else (_plain(number, scale), NONE)


def normalize_scaled_decimal(value: Mapping[str, Any] | None) -> Text:
    """Return a decimal that brings its own scale, as ``numeric`` without one does in the same mode."""
    if value is None:
        return None, NONE
    scale, unscaled = value.get("scale"), value.get("value")
    if type(scale) is not int or not -MOST_SCALE <= scale <= MOST_SCALE or not isinstance(unscaled, str):
        return _UNREADABLE
    number = _unscaled(unscaled)
    return _UNREADABLE if number is None else (_plain(number, scale), NONE)


def normalize_decimal_number(value: float | None) -> Text:
    """Return a decimal of ``decimal.handling.mode=double``: what is lost there is lost, but no digit is invented."""
    if value is None:
        return None, NONE
    return (f"{Decimal(repr(value)):f}", NONE) if isfinite(value) else _UNREADABLE


def normalize_unsigned(value: int | None) -> Text:
    """Return a ``bigint unsigned`` of the usual mode, in which the upper half comes as negative numbers."""
    if value is None:
        return None, NONE
    if not -(_WORD >> 1) <= value < _WORD:
        return _UNREADABLE
    return str(value % _WORD), NONE


def normalize_bits(value: str | None) -> tuple[int | None, Issues]:
    """Return ``bit(n)``: base64 of its bytes, the lowest first."""
    data = _decoded(value) if value is not None else b""
    if value is None:
        return None, NONE
    number = int.from_bytes(data, "little") if data else None
    if number is None or number >= _WORD >> 1:
        return None, ("unreadable_number",)
    return number, NONE


def normalize_iso_day(value: str | None) -> Day:
    """Return a date of ``time.precision.mode=isostring``, such as 2024-02-29Z."""
    match = _ISO_DAY.fullmatch(value) if value is not None else None
    return normalize_date(match[1] if match is not None else value)


def normalize_iso_local(value: str | None, ahead: int) -> Instant:
    """Return the instant of a time without zone of that mode: it ends with Z and is on a clock ``ahead`` of UTC."""
    instant, issues = normalize_iso_instant(value)
    return (None, issues) if instant is None else normalize_instant(instant, 1, ahead)


def normalize_nanoseconds(value: int | None, ahead: int) -> Instant:
    """Return the instant of a count of nanoseconds since 1970, on a clock ``ahead`` of UTC."""
    return normalize_instant(None if value is None else value // _NANOSECONDS, 1, ahead)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _unscaled(text: str) -> int | None:
    data = _decoded(text)
    return int.from_bytes(data, "big", signed=True) if data and len(data) <= _MOST_BYTES else None


def _plain(number: int, scale: int) -> str:
    """Return the decimal ``number`` / 10^``scale`` with all its digits and no exponent."""
    if scale <= 0:
        return str(number * 10**-scale)
    digits = f"{abs(number):0{scale + 1}}"
    return f"{'-' if number < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"
