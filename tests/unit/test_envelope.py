"""Debezium's envelope, in each of the wire formats."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from contextlib import suppress
from functools import cache
from math import inf, nan
from struct import Struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avro.change import Change, Op, RawEvent
from avro.codec import DatumCodec
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError, RegistryUnavailableError
from avro.registry import LocalRegistry, frame
from avro.schema import Schema
from avro.version import postgresql_version
from tests.unit.debezium_events import FORMATS, PLACE, REGISTRY, envelope, event, written

ROW = {"id": 12, "name": "买买提·艾山", "note": None, "kinds": ["110", "120"], "big": 9_007_199_254_740_993}
KEY = {"id": 12}
PLACEHOLDER = "__debezium_unavailable_value"


def decoder() -> EnvelopeDecoder:
    return EnvelopeDecoder(REGISTRY)


def change(raw: RawEvent, generation: int = 1) -> Change:
    decoded = decoder().decode(raw, generation)
    assert isinstance(decoded, Change)
    return decoded


def rule_of(raw: RawEvent, registry: Any = REGISTRY) -> str:
    with pytest.raises(DecodeError) as caught:
        EnvelopeDecoder(registry).decode(raw, 1)
    return caught.value.rule


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("op", ["r", "c", "u"])
def test_a_row_is_the_same_in_every_format(wire: str, op: str) -> None:
    found = change(event(envelope(op, after=ROW), KEY, wire), generation=3)
    assert found == Change(
        place=PLACE,
        department="police",
        schema="public",
        table="person",
        op=Op(op),
        key='{"id":12}',
        version=postgresql_version(3, 100, 205, snapshot=op == "r"),
        source_time=1_700_000_000_000_123,
        captured_time=1_700_000_000_500_456,
        after=ROW,
    )


@pytest.mark.parametrize("wire", FORMATS)
def test_a_delete_has_a_key_and_no_row_after_it(wire: str) -> None:
    found = change(event(envelope("d", before={"id": 12, "name": ""}), KEY, wire))
    assert (found.op, found.key, found.after) == (Op.DELETE, '{"id":12}', None)
    assert found.before == {"id": 12, "name": ""}


@pytest.mark.parametrize("wire", FORMATS)
def test_a_truncate_has_no_key(wire: str) -> None:
    found = change(event(envelope("t"), None, wire))
    assert (found.op, found.key, found.table) == (Op.TRUNCATE, "", "person")


@pytest.mark.parametrize("wire", FORMATS)
def test_events_that_are_about_no_row_are_ignored(wire: str) -> None:
    message = {**envelope("m", table=""), "message": {"prefix": "p", "content": "c"}}
    transaction = {"status": "BEGIN", "id": "571:1", "event_count": None, "ts_ms": 1}
    assert decoder().decode(event(message, {"prefix": "p"}, wire), 1) == Ignored("message")
    assert decoder().decode(event(transaction, {"id": "571:1"}, wire), 1) == Ignored("transaction")
    assert decoder().decode(event(None, KEY, wire), 1) == Ignored("tombstone")


def test_a_wrapped_null_is_a_tombstone() -> None:
    assert decoder().decode(RawEvent(PLACE, b'{"id":1}', b'{"schema":null,"payload":null}'), 1) == Ignored(
        "tombstone"
    )


@pytest.mark.parametrize("wire", FORMATS)
def test_a_heartbeat_has_a_time(wire: str) -> None:
    assert (
        decoder().heartbeat(event({"ts_ms": 1_700_000_000_000}, {"serverName": "cdc.police"}, wire))
        == 1_700_000_000_000_000
    )


def test_times_fall_back_to_milliseconds() -> None:
    value = envelope("c", after=ROW, ts_us=None)
    del value["ts_us"]
    found = change(event(value, KEY))
    assert (found.source_time, found.captured_time) == (1_700_000_000_000_000, 1_700_000_000_500_000)


def test_positions_of_all_kinds_of_snapshot_and_stream() -> None:
    def version(op: str, **source: Any) -> int:
        return change(event(envelope(op, after=ROW, **source), KEY)).version

    initial = version("r", snapshot="first", sequence='[null,"300"]', lsn=300)
    incremental = version("r", snapshot="incremental", sequence='["310","310"]', lsn=None)
    late = version("u", sequence='[null,"205"]', lsn=205)
    streamed = version("u", sequence='["310","320"]', lsn=320)
    assert initial == postgresql_version(1, None, 300, snapshot=True)
    assert initial < late < incremental < streamed
    assert change(event(envelope("r", after=ROW, snapshot="last"), KEY)).snapshot == "last"
    assert change(event(envelope("u", after=ROW), KEY)).snapshot is None


@pytest.mark.parametrize("wire", FORMATS)
def test_keys_keep_their_order_their_numbers_and_their_characters(wire: str) -> None:
    key = {"jtbh": '390 "x"', "cyxh": 2, "姓": "𠮷"}
    found = change(event(envelope("d"), key, wire))
    assert found.key == '{"jtbh":"390 \\"x\\"","cyxh":2,"姓":"𠮷"}'


@pytest.mark.parametrize("wire", FORMATS)
def test_a_change_of_primary_key_names_the_other_key(wire: str) -> None:
    old, new = {"hh": "1", "n": 7}, {"hh": "2", "n": 8}
    deleted = change(event(envelope("d"), old, new=written(new, wire, "Key")))
    created = change(event(envelope("c", after=ROW), new, old=written(old, wire, "Key")))
    assert (deleted.next_key, deleted.previous_key) == ('{"hh":"2","n":8}', None)
    assert (created.previous_key, created.next_key) == ('{"hh":"1","n":7}', None)


def test_a_key_in_a_header_of_the_default_converter_takes_its_types_from_the_events_key() -> None:
    found = change(event(envelope("d"), {"hh": "1", "n": 7}, new=b"Struct{hh=a=b},n=8}"))
    assert found.next_key == '{"hh":"a=b}","n":8}'


@pytest.mark.parametrize(
    "header",
    [
        b"Struct{hh=x,n=1,n=2}",
        b"Struct{other=1}",
        b"Struct{hh=1,n=x}",
        b"",
        b"nonsense",
        b'{"hh":"1"}',
        b"\0\0\0",
    ],
)
def test_a_header_that_could_be_misread_is_refused(header: bytes) -> None:
    assert rule_of(event(envelope("d"), {"hh": "1", "n": 7}, new=header)) == "unreadable_header"


@pytest.mark.parametrize("wire", FORMATS)
def test_columns_that_the_source_did_not_send_are_named_and_absent(wire: str) -> None:
    data = PLACEHOLDER.encode()
    row = {
        "id": 12,
        "text": PLACEHOLDER,
        "photo": data if wire == "avro" else base64.b64encode(data).decode(),
        "texts": [PLACEHOLDER],
        "numbers": list(data),
        "uuids": [str(uuid.UUID(bytes=hashlib.md5(data).digest(), version=3))],
        "map": {PLACEHOLDER: PLACEHOLDER},
        "hstore": json.dumps({PLACEHOLDER: PLACEHOLDER}, separators=(",", ":")),
        "quoted": f"says {PLACEHOLDER}",
        "two": [PLACEHOLDER, "x"],
    }
    found = change(event(envelope("u", after=row), KEY, wire))
    assert found.unchanged == ("text", "photo", "texts", "numbers", "uuids", "map", "hstore")
    assert found.after == {"id": 12, "quoted": row["quoted"], "two": row["two"]}


def test_the_placeholder_is_a_setting() -> None:
    raw = event(envelope("u", after={"a": "gone", "b": PLACEHOLDER}), KEY)
    found = EnvelopeDecoder(None, unavailable_placeholder="gone").decode(raw, 1)
    assert isinstance(found, Change)
    assert (found.unchanged, found.after) == (("a",), {"b": PLACEHOLDER})


def test_bytes_in_avro_are_base64_as_in_json() -> None:
    row = {"photo": b"\xff\x00", "parts": [b"a"], "inner": {"scale": 1, "value": b"\x01"}}
    found = change(event(envelope("c", after=row), KEY, "avro"))
    assert found.after == {"photo": "/wA=", "parts": ["YQ=="], "inner": {"scale": 1, "value": "AQ=="}}


BAD = {
    "not_json": [
        b"",
        b"x",
        b'{"op":',
        b"\xff\xfe",
        b'{"op":"c","after":{"a":"\xff"}}',
        b'{"after":{"a":NaN}}',
    ],
    "malformed_avro": [
        b"\0",
        b"\0\0\0\0",
        frame(
            REGISTRY.register(
                "x", {"type": "record", "name": "X", "fields": [{"name": "op", "type": "string"}]}
            ),
            b"\x40a",
        ),
    ],
    "unknown_schema": [frame(9999, b"")],
    "wrong_type": [
        b"[]",
        b'{"op":7}',
        json.dumps({**envelope("c", after=ROW), "source": {"lsn": "1"}}).encode(),
        json.dumps(envelope("c", after=[1])).encode(),
        json.dumps(envelope("c", after="text")).encode(),
    ],
    "unknown_op": [b"{}", b'{"op":"x"}', b'{"id":1,"name":"flattened"}', b'{"status":"OTHER"}'],
    "missing_after": [json.dumps(envelope("u")).encode()],
    "missing_source": [
        json.dumps({**envelope("c", after=ROW), "source": None}).encode(),
        json.dumps(envelope("c", after=ROW, table=None)).encode(),
    ],
    "foreign_source": [
        json.dumps(envelope("c", after=ROW, name="elsewhere")).encode(),
        json.dumps(envelope("c", after=ROW, name="cdc.")).encode(),
    ],
    "missing_time": [json.dumps(envelope("c", after=ROW, ts_us=None, ts_ms=None)).encode()],
    "missing_position": [
        json.dumps(envelope("c", after=ROW, **source)).encode()
        for source in (
            {"sequence": None},
            {"sequence": "[]"},
            {"sequence": '["x"]'},
            {"sequence": "no"},
            {"lsn": None},
            {"lsn": -1},
            {"lsn": 1 << 60},
        )
    ],
}


@pytest.mark.parametrize(
    ("rule", "value"), [(rule, value) for rule, values in BAD.items() for value in values]
)
def test_a_bad_value_has_a_rule(rule: str, value: bytes) -> None:
    assert rule_of(RawEvent(PLACE, b'{"id":1}', value)) == rule


@pytest.mark.parametrize(
    ("rule", "key"), [("missing_key", None), ("not_json", b"x"), ("wrong_type", b"7"), ("wrong_type", b"{}")]
)
def test_a_bad_key_has_a_rule(rule: str, key: bytes | None) -> None:
    assert rule_of(RawEvent(PLACE, key, written(envelope("c", after=ROW), "json"))) == rule


def test_avro_needs_a_registry() -> None:
    assert rule_of(event(envelope("c", after=ROW), KEY, "avro"), None) == "no_registry"


def test_a_registry_that_is_down_is_no_fault_of_the_event() -> None:
    class Down(LocalRegistry):
        def schema(self, schema_id: int) -> Schema:
            raise RegistryUnavailableError("down")

    with pytest.raises(RegistryUnavailableError):
        EnvelopeDecoder(Down()).decode(event(envelope("c", after=ROW), KEY, "avro"), 1)


def test_an_error_says_nothing_of_the_values() -> None:
    for value in (
        b'{"op":"c","after":"SECRET"}',
        b'{"op":"SECRET"}',
        b'{"op":"c","source":{"lsn":"SECRET"}}',
    ):
        with pytest.raises(DecodeError) as caught:
            decoder().decode(RawEvent(PLACE, b'{"SECRET":"SECRET"}', value), 1)
        assert "SECRET" not in str(caught.value)


@given(
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"\0\0\0\0\1" + data),
    st.binary(max_size=20),
)
def test_random_bytes_raise_only_the_typed_error(value: bytes, key: bytes) -> None:
    with suppress(DecodeError):
        decoder().decode(RawEvent(PLACE, key, value, [("__debezium.newkey", value)]), 1)


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8"))
ROWS = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), VALUES, min_size=1, max_size=8
)


@settings(max_examples=25)  # each example is an Avro schema of its own, and compiled
@given(ROWS)
def test_every_format_gives_the_row_that_was_written(row: dict[str, Any]) -> None:
    for wire in FORMATS:
        assert change(event(envelope("c", after=row), KEY, wire)).after == row


def floats_as_avro(kind: str, value: float) -> Any:
    codec, schema = float_codec(kind)
    known = envelope("c")["source"]
    row = {"op": "c", "ts_ms": 1, "source": {k: known[k] for k in SOURCE_FIELDS}, "after": {"f": value}}
    message = frame(REGISTRY.register(f"floats-{kind}", schema), codec.encode(row))
    found = change(RawEvent(PLACE, b'{"id":1}', message)).after
    assert found is not None
    return found["f"]


@cache
def float_codec(kind: str) -> tuple[DatumCodec, dict[str, Any]]:
    schema = {
        "type": "record",
        "name": "Envelope",
        "fields": [
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": "long"},
            {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
                {"name": name, "type": "string"} for name in ("name", "schema", "table", "sequence")
            ] + [{"name": name, "type": "long"} for name in ("lsn", "ts_ms")]}},
            {"name": "after", "type": {"type": "record", "name": "Value", "fields": [{"name": "f", "type": kind}]}},
        ],
    }  # fmt: skip
    return DatumCodec(schema), schema


SOURCE_FIELDS = ("name", "schema", "table", "sequence", "lsn", "ts_ms")


@example(100.4076156616211)  # needs all nine digits
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_of_32_bits_are_their_shortest_decimals(value: float) -> None:
    found = floats_as_avro("float", value)
    assert Struct("<f").unpack(Struct("<f").pack(found))[0] == value
    assert len(repr(found).lstrip("-0.").partition("e")[0].replace(".", "").rstrip("0")) <= 9


def test_floats_that_json_has_no_numbers_for_are_named() -> None:
    for kind in ("float", "double"):
        assert [floats_as_avro(kind, value) for value in (nan, inf, -inf)] == ["NaN", "Infinity", "-Infinity"]
    assert floats_as_avro("double", 0.1) == 0.1
    assert floats_as_avro("float", 1.100000023841858) == 1.1


@given(st.integers(2**63, 2**200))
def test_integers_of_any_size_stay_integers(number: int) -> None:
    found = change(event(envelope("c", after={"a": number, "b": [number]}), {"id": number}))
    assert found.after == {"a": number, "b": [number]}
    assert found.key == f'{{"id":{number}}}'
