"""Verification of the hub's feeds against its sources: finds the databases, the store and the frontier, and repairs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final

import structlog

from avro.registry import ConfluentRegistry
from connectors import endpoints
from connectors.clickhouse.access import Access, rows
from connectors.clickhouse.schema import FeedTable
from connectors.errors import ConnectorError, TerminalError
from connectors.feeds import Catalog, Feed
from monitoring import metrics
from monitoring.reconcile import FeedReport, Kind, Pace, Verifier
from monitoring.reconcile.mariadb import MariadbTable
from monitoring.reconcile.postgresql import PostgresqlTable
from monitoring.reconcile.source import SourceTable
from monitoring.reconcile.stored import StoredTable
from streams.producer import Producer
from streams.repair import Repairer
from streams.schemas import TopicSchemas
from streams.settings import Settings

log = structlog.get_logger()

MICRO: Final = 1_000_000

REPAIR_SECONDS: Final = 240.0
"""How long a repair may take from the signal to the store: a snapshot of a few rows among all that is on its way."""

ASK_AGAIN_SECONDS: Final = 30.0
"""Debezium has been seen to give no row for a signal among many changes: what has not come by then is asked for again.
Asked for twice, a row comes twice, and the second changes nothing."""

OPENERS: Final[Mapping[str, Callable[[str, Feed], SourceTable]]] = {
    "postgresql": PostgresqlTable,
    "mariadb": MariadbTable,
}
"""How a feed's table is read, by the kind of its source."""


def sources_of(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """Return each department's database: those given, else those of the hub that runs on the data folder."""
    running = endpoints.load(settings.data)
    return {**(running.sources if running is not None else {}), **given}


def new_id() -> str:
    """Return an id for one verification of one or more feeds."""
    return uuid.uuid4().hex


class Verification:
    """Verifies feeds one after the other. One thread at a time."""

    def __init__(
        self,
        catalog: Catalog,
        access: Access,
        sources: Mapping[str, str],
        pace: Pace,
        stopping: Callable[[], bool] = lambda: False,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """``sources`` has each department's database; its password is used for reading only. Verification gives way
        while the hub is ``behind``."""
        self._behind = behind
        self._catalog = catalog
        self._access = access
        self._sources = sources
        self._pace = pace
        self._stopping = stopping

    def feeds(self, wanted: Iterable[str] = ()) -> list[Feed]:
        """Return the feeds of these ids, without any those that have a database. Raises FeedError, TerminalError."""
        named = [self._catalog.by_id(name) for name in wanted]
        for feed in named:
            if feed.kind not in OPENERS:
                raise TerminalError(
                    f"feed {feed.id} has no database to compare with: its source is {feed.kind}"
                )
            if feed.department not in self._sources:
                raise TerminalError(
                    f"the database of {feed.department} is not known; name it with"
                    f" --source {feed.department}=postgresql://USER@HOST:PORT/DATABASE"
                )
        return named or [
            feed for feed in self._catalog.feeds if feed.kind in OPENERS and feed.department in self._sources
        ]

    def run(
        self, feeds: Iterable[Feed], verification: str, repairer: Repairer | None = None
    ) -> Iterator[FeedReport]:
        """Yield the report of each feed; rows are repaired when there is a ``repairer``. Blocks.

        A feed that cannot be compared has a report that says why.
        """
        for feed in feeds:
            report = FeedReport(feed.id, verification)
            try:
                self._one(feed, report, repairer)
            except ConnectorError as error:
                report.error = str(error)
            report.finished = report.finished or time.time_ns() // 1000
            yield report

    def _one(self, feed: Feed, report: FeedReport, repairer: Repairer | None) -> None:
        report.started = time.time_ns() // 1000
        with ExitStack() as closing:
            source = OPENERS[feed.kind](self._sources[feed.department], feed)
            closing.callback(source.close)
            table = FeedTable(feed.id, feed.codec.schema, feed.roles)
            stored = StoredTable(self._access, table)
            verifier = Verifier(
                source,
                stored,
                lambda: self._frontier(feed.department),
                self._pace,
                stopping=self._stopping,
                behind=self._behind,
            )
            verifier.run(report)
            if repairer is not None and report.differences:
                self._repair(feed, source, verifier, report, repairer)

    def _repair(
        self,
        feed: Feed,
        source: SourceTable,
        verifier: Verifier,
        report: FeedReport,
        repairer: Repairer,
    ) -> None:
        found = len(report.differences)
        deadline = time.monotonic() + REPAIR_SECONDS
        asked = float("-inf")
        while report.differences and time.monotonic() < deadline and not self._stopping():
            if time.monotonic() - asked >= ASK_AGAIN_SECONDS:
                repairer.ask(feed, source, report.differences)
                asked = time.monotonic()
            keys = [difference.key for difference in report.differences]
            report.differences, undecided = verifier.recheck(keys)
            report.undecided += undecided
        report.repaired = found - len(report.differences)
        report.finished = time.time_ns() // 1000

    def _frontier(self, department: str) -> int | None:
        found = rows(
            self._access,
            "SELECT toUnixTimestamp64Micro(frontier) AS frontier FROM frontiers"
            " WHERE department = {department:String} AND stage = 'queryable'",
            {"department": department},
        )
        return int(found[0]["frontier"]) if found else None


def observe(report: FeedReport) -> None:
    """Publish a report as metrics and in the log; neither names a row."""
    for kind in Kind:
        metrics.VERIFY_DIFFERENCES.labels(report.feed, kind.value).set(report.count(kind))
    metrics.VERIFY_DIFFERENCES.labels(report.feed, "undecided").set(report.undecided + report.unchecked)
    metrics.VERIFIED_ROWS.labels(report.feed).inc(report.source_rows)
    if not report.error:
        metrics.VERIFIED_TIME.labels(report.feed).set(report.position / MICRO)
    say = log.info if report.is_clean else log.warning
    say(
        "verified",
        feed=report.feed,
        rows=report.source_rows,
        missing=report.count(Kind.MISSING),
        surplus=report.count(Kind.SURPLUS),
        different=report.count(Kind.DIFFERENT),
        undecided=report.undecided,
        repaired=report.repaired,
        error=report.error,
    )


def open_repairer(settings: Settings, catalog: Catalog) -> tuple[Repairer, Producer]:
    """Return the way of repairs. Raises SettingError, RegistryUnavailableError."""
    settings.require("broker", "registry", "connect")
    producer = Producer(settings.broker)
    schemas = TopicSchemas(ConfluentRegistry(settings.registry), catalog)
    return Repairer(producer, schemas, settings.connect), producer
