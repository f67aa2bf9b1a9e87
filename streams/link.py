"""The link stage: records and marks become identities and golden records.

The linker's state is the truth about how far it has read: its write-ahead log is durable before anything is published,
and what was logged but perhaps not published is published again on start. Kafka's committed offset only follows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final

from avro.record import MarkKind
from avro.record import mark_key as key_of_mark
from linkage import heap
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.outputs import (
    DecisionChange,
    Disposition,
    IdentityChange,
    Output,
    PassedMark,
    PersonChange,
    PersonIdChange,
    ReviewChange,
)
from monitoring import metrics
from streams import topics
from streams.producer import Producer
from streams.schemas import LogRecord, TopicSchemas

APPLY_SIZE: Final = 1000
"""Log entries a step: one fsync for each, small enough that a publication never waits long behind another."""


class LinkAgent:
    """Reads chunks of ``renkou.records`` and writes what `linkage` says of them (`linkage.outputs`)."""

    def __init__(self, linker: DurableLinker, schemas: TopicSchemas, producer: Producer) -> None:
        self._linker = linker
        self.lock = threading.Lock()
        """Held while the engine changes: whoever looks at it from another thread takes it."""
        self._schemas = schemas
        self._producer = producer
        self._rested = linker.offset

    def republish(self, outputs: Sequence[Output]) -> None:
        """Publish what recovery gave back: it may have been logged and not published."""
        self._publish(outputs)
        self._producer.flush()
        self._linker.checkpoint()
        heap.begin()

    def process(self, chunks: Sequence[Sequence[Any]]) -> None:
        """Link the chunks; returns when everything is durable here and in the broker."""
        messages = [message for chunk in chunks for message in chunk]
        for start in range(0, len(messages), APPLY_SIZE):
            step = messages[start : start + APPLY_SIZE]
            entries = list(self._entries(step))
            with self.lock:
                outputs = self._linker.apply(entries)
            self._publish(outputs)
        self._producer.flush()
        self._linker.checkpoint()
        if self._linker.offset - self._rested >= heap.EVERY:
            self._rested = self._linker.offset
            heap.rest()
        metrics.PERSONS.set(self._linker.engine.person_count)
        metrics.MENTIONS.set(self._linker.engine.mention_count)
        metrics.REVIEWS.set(self._linker.engine.state.reviews.count)

    def _entries(self, messages: Iterable[Any]) -> Iterable[LogEntry]:
        for message in messages:
            entry = self._schemas.read_log(message.value)
            yield LogEntry(message.offset, entry.record if isinstance(entry, LogRecord) else entry)

    def _publish(self, outputs: Sequence[Output]) -> None:
        send = self._producer.send
        counts: dict[tuple[str, str], int] = {}
        for output in outputs:
            match output:
                case IdentityChange():
                    datum = self._schemas.identity.encode(output.to_avro())
                    send(topics.IDENTITIES, identity_key(output), self._schemas.frame_identity(datum))
                case PersonChange():
                    datum = self._schemas.person.encode(output.to_avro())
                    send(topics.PERSONS, output.person_id.encode(), self._schemas.frame_person(datum))
                case PersonIdChange() | DecisionChange() | ReviewChange():
                    topic, key = linked(output)
                    send(topic, key.encode(), self._schemas.frame_linked(topic, output.to_avro()))
                case PassedMark(mark=mark):
                    framed = self._schemas.frame_mark(mark)
                    send(topics.IDENTITIES, key_of_mark(mark), framed)
                    if mark.kind is MarkKind.FRONTIER:
                        # Topics overtake one another: who reads both has passed it when it has come in both.
                        send(topics.PERSONS, key_of_mark(mark), framed)
                case Disposition(feed=feed, outcome=outcome):
                    counts[feed, outcome] = counts.get((feed, outcome), 0) + 1
        for (feed, outcome), count in counts.items():
            metrics.CHANGES.labels("link", feed, outcome).inc(count)


def linked(change: PersonIdChange | DecisionChange | ReviewChange) -> tuple[str, str]:
    """Return the topic that a change goes to, and its key there."""
    match change:
        case PersonIdChange(person_id=person_id):
            return topics.PERSON_IDS, person_id
        case DecisionChange(decision=decision):
            return topics.DECISIONS, decision.decision_id
        case ReviewChange(review_id=review_id):
            return topics.REVIEWS, review_id


def identity_key(change: IdentityChange) -> bytes:
    """Return the key of an identity in the compacted topic."""
    return f"{change.department}|{change.table}|{change.key}|{change.role}|{change.ordinal}".encode()
