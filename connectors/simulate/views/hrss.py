"""hrss 人社: social insurance enrolment.

Columns carry the sector's item codes; dates are numbers, times epoch milliseconds; marital status has the code 5
for a de facto marriage, which no national list knows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate.areas import HOME, address_in, any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, fifteen, spelled_id
from connectors.simulate.people import (
    BASE_DATE,
    Family,
    Kind,
    Person,
    past_time,
)
from connectors.simulate.rows.hrss import Ac01
from connectors.simulate.tables import AC01, Entry, Named
from connectors.simulate.views import marital_digit, name_on_file, papers, phone_on_file

ENROLLED: Final = 0.80
"""Hukou people of working age or over."""
ENROLLED_MIGRANTS: Final = 0.66
SECOND_NUMBER: Final = 0.185
"""People who moved in from elsewhere and got a second personal number."""
WORKING_AGE: Final = 16

_IDS: Final = IdHabits(
    missing=0.008, fifteen=0.02, lower_x=0.15, full_width=0.008, blanks=0.002, mistyped=0.008
)
DE_FACTO: Final = "5"
_INSURANCES: Final = ("{110,120,210,410}", "{110,120}", "{120}", "{110,210,410}", None)
_HUKOU_KINDS: Final = ("10", "20", "30", None)


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the enrolments of the family's members; people who came from elsewhere have two."""
    entries: list[Entry] = []
    share = ENROLLED if family.kind is Kind.HUKOU else ENROLLED_MIGRANTS
    for person in family.persons:
        if person.age() >= WORKING_AGE and rng.random() < share:
            moment = past_time(rng, 2010)
            entries.append(enrolment(family, person, rng, moment))
            if rng.random() < SECOND_NUMBER:
                entries.append(second_enrolment(family, person, rng, moment))
    return entries


def enrolment(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the person's enrolment."""
    age = person.age()
    name = name_on_file(rng, person, 0.012, 0.4, 0.2)
    kind = papers(person, ("01", "08", "04", "05"))
    number: str | None = person.id_number
    if not person.is_foreign:
        number = spelled_id(rng, person.id_number, person.birth, _IDS)
        if rng.random() < 0.004:
            kind, number = "08", person.passport
    first_job = min(person.birth.year + rng.between(17, 27), BASE_DATE.year)
    retired = age >= 60
    row = Ac01(
        aac001=39_100_000_000_000 + family.serial("ac01"),
        aac058=kind,
        aac002=number,
        aac003=name,
        aac004=str(person.sex) if rng.random() < 0.985 else "9",
        aac005=person.ethnicity if rng.random() < 0.95 else None,
        aac006=_birth(rng, person),
        aac007=first_job * 100 + rng.between(1, 13) if rng.random() < 0.8 else None,
        aac009=rng.one(_HUKOU_KINDS),
        aac010=family.address.spelled(any_grain(rng)) if rng.random() < 0.85 else None,
        aac017=marital_digit(rng, person, DE_FACTO),
        aac008="4" if person.died else "2" if retired else rng.choices("134", (85, 9, 6))[0],
        aae005=phone_on_file(rng, person, 0.1),
        aae006=person.home.spelled(any_grain(rng)) if rng.random() < 0.85 else None,
        aab001=rng.between(10**9, 10**10) if person.workplace else None,
        aab004=person.workplace,
        aae140=rng.one(_INSURANCES),
        aac040=f"{rng.between(3000, 25000)}.{rng.below(100):02d}" if not retired else None,
        aac049=rng.between(max(first_job, 1992), BASE_DATE.year + 1) * 100 + rng.between(1, 6),
        aae013="转入" if rng.random() < 0.02 else None,
        aae036=milliseconds(moment),
    )
    return Entry(AC01, row, (Named("self", person),))


def second_enrolment(family: Family, person: Person, rng: Dice, present: datetime) -> Entry:
    """Return the enrolment under the number from before the person moved."""
    entry = enrolment(family, person, rng, present - timedelta(days=rng.between(60, 3500)))
    row = entry.row
    assert isinstance(row, Ac01)
    row.aac008 = rng.one("34")
    row.aae006 = address_in(rng, rng.one(HOME)).spelled(any_grain(rng))
    row.aab001 = row.aab004 = None
    if person.birth.year < 1985 and row.aac058 == "01" and rng.random() < 0.1:
        row.aac002 = fifteen(person.id_number)
    if person.former_name and rng.random() < 0.6:
        row.aac003 = person.former_name
    return entry


def milliseconds(moment: datetime) -> int:
    """Return the moment as epoch milliseconds."""
    return int(moment.timestamp()) * 1000


def _birth(rng: Dice, person: Person) -> int | None:
    draw = rng.random() / rng.noise
    if draw < 0.015:
        return 0 if draw < 0.01 else None
    return person.birth.year * 10_000 + person.birth.month * 100 + person.birth.day
