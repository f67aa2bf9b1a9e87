"""What somebody sees of a value who may not see the value: each masking rule of the standard as a pure function.

A mask shows less than the value and never more; what cannot be masked as its rule says is hidden altogether. Null stays
null: that nothing is known is no secret. Lengths are shown for numbers and names only, where they say nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from avro.elements import Element, ElementType, Masking
from avro.normalize.name_key import name_key
from avro.normalize.place import place_of
from avro.normalize.text import squeeze

STAR: Final = "*"
HIDDEN: Final = "***"
"""What stands for a value of which nothing is shown."""

Value = str | int | bool | list[str] | None

_EPOCH: Final = date(1970, 1, 1).toordinal()
_BEIJING: Final = timedelta(hours=8)
_YEAR_DIGITS: Final = 4

# Of a number as long as a phone's, three characters and two name nobody; shorter ones show their ends only.
_LONG_NUMBER: Final = 9
_HEAD, _TAIL = 3, 2
_SHORTEST_WITH_ENDS: Final = 4


def mask(element: Element, value: Value) -> Value:
    """Return what is shown of an element's value. The result is the value itself for the rule ``none``, else text.

    ``value`` is as in a record: dates as days and times as microseconds since 1970, arrays as lists.
    """
    if value is None or value == []:
        return value
    if element.masking is Masking.NONE:
        return value
    if isinstance(value, list):
        return HIDDEN
    if element.masking is Masking.YEAR:
        return _year(element.type, value)
    hide = _TEXT_MASKS.get(element.masking)
    return hide(value) if hide is not None and isinstance(value, str) else HIDDEN


def mask_name(name: str) -> str:
    """Return the surname, and a star for each character after it; the first letter of a name without a surname that
    could be told."""
    text = squeeze(name)
    shown = max(name_key(text).surname, 1)
    return HIDDEN if len(text) < 2 else text[:shown] + STAR * max(len(text) - shown, 1)


def mask_middle(text: str) -> str:
    """Return the ends of a number with stars between them; nothing of a very short one."""
    if len(text) < _SHORTEST_WITH_ENDS:
        return HIDDEN
    head, tail = (_HEAD, _TAIL) if len(text) >= _LONG_NUMBER else (1, 1)
    return text[:head] + STAR * (len(text) - head - tail) + text[-tail:]


def mask_address(address: str) -> str:
    """Return an address down to its county, or as far as it can be read above that; nothing where it can't."""
    place = place_of(address)
    below = "".join(part for part in (place.street, place.community, place.rest) if part)
    text = squeeze(address)
    shown = text[: len(text) - len(below)] if below else text
    return shown + HIDDEN if place.division is not None and shown + below == text else HIDDEN


def _year(kind: ElementType, value: str | int | bool) -> str:
    if isinstance(value, str):
        year = value[:_YEAR_DIGITS]
        return year if len(year) == _YEAR_DIGITS and year.isdecimal() else HIDDEN
    try:
        if kind is ElementType.DATE:
            return str(date.fromordinal(value + _EPOCH).year)
        if kind is ElementType.TIMESTAMP:
            return str((datetime.fromtimestamp(value / 1_000_000, UTC) + _BEIJING).year)
    except (ValueError, OverflowError, OSError):
        return HIDDEN
    return HIDDEN


def _nothing(text: str) -> str:
    return HIDDEN


_TEXT_MASKS: Final[Mapping[Masking, Callable[[str], str]]] = {
    Masking.SURNAME: mask_name,
    Masking.MIDDLE: mask_middle,
    Masking.COUNTY: mask_address,
    Masking.ALL: _nothing,
}
