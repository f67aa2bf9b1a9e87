"""What metrics cost: normalize, link and store with their metrics and with none, side by side in one process.

Small pieces of work are done in pairs, with and without, in turn, so that what else the machine does falls on both
sides; the median of many pairs is told with its standard error. The stages do all that they do in the hub: from the
consumer's messages to acknowledged ones (librdkafka's own double as the broker), from the log to the linker's durable
state, from datums to rows in an embedded ClickHouse. CPU time of all threads. The last line is the whole way of a
change through the three, and what a scrape costs. ``python -m tests.bench.metrics_cost [ROUNDS]``.
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
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiokafka.structs import ConsumerRecord
from confluent_kafka import Producer as KafkaProducer
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from avro.envelope import EnvelopeDecoder
from avro.kcat import read_line
from avro.registry import LocalRegistry
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from connectors.simulate.events import SNAPSHOT, write
from connectors.simulate.population import Population
from linkage.durable import DurableLinker
from monitoring import metrics
from monitoring.latencies import Latencies
from streams.link import LinkAgent
from streams.normalize import NormalizeAgent, Normalizer, Recorded, events_of
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
SCRAPES = 20
SCRAPE_SECONDS = 5.0
"""What docker/prometheus asks for."""


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


@dataclass
class Cost:
    """Of a stage: CPU seconds a change without metrics, and the share that is spent inside the metrics' calls."""

    bare: float
    inside: float


def compare(name: str, pieces: list[Callable[[], object]], rounds: int, count: int) -> Cost:
    """Print the cost with and without, and return it.

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
    return Cost(bare_seconds / rounds / count, inside)


def simulated() -> list[Any]:
    """Return the events of a simulated snapshot of all feeds, as the consumer gives them."""
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        write(Path(folder), Population(7, PEOPLE), PEOPLE)
        with (Path(folder) / SNAPSHOT).open("rb") as file:
            events = list(islice(map(read_line, file), EVENTS))
    return [
        ConsumerRecord(
            e.place.topic, 0, e.place.offset, e.timestamp, 0, e.key, e.value, None, 0, 0, tuple(e.headers or ())
        )
        for e in events
    ]  # fmt: skip


def broker() -> Producer:
    """Return a producer for librdkafka's own double, which lives as long as this process."""
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    _doubles.append(double)
    brokers = double.list_topics(timeout=30).brokers.values()
    return Producer(",".join(f"{one.host}:{one.port}" for one in brokers))


_doubles: list[KafkaProducer] = []


def normalizing(catalog: Catalog, messages: list[Any]) -> list[Callable[[], object]]:
    """Return the normalize stage's work."""
    # As the transport hands them over: a batch has chunks, each with one partition's messages.
    batches = []
    for at in range(0, len(messages), CHUNK):
        by_topic: dict[str, list[Any]] = {}
        for message in messages[at : at + CHUNK]:
            by_topic.setdefault(message.topic, []).append(message)
        batches.append(list(by_topic.values()))
    agent = NormalizeAgent(
        Normalizer(catalog, EnvelopeDecoder(None)), TopicSchemas(LocalRegistry(), catalog), broker()
    )

    def work(batch: list[list[Any]]) -> None:
        with metrics.BATCH_SECONDS.labels("normalize").time():
            agent.process(batch)

    return [partial(work, batch) for batch in batches]


def linking(catalog: Catalog, messages: list[Any], linker: DurableLinker) -> list[Callable[[], object]]:
    """Return the link stage's work on what the normalizer makes of the messages.

    From the second time on the entries bring nothing new: the cheapest that there are, so that the share is too large
    rather than too small.
    """
    normalizer, schemas = Normalizer(catalog, EnvelopeDecoder(None)), TopicSchemas(LocalRegistry(), catalog)
    values = [
        schemas.frame_record(outcome.record.feed, outcome.datum)
        for event in events_of(messages)
        for outcome in normalizer.process(event)
        if isinstance(outcome, Recorded)
    ]
    agent = LinkAgent(linker, schemas, broker())

    def work(batch: list[bytes]) -> None:
        first = linker.offset
        chunk = [SimpleNamespace(value=value, offset=first + place) for place, value in enumerate(batch)]
        with metrics.BATCH_SECONDS.labels("link").time():
            agent.process([chunk])

    return [partial(work, values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)]


def main(rounds: int) -> None:
    """Measure and print; exit with 1 when the share is over what is asked."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    gc.freeze()
    gc.disable()  # a collection would fall on one side of a pair
    catalog, messages = Catalog.load(None), simulated()
    costs = [compare("normalize", normalizing(catalog, messages), rounds, len(messages))]
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as state:
        linker = DurableLinker(Path(state), epoch=1, authority=catalog.authority())
        linker.open()
        costs.append(compare("link", linking(catalog, messages, linker), rounds, len(messages)))
        linker.close()
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
        costs.append(compare("store", [partial(agent.write, batch) for batch in batches], rounds, RECORDS))
    finally:
        store.close()
        shutil.rmtree(folder)
    whole = sum(cost.bare for cost in costs)
    inside = sum(cost.bare * cost.inside for cost in costs) / whole
    scrape = took(lambda: [generate_latest(REGISTRY) for _ in range(SCRAPES)]) / SCRAPES
    share = scrape / SCRAPE_SECONDS
    print(
        f"the whole way: {whole * 1e6:.1f} µs a change, {inside:.2%} of it inside the metrics' calls; {ASKED:.0%} is "
        f"asked; a scrape takes {scrape * 1e3:.1f} ms, every {SCRAPE_SECONDS:.0f} s {share:.3%} of a core"
    )
    sys.exit(inside + share > ASKED)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
