"""What normalizing costs, in CPU time on one core: the normalizers of common columns, and the whole stage by feed.

``python -m tests.bench.normalize [--people N] [--feeds FEED …]``: the stage has the snapshots and changes of simulated
provinces, one of other people for each round, so that what is remembered of earlier rows is of use as often as it is in
a register, and no more. ``quick`` is from a message's bytes to the datum; ``stage`` is everything that the process does
with a chunk, from the consumer's records to the producer's acknowledged messages; the broker is librdkafka's own double
in this process, whose time is counted as well. `tests.bench.normalize_process` measures the process with a real Kafka.
"""

from __future__ import annotations

import argparse
import gc
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any, Final, TypeAlias

from aiokafka.structs import ConsumerRecord
from confluent_kafka import Producer as KafkaProducer

from avro.change import RawEvent
from avro.envelope import EnvelopeDecoder
from avro.kcat import read_line
from avro.normalize.address import normalize_address
from avro.normalize.date import normalize_date
from avro.normalize.name import normalize_name
from avro.normalize.name_key import name_key
from avro.normalize.phone import normalize_phone
from avro.normalize.place import county_of, place_of
from avro.normalize.resident_id import check_character, normalize_resident_id
from avro.registry import LocalRegistry
from connectors.feeds import Catalog
from connectors.simulate.events import CHANGES, SNAPSHOT, write
from connectors.simulate.population import Population
from streams.normalize import NormalizeAgent, Normalizer
from streams.producer import Producer
from streams.schemas import TopicSchemas

VALUES: Final = 100_000
MOST_EVENTS: Final = 4000
ROUNDS: Final = 4
"""The first fills what is remembered, and is not counted."""
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


def _events(people: int) -> dict[str, list[list[RawEvent]]]:
    """Return the events of simulated provinces by topic and round, tombstones left out."""
    found: dict[str, list[list[RawEvent]]] = {}
    for seed in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
            write(Path(folder), Population(seed + 1, people), people)
            for name in (SNAPSHOT, CHANGES):
                with (Path(folder) / name).open("rb") as file:
                    for event in map(read_line, file):
                        rounds = found.setdefault(event.place.topic, [[] for _ in range(ROUNDS)])
                        if event.value is not None and len(rounds[seed]) < MOST_EVENTS:
                            rounds[seed].append(event)
    return found


Message: TypeAlias = ConsumerRecord[bytes, bytes]


def _record(event: RawEvent) -> Message:
    place = event.place
    return ConsumerRecord(
        place.topic, place.partition, place.offset, event.timestamp, 0, event.key, event.value, None, 0, 0,
        tuple(event.headers or ()),
    )  # fmt: skip


def _costs(work: Callable[[Sequence[Message]], object], rounds: Sequence[Sequence[Message]]) -> list[float]:
    """Return what a message of each round but the first costs, µs, the least first."""
    costs = []
    for messages in rounds:
        start = process_time()
        work(messages)
        costs.append((process_time() - start) / len(messages) * 1e6)
    return sorted(costs[1:])


def stages(people: int, feeds: Sequence[str]) -> None:
    """Print what a change of each feed costs in the stage, and of all feeds together."""
    catalog = Catalog.load()
    by_topic = _events(people)
    normalizer = Normalizer(catalog, EnvelopeDecoder(None))
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    brokers = double.list_topics(timeout=30).brokers.values()
    producer = Producer(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    schemas = TopicSchemas(LocalRegistry(), catalog)
    agent = NormalizeAgent(normalizer, schemas, producer)
    gc.freeze()
    print(
        f"{'feed':28}{'changes':>8}{'columns':>8}{'quick':>8}{'stage':>8}{'to':>8} µs{'a second':>10}  county known"
    )
    mixed: list[list[Sequence[Message]]] = [[] for _ in range(ROUNDS)]
    for name in feeds or [feed.id for feed in catalog.feeds]:
        feed = catalog.by_id(name)
        rounds = [[_record(event) for event in events] for events in by_topic.get(feed.topic, [])]
        if not rounds or not all(rounds):
            continue
        for of_round, messages in zip(mixed, rounds, strict=True):
            of_round.append(messages)
        before = county_of.cache_info()
        stage = _costs(lambda messages: agent.process([messages]), rounds)
        after = county_of.cache_info()
        asked = after.hits + after.misses - before.hits - before.misses
        known = f"{(after.hits - before.hits) / asked:.0%}" if asked else ""
        front = schemas.frame_record(feed.id, b"")
        quick = f"{'':8}"
        if feed.is_captured:
            costs = _costs(
                lambda messages: [normalizer.quick(feed, message, front) for message in messages],  # noqa: B023
                rounds,
            )
            quick = f"{costs[0]:8.1f}"
        count = sum(map(len, rounds[1:]))
        costs_of = f"{stage[0]:8.1f}{stage[-1]:8.1f}   {1e6 / stage[0]:10,.0f}"
        print(f"{feed.id:28}{count:8}{len(feed.columns):8}{quick}{costs_of}  {known}")
    if not feeds:
        chunks = [[message for messages in of_round for message in messages] for of_round in mixed]
        costs = []
        for of_round, messages in zip(mixed, chunks, strict=True):
            start = process_time()
            agent.process(of_round)
            costs.append((process_time() - start) / len(messages) * 1e6)
        costs = sorted(costs[1:])
        count = sum(map(len, chunks[1:]))
        print(
            f"{'all, as they come':28}{count:8}{'':16}{costs[0]:8.1f}{costs[-1]:8.1f}   {1e6 / costs[0]:10,.0f}"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000, help="of each round's province")
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
