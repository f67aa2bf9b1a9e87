"""Parts that the engine puts in force without content, because nobody looks at what becomes of its writes."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.clickhouse.store import Store, open_store
from connectors.errors import StoreError, StoreUnavailableError
from tests.unit.clickhouse_source import Person, Source, feed_table, shown, write_schema

TABLE = "renkou.`police_people_all`"
READ = "SELECT sum(cityHash64(*)) FROM {}"


@contextmanager
def unwritable() -> Iterator[None]:
    """No file of this process can grow: every write fails at the kernel, as on a disk that is full or broken."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Unwritable:
    """The engine's handle for rows, which find the files unwritable; our own files are not."""

    def __init__(self, inserts: Any) -> None:
        self._inserts = inserts

    @contextmanager
    def send_insert(self, statement: str, form: str) -> Iterator[Any]:
        with unwritable(), self._inserts.send_insert(statement, form) as rows:
            yield rows


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(write_schema(tmp_path / "schemas"))


@pytest.fixture
def opened(tmp_path: Path, source: Source) -> Iterator[list[Store]]:
    """The store that is open, to be taken out by who closes it."""
    stores = [open_store(tmp_path / "store", "", [feed_table(source.codec)])]
    yield stores
    for store in stores:
        store.close()


def again(tmp_path: Path, source: Source, opened: list[Store]) -> Store:
    opened.pop().close()
    opened.append(open_store(tmp_path / "store", "", [feed_table(source.codec)]))
    return opened[0]


def test_an_insert_without_content_is_not_taken_for_done(
    tmp_path: Path, source: Source, opened: list[Store]
) -> None:
    (store,) = opened
    source.change(1, Person("李安", "甲路一号"))
    store.writer.write(source.batch(source.log))
    source.change(2, Person("赵敏", "乙路二号"))
    engine: Any = store.writer._engine
    inserts, engine._inserts = engine._inserts, Unwritable(engine._inserts)
    with pytest.raises(StoreUnavailableError, match="were not written"):
        store.writer.write(source.batch(source.log[1:]))
    engine._inserts = inserts
    assert store.upkeep.condition().hollow
    assert any("whose content was not written" in one.en for one in store.upkeep.condition().complaints)
    with unwritable(), pytest.raises(StoreUnavailableError):
        store.writer.write(source.batch(source.log[1:]))
    with unwritable(), pytest.raises(StoreUnavailableError):
        engine.rows(READ.format(engine._intact.hollow[0][0]))
    with pytest.raises(StoreError, match="opened anew"):
        engine.rows(READ.format(engine._intact.hollow[0][0]))
    with pytest.raises(StoreError, match="opened anew"):
        store.writer.write(source.batch(source.log[1:]))

    store = again(tmp_path, source, opened)
    assert store.upkeep.condition().hollow == ()
    assert len(shown(store.readers)[0]) == 1
    store.writer.write(source.batch(source.log[1:]))
    assert shown(store.readers)[0] == source.expected()[0]


def test_a_part_whose_rows_were_deleted_is_whole(tmp_path: Path, source: Source, opened: list[Store]) -> None:
    (store,) = opened
    source.change(1, Person("李安", "甲路一号"))
    store.writer.write(source.batch(source.log))
    store.side.command(f"ALTER TABLE {TABLE} DELETE WHERE 1 SETTINGS mutations_sync = 2")
    parts = store.side.rows("SELECT rows FROM system.parts WHERE active AND table = 'police_people_all'")
    assert parts == [(0,)], "the engine keeps an empty part"
    assert store.upkeep.condition().hollow == ()


def test_what_a_merge_without_content_was_made_from_comes_back(
    tmp_path: Path, source: Source, opened: list[Store]
) -> None:
    (store,) = opened
    for number in range(3):
        source.change(number, Person("李安", f"甲路{number}号"))
        store.writer.write(source.batch(source.log[number:]))
    assert store.upkeep.condition().hollow == ()
    with unwritable():
        store.side.command(f"OPTIMIZE TABLE {TABLE} FINAL")
    assert store.upkeep.condition().hollow == (TABLE,)
    with pytest.raises(StoreError):
        store.side.rows(READ.format(TABLE))

    store = again(tmp_path, source, opened)
    assert shown(store.readers)[0] == source.expected()[0]
    store.side.command(f"OPTIMIZE TABLE {TABLE} FINAL")
    assert store.upkeep.condition().hollow == ()
    assert shown(store.readers)[0] == source.expected()[0]
