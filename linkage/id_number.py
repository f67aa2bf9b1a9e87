"""Resident identity numbers (公民身份号码), GB 11643-1999: what makes one usable as evidence."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from operator import mul
from typing import Final

LENGTH: Final = 18
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS: Final = sum(_WEIGHTS) * ord("0")
_CHECK_CHARACTERS: Final = "10X98765432"
_DIGITS: Final = "0123456789"
_ALMOST: Final = re.compile(r"[0-9]{16,18}[0-9X]")
_OLD_CUT: Final = re.compile(r"[1-9][0-9]{13}")
"""Fifteen digits of the last century whose last one was cut off."""
_FIRST_YEAR: Final = 1850
"""Nobody born earlier has a number; eighteen equal digits, a common filler, would be a date of the year
1111."""
_LAST_YEAR: Final = 2199
_CACHE_SIZE: Final = 65_536
"""The numbers of a batch's records come again in its other departments; some 10 MB."""


@lru_cache(_CACHE_SIZE)
def is_valid_id_number(number: str) -> bool:
    """Say whether ``number`` is canonical (18 characters, upper-case X), has a real date and the right check
    character.

    Division codes are not looked at: codes are abolished and re-used, an unknown one is no proof (GB/T 2260).
    """
    if len(number) != LENGTH or not (number[:17].isascii() and number[:17].isdigit()):
        return False
    year = int(number[6:10])
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return False
    try:
        date(year, int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return number[17] == check_character(number)


def check_character(number: str) -> str:
    """Return the check character (ISO 7064, MOD 11-2) of the first 17 digits of ``number``."""
    return _CHECK_CHARACTERS[(sum(map(mul, _WEIGHTS, number.encode("ascii"))) - _ZEROS) % 11]


def corrections(text: str) -> tuple[str, ...]:
    """Return all valid numbers that one error makes an invalid ``text`` of: a wrong character, two neighbours
    exchanged, a character missing or one too many, the last of fifteen digits cut off. In order; empty for what
    is nothing like a number.

    MOD 11-2 leaves at most one character a place that mends the sum, so there are some twenty at most.
    """
    if _OLD_CUT.fullmatch(text):
        bodies = (f"{text[:6]}19{text[6:]}{digit}" for digit in _DIGITS)
        return tuple(
            [number for body in bodies if is_valid_id_number(number := body + check_character(body))]
        )
    shape = _ALMOST.fullmatch(text)
    if shape is None or is_valid_id_number(text):
        return ()
    found: set[str] = set()
    if len(text) == LENGTH:
        for place in range(LENGTH):
            found.update(text[:place] + digit + text[place + 1 :] for digit in _characters(place))
        for place in range(LENGTH - 1):
            found.add(text[:place] + text[place + 1] + text[place] + text[place + 2 :])
    elif len(text) < LENGTH:
        for place in range(LENGTH):
            found.update(text[:place] + digit + text[place:] for digit in _characters(place))
    else:
        found.update(text[:place] + text[place + 1 :] for place in range(len(text)))
    return tuple(sorted([number for number in found if is_valid_id_number(number)]))


def _characters(place: int) -> str:
    return _DIGITS if place < LENGTH - 1 else _CHECK_CHARACTERS


def distance(one: str, other: str) -> int:
    """Return the number of places in which two numbers of equal length differ; exchanged neighbours are one."""
    places = [place for place in range(len(one)) if one[place] != other[place]]
    if len(places) == 2 and places[1] == places[0] + 1:
        first, second = places
        if one[first] == other[second] and one[second] == other[first]:
            return 1
    return len(places)
