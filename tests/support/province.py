"""A simulated province's messages as the sink gets them: the normalizer's records and the linker's answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from avro.envelope import EnvelopeDecoder
from avro.record import Mark
from avro.registry import LocalRegistry
from connectors.feeds import Catalog
from connectors.simulate.events import CHANGES, SNAPSHOT, write
from connectors.simulate.population import Population
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.outputs import IdentityChange, Output, PersonChange, PersonIdChange, ReviewChange
from streams import hub, topics
from streams.link import linked
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files
from streams.schemas import TopicSchemas

__all__ = ["CHANGES", "SNAPSHOT", "Chunks", "Message", "Province"]


class Message(NamedTuple):
    """What the sink reads of a Kafka message; ``timestamp`` is in milliseconds since 1970."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: Any = None
    timestamp: int = 1_750_000_000_000


Chunks = list[list[Message]]


class Province:
    """A register's messages, batch by batch."""

    def __init__(self, folder: Path, people: int, transactions: int, seed: int = 7) -> None:
        whole = Catalog.load(None)
        self.catalog = hub.on_this_machine(whole)
        self.registry = LocalRegistry()
        self.schemas = TopicSchemas(self.registry, whole)
        self._known = {feed.topic for feed in self.catalog.feeds}
        self._folder = folder / "events"
        write(self._folder, Population(seed, people), transactions)
        self._normalizer = Normalizer(whole, EnvelopeDecoder(None))
        self._linker = DurableLinker(folder / "link", epoch=1, authority=whole.authority())
        self._linker.open()
        self._offset = 0
        self._time = Message("", b"").timestamp

    def batches(self, name: str, size: int) -> Iterator[Chunks]:
        """Yield the messages that so many records lead to, with what the linker said of those before them."""
        answers: Chunks = []
        found = self._outcomes(name)
        while part := list(islice(found, size)):
            records = [self._record(one) for one in part if isinstance(one, Recorded)]
            yield [records, *answers]
            answers = self._answers(part)
        if answers:
            yield answers

    def _outcomes(self, name: str) -> Iterator[Recorded | Mark]:
        for event in read_files([str(self._folder / name)]):
            if event.place.topic in self._known:  # type: ignore[union-attr]
                for outcome in self._normalizer.process(event):  # type: ignore[arg-type]
                    if isinstance(outcome, Recorded | Mark):
                        yield outcome

    def _message(self, topic: str, value: bytes) -> Message:
        self._time += 1
        return Message(topic, value, timestamp=self._time)

    def _record(self, one: Recorded) -> Message:
        return self._message(topics.RECORDS, self.schemas.frame_record(one.record.feed, one.datum))

    def _answers(self, part: Sequence[Recorded | Mark]) -> Chunks:
        entries = [
            LogEntry(self._offset + at, one.record if isinstance(one, Recorded) else one)
            for at, one in enumerate(part)
        ]
        self._offset += len(entries)
        by_topic: dict[str, list[Message]] = {}
        for output in self._linker.apply(entries):
            if (made := self._answer(output)) is not None:
                by_topic.setdefault(made.topic, []).append(made)
        return list(by_topic.values())

    def _answer(self, output: Output) -> Message | None:
        match output:
            case IdentityChange():
                datum = self.schemas.identity.encode(output.to_avro())
                return self._message(topics.IDENTITIES, self.schemas.frame_identity(datum))
            case PersonChange():
                datum = self.schemas.person.encode(output.to_avro())
                return self._message(topics.PERSONS, self.schemas.frame_person(datum))
            case PersonIdChange() | ReviewChange():
                topic, _ = linked(output)
                return self._message(topic, self.schemas.frame_linked(topic, output.to_avro()))
            case _:
                return None

    def close(self) -> None:
        """Close the linker."""
        self._linker.close()
