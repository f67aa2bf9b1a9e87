"""Numbered migrations: steps that cannot be read off the schema, each done once in a store's life.

What can be derived (tables, optional columns, comments, look-up indexes, views) `connectors.clickhouse.migrate` brings
about at every start. A step here is idempotent and may run beside readers and writers: a crash between a step and its
note does it again. Numbers are never reused, and a step that was released is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.shared import IDENTITIES, IDENTITY_HISTORY, RECORD_HISTORY, SHARED_TABLES
from connectors.clickhouse.tables import DATABASE, SETTINGS, STORED, Table
from connectors.errors import StoreError

_NOTES: Final = f"{DATABASE}.schema_migrations"
CREATE_NOTES: Final = (
    f"CREATE TABLE IF NOT EXISTS {_NOTES} (number UInt32 COMMENT 'Number / 编号',"
    " title String COMMENT 'What it did / 内容', applied DateTime64(6, 'UTC') COMMENT 'When / 时间')"
    " ENGINE = ReplacingMergeTree ORDER BY number COMMENT 'Steps that brought the store to its schema / 结构迁移'"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. ``apply`` is idempotent and safe while the store is read and written."""

    number: int
    title: str
    apply: Callable[[Engine], None]


def _index_old_rows(engine: Engine) -> None:
    """Build the look-up indexes for rows that were written before them; merges do so only when they come by."""
    for table in SHARED_TABLES:
        for column in table.lookups:
            engine.command(
                f"ALTER TABLE {table.stored} MATERIALIZE INDEX {sql.name(Table.index_name(column))}"
            )


def _begin_history(engine: Engine) -> None:
    """Let history begin with what the store has: a person's mentions are looked up there."""
    names = sql.names(IDENTITIES.column_names)
    engine.command(f"INSERT INTO {IDENTITY_HISTORY.stored} ({names}) SELECT {names} FROM {IDENTITIES.stored}")
    own = {table.name + STORED for table in SHARED_TABLES}
    for (stored,) in engine.rows(
        f"SELECT table FROM system.columns WHERE database = {sql.text(DATABASE)} AND name = 'raw'"
    ):
        if stored in own or not stored.endswith(STORED):
            continue
        department, _, kind = stored.removesuffix(STORED).partition("_")
        columns = "key, version, is_deleted, source_time, raw"
        engine.command(
            f"INSERT INTO {RECORD_HISTORY.stored} (department, `table`, {columns})"
            f" SELECT {sql.text(department)}, {sql.text(kind)}, {columns} FROM {DATABASE}.{sql.name(stored)}"
        )


def _merge_in_larger_steps(engine: Engine) -> None:
    """Let tables of earlier versions be merged as new ones are."""
    base = SETTINGS["merge_selector_base"]
    for (stored,) in engine.rows(
        f"SELECT name FROM system.tables WHERE database = {sql.text(DATABASE)} AND endsWith(name, {sql.text(STORED)})"
        " AND NOT position(engine_full, 'merge_selector_base')"
    ):
        engine.command(
            f"ALTER TABLE {DATABASE}.{sql.name(stored)} MODIFY SETTING merge_selector_base = {base}"
        )


MIGRATIONS: Final = (
    Migration(1, "the first schema", lambda engine: None),
    Migration(2, "look-up indexes over all rows", _index_old_rows),
    Migration(3, "history of rows and identities begins", _begin_history),
    Migration(4, "tables are merged in larger steps", _merge_in_larger_steps),
)


def apply_migrations(engine: Engine, steps: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Do the steps that the store has not had, in order, and return what was done, a sentence each.

    Raises StoreError when the store has had a step that is not known here, and the engine's errors.
    """
    engine.command(CREATE_NOTES)
    done = {int(number) for (number,) in engine.rows(f"SELECT DISTINCT number FROM {_NOTES}")}
    newest = max(step.number for step in steps)
    if any(number > newest for number in done):
        raise StoreError(
            f"the store has had migration {max(done)}, this version of renkou knows {newest}: it was used by a newer"
            " one; upgrade renkou"
        )
    changes = []
    for step in sorted(steps, key=lambda step: step.number):
        if step.number not in done:
            step.apply(engine)
            engine.command(
                f"INSERT INTO {_NOTES} (number, title, applied)"
                f" VALUES ({step.number}, {sql.text(step.title)}, now64(6, 'UTC'))"
            )
            changes.append(f"migration {step.number}: {step.title}")
    return changes
