"""Comparison of names: typed levels, and how much each proves given how frequent the name is.

Two names are taken apart by `avro.normalize.name_key`. What agreement proves against a stranger depends on the
name: surnames by the published frequencies of the most common ones, given characters as one in `_GIVEN` each.
Against a relative only the given name counts. A person has several names (former, other, in letters); the best
pair counts.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from avro.normalize.characters import DAMAGED
from avro.normalize.name_key import NameKey, name_key
from linkage.weights import TABLES, UNIT, Weights, bits


class NameLevel(StrEnum):
    """How two names compare, the best first. A word in letters with one slip is a homophone."""

    EQUAL = "equal"
    HOMOPHONE = "homophone"
    REORDERED = "reordered"
    PART = "part"
    ONE_CHARACTER = "one_character"
    MISSING_CHARACTER = "missing_character"
    SURNAME = "surname"
    GIVEN = "given"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class NameEvidence(NamedTuple):
    """A level with its evidence against strangers and against family, 1/256 bit."""

    level: NameLevel
    stranger: int
    family: int


UNKNOWN: Final = NameEvidence(NameLevel.UNKNOWN, 0, 0)

_OTHER_SURNAME: Final = 0.001
"""The share of a surname that is not among the published ones."""
_GIVEN: Final = 1 / 22
"""The share of a given character among those of one generation and sex: usual ones are about one in twenty."""
_WORD: Final = 1 / 60
_RAREST: Final = 1e-5
"""Nothing is taken to be rarer than this: names run in families and villages."""
_SHORT_GIVEN: Final = 4
"""One given character is also a relative's oftener than two: its evidence against family is divided by this."""
_CACHE: Final = 1 << 17
_FLAT: Final = re.compile(r"^([zcs])h")
_PART_LENGTH: Final = 2
_CUT_LENGTH: Final = 4
_SHORTEST_WORD: Final = 4
"""Letters; a slip makes too many other names of a shorter word."""


@cache
def _surnames() -> dict[str, float]:
    with (TABLES / "surnames.csv").open(encoding="utf-8", newline="") as file:
        return {row["surname"]: int(row["permille"]) / 1000 for row in csv.DictReader(file)}


def name_share(key: NameKey) -> float:
    """Return the share of people who have the name, about."""
    return max(_RAREST, _surname_share(key) * _rest_share(key))


def _surname_share(key: NameKey) -> float:
    if not key.surname:
        return 1.0
    return _surnames().get("".join(key.units[: key.surname]), _OTHER_SURNAME)


def _rest_share(key: NameKey) -> float:
    share = 1.0
    for unit in key.units[key.surname :]:
        share *= _WORD if len(unit) > 1 else _GIVEN
    return share


class NameComparer:
    """Compares names by one table of weights; remembers what it compared."""

    def __init__(self, weights: Weights) -> None:
        self._table = {
            level: weights.probabilities(f"name.{level}") for level in NameLevel if level != "unknown"
        }
        self._known: dict[tuple[str, str], NameEvidence] = {}

    def __call__(self, left: tuple[str, ...], right: tuple[str, ...]) -> NameEvidence:
        """Return the best evidence that a name on the left and one on the right give."""
        if len(left) == 1 and len(right) == 1:
            return self.pair(left[0], right[0])
        best = UNKNOWN
        for one in left:
            for other in right:
                found = self.pair(one, other)
                if best is UNKNOWN or (min(found[1:]), found.level) > (min(best[1:]), best.level):
                    best = found
        return best

    def pair(self, left: str, right: str) -> NameEvidence:
        """Return the evidence of two names: symmetric."""
        pair = (left, right) if left <= right else (right, left)
        known = self._known.get(pair)
        if known is None:
            if len(self._known) >= _CACHE:
                self._known.clear()
            known = self._known[pair] = self._compare(name_key(pair[0]), name_key(pair[1]))
        return known

    def _compare(self, one: NameKey, other: NameKey) -> NameEvidence:
        level = level_of(one, other)
        same, factor, family = self._table[level]
        match level:
            case NameLevel.EQUAL | NameLevel.HOMOPHONE | NameLevel.REORDERED:
                stranger = max(name_share(one), name_share(other)) * factor
                if len(one.units) - one.surname < _PART_LENGTH:
                    family *= _SHORT_GIVEN
            case NameLevel.ONE_CHARACTER | NameLevel.MISSING_CHARACTER:
                stranger = max(_surname_share(one), _surname_share(other)) * 2 * _GIVEN * factor
            case NameLevel.SURNAME:
                stranger = max(_rest_share(one), _rest_share(other)) * factor
            case NameLevel.GIVEN:
                stranger = max(_surname_share(one), _surname_share(other)) * factor
            case _:
                stranger = factor
        return NameEvidence(level, bits(same / max(stranger, _RAREST)), bits(same / min(family, 1.0)))


def level_of(one: NameKey, other: NameKey) -> NameLevel:
    """Return how two names compare."""
    if one.folded == other.folded and not one.is_damaged:
        return NameLevel.EQUAL
    if one.is_damaged or other.is_damaged:
        return NameLevel.PART if _readable_meet(one, other) else NameLevel.DIFFERENT
    length, surname = len(one.units), one.surname
    same_surname = bool(surname) and surname == other.surname and _alike(one, other, 0, surname)
    if length == len(other.units):
        differing = [place for place in range(length) if not _alike(one, other, place, place + 1)]
        if not differing:
            return NameLevel.HOMOPHONE
        if Counter(one.units) == Counter(other.units):
            return NameLevel.REORDERED
        if len(differing) == 1 and length > _PART_LENGTH:
            if not surname or same_surname:
                return NameLevel.ONE_CHARACTER
            return NameLevel.SURNAME
        if (
            Counter(one.syllables) == Counter(other.syllables)
            and all(one.syllables)
            and length > _PART_LENGTH
        ):
            return NameLevel.REORDERED
    elif abs(length - len(other.units)) == 1 and same_surname and _lacks_one(one, other):
        return NameLevel.MISSING_CHARACTER
    if not (surname and other.surname) and _parts_meet(one, other):
        return NameLevel.PART
    given, others = one.units[surname:], other.units[other.surname :]
    if surname and other.surname and given == others and len(given) >= _PART_LENGTH:
        return NameLevel.SURNAME
    return NameLevel.GIVEN if same_surname else NameLevel.DIFFERENT


def _alike(one: NameKey, other: NameKey, start: int, end: int) -> bool:
    return all(
        one.units[place] == other.units[place]
        or (one.syllables[place] != "" and sound(one.syllables[place]) == sound(other.syllables[place]))
        or one.shapes[place] == other.shapes[place]
        or _misspelt(one.units[place], other.units[place])
        for place in range(start, end)
    )


def _misspelt(word: str, other: str) -> bool:
    """Say whether two words in letters are one but for a slip: a letter wrong, missing, too many, or two exchanged."""
    return min(len(word), len(other)) >= _SHORTEST_WORD and OSA.distance(word, other, score_cutoff=1) <= 1


@cache
def sound(syllable: str) -> str:
    """Return what is left of a syllable where nobody tells zh from z, ch from c, sh from s, and ng from n."""
    return (
        _FLAT.sub(r"\1", syllable).removesuffix("g")
        if syllable.endswith("ng")
        else _FLAT.sub(r"\1", syllable)
    )


def _lacks_one(one: NameKey, other: NameKey) -> bool:
    short, long = sorted((one.units[one.surname :], other.units[other.surname :]), key=len)
    return any(long[:cut] + long[cut + 1 :] == short for cut in range(len(long)))


def _parts_meet(one: NameKey, other: NameKey) -> bool:
    """Say whether a dotted or foreign name has a part of the other's, or one is the other cut at its end."""
    short, long = sorted((one.units, other.units), key=len)
    if len(short) >= _CUT_LENGTH and long[: len(short)] == short:
        return True
    return bool(_parts(one) & _parts(other))


def _readable_meet(one: NameKey, other: NameKey) -> bool:
    """Say whether two names, of which characters are lost, have all others equal, as far as the shorter one
    goes."""
    return all(
        DAMAGED in (mine, others) or mine == others
        for mine, others in zip(one.units, other.units, strict=False)
    )


def is_readable(key: NameKey) -> bool:
    """Say whether enough of a name is left to be compared: two characters, or a word."""
    readable = [unit for unit in key.units if unit != DAMAGED]
    return (
        len(readable) >= _PART_LENGTH
        or any(len(unit) > 1 for unit in readable)
        or len(key.units) == 1 == len(readable)
    )


def _parts(key: NameKey) -> set[tuple[str, ...]]:
    parts: set[tuple[str, ...]] = set()
    start = 0
    for length in key.parts:
        part = key.units[start : start + length]
        start += length
        if length >= _PART_LENGTH or len(part[0]) > _PART_LENGTH:
            parts.add(part)
    return parts


def information(key: NameKey) -> int:
    """Return how much an equal name proves against strangers, 1/256 bit."""
    return round(-math.log2(name_share(key)) * UNIT)
