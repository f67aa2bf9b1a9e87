"""Resident identity numbers (公民身份号码), GB 11643-1999: what makes one usable as evidence."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from operator import mul
from typing import Final

LENGTH: Final = 18
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS: Final = sum(_WEIGHTS) * ord("0")
_CHECK_CHARACTERS: Final = "10X98765432"
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
