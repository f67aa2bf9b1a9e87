"""Bringing a store to the schema: creates what is missing, adds optional columns, refuses everything else.

Steps that cannot be derived from the schema are numbered: `connectors.clickhouse.migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.migrations import apply_migrations
from connectors.clickhouse.schema import StoreSchema
from connectors.clickhouse.tables import DATABASE, STORED, Table
from connectors.errors import StoreError

# Atomic: tables are created and replaced in one step, and views can be replaced while they are read.
_CREATE_DATABASE: Final = f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic"


def migrate(engine: Engine, schema: StoreSchema) -> list[str]:
    """Bring the store to ``schema`` and return what was changed, a sentence each.

    May be run any number of times, also while others read. Raises StoreError when a column's type differs,
    and StoreUnavailableError.
    """
    engine.command(_CREATE_DATABASE)
    stored: dict[str, dict[str, _Existing]] = {}
    for table, column, kind, comment in engine.rows(
        f"SELECT table, name, type, comment FROM system.columns WHERE database = {sql.text(DATABASE)}"
    ):
        stored.setdefault(table, {})[column] = _Existing(kind, comment)
    indexes = {
        (table, name)
        for table, name in engine.rows(
            f"SELECT table, name FROM system.data_skipping_indices WHERE database = {sql.text(DATABASE)}"
        )
    }
    changes: list[str] = []
    for wanted in schema.tables:
        existing = stored.get(wanted.name + STORED)
        if existing is None:
            engine.command(wanted.ddl)
            changes.append(f"table {wanted.name} was created")
        else:
            changes += _extend(engine, wanted, existing)
            for column in wanted.lookups:
                if (wanted.name + STORED, wanted.index_name(column)) not in indexes:
                    definition = wanted.index_ddl(column).replace("INDEX ", "INDEX IF NOT EXISTS ", 1)
                    engine.command(f"ALTER TABLE {wanted.stored} ADD {definition}")
                    changes.append(f"table {wanted.name} is looked up by {column}")
    changes += apply_migrations(engine)
    for view in schema.views:
        engine.command(view.ddl)
    return changes


@dataclass(frozen=True, slots=True)
class _Existing:
    """A column as the store has it."""

    type: str
    comment: str


def _extend(engine: Engine, table: Table, existing: dict[str, _Existing]) -> list[str]:
    changes = []
    respelled = []
    previous = ""
    for column in table.columns:
        there = existing.get(column.name)
        if there is None:
            if not column.optional:
                raise StoreError(
                    f"table {table.name}: new column {column.name} is {column.type}, but the stored rows have"
                    " no value for it; make the field nullable in the .avsc"
                )
            place = f"AFTER {sql.name(previous)}" if previous else "FIRST"
            engine.command(f"ALTER TABLE {table.stored} ADD COLUMN IF NOT EXISTS {column.ddl} {place}")
            changes.append(f"table {table.name} has a new column {column.name}")
        elif there.type == f"LowCardinality({column.type})":
            respelled.append(column)
        elif there.type != column.type:
            raise StoreError(
                f"table {table.name}: column {column.name} is {there.type} in the store, the schema wants"
                f" {column.type}; undo the change in the .avsc, or add a field of a new name"
            )
        elif there.comment != column.comment:
            engine.command(
                f"ALTER TABLE {table.stored} COMMENT COLUMN {sql.name(column.name)} {sql.text(column.comment)}"
            )
            changes.append(f"table {table.name}: column {column.name} is described anew")
        previous = column.name
    if respelled:
        # The values are the same: earlier versions kept columns of few different texts so.
        parts = ", ".join(f"MODIFY COLUMN {column.ddl}" for column in respelled)
        engine.command(f"ALTER TABLE {table.stored} {parts}")
        changes.append(f"table {table.name}: {len(respelled)} columns are stored as plain texts")
    return changes
