"""Whether data that one schema wrote can be read with another: the Avro specification's schema resolution.

Stricter than it in one point: a logical type is part of the type. A date that becomes a plain number has the same
bytes and another meaning, which no reader notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from avro.schema import Schema

_PROMOTIONS: Final[Mapping[str, frozenset[str]]] = {
    "int": frozenset(("long", "float", "double")),
    "long": frozenset(("float", "double")),
    "float": frozenset(("double",)),
    "string": frozenset(("bytes",)),
    "bytes": frozenset(("string",)),
}
"""Written type → further types that it is read as."""

_Names = dict[str, Schema]


def incompatibilities(reader: Schema, writer: Schema) -> list[str]:
    """Return why ``reader`` cannot read what ``writer`` wrote, each with the path of the field; empty when it can.

    Both are self-contained and free of recursion, as `avro.schema.inline` gives them.
    """
    return _Resolution(_names(reader, {}, ""), _names(writer, {}, "")).differences(reader, writer, "")


def _names(node: Any, names: _Names, space: str) -> _Names:
    """Collect the named types of a schema under their full names."""
    if isinstance(node, list):
        for branch in node:
            _names(branch, names, space)
    elif isinstance(node, dict):
        if node["type"] in ("record", "enum", "fixed"):
            space = node.get("namespace", space)
            names[f"{space}.{node['name']}".lstrip(".")] = node
        for part in (node["type"], node.get("items"), node.get("values"), *node.get("fields", ())):
            if isinstance(part, (dict, list)):
                _names(part, names, space)
    return names


class _Resolution:
    """Reads two schemas side by side."""

    def __init__(self, reader: _Names, writer: _Names) -> None:
        self._reader = reader
        self._writer = writer

    def differences(self, reader: Any, writer: Any, path: str) -> list[str]:
        reader, writer = _resolved(reader, self._reader), _resolved(writer, self._writer)
        if isinstance(writer, list):
            return [found for branch in writer for found in self.differences(reader, branch, path)]
        if isinstance(reader, list):
            tries = [self.differences(branch, writer, path) for branch in reader]
            if [] in tries:
                return []
            # What is wrong with the branch of the same kind says more than that none fits.
            same = [found for branch, found in zip(reader, tries, strict=True) if self._alike(branch, writer)]
            return (
                same[0] if same else [f"{path or 'the record'}: {_kind(writer)} is no longer among its types"]
            )
        kind = _kind(writer)
        if kind != _kind(reader):
            if _logical(reader) == _logical(writer) and _kind(reader) in _PROMOTIONS.get(kind, ()):
                return []
            return [f"{path or 'the record'}: was {kind} and is {_kind(reader)}"]
        if _logical(reader) != _logical(writer):
            return [f"{path}: was {_logical(writer) or kind} and is {_logical(reader) or kind}"]
        match kind:
            case "record":
                return self._record(reader, writer, path)
            case "array":
                return self.differences(reader["items"], writer["items"], f"{path}[]")
            case "map":
                return self.differences(reader["values"], writer["values"], f"{path}{{}}")
            case "enum":
                gone = [] if "default" in reader else sorted(set(writer["symbols"]) - set(reader["symbols"]))
                return _renamed(reader, writer, path) or [
                    f"{path}: symbol {symbol} is gone" for symbol in gone
                ]
            case "fixed" if reader["size"] != writer["size"]:
                return [f"{path}: was {writer['size']} bytes and is {reader['size']}"]
            case "fixed":
                return _renamed(reader, writer, path)
        return []

    def _record(self, reader: Schema, writer: Schema, path: str) -> list[str]:
        found = _renamed(reader, writer, path)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            here = f"{path}.{field['name']}" if path else field["name"]
            names = (field["name"], *field.get("aliases", ()))
            old = next((written[name] for name in names if name in written), None)
            if old is not None:
                found += self.differences(field["type"], old["type"], here)
            elif "default" not in field:
                found.append(f"{here}: is new and has no default")
        return found

    def _alike(self, reader: Any, writer: Any) -> bool:
        return _kind(_resolved(reader, self._reader)) == _kind(writer)


def _resolved(node: Any, names: _Names) -> Any:
    if isinstance(node, str):
        return names.get(node, node)
    if isinstance(node, dict) and isinstance(node["type"], (dict, list)):
        return _resolved(node["type"], names)
    return node


def _kind(node: Any) -> str:
    return "union" if isinstance(node, list) else str(node["type"] if isinstance(node, dict) else node)


def _logical(node: Any) -> str | None:
    return node.get("logicalType") if isinstance(node, dict) else None


def _renamed(reader: Schema, writer: Schema, path: str) -> list[str]:
    old, new = writer["name"].rpartition(".")[2], reader["name"].rpartition(".")[2]
    if old == new or any(alias.rpartition(".")[2] == old for alias in reader.get("aliases", ())):
        return []
    return [f"{path or 'the record'}: type {old} is now called {new}"]
