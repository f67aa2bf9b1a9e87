"""What metrics cost a stage: normalize and store with their metrics and with none, side by side in one process.

Small pieces of work are done in pairs, with and without, in turn, so that what else the machine does falls on both
sides; the median of many pairs is told with its standard error. The stages do all that they do in the hub: from the
consumer's messages to acknowledged ones (librdkafka's own double as the broker), from datums to rows in an embedded
ClickHouse. CPU time of all threads. ``python -m tests.bench.metrics_cost [ROUNDS]``.
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
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
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

ROUNDS = 20
PEOPLE = 400
CHUNK = 250
"""Changes in a piece: a batch of light load, on which what is paid once a batch weighs most."""
EVENTS = 3000
RECORDS = 2000
ASKED = 0.02


class Nothing:
    """Takes every call of a metric and does nothing."""

    def __call__(self, *_: object, **__: object) -> Nothing:
        return self

    def __getattr__(self, _: str) -> Nothing:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Timed:
    """Passes every call of a metric on and adds up the CPU time that calls take, its own included."""

    spent = 0.0

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._metric, name))

    @staticmethod
    def _call(method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        began = time.thread_time()
        found = method(*arguments, **named)
        Timed.spent += time.thread_time() - began
        return None if found is None else Timed(found)

    def __enter__(self) -> None:
        self._call(self._metric.__enter__)

    def __exit__(self, *error: object) -> None:
        self._call(self._metric.__exit__, *error)


@contextmanager
def replaced(by: Callable[[Any], object]) -> Iterator[None]:
    """Replace every metric of the hub while the block runs."""
    kinds = (Counter, Gauge, Histogram, Latencies)
    with ExitStack() as stack:
        for name, value in vars(metrics).items():
            if isinstance(value, kinds):
                stack.enter_context(patch.object(metrics, name, by(value)))
        yield


def processor() -> float:
    """Return the CPU seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def took(work: Callable[[], object]) -> float:
    """Return the CPU seconds that ``work`` takes."""
    before = processor()
    work()
    return processor() - before


def compare(name: str, pieces: list[Callable[[], object]], rounds: int, count: int) -> bool:
    """Print the cost with and without; return whether more than is asked was spent in the metrics' calls.

    The pairs say what throughput loses, as exactly as the machine is quiet; the time inside the calls, which the clock
    around each of them makes larger than it is, says it exactly on a busy one too. ``count`` is the changes of all
    pieces together.
    """
    for work in pieces:
        work()
    shares: list[float] = []
    bare_seconds = 0.0
    for number in range(rounds):
        for work in pieces:
            pair: dict[bool, float] = {}
            for bare in (True, False) if number % 2 else (False, True):
                with replaced(lambda _: Nothing()) if bare else nullcontext():
                    pair[bare] = took(work)
            shares.append(pair[False] / pair[True] - 1)
            bare_seconds += pair[True]
    least, share, greatest = statistics.quantiles(shares, n=4)
    # The standard error of a median of values that scatter like a normal distribution with these quartiles.
    error = 1.25 * (greatest - least) / 1.35 / len(shares) ** 0.5
    Timed.spent, whole = 0.0, 0.0
    with replaced(Timed):
        for work in pieces * max(1, rounds // 4):
            whole += took(work)
    inside = Timed.spent / whole
    print(
        f"{name}: {bare_seconds / rounds / count * 1e6:.1f} µs a change without metrics; with them {share:+.2%} "
        f"± {error:.2%} ({len(shares)} pairs, quartiles {least:+.2%} to {greatest:+.2%}); inside the metrics' calls "
        f"{inside:.2%}; {ASKED:.0%} is asked"
    )
    return inside > ASKED


def normalizing(catalog: Catalog) -> tuple[list[Callable[[], object]], int]:
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
    # As the transport hands them over: a batch has chunks, each with one partition's messages.
    batches = []
    for at in range(0, len(messages), CHUNK):
        by_topic: dict[str, list[Any]] = {}
        for message in messages[at : at + CHUNK]:
            by_topic.setdefault(message.topic, []).append(message)
        batches.append(list(by_topic.values()))
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    brokers = double.list_topics(timeout=30).brokers.values()
    producer = Producer(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    agent = NormalizeAgent(
        Normalizer(catalog, EnvelopeDecoder(None)), TopicSchemas(LocalRegistry(), catalog), producer
    )

    def work(batch: list[list[Any]]) -> None:
        assert double is not None  # the broker lives as long as it
        with metrics.BATCH_SECONDS.labels("normalize").time():
            agent.process(batch)

    return [partial(work, batch) for batch in batches], len(messages)


def main(rounds: int) -> None:
    """Measure and print; exit with 1 when a stage's share is over what is asked."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    gc.freeze()
    gc.disable()  # a collection would fall on one side of a pair
    pieces, count = normalizing(Catalog.load(None))
    over = [compare("normalize", pieces, rounds, count)]
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

        batches = [
            [part[at : at + CHUNK] for part in (records, identities, persons)]
            for at in range(0, RECORDS, CHUNK)
        ]
        over.append(compare("store", [partial(agent.write, batch) for batch in batches], rounds, RECORDS))
    finally:
        store.close()
        shutil.rmtree(folder)
    sys.exit(any(over))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
