"""Source against store, by value: what is found, what is a false alarm, and what can't be told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from avro.record import Mention
from connectors.clickhouse.access import Local
from connectors.clickhouse.store import Store, open_store
from connectors.errors import TransientError
from connectors.feeds.feed import Normalized
from monitoring.reconcile import Difference, FeedReport, Kind, Pace, Verifier
from monitoring.reconcile.difference import compare
from monitoring.reconcile.journal import hand_in, take_in
from monitoring.reconcile.postgresql import _conversion
from monitoring.reconcile.source import INCOMPARABLE, Chunk, SourceRow
from monitoring.reconcile.stored import StoredRow, StoredTable
from streams.sink import SourceBoard
from tests.unit.clickhouse_source import (
    Person,
    Source,
    elements_of,
    feed_table,
    key_of,
    record_of,
    rows_of,
    write_schema,
)

PEOPLE = 60


@dataclass
class FakeTable:
    """A source that is a dictionary. ``meanwhile`` runs at every look at the clock: what happens beside."""

    rows: dict[int, Person]
    meanwhile: Callable[[], None] = lambda: None
    unfit: set[int] = field(default_factory=set)
    instants: frozenset[str] = frozenset()
    reads: int = 0

    def _row(self, number: int) -> SourceRow:
        if number in self.unfit:
            return SourceRow(None, "wrong_type")
        person = self.rows[number]
        raw = json.dumps(person.raw(number), ensure_ascii=False, separators=(",", ":"))
        return SourceRow(Normalized(record_of(number, 0, person), raw, elements_of(person, number, False)))

    def chunk(self, after: tuple[Any, ...] | None, size: int) -> Chunk:
        self.reads += 1
        numbers = [number for number in sorted(self.rows) if after is None or number > after[0]][:size]
        rows = {key_of(number): self._row(number) for number in numbers}
        return Chunk(rows, (numbers[-1],) if len(numbers) == size else None)

    def by_keys(self, keys: Sequence[str]) -> dict[str, SourceRow]:
        wanted = [json.loads(key)["ID"] for key in keys]
        return {key_of(number): self._row(number) for number in wanted if number in self.rows}

    def condition(self, keys: Sequence[str]) -> str:
        raise NotImplementedError

    def now(self) -> int:
        self.meanwhile()
        return time.time_ns() // 1000

    def close(self) -> None:
        pass


@dataclass
class Both:
    """A source, the store that was filled from it, and what verifies them."""

    source: Source
    store: Store

    def write(self) -> None:
        """Bring what the source has done since the last time into the store."""
        self.store.writer.write(self.source.batch(self.source.log))
        self.source.log.clear()

    def verify(self, table: FakeTable, **pace: Any) -> FeedReport:
        assert self.store.readers is not None
        stored = StoredTable(Local(self.store.readers), feed_table(self.source.codec))
        verifier = Verifier(table, stored, lambda: 1 << 62, Pace(**({"chunk": 7} | pace)))
        return verifier.run(FeedReport("police.people", "v1"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("reconcile")
    source = Source(write_schema(folder / "schemas"))
    store = open_store(folder / "store", "", [feed_table(source.codec)])
    yield Both(source, store)
    store.close()


@pytest.fixture
def both(opened: Both) -> Both:
    """The two of them, equal: PEOPLE rows, every third with a spouse."""
    opened.source.truncate()
    for number in range(PEOPLE):
        spouse = "某配偶" if number % 3 == 0 else None
        opened.source.change(number, Person(f"人{number}", f"{number} 号'路\\", spouse))
    opened.write()
    return opened


def test_the_next_chunk_waits_while_the_hub_is_behind(both: Both) -> None:
    assert both.store.readers is not None
    table = FakeTable(dict(both.source.rows))
    reads: list[int] = []

    def behind() -> bool:
        reads.append(table.reads)
        return len(reads) < 3

    stored = StoredTable(Local(both.store.readers), feed_table(both.source.codec))
    report = Verifier(table, stored, lambda: 1 << 62, Pace(chunk=20), behind=behind).run(FeedReport("f", "v"))
    assert report.is_clean
    assert reads[:3] == [1, 1, 1], "read on while the hub was behind"
    assert table.reads > 3


def test_the_hub_is_behind_when_its_freshest_source_is() -> None:
    board = SourceBoard()
    assert not board.is_behind(), "nothing is known yet"
    now = time.time_ns() // 1000
    board.frontiers["police"]["queryable"] = 5
    assert board.is_behind()
    board.frontiers["health"]["queryable"] = now + 3_600_000_000
    assert not board.is_behind(), "one source is down"


def test_equal_tables_are_equal(both: Both) -> None:
    report = both.verify(FakeTable(dict(both.source.rows)))
    assert (report.source_rows, report.stored_rows, report.suspects) == (PEOPLE, PEOPLE, 0)
    assert report.is_clean


def test_a_wrong_cell_a_missing_and_a_surplus_row_are_found_and_named(both: Both) -> None:
    rows = dict(both.source.rows)
    rows[31] = replace(rows[31], name="另一人")
    rows[777] = Person("新人", "新路")
    del rows[12]
    report = both.verify(FakeTable(rows))
    by_key = {difference.key: difference for difference in report.differences}
    assert by_key.keys() == {key_of(31), key_of(777), key_of(12)}
    assert by_key[key_of(777)] == Difference(key_of(777), Kind.MISSING)
    assert by_key[key_of(12)].kind is Kind.SURPLUS
    wrong = by_key[key_of(31)]
    assert (wrong.kind, wrong.columns, wrong.elements, wrong.mentions) == (
        Kind.DIFFERENT, ("XM",), ("name",), ("self.0.name",),
    )  # fmt: skip
    assert not report.is_clean


def test_a_mention_alone_that_differs_is_found(both: Both) -> None:
    class Other(FakeTable):
        def _row(self, number: int) -> SourceRow:
            row = super()._row(number)
            assert row.normalized is not None
            if number == 5:
                row.normalized.record.mentions += (Mention("spouse", 0, name="无此人"),)
            return row

    report = both.verify(Other(dict(both.source.rows)))
    assert [difference.mentions for difference in report.differences] == [("spouse.0",)]


def test_a_change_that_arrives_during_the_comparison_is_no_alarm(both: Both) -> None:
    table = FakeTable(dict(both.source.rows))
    both.source.change(3, Person("后来", "改"))
    both.source.change(999, Person("后到", "新"))
    both.source.change(4, None)
    table.rows = dict(both.source.rows)  # the source is ahead: the store does not have these yet
    table.meanwhile = both.write
    report = both.verify(table)
    assert report.suspects == 3
    assert report.is_clean


def test_a_row_that_never_rests_is_undecided_and_not_an_alarm(both: Both) -> None:
    table = FakeTable(dict(both.source.rows))
    table.rows[8] = Person("动", "0")

    def change() -> None:
        table.rows[8] = Person("动", str(int(table.rows[8].note) + 1))

    table.meanwhile = change
    report = both.verify(table, rounds=3)
    assert report.differences == []
    assert report.undecided == 1
    assert not report.is_clean


def test_a_row_that_never_rests_is_right_in_a_state_that_it_was_in(both: Both) -> None:
    table = FakeTable(dict(both.source.rows))
    both.source.change(8, Person("动", "0"))
    table.rows[8] = both.source.rows[8]

    def change() -> None:
        both.write()  # the store follows, one change behind
        both.source.change(8, Person("动", str(int(both.source.rows[8].note) + 1)))
        table.rows[8] = both.source.rows[8]

    table.meanwhile = change
    report = both.verify(table, rounds=3)
    assert report.suspects == 1
    assert report.is_clean


def test_a_store_that_does_not_come_so_far_decides_nothing(both: Both) -> None:
    rows = dict(both.source.rows)
    del rows[1]
    assert both.store.readers is not None
    stored = StoredTable(Local(both.store.readers), feed_table(both.source.codec))
    verifier = Verifier(FakeTable(rows), stored, lambda: 5, Pace(patience=0.0))
    report = verifier.run(FeedReport("police.people"))
    assert (report.differences, report.undecided) == ([], 1)


def test_suspects_beyond_the_limit_are_counted(both: Both) -> None:
    report = both.verify(FakeTable({}), limit=10)
    assert (len(report.differences), report.unchecked) == (10, PEOPLE - 10)
    assert not report.is_clean


def test_a_row_that_cannot_be_a_record_is_counted_and_not_compared(both: Both) -> None:
    report = both.verify(FakeTable(dict(both.source.rows), unfit={2}))
    assert (report.unfit, report.suspects, report.is_clean) == (1, 0, True)


def test_a_source_that_goes_away_is_the_reports_error(both: Both) -> None:
    class Gone(FakeTable):
        def chunk(self, after: tuple[Any, ...] | None, size: int) -> Chunk:
            if after is not None:
                raise TransientError("the source cannot be read; start it")
            return super().chunk(after, size)

    report = both.verify(Gone(dict(both.source.rows)))
    assert report.error == "the source cannot be read; start it"
    assert not report.is_clean


def test_the_rate_bounds_what_is_read(both: Both) -> None:
    started = time.monotonic()
    both.verify(FakeTable(dict(both.source.rows)), rows_per_second=100)
    assert time.monotonic() - started >= (PEOPLE - 7) / 100


def test_one_moment_in_two_spellings_is_one_value() -> None:
    def row(text: str) -> str:
        return json.dumps({"k": 1, "t": text}, separators=(",", ":"))

    stored = StoredRow(1, row("2025-03-01T08:00:00Z"), {}, {})
    wanted = SourceRow(Normalized(replace_mentions(), row("2025-03-01T08:00:00.000000Z"), {}))
    assert compare("k", wanted, stored, frozenset({"t"})) is None
    assert compare("k", wanted, stored) is not None
    later = SourceRow(Normalized(replace_mentions(), row("2025-03-01T08:00:00.000001Z"), {}))
    assert compare("k", later, stored, frozenset({"t"})) is not None


def replace_mentions() -> Any:
    record = record_of(1, 1, None)
    assert record.mentions == ()
    return record


def test_reports_come_into_the_store_once(both: Both, tmp_path: Path) -> None:
    report = FeedReport("police.people", "v9", started=1_000_000, finished=3_000_000, source_rows=5)
    report.differences.append(Difference("{}", Kind.MISSING))
    hand_in(tmp_path, report)
    (waiting,) = (tmp_path / "verifications").iterdir()
    content = waiting.read_bytes()
    (tmp_path / "verifications" / "x.json").write_text("{broken")
    assert take_in(tmp_path, both.store.side) == 1
    waiting.write_bytes(content)  # as after a kill between the row and the file's end
    assert take_in(tmp_path, both.store.side) == 1
    assert take_in(tmp_path, both.store.side) == 0
    assert [path.name for path in (tmp_path / "verifications").iterdir()] == ["x.unreadable"]
    found = rows_of(both.store.readers, "SELECT * FROM verifications")
    assert len(found) == 1
    assert (found[0]["feed"], found[0]["missing"], found[0]["source_rows"]) == ("police.people", 1, 5)


@pytest.mark.parametrize(
    ("kind", "precision", "text", "value"),
    [
        ("date", None, "1949-10-01", -7397),
        ("date", None, "infinity", INCOMPARABLE),
        ("timestamp", 6, "1969-12-31 23:59:59.5", -500_000),
        ("timestamp", 3, "2024-02-29 13:14:15.678", 1_709_212_455_678),
        ("timestamptz", 6, "2024-02-29 05:14:15.6789+00", "2024-02-29T05:14:15.678900Z"),
        ("timestamptz", 6, "-infinity", "-infinity"),
        ("numeric", None, "NaN", "NAN"),
        ("numeric", None, "1.10", "1.10"),
    ],
)
def test_values_are_written_as_debezium_writes_them(
    kind: str, precision: int | None, text: str, value: object
) -> None:
    convert = _conversion(kind, precision)
    assert convert is not None
    assert convert(text) == value
