"""Rows of files as events: positions, envelopes and bare rows, and what layouts a feed file may describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avro.change import Op, Place, RawEvent, carried, with_origin
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.record import DeadLetter, Mark
from avro.version import file_version, postgresql_version, push_version
from connectors.errors import FeedError
from connectors.feeds import Catalog
from connectors.files.rows import Position, change_of, event_of, flatten
from streams.normalize import Normalizer, Recorded
from tests.support import file_feeds
from tests.unit.debezium_events import envelope

POSITION = Position(20240131, 2, 17)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return file_feeds.catalog(tmp_path_factory.mktemp("feeds"))


@pytest.fixture
def normalizer(catalog: Catalog) -> Normalizer:
    return Normalizer(catalog, EnvelopeDecoder(None))


def bare(kind: str, key: Any, value: Any, offset: int = 5) -> RawEvent:
    return RawEvent(
        Place(f"file.works.{kind}", 0, offset),
        None if key is None else json.dumps(key).encode(),
        None if value is None else json.dumps(value).encode(),
        None,
        1_700_000_000_000,
    )


def test_a_position_is_a_number_that_a_reader_can_take_apart() -> None:
    assert POSITION.offset == 20240131_002_00000017
    assert POSITION.offset < 1 << 63
    assert Position(20240131, 2, 1).time == 1_706_630_400_000_000  # 2024-01-31 00:00 in Beijing


def test_a_row_of_a_file_goes_the_way_of_every_change(catalog: Catalog, normalizer: Normalizer) -> None:
    feed = catalog.by_id("works.roll")
    row = {"编号": "0007", "姓名": "王·芳", "身份证号": None, "备注": "not collected"}
    (outcome,) = normalizer.process(event_of(feed, change_of(feed, row), POSITION, 1_800_000_000_000_000))
    assert isinstance(outcome, Recorded)
    record = outcome.record
    assert record.feed == "works.roll"
    assert record.key == '{"编号":"0007"}'
    assert record.op == "c"
    assert record.version == file_version(1, 20240131, 2, 17)
    assert (record.topic, record.offset) == ("file.works.roll", POSITION.offset)
    assert record.mentions[0].name == "王·芳"


def test_versions_of_files_are_ordered_by_delivery_and_line() -> None:
    positions = [(20231231, 9, 99), (20240101, 1, 1), (20240101, 1, 2), (20240101, 2, 1), (20240102, 1, 1)]
    versions = [file_version(1, *position) for position in positions]
    assert versions == sorted(set(versions))
    assert file_version(2, 19000101, 1, 1) > versions[-1]


def test_what_was_pushed_is_above_everything_captured() -> None:
    captured = postgresql_version((1 << 14) - 1, (1 << 56) - 1, (1 << 56) - 1, snapshot=False)
    assert captured < push_version(0, 0) < push_version(0, 1) < push_version(1, 0) < 1 << 128


def test_a_bare_row_has_its_message_for_a_position(normalizer: Normalizer) -> None:
    (outcome,) = normalizer.process(bare("roll", {"编号": "1"}, {"编号": "1", "姓名": "李四"}))
    assert isinstance(outcome, Recorded)
    assert outcome.record.version == file_version(1, 0, 0, 5)
    assert outcome.record.offset == 5
    assert outcome.record.source_time == 1_700_000_000_000_000


def test_bare_rows_say_what_their_layout_says(normalizer: Normalizer) -> None:
    row = {"op": "A", "no": "2", "former": "1", "who": {"name": "李四", "number": ""}}
    (outcome,) = normalizer.process(bare("grants", {"no": "2"}, row))
    assert isinstance(outcome, Recorded)
    assert outcome.record.previous_key == '{"no":"1"}'
    assert outcome.record.mentions[0].name == "李四"
    (gone,) = normalizer.process(bare("grants", {"no": "1"}, {"op": "D", "no": "1"}))
    assert isinstance(gone, Recorded)
    assert gone.record.is_deleted
    (removed,) = normalizer.process(bare("roll", {"编号": "1"}, None))
    assert isinstance(removed, Recorded)
    assert removed.record.is_deleted


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ({"no": "1"}, {"op": "Z", "no": "1"}, "unknown_op"),
        ({"no": "1"}, {"op": "A"}, "missing_key"),
        ({"no": "1"}, [], "wrong_type"),
        (None, None, "missing_key"),
        ({"no": "1"}, {"op": "c", "after": 3}, "wrong_type"),
    ],
)
def test_a_bare_row_that_says_nothing_is_a_dead_letter(
    normalizer: Normalizer, key: Any, value: Any, rule: str
) -> None:
    (outcome,) = normalizer.process(bare("grants", key, value))
    assert isinstance(outcome, DeadLetter)
    assert outcome.rule == rule


def test_an_envelope_that_is_not_ours_counts_by_its_rows(normalizer: Normalizer) -> None:
    value = {"op": "u", "before": None, "after": {"编号": "1", "姓名": "李四"}, "source": {"name": "x"}}
    (outcome,) = normalizer.process(bare("roll", {"编号": "1"}, {"schema": {}, "payload": value}))
    assert isinstance(outcome, Recorded)
    assert outcome.record.op == "u"
    (gone,) = normalizer.process(bare("roll", {"编号": "1"}, {"op": "d", "before": {"编号": "1"}}))
    assert isinstance(gone, Recorded)
    assert gone.record.is_deleted


def test_nested_fields_are_named_by_their_path() -> None:
    row = {"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "f": None, "g": {}}
    assert flatten(row) == {"f": None, "a.d": [{"e": 2}], "a.b.c": 1}


def test_a_carried_event_keeps_place_and_time() -> None:
    event = RawEvent(Place("cdc.police.public.hj_hjxx", 3, 12345), b"k", b"v", [("x", b"y")], 77)
    headers = with_origin(event)
    there = RawEvent(Place(event.place.topic, 0, 9), b"k", b"v", headers, 88)
    assert carried(there).place == event.place
    assert carried(there).timestamp == 77
    assert with_origin(carried(there)) == headers
    assert carried(event) is event
    for damaged in (b"", b"3", b"3/x/1", b"3/99999999999999999999/1", b"1/2", None):
        broken = RawEvent(there.place, None, None, [("renkou.origin", damaged)], 88)
        assert carried(broken) is broken


def test_a_position_out_of_range_is_a_dead_letter_not_a_crash(catalog: Catalog) -> None:
    feed = catalog.by_id("works.roll")
    event = event_of(feed, change_of(feed, {"编号": "1"}), Position(20240131, 1, 1), 0)
    assert event.value is not None
    broken = RawEvent(event.place, event.key, event.value.replace(b"20240131", b"-5"), None)
    with pytest.raises(DecodeError) as caught:
        EnvelopeDecoder(None).decode(broken, 1)
    assert caught.value.rule == "missing_position"


def test_the_snapshot_of_a_database_leaves_its_departments_files_alone(tmp_path: Path) -> None:
    path = file_feeds.write(tmp_path) / "works.yaml"
    head, feeds = path.read_text(encoding="utf-8").split("feeds:", 1)
    head = head.replace("kind: file,", "kind: postgresql, schema: public,")
    feeds = feeds.replace("    layout:", "    source: {kind: file, generation: 1}\n    layout:")
    feeds += (
        feeds[feeds.index("  - type: gate") :]
        .replace("gate", "ships")
        .replace("    source: {kind: push, generation: 1}\n", "")
    )
    (tmp_path / "schemas" / "works" / "ships.avsc").write_text(
        json.dumps(file_feeds.schema("ships")), encoding="utf-8"
    )
    path.write_text(f"{head}feeds:{feeds}", encoding="utf-8")
    value = envelope(
        "r",
        {"event_id": "1", "name": None, "number": None},
        name="cdc.works",
        table="ships",
        snapshot="last",
    )
    event = RawEvent(
        Place("cdc.works.public.ships", 0, 1), b'{"event_id":"1"}', json.dumps(value).encode(), None
    )
    record, *marks = Normalizer(Catalog.load(tmp_path), EnvelopeDecoder(None)).process(event)
    assert isinstance(record, Recorded)
    assert [mark.feed for mark in marks if isinstance(mark, Mark)] == ["works.ships"]
    assert len(marks) == 1


def test_deletes_have_no_row(catalog: Catalog) -> None:
    feed = catalog.by_id("works.grants")
    change = change_of(feed, {"op": "D", "no": "9"})
    assert (change.op, change.row) == (Op.DELETE, None)
    decoded = EnvelopeDecoder(None).decode(event_of(feed, change, POSITION, 0), 1)
    assert not isinstance(decoded, Ignored)
    assert decoded.op is Op.DELETE
    assert decoded.key == '{"no":"9"}'


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("kind: csv", "kind: xlsx", "'xlsx' is no kind of file"),
        ("encoding: GB18030, delivery: full", "encoding: GB99, delivery: full", "no encoding"),
        ("encoding: GB18030, delivery: full", "encoding: UTF-16, delivery: full", "no encoding"),
        ("delivery: full}", "delivery: some}", "no kind of delivery"),
        ("delivery: full}", 'delivery: full, delimiter: "ab"}', "a delimiter is one ASCII sign"),
        ("size: 64", "size: 40", "ends at byte"),
        ('"2 9(10)", NAME', '"0 9(10)", NAME', "a first byte (from 1) and a picture"),
        ("of: NO", "of: NAME", "no number (picture 9)"),
        ('NAME: "12 X(11)", ', "", "columns that the layout lacks: NAME"),
        ("source: {kind: push, generation: 1}", "freshness: 1", "layout"),
        ("source: {kind: file, generation: 1}", "source: {kind: file, generation: 1, schema: x}", "'schema'"),
    ],
)
def test_what_is_wrong_with_a_layout_is_said_with_file_and_line(
    tmp_path: Path, old: str, new: str, text: str
) -> None:
    path = file_feeds.write(tmp_path) / "works.yaml"
    good = path.read_text(encoding="utf-8")
    assert old in good
    path.write_text(good.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FeedError, match=r"works\.yaml:\d+: ") as caught:
        Catalog.load(tmp_path)
    assert text in str(caught.value) or old.startswith("source: {kind: push")
