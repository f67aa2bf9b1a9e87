"""Numbers that stand for people: citizen ID numbers, phones, and how they are mistyped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from operator import mul
from typing import Final

from connectors.simulate.dice import Dice

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
"""GB 11643: ISO 7064 MOD 11-2; the remainder is an index into this."""

_PREFIXES: Final = ("142", "143", "154", "161", "163", "164", "168", "169", "194")
"""Mobile prefixes of the right form that are not handed out to subscribers, so that no phone here is anybody's."""
_LANDLINE: Final = "0390"
"""An area code of the right form that no city has."""

_CREDIT: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100: letters that cannot be taken for digits."""

_FULL_WIDTH: Final = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


def check_digit(first: str) -> str:
    """Return the check character of the first 17 digits (GB 11643)."""
    return _CHECK[sum(map(mul, _WEIGHTS, map(int, first))) % 11]


def id_number(area: str, birth: date, serial: int) -> str:
    """Return the 18-digit number; ``serial`` is 1..999, odd for men."""
    first = f"{area}{birth.isoformat().replace('-', '')}{serial:03d}"
    return first + check_digit(first)


def fifteen(number: str) -> str:
    """Return the number as it was before 1999: no century, no check digit."""
    return number[:6] + number[8:17]


def mobile(rng: Dice) -> str:
    """Return an 11-digit mobile number."""
    return f"{rng.one(_PREFIXES)}{rng.below(10**8):08d}"


def passport(rng: Dice) -> str:
    """Return a passport number."""
    return f"E{rng.one('ABCDEFGH')}{rng.below(10**7):07d}"


def spelled_phone(rng: Dice, number: str) -> str:
    """Return the number as somebody writes it."""
    draw = rng.random()
    if draw < 0.93:
        return number
    if draw < 0.95:
        return f"{number[:3]}-{number[3:7]}-{number[7:]}"
    if draw < 0.97:
        return f"+86 {number}"
    if draw < 0.985:
        return number.translate(_FULL_WIDTH)
    return number + " "


def landline(rng: Dice) -> str:
    """Return a landline with area code."""
    return f"{_LANDLINE}-{rng.between(2000000, 8999999)}"


@dataclass(frozen=True, slots=True)
class IdHabits:
    """How often a department writes an ID number wrongly, as shares of the rows."""

    missing: float
    fifteen: float
    lower_x: float
    full_width: float
    blanks: float
    mistyped: float


_MISSING: Final = (None, None, None, "", "", "无", "0", "0" * 18, "1" * 18, "9" * 18)


def missing_id(rng: Dice) -> str | None:
    """Return one of the ways to write no number."""
    return rng.one(_MISSING)


def spelled_id(rng: Dice, number: str, birth: date, habits: IdHabits) -> str | None:
    """Return the ID number as the department has it; 15 digits only for those born before 1999."""
    # Errors multiply in a careless province; ways to write a right number do not.
    draw = rng.random() / rng.noise
    if draw < habits.missing:
        return missing_id(rng)
    draw -= habits.missing
    if draw < habits.mistyped:
        return mistyped(rng, number)
    draw = rng.random()
    if draw < habits.fifteen:
        return fifteen(number) if birth.year < 1999 else number
    draw -= habits.fifteen
    if draw < habits.full_width:
        return number.translate(_FULL_WIDTH)
    draw -= habits.full_width
    if draw < habits.blanks:
        return f"{number[:6]} {number[6:14]} {number[14:]}"
    if number.endswith("X") and rng.random() < habits.lower_x:
        return number.lower()
    return number


def certain_id(rng: Dice, number: str, birth: date, habits: IdHabits) -> str:
    """Return the number as a department has it that takes no paper without one."""
    return spelled_id(rng, number, birth, habits) or number


def credit_code(body: str) -> str:
    """Return the unified social credit code of its first 17 characters (GB 32100): base 31 with a check character."""
    remainder = sum(_CREDIT.index(character) * pow(3, place, 31) for place, character in enumerate(body)) % 31
    return body + _CREDIT[(31 - remainder) % 31]


def mistyped(rng: Dice, number: str) -> str:
    """Return the number with one digit wrong or two neighbours swapped."""
    place = rng.between(6, 16)
    if rng.random() < 0.4 and number[place] != number[place + 1]:
        return number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    digit = str((int(number[place]) + rng.between(1, 10)) % 10)
    return number[:place] + digit + number[place + 1 :]
