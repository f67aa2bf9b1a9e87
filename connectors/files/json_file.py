"""One JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from connectors.files.delivery import Stream
from connectors.files.layout import JsonLayout
from connectors.files.record import BOM, FileRecord, bounded_lines, decode, unreadable
from connectors.files.rows import flatten

_decode: Final = msgspec.json.Decoder().decode


def read_json(stream: Stream, layout: JsonLayout, name: str) -> Iterator[FileRecord]:
    """Yield the lines' objects; blank lines are none. Raises DeliveryError."""
    for number, line in bounded_lines(stream, name):
        if line.strip():
            yield read_json_record(number, line, layout)


def read_json_record(line: int, raw: bytes, layout: JsonLayout) -> FileRecord:
    """Return one line's object with nested fields named by their path."""
    try:
        value = _decode(decode(raw, layout.encoding).removeprefix(BOM))
    except (msgspec.DecodeError, RecursionError):
        return unreadable(line, raw, "not_json", "the line is not JSON; mend the line")
    if not isinstance(value, dict):
        return unreadable(line, raw, "wrong_type", "the line is no JSON object; mend the line")
    return FileRecord(line, raw, flatten(value))
