"""market 市场监管: legal representatives and self-employed people."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, credit_code, spelled_id
from connectors.simulate.names import family_part
from connectors.simulate.people import Family, Person, past_time
from connectors.simulate.rows.market import ELerep
from connectors.simulate.tables import E_LEREP, Entry, Named
from connectors.simulate.views import BIG_VALUE, birth_on_file, iso, name_on_file, papers, phone_on_file

SHARE: Final = 0.051
"""Adults who head a company or run a business of their own."""
SECOND: Final = 0.12
OLD_NUMBER: Final = 0.12
"""Rows that still have the 15-digit registration number as their key."""

_IDS: Final = IdHabits(missing=0.02, fifteen=0.03, lower_x=0.3, full_width=0.006, blanks=0.006, mistyped=0.01)
_ENDINGS: Final = {"公司": "有限公司", "农民专业合作社": "合作社"}
_TRADES: Final = ("百货店", "餐馆", "理发店", "商贸", "建材", "农机", "超市", "汽修")


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the businesses of the family's members."""
    entries: list[Entry] = []
    for person in family.persons:
        if 20 <= person.age() < 75 and not person.died and rng.random() < SHARE:
            entries.append(business(family, person, rng, past_time(rng, 2005)))
            if rng.random() < SECOND:
                entries.append(business(family, person, rng, past_time(rng, 2012)))
    return entries


def business(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return a business and who stands for it."""
    county = person.home.county
    serial = family.serial("e_lerep")
    is_old = moment.year < 2015 and rng.random() < OLD_NUMBER * 3
    code = code_for(county.code, serial)
    kind = rng.one(("个体工商户", "个体工商户", "公司", "农民专业合作社", "个人独资企业"))
    row = ELerep(
        uniscid=old_number(county.code, serial) if is_old else code,
        regno=old_number(county.code, serial) if is_old or rng.random() < 0.3 else None,
        entname=f"{county.name}{family_part(person.name)[:2]}记{rng.one(_TRADES)}{_ENDINGS.get(kind, '')}",
        enttype=kind,
        lerep=name_on_file(rng, person, 0.012),
        lerep_certype=papers(person, ("10", "40", "30", "30")),
        lerep_cerno=person.id_number
        if person.is_foreign
        else spelled_id(rng, person.id_number, person.birth, _IDS),
        lerep_sex=("男女"[person.sex - 1] if moment.year >= 2014 else str(person.sex))
        if rng.random() < 0.9
        else None,
        lerep_natdate=iso(birth_on_file(rng, person, 0.25)),
        tel=phone_on_file(rng, person, 0.08),
        dom=person.home.spelled(any_grain(rng)),
        regcap=f"{rng.between(1, 500)}.000000",
        estdate=moment.date().isoformat(),
        opscope="日用百货零售；" * (BIG_VALUE // 16) if family.index % 40 == 11 else "日用百货零售",
        regstate=rng.one(("存续", "存续", "存续", "注销", "吊销")),
        s_ext_timestamp=moment.isoformat(),
    )
    return Entry(E_LEREP, row, (Named("self", person),))


def code_for(county: str, serial: int) -> str:
    """Return the unified social credit code of a business."""
    return credit_code(f"92{county[:2]}{county[2:6]}M{_base31(serial):>08}")


def old_number(county: str, serial: int) -> str:
    """Return the 15-digit registration number from before the codes were unified."""
    return f"{county[:4]}{serial:011d}"


def _base31(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 31)
        text = "0123456789ABCDEFGHJKLMNPQRTUWXY"[digit] + text
    return text or "0"
