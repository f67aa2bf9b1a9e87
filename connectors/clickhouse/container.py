"""Avro object container files made of ready datums (Avro 1.11, "Object Container Files").

The engine reads a container at the speed of its own parser; no Python object is made for a row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from avro.schema import Schema

_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16


def _long(value: int) -> bytes:
    """Return a non-negative number as Avro's variable-length zig-zag long."""
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(data: bytes) -> bytes:
    return _long(len(data)) + data


class Container:
    """Containers of one schema."""

    def __init__(self, schema: Schema) -> None:
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()
        # The marker only has to be improbable in data; derived from the schema, equal batches are equal
        # bytes.
        self._sync = hashlib.sha256(text).digest()[:_SYNC_BYTES]
        metadata = (
            _long(2)
            + _bytes(b"avro.schema")
            + _bytes(text)
            + _bytes(b"avro.codec")
            + _bytes(b"null")
            + _long(0)
        )
        self._header = _MAGIC + metadata + self._sync

    def pack(self, datums: Sequence[bytes]) -> bytes:
        """Return a container with the datums as one block; at least one is wanted."""
        body = b"".join(datums)
        return b"".join((self._header, _long(len(datums)), _long(len(body)), body, self._sync))
