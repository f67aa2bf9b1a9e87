"""Comparison of two mentions that share an ID number: what speaks for one person, what against.

A valid number alone is no identity: it is borrowed, a mother's stands in her child's record, and one in ten
mistyped numbers passes the check. Hence a link wants a name or a birth date that agrees, or nothing that
differs.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import Levenshtein


class Profile(NamedTuple):
    """What is compared of a mention besides its number: names folded, empty when unknown; days since 1970 or
    None."""

    name: str
    former_name: str
    birth_date: int | None

    @property
    def order(self) -> tuple[str, str, int]:
        """A total order of profiles, so that nothing depends on which came first."""
        return self.name, self.former_name, _NO_DATE if self.birth_date is None else self.birth_date


_NO_DATE: Final = -(1 << 40)


class Agreement(StrEnum):
    """How one element of two mentions compares."""

    EQUAL = "equal"
    SIMILAR = "similar"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Rule(StrEnum):
    """Why a mention is in its person: the strongest evidence that it shares with another mention there."""

    NUMBER_NAME_BIRTH_DATE = "id_number+name+birth_date"
    NUMBER_NAME = "id_number+name"
    NUMBER_BIRTH_DATE = "id_number+birth_date"
    NUMBER_SIMILAR_NAME = "id_number+similar_name"
    NUMBER = "id_number"
    ONLY_MENTION = "only_mention"
    KEPT_APART = "kept_apart"
    NO_NUMBER = "no_number"


class Strength(IntEnum):
    """Evidence in order. Negative ones do not link; `PLAINLY_DIFFERENT` also forbids a link through
    others."""

    PLAINLY_DIFFERENT = -2
    DIFFERENT = -1
    NOTHING_KNOWN = 0
    SIMILAR_NAME = 1
    BIRTH_DATE = 2
    NAME = 3
    NAME_AND_BIRTH_DATE = 4


RULES: Final[dict[Strength, Rule]] = {
    Strength.NOTHING_KNOWN: Rule.NUMBER,
    Strength.SIMILAR_NAME: Rule.NUMBER_SIMILAR_NAME,
    Strength.BIRTH_DATE: Rule.NUMBER_BIRTH_DATE,
    Strength.NAME: Rule.NUMBER_NAME,
    Strength.NAME_AND_BIRTH_DATE: Rule.NUMBER_NAME_BIRTH_DATE,
}

_E, _S, _D, _U = Agreement.EQUAL, Agreement.SIMILAR, Agreement.DIFFERENT, Agreement.UNKNOWN
_STRENGTHS: Final[dict[tuple[Agreement, Agreement], Strength]] = {  # of name, birth date
    (_E, _E): Strength.NAME_AND_BIRTH_DATE,
    (_E, _U): Strength.NAME,
    (_E, _D): Strength.NAME,
    (_S, _E): Strength.BIRTH_DATE,
    (_D, _E): Strength.BIRTH_DATE,
    (_U, _E): Strength.BIRTH_DATE,
    (_S, _U): Strength.SIMILAR_NAME,
    (_U, _U): Strength.NOTHING_KNOWN,
    (_S, _D): Strength.DIFFERENT,
    (_D, _U): Strength.DIFFERENT,
    (_U, _D): Strength.DIFFERENT,
    (_D, _D): Strength.PLAINLY_DIFFERENT,
}

_CACHE_SIZE: Final = 65_536
_SIMILAR_LENGTH: Final = 3
"""Characters of the longer name, at least: of a two-character name one differing character is half of it,
which makes siblings and namesakes; of three, it is as often a typing error."""
_MASK: Final = "*"
_IGNORED: Final = str.maketrans("", "", " \u3000\t·•‧・．.・'’-")
"""Blanks, and the dots between the parts of names, which departments write in eight ways or not at all."""


@lru_cache(_CACHE_SIZE)
def fold_name(name: str | None) -> str:
    """Return the name as it is compared; empty when there is none or it is masked (``张*`` says too
    little)."""
    if not name or _MASK in name or "＊" in name:
        return ""
    return name.translate(_IGNORED).casefold()


@lru_cache(_CACHE_SIZE)
def compare_names(left: str, left_former: str, right: str, right_former: str) -> Agreement:
    """Compare two folded names, each with the folded former one. A former name that fits counts as equal."""
    if not (left or left_former) or not (right or right_former):
        return Agreement.UNKNOWN
    mine = {left, left_former} - {""}
    other = {right, right_former} - {""}
    if mine & other:
        return Agreement.EQUAL
    if any(_similar(one, another) for one in mine for another in other):
        return Agreement.SIMILAR
    return Agreement.DIFFERENT


def _similar(left: str, right: str) -> bool:
    if max(len(left), len(right)) < _SIMILAR_LENGTH:
        return False
    return int(Levenshtein.distance(left, right, score_cutoff=1)) <= 1


def compare_dates(left: int | None, right: int | None) -> Agreement:
    """Compare two birth dates."""
    if left is None or right is None:
        return Agreement.UNKNOWN
    return Agreement.EQUAL if left == right else Agreement.DIFFERENT


@lru_cache(_CACHE_SIZE)
def compare(left: Profile, right: Profile) -> Strength:
    """Return what two mentions of one number have in common: symmetric, and a function of the two alone."""
    name = compare_names(left.name, left.former_name, right.name, right.former_name)
    return _STRENGTHS[name, compare_dates(left.birth_date, right.birth_date)]
