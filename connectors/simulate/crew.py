"""What becomes of everybody, family by family and in order, made by as many processes as there are processors.

A family is a pure function of seed, kind and index, unless an ID number of it is taken: then it is drawn again, and
those who rent from it are made again as well. Which numbers are taken is known to whoever goes through the families in
order. So the crew makes drafts as if no number were taken, and the few that are not right are made here: the result is
the same bytes, however many are at work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.pool import AsyncResult, Pool
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from connectors.simulate.people import Family, Kind
from connectors.simulate.population import Census, Population
from connectors.simulate.profiles import Profile
from connectors.simulate.sheets import Sheet, sheet_of

FAMILIES: Final = 100
"""Families in one task: some hundred kilobytes of lines."""
AHEAD: Final = 4
"""Tasks a process that are made before they are wanted: what bounds the memory."""
ALONE: Final = 5_000
"""People below which starting processes takes longer than it saves."""


class Task(NamedTuple):
    """Families of a kind. ``known`` is how many hukou families there are, which migrants rent from."""

    kind: Kind
    first: int
    known: int


class Made(Protocol):
    """What becomes of a family: a sheet for databases, a page for a folder of events. See `sheets`, `pages`."""

    @property
    def registered(self) -> int:
        """People with hukou."""

    @property
    def people(self) -> int:
        """All of its people."""

    @property
    def numbers(self) -> tuple[int | str, ...]:
        """ID numbers that nobody else may have."""

    @property
    def landlord(self) -> int | None:
        """Index of the hukou family that it rents from."""


M = TypeVar("M", bound=Made)
Make = Callable[[Family, int | None], M]
"""Makes something of a family and the index of its landlord's. It must be picklable: a function of a module, or a
`functools.partial` of one."""


class Setting(NamedTuple, Generic[M]):
    """What all tasks have in common."""

    seed: int
    people: int
    profile: Profile
    make: Make[M]


_setting: Setting[Any] | None = None
"""In a process of the crew."""


@contextmanager
def sheets(
    population: Population, departments: Collection[str], full: Collection[int]
) -> Iterator[Iterator[Sheet]]:
    """Give everybody's sheets, in the order in which the tables are filled; the population's census is taken then."""
    make = partial(sheet_of, departments=frozenset(departments), full=frozenset(full))
    with made_by_all(population, make) as made:
        yield made


@contextmanager
def made_by_all(population: Population, make: Make[M]) -> Iterator[Iterator[M]]:
    """Give what becomes of everybody, in order; the population's census is taken on the way."""
    setting = Setting(population.seed, population.people, population.profile, make)
    crew = len(os.sched_getaffinity(0))
    if population.people < ALONE or crew == 1:
        yield _everybody(population, setting, lambda tasks: (_drafts_of(setting, task) for task in tasks))
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(crew, _begin, (setting,)) as pool:
        yield _everybody(population, setting, lambda tasks: _in_order(pool, tasks, crew * AHEAD))


Drafts = Callable[[Iterable[Task]], Iterator[list[M]]]


def _everybody(population: Population, setting: Setting[M], drafts: Drafts[M]) -> Iterator[M]:
    census = population.census = Census()
    taken: set[int | str] = set()
    registered = 0
    for draft in _drafted(drafts, Kind.HUKOU, 0):
        room = population.people - registered
        made = _right(population, setting, Kind.HUKOU, draft, taken, room)
        registered += made.registered
        census.hukou_families += 1
        census.room = room
        yield made
        if registered >= population.people:
            break
    target, migrants = population.migrants, 0
    if not target:
        return
    for draft in _drafted(drafts, Kind.MIGRANT, census.hukou_families):
        made = _right(population, setting, Kind.MIGRANT, draft, taken, None)
        migrants += made.people
        census.migrant_families += 1
        yield made
        if migrants >= target:
            break


def _drafted(drafts: Drafts[M], kind: Kind, known: int) -> Iterator[M]:
    """Yield drafts without end: how many are wanted shows only in them."""
    for drafts_of_task in drafts(Task(kind, first, known) for first in count(0, FAMILIES)):
        yield from drafts_of_task


def _right(
    population: Population,
    setting: Setting[M],
    kind: Kind,
    draft: M,
    taken: set[int | str],
    room: int | None,
) -> M:
    """Return a draft, or what it should be where numbers are taken, it is too large, or its landlord is another."""
    census = population.census
    index = census.count(kind)
    is_free = taken.isdisjoint(draft.numbers)
    fits = room is None or draft.registered <= room
    if is_free and fits and (draft.landlord is None or f"{Kind.HUKOU}{draft.landlord}" not in census.salts):
        taken.update(draft.numbers)
        return draft
    family = population.settled(kind, index, taken, room)
    return setting.make(family, population.landlord)


def _in_order(pool: Pool, tasks: Iterable[Task], ahead: int) -> Iterator[list[Any]]:
    """Have tasks done ahead of their turn, a bounded number of them."""
    waiting: deque[AsyncResult[list[Any]]] = deque()
    for task in tasks:
        waiting.append(pool.apply_async(_drafts, (task,)))
        if len(waiting) >= ahead:
            yield waiting.popleft().get()


def _begin(setting: Setting[Any]) -> None:
    global _setting
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever has the crew
    _setting = setting


def _drafts(task: Task) -> list[Any]:
    assert _setting is not None, "the process was begun"
    return _drafts_of(_setting, task)


def _drafts_of(setting: Setting[M], task: Task) -> list[M]:
    population = Population(setting.seed, setting.people, profile=setting.profile)
    found = []
    for index in range(task.first, task.first + FAMILIES):
        # A hukou family rents from one before it, a migrant from any.
        population.census.hukou_families = task.known
        family = population.draft(task.kind, index)
        found.append(setting.make(family, population.landlord))
    return found
