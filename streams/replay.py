"""Events from files through normalize, link and sink in one process, without Kafka.

The files are lines as ``kcat -J`` prints them. Everything goes through the very functions that the stages run, in steps
of `STEP` lines. A step writes the rows, then logs and links, then writes what linking gave: a kill between any two of
these leaves rows that are written again with the same versions, or outputs that the linker gives again.

The log offset counts only changes that are new to the linker, so a run after a kill gives the versions and person ids
that an undisturbed run gives.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from avro.change import RawEvent, carried
from avro.codec import DatumCodec
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.kcat import read_line
from avro.record import DeadLetter, Decision, LogValue, Mark, TableSwitch
from avro.schema import shared_schema
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.history import newest_noted
from connectors.clickhouse.store import Store, open_store
from connectors.errors import TerminalError
from connectors.feeds import Catalog
from linkage.durable import DurableLinker
from linkage.engine import DECISION, SWITCH, LogEntry
from linkage.outputs import (
    DecisionChange,
    Disposition,
    IdentityChange,
    Output,
    PersonChange,
    PersonIdChange,
    ReviewChange,
)
from streams import topics
from streams.decisions import decision_in
from streams.link import linked
from streams.normalize import Normalizer, Recorded
from streams.settings import Settings
from streams.sink import feed_tables

STEP: Final = 2000
"""Lines a step: two batches for the store and one fsync each."""
Outcome = Recorded | Mark | Decision | TableSwitch | DeadLetter | Ignored

REPLAY_STAGE: Final = "replay"
"""Where a dead letter stopped that was no message at all."""


class Summary(msgspec.Struct):
    """What became of the lines that were read: the others sum to ``read``."""

    read: int = 0
    records: int = 0
    deletes: int = 0
    superseded: int = 0
    ignored: int = 0
    dead_letters: int = 0


def parse_line(line: bytes, source: str, number: int) -> RawEvent | DeadLetter:
    """Return the event of a line, or a dead letter that names file and line when it is none."""
    try:
        return carried(read_line(line))
    except DecodeError as error:
        return DeadLetter(
            feed="",
            topic=f"file:{source}",
            partition=0,
            offset=number,
            stage=REPLAY_STAGE,
            rule=error.rule,
            error=f"line {number} of {source}: {error}",
            key=None,
            value=line,
        )


def read_files(files: Sequence[str]) -> Iterator[RawEvent | DeadLetter]:
    """Return the events of the files in the order given; ``-`` is standard input. Raises OSError."""
    for name in files:
        stream = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115 - closed below
        with stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield parse_line(line, "standard input" if name == "-" else Path(name).name, number)


class Replay:
    """A store and a linker in a data folder, and the way of an event through both."""

    def __init__(self, settings: Settings) -> None:
        """Open both. Raises the errors of feeds, store and linker; a running hub on the folder is one."""
        catalog = Catalog.load(settings.feeds)
        self._on_dead_letter: Callable[[DeadLetter], None] = lambda _: None
        self._catalog = catalog
        self.summary = Summary()
        self.by_feed: dict[str, Summary] = {}
        """The counts of the last run by feed; under an empty name what is of no feed."""
        self._normalizer = Normalizer(catalog, EnvelopeDecoder(None))
        self._identities = DatumCodec(shared_schema("Identity"))
        self._persons = DatumCodec(shared_schema("Person"))
        self._linked = {name: DatumCodec(shared_schema(name)) for name in topics.LINKED.values()}
        self._store: Store = open_store(settings.data / "store", "", feed_tables(catalog))
        self._linker = DurableLinker(
            settings.data / "link", epoch=settings.epoch, authority=catalog.authority()
        )
        try:
            # Where a kill came between rows and outputs, these are of the newest rows.
            self._noted = newest_noted(self._store.side)
            self._write_outputs(self._linker.open())
            self._linker.checkpoint()
        except BaseException:
            self.close()
            raise

    def run(
        self,
        events: Iterable[RawEvent | DeadLetter | Decision | TableSwitch],
        *,
        progress: Callable[[int], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        on_dead_letter: Callable[[DeadLetter], None] = lambda _: None,
    ) -> Summary:
        """Take every event and return the counts. Between two steps it may be told to stop.

        ``progress`` is told how many events have become durable, ``on_dead_letter`` of each that could not be read.
        """
        summary = self.summary = Summary()
        self.by_feed.clear()
        self._on_dead_letter = on_dead_letter
        iterator = iter(events)
        while not should_stop():
            step = list(itertools.islice(iterator, STEP))
            if not step:
                break
            self._step(step)
            progress(len(step))
        return summary

    def close(self) -> None:
        """Close linker and store."""
        self._linker.close()
        self._store.close()

    def _outcomes(self, event: RawEvent | DeadLetter | Decision | TableSwitch) -> Sequence[Outcome]:
        if not isinstance(event, RawEvent):
            return [event]
        if event.place.topic == topics.RECORDS:
            return [decision_in(event)]
        return self._normalizer.process(event)

    def _feed_of(self, event: RawEvent | DeadLetter | Decision | TableSwitch) -> str:
        """Return the feed that a line is counted under, empty for lines of none."""
        match event:
            case Decision():
                return DECISION
            case TableSwitch():
                return SWITCH
            case DeadLetter():
                return event.feed
        feed = self._catalog.by_topic(event.place.topic)
        if feed is not None:
            return feed.id
        return DECISION if event.place.topic == topics.RECORDS else ""

    def _count(self, feed: str, what: str) -> None:
        for counts in (self.summary, self.by_feed.setdefault(feed, Summary())):
            setattr(counts, what, getattr(counts, what) + 1)

    def _step(self, events: Sequence[RawEvent | DeadLetter | Decision | TableSwitch]) -> None:
        batch = Batch()
        log: list[LogValue] = []
        newest: dict[str, int] = {}
        for event in events:
            source = self._feed_of(event)
            self._count(source, "read")
            outcomes = self._outcomes(event)
            for outcome in outcomes:
                match outcome:
                    case Recorded(record=record, datum=datum):
                        batch.add_record(record.feed, datum, record.captured_time, record)
                        self._noted = max(self._noted, record.captured_time)
                        department = record.feed.partition(".")[0]
                        newest[department] = max(newest.get(department, 0), record.source_time)
                        if self._linker.engine.supersedes(record):
                            self._count(source, "superseded")
                        else:
                            log.append(record)
                    case Mark():
                        batch.add_mark(outcome)
                        log.append(outcome)
                    case Decision():
                        if self._linker.engine.state.decisions.knows(outcome):
                            self._count(source, "superseded")
                        else:
                            log.append(outcome)
                    case TableSwitch():
                        log.append(outcome)
                    case DeadLetter():
                        batch.add_dead_letter(outcome)
                        self._on_dead_letter(outcome)
                        self._count(source, "dead_letters")
                    case Ignored():
                        self._count(source, "ignored")
            if isinstance(outcomes[0], Mark):
                self._count(source, "deletes")  # a TRUNCATE: its mark is all it leads to
        self._store.writer.write(batch)
        first = self._linker.offset
        outputs = self._linker.apply([LogEntry(first + index, entry) for index, entry in enumerate(log)])
        self._write_outputs(outputs, newest)
        self._linker.checkpoint()
        for output in outputs:
            if isinstance(output, Disposition):
                match output.outcome:
                    case "applied":
                        self._count(output.feed, "records")
                    case "deleted":
                        self._count(output.feed, "deletes")
                    case "superseded":
                        self._count(output.feed, "superseded")
                    case other:
                        raise TerminalError(
                            f"the linker answered {other!r}; this is a defect of renkou, report it"
                        )

    def _write_outputs(self, outputs: Sequence[Output], frontiers: dict[str, int] | None = None) -> None:
        batch = Batch()
        for output in outputs:
            if isinstance(output, IdentityChange):
                batch.add_identity(self._identities.encode(output.to_avro()), self._noted)
            elif isinstance(output, PersonChange):
                batch.add_person(self._persons.encode(output.to_avro()), self._noted)
            elif isinstance(output, PersonIdChange | DecisionChange | ReviewChange):
                name = topics.LINKED[linked(output)[0]]
                batch.add_linked(name, self._linked[name].encode(output.to_avro()))
        now = time.time_ns() // 1000
        for department, frontier in (frontiers or {}).items():
            for stage in ("captured", "normalized", "linked", "queryable"):
                batch.add_frontier(department, stage, frontier, now)
        self._store.writer.write(batch)
