"""Encoding and decoding of what travels in renkou's topics, between typed values and Avro datums.

Datums are without the wire format's five bytes; `avro.registry.frame` adds them. A record's datum starts with the
header's fields, so `RecordCodec.decode_header` reads those and nothing behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from avro import version as versions
from avro.errors import DecodeError
from avro.record import Finding, Mark, MarkKind, Mention, Record
from avro.schema import SCHEMA_FOLDER, Schema, header_of, plain, record_schema, shared_schema

_asdict = msgspec.structs.asdict


class DatumCodec:
    """Datums of one schema, as dictionaries whose dates and times are integers."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._parsed = fastavro.parse_schema(plain(schema))

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Return the datum. Raises ValueError or TypeError when a value does not fit the schema."""
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, self._parsed, values)
        return buffer.getvalue()

    def decode(self, datum: bytes) -> dict[str, Any]:
        """Return the datum's fields. Raises DecodeError when the bytes are not of this schema."""
        return read_datum(self._parsed, datum)


def read_datum(parsed: Any, datum: bytes) -> dict[str, Any]:
    """Return the fields of ``datum``, written with the parsed schema. Raises DecodeError."""
    try:
        values: dict[str, Any] = fastavro.schemaless_reader(BytesIO(datum), parsed, None)
    except Exception as error:  # fastavro raises whatever the broken bytes run into
        raise DecodeError("malformed_avro", f"the Avro datum cannot be read: {type(error).__name__}") from error
    return values


class RecordCodec:
    """Records of one feed."""

    def __init__(self, feed: str, folder: Path = SCHEMA_FOLDER) -> None:
        self.feed = feed
        self.schema = record_schema(feed, folder)
        self._whole = DatumCodec(self.schema)
        self._header = DatumCodec(header_of(self.schema))

    def encode(self, record: Record, raw: str | None, elements: Mapping[str, Any]) -> bytes:
        """Return the datum of ``record`` with the source row and the feed's elements."""
        values = _asdict(record)
        values["version"] = versions.to_bytes(record.version)
        values["is_deleted"] = 1 if record.is_deleted else 0
        values["mentions"] = [_asdict(mention) for mention in record.mentions]
        values["findings"] = [_asdict(finding) for finding in record.findings]
        values["raw"] = raw
        values.update(elements)
        return self._whole.encode(values)

    def decode_header(self, datum: bytes) -> Record:
        """Return the record without its elements. Raises DecodeError."""
        return self._record(self._header.decode(datum))

    def decode(self, datum: bytes) -> tuple[Record, str | None, dict[str, Any]]:
        """Return the record, its raw row and its elements. Raises DecodeError."""
        values = self._whole.decode(datum)
        raw = values.pop("raw")
        record = self._record(values)
        for field in Record.__struct_fields__:
            values.pop(field, None)
        return record, raw, values

    def _record(self, values: dict[str, Any]) -> Record:
        return Record(
            feed=self.feed,
            op=values["op"],
            key=values["key"],
            version=versions.from_bytes(values["version"]),
            is_deleted=values["is_deleted"] == 1,
            snapshot=values["snapshot"],
            source_time=values["source_time"],
            captured_time=values["captured_time"],
            topic=values["topic"],
            partition=values["partition"],
            offset=values["offset"],
            previous_key=values["previous_key"],
            next_key=values["next_key"],
            unchanged=tuple(values["unchanged"]),
            unchanged_elements=tuple(values["unchanged_elements"]),
            mentions=tuple([Mention(**mention) for mention in values["mentions"]]),
            findings=tuple([Finding(**finding) for finding in values["findings"]]),
        )


class MarkCodec:
    """Marks of the log."""

    def __init__(self) -> None:
        self.schema = shared_schema("Mark")
        self._datum = DatumCodec(self.schema)

    def encode(self, mark: Mark) -> bytes:
        """Return the datum of ``mark``."""
        return self._datum.encode({**_asdict(mark), "kind": str(mark.kind), "version": versions.to_bytes(mark.version)})

    def decode(self, datum: bytes) -> Mark:
        """Return the mark. Raises DecodeError."""
        values = self._datum.decode(datum)
        values["kind"] = MarkKind(values["kind"])
        values["version"] = versions.from_bytes(values["version"])
        return Mark(**values)
