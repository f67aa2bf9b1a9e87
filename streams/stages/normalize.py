"""The normalize process: captured topics in, ``renkou.records`` and frontier marks out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import faust
import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from avro.envelope import EnvelopeDecoder
from avro.registry import ConfluentRegistry
from connectors.feeds import Catalog
from monitoring import metrics
from monitoring.frontier import FrontierTracker
from monitoring.http import Health, HttpServer, application
from streams import app as faust_app
from streams import topics
from streams.app import STAGE_PAUSE, Gathering
from streams.normalize import NormalizeAgent, Normalizer, heartbeat_time
from streams.process import Process, check_topics
from streams.producer import Producer
from streams.schemas import TopicSchemas, captured_departments, department_names, input_topics
from streams.settings import Settings

log = structlog.get_logger()

FRONTIER_SECONDS: Final = 0.25
"""Between two looks whether offsets are passed that were not yet when their heartbeat was read."""
OFFSETS_TIMEOUT: Final = 5.0
PARTITIONS_SECONDS: Final = 60.0
MILLI: Final = 1000


async def run(settings: Settings, catalog: Catalog) -> int:
    """Run the stage; return the exit code."""
    health = Health()
    http = HttpServer(application("renkou normalize", health), settings.host, settings.port)
    process = Process("normalize", http, health)
    producer = Producer(settings.broker)
    health.checks["broker"] = lambda: "the broker does not take messages" if producer.waiting else ""
    inputs = input_topics(catalog)
    departments = {topics.heartbeat(department): department for department in department_names(catalog)}

    async def start() -> faust.App:
        check_topics(settings.broker, [*inputs, topics.RECORDS, topics.DEAD_LETTERS])
        registry = ConfluentRegistry(settings.registry)
        schemas = await asyncio.to_thread(TopicSchemas, registry, catalog)
        decoder = EnvelopeDecoder(registry)
        normalizer = Normalizer(catalog, decoder)
        agent = NormalizeAgent(normalizer, schemas, producer)
        frontiers = _Frontiers(settings.broker, catalog, agent)
        app = faust_app.build("normalize", topics.NORMALIZE_GROUP, settings, str(settings.data / "faust"))

        async def handle(chunks: Sequence[Sequence[Any]]) -> None:
            captured = [chunk for chunk in chunks if chunk[0].topic not in departments]
            if captured:
                with metrics.BATCH_SECONDS.labels("normalize").time():
                    newest = await asyncio.to_thread(agent.process, captured)
                await asyncio.to_thread(frontiers.on_chunks, captured, newest)
            heard: dict[str, tuple[int, int]] = {}
            for chunk in chunks:
                department = departments.get(chunk[0].topic)
                beat = heartbeat_time(decoder, chunk) if department is not None else None
                if department is not None and beat is not None:
                    heard[department] = beat, chunk[-1].timestamp * MILLI
            if heard:
                await asyncio.to_thread(frontiers.on_heartbeats, heard)

        faust_app.chunks_agent(app, inputs, handle, Gathering(settings.chunk, STAGE_PAUSE))

        @app.timer(interval=FRONTIER_SECONDS)
        async def advance() -> None:
            await asyncio.to_thread(frontiers.advance)

        return app

    return await process.run(start)


class _Frontiers:
    """Reads the offsets that the frontier tracker needs and writes the marks that it yields.

    Whoever handles chunks and the timer call it from threads of their own.
    """

    def __init__(self, bootstrap: str, catalog: Catalog, agent: NormalizeAgent) -> None:
        self._agent = agent
        self._tracker = FrontierTracker()
        self._lock = threading.Lock()
        self._passed: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        """What the whole group has passed, as it was when this was last asked: it only grows."""
        self._departments = {feed.topic: feed.department for feed in catalog.feeds}
        self._captured = frozenset(captured_departments(catalog))
        self._partitions: dict[str, list[tuple[str, int]]] = {}
        self._bootstrap = bootstrap
        self._connect()

    def _connect(self) -> None:
        """Make the clients, who know nothing yet."""
        self._known_until = 0.0
        self._admin = AdminClient({"bootstrap.servers": self._bootstrap})
        # It never subscribes: the group's id only names whose committed offsets are read.
        self._offsets = KafkaConsumer(
            {"bootstrap.servers": self._bootstrap, "group.id": topics.NORMALIZE_GROUP}
        )

    def on_chunks(self, chunks: Sequence[Sequence[Any]], newest: dict[str, int]) -> None:
        """The chunks are durable in the log; ``newest`` is each department's newest commit time in them."""
        own: dict[str, list[Sequence[Any]]] = {department: [] for department in newest}
        for chunk in chunks:
            department = self._departments.get(chunk[0].topic)
            if department in own:
                own[department].append(chunk)
        with self._lock:
            for last in (chunk[-1] for chunk in chunks):
                self._passed[last.topic, last.partition] = last.offset + 1
            for department, source_time in newest.items():
                ends = {(run[-1].topic, run[-1].partition): run[-1].offset + 1 for run in own[department]}
                first = min(run[0].timestamp for run in own[department]) * MILLI
                last_sent = max(run[-1].timestamp for run in own[department]) * MILLI
                self._tracker.on_changes(department, ends, source_time, first, last_sent)

    def on_heartbeats(self, heard: Mapping[str, tuple[int, int]]) -> None:
        """Heartbeats were read: note where their departments' topics end now, and write the marks that this yields.

        ``heard`` maps departments to the heartbeat's time and when it was sent, both microseconds since 1970. What is
        passed already needs no look at others' positions, so that a mark leaves as soon as its heartbeat is here.
        """
        with self._lock:
            ends = self._ends(heard)
            if ends is None:
                return
            for department, (beat, sent) in heard.items():
                self._tracker.on_heartbeat(department, beat, sent, ends[department])
            self._write()

    def advance(self) -> None:
        """Note where topics end that change, and write a mark for each frontier that has moved, given others' positions
        as well.
        """
        with self._lock:
            # What is only delivered has been delivered when its own heartbeat says so.
            moving = self._tracker.moving() & self._captured
            ends = self._ends(moving) if moving else None
            if ends is not None:
                now = time.time_ns() // 1000
                for department in moving:
                    self._tracker.on_ends(department, now, ends[department])
            self._write()
            if self._tracker.waiting():
                self._ask_positions()
                self._write()

    def _write(self) -> None:
        positions = {**self._committed, **self._passed}
        for tp in self._committed.keys() & self._passed.keys():
            positions[tp] = max(self._committed[tp], self._passed[tp])
        moved = self._tracker.advance(positions)
        if moved:
            self._agent.write_frontiers(moved)

    def _ends(self, departments: Iterable[str]) -> dict[str, dict[tuple[str, int], int]] | None:
        """Return by department where each partition ends now; None, and a warning, when Kafka does not say."""
        try:
            self._find_partitions()
            found: dict[str, dict[tuple[str, int], int]] = {department: {} for department in departments}
            wanted = {
                TopicPartition(*tp): OffsetSpec.latest() for name in found for tp in self._partitions[name]
            }
            if wanted:
                futures = self._admin.list_offsets(wanted, request_timeout=OFFSETS_TIMEOUT)
                for tp, future in futures.items():
                    end = future.result(OFFSETS_TIMEOUT).offset
                    found[self._departments[tp.topic]][tp.topic, tp.partition] = end
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0].name() if isinstance(error, KafkaException) else "_TIMED_OUT"
            log.warning("no end offsets, the frontier waits for the next heartbeat", error=reason)
            # After a broker's pause the leaders' epochs that a client has read are fenced, and one that heard of no
            # broker meanwhile may stay without (librdkafka issue 5301).
            self._connect()
            return None
        return found

    def _ask_positions(self) -> None:
        """Know the next offset of each partition as the group's processes have committed it."""
        wanted = [TopicPartition(*tp) for own in self._partitions.values() for tp in own]
        try:
            committed = self._offsets.committed(wanted, timeout=OFFSETS_TIMEOUT)
        except KafkaException as error:
            log.warning("no committed offsets, the frontier waits", error=error.args[0].name())
            return
        for item in committed:
            tp = (item.topic, item.partition)
            self._committed[tp] = max(self._committed.get(tp, 0), item.offset)

    def _find_partitions(self) -> None:
        """Know the partitions of every department's topics. Raises KafkaException.

        All topics are there before the stage begins. Kafka's whole metadata is the dearest of its answers, and one that
        gets more partitions is rare: it is asked for again after `PARTITIONS_SECONDS`.
        """
        now = time.monotonic()
        if now < self._known_until:
            return
        metadata = self._offsets.list_topics(timeout=OFFSETS_TIMEOUT).topics
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in self._departments.values()}
        for topic, department in self._departments.items():
            if topic in metadata:
                found[department] += [(topic, partition) for partition in metadata[topic].partitions]
        self._partitions = found
        self._known_until = now + PARTITIONS_SECONDS
