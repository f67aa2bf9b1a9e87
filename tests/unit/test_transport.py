"""The contract with faust-streaming's internals: chunks in order, no commit past a hole, nothing lost by a crash.

The broker is librdkafka's mock cluster: a test double that speaks Kafka's protocol. The real broker's turn is in
``tests/stack``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import faust
import pytest
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Producer, TopicPartition

from streams import app as faust_app
from streams.settings import Settings
from streams.transport import FETCH_BYTES, FETCH_WAIT_MS, ChunkSchema, Consumer

MESSAGES = 3000
DEADLINE = 40.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Producer, str]]:
    """A mock cluster, which lives as long as the producer that started it."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    metadata = producer.list_topics(timeout=10)
    broker = next(iter(metadata.brokers.values()))
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush(1)


def fill(producer: Producer, topic: str, count: int = MESSAGES) -> None:
    for number in range(count):
        producer.produce(topic, value=str(number).encode(), partition=0)
    assert producer.flush(20) == 0


def committed(broker: str, group: str, topic: str) -> int:
    consumer = KafkaConsumer({"bootstrap.servers": broker, "group.id": group})
    try:
        return int(consumer.committed([TopicPartition(topic, 0)], timeout=10)[0].offset)
    finally:
        consumer.close()


async def run_until(app: faust.App, done: Callable[[], bool]) -> BaseException | None:
    """Run the application until ``done`` or its crash; return why it crashed."""
    await app.start()
    try:
        async with asyncio.timeout(DEADLINE):
            while not done() and not app._crashed.is_set():
                await asyncio.sleep(0.05)
            if not app._crashed.is_set():
                await asyncio.sleep(1.0)  # two commit intervals
    finally:
        await app.stop()
    crash: BaseException | None = app.crash_reason
    return crash


def application(
    tmp_path: Any,
    broker: str,
    group: str,
    topic: str,
    handler: Callable[[Sequence[Sequence[Any]]], Awaitable[None]],
) -> faust.App:
    options = Settings(data=tmp_path, broker=broker, chunk=100, commit_interval=0.3)
    app = faust_app.build("test", group, options, str(tmp_path / uuid.uuid4().hex))
    faust_app.chunks_agent(app, [topic], handler, faust_app.Gathering(100, 0.0))
    return app


def test_chunks_arrive_in_order_and_are_committed_to_the_end(cluster: Any, tmp_path: Any) -> None:
    producer, broker = cluster
    topic, group = f"t-{uuid.uuid4().hex}", f"g-{uuid.uuid4().hex}"
    fill(producer, topic)
    seen: list[int] = []

    async def handle(chunks: Sequence[Sequence[Any]]) -> None:
        seen.extend(int(message.value) for chunk in chunks for message in chunk)

    async def main() -> None:
        app = application(tmp_path, broker, group, topic, handle)
        fetchers: list[Any] = []

        def done() -> bool:
            assert isinstance(app.consumer, Consumer)
            thread: Any = app.consumer._thread
            fetchers.append(thread._consumer._fetcher)
            return len(seen) >= MESSAGES

        assert await run_until(app, done) is None
        asked = fetchers[-1]._fetch_min_bytes, fetchers[-1]._fetch_max_wait_ms
        assert asked == (FETCH_BYTES, FETCH_WAIT_MS), "aiokafka no longer takes these"

    asyncio.run(main())
    assert seen == list(range(MESSAGES))
    assert committed(broker, group, topic) == MESSAGES


def test_a_crash_commits_nothing_behind_the_failed_chunk_and_loses_nothing(
    cluster: Any, tmp_path: Any
) -> None:
    producer, broker = cluster
    topic, group = f"t-{uuid.uuid4().hex}", f"g-{uuid.uuid4().hex}"
    fill(producer, topic)
    effects: list[int] = []
    failed_at = 0

    async def failing(chunks: Sequence[Sequence[Any]]) -> None:
        nonlocal failed_at
        if len(effects) >= 700:
            failed_at = int(chunks[0][0].value)
            raise RuntimeError("the effect failed")
        effects.extend(int(message.value) for chunk in chunks for message in chunk)
        await asyncio.sleep(0.1)

    async def healthy(chunks: Sequence[Sequence[Any]]) -> None:
        effects.extend(int(message.value) for chunk in chunks for message in chunk)

    async def first() -> None:
        app = application(tmp_path, broker, group, topic, failing)
        crash = await run_until(app, lambda: False)
        assert crash is not None

    async def second() -> None:
        app = application(tmp_path, broker, group, topic, healthy)
        assert await run_until(app, lambda: bool(effects) and effects[-1] == MESSAGES - 1) is None

    asyncio.run(first())
    assert 0 < failed_at < MESSAGES
    assert committed(broker, group, topic) <= failed_at
    asyncio.run(second())
    assert sorted(set(effects)) == list(range(MESSAGES))


def test_a_chunk_that_is_not_acknowledged_holds_the_commit(cluster: Any, tmp_path: Any) -> None:
    producer, broker = cluster
    topic, group = f"t-{uuid.uuid4().hex}", f"g-{uuid.uuid4().hex}"
    fill(producer, topic, 500)
    events: list[Any] = []

    async def main() -> None:
        options = Settings(data=tmp_path, broker=broker, chunk=100, commit_interval=0.3)
        app = faust_app.build("test", group, options, str(tmp_path / "hole"))

        async def consume(stream: Any) -> None:
            async for event in stream.noack().events():
                events.append(event)
                if (
                    len(events) != 1
                ):  # the first chunk stays open: everything behind it is a hole's other side
                    event.ack()

        app.agent(app.topic(topic, schema=ChunkSchema()), name="holes", concurrency=1)(consume)
        assert await run_until(app, lambda: sum(len(event.value) for event in events) >= 500) is None

    asyncio.run(main())
    assert committed(broker, group, topic) <= 0
