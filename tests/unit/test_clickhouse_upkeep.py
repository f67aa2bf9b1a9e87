"""Upkeep of the embedded store, and its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.clickhouse import upkeep
from connectors.clickhouse.store import Store, open_store
from connectors.clickhouse.upkeep import Condition, Upkeep
from connectors.errors import ConnectorError
from tests.unit.clickhouse_source import Person, Source, feed_table, shown, write_schema

VOLUMES = """<clickhouse>
<max_server_memory_usage>987654321</max_server_memory_usage>
<storage_configuration><disks><cold><path>{cold}/</path></cold></disks>
<policies><default><volumes><hot><disk>default</disk></hot><cold><disk>cold</disk></cold></volumes></default></policies>
</storage_configuration></clickhouse>"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(write_schema(tmp_path_factory.mktemp("schemas")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("upkeep")


@pytest.fixture(scope="module")
def store(folder: Path, source: Source) -> Iterator[Store]:
    (folder / "cold").mkdir()
    (folder / "store" / "config.d").mkdir(parents=True)
    (folder / "store" / "config.d" / "volumes.xml").write_text(VOLUMES.format(cold=folder / "cold"))
    opened = open_store(folder / "store", "", [feed_table(source.codec)])
    yield opened
    opened.close()


def parts(store: Store, table: str) -> int:
    ((count,),) = store.side.rows(f"SELECT count() FROM system.parts WHERE active AND table = '{table}'")
    return int(count)


def write_in_parts(store: Store, source: Source, person: int) -> None:
    """Write three states of a row and its delete, each as a part of its own."""
    for name in ("一", "二", "三", None):
        source.change(person, None if name is None else Person(name, name))
        store.writer.write(source.batch(source.log[-1:]))


def test_an_idle_table_is_merged_whole_and_deletes_stay(
    store: Store, source: Source, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = Upkeep(store.side, folder)
    write_in_parts(store, source, 1)
    source.change(2, Person("李安", "甲路"))
    store.writer.write(source.batch(source.log[-1:]))
    assert care.merge_one() == "", "a table that was written to just now is not idle"
    monkeypatch.setattr(upkeep, "IDLE_SECONDS", 0)
    merged = set()
    while table := care.merge_one():
        merged.add(table)
    assert {"police_people_all", "mentions_all"} <= merged
    assert parts(store, "police_people_all") == 1
    older = source.log[0]
    store.writer.write(source.batch([older]))
    assert shown(store.readers) == source.expected(), "the delete is remembered through a merge"


def test_a_table_that_is_never_idle_is_merged_once_a_day(store: Store, source: Source, folder: Path) -> None:
    now = 0.0
    care = Upkeep(store.side, folder, lambda: now)
    write_in_parts(store, source, 3)
    assert care.merge_one() == ""
    now = upkeep.WHOLE_SECONDS
    # The engine's own merges may be quicker, and leave nothing to do; not each time.
    for _ in range(50):
        write_in_parts(store, source, 3)
        if care.merge_one():
            return
    pytest.fail("no table was merged that was due")


def test_a_server_is_left_to_itself(store: Store) -> None:
    care = Upkeep(store.side, None)
    assert care.merge_one() == ""
    assert care.condition().free_bytes is None


def test_what_fills_up_is_told() -> None:
    assert Condition("t", 5, 1, upkeep.ALARM_FREE_BYTES).complaints == ()
    many, full = Condition("t", upkeep.ALARM_PARTS, 1, upkeep.ALARM_FREE_BYTES - 1).complaints
    assert "table t has 100 parts" in many.en
    assert "表 t 有 100 个数据片段" in many.zh
    assert "free disk space" in full.en
    assert "清理磁盘" in full.zh


def test_the_operators_configuration_goes_first(store: Store, folder: Path) -> None:
    ((memory,),) = store.side.rows(
        "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    )
    assert memory == "987654321"
    store.side.command("ALTER TABLE renkou.police_people_all MOVE PARTITION tuple() TO VOLUME 'cold'")
    disks = store.side.rows(
        "SELECT DISTINCT disk_name FROM system.parts WHERE active AND table = 'police_people_all'"
    )
    assert disks == [("cold",)]
    assert any((folder / "cold").rglob("*.bin"))


def test_a_backup_is_written_and_read_back(store: Store, source: Source) -> None:
    store.side.command("BACKUP TABLE renkou.police_people_all TO File('one')")
    store.side.command("RESTORE TABLE renkou.police_people_all AS renkou.copy_all FROM File('one')")
    counts = [
        store.side.rows(f"SELECT count() FROM renkou.{name} FINAL")
        for name in ("copy_all", "police_people_all")
    ]
    store.side.command("DROP TABLE renkou.copy_all SYNC")
    assert counts[0] == counts[1] == [(len(source.rows),)]


def test_a_damaged_table_is_told_and_holds_up_no_other(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    care = Upkeep(store.side, folder, lambda: now)
    monkeypatch.setattr(upkeep, "IDLE_SECONDS", 0)
    while care.merge_one():
        pass
    store.side.command("CREATE TABLE renkou.damaged (n UInt8) ENGINE = MergeTree ORDER BY n")
    try:
        store.side.command("SYSTEM STOP MERGES renkou.damaged")
        for number in range(3):
            store.side.command(f"INSERT INTO renkou.damaged VALUES ({number})")
        ((path,),) = store.side.rows(
            "SELECT path FROM system.parts WHERE active AND table = 'damaged' ORDER BY name LIMIT 1"
        )
        (Path(path) / "data.bin").write_bytes(b"")
        store.side.command("SYSTEM START MERGES renkou.damaged")
        with pytest.raises(ConnectorError):
            care.merge_one()
        assert care.merge_one() == "", "the others have their turn"
        (complaint,) = [found for found in care.condition().complaints if "damaged" in found.en]
        assert "CHECK TABLE" in complaint.en
        assert "CHECK TABLE" in complaint.zh
        now = float(upkeep.REST_SECONDS)
        with pytest.raises(ConnectorError):
            care.merge_one()
    finally:
        store.side.command("DROP TABLE renkou.damaged SYNC")
    assert care.merge_one() == ""
    assert not [found for found in care.condition().complaints if "damaged" in found.en]
