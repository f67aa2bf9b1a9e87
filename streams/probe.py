"""What Kafka shows of the sources and the stages: heartbeats, ends of topics, positions of groups.

The watch reads the heartbeats itself: a sink that is held up passes none on, and that must not look like a
connector that is silent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from avro.change import Place, RawEvent
from avro.debezium_wire import WireReader
from avro.envelope import EnvelopeDecoder
from avro.errors import AvroError
from avro.registry import Registry
from monitoring.frontier import TopicPartition as Partition
from streams import topics

TIMEOUT: Final = 3.0
LOST: Final = 5
"""Looks that fail in a row until the clients are made anew: one that has heard of no broker while the only one was held
up stays without for ever (librdkafka issue 5301)."""
SHORT: Final = 0.05
BATCH: Final = 500
GROUP: Final = "renkou-watch"
"""Never subscribes and never commits: a consumer wants a name."""
MICROSECONDS: Final = 1000
"""In a millisecond, the broker's unit."""

SNAPSHOT_MARKS: Final = frozenset({"true", "first", "first_in_data_collection", "last_in_data_collection"})
"""Debezium's markers of a row inside a snapshot; behind ``last`` the streaming begins."""


class KafkaView(msgspec.Struct):
    """What a look has shown. ``error`` is Kafka's name of what went wrong, empty when all was answered.

    ``heartbeats`` maps a department to the broker's time and the connector's time of its newest heartbeat, in
    microseconds; ``ends`` a partition to its end, ``positions`` a consumer group to its next offsets.
    """

    heartbeats: dict[str, tuple[int, int]] = {}
    ends: dict[Partition, int] = {}
    positions: dict[str, dict[Partition, int]] = {}
    error: str = ""


class KafkaProbe:
    """Looks again and again; one thread at a time.

    ``heartbeats`` maps a heartbeat topic to its department, ``watched`` names the topics whose ends are wanted.
    """

    def __init__(
        self, bootstrap: str, heartbeats: Mapping[str, str], watched: Sequence[str], registry: Registry
    ) -> None:
        self._heartbeats = heartbeats
        self._watched = tuple(watched)
        self._decoder = EnvelopeDecoder(registry)
        self._wire = WireReader(registry)
        self._settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._next: dict[str, int] = {}
        self._newest: dict[str, tuple[int, int]] = {}
        self._failed = 0
        self._connect()

    def _connect(self) -> None:
        reading = {**self._settings, "group.id": GROUP, "enable.auto.commit": False}
        self._admin = AdminClient(self._settings)
        self._following = Consumer(reading)
        self._leafing = Consumer(reading)
        if self._next:
            self._assign()

    def look(self) -> KafkaView:
        """Return what is to be seen now. Blocks for some seconds at most, raises nothing."""
        view = self._look()
        self._failed = self._failed + 1 if view.error else 0
        if self._failed and not self._failed % LOST:
            self._connect()  # not closed before: another thread may be leafing
        return view

    def _look(self) -> KafkaView:
        try:
            existing = self._admin.list_topics(timeout=TIMEOUT).topics
            self._follow([topic for topic in self._heartbeats if topic in existing])
            self._read()
            # Positions before ends: a lag may then be too large by what came in between, never too small.
            groups = (topics.NORMALIZE_GROUP, topics.LINK_GROUP, topics.STORE_GROUP)
            positions = {group: self._positions(group) for group in groups}
            ends = self._ends(
                [
                    (t, partition)
                    for t in self._watched
                    if t in existing
                    for partition in existing[t].partitions
                ]
            )
        except KafkaException as error:
            return KafkaView(dict(self._newest), error=error.args[0].name())
        except TimeoutError:
            return KafkaView(dict(self._newest), error="_TIMED_OUT")
        return KafkaView(dict(self._newest), ends, positions)

    def snapshot_under_way(self, names: Collection[str], ends: Mapping[Partition, int]) -> bool:
        """Return whether the newest change in these topics is a row of a snapshot. Raises nothing."""
        places = [TopicPartition(*tp, end - 1) for tp, end in ends.items() if tp[0] in names and end]
        newest = (0, False)
        with contextlib.suppress(KafkaException):
            for place in places:
                self._leafing.assign([place])
                message = self._leafing.poll(TIMEOUT)
                if message is not None and message.error() is None and message.value() is not None:
                    newest = max(newest, (message.timestamp()[1], self._is_snapshot(message.value())))
            self._leafing.unassign()
        return newest[1]

    def _is_snapshot(self, value: bytes) -> bool:
        with contextlib.suppress(AvroError):
            envelope = self._wire.envelope(value)
            source = None if envelope is None else envelope.source
            return source is not None and source.snapshot in SNAPSHOT_MARKS
        return False

    def _follow(self, names: Sequence[str]) -> None:
        """Read each heartbeat topic from its last message on."""
        added = [name for name in names if name not in self._next]
        if not added:
            return
        ends = self._ends([(name, 0) for name in added])
        self._next |= {name: max(0, ends[name, 0] - 1) for name in added}
        self._assign()

    def _assign(self) -> None:
        self._following.assign([TopicPartition(name, 0, offset) for name, offset in self._next.items()])

    def _read(self) -> None:
        # The first fetch after an assignment takes its time.
        patience = TIMEOUT if self._next and not self._newest else SHORT
        while (first := self._following.poll(patience)) is not None:
            for message in (first, *self._following.consume(BATCH, 0)):
                if message.error() is None:
                    self._note(message)
            patience = SHORT

    def _note(self, message: Any) -> None:
        self._next[message.topic()] = message.offset() + 1
        place = Place(message.topic(), message.partition(), message.offset())
        arrived = message.timestamp()[1] * MICROSECONDS
        event = RawEvent(place, message.key(), message.value(), message.headers(), message.timestamp()[1])
        with contextlib.suppress(AvroError):  # the normalizer says so as well, in its log
            self._newest[self._heartbeats[place.topic]] = (arrived, self._decoder.heartbeat(event))

    def _positions(self, group: str) -> dict[Partition, int]:
        request = ConsumerGroupTopicPartitions(group)
        future = self._admin.list_consumer_group_offsets([request], request_timeout=TIMEOUT)[group]
        found = future.result(TIMEOUT).topic_partitions
        return {(item.topic, item.partition): item.offset for item in found if item.offset >= 0}

    def _ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(*tp): OffsetSpec.latest() for tp in partitions}
        futures = self._admin.list_offsets(wanted, request_timeout=TIMEOUT)
        return {(tp.topic, tp.partition): future.result(TIMEOUT).offset for tp, future in futures.items()}

    def close(self) -> None:
        """Leave Kafka."""
        self._following.close()
        self._leafing.close()
