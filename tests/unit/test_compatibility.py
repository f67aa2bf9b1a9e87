"""Schemas over time: what every release wrote is still read, and an edit that would break that is noticed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
import pytest

from avro.compatibility import incompatibilities
from avro.errors import IncompatibleSchemaError
from avro.registry import LocalRegistry
from avro.schema import Schema, plain
from tests.support.released import present, released

PRESENT = present()
RELEASED = list(released())
SAMPLES = {"string": "甲", "int": 7, "long": 1 << 40, "boolean": True, "bytes": b"x", "double": 0.5}
SAMPLE = "renkou.records-renkou.police.hj_ryjbxx"


def values_of(node: Any, names: dict[str, Any], space: str = "") -> Any:
    """Return some value of a schema, with the last branch of each union, which is never null in ours."""
    if isinstance(node, list):
        return values_of(node[-1], names, space)
    if isinstance(node, str):
        found = names.get(node if "." in node else f"{space}.{node}")
        if found is not None:
            return values_of(found, names, space)
        samples = {
            "string": "甲",
            "int": 7,
            "long": 1 << 40,
            "boolean": True,
            "bytes": b"x",
            "double": 0.5,
            "null": None,
        }
        return samples[node]
    match node["type"]:
        case "record":
            space = node.get("namespace", space)
            names[f"{space}.{node['name']}"] = node
            return {field["name"]: values_of(field["type"], names, space) for field in node["fields"]}
        case "fixed":
            names[f"{node.get('namespace', space)}.{node['name']}"] = node
            return bytes(node["size"])
        case "enum":
            return node["symbols"][0]
        case "array":
            return [values_of(node["items"], names, space)]
        case "map":
            return {"k": values_of(node["values"], names, space)}
        case kind:
            return values_of(kind, names, space)


def test_every_released_subject_is_still_there() -> None:
    assert {name for name, _ in RELEASED} <= PRESENT.keys()


@pytest.mark.parametrize("name", sorted(PRESENT))
def test_the_present_schema_reads_what_every_release_wrote(name: str) -> None:
    for subject, older in RELEASED:
        if subject == name:
            assert incompatibilities(PRESENT[name], older) == []
            written, read = plain(older), plain(PRESENT[name])
            values = values_of(written, {})
            buffer = BytesIO()
            fastavro.schemaless_writer(buffer, fastavro.parse_schema(written), values)
            buffer.seek(0)
            found = fastavro.schemaless_reader(
                buffer, fastavro.parse_schema(written), fastavro.parse_schema(read)
            )
            assert isinstance(found, dict)
            kept = values.keys() & found.keys()
            assert {field: found[field] for field in kept if not isinstance(values[field], list)} == {
                field: values[field] for field in kept if not isinstance(values[field], list)
            }


def _retyped(schema: Schema) -> None:
    field(schema, "version")["type"] = "long"


def _narrowed(schema: Schema) -> None:
    field(schema, "source_time")["type"] = "int"


def _without_default(schema: Schema) -> None:
    schema["fields"].append({"name": "novel", "type": "string"})


def _renamed(schema: Schema) -> None:
    renamed = field(schema, "key")
    renamed.pop("default", None)
    renamed["name"] = "row_key"


def _no_longer_null(schema: Schema) -> None:
    field(schema, "raw")["type"] = "string"


def _another_meaning(schema: Schema) -> None:
    own = next(f for f in schema["fields"] if isinstance(f["type"], list) and isinstance(f["type"][1], dict)
               and "logicalType" in f["type"][1])  # fmt: skip
    own["type"] = ["null", own["type"][1]["type"]]


def _record_renamed(schema: Schema) -> None:
    schema["name"] = "other"


def field(schema: Schema, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == name)
    return found


EDITS: list[tuple[Callable[[Schema], None], str]] = [
    (_retyped, "version"),
    (_narrowed, "source_time"),
    (_without_default, "novel: is new and has no default"),
    (_renamed, "row_key: is new"),
    (_no_longer_null, "raw"),
    (_another_meaning, "was date and is int"),
    (_record_renamed, "now called other"),
]


@pytest.mark.parametrize(("edit", "reason"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_incompatible_edit_is_noticed_and_refused(edit: Callable[[Schema], None], reason: str) -> None:
    edited = copy.deepcopy(PRESENT[SAMPLE])
    edit(edited)
    assert reason in "; ".join(incompatibilities(edited, PRESENT[SAMPLE]))
    registry = LocalRegistry()
    registry.register(SAMPLE, PRESENT[SAMPLE])
    with pytest.raises(IncompatibleSchemaError, match="take the edit back"):
        registry.register(SAMPLE, edited)


def test_a_compatible_edit_is_taken_and_versions_before_the_last_count_as_well() -> None:
    first = PRESENT[SAMPLE]
    second = copy.deepcopy(first)
    second["fields"].append({"name": "novel", "type": ["null", "string"], "default": None})
    third = copy.deepcopy(first)
    third["fields"].append({"name": "novel", "type": ["null", "long"], "default": None})
    registry = LocalRegistry()
    assert registry.register(SAMPLE, first) != registry.register(SAMPLE, second)
    assert registry.register(SAMPLE, first) == 1
    assert incompatibilities(third, first) == []
    with pytest.raises(IncompatibleSchemaError, match="novel"):
        registry.register(SAMPLE, third)


def test_types_may_widen() -> None:
    def record(kind: Any) -> Schema:
        return {"type": "record", "name": "r", "namespace": "n", "fields": [{"name": "f", "type": kind}]}

    for older, newer in (
        ("int", "long"),
        ("long", "double"),
        ("string", ["null", "string"]),
        (["null", "int"], ["null", "long"]),
    ):
        assert incompatibilities(record(newer), record(older)) == []
        assert incompatibilities(record(older), record(newer)) != []
    symbols = {"type": "enum", "name": "e", "symbols": ["a", "b"]}
    fewer = {**symbols, "symbols": ["a"]}
    assert incompatibilities(record(symbols), record(fewer)) == []
    assert incompatibilities(record(fewer), record(symbols)) == ["f: symbol b is gone"]
    assert incompatibilities(record({**fewer, "default": "a"}), record(symbols)) == []
    fixed = {"type": "fixed", "name": "x", "size": 16}
    assert incompatibilities(record({**fixed, "size": 8}), record(fixed)) == ["f: was 16 bytes and is 8"]
    many, other = {"type": "array", "items": "string"}, {"type": "map", "values": "string"}
    assert incompatibilities(record(many), record(other)) == ["f: was map and is array"]
    assert incompatibilities(record({"type": "array", "items": "int"}), record(many)) == [
        "f[]: was string and is int"
    ]
