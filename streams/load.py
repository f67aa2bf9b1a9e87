"""Deliveries of files into the running hub, or into a store without one.

A delivery is scanned, compared with what was delivered before, and sent in steps. Behind each step the ledger notes how
far it came, so that a load that was killed goes on there; what was sent twice has one version.
"""

from __future__ import annotations

import csv
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from avro.change import RawEvent, with_origin
from avro.envelope import EnvelopeDecoder, Ignored
from avro.record import DeadLetter, Mark
from connectors.errors import DeliveryError
from connectors.feeds import Catalog, Feed
from connectors.files.comparison import Comparison, Outcome
from connectors.files.delivery import CONTROL, Delivery, find_delivery
from connectors.files.ledger import Ledger
from connectors.files.rows import LINE_LIMIT, Position
from streams import topics
from streams.normalize import Normalizer, Recorded, dead_letter_headers
from streams.producer import Producer
from streams.replay import STEP, Replay, Summary

MOST_SHOWN: Final = 20
"""Lines set aside that are shown; all of them are in the report."""

Stop = Callable[[], bool]
Progress = Callable[[int], None]
OnDeadLetter = Callable[[DeadLetter], None]


class Way(Protocol):
    """Where events go. ``send`` returns the counts; ``progress`` is told how many became durable, step by step."""

    def send(
        self,
        events: Iterable[RawEvent | DeadLetter],
        progress: Progress,
        should_stop: Stop,
        on_dead_letter: OnDeadLetter,
    ) -> Summary: ...

    def delivered(self, feed: Feed, time: int) -> None:
        """Say that everything that the feed's source had at ``time`` (microseconds since 1970) was sent."""
        ...


class StoreWay:
    """Into the store of a data folder, in this process."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def send(
        self,
        events: Iterable[RawEvent | DeadLetter],
        progress: Progress,
        should_stop: Stop,
        on_dead_letter: OnDeadLetter,
    ) -> Summary:
        """See `Way`."""
        return self._replay.run(
            events, progress=progress, should_stop=should_stop, on_dead_letter=on_dead_letter
        )

    def delivered(self, feed: Feed, time: int) -> None:
        """Nothing: the rows' own times are the frontier."""


class HubWay:
    """Into the Kafka of a running hub.

    The events are normalized here as well, without effect: so the report names every line that the hub will set aside.
    """

    def __init__(self, catalog: Catalog, producer: Producer) -> None:
        self._catalog = catalog
        self._normalizer = Normalizer(catalog, EnvelopeDecoder(None))
        self._producer = producer

    def send(
        self,
        events: Iterable[RawEvent | DeadLetter],
        progress: Progress,
        should_stop: Stop,
        on_dead_letter: OnDeadLetter,
    ) -> Summary:
        """See `Way`."""
        summary = Summary()
        iterator = iter(events)
        while not should_stop() and (step := list(itertools.islice(iterator, STEP))):
            for event in step:
                self._send(event, summary, on_dead_letter)
            self._producer.flush()
            progress(len(step))
        return summary

    def delivered(self, feed: Feed, time: int) -> None:
        """Write what a connector's heartbeat says where the department has none."""
        if not any(sibling.is_captured for sibling in self._catalog.feeds_of(feed.department)):
            self._producer.send(
                topics.heartbeat(feed.department), None, msgspec.json.encode({"ts_ms": time // 1000})
            )
            self._producer.flush()

    def _send(self, event: RawEvent | DeadLetter, summary: Summary, on_dead_letter: OnDeadLetter) -> None:
        summary.read += 1
        if isinstance(event, DeadLetter):
            self._producer.send(topics.DEAD_LETTERS, event.key, event.value, dead_letter_headers(event))
            outcome: Recorded | DeadLetter | Mark | Ignored = event
        else:
            self._producer.send(event.place.topic, event.key, event.value, with_origin(event))
            outcome = self._normalizer.process(event)[0]
        match outcome:
            case Recorded(record=record):
                summary.deletes += record.is_deleted
                summary.records += not record.is_deleted
            case DeadLetter():
                on_dead_letter(outcome)
                summary.dead_letters += 1
            case Mark() | Ignored():
                summary.ignored += 1


class Refusal(msgspec.Struct, frozen=True):
    """A line that was set aside."""

    line: int
    rule: str
    error: str


@dataclass(slots=True)
class Loaded:
    """What became of one delivery. ``note`` says what the operator should know, empty when there is nothing."""

    delivery: Delivery
    summary: Summary = field(default_factory=Summary)
    refusals: list[Refusal] = field(default_factory=list)
    refused: int = 0
    note: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How deliveries are taken. ``delete_limit`` is in percent. ``confirm_deletes``: somebody has looked at what goes.
    ``again``: also what was loaded already, for a store that was made anew."""

    folder: Path
    delete_limit: float
    confirm_deletes: bool = False
    again: bool = False


class Loader:
    """Takes the deliveries of one feed, one after the other."""

    def __init__(self, feed: Feed, way: Way, options: Options) -> None:
        self._feed = feed
        self._way = way
        self._options = options

    def load(
        self,
        delivery: Delivery,
        *,
        progress: Progress = lambda _: None,
        should_stop: Stop = lambda: False,
    ) -> Loaded:
        """Load one delivery; returns when all of it is durable, or when it was told to stop.

        ``progress`` is told of records. Raises DeliveryError, with nothing sent, and the errors of the way.
        """
        with Ledger(self._options.folder, self._feed.id) as ledger:
            comparison = Comparison(self._feed, delivery, ledger)
            if self._options.again:
                ledger.forget(delivery.date, delivery.sequence)
            newest = ledger.newest_done()
            known = ledger.begin(
                delivery.date,
                delivery.sequence,
                delivery.control.sha256,
                comparison.plan,
                time.time_ns() // 1000,
            )
            scanned = comparison.scan()
            loaded = Loaded(delivery)
            if known.done:
                return _superseded(loaded, scanned.records, "it was loaded before")
            if comparison.is_full and (delivery.date, delivery.sequence) < newest:
                return _superseded(
                    loaded, scanned.records, f"delivery {newest[0]}_{newest[1]:03} is newer and was loaded"
                )
            comparison.everything = self._options.again
            self._decide_deletes(comparison, loaded)
            self._send(ledger, comparison, known.started, known.sent, loaded, progress, should_stop)
            if not loaded.stopped:
                ledger.finish(
                    delivery.date, delivery.sequence, full=comparison.is_full, deletes=comparison.deletes
                )
                self._way.delivered(self._feed, Position(delivery.date, delivery.sequence, 0).time)
            return loaded

    def _decide_deletes(self, comparison: Comparison, loaded: Loaded) -> None:
        scanned = comparison.scanned
        if not scanned.deletes or self._options.confirm_deletes:
            return
        if scanned.deletes * 100 > self._options.delete_limit * scanned.known:
            raise DeliveryError(
                f"{loaded.delivery.path}: {scanned.deletes} of {scanned.known} rows are not in it any more, more "
                f"than {self._options.delete_limit:g} %; nothing was taken: look at it, then load it with "
                "--confirm-deletes"
            )
        if scanned.keyless:
            comparison.deletes = False
            loaded.note = (
                f"{scanned.deletes} rows are not in it, but {scanned.keyless} lines could not be read: none was "
                "deleted; deliver it corrected, or load it with --again --confirm-deletes"
            )

    def _send(
        self,
        ledger: Ledger,
        comparison: Comparison,
        started: int,
        sent: int,
        loaded: Loaded,
        progress: Progress,
        should_stop: Stop,
    ) -> None:
        delivery = loaded.delivery
        counts = _Counts()
        durable = sent

        def on_step(count: int) -> None:
            nonlocal durable
            durable += count
            ledger.sent(delivery.date, delivery.sequence, durable)
            progress(count + counts.take())

        def on_dead_letter(letter: DeadLetter) -> None:
            loaded.refused += 1
            refusal = Refusal(letter.offset % LINE_LIMIT, letter.rule, letter.error)
            report.writerow((refusal.line, refusal.rule, refusal.error))
            if len(loaded.refusals) < MOST_SHOWN:
                loaded.refusals.append(refusal)

        path = self._report_path(delivery)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a", newline="") as file:
            if not sent:
                file.truncate(0)
            report = csv.writer(file)
            events = _pending(comparison.outcomes(started), sent, counts)
            summary = self._way.send(events, on_step, should_stop, on_dead_letter)
        if path.stat().st_size == 0:
            path.unlink()
        loaded.stopped = should_stop() and next(events, None) is not None
        left = counts.unchanged + counts.skipped
        summary.read += left
        summary.superseded += left
        loaded.summary = summary

    def _report_path(self, delivery: Delivery) -> Path:
        return self._options.folder / f"{delivery.name}.refused.csv"


class _Counts:
    """Rows that lead to nothing: those that are as they were, and those that were sent by a run before."""

    def __init__(self) -> None:
        self.unchanged = 0
        self.skipped = 0
        self._told = 0

    def take(self) -> int:
        """Return how many there are since the last call."""
        count = self.unchanged + self.skipped - self._told
        self._told += count
        return count


def _pending(outcomes: Iterator[Outcome], sent: int, counts: _Counts) -> Iterator[RawEvent | DeadLetter]:
    """Yield what is still to be sent."""
    for outcome in outcomes:
        if outcome is None:
            counts.unchanged += 1
        elif counts.skipped < sent:
            counts.skipped += 1
        else:
            yield outcome


def _superseded(loaded: Loaded, records: int, note: str) -> Loaded:
    loaded.summary = Summary(read=records, superseded=records)
    loaded.note = note
    return loaded


def find_deliveries(feed: Feed, paths: Iterable[Path]) -> list[Delivery]:
    """Return the deliveries in the order of their dates and sequence numbers. Control files among the paths are left
    out, as the shell's ``inbox/*`` names them as well. Raises DeliveryError, also when nothing is left."""
    files = [path for path in paths if not path.name.endswith(CONTROL)]
    if not files:
        raise DeliveryError("only control files are named; name the delivered files beside them")
    found = [find_delivery(path, feed.department, feed.type) for path in files]
    return sorted(found, key=lambda delivery: (delivery.date, delivery.sequence))
