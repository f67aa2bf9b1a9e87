"""A one-way gateway: shuffled deliveries, a file lost, another twice, kills; afterwards both sides hold the same.

The brokers are librdkafka's mock cluster, a test double that speaks Kafka's protocol.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as KafkaProducer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from avro.change import Place, RawEvent, carried
from avro.errors import DecodeError
from avro.kcat import read_line, write_line
from connectors.errors import GatewayError
from connectors.gateway.broker import Broker
from connectors.gateway.export import Exporter
from connectors.gateway.importing import IMPORTED, Importer, Report
from connectors.gateway.manifest import Manifest, Partition
from streams.cli.app import build

PEOPLE = "cdc.police.public.hj_ryjbxx"
HOUSES = "cdc.police.public.hj_hjxx"
BEATS = "__debezium-heartbeat.cdc.police"
TOPICS = [PEOPLE, HOUSES, BEATS]


class Topics:
    """A broker in memory: the side that exports. `low` is what retention has left of each topic."""

    def __init__(self) -> None:
        self.events: dict[Partition, list[RawEvent]] = {}
        self.low: dict[Partition, int] = {}
        self.crash_after: int | None = None

    def add(self, topic: str, count: int) -> None:
        events = self.events.setdefault(Partition(topic, 0), [])
        for _ in range(count):
            place = Place(topic, 0, len(events))
            value = None if place.offset % 7 == 6 else json.dumps({"值": place.offset}).encode()
            binary = b"\x00\xff" if place.offset % 11 == 10 else value
            headers: list[tuple[str, bytes | None]] = [("__debezium.oldkey", b"{}"), ("n", None)]
            key = json.dumps({"k": place.offset % 5}).encode()
            events.append(RawEvent(place, key, binary, headers if place.offset % 3 else None, place.offset))

    def partitions(self, topics: Sequence[str]) -> list[Partition]:
        return [of for of in self.events if of.topic in topics]

    def ends(self, of: Partition) -> tuple[int, int]:
        return self.low.get(of, 0), len(self.events[of])

    def read(self, of: Partition, first: int, end: int) -> Iterator[RawEvent]:
        for event in self.events[of][first:end]:
            if self.crash_after is not None:
                self.crash_after -= 1
                if self.crash_after < 0:
                    raise ConnectionError("a crash")
            yield event


class Received:
    """What arrived on the other side. It breaks off before the ``crash_after``th event."""

    def __init__(self, crash_after: int | None = None) -> None:
        self.events: list[RawEvent] = []
        self.crash_after = crash_after

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None, /) -> None:
        if len(self.events) == self.crash_after:
            raise ConnectionError("a crash")
        there = RawEvent(Place(topic, 5, 10**6 + len(self.events)), key, value, list(headers), 1)
        self.events.append(carried(there))

    def flush(self) -> None:
        pass

    def of(self, topic: str) -> list[tuple[int, bytes | None, bytes | None, int, Any]]:
        return [value_of(event) for event in self.events if event.place.topic == topic]


def value_of(event: RawEvent) -> tuple[int, bytes | None, bytes | None, int, Any]:
    own = [header for header in event.headers or [] if not header[0].startswith("renkou.")]
    return event.place.offset, event.key, event.value, event.timestamp, own


class Gateway:
    """Both sides, and the folders between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = Topics()
        self.out, self.inbox = folder / "out", folder / "inbox"
        self.inbox.mkdir()
        self.received = Received()

    def export(self, **given: Any) -> Manifest | None:
        exporter = Exporter(self.source, self.folder / "one", self.out, "renkou")
        return exporter.export(TOPICS, 1_000, **{"part_events": 40, **given})

    def deliver(self, *names: str) -> None:
        for name in names:
            shutil.copy(self.out / name, self.inbox / name)

    def run(self, received: Received | None = None) -> Report:
        return Importer(received or self.received, self.folder / "two", self.inbox, "renkou").run()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())

    def expect_all(self) -> None:
        for of, events in self.source.events.items():
            assert self.received.of(of.topic) == [value_of(event) for event in events]


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def grow(source: Topics, count: int) -> None:
    source.add(PEOPLE, count)
    source.add(HOUSES, count // 3)
    source.add(BEATS, 2)


def test_what_was_exported_arrives_as_it_was(gateway: Gateway) -> None:
    for count in (100, 0, 30):
        if count:
            grow(gateway.source, count)
        manifest = gateway.export()
        assert (manifest is None) == (count == 0)
    gateway.deliver(*gateway.files())
    report = gateway.run()
    assert (report.events, report.bundles) == (100 + 33 + 2 + 30 + 10 + 2, 2)
    assert (report.missing, report.repeated, report.waiting, report.lost) == ([], [], [], [])
    gateway.expect_all()
    assert sorted(path.name for path in gateway.inbox.iterdir()) == [IMPORTED]
    assert gateway.run() == Report()


def check_shuffled(gateway: Gateway, rounds: int, count: int, rng: random.Random) -> None:
    """Deliver everything in a random order, one file never and one twice; then what was missing."""
    for _ in range(rounds):
        grow(gateway.source, count)
        gateway.export(part_events=count // 2)
    names = gateway.files()
    parts = [name for name in names if name.endswith(".gz") and PEOPLE in name]
    lost, twice = rng.sample(parts[:-1], 2)
    repeated: list[str] = []
    for name in rng.sample([one for one in names if one != lost], len(names) - 1):
        gateway.deliver(name)
        repeated += gateway.run().repeated
    assert repeated == []
    if (gateway.inbox / twice).exists():
        gateway.deliver(twice)  # it waits behind the gap: the same file again is the same file
    else:
        bundle = twice.split("-")[1]
        gateway.deliver(twice, f"renkou-{bundle}.manifest.json")
    report = gateway.run()
    assert any(
        lost in sentence and "the file is missing, with offsets" in sentence for sentence in report.missing
    )
    assert report.events == 0
    gateway.deliver(lost)
    report = gateway.run()
    assert report.missing == []
    # A whole bundle once more, after everything was taken.
    first = [name for name in names if name.startswith("renkou-000000001")]
    gateway.deliver(*first)
    report = gateway.run()
    assert report.events == 0
    assert sorted(sentence.split(":")[0] for sentence in report.repeated) == [
        name for name in first if name.endswith(".gz")
    ]
    gateway.expect_all()


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_deliveries_one_file_lost_one_twice(gateway: Gateway, seed: int) -> None:
    check_shuffled(gateway, rounds=4, count=60, rng=random.Random(seed))


@pytest.mark.long
def test_a_hundred_thousand_events_shuffled(gateway: Gateway) -> None:
    check_shuffled(gateway, rounds=25, count=3000, rng=random.Random(1))
    assert len(gateway.received.events) >= 100_000


def test_a_lost_bundle_is_named_and_nothing_behind_it_is_taken(gateway: Gateway) -> None:
    for _ in range(3):
        grow(gateway.source, 30)
        gateway.export()
    gateway.deliver(*(name for name in gateway.files() if not name.startswith("renkou-000000002")))
    report = gateway.run()
    assert "bundle 2 has not arrived; have it delivered again" in report.missing
    assert any(f"offsets 30 to 59 of {PEOPLE}/0 are missing" in sentence for sentence in report.missing)
    # The heartbeat would say that the department has come further than it has.
    assert any(BEATS in sentence and "waits for" in sentence for sentence in report.waiting)
    assert len(gateway.received.of(BEATS)) == 2
    gateway.deliver(*(name for name in gateway.files() if name.startswith("renkou-000000002")))
    assert gateway.run().missing == []
    gateway.expect_all()


def test_a_damaged_file_counts_as_missing(gateway: Gateway) -> None:
    grow(gateway.source, 30)
    gateway.export()
    gateway.deliver(*gateway.files())
    part = next(gateway.inbox.glob(f"*{PEOPLE}*"))
    good = part.read_bytes()
    for bad in (good[:-1], good + b"x", good[:20] + b"\0" + good[21:], gzip.compress(b"")):
        part.write_bytes(bad)
        report = gateway.run()
        assert any("is damaged" in sentence and part.name in sentence for sentence in report.missing)
    part.write_bytes(good)
    gateway.run()
    gateway.expect_all()


@pytest.mark.parametrize("bad", [b"", b"{}", b"[", b'{"format": "x"}', b"[" * 100_000])
def test_a_damaged_manifest_counts_as_missing(gateway: Gateway, bad: bytes) -> None:
    grow(gateway.source, 3)
    manifest = gateway.export()
    assert manifest is not None
    gateway.deliver(*gateway.files())
    (gateway.inbox / manifest.name).write_bytes(bad)
    report = gateway.run()
    assert any("delivered again" in sentence or "release" in sentence for sentence in report.missing)
    assert gateway.received.events == []


@pytest.mark.parametrize(
    ("old", "new"), [(b'"renkou-0', b'"../x-0'), (b'"bundle": 1', b'"bundle": 2'), (b'"first": 0', b'"first": 99')]
)  # fmt: skip
def test_a_manifest_cannot_reach_outside_its_folder(gateway: Gateway, old: bytes, new: bytes) -> None:
    grow(gateway.source, 3)
    manifest = gateway.export()
    assert manifest is not None
    gateway.deliver(*gateway.files())
    path = gateway.inbox / manifest.name
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    assert any("contradicts itself" in sentence for sentence in gateway.run().missing)


@pytest.mark.parametrize("crash", [0, 1, 39, 40, 41, 100, 125])
def test_an_export_that_was_killed_writes_the_same_bundle(gateway: Gateway, crash: int) -> None:
    grow(gateway.source, 100)
    gateway.source.crash_after = crash
    with pytest.raises(ConnectionError):
        gateway.export()
    taken = {name: (gateway.out / name).read_bytes() for name in gateway.files() if name.endswith(".gz")}
    gateway.source.crash_after = None
    grow(gateway.source, 50)  # what has come meanwhile is the next bundle's
    manifest = gateway.export()
    assert manifest is not None
    assert manifest.bundle == 1
    assert sum(part.count for part in manifest.parts) == 100 + 33 + 2
    assert {name: (gateway.out / name).read_bytes() for name in taken} == taken
    gateway.export()
    gateway.deliver(*gateway.files())
    gateway.run()
    gateway.expect_all()


@pytest.mark.parametrize("crash", [0, 1, 40, 77, 130])
def test_an_import_that_was_killed_goes_on(gateway: Gateway, crash: int) -> None:
    grow(gateway.source, 100)
    gateway.export()
    gateway.deliver(*gateway.files())
    broken = Received(crash)
    with pytest.raises(ConnectionError):
        gateway.run(broken)
    report = gateway.run()
    assert (report.missing, report.repeated) == ([], [])
    # What was sent and not noted is sent twice, with the same place: everything else once.
    both = {(event.place.topic, event.place.offset) for event in broken.events + gateway.received.events}
    assert len(both) == 135
    assert len(broken.events) + len(gateway.received.events) <= 135 + 40


def test_what_the_broker_lost_is_said_on_both_sides(gateway: Gateway) -> None:
    grow(gateway.source, 50)
    gateway.export()
    grow(gateway.source, 50)
    gateway.source.low[Partition(PEOPLE, 0)] = 70
    with pytest.raises(GatewayError, match=r"offsets 50 to 69 of .* are gone .*--accept-loss"):
        gateway.export()
    gateway.export(accept_loss=True)
    gateway.deliver(*gateway.files())
    report = gateway.run()
    assert report.lost == [f"offsets 50 to 69 of {PEOPLE}/0 were lost before they were exported"]
    assert report.missing == []
    assert [offset for offset, *_ in gateway.received.of(PEOPLE)] == [*range(50), *range(70, 100)]


def test_a_topic_that_was_made_anew_is_noticed(gateway: Gateway) -> None:
    grow(gateway.source, 50)
    gateway.export()
    gateway.source.events.clear()
    grow(gateway.source, 20)
    with pytest.raises(GatewayError, match="made anew"):
        gateway.export()
    gateway.export(accept_loss=True)
    gateway.deliver(*gateway.files())
    assert gateway.run().missing == []
    assert len(gateway.received.of(PEOPLE)) == 70
    gateway.deliver(*(name for name in gateway.files() if name.startswith("renkou-000000001")))
    assert gateway.run().events == 0


TEXT = st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=10).map(str.encode))


@settings(max_examples=200, deadline=None)
@given(
    key=TEXT,
    value=TEXT,
    headers=st.one_of(st.none(), st.lists(st.tuples(st.text(max_size=5), TEXT), min_size=1, max_size=3)),
    offset=st.integers(0, 2**63 - 1),
)
def test_a_line_says_everything_of_an_event(
    key: bytes | None, value: bytes | None, headers: Any, offset: int
) -> None:
    event = RawEvent(Place("cdc.a.b.c", 3, offset), key, value, headers, 1_700_000_000_000)
    line = write_line(event)
    assert line.count(b"\n") == 1
    assert read_line(line) == event


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b'{"topic":1}', b'{"topic":"t","partition":0,"offset":0,"headers":["a"]}',
     b'{"topic":"t","partition":0,"offset":0,"base64":{"key":"?","payload":null,"headers":[]}}'],
)  # fmt: skip
def test_what_is_no_line_is_said(line: bytes) -> None:
    with pytest.raises(DecodeError, match="kcat -J"):
        read_line(line)


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[KafkaProducer, str]]:
    """A mock cluster, which lives as long as the producer that started it."""
    producer = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    metadata = producer.list_topics(timeout=10)
    broker = next(iter(metadata.brokers.values()))
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush(1)


def test_the_commands_over_kafkas_protocol(
    tmp_path: Path, cluster: tuple[KafkaProducer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer, address = cluster
    monkeypatch.setenv("RENKOU_BROKER", address)
    monkeypatch.setenv("RENKOU_DATA", str(tmp_path / "data"))
    sent = 300
    for number in range(sent):
        producer.produce("cdc.a.b.c", str(number).encode(), b"k", headers=[("h", b"1")])
    assert producer.flush(20) == 0

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(build(), list(arguments))
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    out = tmp_path / "out"
    exported = run("export", str(out), "--topic", "cdc.a.b.c", "--part-events", "100")
    assert exported["events"] == sent
    assert run("export", str(out), "--topic", "cdc.a.b.c")["bundle"] == 0
    manifest = json.loads((out / "renkou-000000001.manifest.json").read_text())
    assert sum(part["count"] for part in manifest["parts"]) == sent
    held = out / manifest["parts"][0]["file"]
    held.rename(tmp_path / "held")
    missing = run("import", str(out), code=1)
    assert held.name in missing["missing"][0]
    (tmp_path / "held").rename(held)
    report = run("import", str(out))
    assert missing["events"] + report["events"] == sent
    # The mock has both sides' topic in one: behind the originals are the carried ones.
    with Broker(address) as broker:
        found = [
            carried(event)
            for of in broker.partitions(["cdc.a.b.c"])
            for event in broker.read(of, *broker.ends(of))
        ]
    places = [(event.place, event.value) for event in found]
    assert len(places) == 2 * sent
    assert len(set(places)) == sent
    with pytest.raises(GatewayError, match="there is no topic"), Broker(address) as broker:
        broker.partitions(["cdc.none"])
