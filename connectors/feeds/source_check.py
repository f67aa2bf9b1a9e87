"""Compares feeds with the live tables of their source: do the columns exist, and have they the type that is expected?

Reads PostgreSQL's catalogue and no row of any table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import psycopg

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


class LiveColumn(msgspec.Struct, frozen=True):
    """A column of a live table. ``kind`` is PostgreSQL's name of its type, ``precision`` is that
    of a time type, digits of a second; None when none is known."""

    name: str
    kind: str
    is_array: bool
    precision: int | None
    in_key: bool

    @property
    def json_type(self) -> type:
        """The type of its values in Debezium's JSON."""
        return list if self.is_array else _TYPES.get(self.kind, str)


class Difference(msgspec.Struct, frozen=True):
    """How a live table differs from its feed. One that is no ``error`` loses nothing: a column that nobody named."""

    feed: str
    text: str
    error: bool


def check_source(feeds: Iterable[Feed], dsn: str) -> list[Difference]:
    """Return how the tables of ``feeds`` differ from them in the database at ``dsn``. Blocks.

    Raises TransientError when the database cannot be asked.
    """
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


def _columns(connection: psycopg.Connection[tuple[object, ...]], feed: Feed) -> list[LiveColumn]:
    rows = connection.execute(_COLUMNS, (feed.schema, feed.table)).fetchall()
    return [
        msgspec.convert(dict(zip(LiveColumn.__struct_fields__, row, strict=True)), LiveColumn) for row in rows
    ]


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
    if there.kind == "timestamp" and units:
        exact = there.precision is None or there.precision > _MILLISECOND_DIGITS
        wanted = "microseconds" if exact else "milliseconds"
        if units != {wanted}:
            return [f"column {column.name} comes in {wanted}; set the rule's unit so"]
    return []
