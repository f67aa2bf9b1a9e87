"""Opens sessions on the departments' databases, each of its kind."""

from __future__ import annotations

from connectors.simulate import session_mariadb, session_postgresql
from connectors.simulate.columns import MARIADB
from connectors.simulate.session import Session


def connect(dsn: str, department: str) -> Session:
    """Open a session. Raises TransientError when the database does not answer."""
    if department in MARIADB:
        return session_mariadb.MariadbSession(dsn, department)
    return session_postgresql.PostgresqlSession(dsn, department)


def open_pair(dsn: str, department: str) -> tuple[Session, Session]:
    """Open the session that commits in batches, and one for transactions that interleave with those.

    Waits for the end of what a killed simulator had sent. Raises TransientError, and TerminalError when another
    simulator is at work.
    """
    if department in MARIADB:
        return session_mariadb.open_pair(dsn, department)
    return session_postgresql.open_pair(dsn, department)
