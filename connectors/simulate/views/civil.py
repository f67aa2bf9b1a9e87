"""civil 民政: marriages and divorces, minimum living allowance, elderly care subsidies.

Chinese words for codes; two persons a row in marriage and divorce.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from connectors.simulate import lunar, names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, certain_id, fifteen, mobile, spelled_id
from connectors.simulate.people import BASE_DATE, MARRIED, Family, Kind, Person, Status, past_time
from connectors.simulate.rows.civil import DbjtCy, Gljt, HydjJh, HydjLh
from connectors.simulate.tables import DBJT_CY, GLJT, HYDJ_JH, HYDJ_LH, Entry, Named
from connectors.simulate.views import (
    BIG_VALUE,
    WORDS,
    birth_on_file,
    ethnic_word,
    iso,
    jsonb,
    name_on_file,
    noon,
    papers,
    phone_on_file,
    wall,
)

REGISTERED: Final = 0.64
"""Married couples whose registration is in the system; older ones are on paper."""
ALLOWANCE: Final = 0.02
"""Families with minimum living allowance."""
SUBSIDY: Final = 0.76
"""Living hukou people of 75 and over."""
LUNAR: Final = 0.12
"""Birthdays of the subsidised in lunar words."""
LEGACY_NUMBERS: Final = 0.45
"""15-digit numbers among theirs."""

_IDS: Final = IdHabits(missing=0, fifteen=0.02, lower_x=0.3, full_width=0.004, blanks=0.004, mistyped=0.008)
_POOR_IDS: Final = IdHabits(
    missing=0.03, fifteen=0.03, lower_x=0.3, full_width=0.004, blanks=0.01, mistyped=0.015
)
_DOCUMENTS: Final = ("居民身份证", "护照", "港澳居民来往内地通行证", "台湾居民来往大陆通行证")
_RELATIONS: Final = {"01": "户主", "02": "户主", "12": "配偶", "51": "父亲", "52": "母亲"}


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the family's marriages and divorces, allowances and subsidies."""
    entries: list[Entry] = []
    for person in family.persons:
        other = person.spouse
        if (
            person.sex == 1
            and isinstance(other, Person)
            and other in family.persons
            and not person.de_facto
            and (
                person.status in MARRIED or other.status is Status.WIDOWED or person.status is Status.WIDOWED
            )
            and rng.random() < REGISTERED
        ):
            entries.append(marriage(family, person, other, rng, _wedding(rng, person, other)))
    for other in family.others:
        once = other.spouse
        assert isinstance(once, Person)
        man, woman = (once, other) if once.sex == 1 else (other, once)
        wedding = _wedding(rng, man, woman)
        married = marriage(family, man, woman, rng, wedding, "已离婚")
        if rng.random() < 0.8:
            entries.append(married)
        parted = min(
            wedding + timedelta(days=rng.between(200, 6000)),
            noon(BASE_DATE - timedelta(days=rng.between(10, 900))),
        )
        entries.append(
            divorce(family, man, woman, rng, max(parted, wedding), married if married in entries else None)
        )
    if family.kind is Kind.HUKOU:
        if rng.random() < ALLOWANCE:
            entries += allowance(family, rng)
        for person in family.persons:
            if person.age() >= 75 and not person.died and rng.random() < SUBSIDY:
                entries.append(subsidy(family, person, rng, past_time(rng, 2022)))
    return entries


def marriage(
    family: Family, man: Person, woman: Person, rng: Dice, moment: datetime, state: str = "有效"
) -> Entry:
    """Return the registration of a marriage."""
    county = family.persons[0].home.county
    if state == "有效" and rng.random() < 0.04:
        state = "补发"
    number = f"J{county.code}-{moment.year}-{family.serial('hydj_jh'):011d}"
    row = HydjJh(
        jhzh=number,
        djrq=moment.date().isoformat(),
        djjg=f"{county.name}民政局婚姻登记处",
        nan_xm=name_on_file(rng, man, 0.01),
        nan_zjlx=papers(man, _DOCUMENTS),
        nan_zjhm=_number(rng, man),
        nan_csrq=iso(birth_on_file(rng, man)),
        nan_mz=ethnic_word(man),
        nan_gj="外国" if man.ethnicity == names.FOREIGN else "中国",
        nan_hyzk=_before(rng, man),
        nan_dz=man.home.spelled(any_grain(rng)),
        nan_dh=phone_on_file(rng, man, 0.3),
        nv_xm=name_on_file(rng, woman, 0.01),
        nv_zjlx=papers(woman, _DOCUMENTS),
        nv_zjhm=_number(rng, woman),
        nv_csrq=iso(birth_on_file(rng, woman)),
        nv_mz=ethnic_word(woman),
        nv_gj="外国" if woman.ethnicity == names.FOREIGN else "中国",
        nv_hyzk=_before(rng, woman),
        nv_dz=woman.home.spelled(any_grain(rng)),
        nv_dh=phone_on_file(rng, woman, 0.3),
        zt=state,
        zp=rng.randbytes(BIG_VALUE) if family.index % 50 == 7 else None,
        bz=None,
        lrsj=wall(moment),
    )
    return Entry(HYDJ_JH, row, (Named("husband", man), Named("wife", woman)))


def divorce(
    family: Family, man: Person, woman: Person, rng: Dice, moment: datetime, married: Entry | None
) -> Entry:
    """Return the registration of a divorce; ``married`` is the marriage where it was registered here."""
    county = family.persons[0].home.county
    children = [
        {"xm": p.name, "csrq": p.birth.isoformat(), "fyq": rng.one(("男方", "女方"))}
        for p in family.persons
        if (p.father is man or p.mother is woman) and p.age() < 18
    ]
    row = HydjLh(
        lhzh=f"L{county.code}-{moment.year}-{family.serial('hydj_lh'):011d}",
        jhzh=str(married.key[0]) if married else None,
        lhrq=moment.date().isoformat(),
        lhfs="协议" if rng.random() < 0.8 else "诉讼",
        djjg=f"{county.name}民政局婚姻登记处" if rng.random() < 0.9 else None,
        nan_xm=name_on_file(rng, man, 0.01),
        nan_zjhm=_number(rng, man),
        nan_csrq=iso(birth_on_file(rng, man)),
        nan_dz=man.home.spelled(any_grain(rng)),
        nv_xm=name_on_file(rng, woman, 0.01),
        nv_zjhm=_number(rng, woman),
        nv_csrq=iso(birth_on_file(rng, woman)),
        nv_dz=woman.home.spelled(any_grain(rng)),
        zn=jsonb(children) if children else None,
        lhxy="双方自愿离婚，就子女抚养、财产分割达成一致。" if rng.random() < 0.5 else None,
        lrsj=wall(moment),
    )
    return Entry(HYDJ_LH, row, (Named("husband", man), Named("wife", woman)))


def allowance(family: Family, rng: Dice) -> list[Entry]:
    """Return the rows of a family with minimum living allowance, one a member."""
    number = allowance_number(family, family.number("jtbh"))
    begin = date(BASE_DATE.year - rng.between(0, 2), 1, 1)
    entries: list[Entry] = []
    for place, person in enumerate(p for p in family.persons if not p.died):
        row = DbjtCy(
            jtbh=number,
            cyxh=place + 1,
            xm=name_on_file(rng, person, 0.02),
            sfzh=spelled_id(rng, person.id_number, person.birth, _POOR_IDS),
            xb="男" if person.sex == 1 else "女",
            csrq=iso(birth_on_file(rng, person)),
            mz=ethnic_word(person),
            yhzgx=_RELATIONS.get(person.relation, "子女"),
            hyzk=WORDS[person.status],
            jkzk=rng.one(("健康", "一般", "患病", "残疾")),
            jtzz=person.home.spelled(any_grain(rng)),
            lxdh=phone_on_file(rng, person, 0.2),
            yhkh=f"62{rng.below(10**16):016d}",
            ybje=f"{rng.between(200, 900)}.00",
            yxq=f"[{begin},{begin.replace(year=begin.year + 1)})",
            zt="享受",
            sqyy="家庭主要劳动力患病" if rng.random() < 0.5 else None,
            gxsj=past_time(rng, 2024).isoformat(),
        )
        entries.append(Entry(DBJT_CY, row, (Named("self", person),)))
    return entries


def allowance_number(family: Family, edition: int) -> str:
    """Return the number that a family gets at a yearly examination."""
    return f"DB{family.address.county.code}{family.index:08d}{edition:02d}"


def subsidy(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return an elderly care subsidy."""
    number = spelled_id(rng, person.id_number, person.birth, _POOR_IDS)
    if number == person.id_number and rng.random() < LEGACY_NUMBERS:
        number = fifteen(number)
    younger = [p for p in family.persons if 18 <= p.age() < 70 and not p.died]
    contact = younger[0] if younger else None
    birth: str | None = iso(birth_on_file(rng, person))
    if rng.random() < LUNAR:
        birth = lunar.words(person.birth)
    paid = [moment.date() - timedelta(days=30 * n) for n in range(3)]
    row = Gljt(
        id=30_000_000_000 + family.serial("gljt"),
        xm=name_on_file(rng, person, 0.02),
        sfzh=number,
        xb="男" if person.sex == 1 else "女",
        csrq=birth,
        nl=person.age(moment.date()),
        btlb=rng.one(("高龄津贴", "高龄津贴", "护理补贴", "服务补贴")),
        ybje=f"{rng.one((50, 100, 200))}.00",
        ffrq="{" + ",".join(map(str, paid)) + "}" if rng.random() < 0.9 else None,
        dz=person.home.spelled(any_grain(rng)),
        lxr=contact.name if contact else names.full_name(rng, rng.one((1, 2)), 1970, "01"),
        lxdh=_contact(rng, contact),
        yhkh=f"62{rng.below(10**16):016d}",
        hczt=rng.one(("已核", "已核", "待核")),
        gxsj=moment.isoformat(),
    )
    return Entry(GLJT, row, (Named("self", person),))


def _contact(rng: Dice, contact: Person | None) -> str | None:
    return contact.phone if contact and contact.phone and rng.random() < 0.7 else mobile(rng)


def _number(rng: Dice, person: Person) -> str:
    return person.id_number if person.is_foreign else certain_id(rng, person.id_number, person.birth, _IDS)


def _before(rng: Dice, person: Person) -> str:
    if person.status is Status.REMARRIED:
        return rng.one(("离婚", "丧偶"))
    return "未婚"


def _wedding(rng: Dice, man: Person, woman: Person) -> datetime:
    grown = max(man.birth, woman.birth).year + 20
    return past_time(rng, max(1985, min(grown + rng.between(0, 8), BASE_DATE.year - 1)), 40)
