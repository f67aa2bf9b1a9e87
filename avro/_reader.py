"""The reading half of `avro.compiled`: source text for a schema, and what that text calls.

The functions trust nothing about the bytes. Reading a byte behind the end raises IndexError by itself; a
slice that reaches behind the end is noticed by the next byte that is read or, at the very end, by the caller,
who compares the position with the length. Nothing is allocated by a length alone, and a count is held against
the bytes that are left. Whatever is wrong comes out as IndexError, ValueError or struct.error.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NoReturn

from avro._plan import Node, records_of
from avro._source import Source
from avro._values import RANGES
from avro.native import Native

_LONGEST: Final = 63
"""Shift of the tenth and last byte of a 64-bit variable-length number, which holds one bit."""


_eight = struct.Struct("<Q").unpack_from


def _varint(data: bytes, p: int, number: int) -> tuple[int, int]:
    """Go on with a variable-length number whose first byte, ``number``, says that more follow."""
    number &= 127
    shift = 7
    while True:
        byte = data[p]
        p += 1
        if byte < 128:
            if shift == _LONGEST and byte > 1:
                break
            return number | byte << shift, p
        number |= (byte & 127) << shift
        shift += 7
        if shift > _LONGEST:
            break
    raise ValueError("a number has more than 64 bits")


def _long(data: bytes, p: int, first: int) -> tuple[int, int]:
    # Microseconds of the years 1978 to 3111 have eight bytes: these are taken at once and the gaps between
    # their groups of seven bits closed, 7 to 14, 14 to 28, 28 to 56. Byte by byte takes half as long again.
    if p + 7 <= len(data):
        (number,) = _eight(data, p - 1)
        if number & 0x8080808080808080 == 0x0080808080808080:
            number = number & 0x007F007F007F007F | (number & 0x7F007F007F007F00) >> 1
            number = number & 0x00003FFF00003FFF | (number & 0x3FFF00003FFF0000) >> 2
            number = number & 0x0FFFFFFF | (number & 0x0FFFFFFF00000000) >> 4
            return number >> 1 ^ -(number & 1), p + 7
    number, p = _varint(data, p, first)
    return number >> 1 ^ -(number & 1), p


def _size(data: bytes, p: int, first: int) -> tuple[int, int]:
    """Return a length still doubled, as it stands in the bytes; a negative one raises."""
    number, p = _varint(data, p, first) if first > 127 else (first, p)
    if number & 1:
        raise ValueError("a length is negative")
    return number, p


def _int(data: bytes, p: int, first: int) -> tuple[int, int]:
    number, p = _varint(data, p, first)
    if number >> 32:
        raise ValueError("an int has more than 32 bits")
    return number >> 1 ^ -(number & 1), p


def _block(data: bytes, p: int, first: int, least: int) -> tuple[int, int]:
    """Return how many items a block has; ``least`` is the fewest bytes of an item."""
    count, p = _long(data, p, first) if first > 127 else (first >> 1 ^ -(first & 1), p)
    room = len(data)
    if count < 0:  # then the block's size in bytes follows
        count = -count
        first = data[p]
        size, p = _size(data, p + 1, first)
        room = p + (size >> 1)
        if room > len(data):
            raise ValueError("a block is longer than the datum")
    if count * least > room - p:
        raise ValueError("a block has more items than bytes")
    return count, p


def _bad() -> NoReturn:
    raise ValueError("there is no such boolean or branch")


_CONSTANTS: Final = {
    "varint": _varint,
    "size": _size,
    "long": _long,
    "int32": _int,
    "block": _block,
    "bad": _bad,
    "double": struct.Struct("<d").unpack_from,
    "single": struct.Struct("<f").unpack_from,
}


class ReaderSource(Source):
    """Functions that read the values of a schema: from data and position to value and position."""

    def __init__(self, natives: Mapping[str, Native]) -> None:
        super().__init__(_CONSTANTS)
        self._natives = natives
        self._records: dict[str, str] = {}

    def function(self, node: Node) -> str:
        """Add the function that reads a value of ``node``, and return its name."""
        if node.kind == "record" and node.name in self._records:
            return self._records[node.name]
        for inner in records_of(node):  # a function stands before the one that calls it
            self.function(inner)
        name = self.fresh("read")
        if node.kind == "record":
            self._records[node.name] = name
        with self.block(f"def {name}(data, p):"):
            if node.kind == "record":
                self._record(node)
            else:
                self._value(node, "v")
                self.add("return v, p")
        return name

    def _record(self, node: Node) -> None:
        native = self._natives.get(node.name)
        variables = [self.fresh("v") for _ in node.fields]
        for field, variable in zip(node.fields, variables, strict=True):
            self._value(field.node, variable, "tuple" if native is not None else "list")
        if native is None:
            pairs = zip(node.fields, variables, strict=True)
            self.add(
                f"return {{{', '.join([f'{field.name!r}: {variable}' for field, variable in pairs])}}}, p"
            )
            return
        native.check(node.name, tuple([field.name for field in node.fields]))
        arguments = [self.constant(value) for value in native.leading]
        for field, variable in zip(node.fields, variables, strict=True):
            conversion = native.conversions.get(field.name)
            arguments.append(
                variable if conversion is None else f"{self.constant(conversion.from_avro)}({variable})"
            )
        self.add(f"return {self.constant(native.struct)}({', '.join(arguments)}), p")

    def _byte(self, var: str) -> None:
        self.add(f"{var} = data[p]")
        self.add("p += 1")

    def _length(self, ahead: int = 0) -> str:
        """Add the reading of a length ``ahead`` bytes further on, and return the name of its double."""
        size = self.fresh("n")
        self.add(f"{size} = data[p + {ahead}]" if ahead else f"{size} = data[p]")
        with self.block(f"if {size} & 129:"):  # more bytes follow, or it is negative
            self.add(f"{size}, p = size(data, p + {ahead + 1}, {size})")
        with self.block("else:"):
            self.add(f"p += {ahead + 1}")
        return size

    def _octets(self, node: Node, var: str, ahead: int = 0) -> None:
        end = self._length(ahead)
        self.add(f"{end} = p + ({end} >> 1)")
        self.add(f"{var} = data[p:{end}]{'.decode()' if node.kind == 'string' else ''}")
        self.add(f"p = {end}")

    def _value(self, node: Node, var: str, sequence: str = "list") -> None:
        """Add the statements that read ``var``; ``sequence`` is what an array becomes."""
        if node.kind == "null":
            self.add(f"{var} = None")
        elif node.kind == "boolean":
            byte = self.fresh("b")
            self._byte(byte)
            self.add(f"{var} = True if {byte} == 1 else False if {byte} == 0 else bad()")
        elif node.kind in RANGES:
            self._byte(var)
            with self.block(f"if {var} > 127:"):
                self.add(f"{var}, p = {'long' if node.kind == 'long' else 'int32'}(data, p, {var})")
            with self.block("else:"):
                self.add(f"{var} = {var} >> 1 ^ -({var} & 1)")
        elif node.kind in ("double", "float"):
            self.add(f"{var}, = {'double' if node.kind == 'double' else 'single'}(data, p)")
            self.add(f"p += {node.least}")
        elif node.kind in ("string", "bytes"):
            self._octets(node, var)
        elif node.kind == "fixed":
            self.add(f"{var} = data[p : p + {node.size}]")
            self.add(f"p += {node.size}")
        elif node.kind == "enum":
            self.add(f"{var} = {self.constant(node.symbols)}[{self._length()} >> 1]")
        elif node.kind == "union":
            self._union(node, var, sequence)
        elif node.kind in ("array", "map"):
            self._container(node, var, sequence)
        else:
            self.add(f"{var}, p = {self._records[node.name]}(data, p)")

    def _union(self, node: Node, var: str, sequence: str) -> None:
        branch = self.fresh("b")
        self.add(f"{branch} = data[p]")
        word = "if"
        for index, inner in enumerate(node.branches):
            # The index is one byte: a longer form of it is nothing that a writer makes.
            with self.block(f"{word} {branch} == {index << 1}:"):
                if inner.kind in ("string", "bytes"):
                    self._octets(inner, var, ahead=1)
                else:
                    self.add("p += 1")
                    self._value(inner, var, sequence)
            word = "elif"
        with self.block("else:"):
            self.add("bad()")

    def _container(self, node: Node, var: str, sequence: str) -> None:
        """Add an array or a map: blocks until one has no items."""
        count = self.fresh("n")
        as_tuple = node.kind == "array" and sequence == "tuple"
        self._byte(count)
        with self.block(f"if {count} == 0:"):
            self.add(f"{var} = {'()' if as_tuple else '[]' if node.kind == 'array' else '{}'}")
        with self.block("else:"):
            items, item = self.fresh("a"), self.fresh("x")
            least = node.item.least + (node.kind == "map")
            self.add(f"{items} = {'[]' if node.kind == 'array' else '{}'}")
            with self.block(f"while {count} != 0:"):
                self.add(f"{count}, p = block(data, p, {count}, {least})")
                with self.block(f"for _ in range({count}):"):
                    if node.kind == "map":
                        key = self.fresh("k")
                        self._value(Node("string"), key)
                        self._value(node.item, item, sequence)
                        self.add(f"{items}[{key}] = {item}")
                    else:
                        self._value(node.item, item, sequence)
                        self.add(f"{items}.append({item})")
                self._byte(count)
            self.add(f"{var} = {f'tuple({items})' if as_tuple else items}")
