"""Tables and views as values, and their DDL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.clickhouse import sql

DATABASE: Final = "renkou"

STORED: Final = "_all"
"""A table's rows, superseded and deleted ones included, are in ``<name>_all``; ``<name>`` is a view of the
live ones."""

LOOKUP_GRANULARITY: Final = 1
"""Granules an entry of a look-up index covers: point look-ups by person or number want few granules read."""


SETTINGS: Final = {
    # A deduplication token can outlive its block (kill between the two), and the block that is sent again is dropped:
    # rows are idempotent by key and version instead.
    "non_replicated_deduplication_window": 0,
    # A table that small batches come to is merged less often and in larger steps: with ClickHouse's own 5 the old rows
    # were written again with every fourth batch. More parts would make looking a key up slower.
    "merge_selector_base": 8,
    # Rows that are read to find one: look-ups go by key, and one of a person reads the rows of several keys.
    "index_granularity": 1024,
}
"""Settings that a table's storage is made with; the last cannot be changed later."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``type`` is spelled as ClickHouse spells it in ``system.columns``."""

    name: str
    type: str
    comment: str = ""

    @property
    def optional(self) -> bool:
        """Whether rows written before the column existed have a value that says so: null or nothing."""
        return self.type.startswith(("Nullable(", "LowCardinality(Nullable(", "Array("))

    @property
    def ddl(self) -> str:
        """The column's part of CREATE TABLE."""
        comment = f" COMMENT {sql.text(self.comment)}" if self.comment else ""
        return f"{sql.name(self.name)} {self.type}{comment}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows are idempotent by key and version.

    ``order_by`` is the key. The row with the highest ``version`` counts; when ``deletes`` is set and that
    row's ``is_deleted`` is 1, there is none. ``lookups`` names columns that are searched for single values.
    """

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    comment: str
    deletes: bool = True
    lookups: tuple[str, ...] = ()

    @property
    def stored(self) -> str:
        """The storage behind the view, qualified and quoted."""
        return f"{DATABASE}.{sql.name(self.name + STORED)}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def ddl(self) -> str:
        """CREATE TABLE IF NOT EXISTS."""
        version = "version, is_deleted" if self.deletes else "version"
        indexes = [self.index_ddl(column) for column in self.lookups]
        parts = ",\n  ".join([column.ddl for column in self.columns] + indexes)
        return (
            f"CREATE TABLE IF NOT EXISTS {self.stored} (\n  {parts}\n)\n"
            f"ENGINE = ReplacingMergeTree({version}) ORDER BY ({sql.names(self.order_by)})\n"
            f"SETTINGS {', '.join(f'{name} = {value}' for name, value in SETTINGS.items())}\n"
            f"COMMENT {sql.text(self.comment)}"
        )

    @staticmethod
    def index_name(column: str) -> str:
        """Return the name of a column's look-up index."""
        return f"lookup_{column}"

    def index_ddl(self, column: str) -> str:
        """Return the definition of a column's look-up index."""
        name = sql.name(self.index_name(column))
        return f"INDEX {name} {sql.name(column)} TYPE bloom_filter GRANULARITY {LOOKUP_GRANULARITY}"

    @property
    def view(self) -> View:
        """The live rows."""
        shown = [column for column in self.columns if not (self.deletes and column.name == "is_deleted")]
        names = sql.names(column.name for column in shown)
        return View(self.name, f"SELECT {names} FROM {self.stored} FINAL", tuple(shown), self.comment)


@dataclass(frozen=True, slots=True)
class View:
    """A view with its SELECT. ``columns`` describe what it shows, where they are known; ``comment`` the whole."""

    name: str
    select: str
    columns: tuple[Column, ...] = ()
    comment: str = ""

    @property
    def ddl(self) -> str:
        """CREATE OR REPLACE VIEW: one step, so that a reader finds the old or the new one."""
        columns = f" ({', '.join(column.ddl for column in self.columns)})" if self.columns else ""
        comment = f" COMMENT {sql.text(self.comment)}" if self.comment else ""
        return f"CREATE OR REPLACE VIEW {DATABASE}.{sql.name(self.name)}{columns} AS {self.select}{comment}"
