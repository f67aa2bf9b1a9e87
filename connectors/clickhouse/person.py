"""One person out of the store: the golden record, who names them, why these are one, and what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from avro.record import PERSON_ELEMENTS
from connectors.clickhouse import sql
from connectors.clickhouse.access import Access, rows

MAX_MERGES: Final = 100
"""Merges that are followed: a person merged a hundred times is a ring of records, not a person."""

_ELEMENTS: Final = sql.names(PERSON_ELEMENTS)


class ElementSource(msgspec.Struct, frozen=True):
    """Where a value of the golden record comes from: the record, the source time (microseconds since 1970) of its
    state, and the other feeds that agree and disagree."""

    department: str
    table: str
    key: str
    since: int
    agree: list[str]
    disagree: list[str]


class _Provenance(msgspec.Struct, frozen=True):
    """The column ``provenance``, as ``Person.avsc`` describes it; empty for a person without a record."""

    feeds: tuple[str, ...] = ()
    records: tuple[tuple[int, str, int], ...] = ()
    elements: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {}


class PersonMention(msgspec.Struct, frozen=True):
    """A mention of the person, with the elements that the record has."""

    department: str
    table: str
    key: str
    role: str
    ordinal: int
    elements: dict[str, Any]
    source_time: str | None
    version: int


class PersonLink(msgspec.Struct, frozen=True):
    """Why a mention is this person's: the linker's rule."""

    department: str
    table: str
    key: str
    role: str
    ordinal: int
    rule: str
    version: int


class PersonState(msgspec.Struct, frozen=True):
    """The person at an earlier version."""

    version: int
    state: str
    merged_into: str | None
    split_from: str | None
    mention_count: int
    elements: dict[str, Any]


class Person(msgspec.Struct, frozen=True):
    """What is known of a person.

    ``state``, ``merged_into`` and ``history`` are those of the id that was asked for. ``current_id`` is the
    person it is now, at the end of its merges, and the elements, provenance, mentions and links are that
    person's.
    """

    person_id: str
    state: str
    merged_into: str | None
    current_id: str
    elements: dict[str, Any]
    provenance: dict[str, ElementSource]
    mentions: list[PersonMention]
    links: list[PersonLink]
    history: list[PersonState]


def find_by_id_number(access: Access, number: str) -> list[str]:
    """Return the ids of the persons with an ID number (GB 11643): by the golden record, else by any mention.

    More than one is possible: two people may have been given one number.
    """
    number = number.strip().upper()
    found = rows(
        access,
        "SELECT person_id FROM persons_by_id_number(value = {number:String}) WHERE state = 'active'"
        " ORDER BY person_id",
        {"number": _escaped(number)},
    ) or rows(
        access,
        "SELECT DISTINCT person_id FROM identities WHERE (department, table, key, role, ordinal) IN"
        " (SELECT department, table, key, role, ordinal FROM mentions_by_id_number(value = {number:String}))"
        " ORDER BY person_id",
        {"number": _escaped(number)},
    )
    return [row["person_id"] for row in found]


def read_person(access: Access, person_id: str) -> Person | None:
    """Return the person, None when there is none of that id."""
    asked = _person_row(access, person_id)
    if asked is None:
        return None
    current = asked
    for _ in range(MAX_MERGES):
        if not current["merged_into"]:
            break
        following = _person_row(access, current["merged_into"])
        if following is None:  # the linker's outputs are on their way
            break
        current = following
    current_id = current["person_id"]
    return Person(
        person_id=person_id,
        state=asked["state"],
        merged_into=asked["merged_into"],
        current_id=current_id,
        elements=_elements(current),
        provenance=_sources(current["provenance"]),
        mentions=_mentions(access, current_id),
        links=_links(access, current_id),
        history=_history(access, person_id),
    )


def _person_row(access: Access, person_id: str) -> dict[str, Any] | None:
    found = rows(
        access,
        f"SELECT person_id, state, merged_into, provenance, {_ELEMENTS} FROM persons"
        " WHERE person_id = {id:String}",
        {"id": _escaped(person_id)},
    )
    return found[0] if found else None


def _sources(provenance: str) -> dict[str, ElementSource]:
    """Return the provenance of each element that has a value."""
    parts = msgspec.json.decode(provenance, type=_Provenance)
    result = {}
    for element, (index, agree, disagree) in parts.elements.items():
        feed, key, since = parts.records[index]
        department, _, table = parts.feeds[feed].partition(".")
        result[element] = ElementSource(
            department,
            table,
            key,
            since,
            [parts.feeds[other] for other in agree],
            [parts.feeds[other] for other in disagree],
        )
    return result


def _mentions(access: Access, person_id: str) -> list[PersonMention]:
    found = rows(
        access,
        f"SELECT department, table, key, role, ordinal, {_ELEMENTS}, source_time, version"
        " FROM mentions_by_person(value = {id:String}) ORDER BY department, table, key, role, ordinal",
        {"id": _escaped(person_id)},
    )
    return [
        PersonMention(
            row["department"],
            row["table"],
            row["key"],
            row["role"],
            row["ordinal"],
            {name: value for name, value in _elements(row).items() if value is not None},
            row["source_time"],
            int(row["version"]),
        )
        for row in found
    ]


def _links(access: Access, person_id: str) -> list[PersonLink]:
    found = rows(
        access,
        "SELECT department, table, key, role, ordinal, rule, version"
        " FROM identities_by_person(value = {id:String}) ORDER BY department, table, key, role, ordinal",
        {"id": _escaped(person_id)},
    )
    return [
        PersonLink(
            row["department"],
            row["table"],
            row["key"],
            row["role"],
            row["ordinal"],
            row["rule"],
            int(row["version"]),
        )
        for row in found
    ]


def _history(access: Access, person_id: str) -> list[PersonState]:
    found = rows(
        access,
        f"SELECT version, state, merged_into, split_from, mention_count, {_ELEMENTS} FROM person_history"
        " WHERE person_id = {id:String} ORDER BY version",
        {"id": _escaped(person_id)},
    )
    return [
        PersonState(
            int(row["version"]),
            row["state"],
            row["merged_into"],
            row["split_from"],
            row["mention_count"],
            {name: value for name, value in _elements(row).items() if value is not None},
        )
        for row in found
    ]


def _elements(row: dict[str, Any]) -> dict[str, Any]:
    return {element: row[element] for element in PERSON_ELEMENTS}


def _escaped(value: str) -> str:
    """Return a parameter's value in the form that ClickHouse reads it in."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def changed(states: Sequence[PersonState]) -> list[tuple[PersonState, list[str]]]:
    """Return each state with what differs from the one before."""
    result = []
    before: PersonState | None = None
    for state in states:
        names = [
            name
            for name in ("state", "merged_into", "split_from")
            if before and getattr(before, name) != getattr(state, name)
        ]
        known = before.elements if before else {}
        names += [name for name in PERSON_ELEMENTS if known.get(name) != state.elements.get(name)]
        result.append((state, names))
        before = state
    return result
