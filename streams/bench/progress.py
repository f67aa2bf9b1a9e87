"""How far a running hub is, seen from outside: what waits before each stage, what the store has counted."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from avro.registry import ConfluentRegistry
from connectors import tls
from connectors.endpoints import Endpoints
from connectors.feeds import Catalog
from monitoring import metrics, scrape
from streams import topics
from streams.bench.figures import ReportError
from streams.bench.probes import frontier_in
from streams.probe import KafkaProbe
from streams.schemas import captured_departments, department_names

POLL: Final = 0.5
"""Seconds between two looks: a look at Kafka costs some tens of milliseconds of CPU."""
KAFKA: Final = 120.0
QUERY: Final = 120.0
INFINITY: Final = float("inf")
NOT_DATA: Final = frozenset({"frontiers", "source_states"})
"""Tables that are written whether anything changes or not."""


@dataclass(slots=True)
class Moment:
    """The store's counters at a moment: streamed records that became queryable, rows written to all tables."""

    at: float
    records: int
    rows: int


@dataclass(slots=True)
class Stages:
    """Where every stage stands in Kafka. ``waiting`` and ``passed`` are messages, by stage; ``captured`` is what the
    departments' topics hold, ``log`` what ``renkou.records`` holds.
    """

    waiting: dict[str, int] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    captured: int = 0
    log: int = 0


class Progress:
    """Looks at one hub. Not for several threads at once."""

    def __init__(self, endpoints: Endpoints, catalog: Catalog) -> None:
        self._endpoints = endpoints
        self.departments = captured_departments(catalog)
        feeds = {feed.topic for feed in catalog.feeds}
        self._inputs: dict[str, tuple[str, Collection[str]]] = {
            "normalize": (topics.NORMALIZE_GROUP, feeds),
            "link": (topics.LINK_GROUP, {topics.RECORDS}),
            "store": (topics.STORE_GROUP, set(topics.STORED)),
        }
        self._feeds = feeds
        heartbeats = {topics.heartbeat(name): name for name in department_names(catalog)}
        watched = [*feeds, *topics.STORED]
        self._probe = KafkaProbe(endpoints.kafka, heartbeats, watched, ConfluentRegistry(endpoints.registry))

    def close(self) -> None:
        """Leave Kafka."""
        self._probe.close()

    def stages(self) -> Stages:
        """Return where the stages stand. Raises ReportError when Kafka does not answer for long."""
        deadline = time.monotonic() + KAFKA
        while (view := self._probe.look()).error:
            if time.monotonic() > deadline:
                raise ReportError(f"Kafka does not answer ({view.error}); see DIR/logs/kafka.log")
        found = Stages()
        for stage, (group, names) in self._inputs.items():
            positions = view.positions.get(group, {})
            ends = {tp: end for tp, end in view.ends.items() if tp[0] in names}
            found.waiting[stage] = sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())
            found.passed[stage] = sum(min(end, positions.get(tp, 0)) for tp, end in ends.items())
        found.captured = sum(end for (topic, _), end in view.ends.items() if topic in self._feeds)
        found.log = sum(end for (topic, _), end in view.ends.items() if topic == topics.RECORDS)
        return found

    def store(self) -> tuple[scrape.Counts, str]:
        """Return the store's counters, and the text they are from. Raises httpx.HTTPError."""
        text = httpx.get(self._endpoints.metrics["store"], timeout=QUERY, verify=tls.trusted()).text
        counts = scrape.Counts()
        scrape.add(counts, text)
        return counts, text

    def moment(self) -> Moment:
        """Return the store's counters. Raises httpx.HTTPError."""
        counts, _ = self.store()
        rows = sum(count for table, count in counts.rows.items() if table not in NOT_DATA)
        return Moment(time.time(), int(counts.latency.get(INFINITY, 0)), int(rows))

    def count(self, table: str) -> int:
        """Return the live rows of a table. Raises httpx.HTTPError."""
        answer = httpx.post(
            self._endpoints.clickhouse,
            params={"default_format": "TSV"},
            content=f"SELECT count() FROM {table}",  # noqa: S608 - a name of ours
            timeout=QUERY,
            verify=tls.trusted(),
        )
        answer.raise_for_status()
        return int(answer.text)

    def frontier(self) -> float:
        """Return the moment up to which every source is queryable, 0 while one is unknown. Raises httpx.HTTPError."""
        _, text = self.store()
        return min((frontier_in(text, name) or 0.0 for name in self.departments), default=0.0)


class Recorder(threading.Thread):
    """Notes the store's counters again and again until `finish`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(name="renkou-bench-recorder", daemon=True)
        self._progress = progress
        self._done = threading.Event()
        self.moments: list[Moment] = []

    def run(self) -> None:
        """Note until told to end; a scrape that fails is left out."""
        while not self._done.is_set():
            with contextlib.suppress(httpx.HTTPError):  # the store is busy: the next one tells
                self.moments.append(self._progress.moment())
            self._done.wait(POLL)

    def finish(self) -> list[Moment]:
        """End, and return what was noted."""
        self._done.set()
        self.join()
        return self.moments


def wait(what: str, check: Callable[[], bool], seconds: float, pause: float = POLL) -> None:
    """Return when ``check`` is true. Raises ReportError when it is not in time; a stage that is busy may not answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except httpx.HTTPError:
            pass
        time.sleep(pause)
    raise ReportError(f"{what}: not within {seconds:.0f} s; see DIR/logs, or choose a smaller --size")


def between(before: Mapping[float, float], after: Mapping[float, float]) -> dict[str, float]:
    """Return p50, p99 and p99.9 of what two cumulative histograms differ by, seconds; nothing of nothing."""
    grown = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    found: dict[str, float] = {}
    for name, fraction in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        value = metrics.quantile(grown, fraction)
        if value is not None:
            found[name] = value
    return found
