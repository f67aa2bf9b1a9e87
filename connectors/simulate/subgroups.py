"""What makes somebody, or what a record says of them, hard to link: the groups that an evaluation counts apart."""

from __future__ import annotations

import re
from typing import Final

from connectors.simulate.names import DOT
from connectors.simulate.people import BASE_DATE, Person
from connectors.simulate.rows import Row
from connectors.simulate.tables import Table

NO_NUMBER: Final = "missing_number"
"""A mention without an ID number."""
_NEWBORN_DAYS: Final = 365
_CHILD_AGE: Final = 14
_MISSING: Final = re.compile(r"|无|0|(.)\1{17}")


def groups_of(person: Person) -> list[str]:
    """Return the groups of a person, in a fixed order."""
    groups: list[str] = []
    if DOT in person.name:
        groups.append("middle_dot")
    days = (BASE_DATE - person.birth).days
    if days < _NEWBORN_DAYS:
        groups.append("newborn")
    if person.age() < _CHILD_AGE:
        groups.append("child")
    if person.ident.startswith("M"):
        groups.append("migrant")
    if person.is_foreign:
        groups.append("foreigner")
    if person.former_name:
        groups.append("renamed")
    if any(ord(character) > 0xFFFF for character in person.name):
        groups.append("rare_character")
    if person.is_twin:
        groups.append("twin")
    return groups


def mention_groups(person: Person, table: Table, row: Row, role: str) -> tuple[str, ...]:
    """Return the groups of a mention: those of the person, and what the record lacks."""
    missing = (NO_NUMBER,) if is_number_missing(table, row, role) else ()
    return (*groups_of(person), *missing)


def is_number_missing(table: Table, row: Row, role: str) -> bool:
    """Whether the record has no ID number in this role: no field for it, or one of the ways to leave it empty."""
    name = table.numbers.get(role)
    value = None if name is None else getattr(row, name)
    return value is None or _MISSING.fullmatch(value.strip()) is not None
