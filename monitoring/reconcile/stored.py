"""Rows of a feed as the store has them, for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from avro.record import PERSON_ELEMENTS
from connectors.clickhouse import sql
from connectors.clickhouse.access import Access, QueryError, RefusedError
from connectors.clickhouse.schema import FeedTable, feed_table
from connectors.clickhouse.shared import MENTIONS
from connectors.clickhouse.tables import Column
from connectors.errors import StoreUnavailableError

QUERY_BYTES: Final = 120_000
"""Size of the keys that one query asks for: a reader's statement may have 256 KiB, and quoting can double it."""

KEYS_A_PAGE: Final = 20_000
"""Keys that are handed on at once when all of a table are read."""

_SETTINGS: Final = " SETTINGS output_format_json_quote_64bit_integers = 0"
_FORMAT: Final = "JSONCompactEachRow"

_decode_row: Final = msgspec.json.Decoder(list[Any]).decode

Slot = tuple[str, int]


class StoredRow(NamedTuple):
    """A live row: ``elements`` by name; ``mentions`` has, by role and ordinal, a person's elements in the order of
    PERSON_ELEMENTS. Dates and times are integers, as in Avro."""

    version: int
    raw: str | None
    elements: dict[str, Any]
    mentions: dict[Slot, tuple[Any, ...]]


class StoredTable:
    """A feed's table in the store. Calls block and raise StoreUnavailableError."""

    def __init__(self, access: Access, feed: FeedTable) -> None:
        self._access = access
        self._feed = feed
        wanted = {field["name"] for field in feed.elements}
        columns = [column for column in feed_table(feed).columns if column.name in wanted]
        self._elements = tuple(column.name for column in columns)
        self._row_query = (
            f"SELECT key, toString(version), raw, {', '.join(map(_as_avro, columns))} FROM {sql.name(feed.table)}"
            " WHERE key IN ({keys})" + _SETTINGS
        )
        by_name = {column.name: column for column in MENTIONS.columns}
        people = [by_name[element] for element in PERSON_ELEMENTS]
        self._mention_query = (
            f"SELECT key, role, ordinal, {', '.join(map(_as_avro, people))} FROM mentions"
            f" WHERE department = {sql.text(feed.department)} AND `table` = {sql.text(feed.type)}"
            " AND key IN ({keys})" + _SETTINGS
        )

    def by_keys(self, keys: Sequence[str]) -> dict[str, StoredRow]:
        """Return the live rows of these keys."""
        found: dict[str, StoredRow] = {}
        for part in _parts(keys):
            listed = sql.texts(part)
            for key, version, raw, *values in self._ask(self._row_query.replace("{keys}", listed)):
                elements = dict(zip(self._elements, values, strict=True))
                found[key] = StoredRow(int(version), raw, elements, {})
            for key, role, ordinal, *person in self._ask(self._mention_query.replace("{keys}", listed)):
                row = found.get(key)
                if row is not None:
                    row.mentions[role, ordinal] = tuple(person)
        return found

    def all_keys(self) -> Iterator[list[str]]:
        """Yield the keys of all live rows, a page at a time, in one order."""
        query = f"SELECT key FROM {sql.name(self._feed.table)}"
        rows = (row[0] for row in self._ask(query))
        while page := list(islice(rows, KEYS_A_PAGE)):
            yield page

    def _ask(self, query: str) -> Iterator[list[Any]]:
        held = b""
        try:
            for block in self._access.blocks(query, _FORMAT):
                *lines, held = (held + block).split(b"\n")
                yield from map(_decode_row, lines)
        except (QueryError, RefusedError) as error:
            # ClickHouse's own words quote values.
            raise StoreUnavailableError(
                f"the store cannot be read: code {error.code}; see ClickHouse's documentation of it, and verify again"
            ) from None
        if held:
            yield _decode_row(held)


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for key in keys:
        length = len(key.encode()) + 4
        if part and size + length > QUERY_BYTES:
            yield part
            part, size = [], 0
        part.append(key)
        size += length
    if part:
        yield part


def _as_avro(column: Column) -> str:
    """Return the expression that gives a column as Avro has it: dates and times are integers."""
    name = sql.name(column.name)
    kind = column.type.removeprefix("Nullable(")
    if kind.startswith("Date32"):
        return f"toInt32({name})"
    if kind.startswith("DateTime64(6"):
        return f"toUnixTimestamp64Micro({name})"
    return name
