"""The sink: everything that the store shows, written in batches and acknowledged after they are durable."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from avro.envelope import EnvelopeDecoder
from avro.record import Mark, MarkKind
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.complaint import Complaint
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.writer import Writer, WriteResult
from connectors.errors import TransientError
from connectors.feeds import Catalog
from monitoring import metrics
from streams import topics
from streams.normalize import heartbeat_time, read_dead_letter
from streams.schemas import LogDatum, TopicSchemas

log = structlog.get_logger()

RETRY_FIRST: Final = 0.2
RETRY_LAST: Final = 10.0
"""Seconds between attempts to write: doubled each time, so that a full disk is noticed soon and not hammered."""

_LINKED_IN: Final = (topics.IDENTITIES, topics.PERSONS)
MICRO: Final = 1_000_000
MILLI: Final = 1000
"""Microseconds of a millisecond, in which Kafka tells times."""


def feed_tables(catalog: Catalog) -> list[FeedTable]:
    """Return the feeds as the store makes tables of them."""
    return [FeedTable(feed.id, feed.codec.schema, feed.roles) for feed in catalog.feeds]


BEHIND_MICROS: Final = 4 * MICRO
"""Age of the freshest source from which on the hub is behind: beside heartbeats and their way, several batches."""


class SourceBoard:
    """What the sink and the watch of the sources tell each other.

    ``frontiers`` holds, by department and stage, the source time reached, in microseconds. ``sink_error`` says why the
    last attempt to write failed, empty when it did not; ``writing_since`` is when the present batch was begun
    (monotonic seconds, None between two). ``stored`` counts each department's records that were stored. ``states``
    holds each source's state, since when it is in it and when that was noted, for the next batch. ``complaints`` are
    what the store's upkeep has found.
    """

    def __init__(self) -> None:
        self.frontiers: dict[str, dict[str, int]] = defaultdict(dict)
        self.sink_error = ""
        self.writing_since: float | None = None
        self.stored: dict[str, int] = defaultdict(int)
        self.states: dict[str, tuple[str, int, int]] = {}
        self.complaints: tuple[Complaint, ...] = ()

    def is_behind(self) -> bool:
        """Whether even the source that is queryable up to the latest moment is `BEHIND_MICROS` old: then it is the hub
        that is late, not a source."""
        reached = [stages["queryable"] for stages in list(self.frontiers.values()) if "queryable" in stages]
        return bool(reached) and time.time_ns() // 1000 - max(reached) > BEHIND_MICROS


class SinkAgent:
    """Turns chunks of renkou's topics into batches for the writer."""

    def __init__(
        self,
        writer: Writer,
        schemas: TopicSchemas,
        decoder: EnvelopeDecoder,
        heartbeats: Mapping[str, str],
        board: SourceBoard,
    ) -> None:
        """``heartbeats`` maps a heartbeat topic to its department."""
        self._decoder = decoder
        self._writer = writer
        self._schemas = schemas
        self._heartbeats = heartbeats
        self._board = board
        self._linked: dict[str, dict[str, int]] = {}

    def write(self, chunks: Sequence[Sequence[Any]]) -> bool:
        """Write the chunks as one batch; returns when they are durable, whether there were any data.

        Raises TransientError, TerminalError.
        """
        started = time.monotonic()
        batch = Batch()
        for chunk in chunks:
            self._fill(batch, chunk)
        now = time.time_ns() // 1000
        queryable = self._queryable()
        for department, frontier in queryable.items():
            batch.add_frontier(department, "queryable", frontier, now)
        for department, (state, since, noted) in list(self._board.states.items()):
            batch.add_source_state(department, state, since, noted)
        # Nobody who asks for the frontier need wait for its own row.
        result = self._writer.write(batch, lambda: self._are_queryable(queryable))
        for feed, rows in batch.rows.items():
            self._board.stored[feed.partition(".")[0]] += len(rows)
        self._observe(result, time.monotonic() - started)
        return batch.has_data

    def _queryable(self) -> dict[str, int]:
        """Return what is queryable once this batch is durable: what has come through both of the sink's inputs."""
        return {
            department: min(stages["normalized"], stages["linked"])
            for department, stages in list(self._board.frontiers.items())
            if "normalized" in stages and "linked" in stages
        }

    def _are_queryable(self, frontiers: Mapping[str, int]) -> None:
        for department, frontier in frontiers.items():
            self._reached(department, "queryable", frontier)

    def _reached(self, department: str, stage: str, frontier: int) -> None:
        self._board.frontiers[department][stage] = frontier
        metrics.FRONTIER.labels(department, stage).set(frontier / MICRO)

    def _fill(self, batch: Batch, chunk: Sequence[Any]) -> None:
        topic = chunk[0].topic
        if topic == topics.RECORDS:
            for message in chunk:
                entry = self._schemas.read_datum(message.value)
                if isinstance(entry, LogDatum):
                    batch.add_record(entry.feed, entry.datum, message.timestamp * MILLI)
                elif isinstance(entry, Mark):
                    self._mark(batch, entry)
        elif topic == topics.IDENTITIES:
            for message in chunk:
                identity = self._schemas.read_identity(message.value)
                if isinstance(identity, Mark):
                    self._passed(batch, topic, identity)
                else:
                    batch.add_identity(identity, message.timestamp * MILLI)
        elif topic == topics.PERSONS:
            for message in chunk:
                person = self._schemas.read_person(message.value)
                if isinstance(person, Mark):
                    self._passed(batch, topic, person)
                else:
                    batch.add_person(person, message.timestamp * MILLI)
        elif topic in topics.LINKED:
            for message in chunk:
                batch.add_linked(topics.LINKED[topic], self._schemas.read_linked(topic, message.value))
        elif topic == topics.DEAD_LETTERS:
            for message in chunk:
                batch.add_dead_letter(read_dead_letter(message.key, message.value, message.headers))
        else:
            captured = heartbeat_time(self._decoder, chunk)
            if captured is not None:
                self._frontier(batch, self._heartbeats[topic], "captured", captured)

    def _mark(self, batch: Batch, mark: Mark) -> None:
        if mark.kind is MarkKind.TRUNCATE:
            batch.add_mark(mark)
        else:
            self._frontier(batch, mark.department, "normalized", mark.source_time)

    def _passed(self, batch: Batch, topic: str, mark: Mark) -> None:
        """Linked is what has come with the identities and with the persons: one topic may be far behind the other."""
        if mark.kind is MarkKind.FRONTIER:
            passed = self._linked.setdefault(mark.department, dict.fromkeys(_LINKED_IN, 0))
            passed[topic] = max(passed[topic], mark.source_time)
            reached = min(passed.values())
            if reached > self._board.frontiers[mark.department].get("linked", 0):
                self._frontier(batch, mark.department, "linked", reached)

    def _frontier(self, batch: Batch, department: str, stage: str, frontier: int) -> None:
        batch.add_frontier(department, stage, frontier, time.time_ns() // 1000)
        self._reached(department, stage, frontier)

    def _observe(self, result: WriteResult, seconds: float) -> None:
        now = time.time_ns() // 1000
        for department, source_times in result.streamed.items():
            metrics.QUERYABLE_SECONDS.observe(department, [(now - moment) / MICRO for moment in source_times])
        for table, count in result.rows.items():
            metrics.ROWS.labels(table).inc(count)
        metrics.BATCH_SECONDS.labels("store").observe(seconds)

    async def write_until_done(self, chunks: Sequence[Sequence[Any]]) -> bool:
        """Write off the event loop; repeat the same chunks while the store is away. Return whether they held marks
        alone, which cost no insert. Raises TerminalError.
        """
        pause = RETRY_FIRST
        while True:
            self._board.writing_since = time.monotonic()
            try:
                has_data = await asyncio.to_thread(self.write, chunks)
            except TransientError as error:
                self._board.sink_error = str(error)
                metrics.RETRIES.labels("store").inc()
                log.warning(
                    "the store does not take the batch, trying again", error=str(error), seconds=pause
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST)
            else:
                self._board.sink_error = ""
                self._board.writing_since = None
                return not has_data
