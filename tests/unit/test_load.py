"""``renkou load``: which events a delivery leads to, and that a store holds what was delivered whatever happens."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from avro.change import Op, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.record import DeadLetter, Record
from connectors.errors import DeliveryError, TransientError
from connectors.feeds import Catalog, Feed
from connectors.files.ledger import Ledger
from streams.cli.app import build
from streams.load import HubWay, Loaded, Loader, OnDeadLetter, Options, Progress, Stop, find_deliveries
from streams.normalize import Normalizer, Recorded, events_of
from streams.replay import Summary
from tests.support import deliveries, file_feeds
from tests.support.deliveries import Row


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return file_feeds.catalog(tmp_path_factory.mktemp("feeds"))


class Recorder:
    """A way that keeps the events. It breaks off before the ``stop_after``th one, as a crash would."""

    def __init__(self, step: int = 2, stop_after: int | None = None) -> None:
        self.events: list[RawEvent | DeadLetter] = []
        self.times: list[int] = []
        self._step = step
        self._stop_after = stop_after

    def send(
        self,
        events: Iterable[RawEvent | DeadLetter],
        progress: Progress,
        should_stop: Stop,
        on_dead_letter: OnDeadLetter,
    ) -> Summary:
        summary = Summary()
        taken = 0
        for event in events:
            if len(self.events) == self._stop_after:
                raise TransientError("a crash")
            self.events.append(event)
            summary.read += 1
            if isinstance(event, DeadLetter):
                summary.dead_letters += 1
                on_dead_letter(event)
            else:
                summary.records += 1
            taken += 1
            if taken % self._step == 0:
                progress(self._step)
        progress(taken % self._step)
        return summary

    def delivered(self, feed: Feed, time: int) -> None:
        self.times.append(time)

    def changes(self, feed: Feed) -> list[tuple[str, str, int]]:
        """Return op, key and version of what was sent."""
        found = []
        for event in self.events:
            assert isinstance(event, RawEvent)
            change = EnvelopeDecoder(None).decode(event, feed.generation)
            assert not isinstance(change, Ignored)
            found.append((change.op.value, change.key, change.version))
        return found


def options(folder: Path, **given: Any) -> Options:
    return Options(**{"folder": folder / "files", "delete_limit": 5.0, **given})


def load(feed: Feed, path: Path, way: Recorder, folder: Path, **given: Any) -> Loaded:
    (delivery,) = find_deliveries(feed, [path])
    return Loader(feed, way, options(folder, **given)).load(delivery)


def rows(count: int, **changed: str) -> list[Row]:
    """Return rows 0 to ``count``; a name in ``changed`` (``r<number>``) replaces the row's."""
    return [(f"{number:04}", changed.get(f"r{number}", "王芳"), "") for number in range(count)]


def roll(folder: Path, content: list[Row], date: str = "20240107", sequence: int = 1) -> Path:
    return deliveries.deliver(folder, "roll", deliveries.roll(content), len(content), date, sequence)


def ops(way: Recorder, feed: Feed) -> list[tuple[str, str]]:
    return [(op, json.loads(key)["编号"]) for op, key, _ in way.changes(feed)]


def test_two_full_deliveries_are_inserts_updates_and_deletes(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    first, second = Recorder(), Recorder()
    loaded = load(feed, roll(tmp_path, rows(40)), first, tmp_path)
    assert ops(first, feed) == [("c", f"{number:04}") for number in range(40)]
    assert loaded.summary == Summary(read=40, records=40)
    content = [row for row in rows(42, r7="李四") if row[0] != "0003"]
    loaded = load(feed, roll(tmp_path, content, "20240114"), second, tmp_path)
    assert ops(second, feed) == [("u", "0007"), ("c", "0040"), ("c", "0041"), ("d", "0003")]
    # The fake counts a delete as a record; what did not change is superseded.
    assert loaded.summary == Summary(read=42, records=4, superseded=38)
    versions = [version for _, _, version in first.changes(feed) + second.changes(feed)]
    assert versions == sorted(set(versions))
    assert len(first.times) == len(second.times) == 1


def test_the_same_file_again_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    path = roll(tmp_path, rows(5))
    load(feed, path, Recorder(), tmp_path)
    way = Recorder()
    loaded = load(feed, path, way, tmp_path)
    assert (way.events, loaded.note) == ([], "it was loaded before")
    assert loaded.summary == Summary(read=5, superseded=5)
    load(feed, path, way, tmp_path, again=True)
    assert len(way.events) == 5


def test_another_content_under_the_same_number_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    load(feed, roll(tmp_path, rows(5)), Recorder(), tmp_path)
    with pytest.raises(DeliveryError, match="next sequence number"):
        load(feed, roll(tmp_path, rows(6)), Recorder(), tmp_path)
    corrected = Recorder()
    load(feed, roll(tmp_path, rows(6), sequence=2), corrected, tmp_path)
    assert ops(corrected, feed) == [("c", "0005")]
    # Also when it had come half of its way; not when nothing of it had been taken.
    with pytest.raises(TransientError):
        load(feed, roll(tmp_path, rows(9), "20240114"), Recorder(stop_after=2), tmp_path)
    with pytest.raises(DeliveryError, match="next sequence number"):
        load(feed, roll(tmp_path, rows(8), "20240114"), Recorder(), tmp_path)
    with pytest.raises(TransientError):
        load(feed, roll(tmp_path, rows(9), "20240121"), Recorder(stop_after=0), tmp_path)
    load(feed, roll(tmp_path, rows(8), "20240121"), Recorder(), tmp_path)


def test_an_older_full_delivery_brings_nothing_back(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    load(feed, roll(tmp_path, rows(3), "20240114"), Recorder(), tmp_path)
    way = Recorder()
    loaded = load(feed, roll(tmp_path, rows(5), "20240107"), way, tmp_path)
    assert way.events == []
    assert "20240114_001 is newer" in loaded.note
    assert loaded.summary == Summary(read=5, superseded=5)


def test_many_deletes_wait_for_confirmation(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    load(feed, roll(tmp_path, rows(100)), Recorder(), tmp_path)
    path = roll(tmp_path, rows(94, r0="李四"), "20240114")
    way = Recorder()
    with pytest.raises(DeliveryError, match=r"6 of 100 rows .* more than 5 %.*--confirm-deletes"):
        load(feed, path, way, tmp_path)
    assert way.events == []
    load(feed, path, way, tmp_path, confirm_deletes=True)
    assert [op for op, _ in ops(way, feed)] == ["u"] + ["d"] * 6
    # Five of a hundred are within the limit.
    load(feed, roll(tmp_path, rows(89), "20240121"), Recorder(), tmp_path, delete_limit=6.0)


def test_a_line_without_a_key_holds_the_deletes_back(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    load(feed, roll(tmp_path, rows(40)), Recorder(), tmp_path)
    content = deliveries.roll(rows(39)).replace(b"0005,", b"0005,,,,,")
    path = deliveries.deliver(tmp_path, "roll", content, 39, "20240114")
    way = Recorder()
    loaded = load(feed, path, way, tmp_path)
    (letter,) = way.events
    assert isinstance(letter, DeadLetter)
    assert (letter.stage, letter.rule, letter.offset) == ("load", "unreadable_line", 20240114_001_00000007)
    assert letter.value is not None
    assert letter.value.startswith(b"0005,,,,,")
    assert "2 rows are not in it, but 1 lines could not be read" in loaded.note
    assert loaded.refusals[0].line == 7
    report = (tmp_path / "files" / "works_roll_20240114_001.dat.refused.csv").read_text()
    assert report.startswith("7,unreadable_line,")
    # The rows stay known: the next whole delivery deletes what is really gone, and no more.
    whole = Recorder()
    load(feed, roll(tmp_path, rows(39), "20240121"), whole, tmp_path)
    assert ops(whole, feed) == [("d", "0039")]


def test_of_a_key_that_stands_twice_the_last_row_counts(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    twice = [*rows(3), ("0001", "李四", "")]
    first, second, third = Recorder(), Recorder(), Recorder()
    load(feed, roll(tmp_path, twice), first, tmp_path)
    assert ops(first, feed)[-1] == ("c", "0001")
    load(feed, roll(tmp_path, twice, "20240114"), second, tmp_path)
    assert ops(second, feed) == [("u", "0001"), ("u", "0001")]
    load(feed, roll(tmp_path, rows(3, r1="李四"), "20240121"), third, tmp_path)
    assert third.events == []


@pytest.mark.parametrize("crash", range(0, 10, 2))
def test_after_a_crash_it_goes_on_behind_what_is_durable(
    catalog: Catalog, tmp_path: Path, crash: int
) -> None:
    feed = catalog.by_id("works.roll")
    load(feed, roll(tmp_path, rows(40)), Recorder(), tmp_path)
    content = [row for row in rows(46, r2="李四", r9="赵六") if row[0] not in ("0005", "0006")]
    path = roll(tmp_path, content, "20240114")
    broken, rest = Recorder(stop_after=crash), Recorder()
    with pytest.raises(TransientError):
        load(feed, path, broken, tmp_path)
    loaded = load(feed, path, rest, tmp_path)
    sent = broken.events + rest.events
    assert sent == sorted(sent, key=lambda event: event.place.offset if isinstance(event, RawEvent) else 0)
    found = [json.loads(event.key or b"")["编号"] for event in sent if isinstance(event, RawEvent)]
    assert found == ["0002", "0009", *(f"{number:04}" for number in range(40, 46)), "0005", "0006"]
    assert loaded.summary.read == 46


def test_changes_of_key_have_one_version_and_name_each_other(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.grants")
    lines: list[dict[str, object]] = [
        {"op": "A", "no": "2", "former": "1", "who": {"name": "王芳", "number": None}},
        {"op": "U", "no": "5", "who": {"name": "王芳", "number": None}},
        {"op": "D", "no": "1"},
        {"op": "D", "no": "9"},
    ]
    way = Recorder()
    load(feed, deliveries.deliver(tmp_path, "grants", deliveries.grants(lines), 4), way, tmp_path)
    decoded = [EnvelopeDecoder(None).decode(event, 1) for event in way.events if isinstance(event, RawEvent)]
    create, update, delete, plain = [change for change in decoded if not isinstance(change, Ignored)]
    assert (create.op, create.previous_key) == (Op.CREATE, '{"no":"1"}')
    assert (delete.op, delete.next_key, delete.version) == (Op.DELETE, '{"no":"2"}', create.version)
    assert (plain.op, plain.next_key) == (Op.DELETE, None)
    assert create.version < update.version < plain.version
    assert delete.place.offset % 100 == 3


def test_what_disagrees_with_the_number_of_records_is_refused_before_anything_is_sent(
    catalog: Catalog, tmp_path: Path
) -> None:
    feed = catalog.by_id("works.roll")
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(rows(5)), 6)
    way = Recorder()
    with pytest.raises(DeliveryError, match="has 5 records, the control file says 6"):
        load(feed, path, way, tmp_path)
    assert way.events == []


def test_control_files_among_the_arguments_are_left_out(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    path = roll(tmp_path, rows(1))
    other = roll(tmp_path, rows(1), "20231231")
    found = find_deliveries(feed, [*tmp_path.glob("works_roll_*")])
    assert [delivery.path for delivery in found] == [other, path]
    with pytest.raises(DeliveryError, match="only control files"):
        find_deliveries(feed, [path.with_name(path.name + ".ok")])


def test_two_loads_of_a_feed_do_not_run_at_once(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.roll")
    path = roll(tmp_path, rows(1))
    with (
        Ledger(tmp_path / "files", feed.id),
        pytest.raises(TransientError, match=r"another load of feed works\.roll"),
    ):
        load(feed, path, Recorder(), tmp_path)
    assert oct((tmp_path / "files" / "works.roll.sqlite").stat().st_mode)[-3:] == "600"


class KeptMessages:
    """What a producer was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = []
        self.flushed = 0

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None) -> None:
        self.sent.append((topic, key, value, list(headers or [])))

    def flush(self) -> None:
        self.flushed = len(self.sent)


def test_into_a_hub_events_carry_their_place_and_the_report_names_what_it_will_set_aside(
    catalog: Catalog, tmp_path: Path
) -> None:
    feed = catalog.by_id("works.grants")
    lines: list[dict[str, object]] = [
        {"op": "A", "no": "1", "who": {"name": "王芳", "number": None}},
        {"op": "A", "no": "2", "who": {"name": 7, "number": None}},
        {"op": "?", "no": "3"},
        {"op": "D", "no": "1"},
    ]
    messages = KeptMessages()
    path = deliveries.deliver(tmp_path, "grants", deliveries.grants(lines), 4)
    (delivery,) = find_deliveries(feed, [path])
    way = HubWay(catalog, messages)  # type: ignore[arg-type]
    loaded = Loader(feed, way, options(tmp_path)).load(delivery)
    assert loaded.summary == Summary(read=4, records=1, deletes=1, dead_letters=2)
    assert [(refusal.line, refusal.rule) for refusal in loaded.refusals] == [
        (2, "wrong_type"),
        (3, "unknown_op"),
    ]
    assert messages.flushed == len(messages.sent)
    *events, heartbeat = messages.sent
    assert [topic for topic, *_ in events] == [
        feed.topic, feed.topic, "renkou.dead-letters", feed.topic,
    ]  # fmt: skip
    name, origin = events[0][3][-1]
    assert name == "renkou.origin"
    assert origin is not None
    assert origin.startswith(b"0/2024013100100000001/")
    assert heartbeat[0] == "__debezium-heartbeat.cdc.works"


def test_through_a_hub_the_records_are_those_of_one_process(catalog: Catalog, tmp_path: Path) -> None:
    feed = catalog.by_id("works.archive")
    content = deliveries.archive(rows(6)[1:])
    path = deliveries.deliver(tmp_path, "archive", content, 5)
    alone, messages = Recorder(), KeptMessages()
    load(feed, path, alone, tmp_path / "one")
    (delivery,) = find_deliveries(feed, [path])
    Loader(feed, HubWay(catalog, messages), options(tmp_path / "two")).load(delivery)  # type: ignore[arg-type]
    consumed = [
        SimpleNamespace(
            topic=topic, partition=0, offset=100 + number, key=key, value=value, headers=headers, timestamp=1
        )
        for number, (topic, key, value, headers) in enumerate(messages.sent[:-1])
    ]
    normalizer = Normalizer(catalog, EnvelopeDecoder(None))

    def records(events: Iterable[Any]) -> list[Record]:
        found = [outcome for event in events for outcome in normalizer.process(event)]
        return [one.record for one in found if isinstance(one, Recorded)]

    ours, theirs = records(alone.events), records(events_of(consumed))
    assert len(ours) == 5
    for one, other in zip(ours, theirs, strict=True):
        other.captured_time = one.captured_time  # when each was loaded
        assert one == other


# The store itself


def sent(data: Path) -> int:
    """Return how many events of all deliveries the ledger calls durable."""
    path = data / "files" / "works.roll.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        try:
            return int(ledger.execute("SELECT coalesce(sum(sent), 0) FROM deliveries").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # it is being made


def test_a_store_holds_what_was_delivered_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("RENKOU_FEEDS", str(file_feeds.write(tmp_path / "feeds")))
    content = [row for row in rows(2150, r7="李四") if row[0] != "0003"]
    files = [str(roll(tmp_path, rows(2100))), str(roll(tmp_path, content, "20240114"))]
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "load", "works.roll", *files, "--data", str(data)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and sent(data) == 0:
        time.sleep(0.01)
    process.kill()
    # A step is durable, a hundred rows and a delivery are to come.
    assert process.wait(60) == -signal.SIGKILL

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(build(), [*arguments, "--data", str(data)])
        assert done.exit_code == 0, done.output
        return done.stdout

    summary = json.loads(run("load", "works.roll", *reversed(files)))
    assert summary["read"] == 2100 + len(content) + 1
    assert summary["dead_letters"] == summary["ignored"] == 0
    assert sum(count for name, count in summary.items() if name != "read") == summary["read"]
    query = (
        "SELECT r.key, r.name, r.`offset`, count(i.person_id) FROM works_roll AS r LEFT JOIN identities AS i"
        " ON i.key = r.key AND i.table = 'roll' GROUP BY ALL ORDER BY r.key FORMAT JSONCompactEachRow"
    )
    stored = [json.loads(line) for line in run("sql", query).splitlines()]
    expected = []
    for place, (number, name, _) in enumerate(content, start=2):
        is_new = number >= "2100" or number == "0007"
        position = f"20240114001{place:08}" if is_new else f"20240107001{int(number) + 2:08}"
        key = json.dumps({"编号": number}, ensure_ascii=False, separators=(",", ":"))
        expected.append([key, name, position, "1"])
    assert [[key, name, str(offset), str(count)] for key, name, offset, count in stored] == expected


def test_without_a_hub_or_a_named_store_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = roll(tmp_path, rows(1))
    monkeypatch.setenv("RENKOU_FEEDS", str(file_feeds.write(tmp_path / "feeds")))
    monkeypatch.setenv("RENKOU_DATA", str(tmp_path / "none"))
    monkeypatch.delenv("RENKOU_BROKER", raising=False)
    done = CliRunner().invoke(build(), ["load", "works.roll", str(path)])
    assert done.exit_code == 1
    assert "--data DIR" in done.output
    other = CliRunner().invoke(build(), ["load", "works.gate", str(path), "--data", str(tmp_path / "data")])
    assert other.exit_code == 1
    assert "is not delivered as files" in other.output
    assert not (tmp_path / "data").exists()
