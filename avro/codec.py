"""Encoding and decoding of what travels in renkou's topics, between typed values and Avro datums.

Datums are without the wire format's five bytes; `avro.registry.frame` adds them. A record's datum starts with
the header's fields, so `RecordCodec.decode_header` reads those and nothing behind them. Readers and writers
are compiled for their schema (`avro.compiled`); fastavro takes the schemas that cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import fastavro

from avro import version as versions
from avro._plan import Field, Node, plan
from avro.compiled import Conversion, Native, Reader, Writer, compile_reader, compile_writer, malformed
from avro.errors import SchemaError
from avro.record import (
    Decision,
    DecisionKind,
    Finding,
    Kin,
    Mark,
    MarkKind,
    Mention,
    MentionPlace,
    Record,
    TableName,
    TableSwitch,
)
from avro.schema import SCHEMA_FOLDER, Schema, full_name, header_of, plain, record_schema, shared_schema

_Entry = TypeVar("_Entry")


class DatumCodec:
    """Datums of one schema, as dictionaries whose dates and times are integers."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._write, self._read = _compiled(plain(schema))

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Return the datum. Raises ValueError or TypeError when a value does not fit the schema."""
        return self._write(values)

    def decode(self, datum: bytes) -> dict[str, Any]:
        """Return the datum's fields. Raises DecodeError when the bytes are not one datum of this schema."""
        values: dict[str, Any]
        values, end = self._read(datum, 0)
        if end != len(datum):
            raise malformed(full_name(self.schema))
        return values


def _compiled(schema: Schema) -> tuple[Writer, Reader]:
    try:
        return compile_writer(schema), compile_reader(schema)
    except SchemaError:
        pass
    return _reference(schema)


def _reference(schema: Schema) -> tuple[Writer, Reader]:
    """Return a writer and reader by fastavro, for what is Avro and not compiled. Raises SchemaError."""
    name = full_name(schema)
    try:
        parsed = fastavro.parse_schema(schema)
    except Exception as error:  # a malformed schema raises whatever it runs into
        raise SchemaError(
            f"{name}: not an Avro schema: {type(error).__name__}: {error}; mend the .avsc"
        ) from error

    def write(values: Any) -> bytes:
        buffer = BytesIO()
        try:
            fastavro.schemaless_writer(
                buffer, parsed, values, strict_allow_default=True, disable_tuple_notation=True
            )
        except Exception as error:  # its message may hold the value
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: a value does not fit the schema; mend the mapping or the .avsc") from None
        return buffer.getvalue()

    def read(data: bytes | bytearray | memoryview, start: int) -> tuple[Any, int]:
        buffer = BytesIO(data)
        buffer.seek(start)
        try:
            values = fastavro.schemaless_reader(buffer, parsed, None)
        except Exception:  # fastavro raises whatever the broken bytes run into
            raise malformed(name) from None
        return values, buffer.tell()

    return write, read


def _from_flag(flag: bool) -> int:
    if type(flag) is not bool:
        raise TypeError("a flag is wanted, True or False; mend what made the record")
    return 1 if flag else 0


def _to_flag(number: int) -> bool:
    if number not in (0, 1):
        raise ValueError("a flag is 0 or 1")
    return number == 1


def _from_version(version: int) -> bytes:
    if type(version) is not int:
        raise TypeError("a version is an integer; mend what made the record")
    return versions.to_bytes(version)


_VERSION: Final = Conversion(_from_version, versions.from_bytes)
_CONVERSIONS: Final = {
    "version": _VERSION,
    "is_deleted": Conversion(_from_flag, _to_flag),
}


NATIVES: Final[Mapping[str, Native]] = {
    "renkou.RecordHeader": Native(Record, leading=("",), conversions=_CONVERSIONS),
    "renkou.Mention": Native(Mention),
    "renkou.Kin": Native(Kin),
    "renkou.Finding": Native(Finding),
}
"""The structs of what a record is made of. A record is read with an empty feed."""


@cache
def _header() -> tuple[Writer, Reader]:
    """Return the writer and reader of what all feeds' records begin with.

    They are made once: it takes about 30 ms.
    """
    schema = plain(shared_schema("RecordHeader"))
    return compile_writer(schema, NATIVES), compile_reader(schema, NATIVES)


class RecordCodec:
    """Records of one feed. ``header``, ``raw`` and ``elements`` are the parts of its schema, in this order."""

    def __init__(self, feed: str, folder: Path = SCHEMA_FOLDER) -> None:
        self.feed = feed
        self.schema = record_schema(feed, folder)
        # A record is its fields one after the other: three parts, each written and read on its own.
        whole = plan(plain(self.schema))
        count = len(header_of(self.schema)["fields"])
        raw = whole.fields[count].node
        elements = replace(whole, fields=whole.fields[count + 1 :])
        self.header: tuple[Field, ...] = whole.fields[:count]
        self.raw: Node = raw
        self.elements: tuple[Field, ...] = elements.fields
        self._write_header, self._read_header = _header()
        self._write_raw, self._read_raw = compile_writer(raw), compile_reader(raw)
        self._write_elements, self._read_elements = compile_writer(elements), compile_reader(elements)

    def encode(self, record: Record, raw: str | None, elements: Mapping[str, Any]) -> bytes:
        """Return the datum of ``record`` with the source row and the feed's elements.

        Raises ValueError or TypeError when a value does not fit, an element without default is missing, or
        one is not in the feed's schema.
        """
        return b"".join((self._write_header(record), self._write_raw(raw), self._write_elements(elements)))

    def decode_header(self, datum: bytes) -> Record:
        """Return the record without its elements. Raises DecodeError."""
        return self._header_and_end(datum)[0]

    def _header_and_end(self, datum: bytes) -> tuple[Record, int]:
        record: Record
        record, end = self._read_header(datum, 0)
        record.feed = self.feed
        return record, end

    def decode(self, datum: bytes) -> tuple[Record, str | None, dict[str, Any]]:
        """Return the record, its raw row and its elements. Raises DecodeError."""
        record, position = self._header_and_end(datum)
        raw, position = self._read_raw(datum, position)
        elements, end = self._read_elements(datum, position)
        if end != len(datum):
            raise malformed(full_name(self.schema))
        return record, raw, elements


def decode_header(feed: str, datum: bytes) -> Record:
    """Return a record of any feed without its elements. Raises DecodeError."""
    record: Record
    record, _ = _header()[1](datum, 0)
    record.feed = feed
    return record


class _EntryCodec(Generic[_Entry]):
    """Entries of the log that are structs of a shared schema."""

    def __init__(self, schema: str, natives: Mapping[str, Native]) -> None:
        self.schema = shared_schema(schema)
        self._write = compile_writer(plain(self.schema), natives)
        self._read = compile_reader(plain(self.schema), natives)

    def encode(self, entry: _Entry) -> bytes:
        """Return the datum of ``entry``. Raises ValueError or TypeError when a value does not fit."""
        return self._write(entry)

    def decode(self, datum: bytes) -> _Entry:
        """Return the entry. Raises DecodeError."""
        entry: _Entry
        entry, end = self._read(datum, 0)
        if end != len(datum):
            raise malformed(full_name(self.schema))
        return entry


class MarkCodec(_EntryCodec[Mark]):
    """Marks of the log."""

    def __init__(self) -> None:
        conversions = {"kind": Conversion(str, MarkKind), "version": _VERSION}
        super().__init__("Mark", {"renkou.Mark": Native(Mark, conversions=conversions)})


class DecisionCodec(_EntryCodec[Decision]):
    """Stewards' decisions in the log."""

    def __init__(self) -> None:
        kind = {"kind": Conversion(str, DecisionKind)}
        natives = {"renkou.Decision": Native(Decision, conversions=kind)}
        super().__init__("Decision", {**natives, "renkou.MentionPlace": Native(MentionPlace)})


class SwitchCodec(_EntryCodec[TableSwitch]):
    """Switches of tables in the log."""

    def __init__(self) -> None:
        table = {"table": Conversion(str, TableName)}
        super().__init__("TableSwitch", {"renkou.TableSwitch": Native(TableSwitch, conversions=table)})
