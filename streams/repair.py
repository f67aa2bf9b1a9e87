"""Repairing what a verification found, through the ways that changes always take.

Rows that are missing or different in the store are captured again: Debezium is asked, by a signal through Kafka, for an
incremental snapshot of just these rows. A row that the store has and the source has not is deleted in the log, with a
version right behind that of the stored row: every later change of the source is newer still.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from avro.record import Record, log_key
from avro.schema import Schema
from connectors.clickhouse import FeedTable
from connectors.debezium import signal_topic, topic_prefix
from connectors.feeds.feed import Feed
from monitoring.reconcile.difference import Difference, Kind
from monitoring.reconcile.source import SourceTable
from streams import topics
from streams.producer import Producer
from streams.schemas import TopicSchemas

ROWS_A_SIGNAL: Final = 500
"""Rows that one signal asks for: their condition is SQL text, and stays within tens of kilobytes."""

CLEARED: Final = "verify"
"""What a delete of ours has as its topic: it stands in no captured one."""


class _Condition(msgspec.Struct, rename="kebab"):
    data_collection: str
    filter: str


class _Snapshot(msgspec.Struct, rename="kebab"):
    data_collections: list[str]
    additional_conditions: list[_Condition]
    type: str = "INCREMENTAL"


class _Signal(msgspec.Struct):
    data: _Snapshot
    type: str = "execute-snapshot"


class Repairer:
    """Asks for the repair of rows; that it has happened is for the verifier to see."""

    def __init__(self, producer: Producer, schemas: TopicSchemas) -> None:
        self._producer = producer
        self._schemas = schemas

    def ask(self, feed: Feed, source: SourceTable, differences: Iterable[Difference]) -> None:
        """Ask for the repair of these rows; returns when the requests are durable. Raises BrokerUnavailableError."""
        again: list[str] = []
        for difference in differences:
            if difference.kind is Kind.SURPLUS:
                self._clear(feed, difference)
            else:
                again.append(difference.key)
        for start in range(0, len(again), ROWS_A_SIGNAL):
            self._capture(feed, source, again[start : start + ROWS_A_SIGNAL])
        self._producer.flush()

    def _capture(self, feed: Feed, source: SourceTable, keys: Sequence[str]) -> None:
        table = f"{feed.schema}.{feed.table}"
        snapshot = _Snapshot([table], [_Condition(table, source.condition(keys))])
        self._producer.send(
            signal_topic(feed.department),
            topic_prefix(feed.department).encode(),
            msgspec.json.encode(_Signal(snapshot)),
        )

    def _clear(self, feed: Feed, difference: Difference) -> None:
        now = time.time_ns() // 1000
        record = Record(
            feed=feed.id,
            op="d",
            key=difference.key,
            version=difference.version + 1,
            is_deleted=True,
            snapshot=False,
            source_time=now,
            captured_time=now,
            topic=CLEARED,
            partition=0,
            offset=0,
        )
        table = FeedTable(feed.id, feed.codec.schema, feed.roles)
        nothing: dict[str, Any] = {
            field["name"]: [] if _is_array(field) else None for field in table.elements
        }
        datum = feed.codec.encode(record, None, nothing)
        self._producer.send(
            topics.RECORDS,
            log_key(feed.id, difference.key),
            self._schemas.frame_record(feed.id, datum),
        )


def _is_array(field: Schema) -> bool:
    return isinstance(field["type"], dict) and field["type"]["type"] == "array"
