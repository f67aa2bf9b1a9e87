"""Files as sequences of checked frames: what the write-ahead log and the snapshots are made of.

A frame is a header of 16 bytes (magic, length of the payload, CRC-32 of the payload, CRC-32 of these three,
all little-endian) and the payload. The header has a check of its own so that a damaged length is not taken
for a frame that the file ends in.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAGIC: Final = b"rkF\x01"
HEADER: Final = struct.Struct("<4sII")
HEADER_BYTES: Final = HEADER.size + 4
_CHECK: Final = struct.Struct("<I")
_PRIVATE: Final = 0o600
"""The state holds personal data at the highest level: nobody but the linker's user reads it."""


def pack(payload: bytes) -> bytes:
    """Return the frame around ``payload``."""
    head = HEADER.pack(MAGIC, len(payload), zlib.crc32(payload))
    return head + _CHECK.pack(zlib.crc32(head)) + payload


def frame_at(data: bytes, start: int) -> bytes | None:
    """Return the payload of the frame that begins at ``start``, None when there is no whole and undamaged
    one."""
    body = start + HEADER_BYTES
    if len(data) < body or not data.startswith(MAGIC, start):
        return None
    if zlib.crc32(data[start : start + HEADER.size]) != _CHECK.unpack_from(data, start + HEADER.size)[0]:
        return None
    _, length, check = HEADER.unpack_from(data, start)
    payload = data[body : body + length]
    return payload if len(payload) == length and zlib.crc32(payload) == check else None


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the frames from the beginning, each with the position behind it, up to the first that is not
    whole."""
    position = 0
    while (payload := frame_at(data, position)) is not None:
        position += HEADER_BYTES + len(payload)
        yield position, payload


def has_frame_after(data: bytes, start: int) -> bool:
    """Say whether a whole frame begins anywhere behind ``start``: then what is at ``start`` is no torn
    end."""
    while (start := data.find(MAGIC, start + 1)) >= 0:
        if frame_at(data, start) is not None:
            return True
    return False


def open_private(path: Path, flags: int) -> int:
    """Open a file that only the owner may read; return its descriptor. Raises OSError."""
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)


def write_all(descriptor: int, data: bytes, position: int) -> None:
    """Write ``data`` at ``position``. Raises OSError; how much is written then is unknown."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view = view[written:]
        position += written


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
