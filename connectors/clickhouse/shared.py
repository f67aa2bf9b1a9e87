"""The tables that all feeds share, and the schemas of those that only the store has."""

from __future__ import annotations

from typing import Any, Final

from avro.record import EVIDENCE, PERSON_ELEMENTS
from avro.schema import Schema, shared_schema, shared_type
from connectors.clickhouse.columns import column
from connectors.clickhouse.tables import Column, Table


def _from_schema(
    name: str,
    schema: Schema,
    order_by: tuple[str, ...],
    *,
    deletes: bool = True,
    lookups: tuple[str, ...] = (),
) -> Table:
    return Table(
        name, tuple(map(column, schema["fields"])), order_by, schema.get("doc", ""), deletes, lookups
    )


def _field(name: str, kind: Any, doc: str = "") -> Schema:
    return {"name": name, "type": kind, "doc": doc}


_VERSION: Final[Schema] = {"type": "fixed", "name": "Version", "size": 16}
_MICROS: Final[Schema] = {"type": "long", "logicalType": "timestamp-micros"}
_HEADER: Final[Schema] = {
    "type": "record",
    "name": "MessageHeader",
    "fields": [_field("name", "string"), _field("value", ["null", "bytes"])],
}

DEAD_LETTER: Final[Schema] = {
    "type": "record",
    "name": "StoredDeadLetter",
    "namespace": "renkou",
    "doc": "Changes that could not become records, with their original bytes / 死信",
    "fields": [
        _field("department", "string"),
        _field("table", "string"),
        _field("topic", "string"),
        _field("partition", "int"),
        _field("offset", "long"),
        _field("key", ["null", "string"], "The key as text; bytes that are no UTF-8 escaped / 主键文本"),
        _field("stage", "string", "Where it stopped / 环节"),
        _field("rule", "string", "Why, as a stable code / 原因代码"),
        _field("error", "string", "Why, as a sentence without personal data / 原因"),
        _field("state", "string", "open, replayed or discarded / 状态"),
        _field("raw_key", ["null", "bytes"], "The key's original bytes / 原始主键"),
        _field("raw_value", ["null", "bytes"], "The value's original bytes / 原始内容"),
        _field("headers", {"type": "array", "items": _HEADER}),
        _field(
            "event_time", {"type": "long", "logicalType": "timestamp-millis"}, "The broker's time / 消息时间"
        ),
        _field("version", _VERSION, "Orders the states: 0 for open / 状态版本"),
    ],
}
FRONTIER: Final[Schema] = {
    "type": "record",
    "name": "StoredFrontier",
    "namespace": "renkou",
    "doc": "Per department and stage: the source time up to which everything has passed / 各环节进度",
    "fields": [
        _field("department", "string"),
        _field("stage", "string", "captured, normalized, linked or queryable / 环节"),
        _field("frontier", _MICROS),
        _field("noted", _MICROS, "When it was reached, by the store's clock / 到达时间"),
        _field("version", _VERSION, "The frontier itself: it never goes back / 版本"),
    ],
}
SOURCE_STATE: Final[Schema] = {
    "type": "record",
    "name": "SourceState",
    "namespace": "renkou",
    "doc": "Per department: what the source is doing, and since when / 数据源状态",
    "fields": [
        _field("department", "string"),
        _field("state", "string"),
        _field("since", _MICROS),
        _field("version", _VERSION, "When it was noted, microseconds since 1970 / 版本"),
    ],
}


def mentions_table() -> Table:
    """Return the table of persons as the records name them."""
    fields = {field["name"]: field for field in shared_schema("Mention")["fields"]}
    columns = (
        Column("department", "LowCardinality(String)"),
        Column("table", "LowCardinality(String)"),
        Column("key", "String"),
        Column("role", "LowCardinality(String)"),
        Column("ordinal", "Int32"),
        *(column(fields[name]) for name in (*PERSON_ELEMENTS, *EVIDENCE)),
        Column("source_time", "DateTime64(6, 'UTC')"),
        Column("version", "UInt128"),
        Column("is_deleted", "UInt8"),
    )
    key = ("department", "table", "key", "role", "ordinal")
    return Table("mentions", columns, key, shared_type("Mention")["doc"], lookups=("id_number", "name"))


MENTIONS: Final = mentions_table()
IDENTITIES: Final = _from_schema(
    "identities",
    shared_schema("Identity"),
    ("department", "table", "key", "role", "ordinal"),
    lookups=("person_id",),
)
PERSONS: Final = _from_schema(
    "persons", shared_schema("Person"), ("person_id",), lookups=("id_number", "name")
)
PERSON_HISTORY: Final = _from_schema(
    "person_history", shared_schema("Person"), ("person_id", "version"), deletes=False
)
DEAD_LETTERS: Final = _from_schema(
    "dead_letters", DEAD_LETTER, ("topic", "partition", "offset"), deletes=False
)
FRONTIERS: Final = _from_schema("frontiers", FRONTIER, ("department", "stage"), deletes=False)
SOURCE_STATES: Final = _from_schema("source_states", SOURCE_STATE, ("department",), deletes=False)
MARKS: Final = _from_schema("marks", shared_schema("Mark"), ("kind", "department", "feed"), deletes=False)

SHARED_TABLES: Final = (
    MENTIONS,
    IDENTITIES,
    PERSONS,
    PERSON_HISTORY,
    DEAD_LETTERS,
    FRONTIERS,
    SOURCE_STATES,
    MARKS,
)
