"""Reading back which person ids were issued, for a linker whose state is built anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final

import fastavro
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from avro.record import MentionPlace
from avro.registry import WIRE_HEADER, Registry, schema_id_of
from avro.schema import Schema, plain, shared_schema
from avro.version import from_bytes, log_version
from linkage.errors import IdsError
from linkage.ids import IdReader, KnownIds
from streams import topics
from streams.errors import BrokerUnavailableError

log = structlog.get_logger()

SECONDS: Final = 30.0
"""How long the broker may take for an answer."""
POLL_SECONDS: Final = 0.5
"""How long a fetch waits until it is full: the last one never is."""
AT_ONCE: Final = 5000


def reader(broker: str, registry: Registry, epoch: int) -> Callable[[], KnownIds | None]:
    """Return a function that reads the ids that were issued; None when none was.

    It raises BrokerUnavailableError, and IdsError when ids were issued in this epoch already.
    """

    def read() -> KnownIds | None:
        consumer = Consumer(
            {"bootstrap.servers": broker, "group.id": "renkou-link-ids", "enable.auto.commit": False}
        )
        try:
            return _read(consumer, registry, epoch)
        except KafkaException as error:
            raise BrokerUnavailableError(
                f"Kafka at {broker}: {error.args[0].name()}; the ids that were issued are read from it: start again"
            ) from error
        finally:
            consumer.close()

    return read


def _read(consumer: Consumer, registry: Registry, epoch: int) -> KnownIds | None:
    ids = IdReader()
    for values in _values(consumer, topics.PERSON_IDS, _Resolver(registry, "PersonId")):
        version = from_bytes(values["version"])
        ids.add_id(values["person_id"], values["merged_into"], values["split_from"], version)
    for values in _values(consumer, topics.IDENTITIES, _Resolver(registry, "Identity")):
        place = MentionPlace(
            values["department"], values["table"], values["key"], values["role"], values["ordinal"]
        )
        ids.add_identity(
            place,
            values["person_id"],
            values["serial"],
            from_bytes(values["version"]),
            is_deleted=values["is_deleted"] == 1,
        )
    known = ids.known(_end(consumer, topics.RECORDS))
    if known is None:
        return None
    if ids.version >= log_version(epoch, 0):
        raise IdsError(
            f"the linker has no state, and ids were issued in epoch {epoch} or a later one; "
            "raise RENKOU_EPOCH, so that what is linked anew counts"
        )
    log.info("taking over the ids that were issued", persons=len(known.anchors), until=known.until)
    return known


class _Resolver:
    """Reads values of one of our schemas, of whichever version they were written with; others are passed over."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry = registry
        self._name = f"renkou.{name}"
        self._reader = fastavro.parse_schema(plain(shared_schema(name)))
        self._writers: dict[int, Schema | None] = {}

    def __call__(self, message: bytes) -> dict[str, Any] | None:
        schema_id = schema_id_of(message)
        if schema_id is None:
            return None
        if schema_id not in self._writers:
            schema = fastavro.parse_schema(plain(self._registry.schema(schema_id)))
            ours = isinstance(schema, dict) and schema["name"] == self._name
            self._writers[schema_id] = schema if ours else None
        writer = self._writers[schema_id]
        if writer is None:
            return None
        values: Any = fastavro.schemaless_reader(BytesIO(message[WIRE_HEADER:]), writer, self._reader)
        return dict(values)


def _end(consumer: Consumer, topic: str) -> int:
    return _bounds(consumer, topic)[1]


def _bounds(consumer: Consumer, topic: str) -> tuple[int, int]:
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):
            return 0, 0  # a hub that has never run
        raise
    return int(low), int(high)


def _values(consumer: Consumer, topic: str, resolve: _Resolver) -> Iterator[dict[str, Any]]:
    """Yield the values of a topic from its beginning to its present end."""
    position, end = _bounds(consumer, topic)
    if position >= end:
        return
    consumer.assign([TopicPartition(topic, 0, position)])
    heard = time.monotonic()
    while position < end:
        found = consumer.consume(AT_ONCE, timeout=POLL_SECONDS)
        for message in found:
            failed = message.error()
            if failed is not None:
                raise KafkaException(failed)
            value = message.value()
            if (message.offset() or 0) < end and value is not None:
                values = resolve(value)
                if values is not None:
                    yield values
        (reached,) = consumer.position([TopicPartition(topic, 0)])
        if found:
            heard = time.monotonic()
        elif reached.offset < end and time.monotonic() - heard > SECONDS:
            raise BrokerUnavailableError(
                f"{topic} gives nothing before its end; is the broker well? Try again"
            )
        position = max(position, reached.offset)
