"""What the stack's Java programs do while their start-up caches are recorded: what every start does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from avro.errors import AvroError
from avro.registry import ConfluentRegistry
from connectors import connect as rest
from connectors.errors import StackError
from connectors.stack import aot, connect, kafka, ports, registry
from connectors.stack.process import ProcessSpec
from connectors.topics import TopicSpec, ensure_topics

PORTS: Final = ("kafka", "kafka-controller", "registry", "registry-management", "connect")

TOPIC: Final = "training"

SCHEMA: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Training",
    "fields": [{"name": "n", "type": "int"}],
}

MESSAGES: Final = 100

TIMEOUT_SECONDS: Final = 60.0
"""A recording program is several times slower than usual."""


def train(progress: Callable[[str], None] = lambda step: None) -> int:
    """Make the start-up caches that are missing; return how many that were. Raises StackError."""
    chosen: dict[str, int] = {}

    def specs(work: Path) -> Sequence[ProcessSpec]:
        chosen.update(ports.allocate(work, PORTS))
        return (
            kafka.spec(work, chosen["kafka"], chosen["kafka-controller"]),
            registry.spec(work, chosen["registry"], chosen["registry-management"]),
            connect.spec(work, chosen["connect"], chosen["kafka"], password=""),
        )

    return aot.train(specs, lambda: _exercise(chosen), progress)


def _exercise(chosen: Mapping[str, int]) -> None:
    """Topics, messages and schemas; Connect's own topics, groups and transactions came with its start."""
    bootstrap = kafka.bootstrap(chosen["kafka"])
    ensure_topics(bootstrap, [TopicSpec(TOPIC, settings={"cleanup.policy": "compact"})])
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "log_level": 0,
        }
    )
    for number in range(MESSAGES):
        producer.produce(TOPIC, key=str(number % 10), value=bytes(200))
    if producer.flush(TIMEOUT_SECONDS):
        raise StackError(
            "Kafka took no messages while the start-up caches were recorded; run 'make setup' again"
        )
    schemas = ConfluentRegistry(registry.url(chosen["registry"]), TIMEOUT_SECONDS)
    try:
        schemas.schema(schemas.register(TOPIC, SCHEMA))
    except AvroError as error:
        raise StackError(f"while the start-up caches were recorded: {error}") from error
    finally:
        schemas.close()
    rest.status(connect.url(chosen["connect"]))
