"""The store's tables, generated from the Avro schemas.

A feed's table has the record's key, its raw row, the feed's elements, its findings and where it came from.
What a record says about persons goes to ``mentions``, one row for every role and ordinal that the feed
declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avro.schema import Schema
from connectors.clickhouse import sql
from connectors.clickhouse.columns import column
from connectors.clickhouse.shared import FRONTIERS, SHARED_TABLES, SOURCE_STATES
from connectors.clickhouse.tables import Table, View
from connectors.clickhouse.views import VIEWS, records_view
from connectors.errors import StoreError

RECORD_COLUMNS: Final = (
    "findings",
    "op",
    "topic",
    "partition",
    "offset",
    "source_time",
    "captured_time",
    "snapshot",
    "version",
    "is_deleted",
)
"""A feed table's columns behind key, raw and the elements."""


@dataclass(frozen=True, slots=True)
class FeedTable:
    """What the store needs to know of a feed.

    ``feed`` is ``<department>.<type>``, ``schema`` the whole record schema (`avro.schema.record_schema`),
    ``roles`` maps each role that the feed declares to its number of ordinals.
    """

    feed: str
    schema: Schema
    roles: Mapping[str, int]

    @property
    def department(self) -> str:
        """The owner of the data."""
        return self.feed.partition(".")[0]

    @property
    def type(self) -> str:
        """The data type: what ``table`` is called in ``mentions``."""
        return self.feed.partition(".")[2]

    @property
    def table(self) -> str:
        """Name of the feed's table."""
        return f"{self.department}_{self.type}"

    @property
    def elements(self) -> tuple[Schema, ...]:
        """The feed's own fields, those behind ``raw``."""
        fields = self.schema["fields"]
        return tuple(fields[next(i for i, field in enumerate(fields) if field["name"] == "raw") + 1 :])

    @property
    def slots(self) -> tuple[tuple[str, int], ...]:
        """Every role with every ordinal."""
        return tuple((role, ordinal) for role, count in self.roles.items() for ordinal in range(count))

    def field(self, name: str) -> Schema:
        """Return one of the record's fields."""
        found: Schema = next(field for field in self.schema["fields"] if field["name"] == name)
        return found


def feed_table(feed: FeedTable) -> Table:
    """Return the table of a feed's rows. Raises StoreError."""
    try:
        columns = (
            column(feed.field("key")),
            column(feed.field("raw")),
            *map(column, feed.elements),
            *(column(feed.field(name)) for name in RECORD_COLUMNS),
        )
    except StoreError as error:
        raise StoreError(f"schema of {feed.feed}: {error}") from None
    return Table(feed.table, columns, ("key",), feed.schema.get("doc", ""))


MICROSECONDS: Final = 1_000_000


def frontiers_view() -> View:
    """Return ``frontiers``: the lag is that of the moment of the query, microseconds made seconds.

    A source whose state nobody has noted yet is ``initialising``.
    """
    # nullIf: a LEFT JOIN fills what it does not find with the type's empty value.
    return View(
        "frontiers",
        "SELECT f.department AS department, f.stage AS stage, f.frontier AS frontier,"
        f" greatest(0, dateDiff('microsecond', f.frontier, now64(6, 'UTC'))) / {MICROSECONDS} AS lag_seconds,"
        " if(s.state = '', 'initialising', toString(s.state)) AS state,"
        " if(s.state = '', NULL, s.since) AS since"
        f" FROM {FRONTIERS.stored} AS f FINAL LEFT JOIN {SOURCE_STATES.stored} AS s FINAL"
        " ON f.department = s.department",
    )


def findings_view(feeds: Sequence[FeedTable], tables: Mapping[str, Table]) -> View:
    """Return ``findings``: one row for every rule that a value of a live row broke."""
    if not feeds:
        raise StoreError("there is no feed; add at least one feed file")
    parts = [
        f"SELECT {sql.text(feed.department)} AS department, {sql.text(feed.type)} AS `table`, key,"
        " f.role AS role, f.ordinal AS ordinal, f.element AS element, f.rule AS rule, f.severity AS severity,"
        f" f.original AS original, source_time, version FROM {tables[feed.table].stored} FINAL"
        " ARRAY JOIN findings AS f"
        for feed in feeds
    ]
    return View("findings", " UNION ALL ".join(parts))


@dataclass(frozen=True, slots=True)
class StoreSchema:
    """All tables and views of a store."""

    tables: tuple[Table, ...]
    views: tuple[View, ...]


def store_schema(feeds: Sequence[FeedTable]) -> StoreSchema:
    """Return the whole schema for these feeds. Raises StoreError."""
    feed_tables = {feed.table: feed_table(feed) for feed in feeds}
    shared_names = {part.name for part in (*SHARED_TABLES, *VIEWS)} | {"findings", "records"}
    for feed in feeds:
        if feed.table in shared_names:
            raise StoreError(
                f"feed {feed.feed}: its table would be {feed.table}, one of the store's own; rename the feed"
            )
    if len(feed_tables) != len(feeds):
        raise StoreError("two feeds have one table name; rename one of them")
    tables = (*feed_tables.values(), *SHARED_TABLES)
    views = [table.view for table in tables if table is not FRONTIERS]
    stored = [(feed.department, feed.type, feed_tables[feed.table]) for feed in feeds]
    own = (frontiers_view(), findings_view(feeds, feed_tables), *VIEWS, records_view(stored))
    return StoreSchema(tables, (*views, *own))
