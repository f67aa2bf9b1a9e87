"""Delivers the offline files on their dates, as the province's clock passes them: the register's monthly, weekly and
daily ones into a folder, each complete before its control file.

Complete files (provident fund, justice) hold what was there when the province was filled, as nothing that happens later
changes them; the disabled persons' certificates hold the changes since the last delivery, also where there are none.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from connectors.simulate.crew import made_by_all
from connectors.simulate.deliveries import Delivered, File, Lines, file_of
from connectors.simulate.people import BEIJING, Family
from connectors.simulate.population import Population, numbers_of
from connectors.simulate.rhythm import is_workday
from connectors.simulate.rows import Row
from connectors.simulate.tables import CJR, FILES, GJJ_GRZH, SQJZ, SYGZ, Table
from connectors.simulate.transactions import Operation, Transaction

_FRIDAY: Final = 5
_FIFTH: Final = 5
_MONTHLY_HOUR, _WEEKLY_HOUR, _DAILY_HOUR = 17, 16, 19
"""Some time before they are due."""


class Batch(NamedTuple):
    """What a family has in the complete files; see `connectors.simulate.crew.Made`."""

    registered: int
    people: int
    numbers: tuple[int | str, ...]
    landlord: int | None
    rows: tuple[tuple[int, Row], ...]


class Parcel(NamedTuple):
    """A delivery that has become due: complete files of ``tables``, or the ``changes`` of the certificates."""

    day: date
    tables: tuple[Table, ...]
    changes: tuple[tuple[Operation, str], ...] = ()


def batch_of(family: Family, landlord: int | None) -> Batch:
    """Return a family's rows in files."""
    return Batch(
        registered=sum(person.registered for person in family.persons),
        people=len(family.persons),
        numbers=tuple(numbers_of(family)),
        landlord=landlord,
        rows=tuple([(FILES.index(e.table), e.row) for e in family.entries if e.table in FILES]),
    )


def due_between(last: datetime, now: datetime) -> list[tuple[datetime, tuple[Table, ...]]]:
    """Return what is delivered after ``last`` and until ``now``, Beijing time, in that order.

    The fund's file comes on the fifth of the month or the working day after it, justice's on Fridays, the
    certificates every day.
    """
    found: list[tuple[datetime, tuple[Table, ...]]] = []
    day = last.date()
    while day <= now.date():
        if day == _working_day(day.replace(day=_FIFTH)):
            found.append((_at(day, _MONTHLY_HOUR), (GJJ_GRZH,)))
        if day.isoweekday() == _FRIDAY:
            found.append((_at(day, _WEEKLY_HOUR), (SQJZ, SYGZ)))
        found.append((_at(day, _DAILY_HOUR), (CJR,)))
        day += timedelta(days=1)
    return sorted([item for item in found if last < item[0] <= now], key=lambda item: item[0])


class Courier:
    """Writes deliveries in a thread of its own, so that the changes go on meanwhile; `close` waits for the last one."""

    def __init__(self, folder: Path, population: Population) -> None:
        """``population`` must be nobody else's: its census is taken again for each complete file."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._population = folder, population
        self._last: datetime | None = None
        self._changes: list[tuple[Operation, str]] = []
        self._waiting: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
        self._thread.start()
        self.delivered = Delivered()
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def notice(self, moment: datetime, committed: Sequence[Transaction]) -> None:
        """Take note of the province's time and what has happened until then; what is due is written soon."""
        for transaction in committed:
            self._changes += [
                (operation, transaction.moment.isoformat())
                for operation in transaction.operations
                if operation.table is CJR
            ]
        if self._last is not None:
            for due, tables in due_between(self._last, moment):
                changes: tuple[tuple[Operation, str], ...] = ()
                if tables == (CJR,):
                    changes, self._changes = tuple(self._changes), []
                self._waiting.put(Parcel(due.date(), tables, changes))
        self._last = moment

    def close(self) -> None:
        """Wait until what was due is written. Raises what went wrong in writing it."""
        self._waiting.put(None)
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            while (parcel := self._waiting.get()) is not None:
                self._write(parcel)
        except Exception as error:
            self.failure = error

    def _write(self, parcel: Parcel) -> None:
        if parcel.tables == (CJR,):
            with Lines(self._folder, CJR, parcel.day, 1, self.delivered) as file:
                for operation, moment in parcel.changes:
                    file.change(operation, moment)
            return
        with ExitStack() as stack:
            files: dict[int, File] = {
                FILES.index(table): stack.enter_context(
                    file_of(self._folder, table, parcel.day, 1, self.delivered)
                )
                for table in parcel.tables
            }
            batches = stack.enter_context(made_by_all(self._population, batch_of))
            for batch in batches:
                for table, row in batch.rows:
                    if table in files:
                        files[table].add(row)


def _working_day(day: date) -> date:
    while not is_workday(day):
        day += timedelta(days=1)
    return day


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=BEIJING)
