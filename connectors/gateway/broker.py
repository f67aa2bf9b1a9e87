"""The topics of the side that exports: their partitions, what they hold, and the events themselves."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from avro.change import Place, RawEvent
from connectors.errors import GatewayError, TransientError
from connectors.gateway.manifest import Partition

TIMEOUT: Final = 15.0
"""Seconds for an answer about a topic."""
IDLE_SECONDS: Final = 60.0
"""Without any event in the middle of a range, the broker counts as away."""
FETCH: Final = 2000
LOOK_SECONDS: Final = 0.1
"""librdkafka waits for a whole fetch this long, and then gives what it has."""


class Broker:
    """Reads topics by offset; it is in no consumer group and commits nothing. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"renkou-export-{uuid.uuid4().hex}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def partitions(self, topics: Sequence[str]) -> list[Partition]:
        """Return the partitions of the topics. Raises GatewayError for a topic that does not exist."""
        try:
            found = self._consumer.list_topics(timeout=TIMEOUT).topics
        except KafkaException as error:
            raise self._away(error) from error
        missing = [topic for topic in topics if topic not in found]
        if missing:
            raise GatewayError(f"there is no topic {', '.join(missing)}; look at renkou feeds list")
        return [Partition(topic, number) for topic in topics for number in sorted(found[topic].partitions)]

    def ends(self, of: Partition) -> tuple[int, int]:
        """Return the first offset that a partition still has, and the one its next event gets."""
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(of.topic, of.number), timeout=TIMEOUT
            )
        except KafkaException as error:
            raise self._away(error) from error
        return low, high

    def read(self, of: Partition, first: int, end: int) -> Iterator[RawEvent]:
        """Yield the events with offsets from ``first`` to before ``end``; some offsets may have none.

        Raises GatewayError when the broker has not got ``first`` any more, TransientError when it is away.
        """
        self._consumer.assign([TopicPartition(of.topic, of.number, first)])
        idle_since = time.monotonic()
        try:
            while True:
                messages = self._consumer.consume(FETCH, timeout=LOOK_SECONDS)
                if messages:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > IDLE_SECONDS:
                    raise TransientError(
                        f"Kafka at {self._bootstrap} gives no events of {of}; run the export again"
                    )
                for message in messages:
                    error = message.error()
                    if error is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            return
                        raise self._refused(of, error)
                    if message.offset() >= end:
                        return
                    yield RawEvent(
                        Place(of.topic, of.number, message.offset()),
                        message.key(),
                        message.value(),
                        message.headers() or None,
                        message.timestamp()[1],
                    )
                    if message.offset() == end - 1:
                        return
        except KafkaException as error:
            raise self._away(error) from error
        finally:
            self._consumer.unassign()

    def _away(self, error: KafkaException) -> TransientError:
        cause: KafkaError = error.args[0]
        return TransientError(f"Kafka at {self._bootstrap}: {cause.name()}; run the export again")

    def _refused(self, of: Partition, error: KafkaError) -> GatewayError | TransientError:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            return GatewayError(
                f"{of}: the broker no longer has what is to be exported; run the export again, it says what is gone"
            )
        return TransientError(f"Kafka at {self._bootstrap}: {error.name()}; run the export again")
