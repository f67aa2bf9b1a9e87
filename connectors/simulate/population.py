"""The population: every family with its rows, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from connectors.simulate.dice import Dice
from connectors.simulate.families import make, random_for
from connectors.simulate.people import Family, Kind, Person
from connectors.simulate.profiles import SMALL, Profile, leave_placeholder
from connectors.simulate.views import (
    civil,
    edu,
    files,
    health,
    health_papers,
    housing,
    hrss,
    hrss_papers,
    market,
    medins,
    police,
    police_papers,
    tax,
    transport,
)

MIGRANT_SHARE: Final = 0.245
"""Migrants per hukou person."""
FAMILY_LIMIT: Final = 10_000_000
"""Families of one kind that the keys have room for."""


_VIEWS: Final = (
    "police", "health", "hrss", "papers", "health_papers", "hrss_papers", "civil", "edu", "medins", "tax", "market",
    "transport", "files", "housing",
)  # fmt: skip
_RENTERS: Final = {Kind.HUKOU: housing.TENANTS_HUKOU, Kind.MIGRANT: housing.TENANTS}


@dataclass(slots=True)
class Census:
    """What filling the province has found out, and remaking a single family needs to know.

    ``families`` counts those of each kind, ``room`` is how many members of the last hukou family are kept, so that
    the number of people is the one asked for. ``salts`` holds the families that were drawn again because an ID
    number was taken.
    """

    hukou_families: int = 0
    migrant_families: int = 0
    room: int = 0
    salts: dict[str, int] = field(default_factory=dict)

    def count(self, kind: Kind) -> int:
        """Return the number of families of a kind."""
        return self.hukou_families if kind is Kind.HUKOU else self.migrant_families


class Population:
    """Families by kind and index, with all their rows. ``people`` counts those with hukou."""

    def __init__(
        self, seed: int, people: int, census: Census | None = None, profile: Profile = SMALL
    ) -> None:
        self.seed = seed
        self.profile = profile
        self.people = people
        self.census = census or Census()
        self.landlord: int | None = None
        """Index of the hukou family that the family made last rents from."""

    @property
    def migrants(self) -> int:
        """How many migrants there are to be."""
        return round(self.people * MIGRANT_SHARE)

    def everybody(self) -> Iterator[Family]:
        """Make all families in order, and take the census on the way."""
        census = self.census = Census()
        numbers: set[int | str] = set()
        registered = 0
        while registered < self.people:
            room = self.people - registered
            family = self.settled(Kind.HUKOU, census.hukou_families, numbers, room)
            registered += sum(person.registered for person in family.persons)
            census.hukou_families += 1
            census.room = room
            yield family
        target, migrants = self.migrants, 0
        while migrants < target:
            family = self.settled(Kind.MIGRANT, census.migrant_families, numbers, None)
            migrants += len(family.persons)
            census.migrant_families += 1
            yield family

    def draft(self, kind: Kind, index: int) -> Family:
        """Make a family as it is where none of its ID numbers is taken, with its rows."""
        return self._filled(make(self.seed, kind, index))

    def settled(self, kind: Kind, index: int, taken: set[int | str], room: int | None) -> Family:
        """Make a family whose ID numbers nobody has, note these in ``taken``, and give it its rows.

        At most ``room`` of its members are kept. The families before it must have been settled.
        """
        return self._filled(self._unique(kind, index, taken, room))

    def family(self, kind: Kind, index: int) -> Family:
        """Make one family of the census again, as it was when the province was filled."""
        last = kind is Kind.HUKOU and index == self.census.hukou_families - 1
        salt = self.census.salts.get(f"{kind}{index}", 0)
        return self._filled(
            _kept(make(self.seed, kind, index, salt=salt), self.census.room if last else None)
        )

    def late_family(self, kind: Kind, index: int) -> Family:
        """Make a family that comes later, without rows. ``index`` follows those of the census."""
        return make(self.seed, kind, index, late=True)

    def _unique(self, kind: Kind, index: int, numbers: set[int | str], room: int | None) -> Family:
        salt = 0
        while True:
            family = _kept(make(self.seed, kind, index, salt=salt), room)
            own = numbers_of(family)
            if numbers.isdisjoint(own):
                numbers.update(own)
                if salt:
                    self.census.salts[f"{kind}{index}"] = salt
                return family
            salt += 1

    def _filled(self, family: Family) -> Family:
        dice = {name: self._dice(name, family) for name in _VIEWS}
        filed = police.hukou_rows if family.kind is Kind.HUKOU else police.migrant_rows
        family.entries += filed(family, dice["police"])
        # What refers to rows of another table comes after it.
        for view, name in (
            (health.rows, "health"), (hrss.rows, "hrss"), (police_papers.rows, "papers"),
            (health_papers.rows, "health_papers"), (hrss_papers.rows, "hrss_papers"), (civil.rows, "civil"),
            (edu.rows, "edu"), (medins.rows, "medins"), (tax.rows, "tax"), (market.rows, "market"),
            (transport.rows, "transport"), (files.rows, "files"),
        ):  # fmt: skip
            family.entries += view(family, dice[name])
        family.entries += housing.rows(family, dice["housing"], self._landlord(family, dice["housing"]))
        if self.profile.placeholders:
            careless = self._dice("placeholders", family)
            for entry in family.entries:
                if careless.random() < self.profile.placeholders:
                    leave_placeholder(entry, careless)
        return family

    def _dice(self, name: str, family: Family) -> Dice:
        return random_for(self.seed, name, family.kind, family.index, noise=self.profile.noise)

    def _landlord(self, family: Family, dice: Dice) -> Person | None:
        """Return the head of a family that came before this one: it can be made at any time."""
        self.landlord = None
        known = family.index if family.kind is Kind.HUKOU else self.census.hukou_families
        if known == 0 or dice.random() >= _RENTERS[family.kind]:
            return None
        index = self.landlord = dice.below(known)
        salt = self.census.salts.get(f"{Kind.HUKOU}{index}", 0)
        head = make(self.seed, Kind.HUKOU, index, salt=salt).persons[0]
        return None if head.died or head.age() < 18 else head


def numbers_of(family: Family) -> list[int | str]:
    """Return the ID numbers of a family and those who belong to it, without the check character."""
    return [
        person.id_number if person.is_foreign else int(person.id_number[:17])
        for person in (*family.persons, *family.others)
    ]


def _kept(family: Family, room: int | None) -> Family:
    """Leave out the last members of the last family, so that not more than ``room`` have hukou."""
    if room is not None:
        while sum(person.registered for person in family.persons) > room:
            family.persons.pop()
        family.others = [other for other in family.others if other.spouse in family.persons]
    return family
