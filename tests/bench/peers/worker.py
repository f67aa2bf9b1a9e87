"""One engine at one job: ``python -m tests.bench.peers.worker ENGINE JOB BROKER TOPIC MESSAGES``; prints JSON.

Engines: ``renkou`` (Faust agents on the batch transport), ``stock`` (faust-streaming as its documentation shows it: an
agent over single messages, ``await topic.send``), ``loop`` (confluent-kafka alone: the ceiling). Jobs: ``pass`` puts
every message into another topic, ``normalize`` decodes Debezium's JSON, normalizes it by its feed and writes the Avro
datum: the same function in all engines. The time runs from the first message to the last one's delivery.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Final

import faust
from confluent_kafka import Consumer

from streams import app as faust_app
from streams.app import STAGE_PAUSE, Gathering
from streams.producer import Producer
from streams.settings import Settings
from tests.bench.peers.job import Clock, Work, work_of

BATCH: Final = 4000
PATIENCE: Final = 10.0


def loop(broker: str, topic: str, work: Work, clock: Clock) -> None:
    """Consume and produce with confluent-kafka."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": f"loop-{topic}-{os.getpid()}",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})  # fmt: skip
    consumer.subscribe([topic])
    producer = Producer(broker)
    while True:
        messages = consumer.consume(BATCH, 0.2)
        if messages:
            clock.begin()
        for message in messages:
            producer.send(
                f"{topic}.out", message.key(), work(message.key(), message.value(), message.offset())
            )
        producer.flush()
        if messages and clock.add(len(messages)):
            clock.finish()
        if messages:
            consumer.commit(asynchronous=True)


def renkou(broker: str, topic: str, work: Work, clock: Clock) -> None:
    """Run a Faust agent on the batch transport."""
    producer = Producer(broker)
    app = faust_app.build(
        "bench", f"renkou-{topic}-{os.getpid()}", Settings(broker=broker, chunk=BATCH), tempfile.mkdtemp()
    )

    def process(chunks: Sequence[Sequence[Any]]) -> int:
        count = 0
        for chunk in chunks:
            for message in chunk:
                producer.send(f"{topic}.out", message.key, work(message.key, message.value, message.offset))
                count += 1
        producer.flush()
        return count

    async def handle(chunks: Sequence[Sequence[Any]]) -> None:
        clock.begin()
        if clock.add(await asyncio.to_thread(process, chunks)):
            clock.finish()

    faust_app.chunks_agent(app, [topic], handle, Gathering(BATCH, STAGE_PAUSE))
    faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False).execute_from_commandline()


def stock(broker: str, topic: str, work: Work, clock: Clock) -> None:
    """Run an agent as faust-streaming's documentation writes one."""
    app = faust.App(
        f"stock-{topic}-{os.getpid()}",
        broker=f"kafka://{broker}",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        datadir=tempfile.mkdtemp(),
    )
    source = app.topic(topic, key_serializer="raw", value_serializer="raw")
    sink = app.topic(f"{topic}.out", key_serializer="raw", value_serializer="raw")

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            clock.begin()
            await sink.send(key=event.key, value=work(event.key, event.value, event.message.offset))
            if clock.add(1):
                await app.producer.flush()
                clock.finish()

    app.agent(source)(agent)
    faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False).execute_from_commandline()


ENGINES: Final = {"renkou": renkou, "stock": stock, "loop": loop}


def main(engine: str, job: str, broker: str, topic: str, messages: str) -> None:
    """Run one engine."""
    ENGINES[engine](broker, topic, work_of(job), Clock(int(messages)))


if __name__ == "__main__":
    main(*sys.argv[1:])
