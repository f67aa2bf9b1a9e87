"""The sink: everything that the store shows, written in batches and acknowledged after they are durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog

from avro.record import Mark, MarkKind
from connectors.clickhouse import Batch, Writer
from connectors.errors import TransientError
from monitoring import metrics
from streams import topics
from streams.normalize import read_dead_letter, read_heartbeat
from streams.schemas import LogRecord, TopicSchemas

log = structlog.get_logger()

RETRY_FIRST: Final = 0.2
RETRY_LAST: Final = 10.0
"""Seconds between attempts to write: doubled each time, so that a full disk is noticed soon and not hammered."""

MICRO: Final = 1_000_000


class SinkAgent:
    """Turns chunks of renkou's topics into batches for the writer."""

    def __init__(self, writer: Writer, schemas: TopicSchemas, heartbeats: dict[str, str]) -> None:
        """``heartbeats`` maps a heartbeat topic to its department."""
        self._writer = writer
        self._schemas = schemas
        self._heartbeats = heartbeats
        self._normalized: dict[str, int] = {}
        self._linked: dict[str, int] = {}
        self._queryable: dict[str, int] = {}
        self.failing = ""
        """Why the last attempt to write failed; empty when it did not."""

    def write(self, chunks: Sequence[Sequence[Any]]) -> None:
        """Write the chunks as one batch; returns when they are durable. Raises TransientError, TerminalError."""
        started = time.monotonic()
        batch = Batch()
        latencies: list[tuple[str, int]] = []
        for chunk in chunks:
            self._fill(batch, chunk, latencies)
        now = time.time_ns() // 1000
        reached = {
            department: min(linked, self._normalized[department])
            for department, linked in self._linked.items()
            if department in self._normalized
        }
        for department, frontier in reached.items():
            if frontier > self._queryable.get(department, 0):
                batch.add_frontier(department, "queryable", frontier, now)
        result = self._writer.write(batch)
        self._queryable.update(reached)
        self._observe(latencies, result.rows, time.monotonic() - started)

    def _fill(self, batch: Batch, chunk: Sequence[Any], latencies: list[tuple[str, int]]) -> None:
        topic = chunk[0].topic
        if topic == topics.RECORDS:
            for message in chunk:
                entry = self._schemas.read_log(message.value)
                if isinstance(entry, LogRecord):
                    record = entry.record
                    batch.add_record(record.feed, entry.datum, record)
                    if not record.snapshot:
                        latencies.append((record.feed.partition(".")[0], record.source_time))
                else:
                    self._mark(batch, entry)
        elif topic == topics.IDENTITIES:
            for message in chunk:
                identity = self._schemas.read_identity(message.value)
                if isinstance(identity, Mark):
                    self._passed(batch, identity)
                else:
                    batch.add_identity(identity)
        elif topic == topics.PERSONS:
            for message in chunk:
                batch.add_person(self._schemas.read_person(message.value))
        elif topic == topics.DEAD_LETTERS:
            for message in chunk:
                batch.add_dead_letter(read_dead_letter(message.key, message.value, message.headers))
        else:
            captured = read_heartbeat(chunk[-1].value)
            if captured is not None:
                self._frontier(batch, self._heartbeats[topic], "captured", captured)

    def _mark(self, batch: Batch, mark: Mark) -> None:
        if mark.kind is MarkKind.TRUNCATE:
            batch.add_mark(mark)
        else:
            self._normalized[mark.department] = mark.source_time
            self._frontier(batch, mark.department, "normalized", mark.source_time)

    def _passed(self, batch: Batch, mark: Mark) -> None:
        if mark.kind is MarkKind.FRONTIER:
            self._linked[mark.department] = mark.source_time
            self._frontier(batch, mark.department, "linked", mark.source_time)

    @staticmethod
    def _frontier(batch: Batch, department: str, stage: str, frontier: int) -> None:
        batch.add_frontier(department, stage, frontier, time.time_ns() // 1000)
        metrics.FRONTIER.labels(department, stage).set(frontier / MICRO)

    def _observe(self, latencies: list[tuple[str, int]], rows: dict[str, int], seconds: float) -> None:
        now = time.time_ns() // 1000
        for department, source_time in latencies:
            metrics.QUERYABLE_SECONDS.labels(department).observe((now - source_time) / MICRO)
        for table, count in rows.items():
            metrics.ROWS.labels(table).inc(count)
        metrics.BATCH_SECONDS.labels("store").observe(seconds)
        for department, frontier in self._queryable.items():
            metrics.FRONTIER.labels(department, "queryable").set(frontier / MICRO)

    async def write_until_done(self, chunks: Sequence[Sequence[Any]]) -> None:
        """Write off the event loop; repeat the same chunks while the store is away. Raises TerminalError."""
        pause = RETRY_FIRST
        while True:
            try:
                await asyncio.to_thread(self.write, chunks)
            except TransientError as error:
                self.failing = str(error)
                metrics.RETRIES.labels("store").inc()
                log.warning("the store does not take the batch, trying again", error=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST)
            else:
                self.failing = ""
                return
