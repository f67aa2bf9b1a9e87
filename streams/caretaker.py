"""What the store's process does beside storing: upkeep of the store, and verification of one feed after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

import structlog

from connectors.clickhouse.access import Access, Local, open_access
from connectors.clickhouse.complaint import Complaint
from connectors.clickhouse.store import Store
from connectors.errors import ConnectorError
from connectors.feeds import Catalog
from monitoring import metrics
from monitoring.reconcile import Pace
from monitoring.reconcile.journal import hand_in, take_in
from streams.settings import Settings
from streams.sink import SourceBoard
from streams.verify import Verification, new_id, observe, sources_of

log = structlog.get_logger()

TICK_SECONDS: Final = 5.0
"""Between two looks at what is due: reports that wait, a table to merge."""

BETWEEN_SECONDS: Final = 60.0
"""Between two verifications of everything: small tables are not read all the time."""

CHUNK_SECONDS: Final = 2.0
"""Rows are read from a source in chunks of so many seconds' worth at most: a bounded rate in small portions."""

LARGEST_CHUNK: Final = 5000

_FAILED: Final = Complaint(
    "存储维护失败，原因见 store 的日志", "the store's upkeep fails; its log at “upkeep failed” says why"
)


class Caretaker:
    """Runs beside the sink. Neither task ever stops the other, or the sink: what fails is logged and tried again."""

    def __init__(self, settings: Settings, catalog: Catalog, store: Store, board: SourceBoard) -> None:
        """``board`` tells whether the hub is behind: verification waits then."""
        self._board = board
        self._settings = settings
        self._catalog = catalog
        self._store = store
        self._stopping = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the running loop."""
        self._tasks.append(asyncio.create_task(asyncio.to_thread(self._keep_up)))
        if self._settings.verify_rate > 0:
            self._tasks.append(asyncio.create_task(asyncio.to_thread(self._verify)))

    async def stop(self) -> None:
        """Return when nothing of it uses the store any more: a merge that is under way is waited for."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    def _keep_up(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                take_in(self._settings.data, self._store.side)
                condition = self._store.upkeep.condition()
                metrics.STORE_PARTS.set(condition.parts)
                metrics.STORE_BYTES.set(condition.bytes)
                self._complain(condition.complaints)
                if merged := self._store.upkeep.merge_one():
                    log.debug("merged", table=merged)
            except (ConnectorError, OSError) as error:
                # What was found before still holds as far as anybody knows.
                self._complain((*(one for one in self._board.complaints if one is not _FAILED), _FAILED))
                log.warning("upkeep failed, it is tried again", error=str(error))

    def _complain(self, complaints: Sequence[Complaint]) -> None:
        """Let everybody know what the store needs attention for, in its place of what was known before."""
        for complaint in complaints:
            if complaint is not _FAILED and complaint not in self._board.complaints:
                log.warning("the store needs attention", reason=complaint.en)
        self._board.complaints = tuple(complaints)
        metrics.STORE_COMPLAINTS.set(len(complaints))

    def _verify(self) -> None:
        rate = self._settings.verify_rate
        chunk = max(1, min(LARGEST_CHUNK, int(rate * CHUNK_SECONDS)))
        pace = Pace(chunk=chunk, rows_per_second=rate)
        while not self._stopping.wait(BETWEEN_SECONDS):
            try:
                access = self._access()
                work = Verification(
                    self._catalog,
                    access,
                    sources_of(self._settings, {}),
                    pace,
                    self._stopping.is_set,
                    self._board.is_behind,
                )
                for report in work.run(work.feeds(), new_id()):
                    if self._stopping.is_set():
                        return  # what was cut short is no report
                    observe(report)
                    hand_in(self._settings.data, report)
            except (ConnectorError, OSError) as error:
                log.warning("verification failed, it is tried again", error=str(error))

    def _access(self) -> Access:
        if self._store.readers is not None:
            return Local(self._store.readers)
        return open_access(self._settings.data, self._settings.clickhouse)
