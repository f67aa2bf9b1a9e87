"""Sessions on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg

from connectors.simulate.schema import connect
from connectors.simulate.session import (
    OTHERS_END,
    Script,
    check_effects,
    others_at_work,
    refused,
    text_of,
    went_away,
)
from connectors.simulate.tables import Key, Stamp, Table
from connectors.simulate.transactions import Operation

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
_OTHERS_POLL: Final = 0.1


class PostgresqlSession:
    """See `connectors.simulate.session.Session`."""

    def __init__(self, dsn: str, department: str, application: str = "renkou") -> None:
        self._department = department
        self._connection = connect(dsn, department, application)

    @property
    def process(self) -> int:
        """The server's process that serves it."""
        return self._connection.info.backend_pid

    def execute(self, statement: str) -> None:
        """Execute a setting. See `Session` for errors."""
        with self._translated():
            self._connection.execute(statement.encode())

    def others(self, own: Sequence[int]) -> bool:
        """Whether another simulator than the processes ``own`` is connected to the database."""
        with self._translated():
            return self._connection.execute(_OTHERS, [APPLICATION, list(own)]).fetchone() is not None

    def count(self, table: Table) -> int:
        """See `Session`."""
        with self._translated():
            row = self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])

    def stamps(self, table: Table, keys: Sequence[Key]) -> dict[tuple[str, ...], Stamp]:
        """See `Session`."""
        columns = [f"btrim({table.column(name)}::text)" for name in table.key]
        wanted = ", ".join(f"${number + 1}::text[]" for number in range(len(columns)))
        with self._translated():
            found = psycopg.RawCursor(self._connection).execute(
                f"SELECT {', '.join(columns)}, {table.column(table.stamp)} FROM {table.name} "  # noqa: S608
                f"WHERE ({', '.join(columns)}) IN (SELECT * FROM unnest({wanted}))",
                [[str(key[place]) for key in keys] for place in range(len(columns))],
            )
            return {row[:-1]: row[-1] for row in found}

    @contextmanager
    def filling(self, table: Table) -> Iterator[Callable[[str], object]]:
        """See `Session`."""
        columns = ", ".join(map(table.column, table.fields))
        statement = f"COPY {table.name} ({columns}) FROM STDIN"
        with self._translated(), self._connection.cursor().copy(statement) as copy:
            yield copy.write

    def commit(self, transactions: Sequence[Sequence[Operation]]) -> None:
        """See `Session`."""
        script: list[str | Operation] = []
        for operations in transactions:
            script.append("BEGIN")
            if operations is transactions[-1]:
                script.append(_COMMIT_ALL)
            script += operations
            script.append("COMMIT")
        self._send(script)

    def begin(self, operations: Sequence[Operation]) -> None:
        """See `Session`."""
        self._send(["BEGIN", *operations])

    def end(self, operations: Sequence[Operation]) -> None:
        """See `Session`."""
        self._send([*operations, "COMMIT"])

    def close(self) -> None:
        """See `Session`."""
        self._connection.close()

    def _send(self, script: Script) -> None:
        with self._translated():
            cursor = self._connection.execute(text_of(script).encode(), prepare=False)
            check_effects(script, cursor)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.OperationalError as error:
            raise went_away(self._department) from error
        except psycopg.Error as error:
            raise refused(self._department, f"{type(error).__name__}, SQLSTATE {error.sqlstate}") from None


def open_pair(dsn: str, department: str) -> tuple[PostgresqlSession, PostgresqlSession]:
    """Open the session that commits in batches, and one for transactions that interleave with those.

    Waits for the end of what a killed simulator, or a lost connection, had sent. Raises TransientError, and
    TerminalError when another simulator is at work.
    """
    main = PostgresqlSession(dsn, department, APPLICATION)
    side: PostgresqlSession | None = None
    try:
        main.execute(_COMMIT_LATER)
        side = PostgresqlSession(dsn, department, APPLICATION)
        side.execute(_COMMIT_DURABLY)
        deadline = time.monotonic() + OTHERS_END
        while main.others([main.process, side.process]):
            if time.monotonic() > deadline:
                raise others_at_work(department)
            time.sleep(_OTHERS_POLL)
    except BaseException:
        main.close()
        if side is not None:
            side.close()
        raise
    return main, side
