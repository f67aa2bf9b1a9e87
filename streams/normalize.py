"""The normalize stage: captured events become records, dead letters and marks.

`Normalizer` is pure (bytes in, values out) and is what ``renkou replay`` runs as well; `NormalizeAgent` is the shell
around it that reads chunks and writes topics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from avro.change import (
    ORIGIN_HEADER,
    REPLAYED_HEADER,
    Change,
    Op,
    Place,
    RawEvent,
    carried,
    replayed_time,
)
from avro.envelope import KEY_HEADERS, EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.record import OPEN, DeadLetter, Mark, MarkKind, Record, letter_version, log_key, mark_key
from connectors.captured import topic_prefix
from connectors.errors import FeedMismatchError
from connectors.feeds import Catalog, Feed
from connectors.files.rows import enveloped
from monitoring import metrics
from streams import topics
from streams.producer import Producer
from streams.schemas import TopicSchemas


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A change that became a record."""

    record: Record
    datum: bytes


log = structlog.get_logger()

TELLING_HEADERS: Final = frozenset((*KEY_HEADERS, ORIGIN_HEADER, REPLAYED_HEADER))
"""Headers of an event that say more of it than its key and value do."""

_OWN_HEADERS: Final = ("__connect.errors.", "renkou.")

Outcome = Recorded | DeadLetter | Mark | Ignored


class Normalizer:
    """From an event to what it leads to. Stateless: the same event always gives the same outcomes."""

    def __init__(self, catalog: Catalog, decoder: EnvelopeDecoder) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._beside = {
            name: Ignored(reason)
            for department in catalog.departments
            for name, reason in (
                (topic_prefix(department.name), "schema change"),
                (f"{topic_prefix(department.name)}.transaction", "transaction"),
                (topics.heartbeat(department.name), "heartbeat"),
            )
        }
        """What connectors write beside the tables' topics: about no row."""

    def feed_of(self, topic: str) -> Feed | None:
        """Return the feed that is captured to a topic."""
        return self._catalog.by_topic(topic)

    def quick(self, feed: Feed, message: Any, front: bytes) -> tuple[bytes, int] | None:
        """Return the datum, behind ``front``, of a consumer's record that is a usual row of its feed, and its source
        time, 0 where a snapshot read it. None for any other, and where more follows than a record: `process` has all.
        """
        key, value = message.key, message.value
        if key is None or value is None or feed.layout is not None:
            return None
        for name, _ in message.headers:
            if name in TELLING_HEADERS:
                return None
        usual = self._decoder.usual(key, value, feed.shape, feed.origin, feed.generation, feed.kind)
        if usual is None:
            return None
        row, op, text, version, source_time, captured_time, marker = usual
        if marker == "last":
            return None
        written = feed.write(
            row, op, text, version, source_time, captured_time,
            feed.topic, message.partition, message.offset, None, None, front, False,
        )  # fmt: skip
        return None if written is None else (written[1], 0 if op is Op.READ else source_time)

    def process(self, event: RawEvent) -> list[Outcome]:
        """Return what ``event`` leads to: one outcome, and marks behind it."""
        feed = self._catalog.by_topic(event.place.topic)
        if feed is None:
            beside = self._beside.get(event.place.topic)
            if beside is not None:
                return [beside]
            error = "no feed reads this topic; add one, then renkou dead-letters replay"
            return [_dead(event, "", "unknown_topic", error)]
        try:
            plain = enveloped(feed, event) if feed.layout is not None else event
            change = self._decoder.decode(plain, feed.generation, feed.kind, feed.shape)
        except DecodeError as error:
            return [_dead(event, feed.id, error.rule, str(error))]
        if isinstance(change, Ignored):
            return [change]
        if change.op is Op.TRUNCATE:
            return [_truncation(feed, change)]
        outcome = self._record(event, feed, change)
        if change.snapshot == "last":
            # What an interrupted earlier snapshot left, and this one did not see, is gone from the source.
            return [
                outcome,
                *(
                    _truncation(sibling, change)
                    for sibling in self._catalog.feeds_of(feed.department)
                    if sibling.is_captured
                ),
            ]
        return [outcome]

    def unknown_columns(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield each feed that was sent columns which it neither names nor excludes, and these."""
        for feed in self._catalog.feeds:
            if feed.unknown_columns:
                yield feed.id, frozenset(feed.unknown_columns)

    @staticmethod
    def _record(event: RawEvent, feed: Feed, change: Change) -> Recorded | DeadLetter:
        try:
            return Recorded(*feed.encode(change))
        except FeedMismatchError as error:
            return _dead(event, feed.id, error.rule, str(error))
        except (ValueError, TypeError) as error:
            # The codec names the field and never the value.
            return _dead(
                event,
                feed.id,
                "unfit_value",
                f"{error}; mend the feed's .avsc, then renkou dead-letters replay",
            )


def _truncation(feed: Feed, change: Change) -> Mark:
    return Mark(MarkKind.TRUNCATE, feed.department, feed.id, change.version, change.source_time)


def _dead(event: RawEvent, feed: str, rule: str, error: str) -> DeadLetter:
    place = event.place
    return DeadLetter(
        feed=feed,
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        stage="normalize",
        rule=rule,
        error=error,
        key=event.key,
        value=event.value,
        headers=_original(event.headers or ()),
        timestamp=event.timestamp,
        state_version=letter_version(replayed_time(event), failed=True),
    )


def _original(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]] | None:
    """Return the headers that an event had before renkou carried it anywhere, None when it had none."""
    return [header for header in headers if not header[0].startswith(_OWN_HEADERS)] or None


def heartbeat_time(decoder: EnvelopeDecoder, chunk: Sequence[Any]) -> int | None:
    """Return the time of the last heartbeat of a chunk in microseconds, None (and a warning) when it is none."""
    (event,) = events_of(chunk[-1:])
    try:
        return decoder.heartbeat(event)
    except DecodeError as error:
        log.warning(
            "a heartbeat cannot be read", topic=event.place.topic, offset=event.place.offset, rule=error.rule
        )
        return None


def events_of(chunk: Iterable[Any]) -> Iterator[RawEvent]:
    """Return the consumer records of a chunk as events."""
    for message in chunk:
        event = RawEvent(
            Place(message.topic, message.partition, message.offset),
            message.key,
            message.value,
            list(message.headers) or None,
            message.timestamp,
        )
        yield carried(event) if message.headers else event


class NormalizeAgent:
    """Reads chunks of captured events and writes ``renkou.records`` and ``renkou.dead-letters``."""

    def __init__(self, normalizer: Normalizer, schemas: TopicSchemas, producer: Producer) -> None:
        self._normalizer = normalizer
        self._schemas = schemas
        self._producer = producer
        self._reported: dict[str, frozenset[str]] = {}

    def process(
        self, chunks: Sequence[Sequence[Any]], sent: Callable[[Sequence[int]], None] | None = None
    ) -> None:
        """Write what the chunks lead to. Returns when everything is durable in the broker.

        ``sent`` is called when all of it is on its way, with each chunk's newest commit time of a streamed change, 0
        for a chunk without one: marks that it sends come behind the chunks. Raises BrokerUnavailableError.
        """
        newest: list[int] = []
        counts: Counter[tuple[str, str]] = Counter()
        for chunk in chunks:
            feed = self._normalizer.feed_of(chunk[0].topic)
            times: list[int] = []
            unusual = chunk if feed is None else self._write_usual(feed, chunk, times, counts)
            for event in events_of(unusual):
                for outcome in self._normalizer.process(event):
                    counts[self._write(outcome)] += 1
                    if isinstance(outcome, Recorded) and not outcome.record.snapshot:
                        times.append(outcome.record.source_time)
            newest.append(max(times, default=0))
        if sent is not None:
            sent(newest)
        self._producer.flush()
        for (name, what), count in counts.items():
            metrics.CHANGES.labels("normalize", name, what).inc(count)
        self._report_columns()

    def _write_usual(
        self, feed: Feed, chunk: Sequence[Any], times: list[int], counts: Counter[tuple[str, str]]
    ) -> Iterator[Any]:
        """Write the usual rows of a chunk and yield every other message where it stands among them; note the rows'
        times and how many there are."""
        quick, send = self._normalizer.quick, self._producer.send
        front, key_front = self._schemas.frame_record(feed.id, b""), log_key(feed.id, "")
        written = latest = 0
        for message in chunk:
            usual = quick(feed, message, front)
            if usual is None:
                yield message
                continue
            value, time = usual
            send(topics.RECORDS, key_front + message.key, value)
            written += 1
            latest = max(latest, time)
        counts[feed.id, "record"] += written
        if latest:
            times.append(latest)

    def _report_columns(self) -> None:
        """Say which columns came that nobody named: they are dropped until a feed names them."""
        for feed, columns in self._normalizer.unknown_columns():
            if columns != self._reported.get(feed):
                self._reported[feed] = columns
                metrics.UNKNOWN_COLUMNS.labels(feed).set(len(columns))
                log.warning(
                    "columns that no feed names were not taken",
                    feed=feed,
                    columns=sorted(columns),
                    action="name or exclude them in the feed",
                )

    def send_frontiers(self, reached: Mapping[str, int]) -> None:
        """Send a frontier mark for each department, with its time, behind everything that was sent before."""
        for department, time in reached.items():
            self._write(Mark(MarkKind.FRONTIER, department, "", 0, time))

    def flush(self) -> None:
        """Return when everything that was sent is durable in the broker. Raises BrokerUnavailableError."""
        self._producer.flush()

    def _write(self, outcome: Outcome) -> tuple[str, str]:
        match outcome:
            case Recorded(record=record, datum=datum):
                key = log_key(record.feed, record.key)
                self._producer.send(topics.RECORDS, key, self._schemas.frame_record(record.feed, datum))
                return record.feed, "delete" if record.is_deleted else "record"
            case Mark():
                self._producer.send(topics.RECORDS, mark_key(outcome), self._schemas.frame_mark(outcome))
                return outcome.feed, str(outcome.kind)
            case DeadLetter():
                self._producer.send(
                    topics.DEAD_LETTERS, outcome.key, outcome.value, dead_letter_headers(outcome)
                )
                return outcome.feed, "dead_letter"
            case Ignored():
                return "", "ignored"


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """Return the original headers and, behind them, Kafka Connect's and our own about the failure."""
    about = {
        "__connect.errors.topic": letter.topic,
        "__connect.errors.partition": str(letter.partition),
        "__connect.errors.offset": str(letter.offset),
        "__connect.errors.connector.name": "renkou",
        "__connect.errors.task.id": "0",
        "__connect.errors.stage": letter.stage,
        "__connect.errors.class.name": "streams.normalize.Normalizer",
        "__connect.errors.exception.class.name": "avro.errors.DecodeError",
        "__connect.errors.exception.message": letter.error,
        "__connect.errors.exception.stacktrace": "",
        "renkou.feed": letter.feed,
        "renkou.rule": letter.rule,
        "renkou.timestamp": str(letter.timestamp),
        "renkou.state": letter.state,
        "renkou.state-version": str(letter.state_version),
    }
    return [*(letter.headers or []), *((name, value.encode()) for name, value in about.items())]


def read_dead_letter(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> DeadLetter:
    """Return the dead letter that a message of ``renkou.dead-letters`` holds: the inverse of `dead_letter_headers`."""
    about = {
        name: (text or b"").decode() for name, text in headers if name.startswith(("__connect.", "renkou."))
    }
    return DeadLetter(
        feed=about["renkou.feed"],
        topic=about["__connect.errors.topic"],
        partition=int(about["__connect.errors.partition"]),
        offset=int(about["__connect.errors.offset"]),
        stage=about["__connect.errors.stage"],
        rule=about["renkou.rule"],
        error=about["__connect.errors.exception.message"],
        key=key,
        value=value,
        headers=_original(headers),
        timestamp=int(about["renkou.timestamp"]),
        # Letters from before they had a state are open.
        state=about.get("renkou.state", OPEN),
        state_version=int(about.get("renkou.state-version", "0")),
    )
