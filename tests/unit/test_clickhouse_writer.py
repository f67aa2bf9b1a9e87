"""The writer against a model that is a dictionary."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from avro.codec import RecordCodec
from avro.record import DeadLetter, Finding, Mark, MarkKind, Mention
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.engine import Target
from connectors.clickhouse.progress import Progress
from connectors.clickhouse.shared import MENTIONS
from connectors.clickhouse.store import Store, open_store
from connectors.errors import StoreError, StoreUnavailableError
from tests.unit.clickhouse_source import (
    FEED,
    Person,
    Source,
    ask,
    everything,
    feed_table,
    key_of,
    record_of,
    renew,
    rows_of,
    shown,
    write_schema,
)

LI = Person("李安", "江岚省临水市甲路一号", "王宁")


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> RecordCodec:
    return write_schema(tmp_path_factory.mktemp("schemas"))


@pytest.fixture
def source(codec: RecordCodec) -> Source:
    return Source(codec)


@pytest.fixture(scope="module")
def opened(codec: RecordCodec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for the module: making its tables costs more than most tests. A process can have one open."""
    store = open_store(tmp_path_factory.mktemp("writer") / "store", "", [feed_table(codec)])
    yield store
    store.close()


@pytest.fixture
def store(opened: Store, codec: RecordCodec) -> Store:
    renew(opened, codec)
    return opened


def write(store: Store, source: Source, *cuts: int) -> None:
    """Write the source's log, cut before the given places."""
    places = [0, *cuts, len(source.log)]
    for start, end in pairwise(places):
        store.writer.write(source.batch(source.log[start:end]))


def test_row_has_the_records_values(store: Store, source: Source) -> None:
    source.change(7, LI, findings=(Finding("note", "too_long", "warning", "x" * 3, "self", 0),))
    write(store, source)
    (row,) = rows_of(store.readers, "SELECT * EXCEPT findings FROM police_people")
    assert row == {
        "key": '{"ID":7}',
        "raw": '{"ID":7,"XM":"李安","BZ":"江岚省临水市甲路一号","POXM":"王宁"}',
        "name": "李安",
        "note": "江岚省临水市甲路一号",
        "born": "1915-04-07",
        "moved": "1970-01-01 00:00:07.000007",
        "rooms": 7,
        "op": "c",
        "topic": "cdc.police.public.people",
        "partition": 0,
        "offset": 1002,
        "source_time": "2023-11-14 22:13:20.001002",
        "captured_time": "2023-11-14 22:13:20.001002",
        "snapshot": False,
        "version": 1002,
    }
    assert rows_of(store.readers, "SELECT * EXCEPT (source_time, version) FROM findings") == [
        {
            "department": "police",
            "table": "people",
            "key": '{"ID":7}',
            "role": "self",
            "ordinal": 0,
            "element": "note",
            "rule": "too_long",
            "severity": "warning",
            "original": "xxx",
        }
    ]


def test_a_role_that_is_absent_goes_away(store: Store, source: Source) -> None:
    source.change(1, LI)
    source.change(1, Person("李安", "乙路二号", None))
    write(store, source, 1)
    assert shown(store.readers) == source.expected()
    assert {role for _, role in shown(store.readers)[1]} == {"self"}


def test_equal_and_older_versions_change_nothing(store: Store, source: Source) -> None:
    source.change(1, LI)
    source.change(1, Person("李安", "乙路二号"))
    source.change(1, None)
    write(store, source)
    for entry in source.log:
        store.writer.write(source.batch([entry]))
    assert shown(store.readers) == ({}, {})


def test_unchanged_column_keeps_value_and_findings(store: Store, source: Source) -> None:
    known = Finding("note", "unknown_street", "warning", "甲路")
    named = Finding("residence_address", "unknown_street", "warning", "甲路", "self", 0)
    source.change(1, LI, findings=(known, named, Finding("name", "rare", "note")))
    source.change(1, Person("李安宁", LI.note, None), keep_note=True)
    write(store, source, 1)
    assert shown(store.readers) == source.expected()
    found = rows_of(store.readers, "SELECT element, rule FROM findings ORDER BY element")
    assert found == [
        {"element": "note", "rule": "unknown_street"},
        {"element": "residence_address", "rule": "unknown_street"},
    ]


def test_value_that_was_never_seen_is_null_with_a_finding(store: Store, source: Source) -> None:
    source.change(1, LI, keep_note=True)
    write(store, source)
    write(store, source)
    (row,) = rows_of(store.readers, "SELECT note, raw FROM police_people")
    assert row == {"note": None, "raw": '{"ID":1,"XM":"李安","POXM":"王宁"}'}
    found = rows_of(store.readers, "SELECT element, role, rule, severity FROM findings ORDER BY element")
    assert found == [
        {"element": "note", "role": "", "rule": "unavailable", "severity": "error"},
        {"element": "raw", "role": "", "rule": "unavailable", "severity": "error"},
        {"element": "residence_address", "role": "self", "rule": "unavailable", "severity": "error"},
    ]


@pytest.mark.parametrize("create_first", [False, True])
@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2)])
def test_key_change_keeps_the_values(
    store: Store, source: Source, create_first: bool, cuts: tuple[int, ...]
) -> None:
    source.change(1, LI)
    source.move(1, 2, Person("李安", LI.note, "王宁"), keep_note=True, create_first=create_first)
    source.move(2, 3, Person("李安", LI.note, None), keep_note=True, create_first=create_first)
    write(store, source, *cuts)
    write(store, source, *cuts)
    assert shown(store.readers) == source.expected()
    assert rows_of(store.readers, "SELECT * FROM findings") == []


def test_truncation_takes_older_rows_whenever_they_come(store: Store, source: Source) -> None:
    source.change(1, LI)
    source.change(2, LI)
    source.truncate()
    source.change(3, LI)
    late, *rest = source.log
    store.writer.write(source.batch(rest))
    result = store.writer.write(source.batch([late]))
    assert (result.rows, result.superseded) == ({}, 1)
    assert shown(store.readers) == source.expected()


def test_row_of_the_marks_own_version_stays(store: Store, source: Source) -> None:
    """A snapshot's rows and the mark that ends it have one version."""
    source.change(1, LI)
    mark = Mark(MarkKind.TRUNCATE, "police", FEED, source.version, 0)
    batch = source.batch(source.log)
    batch.add_mark(mark)
    store.writer.write(batch)
    assert shown(store.readers) == source.expected()


@pytest.mark.parametrize("seed", range(3))
def test_any_cut_and_redelivery_gives_the_same_bytes(store: Store, source: Source, seed: int) -> None:
    rng = random.Random(seed)
    source.live(160, rng)
    seen = []
    for run in range(2):
        renew(store, source.codec)
        place = 0
        rewinds = 6 * run
        while place < len(source.log):
            end = place + rng.randint(1, 60)
            store.writer.write(source.batch(source.log[place:end]))
            place = end
            if rewinds and rng.random() < 0.4:
                rewinds -= 1
                place = max(0, place - rng.randint(1, 120))
        assert shown(store.readers) == source.expected()
        seen.append(everything(store.readers))
    assert seen[0] == seen[1]
    assert b"unavailable" not in seen[0]


def test_undeclared_role_is_refused(store: Store, source: Source) -> None:
    record = record_of(1, 2, LI)
    record.mentions = (*record.mentions, Mention("mother", 0, name="赵敏"))
    source.append(record, 1, LI, False)
    with pytest.raises(StoreError, match=r"offset 2 mentions mother 0.*mend the feed's roles") as caught:
        write(store, source)
    assert "赵敏" not in str(caught.value)


@pytest.mark.parametrize("place", [0, 3, 6])
def test_poison_is_found_and_named(store: Store, source: Source, place: int) -> None:
    for number in range(7):
        source.change(number, LI)
    poison = source.log[place]
    assert not isinstance(poison, Mark)
    source.datums[id(poison)] = source.datums[id(poison)][:-3]
    with pytest.raises(StoreError, match=rf"police\.people.*people, partition 0, offset {poison.offset},"):
        write(store, source)


@pytest.mark.parametrize("place", [0, 3, 6])
def test_refused_mention_is_named_by_its_record(
    store: Store, source: Source, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        source.change(number, Person("赵敏" if number == place else "李安", "乙路二号"))
    poison = source.log[place]
    assert not isinstance(poison, Mark)
    load = store.writer._engine.load

    def refusing(container: bytes, targets: Sequence[Target]) -> None:
        if targets[0].table == MENTIONS.stored and "赵敏".encode() in container:
            raise StoreError("ClickHouse refuses it")
        load(container, targets)

    monkeypatch.setattr(store.writer._engine, "load", refusing)
    with pytest.raises(
        StoreError, match=rf"police\.people.*people, partition 0, offset {poison.offset},"
    ) as caught:
        write(store, source)
    assert "赵敏" not in str(caught.value)


def test_a_disk_that_takes_nothing_is_told_before_the_engine_is_asked(store: Store, source: Source) -> None:
    """The engine would answer that the rows are there, and leave empty files."""
    source.change(1, LI)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store.side.command("SYSTEM STOP MERGES")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
        try:
            with pytest.raises(StoreUnavailableError, match="free disk space"):
                write(store, source)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        write(store, source)
        assert store.side.rows(
            "CHECK TABLE renkou.police_people_all SETTINGS check_query_single_value_result = 1"
        ) == [(1,)]
    finally:
        store.side.command("SYSTEM START MERGES")
    assert shown(store.readers) == source.expected()


@pytest.mark.parametrize("seed", range(2))
def test_mentions_that_a_crash_left_behind_are_repaired(store: Store, source: Source, seed: int) -> None:
    """Rows of a batch are there, its mentions are not, and the batch comes again, cut otherwise."""
    source.live(60, random.Random(seed))
    write_ahead = source.log[20:]
    store.writer.write(source.batch(source.log[:20]))
    store.writer._engine.command("RENAME TABLE renkou.mentions_all TO renkou.away_all")
    try:
        with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
            store.writer.write(source.batch(write_ahead))
    finally:
        store.writer._engine.command("RENAME TABLE renkou.away_all TO renkou.mentions_all")
    for start in range(0, len(write_ahead), 25):
        store.writer.write(source.batch(write_ahead[start : start + 25]))
    assert shown(store.readers) == source.expected()
    assert b"unavailable" not in everything(store.readers)


def test_frontiers_never_go_back(store: Store) -> None:
    for frontier in (2_000_000, 5_000_000, 3_000_000):
        batch = Batch()
        batch.add_frontier("police", "linked", frontier, 7_000_000)
        store.writer.write(batch)
        store.writer.flush()
    (row,) = rows_of(store.readers, "SELECT * FROM frontiers")
    assert (row["frontier"], row["state"], row["since"]) == (
        "1970-01-01 00:00:05.000000",
        "initialising",
        None,
    )
    assert row["lag_seconds"] > 1_700_000_000
    batch = Batch()
    batch.add_source_state("police", "idle", 6_000_000, 8_000_000)
    store.writer.write(batch)
    (row,) = rows_of(store.readers, "SELECT state, since FROM frontiers")
    assert row == {"state": "idle", "since": "1970-01-01 00:00:06.000000"}


def frontier_at(second: int) -> Batch:
    """Return a batch that only has a frontier."""
    batch = Batch()
    batch.add_frontier("police", "linked", second * 1_000_000, second * 1_000_000)
    return batch


def test_frontiers_are_written_once_a_second_and_the_newest_counts(store: Store) -> None:
    now = 100.0
    store.writer._progress = Progress(lambda: now)
    written = []
    for now, second in ((100.0, 2), (100.3, 3), (100.6, 5), (100.9, 4), (101.0, 4), (101.5, 6)):
        written.append(store.writer.write(frontier_at(second)).rows.get("frontiers", 0))
        if now == 101.0:
            (row,) = rows_of(store.readers, "SELECT frontier FROM frontiers")
            assert row["frontier"] == "1970-01-01 00:00:05.000000"
    assert written == [1, 0, 0, 0, 1, 0]
    assert store.writer.flush().rows == {"frontiers": 1}
    assert store.writer.flush().rows == {}


def test_frontier_of_a_batch_that_fails_is_not_written_later(store: Store, source: Source) -> None:
    source.change(1, LI)
    batch = source.batch(source.log)
    batch.add_frontier("police", "linked", 9_000_000, 9_000_000)
    store.writer._engine.command("RENAME TABLE renkou.mentions_all TO renkou.away_all")
    try:
        with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
            store.writer.write(batch)
        store.writer.flush()
        assert rows_of(store.readers, "SELECT * FROM frontiers") == []
    finally:
        store.writer._engine.command("RENAME TABLE renkou.away_all TO renkou.mentions_all")
    store.writer.write(batch)
    assert len(rows_of(store.readers, "SELECT * FROM frontiers")) == 1


def test_source_state_is_written_when_it_is_another(store: Store) -> None:
    written = []
    states = (
        ("streaming", 5),
        ("streaming", 5),
        ("idle", 6),
        ("streaming", 7),
        ("streaming", 7),
        ("streaming", 8),
    )
    for noted, (state, since) in enumerate(states, start=10):
        batch = Batch()
        batch.add_source_state("police", state, since, noted)
        written.append(store.writer.write(batch).rows.get("source_states", 0))
        (row,) = rows_of(
            store.readers, "SELECT state, toUnixTimestamp64Micro(since) AS since FROM source_states"
        )
        assert (row["state"], int(row["since"])) == (state, since)
    assert written == [1, 0, 1, 1, 0, 1]


def test_dead_letter_keeps_its_bytes(store: Store) -> None:
    letter = DeadLetter(
        FEED,
        "cdc.police.public.people",
        0,
        5,
        "normalize",
        "bad_date",
        "a date is none",
        b"k\xff",
        b"\x00\xfe",
        [("h", b"\xfd")],
        9,
    )
    for _ in range(2):
        batch = Batch()
        batch.add_dead_letter(letter)
        store.writer.write(batch)
    (row,) = rows_of(
        store.readers,
        "SELECT department, table, key, state, hex(raw_key) k, hex(raw_value) v, hex(headers[1].2) h FROM dead_letters",
    )
    assert row == {
        "department": "police",
        "table": "people",
        "key": "k\\xff",
        "state": "open",
        "k": "6BFF",
        "v": "00FE",
        "h": "FD",
    }


def test_record_of_an_unknown_feed_is_refused(store: Store, source: Source) -> None:
    batch = Batch()
    batch.add_record("police.other", b"", 0, record_of(1, 2, LI))
    with pytest.raises(StoreError, match=r"no feed police\.other"):
        store.writer.write(batch)


def test_deleted_row_keeps_no_values(store: Store, source: Source) -> None:
    source.change(1, LI)
    source.change(1, None)
    write(store, source)
    left = ask(store.readers, f"SELECT * FROM police_people_all FINAL WHERE key = '{key_of(1)}' FORMAT TSV")
    assert left == b""
    rows = rows_of(store.readers, "SELECT raw, name FROM police_people_all ORDER BY version DESC LIMIT 1")
    assert rows == [{"raw": None, "name": None}]
