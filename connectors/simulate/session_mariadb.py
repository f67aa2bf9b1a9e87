"""Sessions on MariaDB."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pymysql

from connectors import mariadb
from connectors.addresses import read_address
from connectors.simulate.session import (
    OTHERS_END,
    Script,
    check_effects,
    literal,
    others_at_work,
    refused,
    text_of,
    went_away,
)
from connectors.simulate.tables import Key, Stamp, Table
from connectors.simulate.transactions import Operation

_SETTINGS: Final = (
    # Statements are written as for PostgreSQL; nothing that does not fit is made to fit.
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
    # Two transactions interleave, from one thread: locks on what lies between rows would have them wait for each other.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)
_GONE: Final = frozenset(
    (1040, 1053, 1152, 1153, 1158, 1159, 1160, 1161, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055)
)
"""Error numbers of a server that ends or is away, of a lost connection, and of a lock that was not got: after all of
them the same transactions may be tried again."""
_INSERT_CHARACTERS: Final = 512 * 1024
"""Of one INSERT: many rows, far below the server's ``max_allowed_packet``."""
_ESCAPED: Final = re.compile(r"\\(.)")
_PLAIN: Final = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


class MariadbSession:
    """See `connectors.simulate.session.Session`."""

    def __init__(self, dsn: str, department: str) -> None:
        self._department = department
        self._connection = mariadb.connect(dsn, f"the database of {department}", scripts=True)
        try:
            for setting in _SETTINGS:
                self._send([setting])
        except BaseException:
            self._connection.close()
            raise

    def lock(self, name: str, seconds: float) -> bool:
        """Take a lock that the server gives back when this connection has ended; wait so long for it."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (name, seconds))
            return cursor.fetchall() == ((1,),)

    def count(self, table: Table) -> int:
        """See `Session`."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table.name}")  # noqa: S608
            ((rows,),) = cursor.fetchall()
            return int(rows)

    def stamps(self, table: Table, keys: Sequence[Key]) -> dict[tuple[str, ...], Stamp]:
        """See `Session`."""
        if not keys:
            return {}
        columns = [table.column(name) for name in table.key]
        texts = ", ".join(f"trim(cast({column} AS char))" for column in columns)
        wanted = ", ".join(f"({', '.join(map(literal, key))})" for key in keys)
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {texts}, {table.column(table.stamp)} FROM {table.name} "  # noqa: S608
                f"WHERE ({', '.join(columns)}) IN ({wanted})"
            )
            return {row[:-1]: row[-1] for row in cursor.fetchall()}

    @contextmanager
    def filling(self, table: Table) -> Iterator[Callable[[str], object]]:
        """See `Session`."""
        columns = ", ".join(map(table.column, table.fields))
        rows: list[str] = []
        size = 0

        def send() -> None:
            nonlocal size
            self._send([f"INSERT INTO {table.name} ({columns}) VALUES {','.join(rows)}"])  # noqa: S608
            rows.clear()
            size = 0

        def write(lines: str) -> None:
            nonlocal size
            for line in lines.split("\n")[:-1]:
                rows.append(f"({','.join(map(_copied, line.split(chr(9))))})")
                size += len(rows[-1])
                if size >= _INSERT_CHARACTERS:
                    send()

        self._send(["BEGIN"])
        try:
            yield write
            if rows:
                send()
        except BaseException:
            # Whoever closes the session has the server roll back.
            self.close()
            raise
        self._send(["COMMIT"])

    def commit(self, transactions: Sequence[Sequence[Operation]]) -> None:
        """See `Session`. Each transaction waits for the disk: MariaDB has no setting for the last one alone."""
        script: list[str | Operation] = []
        for operations in transactions:
            script += ["BEGIN", *operations, "COMMIT"]
        self._send(script)

    def begin(self, operations: Sequence[Operation]) -> None:
        """See `Session`."""
        self._send(["BEGIN", *operations])

    def end(self, operations: Sequence[Operation]) -> None:
        """See `Session`."""
        self._send([*operations, "COMMIT"])

    def close(self) -> None:
        """See `Session`."""
        if self._connection.open:
            self._connection.close()

    def _send(self, script: Script) -> None:
        if not script:
            return
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(text_of(script))
            check_effects(script, cursor)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except pymysql.InterfaceError:  # the connection is closed
            raise went_away(self._department) from None
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args else 0
            if code in _GONE:
                raise went_away(self._department) from None
            raise refused(self._department, f"MariaDB error {code}") from None


def open_pair(dsn: str, department: str) -> tuple[MariadbSession, MariadbSession]:
    """Open the session that commits in batches, and one for transactions that interleave with those.

    Each holds a lock of the server's: those of a killed simulator are free when the last statement that it had sent is
    done. Raises TransientError, and TerminalError when another simulator is at work.
    """
    # A lock's name is short, and one server has several databases.
    database = hashlib.sha256((read_address(dsn, department).database or "").encode()).hexdigest()[:40]
    opened: list[MariadbSession] = []
    try:
        for role in ("main", "side"):
            session = MariadbSession(dsn, department)
            opened.append(session)
            if not session.lock(f"renkou.{role}.{database}", OTHERS_END):
                raise others_at_work(department)
    except BaseException:
        for session in opened:
            session.close()
        raise
    return opened[0], opened[1]


def _copied(field: str) -> str:
    """Return a field of a line of COPY in SQL; MariaDB makes numbers and dates of text where a column wants them."""
    if field == "\\N":
        return "NULL"
    return literal(_ESCAPED.sub(lambda found: _PLAIN[found[1]], field) if "\\" in field else field)
