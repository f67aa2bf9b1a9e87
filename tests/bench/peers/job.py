"""The job that all engines are measured at, and the clock that measures them. Nothing here knows an engine.

A peer runs in a venv of its own, in which the project's dependencies come last (`with_project`): its own versions
count.
"""

from __future__ import annotations

import itertools
import json
import os
import site
import threading
import time
from collections.abc import Callable
from typing import Final

FEED_TOPIC: Final = "cdc.police.public.hj_ryjbxx"
ANSWER: Final = '{"messages"'
"""How the line with the figures begins."""
SITE: Final = "RENKOU_BENCH_SITE"
"""The variable that names the project's site-packages."""
LOOK: Final = 0.05

Work = Callable[[bytes | None, bytes | None, int], bytes | None]


def with_project() -> None:
    """Let a peer's process import what the project needs, behind what its own venv has."""
    if SITE in os.environ:
        site.addsitedir(os.environ[SITE])


class Clock:
    """Counts messages, notes the first and the last."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._done = 0
        self._began = self._processor = 0.0

    def begin(self) -> None:
        """A message is there: the first one starts the clock."""
        if not self._began:
            self._began, self._processor = time.monotonic(), time.process_time()

    def add(self, count: int) -> bool:
        """Count messages that are done; return whether all are."""
        self._done += count
        return self._done >= self._wanted

    def finish(self) -> None:
        """Print, and end the process at once: shutting an engine down is not measured."""
        seconds, cpu = time.monotonic() - self._began, time.process_time() - self._processor
        print(json.dumps({"messages": self._done, "seconds": seconds, "cpu": cpu}), flush=True)
        os._exit(0)


def work_of(job: str) -> Work:
    """Return what a job makes of a message."""
    if job == "pass":
        return lambda key, value, offset: value
    from avro.change import Place, RawEvent
    from avro.envelope import EnvelopeDecoder
    from avro.registry import LocalRegistry
    from connectors.feeds import Catalog
    from streams.normalize import Normalizer, Recorded

    normalizer = Normalizer(Catalog.load(None), EnvelopeDecoder(LocalRegistry()))

    def normalize(key: bytes | None, value: bytes | None, offset: int) -> bytes | None:
        (outcome,) = normalizer.process(RawEvent(Place(FEED_TOPIC, 0, offset), key, value, None, 0))
        assert isinstance(outcome, Recorded), outcome
        return outcome.datum

    return normalize


def counted(job: str, clock: Clock) -> Callable[[bytes | None, bytes | None], bytes]:
    """Return a job for engines that tell no offset: the first message starts the clock."""
    work, numbers = work_of(job), itertools.count()

    def handle(key: bytes | None, value: bytes | None) -> bytes:
        clock.begin()
        made = work(key, value, next(numbers))
        assert made is not None, "the topic has no tombstones"
        return made

    return handle


def watch(broker: str, topic: str, messages: int, clock: Clock) -> None:
    """End the process when so many messages more are in the topic: for engines that do not tell when all are delivered.

    It is a thread that looks twenty times a second.
    """
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": broker, "group.id": f"watch-{os.getpid()}"})
    place = TopicPartition(topic, 0)

    def end() -> int:
        _, high = consumer.get_watermark_offsets(place, timeout=10.0, cached=False)
        return int(high)

    wanted = end() + messages

    def look() -> None:
        while end() < wanted:
            time.sleep(LOOK)
        clock.add(messages)
        clock.finish()

    threading.Thread(target=look, daemon=True).start()
