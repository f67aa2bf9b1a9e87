"""Reads the hub's own log, the linker's answers and the store, and says whether anything was lost between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from avro.record import Decision, Mark, MarkKind, TableSwitch
from avro.version import from_bytes
from connectors.clickhouse import sql
from connectors.clickhouse.access import Access, QueryError, RefusedError, rows
from connectors.clickhouse.shared import IDENTITIES
from connectors.clickhouse.tables import STORED
from connectors.errors import StoreUnavailableError
from connectors.feeds import Catalog
from monitoring.reconcile.stages import Fold, StageReport, compare_stages
from streams import groups, topics
from streams.errors import BrokerUnavailableError
from streams.schemas import TopicSchemas

READ_AT_ONCE: Final = 5000
POLL_SECONDS: Final = 5.0
CATCH_UP_SECONDS: Final = 120.0
"""How long the stages may take to come to where the log ended when it was read."""

_OFFSET_BITS: Final = (1 << 64) - 1
_decode: Final = msgspec.json.Decoder(tuple[str, str, int]).decode


@dataclass(slots=True)
class _Log:
    """What ``renkou.records`` holds: rows by feed, whom they mention, and the highest truncation of each feed."""

    rows: dict[str, Fold] = field(default_factory=dict)
    mentions: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = field(default_factory=dict)
    truncations: dict[str, int] = field(default_factory=dict)


def check_stages(
    broker: str, schemas: TopicSchemas, catalog: Catalog, access: Access
) -> Iterator[StageReport]:
    """Yield a report for each feed's rows, mentions and identities. Blocks; holds the keys of all feeds in memory.

    Raises BrokerUnavailableError, also when the stages do not come to the end of the log in time, StoreUnavailableError
    and the schemas' errors.
    """
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": "renkou-verify", "enable.auto.commit": False}
    )
    try:
        log = _Log()
        end = _end(consumer, topics.RECORDS)
        _read_log(consumer, schemas, log, 0, end)
        _wait(lambda: groups.position(broker, topics.LINK_GROUP, topics.RECORDS) >= end, "link")
        identities_end = _end(consumer, topics.IDENTITIES)
        identities = Fold()
        for message in _messages(consumer, topics.IDENTITIES, 0, identities_end):
            entry = schemas.read_identity(message.value() or b"")
            if not isinstance(entry, Mark):
                values = schemas.identity.decode(entry)
                slot = _slot(*(str(values[name]) for name in IDENTITIES.order_by))
                identities.add(slot, from_bytes(values["version"]), is_live=not values["is_deleted"])
        _wait(
            lambda: (
                groups.position(broker, topics.STORE_GROUP, topics.RECORDS) >= end
                and groups.position(broker, topics.STORE_GROUP, topics.IDENTITIES) >= identities_end
            ),
            "store",
        )
        stored_identities = Fold()
        stored_identities.add_all(
            _stored(access, "identities", f"concat_ws('|', {sql.names(IDENTITIES.order_by)})")
        )
        stored = {feed.id: Fold() for feed in catalog.feeds}
        tables = {
            row["name"] for row in rows(access, "SELECT name FROM system.tables WHERE database = 'renkou'")
        }
        for feed in catalog.feeds:
            if feed.store_table in tables:  # a feed that the running hub has not read yet has none
                stored[feed.id].add_all(_stored(access, feed.store_table, "key"))
        tail = _Log()
        _read_log(consumer, schemas, tail, end, _end(consumer, topics.RECORDS))
    except KafkaException as error:
        raise BrokerUnavailableError(
            f"Kafka at {broker}: {error.args[0].name()}; is it running, is RENKOU_BROKER right?"
        ) from error
    finally:
        consumer.close()
    for feed in catalog.feeds:
        recorded = log.rows.get(feed.id, Fold())
        recorded.truncate(max(log.truncations.get(feed.id, 0), tail.truncations.get(feed.id, 0)))
        later = tail.rows.get(feed.id, Fold())
        yield compare_stages(feed.id, "log → rows", recorded, stored[feed.id], later.entries)
        yield _linked(feed.id, log, recorded, identities)
    yield compare_stages("", "identities → rows", identities, stored_identities, _Anything())


class _Anything(dict[str, object]):
    """Identities are read before the store: that it has newer ones says nothing."""

    def __contains__(self, key: object) -> bool:
        return True


def _linked(feed: str, log: _Log, recorded: Fold, identities: Fold) -> StageReport:
    """Return whether every person whom a live row of a feed mentions has an identity, or lost it later."""
    department, _, table = feed.partition(".")
    mentioned = Fold()
    answered = Fold()
    lost = 0
    for key, (offset, slots) in log.mentions.get(feed, {}).items():
        row = recorded.entries.get(key)
        if row is None or not row.is_live:
            continue
        for role_and_ordinal in slots:
            slot = _slot(department, table, key, role_and_ordinal)
            mentioned.add(slot, 0, is_live=True)
            answer = identities.entries.get(slot)
            if answer is not None and answer.is_live:
                answered.add(slot, 0, is_live=True)
            elif answer is None or answer.version & _OFFSET_BITS < offset:
                lost += 1
    return StageReport(
        feed,
        "log → identities",
        mentioned.live,
        answered.live,
        mentioned.checksum,
        answered.checksum,
        lost,
        0,
    )


def _slot(*parts: str) -> str:
    return "|".join(parts)


def _read_log(consumer: Consumer, schemas: TopicSchemas, log: _Log, start: int, end: int) -> None:
    for message in _messages(consumer, topics.RECORDS, start, end):
        entry = schemas.read_log(message.value() or b"")
        if isinstance(entry, Mark):
            if entry.kind is MarkKind.TRUNCATE:
                log.truncations[entry.feed] = max(entry.version, log.truncations.get(entry.feed, 0))
            continue
        if isinstance(entry, Decision | TableSwitch):
            continue  # about mentions; no row of its own
        record = entry.record
        fold = log.rows.setdefault(record.feed, Fold())
        fold.add(record.key, record.version, is_live=not record.is_deleted)
        if fold.entries[record.key].version == record.version:
            slots = tuple(f"{mention.role}|{mention.ordinal}" for mention in record.mentions)
            log.mentions.setdefault(record.feed, {})[record.key] = (message.offset() or 0, slots)


def _end(consumer: Consumer, topic: str) -> int:
    return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=POLL_SECONDS)[1])


def _messages(consumer: Consumer, topic: str, start: int, end: int) -> Iterator[Message]:
    """Yield a topic's messages from ``start`` to before ``end``; compaction may have taken the last ones."""
    low = int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=POLL_SECONDS)[0])
    if max(start, low) >= end:
        return
    consumer.assign([TopicPartition(topic, 0, max(start, low))])
    while True:
        found = consumer.consume(READ_AT_ONCE, timeout=POLL_SECONDS)
        for message in found:
            failed = message.error()
            if failed is not None:
                raise KafkaException(failed)
            if (message.offset() or 0) >= end:
                return
            yield message
        (position,) = consumer.position([TopicPartition(topic, 0)])
        if position.offset >= end:
            return
        if not found:
            raise BrokerUnavailableError(
                f"{topic} gives nothing before its end; is the broker well? Try again"
            )


def _stored(access: Access, table: str, key: str) -> Iterator[tuple[str, int, bool]]:
    """Yield the newest state of every key of a table: key, version, whether it is live."""
    query = (
        f"SELECT {key} AS k, toString(max(version)), argMax(is_deleted, version)"  # noqa: S608 - names of the schema
        f" FROM {sql.name(table + STORED)} GROUP BY k"
    )
    held = b""
    try:
        for block in access.blocks(query, "JSONCompactEachRow"):
            *lines, held = (held + block).split(b"\n")
            for line in lines:
                name, version, is_deleted = _decode(line)
                yield name, int(version), not is_deleted
        if held:
            name, version, is_deleted = _decode(held)
            yield name, int(version), not is_deleted
    except (QueryError, RefusedError) as error:
        raise StoreUnavailableError(
            f"the store cannot be read: code {error.code}; see ClickHouse's documentation of it, and verify again"
        ) from None


def _wait(reached: Callable[[], bool], stage: str) -> None:
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise BrokerUnavailableError(
                f"the stage {stage} has not come to the end of the log within {CATCH_UP_SECONDS:.0f} s; see renkou"
                " status, and verify again"
            )
        time.sleep(0.2)
