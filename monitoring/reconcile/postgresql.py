"""A feed's table in PostgreSQL.

Values come out as Debezium 3's PostgreSQL connector writes them into JSON, set up as renkou's connectors are:
decimals as text, times adaptive, everything else in PostgreSQL's own spelling.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

from avro.debezium_keys import key_text
from connectors.errors import TerminalError, TransientError
from connectors.feeds.feed import Feed
from monitoring.reconcile.source import (
    APPLICATION,
    INCOMPARABLE,
    STATEMENT_SECONDS,
    Chunk,
    SourceRow,
    normalized,
)
from monitoring.reconcile.spelling import (
    EPOCH,
    EPOCH_DAY,
    MICROSECOND,
    MILLISECOND_DIGITS,
    base64_text,
    days,
    incomparable,
    micros,
    millis,
)

CONNECT_SECONDS: Final = 10

KEYS_A_READ: Final = 1000
"""Rows that are asked for by key at once."""

_NATIVE: Final = frozenset(("int2", "int4", "int8", "oid", "bool", "float4", "float8", "bytea"))
"""Types whose values the driver gives as numbers, booleans and bytes; all others are read as PostgreSQL's text."""

_COLUMNS: Final = """
    SELECT a.attname, t.oid, coalesce(e.typname, t.typname), e.oid,
           format_type(a.atttypid, a.atttypmod), information_schema._pg_datetime_precision(a.atttypid, a.atttypmod)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE n.nspname = %s AND c.relname = %s
"""


class _Column(NamedTuple):
    """A column: its type's oid and name (an array's: its element's), how SQL spells it, digits of a second."""

    name: str
    oid: int
    kind: str
    element_oid: int | None
    declared: str
    precision: int | None


Convert = Callable[[Any], Any]


def _time_micros(text: str) -> Any:
    try:
        return (dt.datetime.combine(dt.date(1970, 1, 1), dt.time.fromisoformat(text)) - EPOCH) // MICROSECOND
    except ValueError:
        return INCOMPARABLE  # 24:00:00


def _time_millis(text: str) -> Any:
    value = _time_micros(text)
    return value if value is INCOMPARABLE else value // 1000


def _zoned(text: str) -> Any:
    """Return Debezium's ISO text in UTC of a timestamptz, which the session gives in UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text if "infinity" in text else INCOMPARABLE
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment.year >= 1000 else INCOMPARABLE


def _not_a_number(text: str) -> Any:
    return "NAN" if text == "NaN" else text


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else INCOMPARABLE


def _conversion(kind: str, precision: int | None) -> Convert | None:
    """Return the function from the driver's value to Debezium's; None where they are the same."""
    coarse = precision is not None and precision <= MILLISECOND_DIGITS
    match kind:
        case "date":
            return days
        case "timestamp":
            return millis if coarse else micros
        case "timestamptz":
            return _zoned
        case "time":
            return _time_millis if coarse else _time_micros
        case "numeric":
            return _not_a_number
        case "bytea":
            return base64_text
        case "float4" | "float8":
            return _finite
        # No feed of the register has one of these; Debezium's forms of them are its own.
        case (
            "interval" | "timetz" | "money" | "bit" | "varbit" | "hstore" | "point" | "geometry" | "geography"
        ):
            return incomparable
    return None


def _of_array(convert: Convert | None) -> Convert:
    def whole(value: Any) -> Any:
        if not isinstance(value, list):
            return INCOMPARABLE  # an array of a type that the driver does not know
        if convert is None:
            return value
        items = [None if item is None else convert(item) for item in value]
        return INCOMPARABLE if INCOMPARABLE in items else items

    return whole


class PostgresqlTable:
    """See `SourceTable`. One thread at a time."""

    def __init__(self, dsn: str, feed: Feed) -> None:
        """Connect. Raises TransientError, and TerminalError when the table is not what the feed says."""
        self._feed = feed
        self.instants: frozenset[str] = frozenset()
        try:
            self._connection = psycopg.connect(
                dsn,
                connect_timeout=CONNECT_SECONDS,
                autocommit=True,
                options=(
                    f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_SECONDS}s"
                    " -c TimeZone=UTC -c DateStyle=ISO -c bytea_output=hex -c extra_float_digits=1"
                ),
                application_name=APPLICATION,
            )
        except psycopg.Error as error:
            raise _unavailable(error) from None
        try:
            self._prepare()
        except psycopg.Error as error:
            self._connection.close()
            raise _unavailable(error) from None
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        feed = self._feed
        rows = self._connection.execute(_COLUMNS, (feed.schema, feed.table)).fetchall()
        columns = {row[0]: _Column(*row) for row in rows}
        names = tuple(dict.fromkeys((*feed.key, *feed.columns)))
        missing = [name for name in names if name not in columns]
        if missing:
            raise TerminalError(
                f"feed {feed.id}: {feed.schema}.{feed.table} has no {', '.join(missing)}; mend the feed, see"
                " renkou feeds check --source"
            )
        self._names = names
        self.instants = frozenset(name for name in names if columns[name].kind == "timestamptz")
        self._key_columns = [columns[name] for name in feed.key]
        self._key_places = [names.index(name) for name in feed.key]
        self._converts: list[tuple[int, Convert]] = []
        for place, name in enumerate(names):
            column = columns[name]
            if column.kind not in _NATIVE:
                self._connection.adapters.register_loader(column.element_oid or column.oid, TextLoader)
            convert = _conversion(column.kind, column.precision)
            if column.element_oid is not None:
                convert = _of_array(convert)
            if convert is not None:
                self._converts.append((place, convert))
        table = sql.Identifier(feed.schema, feed.table)
        key = [sql.Identifier(name) for name in feed.key]
        marks = [sql.SQL("%s::text::") + sql.SQL(column.declared) for column in self._key_columns]
        select = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, names)), table)
        order = sql.SQL(" ORDER BY {} LIMIT %s").format(sql.SQL(", ").join(key))
        behind = sql.SQL(" WHERE ({}) > ({})").format(sql.SQL(", ").join(key), sql.SQL(", ").join(marks))
        self._first = select + order
        self._next = select + behind + order
        # Joined to the wanted keys, so that each is one look-up in the primary key's index.
        wanted = [sql.Identifier(f"k{index}") for index in range(len(key))]
        same = [
            sql.SQL("t.{} = w.{}::{}").format(name, want, sql.SQL(column.declared))
            for name, want, column in zip(key, wanted, self._key_columns, strict=True)
        ]
        self._by_key = sql.SQL("SELECT {} FROM unnest({}) AS w({}) JOIN {} AS t ON {}").format(
            sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in names),
            sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(key)),
            sql.SQL(", ").join(wanted),
            table,
            sql.SQL(" AND ").join(same),
        )

    def chunk(self, after: tuple[Any, ...] | None, size: int) -> Chunk:
        """See `SourceTable`."""
        try:
            found = self._fetch(*((self._first, (size,)) if after is None else (self._next, (*after, size))))
        except psycopg.DataError as error:
            raise TerminalError(
                f"feed {self._feed.id}: a value of its table cannot be read: {type(error).__name__}; report the column"
            ) from None
        rows: dict[str, SourceRow] = {}
        for values in found:
            key, row = self._row(values)
            rows[key] = row
        if len(found) < size:
            return Chunk(rows, None)
        last = found[-1]
        # Numbers, and PostgreSQL's own text of everything else: both are read back as they are.
        return Chunk(rows, tuple(str(last[place]) for place in self._key_places))

    def by_keys(self, keys: Sequence[str]) -> dict[str, SourceRow]:
        """See `SourceTable`."""
        rows: dict[str, SourceRow] = {}
        for start in range(0, len(keys), KEYS_A_READ):
            rows |= self._some(keys[start : start + KEYS_A_READ])
        return rows

    def _some(self, keys: Sequence[str]) -> dict[str, SourceRow]:
        wanted = [parts for key in keys if (parts := self._parts(key)) is not None]
        if not wanted:
            return {}
        try:
            found = self._fetch(self._by_key, tuple(list(column) for column in zip(*wanted, strict=True)))
        except psycopg.DataError:
            # A key that is no value of its column's type: such a row cannot be in the source.
            if len(keys) == 1:
                return {}
            middle = len(keys) // 2
            return self._some(keys[:middle]) | self._some(keys[middle:])
        return dict(map(self._row, found))

    def _parts(self, key: str) -> tuple[str, ...] | None:
        """Return the key's columns as PostgreSQL's texts, None when it is not this table's."""
        try:
            columns = json.loads(key)
        except ValueError:
            return None
        if not isinstance(columns, dict) or columns.keys() != set(self._feed.key):
            return None
        return tuple(_sql_text(column, columns[column.name]) for column in self._key_columns)

    def condition(self, keys: Sequence[str]) -> str:
        """See `SourceTable`."""
        wanted = [parts for key in keys if (parts := self._parts(key)) is not None]
        rows = sql.SQL(", ").join(
            sql.SQL("({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(column.declared))
                    for text, column in zip(parts, self._key_columns, strict=True)
                )
            )
            for parts in wanted
        )
        names = sql.SQL(", ").join(sql.Identifier(name) for name in self._feed.key)
        return sql.SQL("({}) IN ({})").format(names, rows).as_string(self._connection)

    def now(self) -> int:
        """See `SourceTable`."""
        statement = sql.SQL("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        micros: int = self._fetch(statement, ())[0][0]
        return micros

    def close(self) -> None:
        """See `SourceTable`."""
        self._connection.close()

    def _fetch(self, statement: sql.Composed | sql.SQL, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except psycopg.DataError:
            raise
        except psycopg.Error as error:
            raise _unavailable(error) from None

    def _row(self, values: tuple[Any, ...]) -> tuple[str, SourceRow]:
        row = dict(zip(self._names, values, strict=True))
        for place, convert in self._converts:
            value = values[place]
            if value is not None:
                row[self._names[place]] = convert(value)
        key = key_text({name: row[name] for name in self._feed.key})
        if any(value is INCOMPARABLE for value in row.values()):
            return key, SourceRow(None, "incomparable")
        return key, normalized(self._feed, key, row)


def _sql_text(column: _Column, value: Any) -> str:
    """Return a key column's value in Debezium's form as PostgreSQL's text."""
    if isinstance(value, int) and not isinstance(value, bool):
        match column.kind:
            case "date":
                return (EPOCH_DAY + dt.timedelta(days=value)).isoformat()
            case "timestamp":
                coarse = column.precision is not None and column.precision <= MILLISECOND_DIGITS
                return (EPOCH + dt.timedelta(microseconds=value * 1000 if coarse else value)).isoformat()
    return str(value)


def _unavailable(error: psycopg.Error) -> TransientError:
    # The driver's text may quote the address with its password, or values.
    return TransientError(
        f"the source cannot be read: {type(error).__name__}; are address, role and password right, and has the role"
        " the rights of renkou connect sql?"
    )
