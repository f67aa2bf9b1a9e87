"""Fills the tables with the population: one COPY a table, all at once, so that nothing is held in memory.

A table is filled in one transaction, or not at all. Where an earlier attempt was killed between two tables, the ones
that are full are compared with what they should hold, and left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import psycopg

from connectors.errors import TerminalError, TransientError
from connectors.simulate.crew import sheets
from connectors.simulate.population import Population
from connectors.simulate.schema import connect
from connectors.simulate.tables import TABLES, Key, Stamp, Table
from connectors.simulate.truth import Truth

PROGRESS_EVERY: Final = 500
"""People between two reports."""
_SAMPLE_EVERY: Final = 97
"""One row in so many of a table that is full already is compared; every one would double the time."""


@dataclass(slots=True)
class Filled:
    """How many rows each table got, and how many people with hukou that covers."""

    people: int = 0
    rows: dict[str, int] = field(default_factory=dict)


def count(connection: psycopg.Connection, table: Table) -> int:
    """Return the number of rows of a table."""
    row = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


def fill(
    dsns: Mapping[str, str], population: Population, truth: Truth, report: Callable[[Filled], None]
) -> Filled:
    """Fill the tables and write the truth. Raises TerminalError when a table holds something else."""
    tables = [table for table in TABLES if table.department in dsns]
    filled = Filled(rows={_name(table): 0 for table in tables})
    with ExitStack() as stack:
        connections = {t: stack.enter_context(connect(dsns[t.department], t.department)) for t in tables}
        full = {table: rows for table in tables if (rows := count(connections[table], table))}
        if full and truth.is_new:
            raise TerminalError(_something_else(next(iter(full))))
        truth.begin()
        samples: dict[Table, dict[Key, Stamp]] = {table: {} for table in full}
        try:
            with ExitStack() as copies:
                sinks = {
                    table: copies.enter_context(connections[table].cursor().copy(_copy_statement(table)))
                    for table in tables
                    if table not in full
                }
                made = copies.enter_context(sheets(population, dsns.keys(), {TABLES.index(t) for t in full}))
                for sheet in made:
                    truth.add_lines(sheet.persons, sheet.mentions)
                    for number, lines in sheet.copies:
                        sinks[TABLES[number]].write(lines)
                    for number, key, stamp in sheet.seen:
                        _sample(samples[TABLES[number]], key, stamp, filled.rows[_name(TABLES[number])])
                        filled.rows[_name(TABLES[number])] += 1
                    for number, lines in sheet.copies:
                        filled.rows[_name(TABLES[number])] += lines.count("\n")
                    has_hukou = filled.people < population.people
                    _count_people(filled, sheet.registered, has_hukou, report)
        except psycopg.OperationalError as error:
            raise TransientError(
                "a database went away while it was filled; start it and give the same command again"
            ) from error
        for table, rows in full.items():
            if rows != filled.rows[_name(table)] or not _holds(connections[table], table, samples[table]):
                raise TerminalError(_something_else(table))
    truth.filled(population.census)
    report(filled)
    return filled


def stamps(connection: psycopg.Connection, table: Table, keys: list[Key]) -> dict[tuple[str, ...], Stamp]:
    """Return the update times of those of the rows that are there, by their key as text."""
    columns = [f"btrim({table.column(name)}::text)" for name in table.key]
    wanted = ", ".join(f"${number + 1}::text[]" for number in range(len(columns)))
    found = psycopg.RawCursor(connection).execute(
        f"SELECT {', '.join(columns)}, {table.column(table.stamp)} FROM {table.name} "  # noqa: S608
        f"WHERE ({', '.join(columns)}) IN (SELECT * FROM unnest({wanted}))",
        [[str(key[place]) for key in keys] for place in range(len(columns))],
    )
    return {row[:-1]: row[-1] for row in found}


def _sample(sample: dict[Key, Stamp], key: Key, stamp: Stamp, number: int) -> None:
    if number % _SAMPLE_EVERY == 0:
        sample[key] = stamp


def _name(table: Table) -> str:
    return f"{table.department}.{table.name}"


def _holds(connection: psycopg.Connection, table: Table, sample: dict[Key, Stamp]) -> bool:
    return stamps(connection, table, list(sample)) == {
        tuple(map(str, key)): stamp for key, stamp in sample.items()
    }


def _count_people(filled: Filled, people: int, has_hukou: bool, report: Callable[[Filled], None]) -> None:
    if has_hukou:
        before = filled.people // PROGRESS_EVERY
        filled.people += people
        if filled.people // PROGRESS_EVERY != before:
            report(filled)


def _copy_statement(table: Table) -> str:
    columns = ", ".join(table.column(name) for name in table.fields)
    return f"COPY {table.name} ({columns}) FROM STDIN"


def _something_else(table: Table) -> str:
    return (
        f"{table.department}.{table.name} holds rows that are not this simulator's; "
        "give empty databases, or the folder with the truth that belongs to them"
    )
