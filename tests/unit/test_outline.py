"""Outlines of datums, and rows of mentions cut out of them, against the decoded records; on bytes that are none too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.codec import RecordCodec
from avro.outline import outlines
from avro.record import Finding, Kin, Mention, Record
from connectors.clickhouse.mentions import MentionRows
from tests.unit.clickhouse_source import FEED, Person, elements_of, feed_table, write_schema

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers(60, 9000).map(
    lambda size: "字" * size
)
OPTIONAL = st.none() | TEXT
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
KIN = st.builds(Kin, TEXT, OPTIONAL, OPTIONAL, OPTIONAL, st.none() | st.integers(-50_000, 50_000))
MENTIONS = st.builds(
    Mention,
    role=st.sampled_from(["self", "spouse"]),
    name=OPTIONAL,
    id_number=OPTIONAL,
    birth_date=st.none() | st.integers(-50_000, 50_000),
    workplace=OPTIONAL,
    ties=st.lists(TEXT, max_size=2).map(tuple),
    other_names=st.lists(TEXT, max_size=2).map(tuple),
    birth_order=st.none() | LONG,
    kin=st.lists(KIN, max_size=2).map(tuple),
    unchanged=st.sampled_from([(), (), (), ("name",)]),
)
RECORDS = st.builds(
    Record,
    feed=st.just(FEED),
    op=st.sampled_from("crud"),
    key=TEXT,
    version=st.integers(0, (1 << 128) - 1),
    is_deleted=st.sampled_from([False, False, False, True]),
    snapshot=st.booleans(),
    source_time=st.integers(-(1 << 61), 1 << 61),
    captured_time=LONG,
    topic=TEXT,
    partition=st.integers(0, 1 << 20),
    offset=st.integers(0, 1 << 62),
    previous_key=st.sampled_from([None, None, None, "k"]),
    next_key=st.sampled_from([None, None, None, "k"]),
    unchanged=st.sampled_from([(), (), (), ("BZ",)]),
    unchanged_elements=st.sampled_from([(), (), (), ("note",)]),
    mentions=st.lists(MENTIONS, max_size=3).map(tuple),
    findings=st.lists(st.builds(Finding, TEXT, TEXT, TEXT), max_size=2).map(tuple),
)
EXAMPLES = settings(max_examples=30)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> RecordCodec:
    return write_schema(tmp_path_factory.mktemp("schemas"))


def encoded(codec: RecordCodec, record: Record) -> bytes:
    return codec.encode(record, "{}", elements_of(Person("李安", "甲路"), 1, False))


def is_plain(record: Record) -> bool:
    return not (
        record.is_deleted
        or record.previous_key is not None
        or record.next_key is not None
        or record.unchanged
        or record.unchanged_elements
        or any(mention.unchanged for mention in record.mentions)
    )


@EXAMPLES
@given(records=st.lists(RECORDS, max_size=6))
def test_an_outline_says_what_decoding_says(codec: RecordCodec, records: list[Record]) -> None:
    datums = [encoded(codec, record) for record in records]
    found = outlines(datums)
    rows = MentionRows(feed_table(codec))
    assert found.plain.tolist() == list(map(is_plain, records))
    for index, (record, cut) in enumerate(zip(records, rows.cut(found, 0, len(records)), strict=True)):
        assert found.body[found.raw[index] : found.raw_end[index]] == b"\x02\x04{}", "whether plain or not"
        if not is_plain(record):
            assert cut is None
            continue
        key = found.body[found.key[index] : found.place_end[index]]
        assert key.endswith(record.key.encode() + record.version.to_bytes(16, "little") + b"\0")
        assert (found.version(index), found.source_time[index], found.snapshot[index]) == (
            record.version,
            record.source_time,
            record.snapshot,
        )
        assert cut == rows.of(record)


@EXAMPLES
@given(
    records=st.lists(RECORDS, min_size=1, max_size=4),
    data=st.data(),
)
def test_bytes_that_are_no_record_spoil_no_other(
    codec: RecordCodec, records: list[Record], data: st.DataObject
) -> None:
    datums = [encoded(codec, record) for record in records]
    place = data.draw(st.integers(0, len(datums)))
    one = data.draw(st.sampled_from(datums))
    cut = data.draw(st.integers(0, len(one)))
    broken = data.draw(
        st.sampled_from([one[:cut], data.draw(st.binary(max_size=80)), one[:cut] + b"\xff" * 40])
    )
    with_broken = [*datums[:place], broken, *datums[place:]]
    rows = MentionRows(feed_table(codec))
    undisturbed = list(rows.cut(outlines(datums), 0, len(datums)))
    disturbed = list(rows.cut(outlines(with_broken), 0, len(with_broken)))
    assert [*disturbed[:place], *disturbed[place + 1 :]] == undisturbed


def test_a_datum_that_breaks_off_in_its_header_is_not_plain(codec: RecordCodec) -> None:
    record = Record(
        FEED, "c", "k", 1, False, False, 5, 6, "t", 0, 1, mentions=(Mention("self", name="李安"),)
    )
    whole = encoded(codec, record)
    header_end = int(outlines([whole]).end[0])
    assert outlines([whole]).plain.tolist() == [True]
    for size in range(header_end + 1):
        assert not outlines([whole[:size]]).plain.any(), size


def test_blocks_that_name_their_size_are_read(codec: RecordCodec) -> None:
    """Avro 1.11, "arrays": a negative count is followed by the block's size in bytes."""
    record = Record(
        FEED, "c", "k", 1, False, False, 5, 6, "t", 0, 1, mentions=(Mention("self", name="李安"),)
    )
    whole = encoded(codec, record)
    found = outlines([whole])
    start, end = int(found.start[0]), int(found.end[0])
    size = end - start
    zigzag = size << 1
    length = bytes([zigzag]) if zigzag < 128 else bytes([zigzag & 127 | 128, zigzag >> 7])
    sized = whole[: start - 1] + b"\x01" + length + whole[start:]
    rows = MentionRows(feed_table(codec))
    assert list(rows.cut(outlines([sized]), 0, 1)) == list(rows.cut(found, 0, 1))
    assert codec.decode_header(sized) == codec.decode_header(whole)


def test_somebody_without_a_slot_is_left_to_the_decoder(codec: RecordCodec) -> None:
    stranger: Any = Mention("stranger", name="李安")
    record = Record(FEED, "c", "k", 1, False, False, 5, 6, "t", 0, 1, mentions=(stranger,))
    found = outlines([encoded(codec, record)])
    assert found.plain.all()
    assert list(MentionRows(feed_table(codec)).cut(found, 0, 1)) == [None]
