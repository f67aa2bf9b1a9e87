"""The writer: a batch becomes rows, exactly.

Every row is idempotent by key and version, so that a batch may be written again, whole or cut otherwise,
after any crash. Nothing relies on an insert being atomic or on deduplication tokens. What a batch leads to is
done in an order in which each step only relies on those before it: rows, truncations, the linker's outputs,
dead letters, and last what says how far the store has come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from avro.codec import MarkCodec
from avro.outline import Outlines, outlines
from avro.record import Mark, MarkKind
from avro.schema import Schema, shared_schema
from connectors.clickhouse import sql
from connectors.clickhouse.batch import Batch, Row
from connectors.clickhouse.container import Container
from connectors.clickhouse.engine import Engine, Target
from connectors.clickhouse.history import RecordHistory
from connectors.clickhouse.mentions import MENTION_ROW, MentionRows
from connectors.clickhouse.merge import Merger, needs_values
from connectors.clickhouse.progress import Progress
from connectors.clickhouse.schema import FeedTable, feed_table
from connectors.clickhouse.shared import (
    DEAD_LETTER,
    DEAD_LETTERS,
    FRONTIER,
    FRONTIERS,
    IDENTITIES,
    IDENTITY_HISTORY,
    IDENTITY_ROW,
    LINKED,
    MARKS,
    MENTIONS,
    PERSON_HISTORY,
    PERSON_ROW,
    PERSONS,
    RECORD_HISTORY,
    RECORD_ROW,
    SOURCE_STATE,
    SOURCE_STATES,
)
from connectors.clickhouse.tables import Table
from connectors.errors import StoreError

LOAD_ROWS: Final = 20_000
"""Rows an insert holds at most. One insert is then one block (the engine's own limit is 1,048,449 rows or 256
MB), which is written in one step, and a container stays within some tens of megabytes."""

_TOMBSTONE_COLUMNS: Final = (
    "key",
    "op",
    "topic",
    "partition",
    "offset",
    "source_time",
    "captured_time",
    "version",
    "is_deleted",
)
"""What a truncated row keeps: where it came from, and none of its values."""

_marks: Final = MarkCodec()


@dataclass(slots=True)
class WriteResult:
    """What a write did: rows inserted per table, and records left out because the store has newer ones.

    ``streamed`` has, by department, the source times of the records that no snapshot read, in microseconds since 1970.
    """

    rows: dict[str, int] = field(default_factory=dict)
    superseded: int = 0
    streamed: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Load:
    """Where datums of one schema go: a row in each of ``tables``, the targets' names, for each datum."""

    container: Container
    targets: tuple[Target, ...]
    tables: tuple[str, ...]


class _FeedWriter:
    """What is made once for a feed."""

    def __init__(self, feed: FeedTable, engine: Engine) -> None:
        self.feed = feed
        self.table = feed_table(feed)
        self.merger = Merger(feed, engine)
        self.mentions = MentionRows(feed)
        self.history = RecordHistory(feed.department, feed.type)
        self.load = _load_of(feed.schema, self.table)


class Writer:
    """Writes batches. One thread at a time."""

    def __init__(self, engine: Engine, feeds: Sequence[FeedTable]) -> None:
        """Read what the store remembers of truncations; the schema is there already. Raises the engine's
        errors."""
        self._engine = engine
        self._feeds = {feed.feed: _FeedWriter(feed, engine) for feed in feeds}
        self._mentions = _load_of(MENTION_ROW, MENTIONS)
        self._records = _load_of(RECORD_ROW, RECORD_HISTORY)
        # History first: a person's mentions are found by it.
        self._identities = _load_of(IDENTITY_ROW, IDENTITY_HISTORY, IDENTITIES)
        # Persons last of all that changes bring: who sees one sees all of it, and the frontier follows at once.
        self._persons = _load_of(PERSON_ROW, PERSON_HISTORY, PERSONS)
        self._linked = {name: _load_of(shared_schema(name), table) for name, table in LINKED.items()}
        self._marks = _load_of(shared_schema("Mark"), MARKS)
        self._dead_letters = _load_of(DEAD_LETTER, DEAD_LETTERS)
        self._frontiers = _load_of(FRONTIER, FRONTIERS)
        self._states = _load_of(SOURCE_STATE, SOURCE_STATES)
        self._progress = Progress()
        truncations = engine.rows(
            f"SELECT feed, max(version) FROM {MARKS.stored}"
            f" WHERE kind = {sql.text(MarkKind.TRUNCATE.value)} GROUP BY feed"
        )
        self._truncated: dict[str, int] = {feed: version for feed, version in truncations}  # noqa: C416 (types)

    def write(self, batch: Batch, there: Callable[[], None] = lambda: None) -> WriteResult:
        """Write the batch; returns when all of it is in the store. Blocks.

        ``there`` is called when all but frontiers and states of sources is in the store. Only frontiers may follow
        with a later batch or `flush`: they are written once a second.

        Raises StoreUnavailableError when the same batch may succeed later and StoreError when it cannot.
        Parts of the batch may be in the store by then: it is to be written again before any later one, and
        not acknowledged.
        """
        result = WriteResult()
        new = [mark for mark in batch.truncations if mark.version > self._truncated.get(mark.feed, -1)]
        marks = sorted(new, key=lambda mark: mark.version)
        limits = dict(self._truncated)
        late: Mapping[str, list[Row]] = batch.rows
        for mark in marks:
            # What a truncation takes away was there before: history shows it, in whatever batches the log is cut.
            early, late = _parted(late, mark)
            self._write_records(early, limits, result)
            self._truncate(mark, result)
            limits[mark.feed] = mark.version
        self._write_records(late, limits, result)
        self._load(self._identities, batch.identities, result)
        for name, datums in batch.linked.items():
            self._load(self._linked[name], datums, result)
        self._load(self._dead_letters, batch.dead_letters, result)
        self._load(self._persons, batch.persons, result)
        # A mark that is stored says that its truncation is complete, a frontier that everything before it is
        # there.
        self._load(self._marks, [_marks.encode(mark) for mark in marks], result)
        self._truncated = limits
        there()
        self._progress.note(batch)
        self._write_progress(result, force=False)
        return result

    def flush(self) -> WriteResult:
        """Write the frontiers that were held back for less than a second. Blocks. Raises as `write` does."""
        result = WriteResult()
        self._write_progress(result, force=True)
        return result

    def _write_progress(self, result: WriteResult, *, force: bool) -> None:
        states = self._progress.states_due()
        self._load(self._states, [state.datum() for state in states], result)
        self._progress.states_written()
        frontiers = self._progress.frontiers_due(force)
        if frontiers:
            self._load(self._frontiers, [frontier.datum() for frontier in frontiers], result)
            self._progress.frontiers_written()

    def _feed(self, feed: str) -> _FeedWriter:
        writer = self._feeds.get(feed)
        if writer is None:
            raise StoreError(
                f"there is no feed {feed}, but records of it; restore its feed file and start again"
            )
        return writer

    def _write_records(
        self, rows_by_feed: Mapping[str, list[Row]], limits: Mapping[str, int], result: WriteResult
    ) -> None:
        """Write the history of all feeds, then the rows of each, then the mentions of all.

        After a crash in between, `connectors.clickhouse.merge` finds its values: mentions may lack behind rows, and
        a state that a newer row has taken the place of is in the history already.
        """
        mentions: list[bytes] = []
        owners: list[Row] = []
        arranged: list[tuple[_FeedWriter, list[Row]]] = []
        states: list[bytes] = []
        state_owners: list[Row] = []
        if not rows_by_feed:
            return
        found = outlines([row.datum for rows in rows_by_feed.values() for row in rows])
        first = 0
        for feed, rows in rows_by_feed.items():
            writer = self._feed(feed)
            kept, made, known, places = _arrange(writer, rows, found, first, limits.get(feed, 0))
            result.superseded += len(rows) - len(kept)
            arranged.append((writer, kept))
            new = [(row, place) for row, place in zip(kept, places, strict=True) if not row.has_history]
            states += writer.history.cut(known, [place for _, place in new], [row.noted for row, _ in new])
            state_owners += [row for row, _ in new]
            for row, slots in zip(kept, made, strict=True):
                mentions += slots
                owners += [row] * len(slots)
            if streamed := _streamed(rows, found, first):
                result.streamed.setdefault(writer.feed.department, []).extend(streamed)
            first += len(rows)
        self._load_records(self._records, states, state_owners, result)
        for writer, kept in arranged:
            self._load_records(writer.load, [row.datum for row in kept], kept, result)
        self._load_records(self._mentions, mentions, owners, result)

    def _load_records(
        self, load: _Load, datums: Sequence[bytes], owners: Sequence[Row], result: WriteResult
    ) -> None:
        """Load datums, each of which is of the record at its place in ``owners``."""
        try:
            self._load(load, datums, result)
        except _RefusedError as error:
            record = owners[error.index].record
            raise StoreError(
                f"feed {record.feed}: ClickHouse refuses the record of {record.topic}, partition"
                f" {record.partition}, offset {record.offset}, and takes its neighbours: {error.reason}"
            ) from error

    def _load(self, load: _Load, datums: Sequence[bytes], result: WriteResult) -> None:
        for start in range(0, len(datums), LOAD_ROWS):
            part = datums[start : start + LOAD_ROWS]
            try:
                self._engine.load(load.container.pack(part), load.targets)
            except StoreError as error:
                self._search(load, datums, start, start + len(part), error)
            for table in load.tables:
                result.rows[table] = result.rows.get(table, 0) + len(part)

    def _search(self, load: _Load, datums: Sequence[bytes], first: int, end: int, reason: StoreError) -> None:
        """Insert the datums from ``first`` to before ``end`` by halves, to find the one that is refused, and
        raise.

        Returns when everything goes in after all. Raises ``reason`` when nothing does: then it is not about
        one row.
        """

        def refused(low: int, high: int) -> StoreError | None:
            try:
                self._engine.load(load.container.pack(datums[low:high]), load.targets)
            except StoreError as error:
                return error
            return None

        low, high = first, end
        while high - low > 1:
            middle = (low + high) // 2
            if refused(low, middle):
                high = middle
            else:
                low = middle
        last = refused(low, high)
        if last is None:
            return
        neighbour = first if low > first else end - 1
        if neighbour == low or refused(neighbour, neighbour + 1):
            raise reason
        raise _RefusedError(load.tables[0], low, str(last)) from last

    def _truncate(self, mark: Mark, result: WriteResult) -> None:
        writer = self._feed(mark.feed)
        # One below the mark: a row that has the mark's own version is newer than the truncation.
        version = f"toUInt128({sql.text(str(mark.version - 1))})"
        time = f"fromUnixTimestamp64Micro(toInt64({mark.source_time}), 'UTC')"
        below = f"version < toUInt128({sql.text(str(mark.version))})"
        # First, while the rows that it is about are still live.
        self._engine.command(writer.history.truncation(mark, writer.table))
        self._engine.command(
            f"INSERT INTO {writer.table.stored}"
            f" ({sql.names(_TOMBSTONE_COLUMNS)})"
            f" SELECT key, 't', topic, partition, `offset`, {time}, {time}, {version}, 1"
            f" FROM {writer.table.stored} FINAL WHERE {below}"
        )
        if writer.feed.slots:
            key = sql.names(MENTIONS.order_by)
            self._engine.command(
                f"INSERT INTO {MENTIONS.stored} ({key}, source_time, version, is_deleted)"
                f" SELECT {key}, {time}, {version}, 1 FROM {MENTIONS.stored} FINAL"
                f" WHERE department = {sql.text(writer.feed.department)}"
                f" AND `table` = {sql.text(writer.feed.type)} AND {below}"
            )


def _parted(
    rows: Mapping[str, list[Row]], mark: Mark
) -> tuple[Mapping[str, list[Row]], Mapping[str, list[Row]]]:
    """Return the rows that a truncation of the same batch takes away, and the others."""
    every = rows.get(mark.feed, [])
    below = [row for row in every if row.record.version < mark.version]
    if not below:
        return {}, rows
    above = [row for row in every if row.record.version >= mark.version]
    others = {feed: those for feed, those in rows.items() if feed != mark.feed}
    return {mark.feed: below}, others | ({mark.feed: above} if above else {})


def _streamed(rows: list[Row], found: Outlines, first: int) -> list[int]:
    """Return the source times of the records that no snapshot read; arguments are as for `_arrange`."""
    part = slice(first, first + len(rows))
    times: list[int] = found.source_time[part][found.plain[part] & ~found.snapshot[part]].tolist()
    for place in np.flatnonzero(~found.plain[part]).tolist():
        record = rows[place].record
        if not record.snapshot:
            times.append(record.source_time)
    return times


def _arrange(
    writer: _FeedWriter, rows: list[Row], found: Outlines, first: int, limit: int
) -> tuple[list[Row], list[list[bytes]], Outlines, list[int]]:
    """Return the rows of a feed that are written, complete, the rows of ``mentions`` that each leads to, and outlines
    with the places of their datums in them.

    ``first`` is the place of the first row in ``found``; rows of a version below ``limit`` are truncated ones.
    """
    cut = list(writer.mentions.cut(found, first, first + len(rows)))
    unusual = False
    for row, slots in zip(rows, cut, strict=True):
        if slots is None:
            writer.mentions.check(row.record)
            unusual = unusual or needs_values(row.record)
    if unusual:
        kept = writer.merger.merge([row for row in rows if row.record.version >= limit])
        made = [writer.mentions.of(row.record) for row in kept]
        return kept, made, outlines([row.datum for row in kept]), list(range(len(kept)))
    kept, made, places = [], [], []
    for index, (row, slots) in enumerate(zip(rows, cut, strict=True), first):
        if limit and (found.version(index) if slots is not None else row.record.version) < limit:
            continue
        kept.append(row)
        made.append(writer.mentions.of(row.record) if slots is None else slots)
        places.append(index)
    return kept, made, found, places


class _RefusedError(StoreError):
    """ClickHouse refuses one datum and takes others of its kind."""

    def __init__(self, table: str, index: int, reason: str) -> None:
        super().__init__(f"table {table}: ClickHouse refuses one row and takes its neighbours: {reason}")
        self.index = index
        self.reason = reason


def _load_of(schema: Schema, *tables: Table) -> _Load:
    targets = tuple(Target(table.stored, table.column_names) for table in tables)
    return _Load(Container(schema), targets, tuple(table.name for table in tables))
