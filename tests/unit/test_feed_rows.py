"""A feed's compiled reader says what its column-by-column one says, whatever the row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.change import Change, Op, Place
from avro.normalize.resident_id import check_character
from avro.record import Record
from connectors.errors import FeedMismatchError
from connectors.feeds import Catalog, Feed, Normalized

CATALOG = Catalog.load()
IDS = tuple(
    body + check_character(body)
    for body in (
        "39010219850312123",
        "39010220010228004",
        "39010219620501221",
        "39010219870825456",
        "39010319190101018",
    )
)
TEXTS = st.one_of(
    st.sampled_from(
        (
            *IDS, *(number.lower() for number in IDS), "390102850312123", "１１１１１１１１", "王建国", " 张 三 ",
            "张某", "1", "2", "M", "F", "01", "汉族", "id_card", "passport", "E12345678", "390102", "000000", "", "0",
            "不详", "19850312", "2001-02-28", "20010228093000", "2001-02-28T09:30:00.000000Z",
            "2024-02-30T09:30:00Z",
            "13900000000", "江岚省平澜市石桥区凤鸣街道工农巷198号", "江岚省 平澜市石桥区－198号", "issued",
        )
    ),
    st.text(max_size=12),
)  # fmt: skip
VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.one_of(st.integers(-(1 << 70), 1 << 70), st.integers(-70_000, 70_000), st.just(19850312)),
    bool: st.booleans(),
    list: st.lists(st.one_of(TEXTS, st.none(), st.integers(0, 3)), max_size=3),
}
ODD = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


def a_row(feed: Feed) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {column.name: st.one_of(st.none(), VALUES[column.takes]) for column in feed.definition.columns}
    )


def written(feed: Feed, change: Change) -> tuple[Record, bytes] | tuple[str, str]:
    """Return record and datum as the stage makes them, or what is wrong."""
    try:
        return feed.encode(change)
    except FeedMismatchError as error:
        return error.rule, str(error)
    except (ValueError, TypeError) as error:
        return "unfit_value", str(error)


def built(feed: Feed, said: Normalized | tuple[str, str]) -> tuple[Record, bytes] | tuple[str, str]:
    """Return record and datum by the feed's codec."""
    if not isinstance(said, Normalized):
        return said
    try:
        return said.record, feed.codec.encode(said.record, said.raw, said.elements)
    except (ValueError, TypeError) as error:
        return "unfit_value", str(error)


def said(feed: Feed, change: Change, *, compiled: bool) -> Normalized | tuple[str, str]:
    assert change.after is not None
    try:
        return feed.normalize(change) if compiled else feed._normalize_unusual(change, change.after)
    except FeedMismatchError as error:
        return error.rule, str(error)


@pytest.mark.parametrize("feed", CATALOG.feeds, ids=lambda feed: feed.id)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_both_ways_say_the_same(feed: Feed, data: st.DataObject) -> None:
    row = data.draw(a_row(feed))
    what = data.draw(st.sampled_from(("whole", "whole", "missing", "odd", "added", "turned", "unchanged")))
    column = data.draw(st.sampled_from(feed.columns))
    unchanged: tuple[str, ...] = ()
    if what in ("missing", "unchanged"):
        del row[column]
        unchanged = (column,) if what == "unchanged" else ()
    elif what == "odd":
        row[column] = data.draw(ODD)
    elif what == "added":
        row["one_more"] = data.draw(ODD)
    elif what == "turned":
        row = dict(reversed(row.items()))
    change = Change(
        Place(feed.topic, 0, 1), feed.department, feed.schema, feed.table, Op.UPDATE,
        "{" + ",".join(f'"{name}":1' for name in feed.key) + "}", 9, 5, 6, after=row, unchanged=unchanged,
    )  # fmt: skip
    before = dict(row)
    quick, slow = said(feed, change, compiled=True), said(feed, change, compiled=False)
    assert quick == slow
    by_codec = built(feed, slow)
    assert written(feed, change) == by_codec
    shaped = feed.shape.row(row) if not unchanged else None
    if shaped is not None:
        quickest = Change(
            change.place, change.department, change.schema, change.table, change.op, change.key, change.version,
            change.source_time, change.captured_time, row=shaped,
        )  # fmt: skip
        assert written(feed, quickest) == by_codec
        if by_codec[0] != "unfit_value" and isinstance(quick, Normalized):
            about = (
                change.op, change.key, change.version, change.source_time, change.captured_time, feed.topic, 0, 1,
                None, None,
            )  # fmt: skip
            assert feed.write(shaped, *about, b"", True) == by_codec  # the quickest way was tried
            assert feed.write(shaped, *about, b"front", False) == (None, b"front" + by_codec[1])
    assert row == before
    if isinstance(quick, Normalized) and isinstance(slow, Normalized):
        assert list(quick.elements) == list(slow.elements)
        if what != "unchanged":
            assert shaped is not None
            assert feed._read_row(row) is not None  # the quick way was tried
    if what == "added":
        assert "one_more" in feed.unknown_columns
    feed.unknown_columns.discard("one_more")
