"""The rules between a record's elements as conditions in generated code: whether any of them may be broken.

`avro.normalize.consistency` says which, and makes the findings; it looks at mentions, and most records need none for
that. A condition may hold where no rule is broken, but never the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import ceil, floor
from typing import Final, NamedTuple

from avro.normalize.consistency import DAY, NEVER, TOLERANCE, YEAR, MentionRules, RelationRule
from avro.normalize.resident_id import birth_day

NAMES: Final[Mapping[str, object]] = {"birth_day": birth_day}
"""What the conditions name."""

NONE: Final = "None"


class Someone(NamedTuple):
    """A person by the expressions of what is known of them, ``None`` where the feed does not give it."""

    name: str = NONE
    id_number: str = NONE
    sex: str = NONE
    birth_date: str = NONE

    @property
    def born(self) -> str:
        """The expression of the birth date, from the number where it is not stated."""
        by_number = f"birth_day({self.id_number}[6:14])"
        if self.id_number == NONE:
            return self.birth_date
        by_number = f"(None if {self.id_number} is None else {by_number})"
        if self.birth_date == NONE:
            return by_number
        return f"({self.birth_date} if {self.birth_date} is not None else {by_number})"

    @property
    def is_of_sex(self) -> str:
        """The expression of the sex, from the number where it is not stated."""
        number = self.id_number
        if number == NONE:
            return self.sex
        digit = f"('1' if {number}[16] in '13579' else '2')"
        by_number = f"({digit} if {number} is not None and len({number}) > 16 else None)"
        return by_number if self.sex == NONE else f"({self.sex} or {by_number})"


def latest_day(source_time: str) -> str:
    """Return the expression of the last day on which somebody in a record of that time can be born."""
    return f"{source_time} // {DAY} + {TOLERANCE} if {source_time} > 0 else {NEVER}"


def doubts_about(rules: MentionRules, person: Mapping[str, str], latest: str) -> Iterator[str]:
    """Yield the conditions of a mention by itself. ``person`` has the expressions of its elements, ``latest`` is that
    of `latest_day`."""
    for element in rules.keys:
        yield f"{person[element]} is None"
    birth_date = person["birth_date"]
    if birth_date != NONE:
        yield f"{birth_date} is not None and {birth_date} > {latest}"
    for rule in rules.person_rules:
        left, right = person[rule.left], person[rule.right]
        known = f"{left} is not None and {right} is not None"
        yield f"{known} and {_PERSON[rule.kind](left, right, rule.limit)}" if rule.kind in _PERSON else known
    if rules.has_month:
        month, number = person["birth_month"], person["id_number"]
        yield f"{month} is not None and {number} is not None and {number}[6:12] != {month}"


_PERSON: Final[Mapping[str, Callable[[str, str, float], str]]] = {
    "before": lambda left, right, limit: f"{left} < {right}",
    "years_apart_above": lambda left, right, limit: f"abs({left} - {right}) >= {floor(limit * YEAR)}",
}


def doubts_between(rules: tuple[RelationRule, ...], person: Someone, other: Someone) -> Iterator[str]:
    """Yield the conditions of a person and another in a relation that has these rules."""
    if rules and NONE not in (person.id_number, other.id_number):
        yield f"{other.id_number} is not None and {person.id_number} == {other.id_number}"
    kinds = {rule.kind for rule in rules}
    if "same_person" in kinds and NONE not in (
        person.name, other.name, person.birth_date, other.birth_date
    ):  # fmt: skip
        pairs = ((person.name, other.name), (person.birth_date, other.birth_date))
        yield " and ".join(f"{left} is not None and {left} == {right}" for left, right in pairs)
    if "same_sex" in kinds and NONE not in (person.is_of_sex, other.is_of_sex):
        yield f"(a := {person.is_of_sex}) is not None and a == {other.is_of_sex}"
    bounds = [_BOUNDS[rule.kind](rule.limit) for rule in rules if rule.kind in _BOUNDS]
    if bounds and NONE not in (person.born, other.born):
        apart = " or ".join(f"a - b {bound}" for bound in bounds)
        yield f"(a := {person.born}) is not None and (b := {other.born}) is not None and ({apart})"
    if unknown := kinds - _BOUNDS.keys() - _SAME:
        raise ValueError(f"no condition is written for the tests {', '.join(sorted(unknown))}")


_SAME: Final = frozenset(("same_number", "same_person", "same_sex"))
# Days by which the person was born after the other. A day is the least that birth dates differ by.
_BOUNDS: Final[Mapping[str, Callable[[float], str]]] = {
    "born_less_before": lambda limit: f"<= {ceil(limit * YEAR)}",
    "born_more_before": lambda limit: f">= {floor(limit * YEAR)}",
    "born_less_after": lambda limit: f">= {floor(-limit * YEAR)}",
}
