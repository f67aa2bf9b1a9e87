"""A schema as typed nodes, resolved and checked: what the generators of `avro.compiled` walk.

The subset is that of Avro 1.11 without recursion. What could make a short datum ask for unbounded work
(arrays of items without bytes), or leave open which branch of a union a value means, is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from avro.errors import SchemaError

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_DEPTH_LIMIT: Final = 8
"""Arrays, maps and unions inside each other, no record between: Python allows 20 loops in one function."""

_BRANCH_LIMIT: Final = 64
"""Branches of a union whose index is one byte."""

MISSING: Final = object()
"""Stands for "no default": null is one."""


@dataclass(frozen=True, slots=True)
class Field:
    """A record's field; ``default`` is the value in Python, or MISSING."""

    name: str
    node: Node
    default: Any


@dataclass(frozen=True, slots=True)
class Node:
    """One type. ``kind`` is Avro's word (``union`` for a JSON array); what a kind does not have is empty."""

    kind: str
    name: str = ""
    fields: tuple[Field, ...] = ()
    branches: tuple[Node, ...] = ()
    items: tuple[Node, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0

    @property
    def item(self) -> Node:
        """The type of an array's items or of a map's values."""
        return self.items[0]

    @property
    def least(self) -> int:
        """The fewest bytes that a value takes."""
        if self.kind == "null":
            return 0
        if self.kind == "record":
            return sum(field.node.least for field in self.fields)
        if self.kind == "union":
            return 1 + min(branch.least for branch in self.branches)
        return {"fixed": self.size, "float": 4, "double": 8}.get(self.kind, 1)


def plan(schema: Any) -> Node:
    """Return the nodes of a self-contained schema. Raises SchemaError when it is not of the subset."""
    try:
        parsed = fastavro.parse_schema(schema)
    except Exception as error:  # a malformed schema raises whatever it runs into
        raise SchemaError(f"not an Avro schema: {type(error).__name__}: {error}; mend the .avsc") from error
    return _node(parsed, {}, (), 0)


def _node(schema: Any, named: dict[str, Any], around: tuple[str, ...], depth: int) -> Node:
    if depth > _DEPTH_LIMIT:
        raise SchemaError(
            f"arrays, maps and unions are nested more than {_DEPTH_LIMIT} deep; put a record between"
        )
    if isinstance(schema, list):
        return _union(tuple([_node(branch, named, around, depth + 1) for branch in schema]))
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return Node(schema)
        if schema not in named:
            raise SchemaError(f"type {schema} is not defined before it is used; write it out")
        return _named(named[schema], named, around)
    kind = schema.get("type")
    if "logicalType" in schema:
        raise SchemaError(
            f"logical type {schema['logicalType']} is not compiled; strip it with avro.schema.plain"
        )
    if kind in ("record", "fixed", "enum"):
        named[schema["name"]] = schema
        return _named(schema, named, around)
    if kind in ("array", "map"):
        item = _node(schema["items" if kind == "array" else "values"], named, around, depth + 1)
        if kind == "array" and item.least == 0:
            raise SchemaError(
                "an array's items take no bytes, so that nothing bounds their number; add a field"
            )
        return Node(kind, items=(item,))
    if isinstance(kind, (dict, list)) or kind in PRIMITIVES:
        return _node(kind, named, around, depth)
    raise SchemaError(f"type {kind} is not compiled; use one of Avro's plain types")


def _named(schema: Any, named: dict[str, Any], around: tuple[str, ...]) -> Node:
    name = schema["name"]
    if not all(_NAME.fullmatch(part) for part in name.split(".")):
        raise SchemaError(f"{name!r} is not an Avro name; rename the type")
    if schema["type"] == "fixed":
        if not isinstance(schema["size"], int) or schema["size"] < 1:
            raise SchemaError(f"{name}: a fixed takes at least one byte; mend its size")
        return Node("fixed", name=name, size=schema["size"])
    if schema["type"] == "enum":
        return Node("enum", name=name, symbols=tuple(schema["symbols"]))
    if name in around:
        raise SchemaError(f"{name} contains itself, which is not compiled; break the recursion")
    fields: list[Field] = []
    for field in schema["fields"]:
        if not _NAME.fullmatch(field["name"]):
            raise SchemaError(f"{name}: {field['name']!r} is not an Avro name; rename the field")
        node = _node(field["type"], named, (*around, name), 0)
        default = (
            default_value(node, field["default"], f"{name}.{field['name']}")
            if "default" in field
            else MISSING
        )
        fields.append(Field(field["name"], node, default))
    names = [field.name for field in fields]
    if len(set(names)) != len(names):
        raise SchemaError(f"{name}: a field's name stands there twice; rename one")
    return Node("record", name=name, fields=tuple(fields))


def _union(branches: tuple[Node, ...]) -> Node:
    """Return the union; each Python value must mean one branch by its type, or the first that takes it."""
    kinds = [branch.kind for branch in branches]
    if not 0 < len(branches) <= _BRANCH_LIMIT:
        raise SchemaError(f"a union of {len(branches)} branches is not compiled; 1 to {_BRANCH_LIMIT} are")
    alike = (*[(kind,) for kind in PRIMITIVES], ("array",), ("record", "map"), ("float", "double"))
    if "union" in kinds or any(sum(kind in group for kind in kinds) > 1 for group in alike):
        raise SchemaError(
            "a union has branches that a value's type does not tell apart; wrap them in records"
        )
    return Node("union", branches=branches)


def default_value(node: Node, default: Any, path: str) -> Any:
    """Return the Python value of a default as JSON has it (Avro 1.11, "records"). Raises SchemaError."""
    if node.kind in ("bytes", "fixed") and isinstance(default, str):
        return default.encode("latin-1", "strict")  # code points 0-255 are the bytes
    if node.kind == "array" and isinstance(default, list):
        return [default_value(node.item, item, path) for item in default]
    if node.kind == "map" and isinstance(default, Mapping):
        return {key: default_value(node.item, value, path) for key, value in default.items()}
    if node.kind == "record" and isinstance(default, Mapping):
        given = {field.name: default[field.name] for field in node.fields if field.name in default}
        converted = {
            f.name: default_value(f.node, given[f.name], path) for f in node.fields if f.name in given
        }
        missing = {f.name: f.default for f in node.fields if f.name not in given}
        if MISSING in missing.values() or len(given) != len(default):
            raise SchemaError(f"{path}: the default's fields are not the record's; mend the default")
        return {**converted, **missing}
    if node.kind == "union":
        for branch in node.branches:
            if _takes(branch, default):
                return default_value(branch, default, path)
    elif _takes(node, default):
        return default
    raise SchemaError(f"{path}: the default does not fit its type; mend the default")


def _takes(node: Node, default: Any) -> bool:
    types: dict[str, tuple[type, ...]] = {
        "null": (type(None),),
        "boolean": (bool,),
        "int": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "array": (list,),
        "map": (dict,),
        "record": (dict,),
    }
    if node.kind == "enum":
        return default in node.symbols
    if isinstance(default, bool):
        return node.kind == "boolean"
    return isinstance(default, types.get(node.kind, (str,)))


def records_of(node: Node) -> list[Node]:
    """Return the records directly below ``node``, not those inside them."""
    found: list[Node] = []
    for child in (*node.branches, *node.items, *[field.node for field in node.fields]):
        found += [child] if child.kind == "record" else records_of(child)
    return found
