"""Tables out of Avro schemas, and how a store is brought to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from avro.schema import Schema
from connectors.clickhouse.columns import column_type
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.migrations import MIGRATIONS, Migration, apply_migrations
from connectors.clickhouse.schema import FeedTable, store_schema
from connectors.clickhouse.store import open_store
from connectors.errors import StoreError
from connectors.feeds import Catalog
from tests.unit.clickhouse_source import FEED, Person, Source, feed_table, rows_of, write_schema


@pytest.mark.parametrize(
    ("avro", "expected"),
    [
        ("string", "String"),
        (["null", "string"], "Nullable(String)"),
        (["null", {"type": "int", "logicalType": "date"}], "Nullable(Date32)"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "DateTime64(3, 'UTC')"),
        ({"type": "long", "logicalType": "timestamp-micros"}, "DateTime64(6, 'UTC')"),
        ({"type": "fixed", "name": "Version", "size": 16}, "UInt128"),
        ("renkou.Version", "UInt128"),
        ({"type": "array", "items": "string"}, "Array(String)"),
        ({"type": "map", "values": ["null", "long"]}, "Map(String, Nullable(Int64))"),
        ({"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}, "Tuple(a Int32)"),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, "String"),
    ],
)
def test_column_types(avro: Any, expected: str) -> None:
    assert column_type(avro) == expected


@pytest.mark.parametrize(
    "avro",
    [
        ["null", "string", "int"],
        {"type": "bytes", "logicalType": "decimal", "precision": 4},
        "renkou.Nowhere",
        {"type": "fixed", "name": "Other", "size": 4},
    ],
)
def test_types_without_a_column_are_refused(avro: Any) -> None:
    with pytest.raises(StoreError, match=r"type"):
        column_type(avro)


def open_and_close(folder: Path, feed: FeedTable) -> tuple[str, ...]:
    store = open_store(folder, "", [feed])
    try:
        return store.changes
    finally:
        store.close()


def test_second_start_changes_nothing(tmp_path: Path) -> None:
    feed = feed_table(write_schema(tmp_path / "schemas"))
    assert "table police_people was created" in open_and_close(tmp_path / "store", feed)
    assert open_and_close(tmp_path / "store", feed) == ()


def test_optional_field_becomes_a_column_and_old_rows_have_null(tmp_path: Path) -> None:
    source = Source(write_schema(tmp_path / "schemas"))
    source.change(1, Person("李安", "甲路"))
    store = open_store(tmp_path / "store", "", [feed_table(source.codec)])
    store.writer.write(source.batch(source.log))
    store.close()
    wider = write_schema(tmp_path / "wider", [{"name": "phone", "type": ["null", "string"], "default": None}])
    store = open_store(tmp_path / "store", "", [feed_table(wider)])
    try:
        assert store.changes == ("table police_people has a new column phone",)
        assert rows_of(store.readers, "SELECT name, phone FROM police_people") == [
            {"name": "李安", "phone": None}
        ]
    finally:
        store.close()


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        (
            {"name": "rooms", "type": ["null", "string"], "default": None},
            r"rooms is Nullable\(Int64\) in the store",
        ),
        ({"name": "grade", "type": "string"}, r"new column grade is String.*make the field nullable"),
    ],
)
def test_changed_type_and_required_column_are_refused(
    tmp_path: Path, field: dict[str, Any], complaint: str
) -> None:
    codec = write_schema(tmp_path / "schemas")
    open_and_close(tmp_path / "store", feed_table(codec))
    fields = [known for known in codec.schema["fields"] if known["name"] != field["name"]] + [field]
    changed: Schema = {**codec.schema, "fields": fields}
    with pytest.raises(StoreError, match=f"table police_people: .*{complaint}"):
        open_and_close(tmp_path / "store", FeedTable(FEED, changed, {"self": 1}))


def test_every_column_of_the_contract_is_there(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", "", [feed_table(write_schema(tmp_path / "schemas"))])
    contract = {
        "identities": "department table key role ordinal person_id version",
        "mentions": "department table key role ordinal name id_number sex birth_date version",
        "persons": "person_id state merged_into name id_number provenance version",
        "police_people": "key raw name note topic partition offset source_time version",
        "findings": "department table key role element rule severity original version",
        "dead_letters": "department table topic partition offset key stage rule error state",
        "person_history": "person_id version",
        "frontiers": "department stage frontier lag_seconds state since",
    }
    try:
        for table, columns in contract.items():
            described = rows_of(
                store.readers,
                f"SELECT name, type FROM system.columns WHERE database = 'renkou' AND table = '{table}'",
            )
            assert set(columns.split()) <= {row["name"] for row in described}, table
        (comment,) = rows_of(
            store.readers,
            "SELECT comment FROM system.columns WHERE table = 'police_people_all' AND name = 'name'",
        )
        assert comment == {"comment": "Name / 姓名 · 级别 level 1"}
    finally:
        store.close()


def test_feed_with_the_name_of_a_table_of_ours_is_refused(tmp_path: Path) -> None:
    codec = write_schema(tmp_path / "schemas", feed="person.history")
    with pytest.raises(StoreError, match=r"feed person\.history: .* rename the feed"):
        open_store(tmp_path / "store", "", [FeedTable("person.history", codec.schema, {})])


def test_every_column_has_a_title_in_both_languages_and_a_level() -> None:
    catalog = Catalog.load(None)
    schema = store_schema([FeedTable(feed.id, feed.codec.schema, feed.roles) for feed in catalog.feeds])
    pattern = re.compile(r".*[A-Za-z].* / .*[\u4e00-\u9fff].* · 级别 level [1-4]", re.DOTALL)
    for table in schema.tables:
        assert re.search("[\u4e00-\u9fff]", table.comment), f"table {table.name}: {table.comment}"
        for column in table.columns:
            assert pattern.fullmatch(column.comment), f"{table.name}.{column.name}: {column.comment!r}"
    levels = {column.name: column.comment[-1] for table in schema.tables for column in table.columns}
    assert {levels[name] for name in ("key", "raw", "raw_value", "provenance", "id_number")} == {"4"}


def test_a_store_of_an_older_version_is_brought_up_once(tmp_path: Path) -> None:
    feed = feed_table(write_schema(tmp_path / "schemas"))
    store = open_store(tmp_path / "store", "", [feed])
    for statement in (
        "DROP TABLE renkou.schema_migrations SYNC",
        "ALTER TABLE renkou.persons_all DROP INDEX lookup_name",
        "ALTER TABLE renkou.persons_all COMMENT COLUMN name 'as it was'",
        "ALTER TABLE renkou.identities_all MODIFY COLUMN role LowCardinality(String)",
        "ALTER TABLE renkou.identities_all MODIFY COLUMN rule LowCardinality(String)",
        "DROP VIEW renkou.persons_by_name",
        "ALTER TABLE renkou.persons_all RESET SETTING merge_selector_base",
    ):
        store.side.command(statement)
    store.close()
    assert open_and_close(tmp_path / "store", feed) == (
        "table identities: 2 columns are stored as plain texts",
        "table persons: column name is described anew",
        "table persons is looked up by name",
        "migration 1: the first schema",
        "migration 2: look-up indexes over all rows",
        "migration 3: history of rows and identities begins",
        "migration 4: tables are merged in larger steps",
    )
    store = open_store(tmp_path / "store", "", [feed])
    try:
        assert store.changes == ()
        lacking = "NOT position(engine_full, 'merge_selector_base = 8')"
        assert not store.side.rows(
            f"SELECT name FROM system.tables WHERE database = 'renkou' AND endsWith(name, '_all') AND {lacking}"
        )
    finally:
        store.close()


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    feed = feed_table(write_schema(tmp_path / "schemas"))
    store = open_store(tmp_path / "store", "", [feed])
    store.side.command("INSERT INTO renkou.schema_migrations (number, title) VALUES (4711, 'of tomorrow')")
    store.close()
    with pytest.raises(StoreError, match=r"migration 4711, this version of renkou knows \d+.*upgrade renkou"):
        open_and_close(tmp_path / "store", feed)


def test_a_step_that_a_crash_cut_off_is_done_again(tmp_path: Path) -> None:
    feed = feed_table(write_schema(tmp_path / "schemas"))
    store = open_store(tmp_path / "store", "", [feed])
    done: list[int] = []

    def crash(engine: Engine) -> None:
        done.append(len(done))
        if len(done) == 1:
            raise StoreError("killed")

    steps = (*MIGRATIONS, Migration(99, "a step", crash))
    try:
        with pytest.raises(StoreError, match="killed"):
            apply_migrations(store.side, steps)
        assert apply_migrations(store.side, steps) == ["migration 99: a step"]
        assert apply_migrations(store.side, steps) == []
        assert done == [0, 1]
    finally:
        store.close()
