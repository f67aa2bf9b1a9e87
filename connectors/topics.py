"""Kafka's topics: created with explicit settings, compared with them afterwards. The broker creates none by
itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from connectors.captured import (
    CapturedTable,
    SourceKind,
    schema_history_topic,
    signal_topic,
    topic_prefix,
)
from connectors.errors import TerminalError, TransientError

RECORDS: Final = "renkou.records"
IDENTITIES: Final = "renkou.identities"
PERSONS: Final = "renkou.persons"
PERSON_IDS: Final = "renkou.person-ids"
DECISIONS: Final = "renkou.decisions"
REVIEWS: Final = "renkou.reviews"
DEAD_LETTERS: Final = "renkou.dead-letters"

DAY_MS: Final = 24 * 60 * 60 * 1000
CAPTURE_MS: Final = 7 * DAY_MS
"""As long as normalizing may be down without a new snapshot."""

HEARTBEAT_MS: Final = DAY_MS

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""The largest message: a row with long texts, before and after."""

REQUEST_SECONDS: Final = 30.0

FOREVER: Final = "-1"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic. ``settings`` are Kafka's topic settings; those not named stay the broker's."""

    name: str
    partitions: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of an existing topic that is not what it should be."""

    topic: str
    setting: str
    present: str
    wanted: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.present}, should be {self.wanted}"


@dataclass(frozen=True, slots=True)
class Topics:
    """What ``ensure_topics`` did and found."""

    created: tuple[str, ...]
    differences: tuple[Difference, ...]


def capture_topics(
    department: str, tables: Sequence[CapturedTable], kind: SourceKind = "postgresql"
) -> tuple[TopicSpec, ...]:
    """Return the topics of one department: one a table, its heartbeat's, its signals', MariaDB's schema history."""
    # Without it a connector of MariaDB can no longer read the log.
    forever = {"cleanup.policy": "delete", "retention.ms": FOREVER, "retention.bytes": FOREVER}
    history = [TopicSpec(schema_history_topic(department), settings=forever)] if kind == "mariadb" else []
    prefix = topic_prefix(department)
    return (
        *(_kept(f"{prefix}.{table.schema}.{table.table}", CAPTURE_MS) for table in tables),
        _kept(f"__debezium-heartbeat.{prefix}", HEARTBEAT_MS),
        _kept(signal_topic(department), DAY_MS),
        *history,
    )


def delivered_topics(names: Iterable[str]) -> tuple[TopicSpec, ...]:
    """Return the topics of feeds that no connector captures: their files are loaded, their changes pushed."""
    return tuple(_kept(name, CAPTURE_MS) for name in names)


def hub_topics() -> tuple[TopicSpec, ...]:
    """Return the hub's own topics. One partition each: the log has one order."""
    compacted = {"cleanup.policy": "compact", "max.message.bytes": str(MESSAGE_BYTES)}
    forever = {**compacted, "cleanup.policy": "delete", "retention.ms": FOREVER, "retention.bytes": FOREVER}
    return (
        TopicSpec(RECORDS, settings=compacted),
        TopicSpec(IDENTITIES, settings=compacted),
        TopicSpec(PERSONS, settings=compacted),
        TopicSpec(PERSON_IDS, settings=compacted),
        TopicSpec(DECISIONS, settings=compacted),
        TopicSpec(REVIEWS, settings=compacted),
        TopicSpec(DEAD_LETTERS, settings=forever),
    )


def _kept(name: str, milliseconds: int) -> TopicSpec:
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": str(milliseconds),
        "max.message.bytes": str(MESSAGE_BYTES),
    }
    return TopicSpec(name, settings=settings)


def ensure_topics(bootstrap: str, specs: Iterable[TopicSpec], *, replication: int = -1) -> Topics:
    """Create the topics that are missing and compare the others with their specs, which changes nothing
    there.

    ``replication`` -1 is the broker's default. Raises TransientError when no broker answers, TerminalError
    when it refuses a topic. Blocks.
    """
    wanted = {spec.name: spec for spec in specs}
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        present = client.list_topics(timeout=REQUEST_SECONDS).topics
        missing = [spec for spec in wanted.values() if spec.name not in present]
        created = _create(client, missing, replication) if missing else ()
        existing = [name for name in wanted if name not in created]
        partitions = {
            name: len(described.partitions)
            for name, described in client.list_topics(timeout=REQUEST_SECONDS).topics.items()
            if name in existing
        }
        return Topics(created, _compare(client, [wanted[name] for name in existing], partitions))
    except KafkaException as error:
        raise _error(bootstrap, error) from error


def _create(client: AdminClient, specs: Sequence[TopicSpec], replication: int) -> tuple[str, ...]:
    requests = [
        NewTopic(spec.name, spec.partitions, replication, config=dict(spec.settings)) for spec in specs
    ]
    created = []
    for name, future in client.create_topics(requests, request_timeout=REQUEST_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue  # another process was quicker
            raise
        created.append(name)
    return tuple(created)


def _compare(
    client: AdminClient, specs: Sequence[TopicSpec], partitions: Mapping[str, int]
) -> tuple[Difference, ...]:
    if not specs:
        return ()
    resources = {ConfigResource(ResourceType.TOPIC, spec.name): spec for spec in specs}
    found = []
    for resource, future in client.describe_configs(list(resources), request_timeout=REQUEST_SECONDS).items():
        spec = resources[resource]
        present = future.result()
        if partitions.get(spec.name) != spec.partitions:
            found.append(
                Difference(spec.name, "partitions", str(partitions.get(spec.name)), str(spec.partitions))
            )
        for setting, value in spec.settings.items():
            if present[setting].value != value:
                found.append(Difference(spec.name, setting, present[setting].value, value))
    return tuple(found)


def _error(bootstrap: str, error: KafkaException) -> TransientError | TerminalError:
    cause: KafkaError = error.args[0]
    if cause.code() in (
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
    ):
        return TransientError(f"Kafka at {bootstrap} does not answer; is it running, is its address right?")
    return TerminalError(f"Kafka at {bootstrap}: {cause.name()}; see the broker's log")
