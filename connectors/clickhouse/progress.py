"""What says how far the store has come: frontiers and source states, written no oftener than somebody looks.

An insert costs the same for one row as for a thousand, and these change with every batch. Frontiers are collected
and written once a second; a source state is written when it is another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from connectors.clickhouse.batch import Batch, Frontier, SourceState

FRONTIER_SECONDS: Final = 1.0
"""Between two inserts of frontiers: sources send two heartbeats a second, and the lag is asked for in seconds."""


class Progress:
    """What is due of the progress that batches have made. One thread at a time.

    `note` takes a batch when everything in it is in the store, so that a frontier is never written before what it
    claims. What is noted and not yet written is lost with the process: the frontier in the store is then older
    than it could be, until the next heartbeat.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written_at: float | None = None
        self._frontiers: dict[tuple[str, str], Frontier] = {}
        self._noted: dict[str, SourceState] = {}
        self._written: dict[str, tuple[str, int]] = {}

    def note(self, batch: Batch) -> None:
        """Take what the batch says, now that its rows are durable; the newest counts."""
        for place, frontier in batch.frontiers.items():
            known = self._frontiers.get(place)
            if known is None or frontier.frontier >= known.frontier:
                self._frontiers[place] = frontier
        for department, state in batch.source_states.items():
            noted = self._noted.get(department)
            if self._written.get(department) == (state.state, state.since) and noted is None:
                continue
            if noted is None or state.noted >= noted.noted:
                self._noted[department] = state

    def states_due(self) -> list[SourceState]:
        """Return the states to be written: those that are not what the store has, and all at first."""
        return list(self._noted.values())

    def states_written(self) -> None:
        """The states that were due are in the store."""
        for department, state in self._noted.items():
            self._written[department] = (state.state, state.since)
        self._noted.clear()

    def frontiers_due(self, force: bool = False) -> list[Frontier]:
        """Return the frontiers to be written: none within a second of the last ones unless forced."""
        soon = self._written_at is not None and self._clock() - self._written_at < FRONTIER_SECONDS
        return [] if soon and not force else list(self._frontiers.values())

    def frontiers_written(self) -> None:
        """The frontiers that were due are in the store."""
        if self._frontiers:
            self._written_at = self._clock()
        self._frontiers.clear()
