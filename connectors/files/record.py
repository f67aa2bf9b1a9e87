"""What the parsers give: the records of a file with their bytes, read or set aside."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import DeliveryError
from connectors.files.delivery import Stream
from connectors.files.layout import MOST_RECORD_BYTES

BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record. ``line`` counts from 1: lines of a text file, records of others. ``raw`` is its bytes. ``fields`` is
    None when it cannot be read: then ``rule`` and ``error`` say why, without a value of it. ``columns`` names those of
    its file where the file names them, for whoever reads the record again."""

    line: int
    raw: bytes
    fields: dict[str, Any] | None
    rule: str = ""
    error: str = ""
    columns: tuple[str, ...] = ()


def unreadable(line: int, raw: bytes, rule: str, error: str) -> FileRecord:
    """Return a record that is set aside."""
    return FileRecord(line, raw, None, rule, error)


def bounded_lines(stream: Stream, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number and its end. Raises DeliveryError at one that is longer than a record may be."""
    number = 0
    while line := stream.readline(MOST_RECORD_BYTES + 1):
        number += 1
        if len(line) > MOST_RECORD_BYTES:
            raise DeliveryError(
                f"{name}: line {number} is longer than {MOST_RECORD_BYTES} bytes; is it the file of this feed?"
            )
        yield number, line


def decode(data: bytes, encoding: str) -> str:
    """Return the text; bytes that are none become U+FFFD, so that what can be read of a record is read."""
    return data.decode(encoding, "replace")


def decode_cut(data: bytes, encoding: str) -> str:
    """Return the text of a field that was cut at a byte: half a character at its end becomes one U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = decoder.decode(data)
    # What the decoder still holds is the first part of a character.
    return text + "\ufffd" if decoder.getstate()[0] else text
