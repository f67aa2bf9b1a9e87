"""The normalize stage's pure part: what an event leads to besides its record."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any, cast

import structlog

from avro.change import Place, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.record import DeadLetter, Mark, MarkKind
from avro.registry import LocalRegistry
from connectors.feeds import Catalog
from monitoring import metrics
from streams.normalize import NormalizeAgent, Normalizer, Recorded, dead_letter_headers, read_dead_letter
from streams.producer import Producer
from streams.schemas import TopicSchemas
from tests.unit.test_replay import TOPIC, envelope, household

CATALOG = Catalog.load()
NORMALIZER = Normalizer(CATALOG, EnvelopeDecoder(None))


def event(value: Any, key: Any = None, topic: str = TOPIC) -> RawEvent:
    encode = json.dumps
    return RawEvent(
        Place(topic, 0, 5),
        None if key is None else encode(key).encode(),
        None if value is None else encode(value, ensure_ascii=False).encode(),
    )


def snapshot_row(marker: str, position: int) -> RawEvent:
    value = envelope("r", household(random.Random(1), "1"), position)
    value["source"].update(snapshot=marker, sequence=f'[null,"{position}"]')
    return event(value, {"HH": "1"})


def test_the_end_of_a_snapshot_truncates_what_an_earlier_one_left() -> None:
    """Every feed of the source loses the rows below this snapshot's version; its own rows have that version."""
    assert len(NORMALIZER.process(snapshot_row("true", 900))) == 1
    record, *marks = NORMALIZER.process(snapshot_row("last", 900))
    assert isinstance(record, Recorded)
    (earlier,) = NORMALIZER.process(snapshot_row("true", 800))
    assert isinstance(earlier, Recorded)
    police = {feed.id for feed in CATALOG.feeds_of("police") if feed.is_captured}
    assert {mark.feed for mark in marks if isinstance(mark, Mark)} == police
    for mark in marks:
        assert isinstance(mark, Mark)
        assert mark.kind is MarkKind.TRUNCATE
        assert earlier.record.version < mark.version <= record.record.version


def test_the_marks_of_a_snapshot_come_although_its_last_row_is_unreadable() -> None:
    value = envelope("r", {"HH": "1"}, 900)
    value["source"].update(snapshot="last", sequence='[null,"900"]')
    letter, *marks = NORMALIZER.process(event(value, {"HH": "1"}))
    assert isinstance(letter, DeadLetter)
    assert len(marks) == len([feed for feed in CATALOG.feeds_of("police") if feed.is_captured])


def test_a_truncate_is_a_mark_and_a_tombstone_nothing() -> None:
    (mark,) = NORMALIZER.process(event(envelope("t", None, 70)))
    assert isinstance(mark, Mark)
    assert mark.feed == "police.hj_hjxx"
    (ignored,) = NORMALIZER.process(event(None, {"HH": "1"}))
    assert ignored == Ignored("tombstone")


def test_a_dead_letter_survives_the_way_through_its_headers() -> None:
    (letter,) = NORMALIZER.process(event({"op": "c"}, {"HH": "1"}))
    assert isinstance(letter, DeadLetter)
    letter.headers = [("original", b"kept"), ("empty", None)]
    headers = dead_letter_headers(letter)
    assert sum(name.startswith("__connect.errors.") for name, _ in headers) == 10
    assert read_dead_letter(letter.key, letter.value, headers) == letter


def test_an_error_never_holds_a_value() -> None:
    secret = "39010219900101123X"
    for value in (
        {"op": "c", "after": {"HZGMSFHM": secret}},
        envelope("c", {"HH": "1", "HZGMSFHM": secret}, 9),
    ):
        (letter,) = NORMALIZER.process(event(value, {"HH": "1"}))
        assert isinstance(letter, DeadLetter)
        assert secret not in letter.error


def test_what_connectors_write_beside_the_tables_is_ignored() -> None:
    value = {"source": {"name": "cdc.edu"}, "databaseName": "edu", "ddl": "ALTER TABLE x", "tableChanges": []}
    for topic, reason in (
        ("cdc.edu", "schema change"),
        ("cdc.police.transaction", "transaction"),
        ("__debezium-heartbeat.cdc.edu", "heartbeat"),
    ):
        assert NORMALIZER.process(event(value, {"databaseName": "edu"}, topic)) == [Ignored(reason)]
    (letter,) = NORMALIZER.process(event(value, {"databaseName": "edu"}, "cdc.nowhere"))
    assert isinstance(letter, DeadLetter)
    assert letter.rule == "unknown_topic"


def test_a_column_that_nobody_named_is_reported_once_and_its_value_dropped() -> None:
    class Sink:
        def send(self, *_: object) -> None: ...
        def flush(self) -> None: ...

    catalog = Catalog.load()
    normalizer = Normalizer(catalog, EnvelopeDecoder(None))
    agent = NormalizeAgent(normalizer, TopicSchemas(LocalRegistry(), catalog), cast(Producer, Sink()))
    row = {**household(random.Random(1), "1"), "NOVEL": "secret"}
    raw = event(envelope("c", row, 9), {"HH": "1"})
    (recorded,) = normalizer.process(raw)
    assert isinstance(recorded, Recorded)
    assert b"secret" not in recorded.datum
    message = SimpleNamespace(
        topic=TOPIC, partition=0, offset=1, key=raw.key, value=raw.value, headers=(), timestamp=0
    )
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            agent.process([[message]])
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["feed"], entry["columns"]) for entry in warnings] == [("police.hj_hjxx", ["NOVEL"])]
    assert "secret" not in str(logs)
    assert metrics.UNKNOWN_COLUMNS.labels("police.hj_hjxx")._value.get() == 1
