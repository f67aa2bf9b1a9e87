"""The writing half of `avro.compiled`: source text for a schema.

Each type's statements leave its bytes in one or two expressions, so that a record is one ``join`` over its
fields.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from operator import itemgetter
from typing import Final

from avro import _values as values
from avro._plan import MISSING, Node, records_of
from avro._source import Source
from avro.native import Native

_CONSTANTS: Final = {
    "Mapping": Mapping,
    "last": values.LAST,
    "varint": values.varint,
    "refuse": values.refuse,
    "number": values.number,
    "real": values.real,
    "octets": values.octets,
    "fixed": values.fixed,
    "complete": values.complete,
    "is_integer": values.is_integer,
    "double": struct.Struct("<d").pack,
}


class WriterSource(Source):
    """Functions that write the values of a schema."""

    def __init__(self, natives: Mapping[str, Native]) -> None:
        super().__init__(_CONSTANTS)
        self._natives = natives
        self._records: dict[str, str] = {}

    def function(self, node: Node, path: str) -> str:
        """Add the function that writes a value of ``node``, and return its name."""
        if node.kind == "record" and node.name in self._records:
            return self._records[node.name]
        for inner in records_of(node):  # a function stands before the one that calls it
            self.function(inner, inner.name)
        name = self.fresh("write")
        if node.kind == "record":
            self._records[node.name] = name
        with self.block(f"def {name}(v):"):
            pieces = self._record(node) if node.kind == "record" else self.value(node, "v", path)
            self.add(f"return {pieces[0]}" if len(pieces) == 1 else f"return b''.join(({', '.join(pieces)}))")
        return name

    def _record(self, node: Node) -> list[str]:
        native = self._natives.get(node.name)
        variables = [self.fresh("v") for _ in node.fields]
        if native is not None:
            native.check(node.name, tuple([field.name for field in node.fields]))
            with self.block(f"if not isinstance(v, {self.constant(native.struct)}):"):
                self.add(f"refuse({node.name!r}, {native.struct.__name__!r}, v)")
            for field, variable in zip(node.fields, variables, strict=True):
                value = f"v.{field.name}"
                if field.name in native.conversions:
                    value = f"{self.constant(native.conversions[field.name].to_avro)}({value})"
                self.add(f"{variable} = {value}")
        else:
            self._take_apart(node, variables)
        pieces: list[str] = []
        for field, variable in zip(node.fields, variables, strict=True):
            pieces += self.value(field.node, variable, f"{node.name}.{field.name}")
        return pieces or ["b''"]

    def _take_apart(self, node: Node, variables: list[str]) -> None:
        names = tuple([field.name for field in node.fields])
        defaults = {field.name: field.default for field in node.fields if field.default is not MISSING}
        complete = f"v = complete(v, {node.name!r}, {self.constant(names)}, {self.constant(defaults)})"
        # The common case is a dict with all fields: one call then takes them out.
        condition = f"if type(v) is not dict or len(v) != {len(names)}"
        if not names:
            with self.block(f"{condition}:"):
                self.add(complete)
            return
        get = self.constant(itemgetter(*names))
        targets = ", ".join(variables)
        with self.block(f"{condition}:"):
            self.add(complete)
        with self.block("try:"):
            self.add(f"{targets} = {get}(v)")
        with self.block("except KeyError:"):
            self.add(complete)
            self.add(f"{targets} = {get}(v)")

    def value(self, node: Node, var: str, path: str, branch: bytes = b"") -> list[str]:
        """Add the statements that write ``var``; return the expressions of its bytes, one or two.

        With ``branch``, the index of a union's branch, they are two. Putting the two together here would cost
        more than the join does.
        """
        if node.kind == "string":
            return self._string(var, path, branch)
        if node.kind == "union":
            return self._union(node, var, path)
        if node.kind in ("array", "map"):
            piece = self._container(node, var, path)
        else:
            piece = f"({self._scalar(node, var, repr(path))})"
        return [repr(branch), piece] if branch else [piece]

    def _string(self, var: str, path: str, branch: bytes) -> list[str]:
        prefix, body = self.fresh("p"), self.fresh("p")
        with self.block(f"if type({var}) is not str and not isinstance({var}, str):"):
            self.add(f"refuse({path!r}, 'str', {var})")
        self.add(f"{body} = {var}.encode()")
        self.prefix(prefix, body, branch)
        return [prefix, body]

    def prefix(self, prefix: str, body: str, branch: bytes = b"") -> None:
        """Add the statements that put what stands before the bytes of a string into ``prefix``."""
        with self.block("try:"):
            self.add(f"{prefix} = {self.constant(values.prefixes(branch))}[len({body})]")
        with self.block("except IndexError:"):
            long = f"varint(len({body}) << 1)"
            self.add(f"{prefix} = {branch!r} + {long}" if branch else f"{prefix} = {long}")

    def _scalar(self, node: Node, var: str, where: str) -> str:
        """Return the expression of a value's bytes."""
        if node.kind == "null":
            return f"b'' if {var} is None else refuse({where}, 'None', {var})"
        if node.kind == "boolean":
            return (
                f"b'\\1' if {var} is True else b'\\0' if {var} is False else refuse({where}, 'bool', {var})"
            )
        if node.kind in values.RANGES:
            small = f"type({var}) is int and 0 <= {var} < {values.CHUNKS >> 1}"
            return f"last[{var} << 1] if {small} else number({var}, {where}, {node.kind!r})"
        if node.kind == "double":
            return f"double({var}) if type({var}) is float else real({var}, {where}, 'double')"
        if node.kind == "float":
            return f"real({var}, {where}, 'float')"
        if node.kind == "bytes":
            return f"octets({var}, {where})"
        if node.kind == "fixed":
            fits = f"type({var}) is bytes and len({var}) == {node.size}"
            return f"{var} if {fits} else fixed({var}, {where}, {node.size})"
        if node.kind == "enum":
            table = self.constant(
                {symbol: values.varint(index << 1) for index, symbol in enumerate(node.symbols)}
            )
            known = f"isinstance({var}, str) and {var} in {table}"
            return f"{table}[{var}] if {known} else refuse({where}, 'a symbol of {node.name}', {var})"
        return f"{self._records[node.name]}({var})"

    def _union(self, node: Node, var: str, path: str) -> list[str]:
        prefix, body = self.fresh("p"), self.fresh("p")
        word = "if"
        nullable = len(node.branches) == 2 and any(branch.kind == "null" for branch in node.branches)
        order = sorted(range(len(node.branches)), key=lambda index: node.branches[index].kind != "null")
        for index in order:
            branch = node.branches[index]
            # In a nullable type what is not null is left to the other branch, which says what it wants.
            last = nullable and branch.kind != "null"
            with self.block("else:" if last else f"{word} {self._test(branch, var)}:"):
                if branch.kind == "null":  # which the condition has made sure of
                    self.add(f"{prefix} = {values.varint(index << 1)!r}")
                    self.add(f"{body} = b''")
                    word = "elif"
                    continue
                inner = self.value(branch, var, path, values.varint(index << 1))
                self.add(f"{prefix} = {inner[0]}")
                self.add(f"{body} = {inner[1]}")
            word = "elif"
        if not nullable:
            with self.block("else:"):
                self.add(f"refuse({path!r}, 'a value of the union', {var})")
        return [prefix, body]

    def _test(self, node: Node, var: str) -> str:
        """Return the condition under which the value means this branch."""
        if node.kind in values.RANGES:
            return f"is_integer({var}, {node.kind!r})"
        return {
            "null": f"{var} is None",
            "boolean": f"type({var}) is bool",
            "float": f"isinstance({var}, (int, float)) and type({var}) is not bool",
            "double": f"isinstance({var}, (int, float)) and type({var}) is not bool",
            "string": f"isinstance({var}, str)",
            "bytes": f"isinstance({var}, (bytes, bytearray))",
            "fixed": f"isinstance({var}, bytes) and len({var}) == {node.size}",
            "enum": f"isinstance({var}, str) and {var} in {node.symbols!r}",
            "array": f"isinstance({var}, (list, tuple))",
            "map": f"isinstance({var}, Mapping)",
            "record": f"isinstance({var}, {self._class_of(node)})",
        }[node.kind]

    def _class_of(self, node: Node) -> str:
        native = self._natives.get(node.name)
        return "Mapping" if native is None else self.constant(native.struct)

    def _container(self, node: Node, var: str, path: str) -> str:
        """Add an array or map: a block with its count, then the empty one; return the name of the bytes."""
        piece = self.fresh("p")
        types, wanted = (
            ("(list, tuple)", "list or tuple") if node.kind == "array" else ("Mapping", "a mapping")
        )
        with self.block(f"if not isinstance({var}, {types}):"):
            self.add(f"refuse({path!r}, {wanted!r}, {var})")
        with self.block(f"if not {var}:"):
            self.add(f"{piece} = b'\\0'")
        with self.block("else:"):
            parts, item = self.fresh("a"), self.fresh("x")
            self.add(f"{parts} = [varint(len({var}) << 1)]")
            pieces: list[str] = []
            if node.kind == "array":
                loop = self.block(f"for {item} in {var}:")
            else:
                key = self.fresh("k")
                loop = self.block(f"for {key}, {item} in {var}.items():")
            with loop:
                if node.kind == "map":
                    pieces = self._string(key, f"{path} (key)", b"")
                pieces += self.value(node.item, item, f"{path}[]")
                self.add(f"{parts} += ({', '.join(pieces)},)")
            self.add(f"{parts}.append(b'\\0')")
            self.add(f"{piece} = b''.join({parts})")
        return piece
