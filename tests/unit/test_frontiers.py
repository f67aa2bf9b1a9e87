"""The normalizer's frontiers: a mark leaves with the batch that reaches it, and waits for others if there are any."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.feeds import Catalog
from monitoring.frontier import INSTANT, Asked
from streams import frontiers as module
from streams.frontiers import LIVELY, OTHERS, Frontiers
from streams.normalize import NormalizeAgent

CATALOG = Catalog.load(None)
TOPIC = CATALOG.by_id("police.hj_hjxx").topic
FILES = next(feed for feed in CATALOG.feeds if not feed.is_captured)
S = 1_000_000


class Sent:
    """An agent that keeps what it is told to send."""

    def __init__(self) -> None:
        self.marks: list[dict[str, int]] = []
        self.flushes = 0

    def send_frontiers(self, reached: Mapping[str, int]) -> None:
        if reached:
            self.marks.append(dict(reached))

    def flush(self) -> None:
        self.flushes += 1


class Kafka(Frontiers):
    """Frontiers that ask a Kafka of ours: where topics end, and what the group has committed."""

    def __init__(self, sent: Sent) -> None:
        self.ends: dict[tuple[str, int], int] = {}
        self.committed: dict[tuple[str, int], int] = {}
        self.asked: list[set[str]] = []
        super().__init__("127.0.0.1:1", CATALOG, cast(NormalizeAgent, sent))

    def _ends(self, departments: Iterable[str]) -> dict[str, Asked]:
        names = set(departments)
        self.asked.append(names)
        return {name: Asked(dict(self.ends), module.now(), module.now()) for name in names}

    def _ask_positions(self) -> None:
        self._others_asked = module.now()
        self._committed.update(self.committed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=10 * S)
    monkeypatch.setattr(module, "now", lambda: found.now)
    return found


@pytest.fixture
def sent() -> Sent:
    return Sent()


def chunk(topic: str, partition: int, first: int, count: int) -> list[Any]:
    stamp = int(time.time() * 1000)
    return [
        SimpleNamespace(topic=topic, partition=partition, offset=first + n, timestamp=stamp)
        for n in range(count)
    ]


def handle(kafka: Kafka, clock: SimpleNamespace, chunks: list[list[Any]], newest: list[int]) -> None:
    read = clock.now
    kafka.begin(chunks, read)
    clock.now += INSTANT
    kafka.advance()  # the timer, while the batch is handled
    kafka.on_sent(chunks, read, newest)


def test_a_mark_leaves_with_the_batch_that_passes_what_was_noted(sent: Sent, clock: SimpleNamespace) -> None:
    kafka = Kafka(sent)
    commit = int(time.time() * S) - S
    kafka.ends = {(TOPIC, 0): 3}
    handle(kafka, clock, [chunk(TOPIC, 0, 0, 3)], [commit])
    assert sent.marks == [{"police": commit - 1}]
    assert sent.flushes == 0, "the batch's own flush is enough"
    kafka.ends = {(TOPIC, 0): 6}
    handle(kafka, clock, [chunk(TOPIC, 0, 3, 2)], [commit + 5])
    assert len(sent.marks) == 1, "one more message lies in Kafka"
    handle(kafka, clock, [chunk(TOPIC, 0, 5, 1)], [commit + 9])
    assert sent.marks[1:] == [{"police": commit + 9 - 1}]


def test_without_changes_nothing_is_asked(sent: Sent, clock: SimpleNamespace) -> None:
    kafka = Kafka(sent)
    assert not kafka.is_wanted()
    kafka.begin([chunk(TOPIC, 0, 0, 1)], clock.now)
    assert kafka.is_wanted()
    kafka.advance()
    assert kafka.asked == [{"police"}]
    kafka.on_sent([chunk(TOPIC, 0, 0, 1)], clock.now, [0])
    clock.now += LIVELY
    assert not kafka.is_wanted()


def test_what_is_delivered_waits_for_its_own_heartbeat(sent: Sent, clock: SimpleNamespace) -> None:
    kafka = Kafka(sent)
    kafka.ends = {(FILES.topic, 0): 1}
    delivered = [chunk(FILES.topic, 0, 0, 1)]
    kafka.begin(delivered, clock.now)
    assert not kafka.is_wanted()
    kafka.on_sent(delivered, clock.now, [5])
    clock.now += S
    beat = delivered[0][0].timestamp * 1000 + S
    kafka.on_heartbeats({FILES.department: (beat, beat)})
    assert sent.marks == [{FILES.department: beat}]
    assert sent.flushes == 1


def test_another_process_of_the_group_is_asked_after_a_while(sent: Sent, clock: SimpleNamespace) -> None:
    kafka = Kafka(sent)
    commit = int(time.time() * S) - S
    kafka.ends = {(TOPIC, 0): 1, (TOPIC, 1): 4}
    kafka.committed = {(TOPIC, 0): 0, (TOPIC, 1): 4}
    handle(kafka, clock, [chunk(TOPIC, 0, 0, 1)], [commit])
    assert sent.marks == []
    kafka.advance()
    assert sent.marks == [], "not yet"
    clock.now += OTHERS + 1
    kafka.advance()
    assert sent.marks == [{"police": commit - 1}]
    assert sent.flushes == 1
