"""Source against store, by value, without stopping either.

The way is that of a watermark-based snapshot (Andreakis and Papapanagiotou 2020, DBLog), turned around. A chunk of the
source is read in one snapshot and compared with what the store has at that moment. Rows that differ are *suspects*
only: they may be on their way. Suspects are looked at again, all together: read in the source (low watermark), then,
when the store's ``queryable`` frontier has passed that moment, in the store, then in the source again (high watermark).
A row that is the same at both watermarks, and another in the store between them, differs. A row that changed meanwhile
is right when the store has one of the states that it was seen in between; else it is looked at again. A difference
counts when two such rounds in a row have found it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog

from connectors.errors import ConnectorError
from monitoring.reconcile.difference import Difference, compare
from monitoring.reconcile.report import FeedReport
from monitoring.reconcile.source import SourceRow, SourceTable
from monitoring.reconcile.stored import StoredRow, StoredTable

log = structlog.get_logger()

MICRO: Final = 1_000_000

MARGIN_MICROS: Final = 2 * MICRO
"""How far the frontier must be past a reading. A frontier may be a heartbeat's time, by the connector's clock: this is
the difference of clocks that is allowed for, with the connector's own delay."""

POLL_SECONDS: Final = 0.2

YIELD_SECONDS: Final = 30.0
"""How long a chunk waits at most while the hub is behind: a hub that is always behind is verified slowly, not never."""

WATCHED_ROWS: Final = 300
"""Suspects up to which each is read again and again while the store is waited for: the few that never rest."""

WATCHED_STATES: Final = 64
"""States of one row that are remembered meanwhile."""

States = dict[str, dict[str | None, SourceRow | None]]
"""By key and raw row: the states that rows were seen in; None is that of a row that is not there."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard to look. ``rows_per_second`` bounds the load on the source, 0 does not; ``chunk`` is rows a read.

    ``limit`` bounds the suspects that are looked at again, ``rounds`` how often, ``patience`` the seconds that one
    round waits for the store.
    """

    chunk: int = 5000
    rows_per_second: float = 0.0
    limit: int = 20_000
    rounds: int = 6
    patience: float = 60.0


class Verifier:
    """Compares one feed. ``frontier`` tells up to which source time (microseconds since 1970) everything is queryable,
    None when that is not known yet. One thread at a time."""

    def __init__(
        self,
        source: SourceTable,
        stored: StoredTable,
        frontier: Callable[[], int | None],
        pace: Pace,
        *,
        stopping: Callable[[], bool] = lambda: False,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """While ``behind`` says so, the hub has other things to do: the next chunk waits, `YIELD_SECONDS` at most."""
        self._behind = behind
        self._source = source
        self._stored = stored
        self._frontier = frontier
        self._pace = pace
        self._stopping = stopping

    def run(self, report: FeedReport) -> FeedReport:
        """Compare the whole table and fill ``report`` in. Blocks.

        What keeps it from its end (the source or the store is away) is the report's ``error``.
        """
        report.started = _now()
        try:
            suspects = self._suspects(report)
            report.suspects = len(suspects)
            taken = suspects[: self._pace.limit]
            report.unchecked = len(suspects) - len(taken)
            report.differences, report.undecided = self.recheck(taken)
            report.position = self._source.now()
        except ConnectorError as error:
            report.error = str(error)
        report.finished = _now()
        return report

    def _suspects(self, report: FeedReport) -> list[str]:
        """Return the keys of rows that are not the same in both at first sight."""
        suspects: dict[str, None] = {}
        seen: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        after = None
        started = time.monotonic()
        while not self._stopping():
            chunk = self._source.chunk(after, self._pace.chunk)
            keys = list(chunk.rows)
            stored = self._stored.by_keys(keys)
            report.source_rows += len(keys)
            for key, row in chunk.rows.items():
                if row.normalized is None:
                    report.unfit += 1
                elif compare(key, row, stored.get(key), self._source.instants) is not None:
                    suspects[key] = None
            seen.append(_fingerprints(keys))
            after = chunk.last
            if after is None:
                break
            started += self._give_way()
            self._hold_back(started, report.source_rows)
        # Eight bytes a row, so that keys of both sides need not be in one order. Python's own hash is keyed with a
        # random number at start: two keys that collide do so in one run and not in the next.
        known = np.sort(np.concatenate(seen)) if seen else _fingerprints(())
        for page in self._stored.all_keys():
            report.stored_rows += len(page)
            if self._stopping():
                break
            for place in np.flatnonzero(~_is_in(_fingerprints(page), known)):
                suspects[page[place]] = None
        return list(suspects)

    def recheck(self, keys: Sequence[str]) -> tuple[list[Difference], int]:
        """Return which of these rows differ for certain, and of how many that cannot be said. Blocks.

        Raises ConnectorError.
        """
        pending = list(keys)
        once: dict[str, Difference] = {}
        confirmed: list[Difference] = []
        for _ in range(self._pace.rounds):
            if not pending or self._stopping():
                break
            states: States = {}
            before = self._source.by_keys(pending)
            _remember(states, pending, before)
            if not self._wait(self._source.now() + MARGIN_MICROS, pending, states):
                break
            stored = self._stored.by_keys(pending)
            after = self._source.by_keys(pending)
            _remember(states, pending, after)
            again: list[str] = []
            found: dict[str, Difference] = {}
            for key in pending:
                if not _is_same(before.get(key), after.get(key)):
                    if not self._was_seen(key, states[key].values(), stored.get(key)):
                        again.append(key)
                    continue
                difference = compare(key, after.get(key), stored.get(key), self._source.instants)
                if difference is None:
                    continue
                if once.get(key) == difference:
                    confirmed.append(difference)
                else:
                    found[key] = difference
                    again.append(key)
            pending, once = again, found
        return confirmed, len(pending)

    def _was_seen(self, key: str, states: Iterable[SourceRow | None], stored: StoredRow | None) -> bool:
        return any(compare(key, state, stored, self._source.instants) is None for state in states)

    def _wait(self, moment: int, keys: Sequence[str], states: States) -> bool:
        """Return True as soon as everything up to ``moment`` is queryable, False when that takes too long.

        Adds to ``states`` what the rows become meanwhile, where they are few.
        """
        deadline = time.monotonic() + self._pace.patience
        while not self._stopping():
            frontier = self._frontier()
            if frontier is not None and frontier >= moment:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
            if len(keys) <= WATCHED_ROWS:
                _remember(states, keys, self._source.by_keys(keys))
        return False

    def _give_way(self) -> float:
        """Return how many seconds were waited for the hub."""
        began = time.monotonic()
        while self._behind() and not self._stopping() and time.monotonic() - began < YIELD_SECONDS:
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def _hold_back(self, started: float, rows: int) -> None:
        rate = self._pace.rows_per_second
        while rate and not self._stopping() and time.monotonic() < started + rows / rate:
            time.sleep(min(POLL_SECONDS, max(0.0, started + rows / rate - time.monotonic())))


def _remember(states: States, keys: Iterable[str], rows: Mapping[str, SourceRow]) -> None:
    for key in keys:
        row = rows.get(key)
        known = states.setdefault(key, {})
        if len(known) < WATCHED_STATES:
            known[row.normalized.raw if row is not None and row.normalized is not None else None] = row


def _is_same(one: SourceRow | None, other: SourceRow | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.normalized is None or other.normalized is None:
        return one.unfit == other.unfit
    return one.normalized.raw == other.normalized.raw


def _fingerprints(keys: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.fromiter(map(hash, keys), dtype=np.int64, count=len(keys))


def _is_in(
    wanted: np.ndarray[tuple[int], np.dtype[np.int64]], known: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if not len(known):
        return np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = known[places] == wanted
    return found


def _now() -> int:
    return time.time_ns() // 1000
