"""What the normalizer asks Kafka for its frontiers: where topics end, and how far the group's other processes are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from connectors.feeds import Catalog
from monitoring.frontier import Asked, FrontierTracker
from streams import topics
from streams.normalize import NormalizeAgent
from streams.schemas import captured_departments

log = structlog.get_logger()

OFFSETS_TIMEOUT: Final = 5.0
PARTITIONS_SECONDS: Final = 60.0
LIVELY: Final = 1_000_000
"""Microseconds after a department's last change in which notes go on: the next one is likely on its way."""
OTHERS: Final = 300_000
"""Microseconds that a note waits until the group's other processes are asked how far they are, and between two such
questions: what one process reads alone it has passed with its next batch."""
MILLI: Final = 1000


def now() -> int:
    """Return the moment, microseconds of a steady clock."""
    return time.monotonic_ns() // 1000


class Frontiers:
    """Reads the offsets that the frontier tracker needs and yields the marks that are to be written.

    Whoever handles chunks and the timer call it from threads of their own.
    """

    def __init__(self, bootstrap: str, catalog: Catalog, agent: NormalizeAgent) -> None:
        self._agent = agent
        self._tracker = FrontierTracker()
        self._lock = threading.Lock()
        """Of the tracker and the positions: never held while Kafka is asked."""
        self._asking = threading.Lock()
        """Of the clients; notes are made in the order in which ends were asked for."""
        self._passed: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        """What the whole group has passed, as it was when this was last asked: it only grows."""
        self._departments = {feed.topic: feed.department for feed in catalog.feeds}
        # What is only delivered has been delivered when its own heartbeat says so.
        self._captured = frozenset(captured_departments(catalog))
        self._changed: dict[str, int] = {}
        """When the last changes of each captured department had been read."""
        self._others_asked = 0
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

    def begin(self, chunks: Sequence[Sequence[Any]], read: int) -> None:
        """These chunks had been read at the moment ``read`` and are handled from now on."""
        with self._lock:
            for chunk in chunks:
                department = self._departments.get(chunk[0].topic)
                if department in self._captured:
                    self._changed[department] = read

    def on_sent(self, chunks: Sequence[Sequence[Any]], read: int, newest: Sequence[int]) -> None:
        """What these chunks lead to is on its way: send the marks of the frontiers that are reached with it.

        ``newest`` is each chunk's newest commit time, 0 for one without a streamed change.
        """
        with self._lock:
            for chunk, source_time in zip(chunks, newest, strict=True):
                last = chunk[-1]
                tp, end = (last.topic, last.partition), last.offset + 1
                self._passed[tp] = end
                department = self._departments.get(last.topic)
                if department is not None and source_time:
                    first_sent, last_sent = chunk[0].timestamp * MILLI, last.timestamp * MILLI
                    self._tracker.on_changes(department, {tp: end}, source_time, first_sent, last_sent, read)
            self._send()

    def on_heartbeats(self, heard: Mapping[str, tuple[int, int]]) -> None:
        """Heartbeats were read: note where their departments' topics end now, and write the marks that this yields.

        ``heard`` maps departments to the heartbeat's time and when it was sent, both microseconds since 1970. What is
        passed already needs no look at others' positions, so that a mark leaves as soon as its heartbeat is here.
        """
        with self._asking:
            asked = self._ends(heard)
            with self._lock:
                for department, ends in asked.items():
                    self._tracker.on_heartbeat(department, *heard[department], ends)
        self._write()

    def is_wanted(self) -> bool:
        """Whether `advance` has something to do."""
        with self._lock:
            return self._tracker.waiting() is not None or bool(self._moving())

    def _moving(self) -> list[str]:
        since = now() - LIVELY
        return [department for department, moment in self._changed.items() if moment > since]

    def advance(self) -> None:
        """Note where topics end that change, and write a mark for each frontier that has moved, given others' positions
        as well.
        """
        with self._lock:
            moving = self._moving()
        with self._asking:
            asked = self._ends(moving)
            clock = time.time_ns() // 1000
            with self._lock:
                for department, ends in asked.items():
                    self._tracker.on_ends(department, clock, ends)
        self._write()
        with self._lock:
            waiting = self._tracker.waiting()
        if waiting is not None and now() - max(waiting, self._others_asked) > OTHERS:
            with self._asking:
                self._ask_positions()
            self._write()

    def _write(self) -> None:
        with self._lock:
            sent = self._send()
        if sent:
            self._agent.flush()

    def _send(self) -> bool:
        """Send the marks that are reached, in the lock: a department's leave in their order. Return whether any are."""
        positions = {**self._committed, **self._passed}
        for tp in self._committed.keys() & self._passed.keys():
            positions[tp] = max(self._committed[tp], self._passed[tp])
        moved = self._tracker.advance(positions)
        self._agent.send_frontiers(moved)
        return bool(moved)

    def _ends(self, departments: Iterable[str]) -> dict[str, Asked]:
        """Return by department where each partition ends now; nothing, and a warning, when Kafka does not say."""
        asked = now()
        found: dict[str, dict[tuple[str, int], int]] = {department: {} for department in departments}
        try:
            self._find_partitions()
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
            return {}
        known = now()
        return {department: Asked(ends, asked, known) for department, ends in found.items()}

    def _ask_positions(self) -> None:
        """Know the next offset of each partition as the group's processes have committed it."""
        self._others_asked = now()
        wanted = [TopicPartition(*tp) for own in self._partitions.values() for tp in own]
        try:
            committed = self._offsets.committed(wanted, timeout=OFFSETS_TIMEOUT)
        except KafkaException as error:
            log.warning("no committed offsets, the frontier waits", error=error.args[0].name())
            return
        with self._lock:
            for item in committed:
                tp = (item.topic, item.partition)
                self._committed[tp] = max(self._committed.get(tp, 0), item.offset)

    def _find_partitions(self) -> None:
        """Know the partitions of every department's topics. Raises KafkaException.

        All topics are there before the stage begins. Kafka's whole metadata is the dearest of its answers, and one that
        gets more partitions is rare: it is asked for again after `PARTITIONS_SECONDS`.
        """
        if time.monotonic() < self._known_until:
            return
        metadata = self._offsets.list_topics(timeout=OFFSETS_TIMEOUT).topics
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in self._departments.values()}
        for topic, department in self._departments.items():
            if topic in metadata:
                found[department] += [(topic, partition) for partition in metadata[topic].partitions]
        self._partitions = found
        self._known_until = time.monotonic() + PARTITIONS_SECONDS
