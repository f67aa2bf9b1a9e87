"""Upkeep of the store while it has time: merges that make queries quick, and a look at what fills up.

A view reads with ``FINAL``; that costs nothing once a table is one part, and it pays for every other part. Merges in
the background stop far before one part. So a table that nobody writes to is merged whole, and one that is always
written to once a day.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.complaint import Complaint
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.intact import Intact
from connectors.clickhouse.tables import DATABASE
from connectors.errors import ConnectorError

IDLE_SECONDS: Final = 30
"""A table without a new part for so long is idle: a live one gets two a second."""

WHOLE_SECONDS: Final = 24 * 3600
"""How long a table that is never idle may go without being merged whole."""

REST_SECONDS: Final = 600
"""How long a table that could not be merged is left alone: the others are to have their turn."""

ALARM_PARTS: Final = 100
"""Parts of one table that say that merges do not keep up; ClickHouse refuses inserts at 3000."""

ALARM_FREE_BYTES: Final = 2 << 30
"""Free disk space below which the operator is told: a merge needs room for a second copy of what it merges."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How the store is. ``parts`` are the most that a table has; ``free_bytes`` None where the disk is not ours;
    ``refused`` names the tables whose last merge failed, ``hollow`` those with a part that the engine put in force
    without content."""

    table: str
    parts: int
    bytes: int
    free_bytes: int | None
    refused: tuple[str, ...] = ()
    hollow: tuple[str, ...] = ()

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What the operator should know."""
        found = []
        if self.parts >= ALARM_PARTS:
            found.append(
                Complaint(
                    f"表 {self.table} 有 {self.parts} 个数据片段，合并跟不上写入；请增加处理器，或调高"
                    " RENKOU_BATCH_ROWS",
                    f"table {self.table} has {self.parts} parts: merges do not keep up; give the store more processor,"
                    " or raise RENKOU_BATCH_ROWS",
                )
            )
        if self.free_bytes is not None and self.free_bytes < ALARM_FREE_BYTES:
            free = self.free_bytes >> 20
            found.append(
                Complaint(
                    f"存储所在磁盘仅剩 {free} MB，请清理磁盘",
                    f"{free} MB of disk are free for the store; free disk space",
                )
            )
        for table in self.hollow:
            found.append(
                Complaint(
                    f"表 {table} 有内容未写入磁盘的数据片段，请检查磁盘空间、配额与硬件；可写后 store 进程会自行退出"
                    "，重启即恢复",
                    f"table {table} has a part whose content was not written; see the disk's space, quota and health:"
                    " as soon as it can be written to, the store's process ends and is to be started again",
                )
            )
        for table in self.refused:
            check = f"CHECK TABLE {DATABASE}.{sql.name(table)}"
            found.append(
                Complaint(
                    f"表 {table} 无法合并，请用 {check} 查出损坏的数据片段",
                    f"table {table} could not be merged; {check} names a part that is damaged",
                )
            )
        return tuple(found)


class Upkeep:
    """Does what is due, a little at each call. One thread at a time, with an engine of its own."""

    def __init__(
        self,
        engine: Engine,
        folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
        intact: Intact | None = None,
    ) -> None:
        """``folder`` is where the embedded store is; None for a server, which merges on its own terms. ``intact`` looks
        at what merges leave."""
        self._engine = engine
        self._folder = folder
        self._clock = clock
        self._intact = intact
        self._whole: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        """Tables whose last merge failed, and until when each is left alone."""

    def condition(self) -> Condition:
        """Return how the store is. Raises StoreError, StoreUnavailableError."""
        found = self._engine.rows(
            "SELECT table, count() AS parts, sum(sum(bytes_on_disk)) OVER () FROM system.parts"
            f" WHERE active AND database = {sql.text(DATABASE)} GROUP BY table ORDER BY parts DESC LIMIT 1"
        )
        table, parts, size = found[0] if found else ("", 0, 0)
        free = None if self._folder is None else shutil.disk_usage(self._folder).free
        hollow: list[str] = []
        if self._intact is not None:
            self._intact.check_all()
            hollow = sorted({table for table, _ in self._intact.hollow})
        return Condition(table, int(parts), int(size), free, tuple(sorted(self._refused)), tuple(hollow))

    def merge_one(self) -> str:
        """Merge the table that needs it most, and return its name, empty when none does. Blocks while it merges.

        Does nothing on a server, and nothing where the disk has no room for a second copy of the table. Raises
        StoreError, StoreUnavailableError; the table is left alone for `REST_SECONDS` then.
        """
        if self._folder is None:
            return ""
        now = self._clock()
        free = shutil.disk_usage(self._folder).free
        found = self._engine.rows(
            "SELECT table, sum(bytes_on_disk), dateDiff('second', max(modification_time), now()), count()"
            f" FROM system.parts WHERE active AND database = {sql.text(DATABASE)}"
            " GROUP BY table ORDER BY count() DESC"
        )
        mergeable = {table for table, _, _, parts in found if parts > 1}
        self._refused = {table: until for table, until in self._refused.items() if table in mergeable}
        for table, size, idle, parts in found:
            due = now - self._whole.setdefault(table, now) >= WHOLE_SECONDS
            if now < self._refused.get(table, now):
                continue
            if parts > 1 and (idle >= IDLE_SECONDS or due) and free > int(size) + ALARM_FREE_BYTES:
                try:
                    self._engine.command(f"OPTIMIZE TABLE {DATABASE}.{sql.name(table)} FINAL")
                except ConnectorError:
                    self._refused[table] = now + REST_SECONDS
                    raise
                self._refused.pop(table, None)
                self._whole[table] = now
                return str(table)
        return ""
