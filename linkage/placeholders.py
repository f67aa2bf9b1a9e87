"""Generic values that are learned from the register: what far more people have than chance and families explain.

Of each telephone, number, name and day of birth it is counted how many differently named people have it: the
same name twice is one person who moved, so that a large family or a person of many records is no default. A value is
proposed when at least `LEAST` have it and more than `FAR` times as many as are to be expected:

- a telephone or a number: as many as one has on average in this register;
- a day of birth: as many as days around it, and for a first of January as others have, which stand for a year;
- a name: its frequency by that of its characters (`linkage.names`), of all who are counted.

The proposal is the table in force with new lines behind it. A steward reads and shortens it, `renkou link compare`
shows what it would change, and a switch is an entry of the log.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Final, NamedTuple

import xxhash

from avro.masking import mask_middle, mask_name
from avro.normalize.name_key import name_key
from linkage.births import day_of as date_of
from linkage.births import days_of, iso_day
from linkage.generic import COLUMNS, hide
from linkage.names import name_share
from linkage.state import LinkState

LEAST: Final = 20
"""Differently named people who have a value, below which it is no default: a large family with errors."""
FAR: Final = 10
"""So many times the expectation is no chance any more."""
_AROUND: Final = 183
"""Days before and after a day whose births say what is to be expected of it."""
_YEARS: Final = 10
"""Years before and after, for firsts of January."""
_PROPOSED: Final = ("shown", "holders", "expected", "feeds")


class Placeholder(NamedTuple):
    """A proposed value: ``holders`` differently named people have it where ``expected`` were to be expected."""

    element: str
    value: str
    shown: str
    holders: int
    expected: float
    feeds: tuple[str, ...]


class Learned(NamedTuple):
    """The table to be reviewed, and what is new in it, the most frequent first."""

    text: str
    found: tuple[Placeholder, ...]


class _Holders:
    """Who has the values of one element: hashes of names, and the feeds that say so."""

    def __init__(self) -> None:
        self.of: defaultdict[str | int, set[int]] = defaultdict(set)
        self.feeds: defaultdict[str | int, set[str]] = defaultdict(set)

    def add(self, value: str | int, holder: int, feed: str) -> None:
        self.of[value].add(holder)
        self.feeds[value].add(feed)

    @property
    def mean(self) -> float:
        return sum(map(len, self.of.values())) / max(1, len(self.of))


def learn(state: LinkState) -> Learned:
    """Return the table that the live mentions propose. What the table in force has is not proposed again."""
    holders = _count(state)
    births = {int(day): len(found) for day, found in holders["birth_date"].of.items()}
    people = sum(births.values())
    found: list[Placeholder] = []
    for element in ("phone", "id_number", "birth_date", "name"):
        known = holders[element]
        mean = known.mean
        for value, have in known.of.items():
            if len(have) < LEAST:
                continue
            if element == "birth_date":
                expected = _births_expected(int(value), births)
            elif element == "name":
                expected = name_share(name_key(str(value))) * people
            else:
                expected = mean
            if len(have) > FAR * expected:
                feeds = tuple(sorted(known.feeds[value]))
                found.append(_proposed(element, value, len(have), expected, feeds))
    found.sort(key=lambda one: (-one.holders, one.element, one.value))
    return Learned(_table(state.generic.text, found), tuple(found))


def _count(state: LinkState) -> Mapping[str, _Holders]:
    """Count who has what. People with a name are counted; a name's holders are told apart by birth or number."""
    generic = state.generic
    counted = {element: _Holders() for element in ("phone", "id_number", "birth_date", "name")}
    for feed in state.feeds.values():
        for row in feed.rows.values():
            for stored in row.mentions:
                mention = state.read(stored)
                name, number = mention.name, mention.id_number or stored.invalid
                if not name or generic.has("name", name):
                    continue
                holder = xxhash.xxh3_64_intdigest(name_key(name).folded)
                if mention.phone and not generic.has("phone", mention.phone):
                    counted["phone"].add(mention.phone, holder, feed.name)
                if number and not generic.has("id_number", number):
                    counted["id_number"].add(number, holder, feed.name)
                if mention.birth_date is not None and mention.birth_date not in generic.births:
                    counted["birth_date"].add(mention.birth_date, holder, feed.name)
                if number or mention.birth_date is not None:
                    who = xxhash.xxh3_64_intdigest(number or str(mention.birth_date))
                    counted["name"].add(name, who, feed.name)
    return counted


def _births_expected(day: int, births: Mapping[int, int]) -> float:
    around = [births.get(other, 0) for other in range(day - _AROUND, day + _AROUND + 1) if other != day]
    expected = sum(around) / len(around)
    date = date_of(day)
    if (date.month, date.day) == (1, 1):
        others = [
            births.get(first, 0)
            for year in range(date.year - _YEARS, date.year + _YEARS + 1)
            if year != date.year and (first := days_of(year, 1, 1)) is not None
        ]
        expected = max(expected, sum(others) / len(others))
    return expected


def _proposed(
    element: str, value: str | int, holders: int, expected: float, feeds: tuple[str, ...]
) -> Placeholder:
    if isinstance(value, int):
        shown = iso_day(value)
        return Placeholder(element, shown, shown, holders, expected, feeds)
    shown = mask_name(value) if element == "name" else mask_middle(value)
    return Placeholder(element, hide(value), shown, holders, expected, feeds)


def _table(before: str, found: Iterable[Placeholder]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = (*COLUMNS, *_PROPOSED)
    writer.writerow(columns)
    for row in csv.DictReader(StringIO(before)):
        writer.writerow([row.get(column) or "" for column in columns])
    for one in found:
        writer.writerow(
            (
                one.element,
                one.value,
                "learned",
                one.shown,
                one.holders,
                f"{one.expected:.3g}",
                " ".join(one.feeds),
            )
        )
    return out.getvalue()
