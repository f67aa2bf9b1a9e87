"""Debezium's connectors: their configuration, and the SQL for the source's administrator.

renkou writes nothing into a source and owns nothing there: publication, role and account come from ``source_sql``,
which the administrator runs; signals for incremental snapshots go through Kafka.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from connectors import debezium_mariadb, debezium_postgresql
from connectors.captured import (
    ROLE,
    Capture,
    CapturedTable,
    Source,
    SourceKind,
    account,
    schema_history_topic,
    signal_topic,
    topic_prefix,
)
from connectors.connect import Connector, apply, restart_failed, status, wait_running
from connectors.errors import TerminalError

HEARTBEAT_MS: Final = 250
"""How often an idle source says that it is idle: the frontier's resolution. With 500 the published lag of an idle
source is a second off as soon as the way itself takes half of one."""

POLL_MS: Final = 50
"""Debezium hands on what it has read this often. Its default, 500, is most of a change's way; measured p50 19
ms at 10, 107 ms at 100."""

SIGNAL_MS: Final = 1000
"""How long a signal waits at most. With Debezium's 5,000, and 100 to fetch it in, it may miss several turns on a busy
machine."""

BATCH: Final = 4096
QUEUE: Final = 4 * BATCH
QUEUE_BYTES: Final = 64 * 1024 * 1024
"""Of changes that wait in the worker's heap; rows may have texts of megabytes."""

RETRY_MS: Final = 1000
"""After a failure of the source; ten seconds by default."""


_AVRO_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def connector_name(department: str) -> str:
    """Return the name of a department's connector."""
    return f"renkou-{department}"


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
    if capture is Capture.AVRO:
        _check_names(tables)
    own = (
        debezium_mariadb.settings(source, tables, kafka)
        if source.kind == "mariadb"
        else debezium_postgresql.settings(source, tables)
    )
    return Connector(
        connector_name(source.department),
        {
            **own,
            "tasks.max": "1",
            "topic.prefix": topic_prefix(source.department),
            "database.hostname": source.host,
            "database.port": str(source.port),
            "database.user": source.user,
            "database.password": source.password,
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


def _check_names(tables: Sequence[CapturedTable]) -> None:
    """Refuse what the Avro converter would give another name, and two columns perhaps one."""
    for table in tables:
        for name in (table.schema, table.table, *table.captured):
            if _AVRO_NAME.fullmatch(name) is None:
                raise TerminalError(
                    f"'{name}' of table {table.schema}.{table.table} is no name in Avro; capture as JSON"
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


def source_sql(
    department: str, tables: Sequence[CapturedTable], role: str = ROLE, kind: SourceKind = "postgresql"
) -> str:
    """Return what the administrator runs in the department's database; in PostgreSQL as a superuser.

    ``role`` is the role's name in PostgreSQL and begins the account's in MariaDB (`account`). It may be run again,
    and again when the feeds have changed.
    """
    user = account(department, kind, role)
    if kind == "mariadb":
        return debezium_mariadb.administrator_sql(department, tables, user)
    return debezium_postgresql.administrator_sql(department, tables, user)


__all__ = [
    "ROLE",
    "Capture",
    "CapturedTable",
    "Connector",
    "Source",
    "SourceKind",
    "account",
    "apply",
    "connector",
    "connector_name",
    "restart_failed",
    "schema_history_topic",
    "signal_topic",
    "source_sql",
    "status",
    "topic_prefix",
    "wait_running",
]
