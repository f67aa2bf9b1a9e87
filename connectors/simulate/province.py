"""The province while it lives: the families that something has happened to, and what is still to come."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from connectors.simulate import names
from connectors.simulate.areas import Address, address_in
from connectors.simulate.dice import Dice
from connectors.simulate.families import LAST_SERIAL, LATE_SERIAL
from connectors.simulate.identifiers import id_number, mobile
from connectors.simulate.people import Family, Kind, Person, Status
from connectors.simulate.population import Population
from connectors.simulate.tables import HJ_HJXX, HJ_RYJBXX, Entry, Table
from connectors.simulate.transactions import Draft

Happening: TypeAlias = "Callable[[Province, Draft], None]"
"""Drafts a transaction; leaves the draft empty, and everything as it was, where there is nobody to whom it applies."""

_RECENT: Final = 200
_RECENT_SHARE: Final = 0.25
"""Some change again soon: the rows of one key then follow each other closely, as a hub must get right."""
_ASKED: Final = 8
"""Families that are looked at for somebody who may marry, or who has a certain row."""
_NUMBERS_TRIED: Final = 500
"""Of fifty that a county has for a day and a sex, the last free one is found all but once in 25,000 times."""
_NEXT_DEPARTMENT: Final = (3, 80)
"""Transactions until another department hears of something."""


@dataclass(order=True, slots=True)
class Later:
    """What happens at transaction ``due`` or soon after; ``order`` tells those of one moment apart."""

    due: int
    order: int
    happening: Callable[[Draft], None]


class Province:
    """What happenings draw from and change. ``number`` is the last transaction; ``held`` a family that the second of
    two interleaving transactions must not touch.
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self.number = 0
        self.dice = Dice(f"{population.seed}/changes")
        self.dice.noise = population.profile.noise
        self.counts = {kind: population.census.count(kind) for kind in Kind}
        self.later: list[Later] = []
        self.last: Family | None = None
        self.held: Family | None = None
        self._families: dict[tuple[Kind, int], Family] = {}
        self._recent: dict[Kind, deque[Family]] = {kind: deque(maxlen=_RECENT) for kind in Kind}
        self._ordered = 0
        self._late_numbers: set[str] = set()

    # Picking somebody

    def family(self, kind: Kind, every: int = 1, first: int = 0) -> Family:
        """Return a family, preferably one whose index is ``first`` modulo ``every``; not the last one again."""
        dice, recent = self.dice, self._recent[kind]
        while True:
            if every == 1 and recent and dice.random() < _RECENT_SHARE:
                family = recent[dice.below(len(recent))]
            else:
                index = dice.below(max(1, self.counts[kind] // every)) * every + first
                if index >= self.counts[kind]:
                    index = dice.below(self.counts[kind])
                family = self.at(kind, index)
                recent.append(family)
            if family is not self.held and family is not self.last:
                self.last = family
                return family

    def family_with(self, table: Table, kind: Kind | None = None) -> Family:
        """Return a family, most likely one that has rows of the table."""
        for _ in range(_ASKED):
            family = self.family(kind or self.some_kind())
            if family.of(table):
                break
        return family

    def family_of(self, person: Person) -> Family:
        """Return the family that the person is counted in."""
        return self.at(Kind(person.ident[0]), int(person.ident[1:].split("-")[0]))

    def at(self, kind: Kind, index: int) -> Family:
        """Return a family by its index, as it is by now."""
        family = self._families.get((kind, index))
        if family is None:
            family = self._families[kind, index] = self.population.family(kind, index)
        return family

    def some_kind(self) -> Kind:
        """Return a kind of family, hukou ones four times in five."""
        return Kind.HUKOU if self.dice.random() < 0.8 else Kind.MIGRANT

    def entry(self, *tables: Table) -> Entry | None:
        """Return a row of a family, of one of the tables."""
        family = self.family(self.some_kind())
        entries = [entry for entry in family.entries if entry.table in tables]
        return self.dice.one(entries) if entries else None

    def after(self, happening: Callable[[Draft], None]) -> None:
        """Let something happen a little later: another department hears of it."""
        self._ordered += 1
        due = self.number + self.dice.between(*_NEXT_DEPARTMENT)
        heapq.heappush(self.later, Later(due, self._ordered, happening))

    # What somebody has

    def book(self, family: Family) -> Entry | None:
        """Return the family's row as a household."""
        return next(iter(family.of(HJ_HJXX)), None)

    def files_in_book(self, family: Family) -> list[Entry]:
        """Return the present files of the household's members."""
        return [entry for entry in family.of(HJ_RYJBXX) if getattr(entry.row, "hh") == family.book]  # noqa: B009

    def file(self, family: Family, person: Person) -> Entry | None:
        """Return the person's present file."""
        return next((e for e in self.files_in_book(family) if e.named[0].person is person), None)

    def single(self, sex: int) -> tuple[Entry, Person] | None:
        """Return somebody who may marry, with their file."""
        for _ in range(_ASKED):
            family = self.family(Kind.HUKOU)
            for person in family.persons:
                if (
                    person.sex == sex
                    and person.status is Status.SINGLE
                    and 21 < person.age() < 50
                    and not (person.de_facto or person.died)
                    and (file := self.file(family, person))
                ):
                    return file, person
        return None

    def new_home(self, person: Person) -> Address:
        """Return another home in the person's county."""
        return address_in(self.dice, person.home.county)

    def late_family(self, kind: Kind) -> Family:
        """Return a family that comes now, without rows."""
        index = self.counts[kind]
        family = self.population.late_family(kind, index)
        self.counts[kind] += 1
        self._families[kind, index] = family
        for person in (*family.persons, *family.others):
            person.registered = person in family.persons
            while person.id_number in self._late_numbers and not person.is_foreign:
                person.id_number = self.late_number(person.id_number[:6], person) or person.id_number
            self._late_numbers.add(person.id_number)
        return family

    def baby(self, draft: Draft, family: Family, mother: Person) -> Person | None:
        """Return a child that the mother bore yesterday; None when the county has no more numbers for that day."""
        dice = self.dice
        father = mother.spouse
        birth = (draft.moment - timedelta(days=1)).date()
        sex = 1 if dice.random() < 0.52 else 2
        surname = names.family_part(father.name if father else mother.name)
        baby = Person(
            ident=f"{family.kind}{family.index:08d}-{len(family.persons)}",
            name=names.full_name(dice, sex, birth.year, mother.ethnicity, surname),
            sex=sex,
            birth=birth,
            ethnicity=mother.ethnicity,
            id_number="",
            phone=None,
            stale_phone=mobile(dice),
            relation=dice.one(("20", "22")) if sex == 1 else dice.one(("30", "32")),
            education="90",
            home=mother.home,
            registered=False,
            father=father,
            mother=mother,
        )
        number = self.late_number(family.address.county.code, baby)
        if number is None:
            return None
        baby.id_number = number
        self._late_numbers.add(number)
        family.persons.append(baby)
        return baby

    def late_number(self, area: str, person: Person) -> str | None:
        """Return an ID number that nobody has; None when the county seems to have no more for that day of birth."""
        for _ in range(_NUMBERS_TRIED):
            serial = self.dice.between(LAST_SERIAL // 2 + 1, LATE_SERIAL // 2) * 2 + person.sex % 2
            number = id_number(area, person.birth, serial)
            if number not in self._late_numbers:
                return number
        return None
