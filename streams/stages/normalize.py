"""The normalize process: captured topics in, ``renkou.records`` and frontier marks out."""

from __future__ import annotations

import asyncio
import threading
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
from streams.schemas import TopicSchemas, department_names, input_topics
from streams.settings import Settings

log = structlog.get_logger()

FRONTIER_SECONDS: Final = 0.25
"""Between two looks whether offsets are passed that were not yet when their heartbeat was read."""
OFFSETS_TIMEOUT: Final = 5.0


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
            heard: dict[str, int] = {}
            for chunk in chunks:
                department = departments.get(chunk[0].topic)
                time = heartbeat_time(decoder, chunk) if department is not None else None
                if department is not None and time is not None:
                    heard[department] = time
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
        self._topics: dict[str, list[str]] = {
            department: [feed.topic for feed in catalog.feeds if feed.department == department]
            for department in department_names(catalog)
        }
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        # It never subscribes: the group's id only names whose committed offsets are read.
        self._offsets = KafkaConsumer({"bootstrap.servers": bootstrap, "group.id": topics.NORMALIZE_GROUP})

    def on_chunks(self, chunks: Sequence[Sequence[Any]], newest: dict[str, int]) -> None:
        """The chunks are durable in the log; ``newest`` is each department's newest commit time in them."""
        with self._lock:
            for last in (chunk[-1] for chunk in chunks):
                self._passed[last.topic, last.partition] = last.offset + 1
            for department, source_time in newest.items():
                self._tracker.on_change(department, source_time)

    def on_heartbeats(self, heard: Mapping[str, int]) -> None:
        """Heartbeats were read: note where their departments' topics end now, and write the marks that this yields.

        ``heard`` maps departments to times. What is passed already needs no look at others' positions, so that a
        mark leaves as soon as its heartbeat is here.
        """
        with self._lock:
            try:
                ends = self._ends(self._partitions(t for name in heard for t in self._topics[name]))
            except (KafkaException, TimeoutError) as error:
                reason = error.args[0].name() if isinstance(error, KafkaException) else "_TIMED_OUT"
                log.warning("no end offsets, the frontier waits for the next heartbeat", error=reason)
                return
            for department, time in heard.items():
                own = set(self._topics[department])
                self._tracker.on_heartbeat(
                    department, time, {tp: end for tp, end in ends.items() if tp[0] in own}
                )
            self._write(self._passed)

    def advance(self) -> None:
        """Write a mark for each frontier that has moved, given others' positions as well."""
        with self._lock:
            if self._tracker.waiting():
                self._write(self._positions())

    def _write(self, positions: Mapping[tuple[str, int], int]) -> None:
        moved = self._tracker.advance(positions)
        if moved:
            self._agent.write_frontiers(moved)

    def _ends(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(*tp): OffsetSpec.latest() for tp in partitions}
        futures = self._admin.list_offsets(wanted, request_timeout=OFFSETS_TIMEOUT)
        return {
            (tp.topic, tp.partition): future.result(OFFSETS_TIMEOUT).offset for tp, future in futures.items()
        }

    def _positions(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each partition: this process's own, and others' as they committed them."""
        positions = dict(self._passed)
        try:
            wanted = [
                TopicPartition(*tp) for tp in self._partitions(t for ts in self._topics.values() for t in ts)
            ]
            committed = self._offsets.committed(wanted, timeout=OFFSETS_TIMEOUT)
        except KafkaException as error:
            log.warning("no committed offsets, the frontier waits", error=error.args[0].name())
            return positions
        for item in committed:
            tp = (item.topic, item.partition)
            positions[tp] = max(positions.get(tp, 0), item.offset)
        return positions

    def _partitions(self, names: Iterable[str]) -> list[tuple[str, int]]:
        metadata = self._offsets.list_topics(timeout=OFFSETS_TIMEOUT).topics
        return [
            (name, partition) for name in names if name in metadata for partition in metadata[name].partitions
        ]
