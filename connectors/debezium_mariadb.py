"""Capture from MariaDB: what Debezium's connector must know of the source, and the SQL for its administrator."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from connectors.captured import CapturedTable, Source, schema_history_topic
from connectors.patterns import literally

CONNECTOR_CLASS: Final = "io.debezium.connector.mariadb.MariaDbConnector"

FIRST_SERVER_ID: Final = 1 << 30
"""A connector reads the log as a replica does, under a number that nobody else at the server has. Administrators
count theirs from 1."""

KEEP_ALIVE_MS: Final = 5000
"""Between two looks whether the log's stream has ended: by default a minute, for which a server that was restarted
would not be heard of. An idle server sends a sign of life a little more often."""

DEFINER: Final = "%"
"""Hosts that the account may come from; the administrator narrows it."""


def server_id(department: str) -> int:
    """Return the number of a department's connector among the replicas of its server: always the same, 31 bits."""
    return FIRST_SERVER_ID | zlib.crc32(department.encode()) & FIRST_SERVER_ID - 1


def settings(source: Source, tables: Sequence[CapturedTable], kafka: str) -> Mapping[str, str]:
    """Return the connector's settings that are MariaDB's own. ``kafka`` is the brokers' address as Connect sees it."""
    return {
        "connector.class": CONNECTOR_CLASS,
        "database.server.id": str(server_id(source.department)),
        "connect.keep.alive.interval.ms": str(KEEP_ALIVE_MS),
        "database.include.list": ",".join(literally(name) for name in sorted({t.schema for t in tables})),
        "table.include.list": ",".join(literally(table.schema, table.table) for table in tables),
        "column.include.list": ",".join(
            literally(table.schema, table.table, column) for table in tables for column in table.captured
        ),
        # The tables' definitions at each position of the log, which the log itself does not hold.
        "schema.history.internal.kafka.bootstrap.servers": kafka,
        "schema.history.internal.kafka.topic": schema_history_topic(source.department),
        "schema.history.internal.store.only.captured.databases.ddl": "true",
        # A new or altered column shows in the next row; statements quote values, and other databases' tables.
        "include.schema.changes": "false",
        # The statements behind the rows, where the server logs them: they quote persons.
        "include.query": "false",
    }


def administrator_sql(department: str, tables: Sequence[CapturedTable], user: str) -> str:
    """Return what the administrator runs in the department's MariaDB server.

    It may be run again, and again when the feeds have changed: it revokes what is no longer needed. The account
    reads the feeds' columns only.
    """
    account = f"{_literal(user)}@{_literal(DEFINER)}"
    grants = [
        f"GRANT REFERENCES, SELECT ({', '.join(map(_identifier, table.captured))})\n"
        f"  ON {_table(table)} TO {account};\n"
        for table in tables
    ]
    locks = [
        f"GRANT LOCK TABLES ON {_pattern(name)}.* TO {account};\n"
        for name in sorted({table.schema for table in tables})
    ]
    return f"""\
-- renkou: what it needs to capture the database of the department {department}; for an administrator, there.
-- The server needs log_bin, binlog_format = ROW and binlog_row_image = FULL (a restart), and should keep its log
-- (binlog_expire_logs_seconds) for as long as a hub may be off: what is gone from it needs a new snapshot.
CREATE USER IF NOT EXISTS {account};
-- Give it a password: SET PASSWORD FOR {account} = PASSWORD('…')
REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account};
-- To read the log as a replica does, and to hold all writes for the moment in which a snapshot begins.
GRANT REPLICATION SLAVE, BINLOG MONITOR, RELOAD ON *.* TO {account};
{"".join(locks)}\
-- REFERENCES, which MariaDB uses for nothing else, lets it read a table's definition but none of its columns.
{"".join(grants)}"""


def _table(table: CapturedTable) -> str:
    return f"{_identifier(table.schema)}.{_identifier(table.table)}"


def _pattern(database: str) -> str:
    """Return a database's name where a grant would take it for a pattern."""
    return _identifier(database.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%"))


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
