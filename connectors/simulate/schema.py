"""The tables in the departments' databases."""

from __future__ import annotations

from typing import Final

import psycopg

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
    if department not in DEPARTMENTS:
        raise TerminalError(f"department {department} is not simulated; choose from {', '.join(DEPARTMENTS)}")
    names = [table.name for table in TABLES if table.department == department]
    with connect(dsn, department) as connection, connection.transaction():
        found = {
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", [names]
            )
        }
        if found == set(names):
            return
        if found:
            raise TerminalError(
                f"the database of {department} has {', '.join(sorted(found))} but not "
                f"{', '.join(sorted(set(names) - found))}; give an empty database"
            )
        connection.execute(columns.script(department).encode())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
