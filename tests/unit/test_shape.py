"""Reading rows into a feed's shape says what the general way says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.change import Change, Place, RawEvent
from avro.debezium_toast import PLACEHOLDER
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.shape import MOST_BESIDE, RowShape

COLUMNS: dict[str, type] = {
    "编号": int,
    "name": str,
    "flag": bool,
    "amount": float,
    "names": list,
    "inner": dict,
}
ROW: dict[str, Any] = {
    "编号": 1,
    "name": "甲",
    "flag": True,
    "amount": 1.5,
    "names": ["a"],
    "inner": {"b": 1},
}
DECODER = EnvelopeDecoder(None)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.just(PLACEHOLDER),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
rows = st.fixed_dictionaries(
    {
        "编号": st.none() | st.integers(-(1 << 70), 1 << 70) | values,
        "name": st.none() | st.text(max_size=4) | values,
        "flag": st.none() | st.booleans() | values,
        "amount": st.none() | values,
        "names": st.none() | values,
        "inner": st.none() | values,
    },
    optional={"beside": values, "other": values},
)


def a_shape() -> RowShape:
    return RowShape(COLUMNS, ("编号",))


def event(row: Any, *, op: str = "u", key: Any = None, wrapped: bool = False, **source: Any) -> RawEvent:
    block = {
        "name": "cdc.police", "schema": "public", "table": "t", "snapshot": "false", "sequence": '["7","9"]', "lsn": 9,
        "ts_us": 5, **source,
    }  # fmt: skip
    value: Any = {"before": None, "after": row, "source": block, "op": op, "ts_us": 6}
    value = {"schema": {"type": "struct"}, "payload": value} if wrapped else value
    text = json.dumps({"编号": 1} if key is None else key, ensure_ascii=False, separators=(",", ":"))
    return RawEvent(
        Place("t", 0, 1), text.encode(), json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    )


def general(found: Change | Ignored, shape: RowShape) -> Change | Ignored:
    """Return a change with its row as the general way gives it."""
    if isinstance(found, Ignored) or found.row is None:
        return found
    return msgspec.structs.replace(found, row=None, after=shape.columns(found.row))


def decoded(raw: RawEvent, shape: RowShape | None) -> Change | Ignored | str:
    try:
        return DECODER.decode(raw, 1, shape=shape)
    except DecodeError as error:
        return str(error)


@settings(deadline=None, max_examples=60)
@given(row=rows, wrapped=st.booleans(), op=st.sampled_from("rcud"))
def test_a_row_read_into_its_shape_is_the_row(row: dict[str, Any], wrapped: bool, op: str) -> None:
    shape = a_shape()
    raw = event(row, op=op, wrapped=wrapped)
    found, wanted = decoded(raw, shape), decoded(raw, None)
    if isinstance(found, Change):
        found = general(found, shape)
    assert found == wanted
    beside = row.keys() - COLUMNS.keys()
    if beside:
        shape.widen(row)
        again = decoded(raw, shape)
        if isinstance(again, Change) and again.row is not None and isinstance(wanted, Change):
            assert wanted.after is not None
            assert shape.columns(again.row) == {name: wanted.after[name] for name in COLUMNS}
            assert json.loads(msgspec.json.encode(again.row)) == shape.columns(again.row)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_usual_row_is_read_into_the_shape(wrapped: bool) -> None:
    shape = a_shape()
    found = decoded(event(ROW, wrapped=wrapped), shape)
    assert isinstance(found, Change)
    assert found.row is not None
    assert found.after is None
    assert shape.columns(found.row) == ROW
    assert msgspec.json.encode(found.row) == msgspec.json.encode(ROW)
    assert shape.row(ROW) == found.row


@pytest.mark.parametrize("column", list(COLUMNS))
def test_a_missing_column_and_one_of_another_type_are_not_of_the_shape(column: str) -> None:
    shape = a_shape()
    without = {name: value for name, value in ROW.items() if name != column}
    assert shape.row(without) is None
    if COLUMNS[column] in (int, str, bool):
        assert shape.row({**ROW, column: 1.0}) is None


@pytest.mark.parametrize("place", ["name", "names", "inner"])
def test_a_value_that_was_not_sent_is_left_to_the_general_way(place: str) -> None:
    unsent: dict[str, Any] = {
        "name": PLACEHOLDER,
        "names": [PLACEHOLDER],
        "inner": {PLACEHOLDER: PLACEHOLDER},
    }
    found = decoded(event({**ROW, place: unsent[place]}), a_shape())
    assert isinstance(found, Change)
    assert (found.row, found.unchanged) == (None, (place,))


def test_a_key_of_other_columns_or_another_spelling_is_left_to_the_general_way() -> None:
    for key in ({"编号": 1, "two": 2}, {"other": 1}):
        found = decoded(event(ROW, key=key), a_shape())
        assert isinstance(found, Change)
        assert found.row is None
    shape = a_shape()
    assert shape.key_text('{"编号":1}'.encode()) == '{"编号":1}'
    assert shape.key_text('{"编号": 1}'.encode()) is None
    assert shape.key_text(b'"\xff"') is None


@pytest.mark.parametrize("name", ['q"x', "a\\b", "line\nbreak", "\x00", "\x1f"])
def test_a_column_that_no_field_can_be_named_after_harms_no_other_row(name: str) -> None:
    shape = a_shape()
    odd = event({**ROW, name: 1, "beside": 2})
    shape.widen([name, "beside"])
    found = decoded(odd, shape)
    assert isinstance(found, Change)
    assert found == decoded(odd, None)
    usual = decoded(event({**ROW, "beside": 2}), shape)
    assert isinstance(usual, Change)
    assert usual.row is not None
    assert shape.columns(usual.row) == ROW


def test_a_shape_is_widened_up_to_a_bound() -> None:
    shape = a_shape()
    shape.widen([f"x{number}" for number in range(MOST_BESIDE)])
    assert shape.row({**ROW, "x3": 1}) is not None
    narrow = a_shape()
    narrow.widen([f"x{number}" for number in range(MOST_BESIDE + 1)])
    assert narrow.row({**ROW, "x3": 1}) is None
