"""How a person, an identity and a feed's row were at a moment, and that a replay says the same in every cut."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest

from avro.codec import DatumCodec, RecordCodec
from avro.record import Mark, Record
from avro.schema import shared_schema
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.migrations import MIGRATIONS
from connectors.clickhouse.store import Store, open_store
from linkage.outputs import IdentityChange
from tests.unit.clickhouse_source import (
    Person,
    Source,
    everything,
    feed_table,
    key_of,
    renew,
    rows_of,
    write_schema,
)
from tests.unit.clickhouse_victim import batch_of

HISTORIES = ("identities", "identity_history", "persons", "person_history")
LIFE = 60


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> RecordCodec:
    return write_schema(tmp_path_factory.mktemp("schemas"))


@pytest.fixture(scope="module")
def store(codec: RecordCodec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("as_of") / "store", "", [feed_table(codec)])
    yield opened
    opened.close()


def text(moment: int) -> str:
    """Return a moment, microseconds since 1970, as a view takes it."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment)).strftime(
        "%Y-%m-%d %H:%M:%S.%f"
    )


def model(source: Source, moment: int) -> dict[str, int]:
    """Return the version of each key that is live at a moment, by the log alone."""
    live: dict[str, tuple[int, bool]] = {}
    for entry in source.log:
        if entry.source_time > moment:
            continue
        if isinstance(entry, Mark):
            live = dict.fromkeys(live, (entry.version, True))
        elif entry.version > live.get(entry.key, (-1, True))[0]:
            live[entry.key] = (entry.version, entry.is_deleted)
    return {key: version for key, (version, deleted) in live.items() if not deleted}


def versions(store: Store, query: str) -> dict[str, int]:
    return {row["key"]: int(row["version"]) for row in rows_of(store.readers, query)}


def test_rows_are_shown_as_they_were(store: Store, codec: RecordCodec) -> None:
    renew(store, codec)
    source = Source(codec)
    source.live(LIFE, random.Random(4))
    source.truncate()
    source.live(LIFE, random.Random(5))
    for start in range(0, len(source.log), 25):
        store.writer.write(batch_of(source, source.log[start : start + 25]))
    moments = [entry.source_time for entry in source.log[:: len(source.log) // 6]]
    assert any(model(source, moment) for moment in moments)
    for moment in (moments[0] - 1, *moments, source.log[-1].source_time):
        seen = versions(store, f"SELECT key, version FROM records_at(time = '{text(moment)}')")
        assert seen == model(source, moment)


def test_one_row_is_shown_as_it_was(store: Store, codec: RecordCodec) -> None:
    renew(store, codec)
    source = Source(codec)
    for person in (Person("李安", "甲路"), Person("李安", "乙路"), None):
        source.change(1, person)
    store.writer.write(source.batch(source.log))

    def at(moment: int) -> list[Any]:
        query = (
            f"SELECT JSONExtractString(raw, 'BZ') AS note FROM record_at(department = 'police', table = 'people',"
            f" key = '{key_of(1)}', time = '{text(moment)}')"
        )
        return [row["note"] for row in rows_of(store.readers, query)]

    times = [entry.source_time for entry in source.log]
    assert [at(times[0] - 1), *map(at, times)] == [[], ["甲路"], ["乙路"], []]


def test_whose_a_mention_was(store: Store, codec: RecordCodec) -> None:
    renew(store, codec)
    identities = DatumCodec(shared_schema("Identity"))
    batch = Batch()
    for moment, person, gone in ((10, "P1", False), (20, "P2", False), (30, "P2", True)):
        change = IdentityChange("police", "people", key_of(1), "self", 0, person, "id", moment, gone, 1)
        batch.add_identity(identities.encode(change.to_avro()), moment)
    other = IdentityChange("police", "people", key_of(2), "self", 0, "P1", "id", 10, False, 2)
    batch.add_identity(identities.encode(other.to_avro()), 10)
    store.writer.write(batch)

    def of(person: str, moment: int) -> set[str]:
        return set(
            versions(
                store,
                "SELECT key, version FROM identities_of_person_at("
                f"person = '{person}', time = '{text(moment)}')",
            )
        )

    one, two = key_of(1), key_of(2)
    assert [of("P1", moment) for moment in (9, 10, 20, 30)] == [set(), {one, two}, {two}, {two}]
    assert [of("P2", moment) for moment in (10, 20, 30)] == [set(), {one}, set()]
    everybody = "SELECT key, version FROM identities_at(time = '{}')"
    assert versions(store, everybody.format(text(25))) == {one: 20, two: 10}
    assert versions(store, everybody.format(text(30))) == {two: 10}


def test_what_was_known_before_times_were_written_down_counts_from_the_beginning(
    store: Store, codec: RecordCodec
) -> None:
    renew(store, codec)
    source = Source(codec)
    source.change(1, Person("李安", "甲路"))
    store.writer.write(batch_of(source, source.log))
    for table in ("record_history", "identity_history"):
        store.side.command(f"TRUNCATE TABLE renkou.{table}_all")
    for _ in range(2):  # a crash behind the step does it again
        next(step for step in MIGRATIONS if step.number == 3).apply(store.side)
    assert versions(store, "SELECT key, version FROM records_at(time = '1990-01-01')") == {
        key_of(1): source.version
    }
    person = "P0000000001"
    assert versions(store, f"SELECT key, version FROM identities_by_person(value = '{person}')") == {
        key_of(1): source.version
    }


def test_a_replay_in_other_batches_shows_the_same_bytes(store: Store, codec: RecordCodec) -> None:
    renew(store, codec)
    source = Source(codec)
    source.live(2 * LIFE, random.Random(8))
    for size in (1_000_000, 17, 40):  # each over what the one before has left
        for start in range(0, len(source.log), size):
            store.writer.write(batch_of(source, source.log[start : start + size]))
        seen = everything(store.readers, HISTORIES)
        if size == 1_000_000:
            first = seen
            records = [entry for entry in source.log if isinstance(entry, Record)]
            assert first.count(b"\n") > len(records)
        assert seen == first
