"""The compiled codec against fastavro, on random schemas and values and on bytes that are neither."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from enum import StrEnum
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avro import version as versions
from avro._plan import plan
from avro._values import varint
from avro.codec import DatumCodec, MarkCodec, RecordCodec
from avro.compiled import Native, compile_reader, compile_writer
from avro.errors import DecodeError, SchemaError
from avro.record import Finding, Kin, Mark, MarkKind, Mention, Record
from avro.schema import header_of, plain

# Random schemas are slow to draw, and the machine that runs this is shared.
RANDOM = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "long": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False) | st.integers(-(1 << 53), 1 << 53),
    "string": TEXT | st.integers(0, 9000).map(lambda size: "字a"[size % 2] * size),
    "bytes": st.binary(max_size=12),
}


class Case:
    """A schema with the values that fit it."""

    def __init__(self, schema: Any, values: st.SearchStrategy[Any]) -> None:
        self.schema = schema
        self.values = values

    def __repr__(self) -> str:
        return f"Case({json.dumps(self.schema)})"


@st.composite
def cases(draw: Callable[[Any], Any], depth: int = 3, names: Any = None) -> Case:
    """A type of the subset; ``names`` numbers the named ones."""
    names = count() if names is None else names
    inner = depth > 0
    kinds = [*SCALARS, "fixed", "enum", *(["array", "map", "record", "nullable", "union"] if inner else [])]
    kind = draw(st.sampled_from(kinds))
    if kind in SCALARS:
        return Case(kind, SCALARS[kind])
    if kind == "fixed":
        size = draw(st.integers(1, 20))
        schema = {"type": "fixed", "name": f"F{next(names)}", "size": size}
        return Case(schema, st.binary(min_size=size, max_size=size))
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from("ABCDEFGH"), min_size=1, unique=True))
        schema = {"type": "enum", "name": f"E{next(names)}", "symbols": symbols}
        return Case(schema, st.sampled_from(symbols))
    if kind == "array":
        item = draw(cases(depth - 1, names).filter(lambda case: plan(case.schema).least > 0))
        return Case({"type": "array", "items": item.schema}, st.lists(item.values, max_size=3))
    if kind == "map":
        item = draw(cases(depth - 1, names))
        return Case({"type": "map", "values": item.schema}, st.dictionaries(TEXT, item.values, max_size=3))
    if kind == "record":
        return draw(records(depth - 1, names))  # type: ignore[no-any-return]
    if kind == "nullable":
        other = draw(
            cases(depth - 1, names).filter(lambda case: not is_union(case) and case.schema != "null")
        )
        schemas = ["null", other.schema] if draw(st.booleans()) else [other.schema, "null"]
        return Case(schemas, st.none() | other.values)
    # A union whose branches no value confuses; an int would be a long, or a double, as well.
    apart = ["null", "boolean", draw(st.sampled_from(["int", "long", "double"])), "string", "bytes"]
    chosen = draw(st.lists(st.sampled_from(apart), min_size=1, unique=True))
    branches = [Case(name, SCALARS[name]) for name in chosen]
    if draw(st.booleans()):
        container = cases(depth - 1, names).filter(lambda case: is_container(case))
        branches.append(draw(container))
    return Case([branch.schema for branch in branches], st.one_of([branch.values for branch in branches]))


@st.composite
def records(draw: Callable[[Any], Any], depth: int = 3, names: Any = None) -> Case:
    """A record of up to six fields, of which some have a default."""
    names = count() if names is None else names
    fields, values = [], {}
    for index in range(draw(st.integers(0, 6))):
        field = draw(cases(depth, names))
        fields.append({"name": f"f{index}", "type": field.schema})
        values[f"f{index}"] = field.values
    return Case(
        {"type": "record", "name": f"R{next(names)}", "fields": fields}, st.fixed_dictionaries(values)
    )


def is_union(case: Case) -> bool:
    return isinstance(case.schema, list)


def is_container(case: Case) -> bool:
    return isinstance(case.schema, dict) and case.schema["type"] in ("array", "map", "record")


def reference_write(schema: Any, value: Any) -> bytes:
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value, strict_allow_default=True)
    return buffer.getvalue()


def reference_read(schema: Any, data: bytes) -> Any:
    return fastavro.schemaless_reader(BytesIO(data), fastavro.parse_schema(schema), None)


@RANDOM
@given(st.data(), cases() | records())
def test_same_bytes_and_values_as_fastavro(data: st.DataObject, case: Case) -> None:
    value = data.draw(case.values)
    ours = compile_writer(case.schema)(value)
    assert ours == reference_write(case.schema, value)
    assert compile_reader(case.schema)(ours, 0) == (value, len(ours))
    assert reference_read(case.schema, ours) == value


@RANDOM
@given(st.data(), records())
def test_a_datum_is_found_at_any_place_and_in_any_buffer(data: st.DataObject, case: Case) -> None:
    value = data.draw(case.values)
    datum = compile_writer(case.schema)(value)
    read = compile_reader(case.schema)
    for buffer in (b"\0head" + datum + b"tail", bytearray(b"\0head" + datum), memoryview(b"\0head" + datum)):
        assert read(buffer, 5) == (value, 5 + len(datum))


@RANDOM
@given(st.data(), records())
def test_a_datum_cut_short_is_refused(data: st.DataObject, case: Case) -> None:
    datum = compile_writer(case.schema)(data.draw(case.values))
    read = compile_reader(case.schema)
    for end in range(max(0, len(datum) - 200), len(datum)):
        with pytest.raises(DecodeError) as caught:
            read(datum[:end], 0)
        assert caught.value.rule == "malformed_avro"


@RANDOM
@given(st.data(), records())
def test_changed_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject, case: Case) -> None:
    datum = bytearray(compile_writer(case.schema)(data.draw(case.values)))
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1)
    ):
        if datum:
            datum[place % len(datum)] = byte
    check_any_bytes(case.schema, bytes(datum))


@RANDOM
@given(cases() | records(), st.binary(max_size=60))
def test_garbage_is_read_or_refused_and_nothing_else(case: Case, garbage: bytes) -> None:
    check_any_bytes(case.schema, garbage)


def check_any_bytes(schema: Any, data: bytes) -> None:
    """Read ``data`` whatever it is; what can be read is what fastavro reads, and can be written again."""
    refused: DecodeError | None = None
    try:
        value, end = compile_reader(schema)(data, 0)
    except DecodeError as error:
        refused = error
    if refused is not None:
        assert refused.rule == "malformed_avro"
        assert (
            refused.__context__ is None or refused.__suppress_context__
        )  # the context shows the event's bytes
        return
    assert 0 <= end <= len(data)
    # NaN is not itself, so the two are compared as they print.
    assert repr(reference_read(schema, data[:end])) == repr(value)
    rewritten = compile_writer(schema)(value)
    assert repr(compile_reader(schema)(rewritten, 0)[0]) == repr(value)


@given(st.integers(0, (1 << 64) - 1))
@example(0)
@example((1 << 64) - 1)
@example(1 << 14)
@example((1 << 14) - 1)
@example((1 << 49) - 1)
@example(1 << 49)
@example((1 << 56) - 1)
@example(1 << 56)
@example(1 << 63)
def test_numbers_of_every_length(zigzag: int) -> None:
    number = zigzag >> 1 ^ -(zigzag & 1)
    datum = varint(zigzag)
    assert datum == reference_write("long", number)
    read = compile_reader("long")
    # With and without bytes behind it: eight bytes at once must not look over the end, nor miss it.
    for tail in (b"", b"\0" * 9, b"\xff" * 9):
        assert read(datum + tail, 0) == (number, len(datum))


RECORD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "required", "type": "string"},
        {"name": "text", "type": "string", "default": "x"},
        {"name": "nothing", "type": ["null", "long"], "default": None},
        {"name": "number", "type": ["long", "null"], "default": 7},
        {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
        {"name": "octets", "type": "bytes", "default": "\u00ff"},
    ],
}


def test_defaults_are_written_for_missing_fields_only() -> None:
    write, read = compile_writer(RECORD), compile_reader(RECORD)
    full = {"required": "a", "text": "x", "nothing": None, "number": 7, "list": [1, 2], "octets": b"\xff"}
    assert read(write({"required": "a"}), 0)[0] == full
    assert write({"required": "a"}) == write(full)
    changed = {**full, "number": None, "nothing": 3, "list": []}
    assert read(write(changed), 0)[0] == changed


class Colour(StrEnum):
    RED = "RED"


def test_a_string_enum_is_a_string() -> None:
    enum = {"type": "enum", "name": "E", "symbols": ["BLUE", "RED"]}
    assert compile_writer("string")(Colour.RED) == b"\x06RED"
    assert compile_writer(["null", "string"])(Colour.RED) == b"\x02\x06RED"
    assert compile_writer(enum)(Colour.RED) == b"\x02"


FIXED = {"type": "fixed", "name": "F", "size": 2}
INTS = {"type": "array", "items": "int"}
MISFITS: list[tuple[Any, Any, type[Exception]]] = [
    ("null", 0, TypeError),
    ("boolean", 1, TypeError),
    ("boolean", None, TypeError),
    ("int", True, TypeError),
    ("int", 1.0, TypeError),
    ("int", "1", TypeError),
    ("int", 1 << 31, ValueError),
    ("int", -(1 << 31) - 1, ValueError),
    ("long", 1 << 63, ValueError),
    ("long", -(1 << 63) - 1, ValueError),
    ("long", None, TypeError),
    ("double", True, TypeError),
    ("double", "1.0", TypeError),
    ("double", (1 << 53) + 1, ValueError),
    ("double", 10**400, ValueError),
    ("float", 1e300, ValueError),
    ("float", (1 << 24) + 1, ValueError),
    ("string", b"a", TypeError),
    ("string", 1, TypeError),
    ("string", "\ud800", ValueError),
    ("bytes", "a", TypeError),
    (FIXED, b"a", ValueError),
    (FIXED, b"abc", ValueError),
    (FIXED, "ab", TypeError),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", TypeError),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, ["A"], TypeError),
    (INTS, "12", TypeError),
    (INTS, {1}, TypeError),
    (INTS, [1, None], TypeError),
    (INTS, [True], TypeError),
    ({"type": "array", "items": "string"}, "ab", TypeError),
    ({"type": "map", "values": "int"}, [("a", 1)], TypeError),
    ({"type": "map", "values": "int"}, {1: 1}, TypeError),
    (["null", "int"], "1", TypeError),
    (["null", "int"], True, TypeError),
    (["null", "int", "string"], 1.5, TypeError),
    (["null", "int", "string"], 1 << 40, TypeError),
    (RECORD, {}, ValueError),
    (RECORD, {"text": "a"}, ValueError),
    (RECORD, {"required": "a", "unknown": 1}, ValueError),
    (RECORD, {"required": None}, TypeError),
    (RECORD, ["a"], TypeError),
    (RECORD, None, TypeError),
]


@pytest.mark.parametrize(("schema", "value", "error"), MISFITS)
def test_a_value_that_does_not_fit_is_refused(schema: Any, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="mend"):
        compile_writer(schema)(value)


def test_an_error_names_the_field_and_not_the_value() -> None:
    mentions = {"type": "record", "name": "M", "fields": [{"name": "day", "type": ["null", "int"]}]}
    schema = {
        "type": "record",
        "name": "space.R",
        "fields": [{"name": "mentions", "type": {"type": "array", "items": mentions}}],
    }
    with pytest.raises(TypeError) as caught:
        compile_writer(schema)({"mentions": [{"day": None}, {"day": "secret"}]})
    assert "space.M.day" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="surrogate") as broken:
        compile_writer("string")("secret\ud800")
    assert broken.value.__suppress_context__
    assert broken.value.__cause__ is None


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ("string", b"\x01"),  # length -1
        ("string", b"\x04\xff\xfe"),  # no UTF-8
        ("string", varint((1 << 62) << 1) + b"a"),
        ("bytes", varint((1 << 62) << 1) + b"a"),
        ("string", b"\xff" * 9 + b"\x01"),  # the largest number, read as a negative length
        ("long", b"\xff" * 9 + b"\x02"),  # 65 bits
        ("long", b"\xff" * 11),
        ("int", varint(1 << 32)),
        ("boolean", b"\x02"),
        (["null", "int"], b"\x04\x02"),
        (["null", "int"], b"\x01\x02"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01"),
        (INTS, varint((1 << 40) << 1) + b"\x02" * 9),  # a count that the bytes cannot hold
        (INTS, b"\x02\x02"),  # no end
        (INTS, b"\x01\x7f\x02\x00"),  # a block of one item and -64 bytes
        (INTS, b"\x01\x80\x01\x02\x00"),  # a block of one item and 64 bytes
        ({"type": "array", "items": "double"}, b"\x04" + b"\0" * 9),
        ({"type": "array", "items": FIXED}, varint((1 << 40) << 1) + b"ab"),  # endless if believed
        ({"type": "map", "values": "null"}, varint((1 << 40) << 1)),
        (FIXED, b"a"),
        ("double", b"\0" * 7),
    ],
)
def test_impossible_bytes_are_refused(schema: Any, data: bytes) -> None:
    with pytest.raises(DecodeError):
        compile_reader(schema)(data, 0)


def test_blocks_with_their_size_are_read() -> None:
    block = b"\x03\x04\x02\x04" + b"\x02\x06" + b"\0"  # -2 items in 2 bytes, then 1 item, then the end
    assert compile_reader(INTS)(block, 0) == ([1, 2, 3], len(block))


def test_special_floats() -> None:
    assert math.isnan(compile_reader("double")(compile_writer("double")(math.nan), 0)[0])
    assert compile_writer("float")(math.inf) == struct.pack("<f", math.inf)
    assert compile_writer("double")(3) == compile_writer("double")(3.0)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]},
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "R", "fields": []}},
        ["null", {"type": "map", "values": "int"}, {"type": "record", "name": "R", "fields": []}],
        ["float", "double"],
        ["null", "null"],
        [],
        {"type": "int", "logicalType": "date"},
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "Unknown"}]},
        {"type": "record", "name": "R", "fields": [{"name": "a b", "type": "int"}]},
        {
            "type": "record",
            "name": "R",
            "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}],
        },
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]},
        {"type": "record", "name": "R) or exit(", "fields": [{"name": "a", "type": "int"}]},
        {"type": "fixed", "name": "F", "size": 0},
        "nothing",
    ],
)
def test_what_is_not_of_the_subset_is_refused_at_once(schema: Any) -> None:
    with pytest.raises(SchemaError):
        compile_writer(schema)
    with pytest.raises(SchemaError):
        compile_reader(schema)


def test_deep_nesting_is_refused_and_not_a_syntax_error() -> None:
    schema: Any = "int"
    for _ in range(30):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaError, match="deep"):
        compile_reader(schema)


# --- The codecs on top


RECURSIVE = {
    "type": "record",
    "name": "Tree",
    "fields": [
        {"name": "label", "type": "string"},
        {"name": "children", "type": {"type": "array", "items": "Tree"}, "default": []},
    ],
}


def test_what_cannot_be_compiled_goes_through_fastavro() -> None:
    codec = DatumCodec(RECURSIVE)
    tree = {"label": "a", "children": [{"label": "b", "children": []}]}
    datum = codec.encode(tree)
    assert codec.decode(datum) == tree
    with pytest.raises(DecodeError):
        codec.decode(datum + b"\0")
    with pytest.raises(DecodeError):
        codec.decode(datum[:-1])
    misfits: list[dict[str, Any]] = [
        {"label": 1, "children": []},
        {"children": []},
        {**tree, "unknown": "secret"},
    ]
    for misfit in misfits:
        with pytest.raises((TypeError, ValueError)) as caught:
            codec.encode(misfit)
        assert "secret" not in str(caught.value)


def test_a_datum_with_bytes_behind_it_is_refused() -> None:
    codec = DatumCodec(RECORD)
    datum = codec.encode({"required": "a"})
    assert codec.decode(datum)["required"] == "a"
    with pytest.raises(DecodeError):
        codec.decode(datum + b"\0")


class Point(msgspec.Struct):
    y: int
    x: int


def test_a_struct_whose_fields_are_not_the_schemas_is_refused() -> None:
    schema = {
        "type": "record",
        "name": "P",
        "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int"}],
    }
    for compiler in (compile_reader, compile_writer):
        with pytest.raises(SchemaError, match="Point"):
            compiler(schema, {"P": Native(Point)})


FEED = "test.thing"
ELEMENTS = [
    {"name": "code", "type": ["null", "string"], "default": None},
    {"name": "level", "type": "int"},
    {
        "name": "place",
        "type": ["null", {"type": "record", "name": "Place", "fields": [{"name": "n", "type": "long"}]}],
    },
]

OPTIONAL = st.none() | TEXT
NAMES = st.lists(TEXT, max_size=2).map(tuple)
DAYS = st.none() | SCALARS["int"]


KIN = st.builds(Kin, TEXT, OPTIONAL, OPTIONAL, OPTIONAL, DAYS)


def mentions() -> st.SearchStrategy[Mention]:
    schema = plain(
        json.loads((Path(__file__).parents[2] / "avro/schemas/Mention.avsc").read_text(encoding="utf-8"))
    )
    kinds = {"string": TEXT, "int": SCALARS["int"]}
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in schema["fields"]:
        if isinstance(field["type"], list):
            fields[field["name"]] = DAYS if field["type"][1] in ("int", "long", {"type": "int"}) else OPTIONAL
        else:
            fields[field["name"]] = kinds[field["type"]] if isinstance(field["type"], str) else NAMES
    fields["kin"] = st.lists(KIN, max_size=2).map(tuple)
    return st.builds(Mention, **fields)


RECORDS = st.builds(
    Record,
    feed=st.just(FEED),
    op=st.sampled_from("rcud"),
    key=TEXT,
    version=st.integers(0, (1 << 128) - 1),
    is_deleted=st.booleans(),
    snapshot=st.booleans(),
    source_time=SCALARS["long"],
    captured_time=SCALARS["long"],
    topic=TEXT,
    partition=SCALARS["int"],
    offset=SCALARS["long"],
    previous_key=OPTIONAL,
    next_key=OPTIONAL,
    unchanged=NAMES,
    unchanged_elements=NAMES,
    mentions=st.lists(mentions(), max_size=2).map(tuple),
    findings=st.lists(
        st.builds(Finding, TEXT, TEXT, TEXT, original=OPTIONAL, role=TEXT, ordinal=SCALARS["int"]), max_size=2
    ).map(tuple),
)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> RecordCodec:
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "test").mkdir()
    own = {"type": "record", "name": "thing", "fields": ELEMENTS}
    (folder / "test" / "thing.avsc").write_text(json.dumps(own), encoding="utf-8")
    return RecordCodec(FEED, folder)


def fields_of(struct: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(struct)


def as_mapping(record: Record) -> dict[str, Any]:
    """The record as fastavro wants it, made without the codec."""
    values: dict[str, Any] = msgspec.to_builtins(record)
    values["mentions"] = [fields_of(mention) for mention in record.mentions]
    for mention in values["mentions"]:
        mention["kin"] = [fields_of(kin) for kin in mention["kin"]]
    del values["feed"]
    values["version"] = versions.to_bytes(record.version)
    values["is_deleted"] = int(record.is_deleted)
    return values


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(record=RECORDS, raw=OPTIONAL, level=SCALARS["int"], place=st.none() | st.integers(0, 9))
def test_records_are_fastavros_bytes_and_come_back(
    codec: RecordCodec, record: Record, raw: str | None, level: int, place: int | None
) -> None:
    elements = {"code": None, "level": level, "place": None if place is None else {"n": place}}
    datum = codec.encode(record, raw, elements)
    schema = plain(codec.schema)
    values = {**as_mapping(record), "raw": raw, **elements}
    assert datum == reference_write(schema, values)
    assert codec.decode(datum) == (record, raw, elements)
    assert codec.decode_header(datum) == record
    header = compile_writer(plain(header_of(codec.schema)))(as_mapping(record))
    assert datum.startswith(header)
    assert codec.decode_header(header) == record


def sample() -> Record:
    return Record(
        FEED, "c", "{}", 5, False, False, 1, 2, "t", 0, 3, mentions=(Mention("self", birth_date=1),)
    )


def test_the_header_is_read_whatever_stands_behind_it(codec: RecordCodec) -> None:
    datum = codec.encode(sample(), None, {"level": 1, "place": None})
    assert codec.decode_header(datum[:-1] + b"\xff\xff") == sample()
    for broken in (datum + b"\0", datum[:-1], b"", b"\xff" * 40):
        with pytest.raises(DecodeError):
            codec.decode(broken)


def test_a_record_that_does_not_fit_is_refused(codec: RecordCodec) -> None:
    elements = {"level": 1, "place": None}
    outside: list[dict[str, Any]] = [{"version": -1}, {"version": 1 << 128}, {"source_time": 1 << 63}]
    for change in outside:
        with pytest.raises(ValueError, match="mend"):
            codec.encode(msgspec.structs.replace(sample(), **change), None, elements)
    mistyped: list[dict[str, Any]] = [
        {"is_deleted": 1},
        {"version": "5"},
        {"key": None},
        {"partition": True},
        {"mentions": "ab"},
        {"mentions": ({},)},
    ]
    for change in mistyped:
        with pytest.raises(TypeError, match="mend"):
            codec.encode(msgspec.structs.replace(sample(), **change), None, elements)
    for wrong in ({}, {**elements, "unknown": 1}, {**elements, "raw": "{}"}):
        with pytest.raises(ValueError, match="mend"):
            codec.encode(sample(), None, wrong)


def test_a_deletion_flag_that_is_none_is_refused(codec: RecordCodec) -> None:
    values = {**as_mapping(sample()), "is_deleted": 2, "raw": None, "level": 1, "place": None}
    datum = reference_write(plain(codec.schema), values)
    with pytest.raises(DecodeError):
        codec.decode_header(datum)


def test_marks_come_back_and_unknown_kinds_are_refused() -> None:
    marks = MarkCodec()
    mark = Mark(MarkKind.TRUNCATE, "police", "police.hj_ryjbxx", 1 << 100, 5)
    datum = marks.encode(mark)
    assert marks.decode(datum) == mark
    for broken in (datum.replace(b"truncate", b"truncAte"), datum[:-1], datum + b"\0"):
        with pytest.raises(DecodeError):
            marks.decode(broken)
