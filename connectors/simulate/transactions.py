"""Transactions that change the departments' tables, as values: nothing here has run."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from connectors.simulate.people import Family, Kind, Person, clock
from connectors.simulate.rows import Row
from connectors.simulate.subgroups import mention_groups
from connectors.simulate.tables import Clock, Entry, Key, Named, Stamp, Table, Value


class Verb(StrEnum):
    """What an operation does to its row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a row's update time is before and after an operation, None where there is no such row.

    Every change moves it, so that the table tells whether a transaction in doubt was committed.
    """

    table: Table
    key: Key
    before: Stamp | None
    after: Stamp | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One row's change. ``key`` is the one before it; ``values`` are the fields that it writes. ``before`` and
    ``after`` are the whole row, None where there is none; ``named`` are those it is about.
    """

    verb: Verb
    table: Table
    key: Key
    fields: tuple[str, ...]
    values: tuple[Value, ...]
    effects: tuple[Effect, ...]
    before: Row | None = None
    after: Row | None = None
    named: tuple[Named, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the truth about a row: it names this person in this role.

    ``op`` is ``c`` when the row comes, ``d`` when it goes, ``k`` when its key changes from ``previous_key``.
    ``subgroups`` are what made the mention hard to link then.
    """

    op: str
    table: Table
    key: Key
    role: str
    ordinal: int
    person: str
    previous_key: Key | None = None
    subgroups: tuple[str, ...] = ()


APPEARS: Final = "c"
GOES: Final = "d"
REKEYED: Final = "k"


def facts_of(op: str, entry: Entry, previous_key: Key | None = None) -> list[Fact]:
    """Return the truth about a row, one line a role."""
    return [
        Fact(
            op,
            entry.table,
            entry.key,
            named.role,
            named.ordinal,
            named.person.ident,
            previous_key,
            () if op == GOES else mention_groups(named.person, entry.table, entry.row, named.role),
        )
        for named in entry.named
    ]


class PersonFact(msgspec.Struct, frozen=True):
    """A person as they are, for the truth; dates are ISO texts. The last line of a person holds."""

    person: str
    name: str
    former_name: str | None
    sex: int
    birth_date: str
    id_number: str
    ethnicity: str
    phone: str | None
    marital_status: str
    is_de_facto: bool
    death_date: str | None
    has_hukou: bool
    is_resident: bool
    residence_address: str


def person_fact(person: Person) -> PersonFact:
    """Return what the truth says about a person."""
    return PersonFact(
        person=person.ident,
        name=person.name,
        former_name=person.former_name,
        sex=person.sex,
        birth_date=person.birth.isoformat(),
        id_number=person.id_number,
        ethnicity=person.ethnicity,
        phone=person.phone,
        marital_status=person.status.value,
        is_de_facto=person.de_facto,
        death_date=person.died.isoformat() if person.died else None,
        has_hukou=person.ident.startswith(Kind.HUKOU) and person.registered,
        is_resident=not person.away,
        residence_address=person.home.full(),
    )


@dataclass(slots=True, eq=False)
class Transaction:
    """Operations that one department commits together, and what becomes true with them.

    ``department`` is the channel of its tables: a department with a database, or ``file.<department>``.
    ``number`` counts from 1 over all departments. ``opened_before_previous``: its first half is executed before the
    transaction before it begins, which commits in between. ``moment`` is the province's time of the commit.
    """

    number: int
    department: str
    moment: datetime
    operations: list[Operation] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    persons: list[PersonFact] = field(default_factory=list)
    opened_before_previous: bool = False


class Draft:
    """Builds a transaction while it changes the model of the rows. All rows are of one department."""

    def __init__(self, number: int, moment: datetime | None = None) -> None:
        """``moment`` is the province's time; each transaction a second later than the one before it, if None."""
        self.number = number
        self.moment = clock(number) if moment is None else moment
        self._transaction = Transaction(number, "", self.moment)
        self._learned: dict[Person, None] = {}
        self._times: dict[Clock, str | int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drafted."""
        return not self._transaction.operations

    def insert(self, family: Family, entry: Entry) -> None:
        """The department files a new row."""
        table = entry.table
        if table.stamp:
            setattr(entry.row, table.stamp, self._time(table))
        family.entries.append(entry)
        values = tuple(getattr(entry.row, name) for name in table.fields)
        effect = Effect(table, entry.key, None, table.stamp_of(entry.row))
        after = copy(entry.row)
        self._add(
            Operation(
                Verb.INSERT, table, entry.key, table.fields, values, (effect,), None, after, entry.named
            )
        )
        self._transaction.facts += facts_of(APPEARS, entry)

    def update(self, entry: Entry, **values: Value) -> None:
        """The department writes these fields of a row, and its update time; none touches the row only."""
        table, row = entry.table, entry.row
        key, before, old = entry.key, table.stamp_of(row), copy(row)
        if table.stamp:
            values[table.stamp] = self._later(table, getattr(row, table.stamp))
        for name, value in values.items():
            setattr(row, name, value)
        after = table.stamp_of(row)
        if entry.key == key:
            effects: tuple[Effect, ...] = (Effect(table, key, before, after),)
        else:
            effects = (Effect(table, key, before, None), Effect(table, entry.key, None, after))
            self._transaction.facts += facts_of(REKEYED, entry, key)
        written = tuple(values)
        self._add(
            Operation(
                Verb.UPDATE, table, key, written, tuple(values.values()), effects, old, copy(row), entry.named
            )
        )

    def delete(self, family: Family, entry: Entry) -> None:
        """The department removes a row."""
        family.entries.remove(entry)
        effect = Effect(entry.table, entry.key, entry.table.stamp_of(entry.row), None)
        before = copy(entry.row)
        self._add(
            Operation(Verb.DELETE, entry.table, entry.key, (), (), (effect,), before, None, entry.named)
        )
        self._transaction.facts += facts_of(GOES, entry)

    def learn(self, *persons: Person) -> None:
        """Something about the persons themselves has become different."""
        self._learned.update(dict.fromkeys(persons))

    def finish(self) -> Transaction:
        """Return what was drafted; persons as they are now."""
        self._transaction.persons = [person_fact(person) for person in self._learned]
        return self._transaction

    def _time(self, table: Table) -> str | int:
        if table.clock not in self._times:
            self._times[table.clock] = table.time(self.moment)
        return self._times[table.clock]

    def _later(self, table: Table, before: object) -> str | int:
        """Return the update time, at least a second after the row's: where much happens in a second, every change
        moves it all the same."""
        value, moment = self._time(table), self.moment
        while type(before) is type(value) and value <= before:  # type: ignore[operator]
            moment += timedelta(seconds=1)
            value = table.time(moment)
        return value

    def _add(self, operation: Operation) -> None:
        transaction = self._transaction
        if transaction.department not in ("", operation.table.channel):
            raise ValueError("a transaction has one department")
        transaction.department = operation.table.channel
        transaction.operations.append(operation)
