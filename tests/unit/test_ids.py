"""Ids that were issued are read back from the topics: through librdkafka's mock broker, a test double."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from avro.record import Mention, MentionPlace
from avro.registry import LocalRegistry
from connectors.feeds import Catalog
from linkage.engine import Engine, LogEntry
from linkage.errors import IdsError
from linkage.ids import Anchor, anchor_of
from linkage.outputs import IdentityChange, PersonIdChange
from streams import ids, topics
from streams.schemas import TopicSchemas
from tests.unit.linkage_world import AUTHORITY, FEEDS, record

LI = Mention("self", name="李强", birth_date=16616)
ZHAO = Mention("self", name="赵大海", birth_date=3)


def test_ids_are_read_back_with_their_anchors() -> None:
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    for topic in (topics.PERSON_IDS, topics.IDENTITIES, topics.RECORDS):
        producer.produce(topic, b"", partition=1)  # a topic is made by its first message
    producer.flush(60)
    (broker,) = producer.list_topics(timeout=60).brokers.values()
    registry = LocalRegistry()
    schemas = TopicSchemas(registry, Catalog.load())
    read = ids.reader(f"{broker.host}:{broker.port}", registry, 2)
    assert read() is None, "nothing was issued yet"
    log = [record(FEEDS[0], "1", 1, LI), record(FEEDS[1], "2", 1, ZHAO), record(FEEDS[1], "2", 2, LI)]
    for output in Engine(1, AUTHORITY).apply([LogEntry(*entry) for entry in enumerate(log)]):
        if isinstance(output, PersonIdChange):
            producer.produce(
                topics.PERSON_IDS, schemas.frame_linked(topics.PERSON_IDS, output.to_avro()), partition=0
            )
        elif isinstance(output, IdentityChange):
            datum = schemas.identity.encode(output.to_avro())
            producer.produce(topics.IDENTITIES, schemas.frame_identity(datum), partition=0)
    producer.produce(topics.RECORDS, b"x", partition=0)
    producer.flush(60)
    known = read()
    assert known is not None
    assert (known.until, known.next_person, known.next_serial, known.merged) == (1, 3, 3, {2: 1})
    department, table = FEEDS[0].split(".")
    assert known.anchors == {anchor_of(MentionPlace(department, table, "1", "self")): Anchor(1, 1)}
    with pytest.raises(IdsError, match="raise RENKOU_EPOCH"):
        ids.reader(f"{broker.host}:{broker.port}", registry, 1)()
