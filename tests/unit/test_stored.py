"""What the watch reads of the store: the newest reconciliation of a feed, and the dead letters that are open."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from avro.record import DISCARDED, DeadLetter
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.store import open_store
from monitoring.observer import Letters, Verification
from streams import stored
from tests.unit.clickhouse_source import Source, feed_table, write_schema

LETTER = DeadLetter(
    "police.people",
    "cdc.police.public.people",
    0,
    5,
    "normalize",
    "bad_date",
    "a date is none",
    b"k",
    b"v",
    [],
    9,
)
ROW = (
    "INSERT INTO renkou.verifications_all (feed, verification, started, finished, missing, surplus, different, error,"
    " version) VALUES ('police.people', '{name}', {start}, {end}, 1, 2, 3, '{error}', 1)"
)


def test_what_is_stored_by_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(write_schema(tmp_path / "schemas"))
    store = open_store(tmp_path / "store", "", [feed_table(source.codec)])
    try:
        found, letters = stored.verifications(store), stored.letters(store)
        assert (found.newest(), letters.newest()) == ({}, {})
        batch = Batch()
        batch.add_dead_letter(LETTER)
        batch.add_dead_letter(replace(LETTER, offset=6))
        batch.add_dead_letter(replace(LETTER, offset=7, feed="", topic="cdc.nowhere"))
        store.writer.write(batch)
        for name, start, end, error in (("a", 100, 101, ""), ("b", 200, 207, "cut short")):
            store.side.command(ROW.format(name=name, start=start, end=end, error=error))
        assert (found.newest(), letters.newest()) == ({}, {}), "read a moment ago"
        monkeypatch.setattr(stored, "LOOK_SECONDS", 0.0)
        assert letters.newest() == {"police.people": Letters("police.people", 2), "": Letters("", 1)}
        assert found.newest() == {"police.people": Verification("police.people", 207_000_000, 6, "cut short")}
        batch = Batch()
        batch.add_dead_letter(replace(LETTER, state=DISCARDED, state_version=1))
        batch.add_dead_letter(replace(LETTER, offset=6, state=DISCARDED, state_version=1))
        store.writer.write(batch)
        assert letters.newest() == {"": Letters("", 1)}
    finally:
        store.close()
