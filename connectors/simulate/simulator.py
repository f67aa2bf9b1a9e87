"""The simulator: fills the departments' databases and keeps changing them, at a rate, until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.errors import TerminalError, TransientError
from connectors.simulate import schema
from connectors.simulate.changer import Changer
from connectors.simulate.course import Course
from connectors.simulate.executor import Executor
from connectors.simulate.loader import Filled, fill
from connectors.simulate.population import FAMILY_LIMIT, Population
from connectors.simulate.rhythm import DAY
from connectors.simulate.tables import DEPARTMENTS
from connectors.simulate.transactions import Transaction
from connectors.simulate.truth import Truth

PEOPLE_MINIMUM: Final = 100
"""Fewer people have too few families for changes that concern two of them."""

BATCH_TRANSACTIONS: Final = 256
"""Transactions at most that are sent before the answers are waited for: what may be in doubt after a kill."""
TICK: Final = 0.02
"""Seconds between two looks at the clock: a change is at most this late, and a batch worth its round trip."""
PATIENCE: Final = 120.0
"""Seconds that a database may be away before the simulator gives up: longer than a restart takes."""
ROWS: Final = 1.5
"""Rows of a mean transaction: by these a rate in rows becomes a course in transactions."""
_RETRY: Final = 0.5


@dataclass(slots=True)
class Pace:
    """How far a run is. ``due`` are the rows that the rate asks for by now; ``rows`` falls behind it visibly."""

    seconds: float = 0.0
    transactions: int = 0
    rows: int = 0
    due: int = 0
    reconnects: int = 0
    by_department: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Row changes a second so far."""
        return self.rows / self.seconds if self.seconds else 0.0


class Simulator:
    """A population of ``people`` in the databases ``dsns`` (department → DSN), with its truth in the folder ``truth``.

    The same seed and number make the same rows, the same sequence of transactions and the same truth files. A
    simulator on the databases and the folder of an earlier one goes on where that one stopped or was killed. On a
    ``course`` hours and seasons say what happens, and when.
    Raises TerminalError where the folder belongs to another population, or to another course.
    """

    def __init__(
        self, dsns: Mapping[str, str], people: int, seed: int, truth: Path, course: Course | None = None
    ) -> None:
        unknown = sorted(set(dsns) - set(DEPARTMENTS))
        if unknown or not dsns:
            raise TerminalError(
                f"{'department ' + unknown[0] if unknown else 'no department'} cannot be simulated; "
                f"choose from {', '.join(DEPARTMENTS)}"
            )
        if not PEOPLE_MINIMUM <= people <= FAMILY_LIMIT:
            raise TerminalError(f"people is {people}; choose {PEOPLE_MINIMUM} to {FAMILY_LIMIT}")
        self._dsns = {department: dsns[department] for department in DEPARTMENTS if department in dsns}
        self._course = course
        self._truth = Truth(truth, seed, people, tuple(self._dsns), "" if course is None else course.name)
        self._population = Population(seed, people, self._truth.progress.census())
        self._changer: Changer | None = None
        self._ready: deque[list[Transaction]] = deque()
        self._in_doubt = False

    @property
    def is_filled(self) -> bool:
        """Whether the tables hold the population already."""
        return self._truth.progress.is_filled

    @property
    def transaction(self) -> int:
        """The last transaction that is known to be committed."""
        return self._truth.progress.transaction

    def load(self, progress: Callable[[Filled], None] | None = None) -> Filled | None:
        """Create the tables where they are missing and fill them; return None where they are filled already.

        Raises TerminalError when they hold something else, TransientError when a database does not answer.
        """
        for department, dsn in self._dsns.items():
            schema.create(dsn, department)
        if self.is_filled:
            return None
        with self._truth:
            return fill(self._dsns, self._population, self._truth, progress or (lambda _: None))

    def run(
        self,
        rate: float,
        duration: float | None,
        stop: threading.Event,
        on_progress: Callable[[Pace], None] | None = None,
        day: float = 0.0,
        on_moment: Callable[[datetime, Sequence[Transaction]], None] = lambda _moment, _batch: None,
    ) -> Pace:
        """Change ``rate`` rows a second for ``duration`` seconds (None: for ever) or until ``stop``.

        On a course a day of the province takes ``day`` seconds, and what is due follows its hours; the rate is not
        looked at. ``on_moment`` is told the province's time after each batch, with what was committed.

        The clock is open-loop: a slow database does not slow the demand, ``Pace.due`` shows what it owes. A database
        that goes away is waited for. Blocks. Raises TerminalError, TransientError.
        """
        if rate <= 0:
            raise TerminalError(f"the rate is {rate}; give row changes a second above 0")
        if not self.is_filled:
            raise TerminalError("the tables are empty; load them first")
        pace = Pace(by_department=dict.fromkeys(self._dsns, 0))
        with self._truth, closing(Executor(self._dsns)) as executor:
            self._resume(executor)
            assert self._changer is not None, "resumed before"
            course = self._course
            begun = None if course is None else course.at(max(1, self.transaction))
            start = time.monotonic()
            while not stop.is_set() and (duration is None or pace.seconds < duration):
                if course is None or begun is None:
                    pace.due = int(pace.seconds * rate)
                    batch = self._batch(pace.due - pace.rows)
                else:
                    now = begun + timedelta(seconds=pace.seconds * DAY / day)
                    ahead = course.until(now) - self._next_number() + 1
                    pace.due = pace.rows + max(0, ahead)
                    batch = self._batch_of(ahead)
                if batch:
                    self._execute(executor, batch, pace, stop)
                if course is not None and begun is not None:
                    on_moment(now, batch)
                pace.seconds = time.monotonic() - start
                if on_progress:
                    on_progress(pace)
                if len(batch) < BATCH_TRANSACTIONS:
                    stop.wait(TICK if course is not None else _pause(pace, rate, duration))
                    pace.seconds = time.monotonic() - start
        return pace

    def prepare(self, rows: int) -> int:
        """Make transactions of ``rows`` rows at least beforehand, after a first `run`; return the rows that are ready.

        A run that has them only sends them. They are held in memory, some kilobytes each.
        """
        if self._changer is None:
            raise TerminalError("nothing was run yet; run the simulator before it prepares")
        ready = sum(self._rows(pair) for pair in self._ready)
        while ready < rows:
            pair = self._changer.next()
            self._ready.append(pair)
            ready += self._rows(pair)
        return ready

    def _rows(self, transactions: list[Transaction]) -> int:
        return sum(len(one.operations) for one in transactions if one.department in self._dsns)

    def _resume(self, executor: Executor) -> None:
        """Make the past again, and find out what of the last batch of a killed simulator is committed."""
        executor.open()
        done = self._truth.progress.transaction
        if self._changer is not None and not self._in_doubt:
            return
        self._ready.clear()
        self._changer = Changer(self._population, self._course)
        while self._changer.number < done:
            self._changer.next()
        while self._changer.number < done + BATCH_TRANSACTIONS:
            self._ready.append(self._changer.next())
        window = [transaction for pair in self._ready for transaction in pair]
        missing = executor.settle(window)
        last = max((t.number for t in window if t not in missing and t.department in self._dsns), default=0)
        past: list[Transaction] = []
        while self._ready and self._ready[0][0].number <= last:
            past += self._ready.popleft()
        if past:
            executor.execute(transaction for transaction in past if transaction in missing)
            self._truth.committed(past)
        self._in_doubt = False

    def _batch(self, rows: int) -> list[Transaction]:
        """Return the next transactions that change at least ``rows`` rows, as many as fit a batch; none for 0."""
        assert self._changer is not None, "resumed before"
        batch: list[Transaction] = []
        while rows > 0 and len(batch) < BATCH_TRANSACTIONS - 1:
            pair = self._ready.popleft() if self._ready else self._changer.next()
            batch += pair
            rows -= self._rows(pair)
        return batch

    def _next_number(self) -> int:
        """Return the number of the next transaction that is to be executed."""
        assert self._changer is not None, "resumed before"
        return self._ready[0][0].number if self._ready else self._changer.number + 1

    def _batch_of(self, transactions: int) -> list[Transaction]:
        """Return so many of the next transactions, or one more, as many as fit a batch; none for 0 or less."""
        assert self._changer is not None, "resumed before"
        batch: list[Transaction] = []
        while len(batch) < min(transactions, BATCH_TRANSACTIONS - 1):
            batch += self._ready.popleft() if self._ready else self._changer.next()
        return batch

    def _execute(
        self, executor: Executor, batch: list[Transaction], pace: Pace, stop: threading.Event
    ) -> None:
        """Commit a batch and write its truth; a database that goes away meanwhile is waited for."""
        self._in_doubt = True
        missing, deadline = batch, 0.0
        while True:
            try:
                if deadline:
                    executor.open()
                    missing = executor.settle(batch)
                    pace.reconnects += 1
                executor.execute(missing)
                break
            except TransientError as error:
                deadline = deadline or time.monotonic() + PATIENCE
                if time.monotonic() > deadline or stop.wait(_RETRY):
                    raise TransientError(
                        "a database went away and has not come back; start it and give the same command again"
                    ) from error
        self._truth.committed(batch)
        self._in_doubt = False
        for transaction in batch:
            if transaction.department in self._dsns:
                pace.transactions += 1
                pace.rows += len(transaction.operations)
                pace.by_department[transaction.department] += len(transaction.operations)


def _pause(pace: Pace, rate: float, duration: float | None) -> float:
    """Return the seconds until the next row is due, at least a tick, and not beyond the end."""
    pause = max(TICK, (pace.rows + 1) / rate - pace.seconds)
    return pause if duration is None else max(0.0, min(pause, duration - pace.seconds))
