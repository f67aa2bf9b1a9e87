"""The log, the linker's answers and the store are compared: through librdkafka's mock broker, a test double."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from avro import version as versions
from avro.record import Mark, MarkKind, Mention, Record
from avro.registry import LocalRegistry
from connectors.clickhouse.access import Local
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import Store, open_store
from connectors.feeds import Catalog
from monitoring.reconcile.stages import StageReport
from streams import stage_check, topics
from streams.schemas import TopicSchemas

FEED = "police.hj_hjxx"
CATALOG = Catalog.load()
CODEC = CATALOG.by_id(FEED).codec


def record(number: int, version: int, *, is_deleted: bool = False) -> Record:
    mentions = () if is_deleted else (Mention(role="householder", name="张三"),)
    return Record(
        feed=FEED, op="d" if is_deleted else "c", key=f'{{"HH":"{number}"}}', version=version, is_deleted=is_deleted,
        snapshot=False, source_time=1, captured_time=2, topic="t", partition=0, offset=version, mentions=mentions,
    )  # fmt: skip


class Hub:
    """What is written to the log, answered by the linker and stored, each as a test wants it."""

    def __init__(self, folder: Path) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
        self._producer.produce(topics.IDENTITIES, b"", partition=1)  # a topic is made by its first message
        self._producer.produce(topics.RECORDS, b"", partition=1)
        self._producer.flush(10)
        (broker,) = self._producer.list_topics(timeout=10).brokers.values()
        self.broker = f"{broker.host}:{broker.port}"
        self.schemas = TopicSchemas(LocalRegistry(), CATALOG)
        self.store: Store = open_store(folder, "", [FeedTable(FEED, CODEC.schema, CATALOG.by_id(FEED).roles)])
        self.batch = Batch()

    def datum(self, one: Record) -> bytes:
        fields = [field["name"] for field in CODEC.schema["fields"]]
        own = CODEC.schema["fields"][fields.index("raw") + 1 :]
        values: dict[str, Any] = {field["name"]: field.get("default") for field in own}
        return CODEC.encode(one, None if one.is_deleted else "{}", values)

    def log(self, one: Record | Mark) -> None:
        framed = (
            self.schemas.frame_mark(one)
            if isinstance(one, Mark)
            else self.schemas.frame_record(FEED, self.datum(one))
        )
        self._producer.produce(topics.RECORDS, framed, partition=0)
        self._producer.flush(10)

    def keep(self, one: Record) -> None:
        self.batch.add_record(FEED, self.datum(one), 0, one)

    def answer(self, number: int, version: int, *, is_deleted: bool = False, stored: bool = True) -> None:
        datum = self.schemas.identity.encode(
            {
                "department": "police", "table": "hj_hjxx", "key": f'{{"HH":"{number}"}}', "role": "householder",
                "ordinal": 0, "person_id": "P1", "rule": "exact", "is_deleted": int(is_deleted),
                "version": versions.to_bytes(versions.log_version(1, version)),
            }
        )  # fmt: skip
        self._producer.produce(topics.IDENTITIES, self.schemas.frame_identity(datum), partition=0)
        self._producer.flush(10)
        if stored:
            self.batch.add_identity(datum, 0)

    def check(self) -> dict[tuple[str, str], StageReport]:
        """Let every stage have come to the end, and compare."""
        self.store.writer.write(self.batch)
        for group, read in (
            (topics.LINK_GROUP, [topics.RECORDS]),
            (topics.STORE_GROUP, [topics.RECORDS, topics.IDENTITIES]),
        ):
            consumer = Consumer({"bootstrap.servers": self.broker, "group.id": group})
            ends = [
                TopicPartition(
                    name, 0, consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[1]
                )
                for name in read
            ]
            consumer.commit(offsets=ends, asynchronous=False)
            consumer.close()
        assert self.store.readers is not None
        access = Local(self.store.readers)
        reports = stage_check.check_stages(self.broker, self.schemas, CATALOG, access)
        return {(report.feed, report.stage): report for report in reports}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path / "store")
    yield made
    made.store.close()


def test_a_hub_that_lost_nothing_is_clean(hub: Hub) -> None:
    hub.log(record(9, 1))
    hub.log(Mark(MarkKind.TRUNCATE, "police", FEED, 2, 0))
    for number in (1, 2):
        hub.log(record(number, 3))
        hub.keep(record(number, 3))
        hub.answer(number, 3)
    hub.log(record(2, 4, is_deleted=True))
    hub.keep(record(2, 4, is_deleted=True))
    hub.answer(2, 4, is_deleted=True)
    reports = hub.check()
    assert all(report.is_clean for report in reports.values()), reports
    rows = reports[FEED, "log → rows"]
    assert (rows.live_in, rows.live_out, rows.checksum_in) == (1, 1, rows.checksum_out)
    assert reports[FEED, "log → identities"].live_in == 1
    assert reports["", "identities → rows"].live_out == 1


def test_what_each_stage_lost_is_counted_there(hub: Hub) -> None:
    for number in range(1, 5):
        hub.log(record(number, 3))
    for number in (1, 2, 3):
        hub.keep(record(number, 3))  # the row of 4 was lost by the sink
    for number in (1, 2, 4):
        hub.answer(number, 3, stored=number != 2)  # 3 was never answered, the answer to 2 was not stored
    hub.keep(record(7, 3))  # a row that no log knows
    reports = hub.check()
    rows = reports[FEED, "log → rows"]
    assert (rows.lost, rows.unknown) == (1, 1)
    assert reports[FEED, "log → identities"].lost == 1
    assert reports["", "identities → rows"].lost == 1
