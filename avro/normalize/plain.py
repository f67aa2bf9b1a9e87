"""Values that are taken as they are, once it is sure that they are what they say."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues

_DECIMAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_LONG: Final = 1 << 63


def normalize_integer(value: int | None) -> tuple[int | None, Issues]:
    """Return the number; one that 64 bits cannot hold is null with a finding."""
    if value is None or -_LONG <= value < _LONG:
        return value, NONE
    return None, ("unreadable_number",)


def normalize_decimal(value: str | None) -> tuple[str | None, Issues]:
    """Return a decimal as its plain text, exact; PostgreSQL's NaN and infinities are null with a finding."""
    if value is None:
        return None, NONE
    text = value.strip()
    if not text:
        return None, NONE
    return (text, NONE) if _DECIMAL.fullmatch(text) else (None, ("unreadable_number",))


def normalize_boolean(value: bool | None) -> tuple[bool | None, Issues]:
    """Return the value."""
    return value, NONE


def normalize_texts(value: list[object] | None) -> tuple[list[str], Issues]:
    """Return an array of texts without its nulls and blanks, in its order. Null is empty: an unknown array is.

    An array with anything but texts in it is empty with a finding.
    """
    if value is None:
        return [], NONE
    texts: list[str] = []
    for item in value:
        if isinstance(item, str):
            if item.strip():
                texts.append(item.strip())
        elif item is not None:
            return [], ("unknown_code",)
    return texts, NONE
