"""Schemas: the shared types, the feeds' own fields, and how the two become one record schema.

A feed's ``.avsc`` under ``schemas/<department>/<type>.avsc`` is a record of the feed's elements. The schema that is
registered and written is that record with the fields of ``RecordHeader.avsc`` in front and ``raw`` between the two,
so that every record begins alike.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from avro.errors import SchemaError

Schema = dict[str, Any]

SCHEMA_FOLDER: Final = Path(str(resources.files("avro"))) / "schemas"
RAW_FIELD: Final[Schema] = {
    "name": "raw",
    "type": ["null", "string"],
    "default": None,
    "doc": "The source's columns as JSON, those that the feed names; null in a delete / 源数据原样",
}


def _read(path: Path) -> Schema:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SchemaError(f"{path}: there is no such schema; add the .avsc or mend the feed's name") from None
    except json.JSONDecodeError as error:
        raise SchemaError(f"{path}:{error.lineno}: not JSON: {error.msg}; mend the file") from None
    if (
        not isinstance(schema, dict)
        or schema.get("type") != "record"
        or not isinstance(schema.get("fields"), list)
    ):
        raise SchemaError(f"{path}: a record schema with fields is wanted; mend the file")
    return schema


@cache
def shared_type(name: str) -> Schema:
    """Return one of the named types that all schemas share, such as ``Mention``. Raises SchemaError."""
    return _read(SCHEMA_FOLDER / f"{name}.avsc")


def feed_schema(feed: str, folder: Path = SCHEMA_FOLDER) -> Schema:
    """Return the feed's own record of elements as its file has it. Raises SchemaError."""
    department, _, name = feed.partition(".")
    return _read(folder / department / f"{name}.avsc")


def record_schema(feed: str, folder: Path = SCHEMA_FOLDER) -> Schema:
    """Return the whole, self-contained schema of the feed's records. Raises SchemaError."""
    own = feed_schema(feed, folder)
    header = shared_type("RecordHeader")["fields"]
    taken = {field["name"] for field in header} | {"raw"}
    for field in own["fields"]:
        if field["name"] in taken:
            raise SchemaError(
                f"schema of {feed}: field {field['name']} is one of every record's own; rename it"
            )
    department, _, name = feed.partition(".")
    composed = {
        "type": "record",
        "name": name,
        "namespace": f"renkou.{department}",
        "doc": own.get("doc", ""),
        "fields": [*header, RAW_FIELD, *own["fields"]],
    }
    return inline(composed)


def shared_schema(name: str) -> Schema:
    """Return a shared type as a self-contained schema."""
    return inline(shared_type(name))


def header_of(schema: Schema) -> Schema:
    """Return the schema cut after the header's fields: a reader with it stops before ``raw``."""
    fields = schema["fields"]
    end = next(index for index, field in enumerate(fields) if field["name"] == "raw")
    return {**schema, "fields": fields[:end]}


def full_name(schema: Schema) -> str:
    """Return the schema's name with its namespace."""
    namespace = schema.get("namespace")
    return f"{namespace}.{schema['name']}" if namespace else str(schema["name"])


def inline(schema: Schema) -> Schema:
    """Return ``schema`` with each shared type written out where it is first named."""
    seen: set[str] = set()

    def walk(node: Any, namespace: str) -> Any:
        if isinstance(node, str):
            prefix, _, name = node.rpartition(".")
            if prefix != "renkou" or node in seen:
                return node
            return walk(shared_type(name), namespace)
        if isinstance(node, list):
            return [walk(item, namespace) for item in node]
        kind = node["type"]
        if kind in ("record", "fixed", "enum"):
            space = node.get("namespace", namespace)
            # Version is a type of all schemas: one full name, whichever schema it stands in.
            space = "renkou" if node["name"] == "Version" else space
            name = f"{space}.{node['name']}"
            if name in seen:
                return name
            seen.add(name)
            node = {**node, "namespace": space}
            if kind == "record":
                node["fields"] = [{**field, "type": walk(field["type"], space)} for field in node["fields"]]
            return node
        if kind == "array":
            return {**node, "items": walk(node["items"], namespace)}
        if kind == "map":
            return {**node, "values": walk(node["values"], namespace)}
        if isinstance(kind, (dict, list)):
            return {**node, "type": walk(kind, namespace)}
        return node

    result: Schema = walk(schema, "renkou")
    return result


def plain(schema: Any) -> Any:
    """Return ``schema`` without logical types: the same bytes, but dates and times stay integers."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    return schema
