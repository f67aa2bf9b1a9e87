"""What normalizing costs, in CPU time on one core: the normalizers of common columns, and the whole stage by feed.

``python -m tests.bench.normalize [--people N] [--feeds FEED …]``: the stage has a simulated province's snapshot
and changes. ``stage`` is everything that the process does with a chunk, from the consumer's records to the producer's
acknowledged messages; the broker is librdkafka's own double in this process, whose time is counted as well, so the
figure is an upper bound.
"""

from __future__ import annotations

import argparse
import gc
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any, Final

from aiokafka.structs import ConsumerRecord
from confluent_kafka import Producer as KafkaProducer

from avro.change import Change, RawEvent
from avro.envelope import EnvelopeDecoder
from avro.kcat import read_line
from avro.normalize.address import normalize_address
from avro.normalize.date import normalize_date
from avro.normalize.name import normalize_name
from avro.normalize.name_key import name_key
from avro.normalize.phone import normalize_phone
from avro.normalize.place import place_of
from avro.normalize.resident_id import check_character, normalize_resident_id
from avro.registry import LocalRegistry
from connectors.feeds import Catalog, Feed
from connectors.simulate.events import CHANGES, SNAPSHOT, write
from connectors.simulate.population import Population
from streams.normalize import NormalizeAgent, Normalizer
from streams.producer import Producer
from streams.schemas import TopicSchemas

VALUES: Final = 100_000
MOST_EVENTS: Final = 4000
ROUNDS: Final = 5
_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红"


def _numbers() -> list[str]:
    numbers = []
    for at in range(VALUES):
        body = f"3901{at % 4 + 2:02}{1940 + at % 80}{at % 12 + 1:02}{at % 28 + 1:02}{at % 999:03}"
        numbers.append(body + check_character(body))
    return numbers


def _names() -> list[str]:
    return [
        _SURNAMES[at % 20]
        + _GIVEN[at // 20 % 27]
        + _GIVEN[at // 540 % 27]
        + ("", _GIVEN[at // 14_580 % 27])[at % 2]
        for at in range(VALUES)
    ]


def _addresses() -> list[str]:
    return [f"江岚省云州市青禾区长宁街道石门社区和平路{at}号" for at in range(VALUES)]


def measure(name: str, normalize: Callable[[Any], object], values: Sequence[object]) -> None:
    """Print what a value costs, best of three."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        for value in values:
            normalize(value)
        best = min(best, process_time() - start)
    print(f"{name:14} {best / len(values) * 1e6:6.2f} µs {len(values) / best:12,.0f}/s")


def _events(people: int) -> dict[str, list[RawEvent]]:
    """Return a simulated province's events by topic, tombstones left out."""
    found: dict[str, list[RawEvent]] = {}
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        write(Path(folder), Population(7, people), people)
        for name in (SNAPSHOT, CHANGES):
            with (Path(folder) / name).open("rb") as file:
                for line in file:
                    event = read_line(line)
                    if event.value is not None:
                        found.setdefault(event.place.topic, []).append(event)
    return found


def _record(event: RawEvent) -> ConsumerRecord[bytes, bytes]:
    place = event.place
    return ConsumerRecord(
        place.topic, place.partition, place.offset, event.timestamp, 0, event.key, event.value, None, 0, 0,
        tuple(event.headers or ()),
    )  # fmt: skip


def _best(work: Callable[[], object], count: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = process_time()
        work()
        best = min(best, process_time() - start)
    return best / count * 1e6


def stages(people: int, feeds: Sequence[str]) -> None:
    """Print what a change of each feed costs in the stage, and in which part."""
    catalog = Catalog.load()
    by_topic = _events(people)
    decoder = EnvelopeDecoder(None)
    normalizer = Normalizer(catalog, decoder)
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    brokers = double.list_topics(timeout=30).brokers.values()
    producer = Producer(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    agent = NormalizeAgent(normalizer, TopicSchemas(LocalRegistry(), catalog), producer)
    gc.freeze()
    print(f"{'feed':28}{'events':>7}{'columns':>8}{'decode':>8}{'encode':>8}{'stage':>8} µs{'a second':>10}")
    for name in feeds or [feed.id for feed in catalog.feeds]:
        feed = catalog.by_id(name)
        events = by_topic.get(feed.topic, [])[:MOST_EVENTS]
        if not events:
            continue
        count = len(events)
        chunks = [[_record(event) for event in events]]
        stage = _best(lambda chunks=chunks: agent.process(chunks), count)  # type: ignore[misc]
        parts = f"{'':16}"
        if feed.is_captured:
            decode = [decoder.decode(event, 1, feed.kind, feed.shape) for event in events]
            changes = [change for change in decode if isinstance(change, Change)]
            parts = f"{_best(lambda: _decode(decoder, feed, events), count):8.1f}"  # noqa: B023
            parts += f"{_best(lambda: _encode(feed, changes), count):8.1f}"  # noqa: B023
        print(f"{feed.id:28}{count:7}{len(feed.columns):8}{parts}{stage:8.1f}   {1e6 / stage:10,.0f}")


def _decode(decoder: EnvelopeDecoder, feed: Feed, events: Sequence[RawEvent]) -> None:
    for event in events:
        decoder.decode(event, 1, feed.kind, feed.shape)


def _encode(feed: Feed, changes: Sequence[Change]) -> None:
    for change in changes:
        feed.encode(change)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--feeds", nargs="*", default=())
    options = parser.parse_args()
    print(platform.processor() or platform.machine(), platform.python_version())
    numbers, names, addresses = _numbers(), _names(), _addresses()
    measure("resident_id", normalize_resident_id, numbers)
    measure("  15 digits", normalize_resident_id, [number[:6] + number[8:17] for number in numbers])
    measure("  damaged", normalize_resident_id, [f" {number.lower()}\t" for number in numbers])
    measure("name", normalize_name, names)
    measure("name_key", name_key, names)
    measure("date", normalize_date, [number[6:14] for number in numbers])
    measure("phone", normalize_phone, [f"138{number[9:17]}" for number in numbers])
    measure("address", normalize_address, addresses)
    measure("place", place_of, addresses)
    stages(options.people, options.feeds)


if __name__ == "__main__":
    main()
