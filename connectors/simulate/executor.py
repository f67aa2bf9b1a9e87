"""Executes transactions in the departments' databases, with few round trips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from connectors.errors import TerminalError
from connectors.simulate.session import Session
from connectors.simulate.sessions import open_pair
from connectors.simulate.tables import Key, Stamp, Table
from connectors.simulate.transactions import Effect, Transaction


class Executor:
    """One connection a department, and a second one for transactions that interleave."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        self._dsns = dict(dsns)
        self._main: dict[str, Session] = {}
        self._side: dict[str, Session] = {}

    def open(self) -> None:
        """Connect to all databases.

        Waits for the end of what a killed simulator, or a lost connection, had sent. Raises TransientError when a
        database does not answer, TerminalError when another simulator is at work.
        """
        self.close()
        for department, dsn in self._dsns.items():
            self._main[department], self._side[department] = open_pair(dsn, department)

    def close(self) -> None:
        """Close all connections; what is not committed is rolled back."""
        for sessions in (self._main, self._side):
            for session in sessions.values():
                session.close()
            sessions.clear()

    def execute(self, transactions: Iterable[Transaction]) -> int:
        """Execute and commit; return the number of rows changed. Transactions of other departments are left out.

        Raises TransientError when a database goes away: a part may be committed then (`settle`).
        Raises TerminalError when a row is not there, which somebody else must have removed.
        """
        rows = 0
        queue: list[Transaction] = []
        for transaction in transactions:
            if transaction.department not in self._dsns:
                continue
            rows += len(transaction.operations)
            if not (
                transaction.opened_before_previous and queue and queue[-1].number == transaction.number - 1
            ):
                queue.append(transaction)
                continue
            previous = queue.pop()
            self._run(queue)
            queue.clear()
            self._interleave(previous, transaction)
        self._run(queue)
        return rows

    def settle(self, transactions: Sequence[Transaction]) -> list[Transaction]:
        """Return those of the transactions, given in order, that are not committed yet.

        A department commits in order; the update times of the rows they touch tell how far it got. Raises
        TerminalError when the rows are as after none of them.
        """
        missing: list[Transaction] = []
        by_department: dict[str, list[Transaction]] = defaultdict(list)
        for transaction in transactions:
            if transaction.department in self._dsns:
                by_department[transaction.department].append(transaction)
        for department, own in by_department.items():
            missing += own[self._committed(department, own) :]
        return sorted(missing, key=lambda transaction: transaction.number)

    def _committed(self, department: str, transactions: list[Transaction]) -> int:
        """Return how many of the department's transactions are committed."""
        effects = [[e for o in t.operations for e in o.effects] for t in transactions]
        expected: dict[tuple[Table, tuple[str, ...]], Stamp | None] = {}
        for effect in (effect for own in reversed(effects) for effect in reversed(own)):
            expected[_place(effect)] = effect.before
        found: dict[tuple[Table, tuple[str, ...]], Stamp | None] = dict.fromkeys(expected)
        keys: dict[Table, list[Key]] = defaultdict(list)
        for table, key in expected:
            keys[table].append(key)
        for table, wanted in keys.items():
            for key, stamp in self._main[department].stamps(table, wanted).items():
                found[table, key] = stamp
        for number, own in enumerate(effects):
            if expected == found:
                return number
            expected |= {_place(effect): effect.after for effect in own}
        if expected == found:
            return len(effects)
        raise TerminalError(
            f"the tables of {department} are not as the truth says: somebody else has changed them, or the database "
            "was restored; start with empty databases and another truth folder"
        )

    def _run(self, transactions: Sequence[Transaction]) -> None:
        by_department: dict[str, list[Transaction]] = defaultdict(list)
        for transaction in transactions:
            by_department[transaction.department].append(transaction)
        for department, own in by_department.items():
            self._main[department].commit([transaction.operations for transaction in own])

    def _interleave(self, previous: Transaction, later: Transaction) -> None:
        """Begin ``later``, commit ``previous`` in between, then go on with ``later`` and commit it."""
        side = self._side[later.department]
        half = (len(later.operations) + 1) // 2
        side.begin(later.operations[:half])
        self._run([previous])
        side.end(later.operations[half:])


def _place(effect: Effect) -> tuple[Table, tuple[str, ...]]:
    return effect.table, tuple(map(str, effect.key))
