"""The tables in the departments' databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from connectors import mariadb
from connectors.errors import TerminalError, TransientError
from connectors.simulate import columns
from connectors.simulate.tables import DEPARTMENTS, TABLES

CONNECT_TIMEOUT: Final = 10
"""Seconds; a database on the same machine or in the same network answers within one."""


def connect(dsn: str, department: str, application: str = "renkou") -> psycopg.Connection:
    """Open a connection that commits each statement unless told otherwise. Raises TransientError without an answer."""
    try:
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            application_name=application,
            options="-c standard_conforming_strings=on -c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise TransientError(
            f"the database of {department} does not answer ({_first_line(error)}); start it or correct its DSN"
        ) from error


def create(dsn: str, department: str) -> None:
    """Create the department's tables in the empty database ``dsn``; nothing happens where they all exist.

    Raises TerminalError when only some of them exist, TransientError when the database does not answer.
    """
    names = [table.name for table in TABLES if table.department == department]
    if not names:
        raise TerminalError(f"department {department} has no tables; choose from {', '.join(DEPARTMENTS)}")
    if department in columns.MARIADB:
        _create_in_mariadb(dsn, department, names)
        return
    with connect(dsn, department) as connection, connection.transaction():
        found = {
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", [names]
            )
        }
        if _are_missing(department, names, found):
            connection.execute(columns.script(department).encode())


def _create_in_mariadb(dsn: str, department: str, names: Sequence[str]) -> None:
    """Do the same in MariaDB, where a table is made as soon as it is stated."""
    what = f"the database of {department}"
    connection = mariadb.connect(dsn, what)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
            found = {str(row[0]) for row in cursor.fetchall()}
    finally:
        connection.close()
    statements = columns.statements(department)
    there = len(found & set(names))
    if set(names[:there]) == found & set(names):
        # None, all, or the first of them: an earlier start may have been killed between two.
        for name in names[there:]:
            mariadb.run_script(dsn, statements[name], what)
    else:
        _are_missing(department, names, found & set(names))


def _are_missing(department: str, names: Sequence[str], found: set[str]) -> bool:
    if not found:
        return True
    missing = sorted(set(names) - found)
    if missing:
        raise TerminalError(
            f"the database of {department} has {', '.join(sorted(found))} but not {', '.join(missing)}; "
            "give an empty database"
        )
    return False


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
