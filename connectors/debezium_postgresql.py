"""Capture from PostgreSQL: what Debezium's connector must know of the source, and the SQL for its administrator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.captured import CapturedTable, Source
from connectors.patterns import literally

CONNECTOR_CLASS: Final = "io.debezium.connector.postgresql.PostgresConnector"

SLOT_RETRIES: Final = 60
"""A killed worker's slot counts as in use until the server notices: ``wal_sender_timeout``, usually a minute
at most."""

RETRY_MS: Final = 1000
"""Between two tries; ten seconds by default."""


def database_name(department: str) -> str:
    """Return the name of publication and slot."""
    return f"renkou_{department}"


def settings(source: Source, tables: Sequence[CapturedTable]) -> Mapping[str, str]:
    """Return the connector's settings that are PostgreSQL's own."""
    name = database_name(source.department)
    return {
        "connector.class": CONNECTOR_CLASS,
        "database.dbname": source.database,
        "plugin.name": "pgoutput",
        "publication.name": name,
        "publication.autocreate.mode": "disabled",
        "slot.name": name,
        "slot.max.retries": str(SLOT_RETRIES),
        "slot.retry.delay.ms": str(RETRY_MS),
        "table.include.list": ",".join(literally(table.schema, table.table) for table in tables),
        "column.include.list": ",".join(
            literally(table.schema, table.table, column) for table in tables for column in table.captured
        ),
    }


def administrator_sql(department: str, tables: Sequence[CapturedTable], role: str) -> str:
    """Return what the administrator runs, as a superuser, in the department's PostgreSQL database.

    It may be run again, and again when the feeds have changed: it revokes what is no longer needed. The role
    reads the feeds' columns only. The publication has no column lists: with them a table of REPLICA IDENTITY
    FULL would refuse its owner's updates.
    """
    name = database_name(department)
    publication, user = _identifier(name), _identifier(role)
    names = ", ".join(_table(table) for table in tables)
    preface = f"""\
-- renkou: what it needs to capture the database of the department {department}; for a superuser, there.
-- The server needs wal_level = logical (a restart), a free replication slot and a free WAL sender. It should
-- have max_slot_wal_keep_size set, so that a hub that is off for long cannot fill the disk.
BEGIN;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {_literal(role)}) THEN
    CREATE ROLE {user};
  END IF;
END $$;
ALTER ROLE {user} LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE;
-- Give it a password: \\password {role}
"""
    rights = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {user};\n"
        f"GRANT USAGE ON SCHEMA {schema} TO {user};\n"
        for schema in sorted({_identifier(table.schema) for table in tables})
    ]
    rights += [
        f"GRANT SELECT ({', '.join(map(_identifier, table.captured))})\n"
        f"  ON TABLE {_table(table)} TO {user};\n"
        for table in tables
    ]
    publishing = f"""\
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {_literal(name)}) THEN
    CREATE PUBLICATION {publication} FOR TABLE {names};
  ELSE
    ALTER PUBLICATION {publication} SET TABLE {names};
  END IF;
END $$;
ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate');
COMMIT;
"""
    return preface + "".join(rights) + publishing


def _table(table: CapturedTable) -> str:
    return f"{_identifier(table.schema)}.{_identifier(table.table)}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
