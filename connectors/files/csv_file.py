"""Comma-separated values, RFC 4180, in any encoding whose multi-byte characters hold no comma, quote or line end.

Records are cut out of the bytes first. In GB18030 and UTF-8 no byte of a longer character is a comma, a quote or a line
end. A quote without a partner spoils its own line only: the lines behind it are read as if it were not there.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from connectors.errors import DeliveryError
from connectors.files.delivery import Stream
from connectors.files.layout import MOST_RECORD_BYTES, CsvLayout
from connectors.files.record import BOM, FileRecord, bounded_lines, decode

MOST_LINES: Final = 100
"""Lines that one quoted record may take: an address has a few, a lost quote has all."""

_QUOTE: Final = b'"'


def read_csv(stream: Stream, layout: CsvLayout, name: str, wanted: Sequence[str]) -> Iterator[FileRecord]:
    """Yield the records behind the header line, whose columns must include ``wanted``. Blank lines are none.

    Raises DeliveryError.
    """
    lines = bounded_lines(stream, name)
    header = next(lines, None)
    columns = _columns(header[1], layout) if header is not None else None
    if columns is None or len(set(columns)) != len(columns):
        raise DeliveryError(f"{name}: the first line does not name the columns; is it the file of this feed?")
    missing = [column for column in wanted if column not in columns]
    if missing:
        raise DeliveryError(
            f"{name}: the first line lacks {', '.join(missing)}; is it the feed's file, is it {layout.encoding}?"
        )

    def reads(line: int, raw: bytes) -> FileRecord:
        return read_csv_record(line, raw, layout, columns)

    yield from _records(lines, reads)


def read_csv_record(line: int, raw: bytes, layout: CsvLayout, columns: tuple[str, ...]) -> FileRecord:
    """Return one record; ``columns`` are those of its file's first line."""
    values = _columns(raw, layout)
    if values is not None and len(values) == len(columns):
        return FileRecord(line, raw, dict(zip(columns, values, strict=True)), columns=columns)
    error = (
        "a quote has no partner; mend the line"
        if values is None
        else f"the line has {len(values)} fields, the first one {len(columns)}; mend the line"
    )
    return FileRecord(line, raw, None, "unreadable_line", error, columns)


def _columns(raw: bytes, layout: CsvLayout) -> tuple[str, ...] | None:
    try:
        text = decode(raw, layout.encoding).rstrip("\r\n").removeprefix(BOM)
        rows = list(csv.reader([text], delimiter=layout.delimiter, strict=True))
    except csv.Error:
        return None
    return tuple(rows[0]) if len(rows) == 1 else None


def _records(
    lines: Iterator[tuple[int, bytes]], read: Callable[[int, bytes], FileRecord]
) -> Iterator[FileRecord]:
    """Yield the records. One whose lines do not make a record together is its first line alone."""
    waiting: deque[tuple[int, bytes]] = deque()
    while (first := waiting.popleft() if waiting else next(lines, None)) is not None:
        number, raw = first
        if raw.count(_QUOTE) % 2 == 0:
            if raw.strip():
                yield read(number, raw)
            continue
        ahead: list[tuple[int, bytes]] = []
        size = len(raw)
        record = None
        while len(ahead) < MOST_LINES and size < MOST_RECORD_BYTES:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            ahead.append(more)
            size += len(more[1])
            if more[1].count(_QUOTE) % 2:
                record = read(number, b"".join([raw, *(line for _, line in ahead)]))
                break
        if record is None or record.fields is None:
            waiting.extendleft(reversed(ahead))
            record = read(number, raw)
        yield record
