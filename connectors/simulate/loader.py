"""Fills the tables with the population: one transaction a table, all at once, so that nothing is held in memory.

A table is filled in one transaction, or not at all. Where an earlier attempt was killed between two tables, the ones
that are full are compared with what they should hold, and left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from connectors.errors import TerminalError
from connectors.simulate.crew import sheets
from connectors.simulate.population import Population
from connectors.simulate.session import Session
from connectors.simulate.sessions import connect
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


def fill(
    dsns: Mapping[str, str], population: Population, truth: Truth, report: Callable[[Filled], None]
) -> Filled:
    """Fill the tables and write the truth.

    Raises TerminalError when a table holds something else, TransientError when a database goes away.
    """
    tables = [table for table in TABLES if table.department in dsns]
    filled = Filled(rows={table.id: 0 for table in tables})
    with ExitStack() as stack:
        sessions: dict[Table, Session] = {}
        for table in tables:
            sessions[table] = connect(dsns[table.department], table.department)
            stack.callback(sessions[table].close)
        full = {table: rows for table in tables if (rows := sessions[table].count(table))}
        if full and truth.is_new:
            raise TerminalError(_something_else(next(iter(full))))
        truth.begin()
        samples: dict[Table, dict[Key, Stamp]] = {table: {} for table in full}
        with ExitStack() as fillings:
            writers = {
                table: fillings.enter_context(sessions[table].filling(table))
                for table in tables
                if table not in full
            }
            made = fillings.enter_context(sheets(population, dsns.keys(), {TABLES.index(t) for t in full}))
            for sheet in made:
                truth.add_lines(sheet.persons, sheet.mentions)
                for number, lines in sheet.copies:
                    writers[TABLES[number]](lines)
                for number, key, stamp in sheet.seen:
                    _sample(samples[TABLES[number]], key, stamp, filled.rows[TABLES[number].id])
                    filled.rows[TABLES[number].id] += 1
                for number, lines in sheet.copies:
                    filled.rows[TABLES[number].id] += lines.count("\n")
                has_hukou = filled.people < population.people
                _count_people(filled, sheet.registered, has_hukou, report)
        for table, rows in full.items():
            if rows != filled.rows[table.id] or not _holds(sessions[table], table, samples[table]):
                raise TerminalError(_something_else(table))
    truth.filled(population.census)
    report(filled)
    return filled


def _sample(sample: dict[Key, Stamp], key: Key, stamp: Stamp, number: int) -> None:
    if number % _SAMPLE_EVERY == 0:
        sample[key] = stamp


def _holds(session: Session, table: Table, sample: dict[Key, Stamp]) -> bool:
    return session.stamps(table, list(sample)) == {
        tuple(map(str, key)): stamp for key, stamp in sample.items()
    }


def _count_people(filled: Filled, people: int, has_hukou: bool, report: Callable[[Filled], None]) -> None:
    if has_hukou:
        before = filled.people // PROGRESS_EVERY
        filled.people += people
        if filled.people // PROGRESS_EVERY != before:
            report(filled)


def _something_else(table: Table) -> str:
    return (
        f"{table.id} holds rows that are not this simulator's; "
        "give empty databases, or the folder with the truth that belongs to them"
    )
