"""A department with one table, captured by Debezium on a stack without the hub's processes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg import sql

from connectors import debezium, topics
from connectors.debezium import Capture, CapturedTable, Connector, Source
from connectors.stack import LocalStack
from connectors.stack.connect import secrets_file

TABLE = CapturedTable("public", "hj", ("XM", "note"), ("HH",))
"""``XP``, a photograph, is in the table and in no feed."""

ARRIVE_SECONDS = 60.0
"""A killed worker's session, its start and the connector's fit in."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is in Kafka."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Department:
    """A database of its own on the stack; the name must be new or the same department's."""

    def __init__(self, stack: LocalStack, name: str, capture: Capture = Capture.JSON) -> None:
        self.stack = stack
        self.name = name
        self.topic = f"cdc.{name}.public.hj"
        self._capture = capture

    def create(self) -> None:
        """Make the database with its table, and be its administrator."""
        self.stack.ensure_databases([self.name])
        self.execute('CREATE TABLE hj ("HH" bigint PRIMARY KEY, "XM" text, note text, "XP" bytea)')
        self.execute("ALTER TABLE hj REPLICA IDENTITY FULL")
        self.administer()

    def administer(self, tables: Sequence[CapturedTable] = (TABLE,)) -> None:
        """Run the SQL that renkou prints for the administrator, and set the role's password."""
        with self.connect() as connection:
            connection.execute(debezium.source_sql(self.name, tables).encode())
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(debezium.ROLE), sql.Literal(self.stack.capture_password)
                )
            )

    def connect(self, user: str | None = None) -> psycopg.Connection:
        address = self.stack.dsn(self.name)
        if user is not None:
            return psycopg.connect(address, user=user, password=self.stack.capture_password, autocommit=True)
        return psycopg.connect(address, autocommit=True)

    def execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def connector(self, password: str | None = None) -> Connector:
        reference = f"${{file:{secrets_file(self.stack.data)}:password}}"
        source = Source(
            self.name,
            "127.0.0.1",
            self.stack.ports["postgresql"],
            self.name,
            debezium.ROLE,
            password or reference,
        )
        addresses = self.stack.endpoints()
        return debezium.connector(
            source, [TABLE], capture=self._capture, kafka=addresses.kafka, registry=addresses.registry
        )

    def start_capture(self) -> None:
        """Create the topics, register the connector and wait until it runs."""
        addresses = self.stack.endpoints()
        topics.ensure_topics(addresses.kafka, topics.capture_topics(self.name, [TABLE]))
        debezium.apply(addresses.connect, [self.connector()])
        debezium.wait_running(addresses.connect, [f"renkou-{self.name}"])

    def messages(self, enough: Callable[[list[Message]], bool]) -> list[Message]:
        """Return the table's messages from the first on, as soon as they are enough."""
        return read(self.stack.endpoints().kafka, self.topic, enough)


def read(kafka: str, topic: str, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Return the messages of a topic's only partition from the first on, as soon as they are enough."""
    settings = {
        "bootstrap.servers": kafka,
        "group.id": uuid.uuid4().hex,
        "enable.auto.commit": False,
        "log_level": 0,
    }
    consumer = Consumer(settings)
    found: list[Message] = []
    deadline = time.monotonic() + ARRIVE_SECONDS
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while not enough(found):
            assert time.monotonic() < deadline, (
                f"only {len(found)} messages in {topic} after {ARRIVE_SECONDS:.0f} s"
            )
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                headers = {name: value or b"" for name, value in message.headers() or []}
                found.append(Message(message.offset(), message.key(), message.value(), headers))
        return found
    finally:
        consumer.close()
