"""From an Avro field to the column that holds it.

No column is ``LowCardinality``, though many hold few different texts: the engine's Avro parser makes a column of one
value for every value of such a one, which is two thirds of what a row of a feed costs to take in
(docs/decisions/0013-quick-sink.md).
"""

from __future__ import annotations

from typing import Any, Final

from avro.elements import element_of
from avro.schema import Schema, shared_type
from connectors.clickhouse import titles
from connectors.clickhouse.tables import Column
from connectors.errors import StoreError

_KEYWORDS: Final = frozenset({"table"})
"""Names of parts of tuples that ClickHouse quotes, since its grammar has them."""

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


def _part(name: str) -> str:
    """Return the name of a tuple's part as ``system.columns`` spells it."""
    return f"`{name}`" if name in _KEYWORDS else name


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
        if schema == "renkou.MentionPlace":  # written out where it is first named
            return column_type(shared_type("MentionPlace"))
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
        parts = (f"{_part(field['name'])} {column_type(field['type'])}" for field in schema["fields"])
        return f"Tuple({', '.join(parts)})"
    if kind == "enum":
        return "String"
    return column_type(kind)


def column(field: Schema) -> Column:
    """Return the column of a record's field. Raises StoreError, and SchemaError for an element out of the standard.

    The comment is the column's title in both languages, from the schema, the standard or `titles`, with its
    classification, 1 (public) to 4 (highly sensitive).
    """
    name = field["name"]
    comment = str(field.get("doc", ""))
    try:
        kind = column_type(field["type"])
    except StoreError as error:
        raise StoreError(f"field {name}: {error}") from None
    if name == "is_deleted":
        kind = "UInt8"
    if "element" in field:
        element = element_of(field)
        comment = f"{comment or f'{element.en} / {element.zh}'} · 级别 level {element.level}"
    else:
        comment = titles.comment(name, comment)
    return Column(name, kind, comment)
