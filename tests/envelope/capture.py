"""``python -m tests.envelope.capture [NAME…]``: captures the envelope suite from real databases by real Debezium.

Starts the one-machine stack on a temporary folder, fills the two databases of `tests.envelope.kitchen`, runs every case
of `tests.envelope.suite` with a connector for each mode and format on one database at the same time, and writes each
event's bytes into ``tests/envelope/cases/<source>.jsonl``. Takes a few minutes; a new version of Debezium, PostgreSQL
or MariaDB shows as a difference in these files.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from avro.debezium_wire import WireReader
from avro.registry import ConfluentRegistry, schema_id_of
from avro.schema import Schema
from connectors import debezium, mariadb
from connectors.captured import (
    Capture,
    Source,
    SourceKind,
    account,
    schema_history_topic,
    signal_topic,
    topic_prefix,
)
from connectors.connect import Connector
from connectors.stack import LocalStack
from connectors.stack.connect import secrets_file
from connectors.topics import TopicSpec, ensure_topics
from tests.envelope import kitchen
from tests.envelope.suite import CASES, Case, filled, key_of

FOLDER: Final = Path(__file__).parent / "cases"

SENTINEL: Final = 99
"""The row that is written last: what is in front of it has been captured."""

WAIT: Final = 180.0

ASK_SECONDS: Final = 20.0
"""Between two askings for an incremental snapshot."""

_BESIDE: Final = {"message": "{prefix}.message", "transaction": "{prefix}.transaction",
                  "heartbeat": "__debezium-heartbeat.{prefix}"}  # fmt: skip

Run = Callable[[str, str], None]
"""Executes statements in a source, after those that set the session up."""


@dataclass(frozen=True, slots=True)
class Message:
    """One captured message of one connector, with the topic that it would be in without the suite's routing."""

    mode: str
    capture: Capture
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Kitchen:
    """One source with its connectors."""

    def __init__(
        self, stack: LocalStack, kind: SourceKind, cases: Sequence[Case], modes: Iterable[str]
    ) -> None:
        self._stack = stack
        self._kind = kind
        self._cases = cases
        self._department = kitchen.DEPARTMENTS[kind]
        self._prefix = topic_prefix(self._department)
        self._connectors = [
            (mode, capture)
            for mode in modes
            for capture in Capture
            if mode in (kitchen.DEFAULT, "precise", "double") or capture is Capture.JSON
        ]

    def run(self) -> list[Message]:
        """Make the database, run the cases and return the messages of all connectors, each topic's in order."""
        self._stack.ensure_databases([self._department], self._kind)
        with self._session() as run:
            run("", kitchen.TABLES[self._kind])
            for case in self._cases:
                for statement in case.before:
                    run(case.session, filled(case, statement))
            self._administer(run)
            self._start()
            for case in self._cases:
                for statement in case.sql:
                    if statement == "SIGNAL":
                        self._signal(case)
                    else:
                        run(case.session, filled(case, statement))
            run("", f"INSERT INTO numbers (id) VALUES ({SENTINEL})")
        return list(self._read())

    @contextmanager
    def _session(self) -> Iterator[Run]:
        dsn = self._stack.dsn(self._department)
        if self._kind == "mariadb":

            def script(session: str, text: str) -> None:
                mariadb.run_script(dsn, f"{session}; {text}" if session else text)

            yield script
            return
        with psycopg.connect(dsn, autocommit=True) as connection:

            def execute(session: str, text: str) -> None:
                connection.execute(f"{session}; {text}".encode() if session else text.encode())

            yield execute

    def _administer(self, run: Run) -> None:
        run("", debezium.source_sql(self._department, kitchen.captured(self._kind), kind=self._kind))
        user, password = account(self._department, self._kind), self._stack.capture_password
        if self._kind == "mariadb":
            run("", f"GRANT SELECT ON {self._department}.* TO '{user}'@'%'")
            run("", f"SET PASSWORD FOR '{user}'@'%' = PASSWORD('{password}')")
        else:
            run(
                "",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}; ALTER ROLE {user} PASSWORD '{password}'",
            )

    def _tables(self, mode: str) -> list[str]:
        tables = kitchen.captured(self._kind)
        return [
            f"{t.schema}.{t.table}" for t in tables if mode == kitchen.DEFAULT or t.table in kitchen.NARROW
        ]

    def _topics(self) -> list[str]:
        """Return the topics of all connectors, as routed."""
        return [
            f"{mode}.{capture.value}.{topic}"
            for mode, capture in self._connectors
            for topic in (
                *(f"{self._prefix}.{table}" for table in self._tables(mode)),
                *(name.format(prefix=self._prefix) for name in _BESIDE.values()),
            )
        ]

    def _start(self) -> None:
        endpoints = self._stack.endpoints()
        own = [signal_topic(self._department), *(f"{schema_history_topic(self._department)}.{mode}.{capture.value}"
               for mode, capture in self._connectors)]  # fmt: skip
        settings = {"retention.ms": "-1", "max.message.bytes": str(16 << 20)}
        ensure_topics(
            endpoints.kafka, [TopicSpec(name, settings=settings) for name in (*self._topics(), *own)]
        )
        connectors = [
            self._connector(number, mode, capture) for number, (mode, capture) in enumerate(self._connectors)
        ]
        debezium.apply(endpoints.connect, connectors)
        debezium.wait_running(endpoints.connect, [connector.name for connector in connectors], WAIT)
        if self._kind == "postgresql":
            self._await_slots(len(connectors))
        self._await_snapshots()

    def _connector(self, number: int, mode: str, capture: Capture) -> Connector:
        endpoints = self._stack.endpoints()
        source = Source(
            self._department, "127.0.0.1", self._stack.ports[self._kind], self._department,
            account(self._department, self._kind), f"${{file:{secrets_file(self._stack.data)}:password}}", self._kind,
        )  # fmt: skip
        made = debezium.connector(
            source,
            kitchen.captured(self._kind),
            capture=capture,
            kafka=endpoints.kafka,
            registry=endpoints.registry,
        )
        config = {
            **made.config,
            **kitchen.MODES[self._kind][mode],
            "table.include.list": ",".join(name.replace(".", r"\.") for name in self._tables(mode)),
            "signal.kafka.groupId": f"kitchen-{self._department}-{number}",
            "provide.transaction.metadata": "true" if mode == "precise" else "false",
            "transforms": "route",
            "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.route.regex": "(.*)",
            "transforms.route.replacement": f"{mode}.{capture.value}.$1",
        }
        del config["column.include.list"]
        if mode != kitchen.DEFAULT:
            # It has not all tables, and being asked for one that it has not would end it.
            config = {name: value for name, value in config.items() if not name.startswith("signal.")}
        if self._kind == "postgresql":
            config["slot.name"] = f"kitchen_{number}"
        else:
            config["database.server.id"] = str(5000 + number)
            config["schema.history.internal.kafka.topic"] += f".{mode}.{capture.value}"
        return Connector(f"renkou-{self._department}-{number}", config)

    def _await_slots(self, wanted: int) -> None:
        with psycopg.connect(self._stack.dsn(self._department), autocommit=True) as connection:
            _until(
                "the slots",
                lambda: connection.execute(
                    "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'kitchen%' AND active"
                ).fetchall()[0][0] == wanted,
            )  # fmt: skip

    def _await_snapshots(self) -> None:
        """Return when each connector streams: its heartbeats come then."""
        beats = [name for name in self._topics() if "heartbeat" in name]
        consumer = self._consumer()
        try:
            _until("the snapshots", lambda: all(_end(consumer, name) > 0 for name in beats))
        finally:
            consumer.close()

    def _signal(self, case: Case) -> None:
        table = next(name for name in self._tables(kitchen.DEFAULT) if name.endswith(f".{case.table}"))
        data: dict[str, object] = {"data-collections": [table], "type": "INCREMENTAL"}
        if sum(other.table == case.table for other in self._cases) > 1:
            condition = {"data-collection": table, "filter": f"id = {key_of(case)}"}
            data["additional-conditions"] = [condition]
        producer = Producer({"bootstrap.servers": self._stack.endpoints().kafka})
        signal = json.dumps({"type": "execute-snapshot", "data": data})
        topics = [name for name in self._topics() if name.startswith("default.") and name.endswith(table)]
        asked = 0.0

        def arrived() -> bool:
            # A connector that has just started misses what is asked of it.
            nonlocal asked
            if time.monotonic() - asked > ASK_SECONDS:
                asked = time.monotonic()
                producer.produce(signal_topic(self._department), key=self._prefix, value=signal)
                producer.flush(10)
            return all(_holds(self._drain([name]), b"incremental") for name in topics)

        _until("the incremental snapshot", arrived)

    def _read(self) -> Iterator[Message]:
        topics = self._topics()
        wire = WireReader(ConfluentRegistry(self._stack.endpoints().registry))
        last = [name for name in topics if name.endswith(".numbers")]

        def arrived() -> bool:
            found = self._drain(last)
            ended = {
                message.topic
                for message in found
                if message.key and wire.key(message.key).get("id") == SENTINEL
            }
            return len(ended) == len(last)

        _until("the last row in every connector", arrived)
        for message in self._drain(topics):
            mode, format_, topic = message.topic.split(".", 2)
            yield replace(message, mode=mode, capture=Capture(format_), topic=topic)

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._stack.endpoints().kafka,
                "group.id": "kitchen",
                "enable.auto.commit": False,
            }
        )

    def _drain(self, topics: Sequence[str]) -> list[Message]:
        """Return everything that the topics hold now."""
        consumer = self._consumer()
        found = []
        try:
            left = {name: end for name in topics if (end := _end(consumer, name))}
            consumer.assign([TopicPartition(name, 0, 0) for name in left])
            while left:
                message = consumer.poll(1.0)
                if message is None or message.error() is not None:
                    continue
                headers = tuple((name, value or b"") for name, value in message.headers() or [])
                name = message.topic()
                found.append(Message("", Capture.JSON, name, message.key(), message.value(), headers))
                if name in left and message.offset() + 1 >= left[name]:
                    del left[name]
        finally:
            consumer.close()
        return found


def lines(
    messages: Iterable[Message], cases: Sequence[Case], wire: WireReader, department: str
) -> list[dict[str, Any]]:
    """Return the events of the cases as the files have them."""
    prefix = topic_prefix(department)
    rows = {(case.table, key_of(case)): case for case in cases if case.table not in _BESIDE}
    beside = {_BESIDE[case.table].format(prefix=prefix): case for case in cases if case.table in _BESIDE}
    emptied = {case.table: case for case in cases if case.table == "emptied"}
    taken: dict[tuple[str, str, str], int] = {}
    found = []
    for message in messages:
        table = message.topic.rpartition(".")[2]
        if message.topic in beside:
            case: Case | None = beside[message.topic]
            place = (message.mode, message.capture.value, message.topic)
            taken[place] = taken.get(place, 0) + 1
            if taken[place] > 2:  # one of a kind is enough, and a transaction has two
                continue
        elif message.key is None:
            case = emptied.get(table)
        else:
            case = rows.get((table, _number(wire.key(message.key))))
        if case is None:
            continue
        if "SIGNAL" in case.sql:  # which may have been given more than once
            place = (message.mode, message.capture.value, case.name)
            taken[place] = taken.get(place, 0) + 1
            if taken[place] > len(case.expected):
                continue
        found.append(_line(case, message))
    order = {case.name: number for number, case in enumerate(cases)}
    return sorted(found, key=lambda line: order[line["case"]])


def _number(key: Mapping[str, Any]) -> int:
    number = key.get("id", key.get("b"))
    if not isinstance(number, int):  # a transaction's, say
        return 0
    return number // 1000 if number > 1000 else number


def _line(case: Case, message: Message) -> dict[str, Any]:
    is_avro = message.capture is Capture.AVRO
    return {
        "case": case.name,
        "mode": message.mode,
        "format": message.capture.value,
        "topic": message.topic,
        "key": _text(message.key, is_avro),
        "value": _text(message.value, is_avro),
        "headers": {name: value.decode() for name, value in message.headers if name.startswith("__debezium.")
                    and "context" not in name},
    }  # fmt: skip


def _text(data: bytes | None, is_avro: bool) -> str | None:
    if data is None:
        return None
    return base64.b64encode(data).decode() if is_avro else data.decode()


def _end(consumer: Consumer, topic: str) -> int:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    return int(end)


def _holds(messages: Sequence[Message], text: bytes) -> bool:
    return any(message.value is not None and text in message.value for message in messages)


def _until(what: str, check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {WAIT:.0f} s")
        time.sleep(0.3)


def capture(
    stack: LocalStack, kind: SourceKind, cases: Sequence[Case], modes: Iterable[str]
) -> tuple[list[dict[str, Any]], dict[int, Schema]]:
    """Return the lines of a source's cases and the Avro schemas that they name by id."""
    messages = Kitchen(stack, kind, cases, modes).run()
    registry = ConfluentRegistry(stack.endpoints().registry)
    found = lines(messages, cases, WireReader(registry), kitchen.DEPARTMENTS[kind])
    ids = {
        number
        for line in found
        if line["format"] == Capture.AVRO.value
        for part in (line["key"], line["value"])
        if part is not None and (number := schema_id_of(base64.b64decode(part))) is not None
    }
    return found, {number: registry.schema(number) for number in sorted(ids)}


def write(kind: SourceKind, found: Iterable[Mapping[str, Any]], schemas: Mapping[int, Schema]) -> None:
    """Write a source's files."""
    known = ({"id": number, "schema": schema} for number, schema in schemas.items())
    for name, entries in ((f"{kind}.jsonl", found), (f"{kind}.schemas.jsonl", known)):
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        (FOLDER / name).write_text(text, encoding="utf-8")


def main() -> int:
    """Capture everything and write the files."""
    wanted = set(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="renkou-kitchen-") as folder:
        Path(folder).chmod(0o711)
        with LocalStack(Path(folder) / "hub") as stack:
            stack.start()
            for kind in kitchen.DEPARTMENTS:
                if wanted and kind not in wanted:
                    continue
                cases = [case for case in CASES if case.source == kind]
                found, schemas = capture(stack, kind, cases, kitchen.MODES[kind])
                write(kind, found, schemas)
                print(f"{kind}: {len(cases)} cases, {len(found)} events, {len(schemas)} Avro schemas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
