"""A department that nobody prepared for, in PostgreSQL or MariaDB: a feed of its own, captured by real Debezium.

What is read from Kafka goes through the real normalizer in this process: how the hub takes a table that changes can be
seen without the hub's processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from avro.change import Place, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.registry import ConfluentRegistry
from connectors import mariadb, topics
from connectors.captured import Capture, SourceKind
from connectors.feeds import Catalog, Feed
from connectors.stack import LocalStack
from streams import hub
from streams.normalize import Normalizer, Outcome
from tests.support import kcat

WAIT = 120.0


class Pantry:
    """One department with the table ``shelf`` (id, name, sfzh, note, amount)."""

    def __init__(self, stack: LocalStack, folder: Path, name: str, kind: SourceKind) -> None:
        self.stack = stack
        self.name = name
        self.kind = kind
        self._folder = folder
        self.write_feed()

    @property
    def topic(self) -> str:
        return f"cdc.{self.name}.{self.schema}.shelf"

    @property
    def schema(self) -> str:
        return self.name if self.kind == "mariadb" else "public"

    def write_feed(self, *, without: tuple[str, ...] = (), extra: str = "") -> None:
        """Write the feed's files; ``without`` leaves columns away, ``extra`` is another column's YAML."""
        columns = {
            "id": "{field: shelf_id, rule: serial}",
            "name": "{field: name, rule: name}",
            "sfzh": "{field: id_number, rule: resident_id}",
            "note": "{field: note, rule: text}",
            "amount": "{field: amount, rule: integer}",
        }
        lines = [f"      {column}: {rule}" for column, rule in columns.items() if column not in without]
        lines += [f"      {extra}"] if extra else []
        text = f"""\
department: {self.name}
title: {{zh: 储藏室, en: Pantry}}
source: {{kind: {self.kind}, schema: {self.schema}, generation: 0}}
feeds:
  - type: shelf
    title: {{zh: 架, en: Shelf}}
    key: [id]
    freshness: 5
    retention: permanent
    authority: {{default: 50}}
    columns:
{chr(10).join(lines)}
    mentions:
      - {{role: self, elements: [name, id_number]}}
"""
        (self._folder / f"{self.name}.yaml").write_text(text, encoding="utf-8")
        fields = [("shelf_id", "record_number", "string"), ("name", "name", "string")]
        fields += [("id_number", "id_number", "string")]
        fields += [("note", "remark", "string")] if "note" not in without else []
        fields += [("amount", "count", "long")] if "amount" not in without else []
        fields += [("novel", "remark", "string")] if extra else []
        schema = {
            "type": "record",
            "name": "shelf",
            "doc": "Shelf / 架",
            "fields": [
                {
                    "name": field,
                    "type": ["null", kind],
                    "default": None,
                    "doc": "A field / 一项",
                    "element": element,
                }
                for field, element, kind in fields
            ],
        }
        schemas = self._folder / "schemas" / self.name
        schemas.mkdir(parents=True, exist_ok=True)
        (schemas / "shelf.avsc").write_text(json.dumps(schema), encoding="utf-8")

    @property
    def feed(self) -> Feed:
        """The feed as its files say now."""
        return Catalog.load(self._folder).by_id(f"{self.name}.shelf")

    def create(self) -> None:
        """Make database and table."""
        self.stack.ensure_databases([self.name], self.kind)
        self.execute(
            "CREATE TABLE shelf (id int PRIMARY KEY, name varchar(20), sfzh varchar(18), note varchar(20), amount int)"
        )

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator, each of them committed."""
        dsn = self.stack.dsn(self.name, self.kind)
        for statement in statements:
            if self.kind == "mariadb":
                mariadb.run_script(dsn, statement)
            else:
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(statement.encode())

    def start_capture(self, capture: Capture = Capture.JSON) -> None:
        """Set the source up as the hub does, and register the connector."""
        catalog = Catalog.load(self._folder).only(lambda feed: feed.department == self.name)
        kafka = self.stack.endpoints().kafka
        topics.ensure_topics(
            kafka, topics.capture_topics(self.name, hub.captured_tables(catalog, self.name), self.kind)
        )
        hub.capture_departments(self.stack, catalog, [self.name], capture)

    def outcomes(self, count: int) -> Sequence[Outcome]:
        """Return what the first ``count`` changes lead to with the feed as it is now, as soon as they are there."""
        catalog = Catalog.load(self._folder)
        endpoints = self.stack.endpoints()
        registry = ConfluentRegistry(endpoints.registry)
        try:
            normalizer = Normalizer(catalog, EnvelopeDecoder(registry))
            deadline = time.monotonic() + WAIT
            while True:
                found = [
                    outcomes[0]
                    for event in self._events()
                    if not isinstance((outcomes := normalizer.process(event))[0], Ignored)
                ]
                if len(found) >= count:
                    return found
                assert time.monotonic() < deadline, (
                    f"only {len(found)} changes in {self.topic} after {WAIT:.0f} s"
                )
                time.sleep(0.2)
        finally:
            registry.close()

    def _events(self) -> Iterator[RawEvent]:
        for message in kcat.messages(self.stack.endpoints().kafka, [self.topic]):
            place = Place(message.topic(), message.partition(), message.offset())
            yield RawEvent(place, message.key(), message.value(), message.headers() or None)
