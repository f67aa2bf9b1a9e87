"""Compares feeds with the live tables of their source: do the columns exist, and have they the type that is expected?

Reads the catalogue of PostgreSQL or MariaDB and no row of any table. An account of MariaDB sees there only what it has
rights on: whoever looks for new columns asks as the administrator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import psycopg
import pymysql

from connectors import mariadb
from connectors.addresses import kind_of
from connectors.errors import TransientError
from connectors.feeds.definition import Column
from connectors.feeds.feed import Feed

CONNECT_SECONDS: Final = 10

# What Debezium's JSON has for a type of PostgreSQL's, as renkou's connectors are set up: decimals as text, times
# adaptive. Every other type (text, uuid, jsonb, enums, ranges …) comes as text.
_TYPES: Final[Mapping[str, type]] = {
    "int2": int,
    "int4": int,
    "int8": int,
    "oid": int,
    "date": int,
    "time": int,
    "timestamp": int,
    "interval": int,
    "bool": bool,
    "float4": float,
    "float8": float,
}

_MARIADB_TYPES: Final[Mapping[str, type]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), int),
    **dict.fromkeys(("date", "time", "datetime"), int),
    "float": float,
    "double": float,
    "bit(1)": bool,
}

# Debezium counts a timestamp without zone in milliseconds where its declared precision is no finer.
_MILLISECOND_DIGITS: Final = 3

_COLUMNS: Final = """
    SELECT a.attname, t.typname, t.typcategory = 'A',
           information_schema._pg_datetime_precision(a.atttypid, a.atttypmod),
           coalesce(a.attnum = ANY (i.indkey), false)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE n.nspname = %s AND c.relname = %s
    ORDER BY a.attnum
"""

_MARIADB_COLUMNS: Final = """
    SELECT column_name, IF(column_type = 'bit(1)', column_type, data_type), datetime_precision, column_key = 'PRI'
    FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s
    ORDER BY ordinal_position
"""

_LOCAL_TIMES: Final = frozenset(("timestamp", "datetime"))
"""PostgreSQL's and MariaDB's names of a time without zone. MariaDB's timestamp has one, and is text."""


class LiveColumn(msgspec.Struct, frozen=True):
    """A column of a live table. ``kind`` is the database's name of its type, ``json_type`` the type of its values in
    Debezium's JSON, ``precision`` that of a time type, digits of a second; None when none is known."""

    name: str
    kind: str
    json_type: type
    precision: int | None
    in_key: bool


class Difference(msgspec.Struct, frozen=True):
    """How a live table differs from its feed. One that is no ``error`` loses nothing: a column that nobody named."""

    feed: str
    text: str
    error: bool


def check_source(feeds: Iterable[Feed], dsn: str) -> list[Difference]:
    """Return how the tables of ``feeds`` differ from them in the database at ``dsn``. Blocks.

    Raises TransientError when the database cannot be asked.
    """
    if kind_of(dsn) == "mariadb":
        return _check_mariadb(feeds, dsn)
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
            connection.read_only = True
            return [
                difference for feed in feeds for difference in differences(feed, _columns(connection, feed))
            ]
    except psycopg.Error as error:
        # The driver's text may quote the address with its password.
        raise TransientError(
            f"the source cannot be asked: {type(error).__name__}; are address, role and password right?"
        ) from None


def _columns(connection: psycopg.Connection[tuple[Any, ...]], feed: Feed) -> list[LiveColumn]:
    rows = connection.execute(_COLUMNS, (feed.schema, feed.table)).fetchall()
    return [
        LiveColumn(name, kind, list if is_array else _TYPES.get(kind, str), precision, in_key)
        for name, kind, is_array, precision, in_key in rows
    ]


def _check_mariadb(feeds: Iterable[Feed], dsn: str) -> list[Difference]:
    connection = mariadb.connect(dsn, "the source")
    found = []
    try:
        with connection.cursor() as cursor:
            for feed in feeds:
                cursor.execute(_MARIADB_COLUMNS, (feed.schema, feed.table))
                columns = [
                    LiveColumn(name, kind, _MARIADB_TYPES.get(kind, str), precision, bool(in_key))
                    for name, kind, precision, in_key in cursor.fetchall()
                ]
                found += differences(feed, columns)
    except pymysql.MySQLError as error:
        raise TransientError(
            f"the source cannot be asked: MariaDB error {error.args[0]}; are the account's rights right?"
        ) from None
    finally:
        connection.close()
    return found


def differences(feed: Feed, columns: list[LiveColumn]) -> list[Difference]:
    """Return how a table with these columns (none: there is no such table) differs from its feed."""
    if not columns:
        return [
            Difference(feed.id, f"there is no table {feed.schema}.{feed.table} that the role may see", True)
        ]
    live = {column.name: column for column in columns}
    found = []
    key = {column.name for column in columns if column.in_key}
    if key != set(feed.key):
        found.append(f"the primary key is ({', '.join(sorted(key))}), the feed says ({', '.join(feed.key)})")
    for column in feed.definition.columns:
        there = live.get(column.name)
        if there is None:
            found.append(f"column {column.name} is not in the table")
        else:
            found += _type_differences(column, there)
    errors = [Difference(feed.id, text, True) for text in found]
    unknown = live.keys() - set(feed.columns) - feed.definition.excluded.keys()
    return errors + [
        Difference(feed.id, f"column {name} is neither named nor excluded: it is not collected", False)
        for name in sorted(unknown)
    ]


def _type_differences(column: Column, there: LiveColumn) -> list[str]:
    if there.json_type is not column.takes:
        return [
            f"column {column.name} is {there.kind}, which the rule {column.outputs[0].rule_name} does not take"
        ]
    units = {output.parameters.unit for output in column.outputs if output.rule_name == "epoch"}
    if there.kind in _LOCAL_TIMES and units:
        exact = there.precision is None or there.precision > _MILLISECOND_DIGITS
        wanted = "microseconds" if exact else "milliseconds"
        if units != {wanted}:
            return [f"column {column.name} comes in {wanted}; set the rule's unit so"]
    return []
