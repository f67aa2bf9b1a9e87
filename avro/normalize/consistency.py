"""What the elements of one record say about each other: of one person, of related persons, and what is missing.

The rules are data. ``codes/person_rule.csv`` compares two elements of a person; ``codes/relation_rule.csv`` a person
with another in a relation, who is a mention of the same record (``codes/role_relation.csv`` says what two roles are to
each other) or is named beside the person (`avro.record.Kin`); key elements, of which too many may not be missing, are
those of the threshold missing_key_fields. Only what is known on both sides is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from avro.codes import rows
from avro.errors import SchemaError
from avro.normalize.date import EPOCH
from avro.normalize.issues import finding_rules
from avro.normalize.resident_id import birth_date_of, is_valid, sex_of
from avro.quality import thresholds
from avro.record import Finding, Kin, Mention

T = TypeVar("T")

YEAR: Final = 365.2425
"""Days, the mean of the Gregorian calendar."""
DAY: Final = 86_400_000_000
"""Microseconds."""
NEVER: Final = 1 << 62
TOLERANCE: Final = 1
"""Days: a birth of today in Beijing may be tomorrow's by a source's clock in UTC."""


def contradictions(id_number: str, sex: str | None, birth_date: int | None) -> tuple[str, ...]:
    """Return which of ``sex`` and ``birth_date`` differ from what a resident ID number says.

    The number is canonical and valid; ``birth_date`` is days since 1970-01-01. Nothing is said of what is null.
    """
    if sex is None or sex == sex_of(id_number):
        return () if birth_date is None or birth_date == birth_date_of(id_number) else ("birth_date",)
    return ("sex",) if birth_date is None or birth_date == birth_date_of(id_number) else ("sex", "birth_date")


class PersonRule(NamedTuple):
    """Two elements of one person that cannot both be right. ``test`` gets their values and the limit; ``kind`` is its
    name."""

    rule: str
    element: str
    kind: str
    test: Callable[[int, int, float], bool]
    left: str
    right: str
    limit: float


Facts = tuple[bool, bool, bool, float | None]
"""What a person and another have in common: the number; the person, as far as can be told; the sex; and by how many
years the other was born before, None where that is not known."""


class RelationRule(NamedTuple):
    """Something that cannot be of a person and another in a relation. ``test`` gets the facts and the limit; ``kind``
    is its name."""

    rule: str
    element: str
    kind: str
    test: Callable[[Facts, float], bool]
    limit: float


class MentionRules(NamedTuple):
    """What is asked of one mention of a feed: its key elements, the rules that its elements can break, and those of
    each relation that it can have to others, by kin's relation and by the other's role."""

    keys: tuple[str, ...]
    key_values: Callable[[Mention], tuple[object, ...]]
    person_rules: tuple[PersonRule, ...]
    has_month: bool
    of_kin: Mapping[str, tuple[RelationRule, ...]]
    of_roles: Mapping[str, tuple[RelationRule, ...]]


class Consistency:
    """The rules that a feed's records can break, chosen once: a rule whose elements a feed does not give costs nothing.

    ``elements`` has, for each role and ordinal of the feed, the person's elements that it gives; ``kin`` the relations
    that it names others in; ``at_times`` those elements that it gives in some rows only, where they are not missing.
    ``rules`` are what is asked of each mention.
    """

    def __init__(
        self,
        elements: Mapping[tuple[str, int], Collection[str]],
        kin: Mapping[tuple[str, int], Collection[str]],
        at_times: Mapping[tuple[str, int], Collection[str]] = MappingProxyType({}),
    ) -> None:
        roles = {role for role, _ in elements}
        self.rules = {
            mention: self._plan(mention[0], given, kin.get(mention, ()), roles, at_times.get(mention, ()))
            for mention, given in elements.items()
        }

    @staticmethod
    def _plan(
        role: str,
        given: Collection[str],
        kin: Collection[str],
        roles: Collection[str],
        at_times: Collection[str],
    ) -> MentionRules:
        rules = relation_rules()
        others = ((other, role_relations().get((role, other), "")) for other in sorted(roles))
        keys = tuple(element for element in key_elements() if element in given and element not in at_times)
        return MentionRules(
            keys=keys,
            key_values=_values_of(keys),
            person_rules=tuple(rule for rule in person_rules() if rule.left in given and rule.right in given),
            has_month="birth_month" in given and "id_number" in given,
            of_kin={relation: rules[relation] for relation in kin if relation in rules},
            of_roles={other: rules[relation] for other, relation in others if relation in rules},
        )

    def doubts(
        self, mentions: Sequence[Mention], source_time: int, found: Sequence[Finding]
    ) -> tuple[Finding, ...]:
        """Return what a record's mentions make doubtful.

        ``source_time`` is the change's, microseconds since 1970, or 0; ``found`` are the findings so far: a value that
        was refused is not missing as well.
        """
        added: list[Finding] = []
        latest = source_time // DAY + TOLERANCE if source_time > 0 else NEVER
        for mention in mentions:
            plan = self.rules.get((mention.role, mention.ordinal))
            if plan is None:
                continue
            values = plan.key_values(mention)
            if None in values:
                for element, value in zip(plan.keys, values, strict=True):
                    if value is None and _is_missing(mention, element, found):
                        added.append(_finding("missing_key_element", element, mention))
            if mention.birth_date is not None and mention.birth_date > latest:
                added.append(_finding("birth_after_record", "birth_date", mention))
            if plan.person_rules:
                added += _of_person(mention, plan.person_rules)
            if plan.has_month:
                added += _of_month(mention)
            if plan.of_kin:
                for kin in mention.kin:
                    if kin.id_number is not None or kin.birth_date is not None:
                        added += _of_relation(mention, kin, plan.of_kin.get(kin.relation, ()))
            if plan.of_roles:
                for other in mentions:
                    added += _of_relation(mention, other, plan.of_roles.get(other.role, ()))
        return tuple(added)


@cache
def key_elements() -> tuple[str, ...]:
    """Return the elements of a person that should not be missing."""
    return thresholds()["missing_key_fields"].elements


@cache
def person_rules() -> tuple[PersonRule, ...]:
    """Return the rules of ``codes/person_rule.csv``. Raises SchemaError naming a rule or test that there is not."""
    return tuple(
        PersonRule(
            _known(row["rule"]),
            row["element"],
            row["test"],
            _test(_PERSON_TESTS, row),
            row["left"],
            row["right"],
            _limit(row),
        )
        for row in rows("person_rule")
    )


@cache
def relation_rules() -> Mapping[str, tuple[RelationRule, ...]]:
    """Return the rules of ``codes/relation_rule.csv`` by relation. Raises SchemaError as `person_rules`."""
    found: dict[str, list[RelationRule]] = {}
    for row in rows("relation_rule"):
        test = _test(_RELATION_TESTS, row)
        rule = RelationRule(_known(row["rule"]), row["element"], row["test"], test, _limit(row))
        for relation in row["relations"].split("|"):
            found.setdefault(relation, []).append(rule)
    return {relation: tuple(rules) for relation, rules in found.items()}


@cache
def role_relations() -> Mapping[tuple[str, str], str]:
    """Return what the second of two roles of a record is to the first."""
    return {(row["role"], row["other"]): row["relation"] for row in rows("role_relation")}


def _values_of(elements: tuple[str, ...]) -> Callable[[Mention], tuple[object, ...]]:
    """Return what gives the values of these elements at once."""
    match elements:
        case ():
            return lambda mention: ()
        case (only,):
            return lambda mention: (getattr(mention, only),)
    return attrgetter(*elements)


def _is_missing(mention: Mention, element: str, found: Sequence[Finding]) -> bool:
    about = (element, mention.role, mention.ordinal)
    return element not in mention.unchanged and all(
        (finding.element, finding.role, finding.ordinal) != about for finding in found
    )


def _of_person(mention: Mention, rules: tuple[PersonRule, ...]) -> Iterator[Finding]:
    for rule in rules:
        left, right = getattr(mention, rule.left), getattr(mention, rule.right)
        if left is not None and right is not None and rule.test(left, right, rule.limit):
            yield _finding(rule.rule, rule.element, mention)


def _of_month(mention: Mention) -> Iterator[Finding]:
    month, number = mention.birth_month, mention.id_number
    if month is not None and number is not None and is_valid(number) and number[6:12] != month:
        yield _finding("contradicts_id_number", "birth_month", mention)


def _of_relation(person: Mention, other: Mention | Kin, rules: tuple[RelationRule, ...]) -> Sequence[Finding]:
    if not rules or (other.id_number is None and other.birth_date is None):
        return ()
    facts = _facts(person, other)
    return [_finding(rule, element, person) for rule, element, _, test, limit in rules if test(facts, limit)]


def _facts(person: Mention, other: Mention | Kin) -> Facts:
    number, others = person.id_number, other.id_number
    if others is not None and number == others:
        return True, True, True, None
    sex, born = _sex_and_birth(person.sex, person.birth_date, number)
    their_sex = other.sex if isinstance(other, Mention) else None
    their_sex, their_birth = _sex_and_birth(their_sex, other.birth_date, others)
    is_named_so = person.name is not None and person.name == other.name
    return (
        False,
        is_named_so and person.birth_date is not None and person.birth_date == other.birth_date,
        sex is not None and sex == their_sex,
        None if born is None or their_birth is None else (born - their_birth) / YEAR,
    )


def _sex_and_birth(
    sex: str | None, birth_date: int | None, number: str | None
) -> tuple[str | None, int | None]:
    """Return sex and birth date, from the number where they are not stated."""
    if number is None or (sex is not None and birth_date is not None) or not is_valid(number):
        return sex, birth_date
    return sex or sex_of(number), birth_date_of(number) if birth_date is None else birth_date


def _finding(rule: str, element: str, mention: Mention) -> Finding:
    value = getattr(mention, element)
    if isinstance(value, int):
        value = date.fromordinal(value + EPOCH).isoformat()
    severity = finding_rules()[rule].severity.value
    return Finding(element, rule, severity, value, mention.role, mention.ordinal)


def _before(left: int, right: int, limit: float) -> bool:
    return left < right


def _years_apart_above(left: int, right: int, limit: float) -> bool:
    return abs(left - right) > limit * YEAR


_PERSON_TESTS: Final[Mapping[str, Callable[[int, int, float], bool]]] = {
    "before": _before,
    "years_apart_above": _years_apart_above,
}
_RELATION_TESTS: Final[Mapping[str, Callable[[Facts, float], bool]]] = {
    "same_number": lambda facts, limit: facts[0],
    "same_person": lambda facts, limit: facts[1],
    "same_sex": lambda facts, limit: facts[2],
    "born_less_before": lambda facts, limit: facts[3] is not None and facts[3] < limit,
    "born_more_before": lambda facts, limit: facts[3] is not None and facts[3] > limit,
    "born_less_after": lambda facts, limit: facts[3] is not None and -facts[3] < limit,
}


def _test(tests: Mapping[str, T], row: Mapping[str, str]) -> T:
    test = tests.get(row["test"])
    if test is None:
        raise SchemaError(
            f"rule {row['rule']}: there is no test '{row['test']}'; known are {', '.join(tests)}"
        )
    return test


def _known(rule: str) -> str:
    if rule not in finding_rules():
        raise SchemaError(f"rule {rule} has no texts; add it to codes/finding_rule.csv")
    return rule


def _limit(row: Mapping[str, str]) -> float:
    return float(row["limit"] or 0)
