"""Compare the compiled Avro codec with fastavro on a record as the feeds have them.

``python -m tests.bench.avro_codec`` prints microseconds a record: the fastest, median and slowest of several
rounds, both codecs in each round so that a busy machine hurts them alike.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median

import fastavro
import msgspec

from avro import version as versions
from avro.codec import RecordCodec
from avro.record import Finding, Kin, Mention, Record
from avro.schema import header_of, plain

ROUNDS = 9
CALLS = 3000
FEED = "bench.wide"
ELEMENTS = {
    **{f"text_{n}": "类别" if n % 3 == 0 else "A001" for n in range(16)},
    **{f"day_{n}": 9000 + n for n in range(4)},
    **{f"empty_{n}": None for n in range(5)},
}


def write_schema(folder: Path) -> None:
    """Write the .avsc of a feed of 25 nullable elements."""
    fields = [
        {"name": name, "type": ["null", "int" if name.startswith("day") else "string"], "default": None}
        for name in ELEMENTS
    ]
    (folder / "bench").mkdir()
    schema = {"type": "record", "name": "wide", "fields": fields}
    (folder / "bench" / "wide.avsc").write_text(json.dumps(schema), encoding="utf-8")


def sample() -> tuple[Record, str]:
    """Return a record with one mention and one finding, and a raw row of 1 KB."""
    mention = Mention(
        role="self",
        name="测某某",
        id_type="111",
        id_number="110101XXXXXXXX001X",
        sex="1",
        birth_date=10957,
        ethnicity="01",
        phone="000-0000",
        hukou_division="110101",
        hukou_address="某省某市某区某街道1号",
        residence_division="110101",
        residence_address="某省某市某区某街道1号",
    )
    record = Record(
        feed=FEED,
        op="u",
        key='{"ryid":"000000000001"}',
        version=versions.postgresql_version(0, 26_000_000, 26_000_100, snapshot=False),
        is_deleted=False,
        snapshot=False,
        source_time=1_790_000_000_123_456,
        captured_time=1_790_000_000_234_567,
        topic="cdc.bench.public.wide",
        partition=0,
        offset=1_234_567,
        mentions=(mention,),
        findings=(Finding(element="phone", rule="format", severity="warning", original="000-0000"),),
    )
    return record, json.dumps({f"column_{n}": "x" * 20 for n in range(30)})


def microseconds(function: Callable[[], object]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    for _ in range(CALLS):
        function()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        write_schema(Path(folder))
        codec = RecordCodec(FEED, Path(folder))
    record, raw = sample()
    whole = fastavro.parse_schema(plain(codec.schema))
    header = fastavro.parse_schema(plain(header_of(codec.schema)))
    asdict = msgspec.structs.asdict

    def reference_encode() -> bytes:
        values = asdict(record)
        values["version"] = versions.to_bytes(record.version)
        values["is_deleted"] = 1 if record.is_deleted else 0
        values["mentions"] = [
            asdict(mention) | {"kin": [asdict(kin) for kin in mention.kin]} for mention in record.mentions
        ]
        values["findings"] = [asdict(finding) for finding in record.findings]
        values["raw"] = raw
        values.update(ELEMENTS)
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, whole, values)
        return buffer.getvalue()

    def reference_header() -> Record:
        values = fastavro.schemaless_reader(BytesIO(datum), header, None)
        values["version"] = versions.from_bytes(values["version"])
        values["is_deleted"] = values["is_deleted"] == 1
        values["mentions"] = tuple(
            [
                Mention(**mention | {"kin": tuple([Kin(**kin) for kin in mention["kin"]])})
                for mention in values["mentions"]
            ]
        )
        values["findings"] = tuple([Finding(**finding) for finding in values["findings"]])
        return Record(feed=FEED, **values)

    datum = codec.encode(record, raw, ELEMENTS)
    if datum != reference_encode() or codec.decode(datum) != (record, raw, ELEMENTS):
        raise SystemExit("the codecs differ; run tests/unit/test_compiled.py")
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "encode": (lambda: codec.encode(record, raw, ELEMENTS), reference_encode),
        "decode_header": (lambda: codec.decode_header(datum), reference_header),
        "decode": (
            lambda: codec.decode(datum),
            lambda: fastavro.schemaless_reader(BytesIO(datum), whole, None),
        ),
    }
    print(f"{len(datum)} bytes; µs a record: fastest / median / slowest of {ROUNDS} rounds")
    for name, (ours, theirs) in pairs.items():
        rounds = [(microseconds(ours), microseconds(theirs)) for _ in range(ROUNDS)]
        own, other = zip(*rounds, strict=True)
        ratio = median([theirs / ours for ours, theirs in rounds])
        figures = [f"{min(times):5.1f} /{median(times):5.1f} /{max(times):5.1f}" for times in (own, other)]
        print(f"{name:14} compiled {figures[0]}   fastavro {figures[1]}   {ratio:.1f} times")


if __name__ == "__main__":
    main()
