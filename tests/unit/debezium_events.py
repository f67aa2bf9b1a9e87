"""Captured events as Connect writes them: one change in each of the wire formats."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro

from avro.change import Place, RawEvent
from avro.registry import LocalRegistry, frame

FORMATS = ("json", "json-schemas", "avro")

PLACE = Place("cdc.police.public.person", 0, 7)
REGISTRY = LocalRegistry()

SOURCE: dict[str, Any] = {
    "version": "3.6.3.Final",
    "connector": "postgresql",
    "name": "cdc.police",
    "ts_ms": 1_700_000_000_000,
    "ts_us": 1_700_000_000_000_123,
    "snapshot": "false",
    "db": "police",
    "sequence": '["100","205"]',
    "schema": "public",
    "table": "person",
    "lsn": 205,
}


def envelope(op: str, after: Any = None, before: Any = None, **source: Any) -> dict[str, Any]:
    """Return an envelope; keyword arguments replace fields of its source block."""
    return {
        "before": before,
        "after": after,
        "source": {**SOURCE, **source},
        "transaction": None,
        "op": op,
        "ts_ms": 1_700_000_000_500,
        "ts_us": 1_700_000_000_500_456,
    }


def event(value: Any, key: Any = None, wire: str = "json", **headers: bytes | None) -> RawEvent:
    """Return ``value`` and ``key`` as they travel; ``old`` and ``new`` are the key-change headers."""
    names = {"old": "__debezium.oldkey", "new": "__debezium.newkey"}
    return RawEvent(
        PLACE,
        None if key is None else written(key, wire, "Key"),
        None if value is None else written(value, wire, "Envelope"),
        [(names[name], text) for name, text in headers.items()] or None,
    )


def written(value: Any, wire: str, name: str = "Value") -> bytes:
    """Return a value in one of FORMATS."""
    if wire == "json":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if wire == "json-schemas":
        return json.dumps(
            {"schema": {"type": "struct", "name": name}, "payload": value}, ensure_ascii=False
        ).encode()
    schema = _schema(value, name)
    schema_id = REGISTRY.register(json.dumps(schema), schema)  # a subject for each: tests are no versions
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return frame(schema_id, buffer.getvalue())


def _schema(value: Any, name: str) -> Any:
    match value:
        case bool():
            return "boolean"
        case int():
            return "long"
        case float():
            return "double"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case list():
            return {"type": "array", "items": _schema(value[0], f"{name}Item") if value else "string"}
        case dict():
            return {
                "type": "record",
                "name": name,
                "namespace": "test",
                "fields": [
                    {"name": field, "type": ["null", _schema(part, f"{name}_{field}")], "default": None}
                    if part is not None
                    else {"name": field, "type": ["null", "string"], "default": None}
                    for field, part in value.items()
                ],
            }
    return "null"
