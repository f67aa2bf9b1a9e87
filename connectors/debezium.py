"""Debezium's PostgreSQL connectors: their configuration, the SQL for the source's administrator, Connect's REST interface.

renkou writes nothing into a source and owns nothing there: publication and role come from ``source_sql``, which the
administrator runs; signals for incremental snapshots go through Kafka.
"""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from connectors.errors import TerminalError, TransientError

CONNECTOR_CLASS: Final = "io.debezium.connector.postgresql.PostgresConnector"

ROLE: Final = "renkou"
"""The capture role's usual name."""

HEARTBEAT_MS: Final = 1000
"""How often an idle source says that it is idle: the frontier's resolution."""

POLL_MS: Final = 20
"""Debezium hands on what it has read this often. Its default, 500, is most of a change's way; measured p50 19 ms at 10,
107 ms at 100."""

BATCH: Final = 4096
QUEUE: Final = 4 * BATCH
QUEUE_BYTES: Final = 64 * 1024 * 1024
"""Of changes that wait in the worker's heap; rows may have texts of megabytes."""

RETRY_MS: Final = 1000
"""After a failure of the source or the slot; ten seconds by default."""

SLOT_RETRIES: Final = 60
"""A killed worker's slot counts as in use until the server notices: ``wal_sender_timeout``, usually a minute at most."""

REQUEST_SECONDS: Final = 30.0

BUSY_SECONDS: Final = 60.0
"""Connect refuses changes while its workers rebalance."""


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

    ``password`` may be a reference that Connect resolves, such as ``${file:/etc/renkou/police.properties:password}`` or
    ``${env:POLICE_PASSWORD}``: then neither its status nor its topics show it.
    """

    department: str
    host: str
    port: int
    database: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Source({self.department}, {self.host}:{self.port}/{self.database})"


@dataclass(frozen=True, slots=True)
class Connector:
    """One connector with its whole configuration."""

    name: str
    config: Mapping[str, str]


class Outcome(enum.Enum):
    """What ``apply`` did with a connector."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Applied:
    """One connector after ``apply``. ``settings`` names those that differed; never their values."""

    name: str
    outcome: Outcome
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """A connector as Connect sees it. States are Connect's: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING.

    ``tasks`` holds each task's state; ``reason`` why one failed and what can be done, "" when none did.
    """

    name: str
    state: str
    tasks: tuple[str, ...]
    reason: str = ""

    @property
    def running(self) -> bool:
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)


def connector_name(department: str) -> str:
    """Return the name of a department's connector."""
    return f"renkou-{department}"


def topic_prefix(department: str) -> str:
    """Return the beginning of all capture topics of a department."""
    return f"cdc.{department}"


def signal_topic(department: str) -> str:
    """Return the topic through which a connector is asked for incremental snapshots; the key is its topic prefix."""
    return f"renkou.signals.{department}"


def _database_name(department: str) -> str:
    """Return the name of publication and slot."""
    return f"renkou_{department}"


def connector(
    source: Source, tables: Sequence[CapturedTable], *, capture: Capture, kafka: str, registry: str = ""
) -> Connector:
    """Return the connector of one department.

    ``kafka`` is the brokers' address as Connect sees it, ``registry`` Confluent's interface of a schema registry, which
    the capture as Avro needs. Raises TerminalError when there is nothing to capture.
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
    """Return a pattern of Debezium's lists for exactly this name: Java's syntax, and a comma would separate."""
    return r"\.".join(re.sub(r"([\\.\[\]{}()*+\-?^$|,])", r"\\\1", part) for part in parts)


def source_sql(department: str, tables: Sequence[CapturedTable], role: str = ROLE) -> str:
    """Return what the administrator runs, as a superuser, in the department's PostgreSQL database (15 or later).

    It may be run again, and again when the feeds have changed: it revokes what is no longer needed. The role reads the
    feeds' columns only. The publication has no column lists: with them a table of REPLICA IDENTITY FULL would refuse
    its owner's updates.
    """
    publication = _identifier(_database_name(department))
    user = _identifier(role)
    schemas = sorted({table.schema for table in tables})
    names = ", ".join(f"{_identifier(table.schema)}.{_identifier(table.table)}" for table in tables)
    lines = [
        f"-- renkou: what it needs to capture the database of the department {department}. Run it there as a superuser.",
        "-- The server needs wal_level = logical (a restart), a free replication slot and WAL sender, and should have",
        "-- max_slot_wal_keep_size set, so that a hub that is off for long cannot fill the disk.",
        "BEGIN;",
        "DO $$ BEGIN",
        f"  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {_literal(role)}) THEN",
        f"    CREATE ROLE {user};",
        "  END IF;",
        "END $$;",
        f"ALTER ROLE {user} LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE;",
        f"-- Give it a password: \\password {role}",
    ]
    for schema in schemas:
        lines += [
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {_identifier(schema)} FROM {user};",
            f"GRANT USAGE ON SCHEMA {_identifier(schema)} TO {user};",
        ]
    lines += [
        f"GRANT SELECT ({', '.join(map(_identifier, table.captured))})"
        f" ON TABLE {_identifier(table.schema)}.{_identifier(table.table)} TO {user};"
        for table in tables
    ]
    lines += [
        "DO $$ BEGIN",
        f"  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {_literal(_database_name(department))}) THEN",
        f"    CREATE PUBLICATION {publication} FOR TABLE {names};",
        "  ELSE",
        f"    ALTER PUBLICATION {publication} SET TABLE {names};",
        "  END IF;",
        "END $$;",
        f"ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate');",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def apply(connect: str, connectors: Iterable[Connector]) -> tuple[Applied, ...]:
    """Make the connectors what they should be; a connector that already is stays untouched.

    ``connect`` is the address of the REST interface. Raises TransientError when Connect does not answer, TerminalError
    when it refuses a configuration. Blocks.
    """
    with _client(connect) as client:
        return tuple(_apply(client, connector) for connector in connectors)


def _apply(client: httpx.Client, connector: Connector) -> Applied:
    response = _request(client, "GET", f"/connectors/{connector.name}/config")
    wanted = {"name": connector.name, **connector.config}
    present: dict[str, str] | None = None
    if response.status_code != httpx.codes.NOT_FOUND:
        present = msgspec.json.decode(_checked(response, connector.name).content, type=dict[str, str])
        if present == wanted:
            return Applied(connector.name, Outcome.UNCHANGED)
    changed = _request(client, "PUT", f"/connectors/{connector.name}/config", wanted)
    _checked(changed, connector.name)
    if present is None:
        return Applied(connector.name, Outcome.CREATED)
    differing = tuple(
        sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    )
    return Applied(connector.name, Outcome.CHANGED, differing)


class _Part(msgspec.Struct):
    state: str
    trace: str = ""


class _State(msgspec.Struct):
    connector: _Part
    tasks: list[_Part]


class _Expanded(msgspec.Struct):
    status: _State


class _Refusal(msgspec.Struct):
    message: str = ""


def status(connect: str, prefix: str = "renkou-") -> tuple[ConnectorStatus, ...]:
    """Return renkou's connectors by name, whatever else the Connect cluster runs. Raises TransientError."""
    with _client(connect) as client:
        response = _checked(_request(client, "GET", "/connectors?expand=status"), "status")
    expanded = msgspec.json.decode(response.content, type=dict[str, _Expanded])
    found = []
    for name, one in sorted(expanded.items()):
        if name.startswith(prefix):
            parts = (one.status.connector, *one.status.tasks)
            trace = next((part.trace for part in parts if part.state == "FAILED"), "")
            found.append(
                ConnectorStatus(
                    name,
                    one.status.connector.state,
                    tuple(task.state for task in one.status.tasks),
                    _reason(trace),
                )
            )
    return tuple(found)


def restart_failed(connect: str) -> tuple[str, ...]:
    """Restart the connectors and tasks that failed; return the connectors' names. Raises TransientError."""
    failed = tuple(one.name for one in status(connect) if "FAILED" in (one.state, *one.tasks))
    with _client(connect) as client:
        for name in failed:
            _request(client, "POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")
    return failed


def wait_running(connect: str, names: Iterable[str], seconds: float = 60.0) -> None:
    """Block until the connectors and their tasks run. Raises TransientError, with the reason, when they do not."""
    wanted = set(names)
    deadline = time.monotonic() + seconds
    while True:
        states = {one.name: one for one in status(connect) if one.name in wanted}
        waiting = sorted(name for name in wanted if name not in states or not states[name].running)
        if not waiting:
            return
        if time.monotonic() > deadline:
            first = states.get(waiting[0])
            reason = first.reason or f"state {first.state}" if first else "unknown to Connect"
            raise TransientError(
                f"connector {waiting[0]} does not run: {reason}; see Connect's log and 'renkou connect status'"
            )
        time.sleep(0.2)


REASONS: Final = (
    (r"replication slot .* is active", "its replication slot is in use: another connector or hub captures with it; stop that one"),
    (r"password authentication failed", "the source refuses the password; set it for the role and in Connect's secret"),
    (r"(Connection to|connection attempt|Connection refused)", "the source's database does not answer; is it running and reachable from Connect?"),
    (r"publication .* does not exist|Publication autocreation is disabled", "the publication is missing; run the output of 'renkou connect sql'"),
    (r"permission denied", "the role lacks a right; run the output of 'renkou connect sql'"),
    (r"wal_level", "the source needs wal_level = logical; set it and restart the database server"),
    (r"can no longer get changes from replication slot|requested WAL segment .* has already been removed",
     "the slot lost changes: it was off for longer than max_slot_wal_keep_size allows; a new snapshot is needed"),
    (r"all replication slots are in use", "the source has no free replication slot; raise max_replication_slots"),
    (r"UNKNOWN_TOPIC_OR_PARTITION|not present in metadata", "a topic is missing; 'renkou connect apply' creates them"),
    (r"RecordTooLargeException", "a row is larger than the broker's message.max.bytes; raise it"),
    (r"Failed to find any class|ClassNotFoundException", "Connect lacks the connector; put Debezium's PostgreSQL plugin on its plugin.path"),
    (r"schema registry|RestClientException|SchemaRegistry", "the schema registry does not answer; is it running, is its address right?"),
)  # fmt: skip
"""What is in a stack trace, and what it means. The rest of a trace is not shown: it may quote a row."""


def _reason(trace: str) -> str:
    if not trace:
        return ""
    for pattern, meaning in REASONS:
        if re.search(pattern, trace, re.IGNORECASE):
            return meaning
    classes = re.findall(r"^(?:Caused by: )?([\w.$]+(?:Exception|Error))", trace, re.MULTILINE)
    return f"{' from '.join(dict.fromkeys(name.rpartition('.')[2] for name in classes)) or 'unknown'}; see Connect's log"


def _client(connect: str) -> httpx.Client:
    return httpx.Client(base_url=connect.rstrip("/"), timeout=REQUEST_SECONDS)


def _request(
    client: httpx.Client, method: str, path: str, body: Mapping[str, str] | None = None
) -> httpx.Response:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            response = client.request(
                method, path, content=msgspec.json.encode(body) if body is not None else None,
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
        except httpx.TransportError as error:
            raise TransientError(
                f"Kafka Connect at {client.base_url}: {type(error).__name__}; is it running, is its address right?"
            ) from error
        if response.status_code != httpx.codes.CONFLICT or time.monotonic() > deadline:
            return response
        time.sleep(0.5)  # a rebalance of the workers is going on


def _checked(response: httpx.Response, name: str) -> httpx.Response:
    if response.is_success:
        return response
    try:
        message = msgspec.json.decode(response.content, type=_Refusal).message
    except msgspec.DecodeError:
        message = ""
    if response.status_code >= 500 and "class" not in message or response.status_code == httpx.codes.CONFLICT:
        raise TransientError(
            f"Kafka Connect, {name}: HTTP {response.status_code}, {_reason(message) or 'no reason'}; try again"
        )
    raise TerminalError(
        f"Kafka Connect refuses {name}: HTTP {response.status_code}, {_reason(message) or 'no reason given'}"
    )
