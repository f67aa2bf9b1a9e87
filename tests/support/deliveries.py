"""Deliveries of `tests.support.file_feeds` as the departments write them, with their control files."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

Row = tuple[str, str, str]
"""Number, name, ID number."""


def control(path: Path, records: int) -> Path:
    """Write the control file of ``path`` and return ``path``."""
    data = path.read_bytes()
    line = f"{path.name},{records},{len(data)},{hashlib.sha256(data).hexdigest()}\n"
    path.with_name(path.name + ".ok").write_text(line, encoding="utf-8")
    return path


def deliver(
    folder: Path, kind: str, content: bytes, records: int, date: str = "20240131", sequence: int = 1
) -> Path:
    """Write a delivery of ``works.<kind>``; the file's ending says nothing."""
    path = folder / f"works_{kind}_{date}_{sequence:03}.dat"
    path.write_bytes(content)
    return control(path, records)


def roll(rows: Iterable[Row]) -> bytes:
    """Return a CSV in GB18030."""
    lines = ["编号,备注,姓名,身份证号", *(f'{number},"甲,乙",{name},{code}' for number, name, code in rows)]
    return "".join(line + "\r\n" for line in lines).encode("gb18030")


def grants(lines: Iterable[dict[str, object]]) -> bytes:
    """Return JSON lines in UTF-8 with a byte order mark."""
    return b"\xef\xbb\xbf" + b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def accounts(
    rows: Sequence[Row], date: str = "20240131", sequence: int = 1, count: int | None = None
) -> bytes:
    """Return XML in GB18030."""
    entries = "".join(
        f'<w:entry no="{escape(number)}"><name>{escape(name)}</name>'
        + (f"<who><number>{escape(code)}</number></who>" if code else "<who/>")
        + "</w:entry>\n"
        for number, name, code in rows
    )
    return (
        '<?xml version="1.0" encoding="GB18030"?>\n'
        f'<w:batch xmlns:w="urn:works:1" rq="{date}" xh="{sequence:03}" sl="{len(rows) if count is None else count}">\n'
        f"{entries}</w:batch>\n"
    ).encode("gb18030")


def archive(rows: Sequence[Row], date: str = "20240131", sequence: int = 1, height: str = "0168E") -> bytes:
    """Return records of 64 bytes in GB18030."""

    def text(value: str, size: int) -> bytes:
        return value.encode("gb18030")[:size].ljust(size)

    details = [
        b"D" + number.encode().rjust(10, b"0") + text(name, 11) + text(code, 18) + height.encode() + b" " * 19
        for number, name, code in rows
    ]
    total = sum(int(number) for number, _, _ in rows) % 10**12
    header = f"H{date}{sequence:03}".encode().ljust(64)
    trailer = f"T{len(rows):010}{total:012}".encode().ljust(64)
    return b"".join([header, *details, trailer])


def zipped(path: Path, member: str | None = None) -> Path:
    """Pack a delivery into a zip beside it and return that; its control file describes what is in it."""
    packed = path.with_name(path.name + ".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(path, member or path.name)
    return packed


def gzipped(path: Path, records: int) -> Path:
    """Pack a delivery with gzip and return that, with a control file of its own."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return control(packed, records)
