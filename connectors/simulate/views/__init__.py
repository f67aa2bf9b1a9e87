"""How each department has recorded people: one module a department, with its columns, codes, quirks and errors.

A view makes rows from the truth by a random generator of its own, so that departments do not disturb each other.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import landline, spelled_phone
from connectors.simulate.people import BEIJING, Family, Paper, Person, Status
from connectors.simulate.tables import Entry, Table

STALE_PHONES: Final = 0.127
"""Share of the phones on file that are no longer the person's."""

BIG_VALUE: Final = 2600
"""Bytes from which a value is certain to be TOASTed: PostgreSQL's limit is 2 kB, for what compression leaves."""


def phone_on_file(rng: Dice, person: Person, missing: float) -> str | None:
    """Return the person's own phone as a department has it, stale in a known share of the cases; None without."""
    if person.phone is None or rng.random() < missing:
        return "" if rng.random() < 0.1 else None
    if rng.random() < STALE_PHONES:
        return landline(rng) if rng.random() < 0.05 else person.stale_phone
    return spelled_phone(rng, person.phone)


WORDS: Final = {
    Status.SINGLE: "未婚",
    Status.MARRIED: "已婚",
    Status.FIRST: "已婚",
    Status.REMARRIED: "已婚",
    Status.WIDOWED: "丧偶",
    Status.DIVORCED: "离异",
}
"""Marital status as it is said."""
DIGITS: Final = {
    Status.SINGLE: "1",
    Status.MARRIED: "2",
    Status.FIRST: "2",
    Status.REMARRIED: "2",
    Status.WIDOWED: "3",
    Status.DIVORCED: "4",
}
"""Marital status in the codes of the insurances."""


def marital_digit(rng: Dice, person: Person, de_facto: str = "1") -> str | None:
    """Return the insurances' marital code; mostly ``de_facto`` for those who live together unregistered."""
    draw = rng.random()
    if draw < 0.03:
        return None if draw < 0.01 else "9"
    if person.de_facto and draw < 0.9:
        return de_facto
    return DIGITS[person.status]


_PAPERS: Final = {paper: place for place, paper in enumerate(Paper)}


def papers(person: Person, codes: tuple[str, str, str, str]) -> str:
    """Return a department's code for the person's document: ID card, passport, HK-Macao permit, Taiwan permit."""
    return codes[_PAPERS[person.paper]]


def ethnic_word(person: Person) -> str | None:
    """Return the people's name with 族; none for foreigners."""
    return names.ETHNICITY[person.ethnicity] + "族" if person.ethnicity in names.ETHNICITY else None


def name_on_file(
    rng: Dice, person: Person, misspelled: float, dotted: float = 0.5, without_rare: float = 0.0
) -> str:
    """Return the person's name as a department writes it, with the shares of those who err, or lack a character."""
    name = person.name
    if rng.errs(misspelled):
        return names.misspelled(rng, name)
    if names.DOT in name:
        return names.dotted_variant(rng, name) if rng.random() < dotted else name
    return names.without_rare(name) if without_rare and rng.random() < without_rare else name


def birth_on_file(rng: Dice, person: Person, missing: float = 0.01, wrong: float = 0.006) -> date | None:
    """Return the birth date as a department has it: mostly right, sometimes the first of January, or missing."""
    if rng.errs(missing):
        return None
    return date(person.birth.year, 1, 1) if rng.errs(wrong) else person.birth


def iso(day: date | None) -> str | None:
    """Return a date as text."""
    return None if day is None else day.isoformat()


def digits(day: date) -> str:
    """Return yyyyMMdd."""
    return day.isoformat().replace("-", "")


def wall(moment: datetime) -> str:
    """Return Beijing time without its zone, in whole seconds."""
    return moment.isoformat(" ", "seconds")[:19]


def noon(day: date) -> datetime:
    """Return an instant on the day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=BEIJING)


def days_after(person: Person, days: int) -> datetime:
    """Return ten o'clock so many days after the person's birth."""
    day = person.birth + timedelta(days=days)
    return datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING)


def jsonb(value: object) -> str:
    """Return json as PostgreSQL spells jsonb: keys by length and bytes, a blank after comma and colon."""
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(", ", ": "))


def first(family: Family, table: Table, person: Person) -> Entry | None:
    """Return the first of the family's rows of a table that name the person."""
    return next(iter(family.of(table, person)), None)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _sorted(value[key]) for key in sorted(value, key=lambda k: (len(k.encode()), k.encode()))
        }
    return [_sorted(part) for part in value] if isinstance(value, list) else value


def compact(moment: datetime) -> str:
    """Return yyyyMMddHHmmss in Beijing time."""
    text = moment.isoformat()
    return text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]
