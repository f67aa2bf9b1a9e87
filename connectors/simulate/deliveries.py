"""Writes the five offline types as the files they come as: fixed width, XML, JSON lines and CSV, each with its
control file, which is written after it.

The first delivery holds what is there when the province is filled. What happens afterwards is in a second one of the
disability certificates, the only file that brings changes; the others would be the same again.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self
from xml.sax.saxutils import escape

import msgspec

from connectors.errors import TerminalError
from connectors.simulate.capture import file_record
from connectors.simulate.changer import Changer
from connectors.simulate.people import BASE_DATE
from connectors.simulate.population import Population
from connectors.simulate.rows import Row
from connectors.simulate.rows.files import HjLsda
from connectors.simulate.tables import CJR, FILES, GJJ_GRZH, HJ_LSDA, SQJZ, SYGZ, Table
from connectors.simulate.transactions import Operation

_CHINESE: Final = "gb18030"
_BOM: Final = "\ufeff".encode()
_RECORD: Final = 256
"""Bytes of a record of the archive."""
_WIDTHS: Final = (10, 15, 20, 2, 6, 6, 1, 8, 9, 20, 20, 20, 80, 6, 5, 1)
"""Of the archive's fields, in bytes; the record's type is before them, a filler behind."""
_ZEROS: Final = frozenset(("DAH", "CSRQ", "HH", "LRRQ"))
"""Fields of digits."""
_OVERPUNCH: Final = "{ABCDEFGHI"
"""The last digit of a positive number, with its sign."""
_HASH: Final = 10**12

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Delivered:
    """The files that were written, with their records."""

    records: dict[str, int] = field(default_factory=dict)


class File:
    """A file that is written record by record, hashed on the way; the control file is written when it is closed."""

    suffix = ""

    def __init__(self, folder: Path, table: Table, day: date, sequence: int, delivered: Delivered) -> None:
        self.day, self.sequence, self.table = day, sequence, table
        self.name = f"{table.department}_{table.name}_{day:%Y%m%d}_{sequence:03d}.{self.suffix}"
        self.records = 0
        self._delivered = delivered
        self._folder = folder
        self._file: BinaryIO = (folder / self.name).open("wb")
        self._hash = hashlib.sha256()
        self._bytes = 0

    def __enter__(self) -> Self:
        self.put(self.head())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.put(self.tail())
        self._file.close()
        if kind is None:
            line = f"{self.name},{self.records},{self._bytes},{self._hash.hexdigest()}\n"
            (self._folder / f"{self.name}.ok").write_text(line, encoding="utf-8")
            self._delivered.records[self.name] = self.records

    def put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)

    def add(self, row: Row) -> None:
        self.records += 1
        self.put(self.record(row))

    def head(self) -> bytes:
        return b""

    def record(self, row: Row) -> bytes:
        raise NotImplementedError

    def tail(self) -> bytes:
        return b""


class _Archive(File):
    suffix = "dat"
    _sum = 0

    def head(self) -> bytes:
        return f"HPOLICE-HJ {self.day:%Y%m%d}{self.sequence:03d}".encode().ljust(_RECORD)

    def record(self, row: Row) -> bytes:
        assert isinstance(row, HjLsda)
        self._sum = (self._sum + int(row.dah)) % _HASH
        parts = [b"D"]
        for column, name, width in zip(self.table.columns, self.table.fields, _WIDTHS, strict=True):
            value = getattr(row, name)
            if name == "sg":
                value = _zoned(value)
            data = value.encode(_CHINESE)[:width]
            parts.append(data.rjust(width, b"0") if column.name in _ZEROS else data.ljust(width))
        return b"".join(parts).ljust(_RECORD)

    def tail(self) -> bytes:
        return f"T{self.records:010d}{self._sum:012d}".encode().ljust(_RECORD)


class _Accounts(File):
    """Its head says how many accounts follow, so they wait beside the file."""

    suffix = "xml"

    def __init__(self, folder: Path, table: Table, day: date, sequence: int, delivered: Delivered) -> None:
        super().__init__(folder, table, day, sequence, delivered)
        self._waiting = (folder / f".{self.name}.tmp").open("w+b")

    def add(self, row: Row) -> None:
        self.records += 1
        self._waiting.write(self.record(row))

    def record(self, row: Row) -> bytes:
        values = file_record(self.table, row)
        elements = "".join(
            f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items() if name != "grzh"
        )
        return f'<gjj:zh grzh="{values["grzh"]}">{elements}</gjj:zh>\n'.encode(_CHINESE)

    def tail(self) -> bytes:
        self.put(
            f'<?xml version="1.0" encoding="GB18030"?>\n<gjj:batch xmlns:gjj="urn:jianglan:gjj:1" '
            f'rq="{self.day:%Y%m%d}" xh="{self.sequence:03d}" sl="{self.records}">\n'.encode()
        )
        self._waiting.seek(0)
        for block in iter(lambda: self._waiting.read(1 << 20), b""):
            self.put(block)
        return b"</gjj:batch>\n"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._waiting.close()
        Path(self._waiting.name).unlink()


class Lines(File):
    suffix = "jsonl"

    def head(self) -> bytes:
        return _BOM

    def record(self, row: Row) -> bytes:
        return _encode(row) + b"\n"

    def change(self, operation: Operation, moment: str) -> None:
        """Add what has become of a certificate."""
        if operation.after is None:
            self.removed(str(operation.key[0]), moment)
        else:
            self.add(operation.after)

    def removed(self, number: str, moment: str) -> None:
        self.records += 1
        self.put(_encode({"op": "D", "cjrzh": number, "gxsj": moment}) + b"\n")


class _Sheet(File):
    suffix = "csv"

    def head(self) -> bytes:
        return _csv_line(column.name for column in self.table.columns)

    def record(self, row: Row) -> bytes:
        return _csv_line(getattr(row, name) for name in self.table.fields)


_KINDS: Final[dict[Table, type[File]]] = {
    HJ_LSDA: _Archive,
    GJJ_GRZH: _Accounts,
    CJR: Lines,
    SQJZ: _Sheet,
    SYGZ: _Sheet,
}


def file_of(folder: Path, table: Table, day: date, sequence: int, delivered: Delivered) -> File:
    """Return a delivery of a table, to be entered; its control file follows when it is left without an error."""
    return _KINDS[table](folder, table, day, sequence, delivered)


def deliver(folder: Path, population: Population, transactions: int) -> Delivered:
    """Write the files of a population into a folder, and of so many transactions after it.

    Raises TerminalError when the folder holds files already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise TerminalError(f"{folder} is not empty; give an empty folder")
    delivered = Delivered()
    with ExitStack() as stack:
        files = {
            table: stack.enter_context(file_of(folder, table, BASE_DATE, 1, delivered)) for table in FILES
        }
        for family in population.everybody():
            for entry in family.entries:
                if entry.table in files:
                    files[entry.table].add(entry.row)
    changes = list(_changes(population, transactions))
    if changes:
        with Lines(folder, CJR, BASE_DATE + timedelta(days=1), 1, delivered) as file:
            for operation, moment in changes:
                file.change(operation, moment)
    return delivered


def _changes(population: Population, transactions: int) -> Iterator[tuple[Operation, str]]:
    changer = Changer(population)
    while changer.number < transactions:
        for transaction in changer.next():
            for operation in transaction.operations:
                if operation.table is CJR:
                    yield operation, transaction.moment.isoformat()


def _zoned(text: str) -> str:
    whole, _, tenth = text.partition(".")
    return f"{int(whole):04d}{_OVERPUNCH[int(tenth)]}"


def _csv_line(values: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().encode(_CHINESE)
