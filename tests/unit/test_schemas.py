"""What travels between the stages: framed, found again by id, and read across versions of a schema."""

from __future__ import annotations

import copy

import pytest

from avro.codec import DatumCodec
from avro.errors import SchemaError
from avro.record import Mark, MarkKind, Mention, Record
from avro.registry import LocalRegistry, frame
from connectors.feeds import Catalog
from streams.schemas import LogRecord, TopicSchemas

FEED = "police.hj_hjxx"


def record() -> Record:
    return Record(
        feed=FEED, op="c", key='{"HH":"1"}', version=9, is_deleted=False, snapshot=False, source_time=1,
        captured_time=2, topic="t", partition=0, offset=3, mentions=(Mention(role="householder", name="张三"),),
    )  # fmt: skip


def elements(catalog: Catalog) -> dict[str, object]:
    schema = catalog.by_id(FEED).codec.schema
    start = [field["name"] for field in schema["fields"]].index("raw") + 1
    return {field["name"]: field.get("default") for field in schema["fields"][start:]}


def test_records_and_marks_come_back() -> None:
    catalog = Catalog.load()
    schemas = TopicSchemas(LocalRegistry(), catalog)
    datum = catalog.by_id(FEED).codec.encode(record(), "{}", elements(catalog))
    assert schemas.read_log(schemas.frame_record(FEED, datum)) == LogRecord(record(), datum)
    mark = Mark(MarkKind.TRUNCATE, "police", FEED, 7, 8)
    assert schemas.read_log(schemas.frame_mark(mark)) == mark


def test_a_record_of_an_older_schema_gets_the_new_fields_defaults() -> None:
    catalog = Catalog.load()
    registry = LocalRegistry()
    older = copy.deepcopy(catalog.by_id(FEED).codec.schema)
    removed = older["fields"].pop()["name"]
    whole = catalog.by_id(FEED).codec.encode(record(), "{}", elements(catalog))
    present = DatumCodec(catalog.by_id(FEED).codec.schema).decode(whole)
    present.pop(removed)
    message = frame(registry.register("renkou.records", older), DatumCodec(older).encode(present))
    entry = TopicSchemas(registry, catalog).read_log(message)
    assert isinstance(entry, LogRecord)
    assert entry.record == record()
    assert entry.datum == whole


def test_a_schema_that_no_feed_has_is_refused_with_what_to_do() -> None:
    registry = LocalRegistry()
    foreign = {"type": "record", "name": "other", "namespace": "renkou.nowhere", "fields": []}
    message = frame(registry.register("renkou.records", foreign), b"")
    with pytest.raises(SchemaError, match="restore the feed"):
        TopicSchemas(registry, Catalog.load()).read_log(message)
