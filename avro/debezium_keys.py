"""Keys: from the key of a message, or a header that holds one, to the key's text in renkou."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from avro.debezium_wire import Row, WireReader
from avro.errors import DecodeError

NEW_KEY_HEADER: Final = "__debezium.newkey"
"""On the delete of a primary-key change: the key that the row has from now on."""
OLD_KEY_HEADER: Final = "__debezium.oldkey"
"""On the create of a primary-key change: the key that the row had."""

# What Connect's default header converter makes of a struct: Java's text of it, without quotes or types.
_STRUCT: Final = b"Struct{"

_encode: Final = msgspec.json.Encoder().encode


def key_text(columns: Row) -> str:
    """Return the compact JSON object of a key's columns, in the key's own order."""
    return _encode(columns).decode()


def header_key(
    reader: WireReader, headers: list[tuple[str, bytes | None]] | None, name: str, own: Row
) -> str | None:
    """Return the key that a header holds as text, None when the event has no such header.

    ``own`` is the event's own key: a header written by Connect's default converter has neither quotes nor types,
    and takes names and types from it. Raises DecodeError when the header cannot be read without guessing.
    """
    if not headers:
        return None
    for header, value in headers:
        if header == name:
            if not value:
                raise _unreadable(name)
            columns = (
                _from_struct(value, own) if value.startswith(_STRUCT) else _from_wire(reader, value, name)
            )
            if columns is None or columns.keys() != own.keys():
                raise _unreadable(name)
            return key_text({column: columns[column] for column in own})
    return None


def _from_wire(reader: WireReader, value: bytes, name: str) -> Row:
    try:
        return reader.key(value)
    except DecodeError as error:
        raise _unreadable(name) from error


def _from_struct(value: bytes, own: Row) -> Row | None:
    """Read Java's text of a struct; None when it may be read in more than one way, or does not fit ``own``."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    pattern = ",".join(f"{re.escape(column)}=(.*)" for column in own)
    match = re.fullmatch(rf"Struct\{{{pattern}\}}", text, re.DOTALL)
    if match is None or any(text.count(f",{column}=") > 1 for column in list(own)[1:]):
        return None
    columns: Row = {}
    for (column, known), part in zip(own.items(), match.groups(), strict=True):
        read: Any = part
        if not isinstance(known, str):
            if (
                isinstance(known, bool)
                or not isinstance(known, int)
                or not re.fullmatch(r"-?\d+", part, re.ASCII)
            ):
                return None
            read = int(part)
        columns[column] = read
    return columns


def _unreadable(name: str) -> DecodeError:
    return DecodeError(
        "unreadable_header",
        f"header {name} holds no key that fits the event's; set header.converter to JsonConverter",
    )
