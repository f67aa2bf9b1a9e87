"""A feed's table in MariaDB.

Values come out as Debezium 3's MariaDB connector writes them into JSON, set up as renkou's connectors are: decimals as
text, times adaptive. Moments are compared as such: snapshots and changes spell their fractions differently.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pymysql
from pymysql.constants import FIELD_TYPE

from avro.debezium_keys import key_text
from connectors.errors import TerminalError, TransientError
from connectors.feeds.feed import Feed
from connectors.mariadb import connect
from monitoring.reconcile.source import INCOMPARABLE, STATEMENT_SECONDS, Chunk, SourceRow, normalized
from monitoring.reconcile.spelling import (
    EPOCH,
    EPOCH_DAY,
    MILLISECOND_DIGITS,
    base64_text,
    days,
    incomparable,
    micros,
    millis,
)

KEYS_A_READ: Final = 500
"""Rows that are asked for by key at once: the statement has a condition for each."""


_DECODERS: Final[Mapping[int, Callable[[str], Any]]] = {
    **dict.fromkeys(
        (
            FIELD_TYPE.TINY,
            FIELD_TYPE.SHORT,
            FIELD_TYPE.INT24,
            FIELD_TYPE.LONG,
            FIELD_TYPE.LONGLONG,
            FIELD_TYPE.YEAR,
        ),
        int,
    ),
    FIELD_TYPE.FLOAT: float,
    FIELD_TYPE.DOUBLE: float,
}
"""What the driver converts; everything else is the server's text, and bytes of binary columns."""

_COLUMNS: Final = """
    SELECT column_name, data_type, column_type, datetime_precision FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s
"""

Convert = Callable[[Any], Any]


class _Column(NamedTuple):
    """A column: the name of its type, how it was declared, digits of a second."""

    name: str
    kind: str
    declared: str
    precision: int | None


def _zoned(text: str) -> Any:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return INCOMPARABLE  # the zero timestamp: null in snapshots, 1970 in changes
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _clock(text: str) -> Any:
    hours, minutes, seconds = text.lstrip("-").split(":")
    whole, _, fraction = seconds.partition(".")
    micros = ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1_000_000 + int(fraction.ljust(6, "0"))
    return -micros if text.startswith("-") else micros


def _bool(data: bytes) -> bool:
    return data != b"\0"


def _bits(data: bytes) -> str:
    return base64_text(data[::-1])  # Debezium has the lowest byte first


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _conversion(column: _Column) -> Convert | None:
    """Return the function from the driver's value to Debezium's; None where they are the same."""
    coarse = (column.precision or 0) <= MILLISECOND_DIGITS
    match column.kind:
        case "date":
            return days
        case "datetime":
            return millis if coarse else micros
        case "timestamp":
            return _zoned
        case "time":
            return _clock
        case "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob":
            return base64_text
        case "bit":
            return _bool if column.declared == "bit(1)" else _bits
        case "bigint" if "unsigned" in column.declared:
            return _signed
        case "geometry" | "point" | "linestring" | "polygon":
            return incomparable
    return None


class MariadbTable:
    """See `SourceTable`. One thread at a time."""

    def __init__(self, dsn: str, feed: Feed) -> None:
        """Connect. Raises TransientError, and TerminalError when the table is not what the feed says."""
        self._feed = feed
        self._connection = connect(dsn, f"the database of {feed.department}")
        self._connection.decoders = dict(_DECODERS)
        try:
            # The names of sessions are not to be had here; the account tells the administrator whose they are.
            self._fetch("SET SESSION TRANSACTION READ ONLY")
            self._fetch(f"SET SESSION max_statement_time = {STATEMENT_SECONDS}")
            rows = self._fetch(_COLUMNS, (feed.schema, feed.table))
            columns = {
                name: _Column(
                    name, kind.lower(), declared.lower(), None if precision is None else int(precision)
                )
                for name, kind, declared, precision in rows
            }
            self._names = tuple(dict.fromkeys((*feed.key, *feed.columns)))
            missing = [name for name in self._names if name not in columns]
            if missing:
                raise TerminalError(
                    f"feed {feed.id}: {feed.schema}.{feed.table} has no {', '.join(missing)}; mend the feed"
                )
        except BaseException:
            self._connection.close()
            raise
        self.instants = frozenset(name for name in self._names if columns[name].kind == "timestamp")
        self._key_places = [self._names.index(name) for name in feed.key]
        self._key_columns = [columns[name] for name in feed.key]
        self._converts = [
            (place, convert)
            for place, name in enumerate(self._names)
            if (convert := _conversion(columns[name])) is not None
        ]
        table = f"{_identifier(feed.schema)}.{_identifier(feed.table)}"
        self._select = f"SELECT {', '.join(map(_identifier, self._names))} FROM {table}"
        self._order = f" ORDER BY {', '.join(map(_identifier, feed.key))} LIMIT %s"

    def chunk(self, after: tuple[Any, ...] | None, size: int) -> Chunk:
        """See `SourceTable`."""
        if after is None:
            found = self._fetch(self._select + self._order, (size,))
        else:
            where, values = self._behind(after)
            found = self._fetch(f"{self._select} WHERE {where}{self._order}", (*values, size))
        rows = dict(map(self._row, found))
        if len(found) < size:
            return Chunk(rows, None)
        return Chunk(rows, tuple(found[-1][place] for place in self._key_places))

    def _behind(self, after: tuple[Any, ...]) -> tuple[str, list[Any]]:
        """Return the condition of what follows a key. Spelled out: a comparison of rows would not use the index."""
        names = [_identifier(name) for name in self._feed.key]
        parts: list[str] = []
        values: list[Any] = []
        for place, name in enumerate(names):
            same = [f"{earlier} = %s" for earlier in names[:place]]
            parts.append(f"({' AND '.join([*same, f'{name} > %s'])})")
            values += after[: place + 1]
        return " OR ".join(parts), values

    def by_keys(self, keys: Sequence[str]) -> dict[str, SourceRow]:
        """See `SourceTable`."""
        wanted = [parts for key in keys if (parts := self._parts(key)) is not None]
        rows: dict[str, SourceRow] = {}
        one = " AND ".join(f"{_identifier(name)} = %s" for name in self._feed.key)
        for start in range(0, len(wanted), KEYS_A_READ):
            part = wanted[start : start + KEYS_A_READ]
            condition = " OR ".join([f"({one})"] * len(part))
            values = [value for parts in part for value in parts]
            rows |= dict(map(self._row, self._fetch(f"{self._select} WHERE {condition}", values)))
        asked = set(keys)
        # A collation may call two keys equal that are two.
        return {key: row for key, row in rows.items() if key in asked}

    def condition(self, keys: Sequence[str]) -> str:
        """See `SourceTable`."""
        rows = [
            " AND ".join(
                f"{_identifier(name)} = {self._connection.escape(value)}"
                for name, value in zip(self._feed.key, parts, strict=True)
            )
            for key in keys
            if (parts := self._parts(key)) is not None
        ]
        return " OR ".join(f"({row})" for row in rows)

    def now(self) -> int:
        """See `SourceTable`."""
        return int(self._fetch("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)")[0][0])

    def close(self) -> None:
        """See `SourceTable`."""
        self._connection.close()

    def _parts(self, key: str) -> tuple[Any, ...] | None:
        """Return the key's columns as MariaDB's values, None when it is not this table's."""
        try:
            columns = json.loads(key)
        except ValueError:
            return None
        if not isinstance(columns, dict) or columns.keys() != set(self._feed.key):
            return None
        return tuple(_sql_value(column, columns[column.name]) for column in self._key_columns)

    def _fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            # The driver's text may quote values.
            code = error.args[0] if error.args else type(error).__name__
            raise TransientError(
                f"the source cannot be read: MariaDB error {code}; is it running, and has the account the rights of"
                " renkou connect sql?"
            ) from None

    def _row(self, values: tuple[Any, ...]) -> tuple[str, SourceRow]:
        row = dict(zip(self._names, values, strict=True))
        for place, convert in self._converts:
            if values[place] is not None:
                row[self._names[place]] = convert(values[place])
        key = key_text({name: row[name] for name in self._feed.key})
        if any(value is INCOMPARABLE for value in row.values()):
            return key, SourceRow(None, "incomparable")
        return key, normalized(self._feed, key, row)


def _sql_value(column: _Column, value: Any) -> Any:
    """Return a key column's value in Debezium's form as MariaDB takes it."""
    if isinstance(value, int) and not isinstance(value, bool):
        match column.kind:
            case "date":
                return (EPOCH_DAY + dt.timedelta(days=value)).isoformat()
            case "datetime":
                coarse = (column.precision or 0) <= MILLISECOND_DIGITS
                return (EPOCH + dt.timedelta(microseconds=value * 1000 if coarse else value)).isoformat(" ")
    return value


def _identifier(name: str) -> str:
    # The driver takes a percent sign for a parameter.
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"
