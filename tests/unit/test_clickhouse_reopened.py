"""The writer and what a store remembers; each test opens a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro.record import Mark
from connectors.clickhouse.progress import Progress
from connectors.clickhouse.store import open_store
from connectors.errors import StoreError
from tests.unit.clickhouse_source import Person, Source, feed_table, rows_of, shown, write_schema
from tests.unit.test_clickhouse_writer import LI, frontier_at, write

ROWS = {"police_people": 1, "health_people": 1, "mentions": 4, "record_history": 2}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(write_schema(tmp_path / "schemas"))


def test_truncation_is_remembered_by_the_next_process(tmp_path: Path, source: Source) -> None:
    source.change(1, LI)
    source.truncate()
    feeds = [feed_table(source.codec)]
    store = open_store(tmp_path / "store", "", feeds)
    write(store, source)
    store.close()
    store = open_store(tmp_path / "store", "", feeds)
    try:
        store.writer.write(source.batch(source.log[:1]))
        assert shown(store.readers) == ({}, {})
    finally:
        store.close()


def test_feeds_share_one_insert_of_mentions(tmp_path: Path, source: Source) -> None:
    other = Source(write_schema(tmp_path / "schemas", feed="health.people"))
    source.change(1, LI)
    other.change(1, Person("赵敏", "乙路二号"))
    (record,) = other.log
    assert not isinstance(record, Mark)
    record.feed = "health.people"
    batch = source.batch(source.log)
    batch.add_record("health.people", other.datums[id(record)], 0, record)
    feeds = [feed_table(source.codec), feed_table(other.codec)]
    store = open_store(tmp_path / "store", "", feeds)
    try:
        assert store.writer.write(batch).rows == ROWS
        assert rows_of(
            store.readers, "SELECT department, role, name FROM mentions ORDER BY department, role"
        ) == [
            {"department": "health", "role": "self", "name": "赵敏"},
            {"department": "police", "role": "self", "name": "李安"},
            {"department": "police", "role": "spouse", "name": "王宁"},
        ]
    finally:
        store.close()


def test_what_refuses_everything_is_not_blamed_on_a_row(tmp_path: Path, source: Source) -> None:
    for number in range(3):
        source.change(number, LI)
    store = open_store(tmp_path / "store", "", [feed_table(source.codec)])
    try:
        store.writer._engine.command("DROP TABLE renkou.mentions_all")
        with pytest.raises(StoreError, match="UNKNOWN_TABLE") as caught:
            write(store, source)
        assert "offset" not in str(caught.value)
    finally:
        store.close()


def test_frontier_held_back_is_written_when_the_store_is_closed(tmp_path: Path, source: Source) -> None:
    feeds = [feed_table(source.codec)]
    store = open_store(tmp_path / "store", "", feeds)
    store.writer._progress = Progress(lambda: 100.0)
    for second in (2, 3):
        store.writer.write(frontier_at(second))
    store.close()
    store = open_store(tmp_path / "store", "", feeds)
    try:
        assert rows_of(store.readers, "SELECT toUnixTimestamp(frontier) AS second FROM frontiers") == [
            {"second": 3}
        ]
    finally:
        store.close()
