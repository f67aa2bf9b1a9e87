"""tax 税务: natural-person taxpayers; somebody with passport and ID card has two files."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, certain_id
from connectors.simulate.people import MARRIED, Family, Kind, Person, past_time
from connectors.simulate.rows.tax import ZrrDjxx
from connectors.simulate.tables import ZRR_DJXX, Entry, Named
from connectors.simulate.views import birth_on_file, iso, jsonb, name_on_file, papers, phone_on_file, wall

TAXPAYERS: Final = 0.59
TAXPAYERS_MIGRANT: Final = 0.5
SECOND_FILE: Final = 0.17
PASSPORT: Final = 0.5
"""Second files that are by passport; the others were opened by another employer with a mistyped number."""

_IDS: Final = IdHabits(missing=0, fifteen=0.01, lower_x=0.2, full_width=0.003, blanks=0.002, mistyped=0.008)
_BAD_IDS: Final = IdHabits(missing=0, fifteen=0.2, lower_x=0.5, full_width=0.1, blanks=0.1, mistyped=0.3)


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the family's taxpayer files."""
    entries: list[Entry] = []
    share = TAXPAYERS if family.kind is Kind.HUKOU else TAXPAYERS_MIGRANT
    for person in family.persons:
        if person.age() < 18 or rng.random() >= share:
            continue
        moment = past_time(rng, 2016)
        entries.append(taxpayer(family, person, rng, moment))
        if rng.random() < SECOND_FILE:
            earlier = moment - timedelta(days=rng.between(100, 1500))
            entries.append(second(family, person, rng, earlier))
    return entries


def taxpayer(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the person's file."""
    number = person.id_number if person.is_foreign else certain_id(rng, person.id_number, person.birth, _IDS)
    row = ZrrDjxx(
        zrrdah=f"39{family.serial('zrr_djxx'):016d}",
        xm=name_on_file(rng, person, 0.008, 0.3, 0.1),
        zjlx_dm=papers(person, ("201", "208", "210", "213")),
        zjhm=number,
        qt_zjhm=person.passport if not person.is_foreign and rng.random() < 0.02 else None,
        xb_dm=str(person.sex) if rng.random() < 0.98 else None,
        csrq=iso(birth_on_file(rng, person)),
        gj_dm="CHN" if person.id_number[:1] in "0123456789HM" else rng.one(("NLD", "SWE", "BRA")),
        sjhm=phone_on_file(rng, person, 0.06),
        hjdz=family.address.spelled(any_grain(rng)) if rng.random() < 0.7 else None,
        lxdz=person.home.spelled(any_grain(rng)) if rng.random() < 0.8 else None,
        rzsgrq=wall(moment) if rng.random() < 0.6 else None,
        kjywr=person.workplace,
        zxfjkc=_deductions(person, family, rng),
        ljsr=f"{rng.between(5000, 400000)}.00",
        ljse=f"{rng.below(40000)}.00",
        zxbz="Y" if person.died else "N",
        lrrq=wall(moment),
        xgrq=wall(moment),
    )
    return Entry(ZRR_DJXX, row, (Named("self", person),))


def second(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the other file of a person: by passport, or by another employer's spelling."""
    entry = taxpayer(family, person, rng, moment)
    row = entry.row
    assert isinstance(row, ZrrDjxx)
    if rng.random() < PASSPORT and not person.is_foreign:
        row.zjlx_dm, row.zjhm = "208", person.passport
        row.qt_zjhm = person.id_number if rng.random() < 0.5 else None
    elif not person.is_foreign:
        row.zjhm = certain_id(rng, person.id_number, person.birth, _BAD_IDS)
    if person.former_name and rng.random() < 0.6:
        row.xm = person.former_name
    row.zxfjkc, row.ljsr, row.ljse = None, None, None
    return entry


def _deductions(person: Person, family: Family, rng: Dice) -> str | None:
    found: list[dict[str, str]] = []
    if isinstance(person.spouse, Person) and person.status in MARRIED and rng.random() < 0.5:
        found.append({"gx": "配偶", "xm": person.spouse.name, "zjhm": person.spouse.id_number})
    for child in family.persons:
        if person in (child.father, child.mother) and child.age() < 24 and rng.random() < 0.6:
            found.append({"gx": "子女", "xm": child.name, "zjhm": child.id_number})
    for parent in (person.father, person.mother):
        if isinstance(parent, Person) and rng.random() < 0.6:
            found.append({"gx": "父母", "xm": parent.name, "zjhm": parent.id_number})
    return jsonb(found) if found else None
