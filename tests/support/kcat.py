"""Topics as ``kcat -J`` prints them: what ``renkou replay`` reads."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition


def dump(bootstrap: str, topics: Sequence[str], path: Path) -> int:
    """Write every message of the topics, topic after topic, to ``path``; return how many there were."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for message in messages(bootstrap, topics):
            file.write(line(message) + "\n")
            written += 1
    return written


def produce_again(bootstrap: str, topics: Sequence[str]) -> int:
    """Append every message of the topics to its topic once more, as a connector does that lost its offsets."""
    producer = Producer({"bootstrap.servers": bootstrap})
    everything = list(messages(bootstrap, topics))
    for message in everything:
        producer.produce(message.topic(), message.value(), message.key(), headers=message.headers() or [])
        producer.poll(0)
    assert producer.flush(30) == 0
    return len(everything)


def messages(bootstrap: str, topics: Sequence[str]) -> Iterator[Any]:
    """Return the messages that the topics hold now, topic after topic."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"dump-{uuid.uuid4().hex}", "enable.auto.commit": False}
    )
    try:
        for topic in topics:
            start, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
            if start == end:
                continue
            consumer.assign([TopicPartition(topic, 0, start)])
            next_offset = start
            while next_offset < end:
                for message in consumer.consume(5000, timeout=1.0):
                    assert message.error() is None, message.error()
                    next_offset = message.offset() + 1
                    if next_offset <= end:
                        yield message
    finally:
        consumer.close()


def end(bootstrap: str, topic: str) -> int:
    """Return the offset that the topic's next message gets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"end-{uuid.uuid4().hex}"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])
    finally:
        consumer.close()


def arrives(bootstrap: str, topic: str, start: int, part: bytes, seconds: float) -> bool:
    """Whether a message whose value contains ``part`` is in the topic from ``start`` on, or comes in time."""
    deadline = time.monotonic() + seconds
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"find-{uuid.uuid4().hex}", "enable.auto.commit": False}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, start)])
        while (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(left)
            if message is not None and message.error() is None and part in (message.value() or b""):
                return True
        return False
    finally:
        consumer.close()


def line(message: Any) -> str:
    """Return one message as a line."""
    headers = [part for name, value in message.headers() or [] for part in (name, _text(value))]
    return json.dumps(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "tstype": "create",
            "ts": message.timestamp()[1],
            "broker": 1,
            **({"headers": headers} if headers else {}),
            "key": _text(message.key()),
            "payload": _text(message.value()),
        },
        ensure_ascii=False,
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def count(bootstrap: str, topics: Sequence[str]) -> int:
    """Return how many messages the topics hold."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"count-{uuid.uuid4().hex}"})
    try:
        offsets = [consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) for topic in topics]
        return sum(end - start for start, end in offsets)
    finally:
        consumer.close()
