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
from connectors import connect
from connectors.clickhouse.schema import FeedTable
from connectors.debezium import connector_name, signal_topic, topic_prefix
from connectors.errors import TerminalError
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

    def __init__(self, producer: Producer, schemas: TopicSchemas, connect: str) -> None:
        """``connect`` is the address of Kafka Connect's REST interface."""
        self._connect = connect
        self._captured: set[str] = set()
        self._producer = producer
        self._schemas = schemas

    def ask(self, feed: Feed, source: SourceTable, differences: Iterable[Difference]) -> None:
        """Ask for the repair of these rows; returns when the requests are durable.

        Raises BrokerUnavailableError, TransientError where Kafka Connect does not answer, and TerminalError for a
        table that is not captured: nothing has been asked for then.
        """
        again: list[str] = []
        surplus: list[Difference] = []
        for difference in differences:
            if difference.kind is Kind.SURPLUS:
                surplus.append(difference)
            else:
                again.append(difference.key)
        if again:
            self._check_captured(feed)
        for start in range(0, len(again), ROWS_A_SIGNAL):
            self._capture(feed, source, again[start : start + ROWS_A_SIGNAL])
        for difference in surplus:
            self._clear(feed, difference)
        self._producer.flush()

    def _check_captured(self, feed: Feed) -> None:
        """Raise TerminalError unless the feed's table is captured: a signal for another one ends Debezium's task."""
        if feed.id in self._captured:
            return
        name = connector_name(feed.department)
        if not connect.captures(self._connect, name, feed.schema, feed.table):
            raise TerminalError(
                f"feed {feed.id}: its table is not captured by the connector {name}, so that its rows cannot be"
                " captured again; run 'renkou connect apply', and verify again"
            )
        self._captured.add(feed.id)

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
