"""What Debezium would write of a row, without a database: messages of the capture topics, as JSON without schemas.

Follows Debezium 3's PostgreSQL and MariaDB connectors at their defaults with ``decimal.handling.mode=string``: dates as
days, timestamps as milli- or microseconds of the wall clock, instants as text in UTC, char(n) with its blanks, bytes
in base64, numerics as text; whole rows before a change where the table has them; placeholders for long values that a
change did not touch; a change of key as delete, tombstone and create. Files' records are bare rows.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

import msgspec

from connectors.simulate.columns import MARIADB, Column
from connectors.simulate.people import BASE_TIME
from connectors.simulate.rows import Row
from connectors.simulate.tables import Entry, Key, Table
from connectors.simulate.transactions import Operation, Transaction, Verb
from connectors.simulate.views import BIG_VALUE

UNAVAILABLE: Final = "__debezium_unavailable_value"
_UNAVAILABLE_BYTES: Final = base64.b64encode(UNAVAILABLE.encode()).decode()
OLD_KEY: Final = "__debezium.oldkey"
NEW_KEY: Final = "__debezium.newkey"

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 wall-clock time is counted as if it were UTC
_BASE_MILLISECONDS: Final = int(BASE_TIME.timestamp()) * 1000
_SNAPSHOT_LSN: Final = 30_000_000
_LSN_STEP: Final = 128
_COMMIT_STEP: Final = 48
_BINLOG: Final = "mariadb-bin.000002"
_POSITION_STEP: Final = 700
_CAPTURED_AFTER: Final = 137
"""Milliseconds between a change and Debezium's reading it."""

_Convert = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Message:
    """A message before it has an offset. ``time`` is in milliseconds."""

    topic: str
    key: str
    payload: bytes | None
    time: int
    headers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Log:
    """Where a department's log stands: PostgreSQL's LSNs, or MariaDB's positions."""

    lsn: int = _SNAPSHOT_LSN
    commit: int | None = None
    transaction: int = 700


class Capture:
    """Turns rows and transactions into messages; one instance a run, for it counts the logs' positions."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._encode = msgspec.json.Encoder().encode

    def snapshot(self, entry: Entry) -> Message:
        """Return the message of a row that was there when the capture began."""
        table = entry.table
        if table.is_file:
            return self._file(table, entry.key, entry.row, _BASE_MILLISECONDS)
        source = _snapshot_source(table)
        row = _renderer(table)(entry.row)
        return self._message(table, entry.key, "r", None, row, source, _BASE_MILLISECONDS)

    def changes(self, transactions: Sequence[Transaction]) -> Iterator[Message]:
        """Yield the messages of one transaction, or of two that interleave, in the order of their commits."""
        if len(transactions) == 2 and not transactions[0].department.startswith("file."):
            previous, later = transactions
            log = self._logs.setdefault(later.department, _Log())
            # The first half of the later one is in the log before the other begins.
            half = (len(later.operations) + 1) // 2
            early = [self._position(log) for _ in later.operations[:half]]
            yield from self._transaction(previous, [self._position(log) for _ in previous.operations])
            late = [self._position(log) for _ in later.operations[half:]]
            yield from self._transaction(later, early + late)
            return
        for transaction in transactions:
            log = self._logs.setdefault(transaction.department, _Log())
            yield from self._transaction(transaction, [self._position(log) for _ in transaction.operations])

    def _position(self, log: _Log) -> int:
        log.lsn += _LSN_STEP
        return log.lsn

    def _transaction(self, transaction: Transaction, positions: list[int]) -> Iterator[Message]:
        log = self._logs[transaction.department]
        log.transaction += 1
        milliseconds = int(transaction.moment.timestamp()) * 1000
        for operation, lsn in zip(transaction.operations, positions, strict=True):
            if operation.table.is_file:
                yield from self._file_change(operation, milliseconds)
                continue
            source = _source(operation.table, lsn, log.commit, log.transaction, milliseconds, "false")
            yield from self._change(operation, source, milliseconds)
        log.lsn += _COMMIT_STEP
        log.commit = log.lsn

    def _change(self, operation: Operation, source: dict[str, object], time: int) -> Iterator[Message]:
        table, render = operation.table, _renderer(operation.table)
        if operation.verb is Verb.DELETE:
            assert operation.before is not None
            yield self._deleted(table, operation.before, source, time)
            yield self._tombstone(table, operation.key, time)
            return
        assert operation.after is not None
        row = render(operation.after)
        if operation.verb is Verb.INSERT:
            yield self._message(table, operation.key, "c", None, row, source, time)
            return
        assert operation.before is not None
        if not table.is_full:
            _hide_unchanged(table, operation, row)
        key = table.key_of(operation.after)
        if key == operation.key:
            before = render(operation.before) if table.is_full else None
            yield self._message(table, key, "u", before, row, source, time)
            return
        old, new = table.key_json(operation.key), table.key_json(key)
        yield self._deleted(table, operation.before, source, time, (NEW_KEY, new))
        yield self._tombstone(table, operation.key, time)
        yield self._message(table, key, "c", None, row, source, time, (OLD_KEY, old))

    def _deleted(
        self, table: Table, row: Row, source: dict[str, object], time: int, headers: tuple[str, ...] = ()
    ) -> Message:
        rendered = _renderer(table)(row)
        if not table.is_full:
            key = {table.columns[table.fields.index(name)].name for name in table.key}
            rendered = {
                column.name: rendered[column.name] if column.name in key else _meaningless(column)
                for column in table.columns
            }
        return self._message(table, table.key_of(row), "d", rendered, None, source, time, headers)

    def _tombstone(self, table: Table, key: Key, time: int) -> Message:
        return Message(topic_of(table), table.key_json(key), None, time)

    def _message(
        self,
        table: Table,
        key: Key,
        op: str,
        before: dict[str, object] | None,
        after: dict[str, object] | None,
        source: dict[str, object],
        time: int,
        headers: tuple[str, ...] = (),
    ) -> Message:
        captured = time + _CAPTURED_AFTER
        payload = self._encode(
            {
                "before": before,
                "after": after,
                "source": source,
                "transaction": None,
                "op": op,
                "ts_ms": captured,
                "ts_us": captured * 1000,
                "ts_ns": captured * 1_000_000,
            }
        )
        return Message(topic_of(table), table.key_json(key), payload, time, headers)

    def _file_change(self, operation: Operation, time: int) -> Iterator[Message]:
        table = operation.table
        if operation.after is not None:
            yield self._file(table, operation.key, operation.after, time)
        elif table.name == "cjr":
            number = str(operation.key[0])
            payload = self._encode({"op": "D", "cjrzh": number, "gxsj": _beijing(time)})
            yield Message(topic_of(table), table.key_json(operation.key), payload, time)
        else:
            yield self._tombstone(table, operation.key, time)

    def _file(self, table: Table, key: Key, row: Row, time: int) -> Message:
        return Message(topic_of(table), table.key_json(key), self._encode(file_record(table, row)), time)


@cache
def topic_of(table: Table) -> str:
    """Return the topic that carries the table's changes."""
    if table.is_file:
        return f"file.{table.department}.{table.name}"
    schema = table.department if table.department in MARIADB else "public"
    return f"cdc.{table.department}.{schema}.{table.name}"


def file_record(table: Table, row: Row) -> dict[str, object]:
    """Return a file's record as an object of its fields; what is absent is left out, blank ones stay."""
    values = zip(table.columns, table.fields, strict=True)
    return {column.name: value for column, name in values if (value := getattr(row, name)) is not None}


def _source(
    table: Table, lsn: int, commit: int | None, transaction: int, milliseconds: int, snapshot: str
) -> dict[str, object]:
    common: dict[str, object] = {
        "version": "3.6.3.Final",
        "connector": "postgresql",
        "name": f"cdc.{table.department}",
        "ts_ms": milliseconds,
        "snapshot": snapshot,
        "db": table.department,
        "ts_us": milliseconds * 1000,
        "ts_ns": milliseconds * 1_000_000,
        "table": table.name,
    }
    if table.department in MARIADB:
        position = 4 + (lsn - _SNAPSHOT_LSN) // _LSN_STEP * _POSITION_STEP + (lsn - _SNAPSHOT_LSN) % _LSN_STEP
        return common | {
            "version": "3.5.0.Final",
            "connector": "mariadb",
            "sequence": None,
            "server_id": 0 if snapshot == "true" else 1,
            "gtid": None,
            "file": _BINLOG,
            "pos": position,
            "row": 0,
            "thread": None if snapshot == "true" else 11,
            "query": None,
        }
    return common | {
        "sequence": f'[{"null" if commit is None else f"{chr(34)}{commit}{chr(34)}"},"{lsn}"]',
        "schema": "public",
        "txId": transaction,
        "lsn": lsn,
        "xmin": None,
    }


@cache
def _snapshot_source(table: Table) -> dict[str, object]:
    return _source(table, _SNAPSHOT_LSN, None, 690, _BASE_MILLISECONDS, "true")


@cache
def _renderer(table: Table) -> Callable[[Row], dict[str, object]]:
    """Return what makes the JSON object of a row: column names to values as Debezium writes them."""
    names = tuple(column.name for column in table.columns)
    converters = [
        (place, convert)
        for place, column in enumerate(table.columns)
        if (convert := _converter(column, table.department in MARIADB)) is not None
    ]
    values_of = msgspec.structs.astuple

    def render(row: Row) -> dict[str, object]:
        values = list(values_of(row))
        for place, convert in converters:
            if values[place] is not None:
                values[place] = convert(values[place])
        return dict(zip(names, values, strict=True))

    return render


def _converter(column: Column, is_mariadb: bool) -> _Convert | None:
    """Return what turns a value into Debezium's; None where it stays as it is."""
    kind, _, rest = column.type.partition("(")
    size = rest.rstrip(")")
    if column.type.endswith("[]"):
        element = _converter(Column("", column.type[:-2], True), is_mariadb)
        numeric = kind.startswith(("smallint", "integer", "bigint"))
        return _array(int if numeric else element)
    if kind == "char" and not is_mariadb:
        width = int(size)
        return lambda value: value.ljust(width)
    if kind in ("numeric", "decimal"):
        scale = int(size.split(",")[1])
        return str if scale == 0 else _scaled(scale)
    if kind == "date":
        return _days
    if kind in ("timestamp", "datetime") and not (is_mariadb and kind == "timestamp"):
        precision = int(size) if size else 0 if is_mariadb else 6
        return _milliseconds if precision <= 3 else _microseconds
    if kind == "timestamptz":
        return _instant
    if kind == "timestamp":
        digits = int(size or 0)
        return lambda value: _padded_instant(value, digits)
    return _base64 if kind == "bytea" else None


def _scaled(scale: int) -> _Convert:
    def convert(value: str) -> str:
        whole, _, fraction = value.partition(".")
        return f"{whole}.{fraction[:scale]:0<{scale}}"

    return convert


def _array(element: _Convert | None) -> _Convert:
    def convert(value: str) -> list[object]:
        parts = value[1:-1].split(",") if len(value) > 2 else []
        return [part if element is None else element(part) for part in parts]

    return convert


def _days(value: str) -> int:
    return date.fromisoformat(value).toordinal() - _EPOCH_DAY


def _microseconds(value: str) -> int:
    span = datetime.fromisoformat(value) - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _milliseconds(value: str) -> int:
    return _microseconds(value) // 1000


def _instant(value: str) -> str:
    moment = datetime.fromisoformat(value).astimezone(UTC)
    text = moment.isoformat()[:-6]
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def _padded_instant(value: str, digits: int) -> str:
    moment = datetime.fromisoformat(value)
    text = moment.isoformat(timespec="seconds")
    return f"{text}.{moment.microsecond:06d}"[: 20 + digits] + "Z" if digits else text + "Z"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _beijing(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, BASE_TIME.tzinfo).isoformat()


def _hide_unchanged(table: Table, operation: Operation, row: dict[str, object]) -> None:
    """Put the placeholder where a long value was not written: it is stored beside the row, and not sent again."""
    for column, name in zip(table.columns, table.fields, strict=True):
        if name in operation.fields:
            continue
        value = getattr(operation.after, name)
        if isinstance(value, bytes) and len(value) >= BIG_VALUE:
            row[column.name] = _UNAVAILABLE_BYTES
        elif isinstance(value, str) and len(value) * 3 >= BIG_VALUE and len(value.encode()) >= BIG_VALUE:
            row[column.name] = UNAVAILABLE


def _meaningless(column: Column) -> object:
    """Return what a delete without the whole row has in a column that is no part of the key."""
    if column.is_nullable:
        return None
    kind = column.type.partition("(")[0]
    if kind in ("smallint", "integer", "bigint", "date", "timestamp"):
        return 0
    if kind == "timestamptz":
        return "1970-01-01T00:00:00Z"
    if kind == "numeric":
        return "0"
    return False if kind == "boolean" else ""
