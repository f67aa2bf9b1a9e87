"""Executes transactions in the departments' databases, with few round trips."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import psycopg

from connectors.errors import TerminalError
from connectors.simulate.loader import stamps
from connectors.simulate.schema import connect
from connectors.simulate.tables import Key, Stamp, Table, Value
from connectors.simulate.transactions import Effect, Operation, Transaction, Verb

_COMMIT_DURABLY: Final = "SET synchronous_commit = on"
_COMMIT_LATER: Final = "SET synchronous_commit = off"
_COMMIT_ALL: Final = "SET LOCAL synchronous_commit = on"
"""One wait for the disk a batch: the durable commit of its last transaction makes those before it durable as well,
and the truth is written after it."""


APPLICATION: Final = "renkou simulate"
_OTHERS: Final = (
    "SELECT 1 FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = %s AND pid <> ALL(%s)"
)
_OTHERS_END: Final = 15.0
"""Seconds; a batch that was sent before a kill is executed long before."""
_OTHERS_POLL: Final = 0.1


class Executor:
    """One connection a department, and a second one for transactions that interleave."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        self._dsns = dict(dsns)
        self._main: dict[str, psycopg.Connection] = {}
        self._side: dict[str, psycopg.Connection] = {}

    def open(self) -> None:
        """Connect to all databases.

        Waits for the end of what a killed simulator, or a lost connection, had sent. Raises TransientError when a
        database does not answer, TerminalError when another simulator is at work.
        """
        self.close()
        for department, dsn in self._dsns.items():
            self._main[department] = connect(dsn, department, APPLICATION)
            self._main[department].execute(_COMMIT_LATER)
            self._side[department] = connect(dsn, department, APPLICATION)
            self._side[department].execute(_COMMIT_DURABLY)
            self._wait_for_others(department)

    def close(self) -> None:
        """Close all connections; what is not committed is rolled back."""
        for connections in (self._main, self._side):
            for connection in connections.values():
                connection.close()
            connections.clear()

    def execute(self, transactions: Iterable[Transaction]) -> int:
        """Execute and commit; return the number of rows changed. Transactions of other departments are left out.

        Raises psycopg.OperationalError when a database goes away: a part may be committed then (`settle`).
        Raises TerminalError when a row is not there, which somebody else must have removed.
        """
        rows = 0
        queue: list[Transaction] = []
        for transaction in transactions:
            if transaction.department not in self._dsns:
                continue
            rows += len(transaction.operations)
            if not (
                transaction.opened_before_previous and queue and queue[-1].number == transaction.number - 1
            ):
                queue.append(transaction)
                continue
            previous = queue.pop()
            self._run(queue)
            queue.clear()
            self._interleave(previous, transaction)
        self._run(queue)
        return rows

    def settle(self, transactions: Sequence[Transaction]) -> list[Transaction]:
        """Return those of the transactions, given in order, that are not committed yet.

        A department commits in order; the update times of the rows they touch tell how far it got. Raises
        TerminalError when the rows are as after none of them.
        """
        missing: list[Transaction] = []
        by_department: dict[str, list[Transaction]] = defaultdict(list)
        for transaction in transactions:
            if transaction.department in self._dsns:
                by_department[transaction.department].append(transaction)
        for department, own in by_department.items():
            missing += own[self._committed(department, own) :]
        return sorted(missing, key=lambda transaction: transaction.number)

    def _wait_for_others(self, department: str) -> None:
        own = [connections[department].info.backend_pid for connections in (self._main, self._side)]
        deadline = time.monotonic() + _OTHERS_END
        while self._main[department].execute(_OTHERS, [APPLICATION, own]).fetchone():
            if time.monotonic() > deadline:
                raise TerminalError(f"another simulator changes the tables of {department}; stop it first")
            time.sleep(_OTHERS_POLL)

    def _committed(self, department: str, transactions: list[Transaction]) -> int:
        """Return how many of the department's transactions are committed."""
        effects = [[e for o in t.operations for e in o.effects] for t in transactions]
        expected: dict[tuple[Table, tuple[str, ...]], Stamp | None] = {}
        for effect in (effect for own in reversed(effects) for effect in reversed(own)):
            expected[_place(effect)] = effect.before
        found: dict[tuple[Table, tuple[str, ...]], Stamp | None] = dict.fromkeys(expected)
        keys: dict[Table, list[Key]] = defaultdict(list)
        for table, key in expected:
            keys[table].append(key)
        for table, wanted in keys.items():
            for key, stamp in stamps(self._main[department], table, wanted).items():
                found[table, key] = stamp
        for number, own in enumerate(effects):
            if expected == found:
                return number
            expected |= {_place(effect): effect.after for effect in own}
        if expected == found:
            return len(effects)
        raise TerminalError(
            f"the tables of {department} are not as the truth says: somebody else has changed them, or the database "
            "was restored; start with empty databases and another truth folder"
        )

    def _run(self, transactions: Sequence[Transaction]) -> None:
        by_department: dict[str, list[Transaction]] = defaultdict(list)
        for transaction in transactions:
            by_department[transaction.department].append(transaction)
        for department, own in by_department.items():
            script: list[str | Operation] = []
            for transaction in own:
                script.append("BEGIN")
                if transaction is own[-1]:
                    script.append(_COMMIT_ALL)
                script += transaction.operations
                script.append("COMMIT")
            self._send(self._main[department], script)

    def _interleave(self, previous: Transaction, later: Transaction) -> None:
        """Begin ``later``, commit ``previous`` in between, then go on with ``later`` and commit it."""
        side = self._side[later.department]
        half = (len(later.operations) + 1) // 2
        self._send(side, ["BEGIN", *later.operations[:half]])
        self._run([previous])
        self._send(side, [*later.operations[half:], "COMMIT"])

    def _send(self, connection: psycopg.Connection, script: Sequence[str | Operation]) -> None:
        """Send statements in one message, which is several times cheaper than one by one, and check their effect."""
        text = ";".join(part if isinstance(part, str) else _statement(part) for part in script)
        cursor = connection.execute(text, prepare=False)
        for part in script:
            if isinstance(part, Operation) and cursor.rowcount != 1:
                raise TerminalError(
                    f"{part.table.department}.{part.table.name}: a row to {part.verb} is not there; "
                    "somebody else changes these tables, leave them to the simulator"
                )
            cursor.nextset()


def _statement(operation: Operation) -> str:
    """Return the operation in SQL. All names and values are this package's own; quoting is still complete."""
    table, values = operation.table, map(_literal, operation.values)
    where = " AND ".join(
        f"{table.column(name)} = {_literal(value)}"
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


def _literal(value: Value) -> str:
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


def _place(effect: Effect) -> tuple[Table, tuple[str, ...]]:
    return effect.table, tuple(map(str, effect.key))
