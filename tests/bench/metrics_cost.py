"""What metrics cost a stage: normalize and store with their metrics and with none, side by side in one process.

Rounds alternate and the pairs are compared, so that what else the machine does falls on both sides. The stages do all
that they do in the hub: from the consumer's messages to acknowledged ones (librdkafka's own double as the broker), from
datums to rows in an embedded ClickHouse. CPU time of all threads. ``python -m tests.bench.metrics_cost [ROUNDS]``.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiokafka.structs import ConsumerRecord
from confluent_kafka import Producer as KafkaProducer
from prometheus_client import Counter, Gauge, Histogram

from avro.envelope import EnvelopeDecoder
from avro.kcat import read_line
from avro.registry import LocalRegistry
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from connectors.simulate.events import SNAPSHOT, write
from connectors.simulate.population import Population
from monitoring import metrics
from monitoring.latencies import Latencies
from streams.normalize import NormalizeAgent, Normalizer
from streams.producer import Producer
from streams.schemas import TopicSchemas
from streams.sink import SinkAgent, SourceBoard, feed_tables
from tests.bench.sink import Invented

ROUNDS = 12
PEOPLE = 400
CHUNK = 1000
EVENTS = 3000
RECORDS = 3000
ASKED = 0.02


class Nothing:
    """Takes every call of a metric and does nothing."""

    def __call__(self, *_: object, **__: object) -> Nothing:
        return self

    def __getattr__(self, _: str) -> Nothing:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@contextmanager
def without_metrics() -> Iterator[None]:
    """Replace every metric of the hub while the block runs."""
    kinds = (Counter, Gauge, Histogram, Latencies)
    with ExitStack() as stack:
        for name, value in vars(metrics).items():
            if isinstance(value, kinds):
                stack.enter_context(patch.object(metrics, name, Nothing()))
        yield


def processor() -> float:
    """Return the CPU seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def took(work: Callable[[], object]) -> float:
    """Return the CPU seconds that ``work`` takes."""
    gc.collect()
    before = processor()
    work()
    return processor() - before


def compare(name: str, work: Callable[[], object], rounds: int, count: int) -> float:
    """Print the cost with and without, and return the median share of the pairs."""
    work()
    shares, costs = [], []
    for number in range(rounds):
        pair: dict[bool, float] = {}
        for bare in (True, False) if number % 2 else (False, True):
            if bare:
                with without_metrics():
                    pair[bare] = took(work)
            else:
                pair[bare] = took(work)
        shares.append(pair[False] / pair[True] - 1)
        costs.append((pair[False] / count * 1e6, pair[True] / count * 1e6))
    least, _, greatest = statistics.quantiles(shares, n=4)
    with_, bare_ = (statistics.median(column) for column in zip(*costs, strict=True))
    share = statistics.median(shares)
    print(
        f"{name}: {with_:.1f} µs a change with metrics, {bare_:.1f} without; they take {share:+.2%} "
        f"(quartiles {least:+.2%} to {greatest:+.2%}, {rounds} pairs), {ASKED:.0%} is asked"
    )
    return share


def normalizing(catalog: Catalog) -> tuple[Callable[[], object], int]:
    """Return the normalize stage's work on a simulated snapshot of all feeds, and its changes."""
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        write(Path(folder), Population(7, PEOPLE), PEOPLE)
        with (Path(folder) / SNAPSHOT).open("rb") as file:
            events = list(islice(map(read_line, file), EVENTS))
    messages = [
        ConsumerRecord(
            e.place.topic, 0, e.place.offset, e.timestamp, 0, e.key, e.value, None, 0, 0, tuple(e.headers or ())
        )
        for e in events
    ]  # fmt: skip
    # As the transport hands them over: a chunk has one partition's messages.
    by_topic: dict[str, list[Any]] = {}
    for message in messages:
        by_topic.setdefault(message.topic, []).append(message)
    chunks = [part[at : at + CHUNK] for part in by_topic.values() for at in range(0, len(part), CHUNK)]
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    brokers = double.list_topics(timeout=30).brokers.values()
    producer = Producer(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    agent = NormalizeAgent(
        Normalizer(catalog, EnvelopeDecoder(None)), TopicSchemas(LocalRegistry(), catalog), producer
    )

    def work() -> None:
        assert double is not None  # the broker lives as long as it
        with metrics.BATCH_SECONDS.labels("normalize").time():
            agent.process(chunks)

    return work, len(messages)


def main(rounds: int) -> None:
    """Measure and print; exit with 1 when a stage's share is over what is asked."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    work, count = normalizing(Catalog.load(None))
    shares = [compare("normalize", work, rounds, count)]
    invented = Invented()
    records, identities, persons = (
        [make(number) for number in range(RECORDS)]
        for make in (invented.record, invented.identity, invented.person)
    )
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    store = open_store(folder / "store", "", feed_tables(invented.catalog))
    try:
        agent = SinkAgent(
            store.writer, invented.schemas, EnvelopeDecoder(invented.registry), {}, SourceBoard()
        )

        def sink() -> None:
            # Batches of live load: the smaller a batch, the more its metrics weigh.
            for at in range(0, RECORDS, CHUNK):
                agent.write([records[at : at + CHUNK], identities[at : at + CHUNK], persons[at : at + CHUNK]])

        shares.append(compare("store", sink, rounds, RECORDS))
    finally:
        store.close()
        shutil.rmtree(folder)
    sys.exit(any(share > ASKED for share in shares))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
