"""Debezium's PostgreSQL connectors: their configuration, and the SQL for the source's administrator.

renkou writes nothing into a source and owns nothing there: publication and role come from ``source_sql``,
which the administrator runs; signals for incremental snapshots go through Kafka.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.connect import Connector, apply, restart_failed, status, wait_running
from connectors.errors import TerminalError

CONNECTOR_CLASS: Final = "io.debezium.connector.postgresql.PostgresConnector"

ROLE: Final = "renkou"
"""The capture role's usual name."""

HEARTBEAT_MS: Final = 1000
"""How often an idle source says that it is idle: the frontier's resolution."""

POLL_MS: Final = 20
SIGNAL_MS: Final = 1000
"""How long a signal waits at most. With Debezium's 5,000, and 100 to fetch it in, it may miss several turns on a busy
machine."""
"""Debezium hands on what it has read this often. Its default, 500, is most of a change's way; measured p50 19
ms at 10, 107 ms at 100."""

BATCH: Final = 4096
QUEUE: Final = 4 * BATCH
QUEUE_BYTES: Final = 64 * 1024 * 1024
"""Of changes that wait in the worker's heap; rows may have texts of megabytes."""

RETRY_MS: Final = 1000
"""After a failure of the source or the slot; ten seconds by default."""

SLOT_RETRIES: Final = 60
"""A killed worker's slot counts as in use until the server notices: ``wal_sender_timeout``, usually a minute
at most."""


class Capture(enum.Enum):
    """How changes are written into Kafka."""

    JSON = "json"
    JSON_SCHEMAS = "json-schemas"
    AVRO = "avro"


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table that a feed names: the columns that the register needs, and its primary key's."""

    schema: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def captured(self) -> tuple[str, ...]:
        """The key's columns and the named ones, each once."""
        return tuple(dict.fromkeys((*self.key, *self.columns)))


@dataclass(frozen=True, slots=True)
class Source:
    """A department's database as the connector reaches it.

    ``password`` may be a reference that Connect resolves, such as
    ``${file:/etc/renkou/police.properties:password}`` or ``${env:POLICE_PASSWORD}``: then neither its status
    nor its topics show it.
    """

    department: str
    host: str
    port: int
    database: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Source({self.department}, {self.host}:{self.port}/{self.database})"


def connector_name(department: str) -> str:
    """Return the name of a department's connector."""
    return f"renkou-{department}"


def topic_prefix(department: str) -> str:
    """Return the beginning of all capture topics of a department."""
    return f"cdc.{department}"


def signal_topic(department: str) -> str:
    """Return the topic through which a connector is asked for incremental snapshots; the key is its topic
    prefix."""
    return f"renkou.signals.{department}"


def _database_name(department: str) -> str:
    """Return the name of publication and slot."""
    return f"renkou_{department}"


def connector(
    source: Source, tables: Sequence[CapturedTable], *, capture: Capture, kafka: str, registry: str = ""
) -> Connector:
    """Return the connector of one department.

    ``kafka`` is the brokers' address as Connect sees it, ``registry`` Confluent's interface of a schema
    registry, which the capture as Avro needs. Raises TerminalError when there is nothing to capture.
    """
    if not tables:
        raise TerminalError(
            f"department {source.department} has no feed; add one or leave its connector away"
        )
    name = _database_name(source.department)
    return Connector(
        connector_name(source.department),
        {
            "connector.class": CONNECTOR_CLASS,
            "tasks.max": "1",
            "topic.prefix": topic_prefix(source.department),
            "database.hostname": source.host,
            "database.port": str(source.port),
            "database.dbname": source.database,
            "database.user": source.user,
            "database.password": source.password,
            "plugin.name": "pgoutput",
            "publication.name": name,
            "publication.autocreate.mode": "disabled",
            "slot.name": name,
            "slot.max.retries": str(SLOT_RETRIES),
            "slot.retry.delay.ms": str(RETRY_MS),
            "table.include.list": ",".join(_quoted(table.schema, table.table) for table in tables),
            "column.include.list": ",".join(
                _quoted(table.schema, table.table, column) for table in tables for column in table.captured
            ),
            "snapshot.mode": "initial",
            "skipped.operations": "none",
            "tombstones.on.delete": "true",
            "decimal.handling.mode": "string",
            "heartbeat.interval.ms": str(HEARTBEAT_MS),
            "poll.interval.ms": str(POLL_MS),
            "max.batch.size": str(BATCH),
            "max.queue.size": str(QUEUE),
            "max.queue.size.in.bytes": str(QUEUE_BYTES),
            "errors.max.retries": "-1",
            "retriable.restart.connector.wait.ms": str(RETRY_MS),
            "signal.enabled.channels": "kafka",
            "signal.kafka.topic": signal_topic(source.department),
            "signal.kafka.bootstrap.servers": kafka,
            "signal.poll.interval.ms": str(SIGNAL_MS),
            "signal.kafka.poll.timeout.ms": str(SIGNAL_MS),
            "signal.kafka.groupId": f"renkou-signals-{source.department}",
            "read.only": "true",
            "schema.name.adjustment.mode": "avro",
            **_converters(capture, registry),
        },
    )


def _converters(capture: Capture, registry: str) -> dict[str, str]:
    json = "org.apache.kafka.connect.json.JsonConverter"
    # A changed key travels in a header, as a structure that Connect's default header converter cannot write.
    settings = {"header.converter": json, "header.converter.schemas.enable": "false"}
    for part in ("key.converter", "value.converter"):
        if capture is Capture.AVRO:
            if not registry:
                raise TerminalError("capture as Avro needs a schema registry; set its address or choose JSON")
            settings |= {
                part: "io.confluent.connect.avro.AvroConverter",
                f"{part}.schema.registry.url": registry,
            }
        else:
            settings |= {
                part: json,
                f"{part}.schemas.enable": "true" if capture is Capture.JSON_SCHEMAS else "false",
            }
    return settings


def _quoted(*parts: str) -> str:
    """Return a Java pattern for this name only; a comma would separate in Debezium's lists."""
    return r"\.".join(re.sub(r"([\\.\[\]{}()*+\-?^$|,])", r"\\\1", part) for part in parts)


def source_sql(department: str, tables: Sequence[CapturedTable], role: str = ROLE) -> str:
    """Return what the administrator runs, as a superuser, in the department's PostgreSQL database.

    It may be run again, and again when the feeds have changed: it revokes what is no longer needed. The role
    reads the feeds' columns only. The publication has no column lists: with them a table of REPLICA IDENTITY
    FULL would refuse its owner's updates.
    """
    name = _database_name(department)
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


__all__ = [
    "CONNECTOR_CLASS",
    "ROLE",
    "Capture",
    "CapturedTable",
    "Connector",
    "Source",
    "apply",
    "connector",
    "connector_name",
    "restart_failed",
    "signal_topic",
    "source_sql",
    "status",
    "topic_prefix",
    "wait_running",
]
