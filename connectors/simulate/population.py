"""The population: every family with its rows, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from connectors.simulate.families import make, random_for
from connectors.simulate.people import Family, Kind
from connectors.simulate.views import health, hrss, police

MIGRANT_SHARE: Final = 0.245
"""Migrants per hukou person."""
FAMILY_LIMIT: Final = 10_000_000
"""Families of one kind that the keys have room for."""


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

    def __init__(self, seed: int, people: int, census: Census | None = None) -> None:
        self.seed = seed
        self.people = people
        self.census = census or Census()

    def everybody(self) -> Iterator[Family]:
        """Make all families in order, and take the census on the way."""
        census = self.census = Census()
        numbers: set[int] = set()
        registered = 0
        while registered < self.people:
            room = self.people - registered
            family = self._unique(Kind.HUKOU, census.hukou_families, numbers, room)
            registered += sum(person.registered for person in family.persons)
            census.hukou_families += 1
            census.room = room
            yield self._filled(family)
        target, migrants = round(self.people * MIGRANT_SHARE), 0
        while migrants < target:
            family = self._unique(Kind.MIGRANT, census.migrant_families, numbers, None)
            migrants += len(family.persons)
            census.migrant_families += 1
            yield self._filled(family)

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

    def _unique(self, kind: Kind, index: int, numbers: set[int], room: int | None) -> Family:
        salt = 0
        while True:
            family = _kept(make(self.seed, kind, index, salt=salt), room)
            own = [int(person.id_number[:17]) for person in family.persons]
            if numbers.isdisjoint(own):
                numbers.update(own)
                if salt:
                    self.census.salts[f"{kind}{index}"] = salt
                return family
            salt += 1

    def _filled(self, family: Family) -> Family:
        police_rng, health_rng, hrss_rng = (
            random_for(self.seed, name, family.kind, family.index) for name in ("police", "health", "hrss")
        )
        filed = police.hukou_rows if family.kind is Kind.HUKOU else police.migrant_rows
        family.entries += filed(family, police_rng)
        family.entries += health.rows(family, health_rng)
        family.entries += hrss.rows(family, hrss_rng)
        return family


def _kept(family: Family, room: int | None) -> Family:
    """Leave out the last members of the last family, so that not more than ``room`` have hukou."""
    if room is not None:
        while sum(person.registered for person in family.persons) > room:
            family.persons.pop()
    return family
