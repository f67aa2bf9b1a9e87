"""The tables that all feeds share, and the schemas of those that only the store has."""

from __future__ import annotations

from typing import Any, Final

from avro.record import EVIDENCE, PERSON_ELEMENTS
from avro.schema import RAW_FIELD, Schema, shared_schema, shared_type
from connectors.clickhouse.columns import column
from connectors.clickhouse.tables import Table


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

NOTED: Final[Schema] = _field(
    "noted",
    ["null", _MICROS],
    "When the register came to know it; null: before that was written down / 登记时间",
)
"""What a state of history is extended by (`connectors.clickhouse.history`)."""


def _noted(name: str) -> Schema:
    schema = shared_schema(name)
    return {**schema, "name": f"Stored{name}", "fields": [*schema["fields"], NOTED]}


IDENTITY_ROW: Final = _noted("Identity")
PERSON_ROW: Final = _noted("Person")
RECORD_ROW: Final[Schema] = {
    "type": "record",
    "name": "StoredRecord",
    "namespace": "renkou",
    "doc": "Every state of every feed's rows, as the source had them / 源数据历史",
    "fields": [
        _field("department", "string"),
        _field("table", "string"),
        _field("key", "string"),
        _field("version", _VERSION),
        _field("is_deleted", "int"),
        _field("source_time", _MICROS),
        RAW_FIELD,
        NOTED,
    ],
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
VERIFICATION: Final[Schema] = {
    "type": "record",
    "name": "StoredVerification",
    "namespace": "renkou",
    "doc": "Comparisons of a source's rows with the store's, by value / 源库核对",
    "fields": [
        _field("feed", "string"),
        _field("verification", "string", "One run over one or more feeds / 核对批次"),
        _field("started", _MICROS, "When it began / 开始时间"),
        _field("finished", _MICROS, "When it ended / 结束时间"),
        _field("position", _MICROS, "Source time up to which the two were compared / 核对到的源端时间"),
        _field("source_rows", "long", "Rows of the source / 源库行数"),
        _field("stored_rows", "long", "Rows of the store / 库中行数"),
        _field("missing", "long", "In the source only / 缺失"),
        _field("surplus", "long", "In the store only / 多余"),
        _field("different", "long", "Of other values / 不一致"),
        _field("undecided", "long", "Changed too often to tell, or not reached in time / 未定"),
        _field("unfit", "long", "Cannot be records / 无法成为记录"),
        _field("repaired", "long", "Differed, and do no more / 已修复"),
        _field("error", "string", "What kept it from its end; empty when nothing did / 未完成原因"),
        _field("version", _VERSION, "When it ended / 版本"),
    ],
}


def mentions_table() -> Table:
    """Return the table of persons as the records name them."""
    fields = {field["name"]: field for field in shared_schema("Mention")["fields"]}
    columns = (
        *map(column, (_field("department", "string"), _field("table", "string"), _field("key", "string"))),
        column(fields["role"]),
        column(fields["ordinal"]),
        *(column(fields[name]) for name in (*PERSON_ELEMENTS, *EVIDENCE)),
        *map(
            column, (_field("source_time", _MICROS), _field("version", _VERSION), _field("is_deleted", "int"))
        ),
    )
    key = ("department", "table", "key", "role", "ordinal")
    return Table("mentions", columns, key, shared_type("Mention")["doc"], lookups=("id_number", "name"))


MENTIONS: Final = mentions_table()
IDENTITIES: Final = _from_schema(
    "identities",
    shared_schema("Identity"),
    ("department", "table", "key", "role", "ordinal"),
)
# A person's mentions are looked up here as well, which is why the person comes first.
IDENTITY_HISTORY: Final = _from_schema(
    "identity_history",
    IDENTITY_ROW,
    ("person_id", "department", "table", "key", "role", "ordinal", "version"),
    deletes=False,
    lookups=("key",),
)
RECORD_HISTORY: Final = _from_schema(
    "record_history", RECORD_ROW, ("department", "table", "key", "version"), deletes=False
)
PERSONS: Final = _from_schema(
    "persons", shared_schema("Person"), ("person_id",), lookups=("id_number", "name")
)
PERSON_HISTORY: Final = _from_schema("person_history", PERSON_ROW, ("person_id", "version"), deletes=False)
PERSON_IDS: Final = _from_schema("person_ids", shared_schema("PersonId"), ("person_id",), deletes=False)
DECISIONS: Final = _from_schema("decisions", shared_schema("DecisionEffect"), ("decision_id",), deletes=False)
REVIEWS: Final = _from_schema("reviews", shared_schema("Review"), ("review_id",), deletes=False)
LINKED: Final = {"PersonId": PERSON_IDS, "DecisionEffect": DECISIONS, "Review": REVIEWS}
"""What the linker says beside identities and persons: schemas with their tables."""

DEAD_LETTERS: Final = _from_schema(
    "dead_letters", DEAD_LETTER, ("topic", "partition", "offset"), deletes=False
)
FRONTIERS: Final = _from_schema("frontiers", FRONTIER, ("department", "stage"), deletes=False)
SOURCE_STATES: Final = _from_schema("source_states", SOURCE_STATE, ("department",), deletes=False)
VERIFICATIONS: Final = _from_schema(
    "verifications", VERIFICATION, ("feed", "started", "verification"), deletes=False
)
MARKS: Final = _from_schema("marks", shared_schema("Mark"), ("kind", "department", "feed"), deletes=False)

SHARED_TABLES: Final = (
    MENTIONS,
    IDENTITIES,
    PERSONS,
    PERSON_HISTORY,
    IDENTITY_HISTORY,
    RECORD_HISTORY,
    PERSON_IDS,
    DECISIONS,
    REVIEWS,
    DEAD_LETTERS,
    FRONTIERS,
    SOURCE_STATES,
    VERIFICATIONS,
    MARKS,
)
