"""Bringing a store to the schema: creates what is missing, adds optional columns, refuses everything else."""

from __future__ import annotations

from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.engine import Engine
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
    stored: dict[str, dict[str, str]] = {}
    for table, column, kind in engine.rows(
        f"SELECT table, name, type FROM system.columns WHERE database = {sql.text(DATABASE)}"
    ):
        stored.setdefault(table, {})[column] = kind
    changes: list[str] = []
    for wanted in schema.tables:
        existing = stored.get(wanted.name + STORED)
        if existing is None:
            engine.command(wanted.ddl)
            changes.append(f"table {wanted.name} was created")
        else:
            changes += _extend(engine, wanted, existing)
    for view in schema.views:
        engine.command(view.ddl)
    return changes


def _extend(engine: Engine, table: Table, existing: dict[str, str]) -> list[str]:
    changes = []
    previous = ""
    for column in table.columns:
        kind = existing.get(column.name)
        if kind is None:
            if not column.optional:
                raise StoreError(
                    f"table {table.name}: new column {column.name} is {column.type}, but the stored rows have"
                    " no value for it; make the field nullable in the .avsc"
                )
            place = f"AFTER {sql.name(previous)}" if previous else "FIRST"
            engine.command(f"ALTER TABLE {table.stored} ADD COLUMN IF NOT EXISTS {column.ddl} {place}")
            changes.append(f"table {table.name} has a new column {column.name}")
        elif kind != column.type:
            raise StoreError(
                f"table {table.name}: column {column.name} is {kind} in the store, the schema wants"
                f" {column.type}; undo the change in the .avsc, or add a field of a new name"
            )
        previous = column.name
    return changes
