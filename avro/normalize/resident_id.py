"""Resident ID numbers: GB 11643-1999 (18 characters) and its 15-digit forerunner.

A valid number is not an identity: the check character (ISO 7064 MOD 11-2) lets some errors pass. The region is only
looked up to note what no division ever had: codes are abolished, reused, and newer than any table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

from avro.codes.divisions import is_known
from avro.normalize.date import EPOCH
from avro.normalize.issues import NONE, Issues
from avro.normalize.text import MISSING, is_repeated, squeeze

LENGTH: Final = 18
OLD_LENGTH: Final = 15

_CHECK_CHARACTERS: Final = "10X98765432"  # GB 11643: the remainder modulo 11 is the index


def _remainders(start: int, length: int) -> dict[str, int]:
    """Return what the digits of a part of the body, as text, add to the sum modulo 11."""
    # GB 11643: the weight of a place is 2 to its distance from the right, modulo 11.
    totals = {"": 0}
    for place in range(start, start + length):
        weight = pow(2, LENGTH - 1 - place, 11)
        totals = {
            f"{text}{digit}": (total + weight * digit) % 11
            for text, total in totals.items()
            for digit in range(10)
        }
    return totals


# The sum of seventeen products as five look-ups: city, county, year, day, and the sequence number.
_CITY, _COUNTY, _YEAR, _DAY, _SEQUENCE = (
    _remainders(start, length) for start, length in ((0, 3), (3, 3), (6, 4), (10, 4), (14, 3))
)

ENDINGS: Final = {
    digits + character: total - at
    for digits, total in _SEQUENCE.items()
    for at, character in enumerate(_CHECK_CHARACTERS)
}
"""The last four characters → what they add to the sum, which is a multiple of 11 for a valid number."""

_SHAPE: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_QUOTES: Final = "'\"`\u2018\u2019\u201c\u201d"
_SCIENTIFIC: Final = re.compile(r"[1-9](?:\.[0-9]{1,17})?[Ee]\+?1[0-9]")
_OLD_SHAPE: Final = re.compile(r"[1-9][0-9]{14}")

# In 15 digits the century is not written. Sequence numbers from 996 on were kept for those who were a hundred.
_FIRST_CENTENARIAN: Final = "996"
_CENTURY: Final = "19"
_UPGRADED: Final[Issues] = ("id_upgraded",)

_UNKNOWN_REGION: Final[Issues] = ("id_region_unknown",)
_notes: Final[dict[str, Issues]] = {}
"""What is to be noted of the regions met so far."""


def _region(number: str) -> Issues:
    """Return the note on a number's region: none for a code that a division ever had."""
    code = number[:6]
    if len(_notes) >= _REGIONS:
        _notes.clear()
    return _notes.setdefault(code, NONE if is_known(code) else _UNKNOWN_REGION)


def check_character(body: str) -> str:
    """Return the 18th character for the first 17. Raises KeyError when one of them is no ASCII digit."""
    return _CHECK_CHARACTERS[
        (
            _CITY[body[:3]]
            + _COUNTY[body[3:6]]
            + _YEAR[body[6:10]]
            + _DAY[body[10:14]]
            + _SEQUENCE[body[14:17]]
        )
        % 11
    ]


# Valid numbers' regions and birth dates → what they add to the sum modulo 11. Regions are a few thousand in all; what
# is not a code must not fill the memory.
_REGIONS: Final = 1 << 13
_DATES: Final = 1 << 16
_regions: Final[dict[str, int]] = {}
DATES: Final[dict[str, int]] = {}
KNOWN_REGIONS: Final[dict[str, int]] = {}
"""The regions among them that a division ever had: nothing is to be noted of these."""


def is_valid(number: str) -> bool:
    """Return whether ``number`` is a canonical 18-character number: shape, birth date and check character."""
    try:
        total = _regions[number[:6]] + DATES[number[6:14]] + _SEQUENCE[number[14:17]]
    except KeyError:
        return _read_valid(number)
    return _CHECK_CHARACTERS[total % 11] == number[17:]


def _read_valid(number: str) -> bool:
    """Do what `is_valid` does, by the whole number, and remember its region and date if it is valid."""
    if not _is_well_formed(number):
        return False
    if len(_regions) >= _REGIONS:
        _regions.clear()
        KNOWN_REGIONS.clear()
    if len(DATES) >= _DATES:
        DATES.clear()
    region = _regions[number[:6]] = _CITY[number[:3]] + _COUNTY[number[3:6]]
    if is_known(number[:6]):
        KNOWN_REGIONS[number[:6]] = region
    DATES[number[6:14]] = _YEAR[number[6:10]] + _DAY[number[10:14]]
    return True


def _is_well_formed(number: str) -> bool:
    try:
        return (
            len(number) == LENGTH
            and check_character(number) == number[17]
            and number[0] != "0"
            and birth_day(number[6:14]) is not None
        )
    except KeyError:
        return False


def sex_of(number: str) -> str:
    """Return the GB/T 2261.1 code in a canonical number: odd sequence numbers are men's."""
    return "1" if number[16] in "13579" else "2"


def birth_date_of(number: str) -> int | None:
    """Return the birth date in a canonical number as days since 1970-01-01, None when there is no such day."""
    return birth_day(number[6:14])


def normalize_resident_id(value: str | None) -> tuple[str | None, Issues]:
    """Return the canonical 18-character number, null when there is none or it is wrong.

    Full-width digits, blanks, hyphens, a lower-case x and a spreadsheet's apostrophe are mended; 15 digits are extended
    and noted. The reasons for null are id_length, id_extra_digit, id_characters, id_birth_date, id_checksum,
    id_spreadsheet and placeholder.
    """
    if value is None:
        return None, NONE
    if len(value) == OLD_LENGTH:
        return _upgrade_usual(value) or _mend(value)
    if not is_valid(value):
        return _mend(value)
    try:
        return value, _notes[value[:6]]
    except KeyError:
        return value, _region(value)


def _mend(value: str) -> tuple[str | None, Issues]:
    number = squeeze(value).replace("-", "").replace("x", "X").replace("×", "X").strip(_QUOTES)
    if number in MISSING:
        return None, NONE
    if is_repeated(number):
        return None, ("placeholder",)
    if len(number) == OLD_LENGTH:
        return _upgrade(number)
    if _SHAPE.fullmatch(number) is None:
        return None, _why_shapeless(number)
    if birth_day(number[6:14]) is None:
        return None, ("id_birth_date",)
    if check_character(number) != number[17]:
        return None, ("id_checksum",)
    return number, _region(number)


def _why_shapeless(number: str) -> Issues:
    if _SCIENTIFIC.fullmatch(number):
        return ("id_spreadsheet",)
    if len(number) == LENGTH:
        return ("id_characters",)
    # A newborn's stand-in: the mother's number and a digit.
    is_longer = len(number) == LENGTH + 1 and number[-1].isdigit() and is_valid(number[:LENGTH])
    return ("id_extra_digit",) if is_longer else ("id_length",)


def _upgrade_usual(value: str) -> tuple[str, Issues] | None:
    """Return what `_upgrade` does of 15 digits whose region and birth date are remembered, else None."""
    region, sequence = value[:6], value[12:]
    try:
        total = _regions[region] + DATES[_CENTURY + value[6:12]] + _SEQUENCE[sequence]
    except KeyError:
        return None
    if sequence >= _FIRST_CENTENARIAN or value == value[0] * OLD_LENGTH:
        return None
    number = f"{region}{_CENTURY}{value[6:]}{_CHECK_CHARACTERS[total % 11]}"
    notes = _region(number)
    return number, (*_UPGRADED, *notes) if notes else _UPGRADED


def _upgrade(number: str) -> tuple[str | None, Issues]:
    if _OLD_SHAPE.fullmatch(number) is None:
        return None, ("id_characters",)
    century = "18" if number[12:] >= _FIRST_CENTENARIAN else _CENTURY
    body = number[:6] + century + number[6:]
    if birth_day(body[6:14]) is None:
        return None, ("id_birth_date",)
    upgraded = body + check_character(body)
    is_valid(upgraded)  # remembers region and date
    return upgraded, (*_UPGRADED, *_region(number))


# A century and a half of days; numbers that are not days must not push them out.
@lru_cache(maxsize=1 << 16)
def birth_day(digits: str) -> int | None:
    """Return the day of a text yyyyMMdd as days since 1970-01-01, None when there is no such day."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal() - EPOCH
    except ValueError:
        return None


def inner_resident_id(after: str) -> Callable[[str | None], tuple[str | None, Issues]]:
    """Return a reader of the resident ID number within a longer one: the 18 characters behind the text ``after``, with
    which the number begins. Null where there is no valid one; without findings: the number itself is no ID number.
    """
    start, end = len(after), len(after) + LENGTH

    def read(value: str | None) -> tuple[str | None, Issues]:
        text = "" if value is None else squeeze(value).upper()
        number = text[start:end]
        return (number if text.startswith(after) and is_valid(number) else None), NONE

    return read
