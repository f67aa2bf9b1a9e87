"""The store's tables, generated from the Avro schemas.

A feed's table has the record's key, its raw row, the feed's elements, its findings and where it came from.
What a record says about persons goes to ``mentions``, one row for every role and ordinal that the feed
declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro.record import PERSON_ELEMENTS
from avro.schema import Schema, shared_schema, shared_type
from connectors.clickhouse import sql
from connectors.clickhouse.tables import DATABASE, Column, Table, View
from connectors.errors import StoreError

RECORD_COLUMNS: Final = (
    "findings",
    "op",
    "topic",
    "partition",
    "offset",
    "source_time",
    "captured_time",
    "snapshot",
    "version",
    "is_deleted",
)
"""A feed table's columns behind key, raw and the elements."""

_LOW_CARDINALITY: Final = frozenset(
    {"department", "table", "role", "op", "topic", "stage", "rule", "state", "kind", "feed"}
)
"""Columns of few different texts, whatever the schema they come from."""

_PRIMITIVES: Final = {
    "string": "String",
    "bytes": "String",
    "int": "Int32",
    "long": "Int64",
    "float": "Float32",
    "double": "Float64",
    "boolean": "Bool",
}
_LOGICAL: Final = {
    "date": "Date32",
    "timestamp-millis": "DateTime64(3, 'UTC')",
    "timestamp-micros": "DateTime64(6, 'UTC')",
}


@dataclass(frozen=True, slots=True)
class FeedTable:
    """What the store needs to know of a feed.

    ``feed`` is ``<department>.<type>``, ``schema`` the whole record schema (`avro.schema.record_schema`),
    ``roles`` maps each role that the feed declares to its number of ordinals.
    """

    feed: str
    schema: Schema
    roles: Mapping[str, int]

    @property
    def department(self) -> str:
        """The owner of the data."""
        return self.feed.partition(".")[0]

    @property
    def type(self) -> str:
        """The data type: what ``table`` is called in ``mentions``."""
        return self.feed.partition(".")[2]

    @property
    def table(self) -> str:
        """Name of the feed's table."""
        return f"{self.department}_{self.type}"

    @property
    def elements(self) -> tuple[Schema, ...]:
        """The feed's own fields, those behind ``raw``."""
        fields = self.schema["fields"]
        return tuple(fields[next(i for i, field in enumerate(fields) if field["name"] == "raw") + 1 :])

    @property
    def slots(self) -> tuple[tuple[str, int], ...]:
        """Every role with every ordinal."""
        return tuple((role, ordinal) for role, count in self.roles.items() for ordinal in range(count))

    def field(self, name: str) -> Schema:
        """Return one of the record's fields."""
        found: Schema = next(field for field in self.schema["fields"] if field["name"] == name)
        return found


def column_type(schema: Any) -> str:
    """Return ClickHouse's spelling of the type that holds every value of an Avro type. Raises StoreError."""
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        if len(branches) != 1:
            raise StoreError(
                "a union of several types has no column type; use null and one type in the .avsc"
            )
        inner = column_type(branches[0])
        return inner if len(schema) == 1 or inner.startswith(("Array(", "Map(")) else f"Nullable({inner})"
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return _PRIMITIVES[schema]
        if schema == "renkou.Version":
            return "UInt128"
        raise StoreError(f"Avro type {schema} has no column type; write it out in the .avsc")
    kind = schema["type"]
    logical = schema.get("logicalType")
    if logical is not None:
        if logical not in _LOGICAL:
            raise StoreError(f"Avro's {logical} has no column type here; use a string, a date or a timestamp")
        return _LOGICAL[logical]
    if kind == "fixed" and schema["name"] == "Version":
        return "UInt128"
    if kind == "array":
        return f"Array({column_type(schema['items'])})"
    if kind == "map":
        return f"Map(String, {column_type(schema['values'])})"
    if kind == "record":
        parts = (f"{field['name']} {column_type(field['type'])}" for field in schema["fields"])
        return f"Tuple({', '.join(parts)})"
    if kind == "enum":
        return "LowCardinality(String)"
    return column_type(kind)


Comment = Callable[[Schema], str]


def field_comment(field: Schema) -> str:
    """Return what the schema says about a field."""
    return str(field.get("doc", ""))


def column(field: Schema, comment: Comment = field_comment) -> Column:
    """Return the column of a record's field. Raises StoreError that names the field."""
    name = field["name"]
    if name == "is_deleted":
        return Column(name, "UInt8", comment(field))
    try:
        kind = column_type(field["type"])
    except StoreError as error:
        raise StoreError(f"field {name}: {error}") from None
    if name in _LOW_CARDINALITY and kind == "String":
        kind = "LowCardinality(String)"
    return Column(name, kind, comment(field))


def feed_table(feed: FeedTable) -> Table:
    """Return the table of a feed's rows. Raises StoreError."""
    try:
        columns = (
            column(feed.field("key")),
            column(feed.field("raw")),
            *map(column, feed.elements),
            *(column(feed.field(name)) for name in RECORD_COLUMNS),
        )
    except StoreError as error:
        raise StoreError(f"schema of {feed.feed}: {error}") from None
    return Table(feed.table, columns, ("key",), feed.schema.get("doc", ""))


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
    fields = {field["name"]: field for field in shared_type("Mention")["fields"]}
    columns = (
        Column("department", "LowCardinality(String)"),
        Column("table", "LowCardinality(String)"),
        Column("key", "String"),
        Column("role", "LowCardinality(String)"),
        Column("ordinal", "Int32"),
        *(column(fields[element]) for element in PERSON_ELEMENTS),
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
MICROSECONDS: Final = 1_000_000


def frontiers_view() -> View:
    """Return ``frontiers``: the lag is that of the moment of the query, microseconds made seconds.

    A source whose state nobody has noted yet is ``initialising``.
    """
    # nullIf: a LEFT JOIN fills what it does not find with the type's empty value.
    return View(
        "frontiers",
        "SELECT f.department AS department, f.stage AS stage, f.frontier AS frontier,"
        f" greatest(0, dateDiff('microsecond', f.frontier, now64(6, 'UTC'))) / {MICROSECONDS} AS lag_seconds,"
        " if(s.state = '', 'initialising', toString(s.state)) AS state,"
        " if(s.state = '', NULL, s.since) AS since"
        f" FROM {FRONTIERS.stored} AS f FINAL LEFT JOIN {SOURCE_STATES.stored} AS s FINAL"
        " ON f.department = s.department",
    )


def findings_view(feeds: Sequence[FeedTable], tables: Mapping[str, Table]) -> View:
    """Return ``findings``: one row for every rule that a value of a live row broke."""
    if not feeds:
        raise StoreError("there is no feed; add at least one feed file")
    parts = [
        f"SELECT {sql.text(feed.department)} AS department, {sql.text(feed.type)} AS `table`, key,"
        " f.role AS role, f.ordinal AS ordinal, f.element AS element, f.rule AS rule, f.severity AS severity,"
        f" f.original AS original, source_time, version FROM {tables[feed.table].stored} FINAL"
        " ARRAY JOIN findings AS f"
        for feed in feeds
    ]
    return View("findings", " UNION ALL ".join(parts))


@dataclass(frozen=True, slots=True)
class StoreSchema:
    """All tables and views of a store."""

    tables: tuple[Table, ...]
    views: tuple[View, ...]


def store_schema(feeds: Sequence[FeedTable]) -> StoreSchema:
    """Return the whole schema for these feeds. Raises StoreError."""
    feed_tables = {feed.table: feed_table(feed) for feed in feeds}
    shared_names = {table.name for table in SHARED_TABLES} | {"findings"}
    for feed in feeds:
        if feed.table in shared_names:
            raise StoreError(
                f"feed {feed.feed}: its table would be {feed.table}, one of the store's own; rename the feed"
            )
    if len(feed_tables) != len(feeds):
        raise StoreError("two feeds have one table name; rename one of them")
    tables = (*feed_tables.values(), *SHARED_TABLES)
    views = [table.view for table in tables if table is not FRONTIERS]
    return StoreSchema(tables, (*views, frontiers_view(), findings_view(feeds, feed_tables)))


__all__ = [
    "DATABASE",
    "DEAD_LETTERS",
    "FRONTIERS",
    "IDENTITIES",
    "MARKS",
    "MENTIONS",
    "PERSONS",
    "PERSON_HISTORY",
    "SOURCE_STATES",
    "FeedTable",
    "StoreSchema",
    "column_type",
    "feed_table",
    "store_schema",
]
