"""Readers and writers made for one schema: generated Python, not a walk through the schema for every value.

For this project's records that is two to three times faster than fastavro (docs/decisions/0004), which
remains the reference: the bytes are the same, and `avro.codec` turns to it for a schema that is refused here.

Stricter than fastavro, on purpose: an int is not a bool, an integer is a double only when nothing of it is
lost, an array is a list or tuple, a record's fields are all there (or have a default) and all in the schema;
what is read is in its type's range, and a boolean 0 or 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from avro._plan import Node, plan
from avro._reader import ReaderSource
from avro._writer import WriterSource
from avro.errors import DecodeError
from avro.native import Conversion, Native

__all__ = ["Conversion", "Native", "Reader", "Writer", "compile_reader", "compile_writer", "malformed"]

Writer = Callable[[Any], bytes]
"""From a value to its bytes. Raises TypeError or ValueError, naming the field only, when it does not fit."""

Reader = Callable[[bytes | bytearray | memoryview, int], tuple[Any, int]]
"""From bytes and the position of a datum to its value and the position behind it. Raises DecodeError."""

_NO_NATIVES: Final[Mapping[str, Native]] = MappingProxyType({})


def compile_writer(schema: Any, natives: Mapping[str, Native] = _NO_NATIVES) -> Writer:
    """Return the writer of a self-contained schema without logical types, or of a node of its plan.

    ``natives`` says by full name which records are structs; the others are mappings. Raises SchemaError when
    the schema is malformed or not of the subset of `avro._plan`, or a struct does not have its record's
    fields.
    """
    node = schema if isinstance(schema, Node) else plan(schema)
    source = WriterSource(natives)
    label = _label(node)
    write: Writer = source.compile(f"writer of {label}", source.function(node, label))

    def writer(value: Any) -> bytes:
        try:
            return write(value)
        except UnicodeEncodeError:
            # The error itself holds the whole string.
            raise ValueError(
                f"{label}: a string has half a surrogate pair and no UTF-8; mend the source"
            ) from None
        except OverflowError:
            raise ValueError(f"{label}: a number is too large for its type; mend the mapping") from None

    return writer


def compile_reader(schema: Any, natives: Mapping[str, Native] = _NO_NATIVES) -> Reader:
    """Return the reader of such a schema or node; ``natives`` and errors are as for the writer.

    What stands behind the datum is left alone: whoever reads a whole message compares the position with its
    length.
    """
    node = schema if isinstance(schema, Node) else plan(schema)
    source = ReaderSource(natives)
    label = _label(node)
    read: Callable[[bytes, int], tuple[Any, int]] = source.compile(
        f"reader of {label}", source.function(node)
    )

    def reader(data: bytes | bytearray | memoryview, start: int) -> tuple[Any, int]:
        if data.__class__ is not bytes:
            data = bytes(data)
        if start < 0:
            raise ValueError("a datum begins at 0 or later")
        try:
            value, end = read(data, start)
        except (IndexError, ValueError, struct.error):
            raise malformed(label) from None  # the cause would show bytes of the event
        if end > len(data):
            raise malformed(label)
        return value, end

    return reader


def malformed(label: str) -> DecodeError:
    """Return the error for bytes that are not of the schema."""
    return DecodeError(
        "malformed_avro",
        f"the datum is not of {label}; compare the registered schema with what the writer used",
    )


def _label(node: Node) -> str:
    return node.name or node.kind
