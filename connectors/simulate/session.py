"""A connection to a department's database as the simulator uses it, whatever kind the database is; and its SQL.

Statements are the same for all: names in double quotes, strings in single ones that are doubled inside. A session is
opened so that its server reads them that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from connectors.errors import TerminalError, TransientError
from connectors.simulate.tables import Key, Stamp, Table, Value
from connectors.simulate.transactions import Operation, Verb

OTHERS_END: Final = 15.0
"""Seconds that a simulator waits for what a killed one had sent: a batch is executed long before."""

Script = Sequence[str | Operation]


class Session(Protocol):
    """One connection. Every call blocks; raises TransientError when the database goes away, where a part may be
    committed, and TerminalError when it refuses. Neither quotes a row."""

    def count(self, table: Table) -> int:
        """Return the number of rows of a table."""
        ...

    def stamps(self, table: Table, keys: Sequence[Key]) -> dict[tuple[str, ...], Stamp]:
        """Return the update times of those of the rows that are there, by their key as text."""
        ...

    def filling(self, table: Table) -> AbstractContextManager[Callable[[str], object]]:
        """Give what takes a table's rows, as whole lines of PostgreSQL's COPY text; at its end all of them are
        committed, or none when it ends with an error."""
        ...

    def commit(self, transactions: Sequence[Sequence[Operation]]) -> None:
        """Execute transactions one by one; all are durable afterwards. Raises TerminalError when a row is not there."""
        ...

    def begin(self, operations: Sequence[Operation]) -> None:
        """Execute the first operations of a transaction that `end` commits."""
        ...

    def end(self, operations: Sequence[Operation]) -> None:
        """Execute the last operations of the transaction that was begun, and commit it durably."""
        ...

    def close(self) -> None:
        """Close it; what is not committed is rolled back."""
        ...


def went_away(department: str) -> TransientError:
    """Return the error for a database that does not answer any more."""
    return TransientError(f"the database of {department} went away; start it and give the same command again")


def refused(department: str, code: str) -> TerminalError:
    """Return the error for a refused statement, whose own text may hold the row."""
    return TerminalError(
        f"the database of {department} refused a change ({code}); see its log, and leave the simulated tables to the "
        "simulator"
    )


def others_at_work(department: str) -> TerminalError:
    """Return the error for tables that another simulator changes."""
    return TerminalError(f"another simulator changes the tables of {department}; stop it first")


def check_effect(operation: Operation, rows: int) -> None:
    """Raise TerminalError unless an operation found its one row."""
    if rows != 1:
        raise TerminalError(
            f"{operation.table.id}: a row to {operation.verb} is not there; "
            "somebody else changes these tables, leave them to the simulator"
        )


class Results(Protocol):
    """A driver's cursor on the first of a script's results."""

    @property
    def rowcount(self) -> int:
        """Rows that the statement found."""
        ...

    def nextset(self) -> bool | None:
        """Go on to the next statement's result."""
        ...


def check_effects(script: Script, results: Results) -> None:
    """Raise TerminalError unless each operation of a script found its one row. Goes through all results."""
    for part in script:
        if isinstance(part, Operation):
            check_effect(part, results.rowcount)
        results.nextset()


def text_of(script: Script) -> str:
    """Return statements as one message, which is several times cheaper to send than one by one."""
    return ";".join(part if isinstance(part, str) else statement(part) for part in script)


def statement(operation: Operation) -> str:
    """Return the operation in SQL. All names and values are this package's own; quoting is still complete."""
    table, values = operation.table, map(literal, operation.values)
    where = " AND ".join(
        f"{table.column(name)} = {literal(value)}"
        for name, value in zip(table.key, operation.key, strict=True)
    )
    if operation.verb is Verb.INSERT:
        columns = ", ".join(map(table.column, operation.fields))
        return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join(values)})"  # noqa: S608
    if operation.verb is Verb.UPDATE:
        settings = ", ".join(
            f"{table.column(n)} = {v}" for n, v in zip(operation.fields, values, strict=True)
        )
        return f"UPDATE {table.name} SET {settings} WHERE {where}"  # noqa: S608
    return f"DELETE FROM {table.name} WHERE {where}"  # noqa: S608


def literal(value: Value) -> str:
    """Return a value in SQL. Bytes are PostgreSQL's: no other database has a column of them."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    assert isinstance(value, str), "files are not executed"
    return "'" + value.replace("'", "''") + "'"
