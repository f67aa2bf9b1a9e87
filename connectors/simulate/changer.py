"""The open-ended stream of changes: what happens in the province after it was filled.

The stream is a pure function of the population: its n-th transaction is the same whenever it is made. That is how a
simulator goes on after it was stopped or killed: it makes the transactions of the past again, without executing them.
"""

from __future__ import annotations

import heapq
from typing import Final

from connectors.simulate import affairs, life, upkeep
from connectors.simulate.course import Course
from connectors.simulate.dice import Weighted
from connectors.simulate.population import Population
from connectors.simulate.province import Happening, Province
from connectors.simulate.rhythm import is_open, is_school_peak
from connectors.simulate.transactions import Draft, Transaction

_INTERLEAVED_SHARE: Final = 0.03

_HAPPENINGS: Final[tuple[tuple[Happening, float], ...]] = (
    (life.new_phone, 20), (life.move_house, 8), (life.residence, 9), (life.marriage, 4), (life.divorce, 2),
    (life.death, 3), (life.renaming, 3), (life.birth, 6), (life.moves_in, 2), (life.migrant_comes, 4),
    (life.migrant_leaves, 3), (life.permit, 4), (life.de_facto, 2),
    (upkeep.touch, 12), (upkeep.files_somebody, 6), (upkeep.removes_duplicate, 5), (upkeep.corrects_book, 3),
    (upkeep.big_value_stays, 5), (upkeep.new_big_value, 2),
    (affairs.passage, 40), (affairs.vaccination, 8), (affairs.recoding, 1), (affairs.job, 10),
    (affairs.unemployment, 3), (affairs.settlement, 14), (affairs.moves_city, 2), (affairs.pupil, 10),
    (affairs.teaching, 3),
    (affairs.examination, 4), (affairs.subsidy, 3), (affairs.new_code, 7), (affairs.title, 3), (affairs.rental, 4),
    (affairs.licence, 4), (affairs.card, 6), (affairs.regraded, 3),
)  # fmt: skip
"""What happens, and how often relative to the rest."""
_ON_A_COURSE: Final[tuple[tuple[Happening, float], ...]] = ((affairs.gate_reconnects, 0.5),)
"""What takes hours, so that it happens only where time does."""
_INTERLEAVING: Final = (life.move_house, upkeep.health_moves, upkeep.hrss_moves)
"""What two transactions of one department do at once: each writes several rows of one family."""


_ALWAYS: Final = frozenset(
    (
        affairs.passage,
        affairs.gate_reconnects,
        affairs.settlement,
        life.birth,
        life.death,
        life.new_phone,
        upkeep.touch,
    )
)
"""What goes on when offices are closed."""
_AFTER_HOURS: Final = 0.03
"""Somebody is always still at work: of what offices do, the share that is done when they are closed."""
_AT_SCHOOL: Final[dict[Happening, float]] = {
    affairs.pupil: 25.0,
    affairs.teaching: 8.0,
    affairs.vaccination: 2.0,
}
"""How much more of it there is when the school year begins."""


class Changer:
    """Makes the transactions of a population, one after the other: on a ``course`` what hour and season bring."""

    def __init__(self, population: Population, course: Course | None = None) -> None:
        self._province = Province(population)
        self._course = course
        self._ordinary = Weighted([h for h, _ in _HAPPENINGS], [weight for _, weight in _HAPPENINGS])
        self._by_season = {
            (by_day, at_school): _weighted(by_day, at_school)
            for by_day in (True, False)
            for at_school in (True, False)
        }

    @property
    def number(self) -> int:
        """The last transaction that was made."""
        return self._province.number

    def next(self) -> list[Transaction]:
        """Return the next transaction, or the next two where they interleave; in the order of their commits."""
        if not self._is_something_due() and self._province.dice.random() < _INTERLEAVED_SHARE:
            return self._interleaved()
        return [self._one()]

    def _one(self) -> Transaction:
        province = self._province
        draft = self._draft()
        happenings, moment = self._ordinary, draft.moment
        if self._course is not None:
            happenings = self._by_season[is_open(moment), is_school_peak(moment.date())]
        while draft.is_empty:
            if self._is_something_due():
                heapq.heappop(province.later).happening(draft)
            else:
                happenings.draw(province.dice)(province, draft)
        province.number += 1
        return draft.finish()

    def _interleaved(self) -> list[Transaction]:
        province = self._province
        happening = province.dice.one(_INTERLEAVING)
        pair: list[Transaction] = []
        while len(pair) < 2:
            draft = self._draft()
            while draft.is_empty:
                happening(province, draft)
            province.number += 1
            pair.append(draft.finish())
            province.held = province.last
        province.held = None
        pair[1].opened_before_previous = True
        return pair

    def _draft(self) -> Draft:
        number = self._province.number + 1
        return Draft(number, None if self._course is None else self._course.at(number))

    def _is_something_due(self) -> bool:
        later = self._province.later
        return bool(later) and later[0].due <= self._province.number


def _weighted(by_day: bool, at_school: bool) -> Weighted[Happening]:
    """Return what happens, and how often: by day or when offices are closed, in ordinary weeks or as school begins."""
    happenings = (*_HAPPENINGS, *_ON_A_COURSE)
    weights = [
        weight
        * (1.0 if by_day or happening in _ALWAYS else _AFTER_HOURS)
        * (_AT_SCHOOL.get(happening, 1.0) if at_school else 1.0)
        for happening, weight in happenings
    ]
    return Weighted([happening for happening, _ in happenings], weights)
