"""What becomes of a family, as bytes: lines of COPY for the tables, lines of the truth. Whoever makes them needs no
database, so several processes may."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec

from connectors.errors import TerminalError
from connectors.simulate.people import Family
from connectors.simulate.population import numbers_of
from connectors.simulate.tables import TABLES, Key, Stamp, Value
from connectors.simulate.truth import mention_lines, person_lines

_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
_ESCAPED: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NUMBERS: Final = {table: number for number, table in enumerate(TABLES)}


class Sheet(NamedTuple):
    """What becomes of one family.

    ``registered`` counts its people with hukou, ``people`` all of them; ``numbers`` are the ID numbers that nobody
    else may have. ``landlord`` is the index of the hukou family that it rents from, None without. ``copies`` holds
    for each table, by its number in `TABLES`, the rows as lines of COPY's text format; ``seen`` key and update time of
    each row of the tables that are full already. ``persons`` and ``mentions`` are lines of the truth.
    """

    registered: int
    people: int
    numbers: tuple[int | str, ...]
    landlord: int | None
    copies: tuple[tuple[int, str], ...]
    seen: tuple[tuple[int, Key, Stamp], ...]
    persons: bytes
    mentions: bytes


def sheet_of(
    family: Family, landlord: int | None, departments: Collection[str], full: Collection[int]
) -> Sheet:
    """Return what becomes of a family in the databases of ``departments``; of the tables ``full`` only what is seen."""
    lines: dict[int, list[str]] = {}
    seen: list[tuple[int, Key, Stamp]] = []
    for entry in family.entries:
        table = entry.table
        if table.department not in departments or table not in _NUMBERS:
            continue
        number = _NUMBERS[table]
        if number in full:
            seen.append((number, entry.key, table.stamp_of(entry.row)))
        else:
            lines.setdefault(number, []).append(copy_line(msgspec.structs.astuple(entry.row)))
    return Sheet(
        registered=sum(person.registered for person in family.persons),
        people=len(family.persons),
        numbers=tuple(numbers_of(family)),
        landlord=landlord,
        copies=tuple((number, "".join(own)) for number, own in lines.items()),
        seen=tuple(seen),
        persons=person_lines(family.persons),
        mentions=mention_lines(family, departments),
    )


def copy_line(values: tuple[Value, ...]) -> str:
    """Return a row in PostgreSQL's text format of COPY, with its end of line. Raises TerminalError for a NUL."""
    return "\t".join(map(_field, values)) + "\n"


def _field(value: Value) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        if "\0" in value:
            raise TerminalError(
                "a value has a NUL character, which no PostgreSQL text holds; this is a defect"
            )
        return _SPECIAL.sub(_escape, value)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int | float):
        return str(value)
    assert isinstance(value, bytes), "files are not copied"
    return f"\\\\x{value.hex()}"


def _escape(found: re.Match[str]) -> str:
    return _ESCAPED[found[0]]
