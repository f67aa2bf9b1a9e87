"""police 公安: hukou households, hukou persons, migrants.

Dates are char(8), codes those of the GB standards. Several files of one person are normal here.
"""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta
from typing import Final

from connectors.simulate import lunar, names
from connectors.simulate.areas import HOME, address_in, any_grain, police_station
from connectors.simulate.dice import Dice, Weighted
from connectors.simulate.identifiers import IdHabits, fifteen, missing_id, spelled_id
from connectors.simulate.people import (
    BASE_DATE,
    BEIJING,
    MARRIED,
    Family,
    Person,
    Status,
    past_time,
)
from connectors.simulate.rows.police import HjHjxx, HjRyjbxx, LdrkJzz
from connectors.simulate.tables import HJ_HJXX, HJ_RYJBXX, LDRK_JZZ, Entry, Named
from connectors.simulate.views import BIG_VALUE, compact, papers, phone_on_file

SEVERAL_FILES: Final = 0.12
"""Hukou persons with more than one file (一人多档)."""
THIRD_FILE: Final = 0.08
"""Of those, with a third one."""
NO_PERMIT: Final = 0.342
"""Migrants who are registered without a residence permit."""
SECOND_STAY: Final = 0.20
PERMIT_VALID: Final = 0.9

PHOTO_EVERY, PHOTO_FIRST = 25, 1
"""Each such family has photos on file, so that a change can find one without a search."""

_HUKOU_IDS: Final = IdHabits(
    missing=0.003, fifteen=0.012, lower_x=0.02, full_width=0.0, blanks=0.0, mistyped=0.003
)
_MIGRANT_IDS: Final = IdHabits(
    missing=0.02, fifteen=0.01, lower_x=0.2, full_width=0.006, blanks=0.006, mistyped=0.012
)
_YOUNG: Final = 8
"""Files of children under this age are in order: what disagrees with their birth certificates is counted there."""

_REASONS: Final = Weighted(("务工", "经商", "服务", "就学", "投靠", "随迁", "其他"), (55, 12, 10, 5, 6, 9, 3))
_HUKOU_KINDS: Final = Weighted(("10", "20", "30"), (25, 15, 60))
_RELIGIONS: Final = ("00", "10", "20", "30", None)


def hukou_rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the household's row and the files of its registered members, duplicates included."""
    entries = [household(family, rng, past_time(rng, 2005))]
    for person in family.persons:
        if not person.registered:
            continue
        moment = past_time(rng, max(2012, person.birth.year), last_days=10)
        moment = max(moment, _after_birth(person))
        entries.append(file(family, person, rng, moment))
        if rng.random() < SEVERAL_FILES:
            for _ in range(2 if rng.random() < THIRD_FILE else 1):
                entries.append(old_file(family, person, rng, moment))
    return entries


def household(family: Family, rng: Dice, moment: datetime) -> Entry:
    """Return the row of the family's household; the first member is the householder."""
    head, address = family.persons[0], family.address
    members = sum(person.registered for person in family.persons)
    row = HjHjxx(
        hh=family.book,
        hlx="3"
        if members == 1 and rng.random() < 0.4
        else "2"
        if members == 1 and rng.random() < 0.1
        else "1",
        hzxm=head.name,
        hzgmsfhm=spelled_id(rng, head.id_number, head.birth, _HUKOU_IDS),
        ssxq=address.county.code,
        xzjd=address.town,
        jcwh=address.community if rng.random() < 0.9 else None,
        jlx=address.road or None,
        mlph=address.number,
        mlxz=None if rng.random() < 0.12 else address.full(),
        pcs=police_station(address),
        hrs=members if rng.random() < 0.93 else members + rng.one((-1, 1)),
        lhrq=_day(past_time(rng, 1985).date()),
        xhrq=None,
        ztbz="0",
        gxsj=compact(moment),
    )
    return Entry(HJ_HJXX, row, (Named("householder", head),))


def file(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the person's present file."""
    young = person.age(moment.date()) < _YOUNG
    newborn = (moment.date() - person.birth).days < 120
    name = person.name
    if not young and rng.errs(0.008):
        name = names.misspelled(rng, name)
    number: str | None = person.id_number
    if newborn and rng.random() < 0.3:
        number = missing_id(rng)
    elif not young:
        number = spelled_id(rng, person.id_number, person.birth, _HUKOU_IDS)
    spouse = person.spouse if person.status in MARRIED else None
    father, mother = person.father, person.mother
    adult = person.age() >= 18
    row = HjRyjbxx(
        rynbid=390_000_000_000 + family.serial("hj_ryjbxx"),
        hh=family.book,
        yhzgx="02" if person.relation == "01" and rng.random() < 0.3 else person.relation,
        gmsfhm=number,
        xm=name,
        cym=person.former_name,
        xb=str(person.sex),
        mz=person.ethnicity,
        csrq=_day(person.birth) if young else _birth_on_file(rng, person),
        csdssx=person.id_number[:6],
        jgssx=person.id_number[:6] if rng.random() < 0.8 else rng.one(HOME).code,
        whcd=person.education if person.age() > 6 else None,
        hyzk=marital_code(rng, person) if person.age() >= 15 else None,
        byzk=rng.one("01") if person.sex == 1 and 18 <= person.age() < 60 else None,
        zjxy=rng.one(_RELIGIONS),
        sg=f"{rng.gauss(170 if person.sex == 1 else 159, 6):.1f}" if adult and rng.random() < 0.5 else None,
        xx=rng.one("12345") if rng.random() < 0.4 else None,
        fwcs=person.workplace,
        hkxz=_HUKOU_KINDS.draw(rng),
        hjdz=family.address.spelled(any_grain(rng)),
        lxdh=phone_on_file(rng, person, 0.12),
        fqxm=father.name if father and (young or rng.random() < 0.8) else None,
        fqgmsfhm=father.id_number if father and (young or rng.random() < 0.5) else None,
        mqxm=mother.name if mother and (young or rng.random() < 0.8) else None,
        mqgmsfhm=mother.id_number if mother and (young or rng.random() < 0.5) else None,
        poxm=spouse.name if spouse else None,
        pogmsfhm=spouse.id_number if spouse and rng.random() < 0.9 else None,
        jhrxm=(father or mother).name if not adult and (father or mother) else None,  # type: ignore[union-attr]
        qrrq=_day(past_time(rng, 1985).date()) if adult and rng.random() < 0.4 else None,
        ryzt="1" if person.died else "0",
        zp=photo(rng) if has_photo(family) and adult else None,
        bz="死亡注销" if person.died else None,
        gxsj=compact(moment),
    )
    return Entry(HJ_RYJBXX, row, (Named("self", person),))


def old_file(family: Family, person: Person, rng: Dice, present: datetime) -> Entry:
    """Return an older file of the person: elsewhere, out of date, often never closed."""
    entry = file(
        family, person, rng, present - timedelta(days=rng.between(40, 4000), seconds=rng.below(86400))
    )
    row = entry.row
    assert isinstance(row, HjRyjbxx)
    county = rng.one(HOME)
    draw = rng.random()
    row.ryzt = "2" if draw < 0.45 else "9" if draw < 0.8 else "0"
    row.hh = f"{rng.below(10**12):012d}"  # a book of before the books were computerised
    row.hjdz = address_in(rng, county).spelled(any_grain(rng))
    row.yhzgx = rng.one((row.yhzgx, "97", "01"))
    row.zp = None
    row.bz = {"2": "迁出", "9": "重户注销", "0": None}[row.ryzt]
    if person.birth.year < 1999 and rng.random() < 0.3:
        row.gmsfhm = fifteen(person.id_number)
    elif rng.random() < 0.06:
        row.gmsfhm = missing_id(rng)
    if rng.errs(0.15):
        row.xm = names.misspelled(rng, person.former_name or person.name)
    elif person.former_name and rng.random() < 0.7:
        row.xm, row.cym = person.former_name, None
    else:
        row.xm = names.dotted_variant(rng, person.name)
    if rng.random() < 0.5 and person.age() < 60:
        row.hyzk, row.poxm, row.pogmsfhm = Status.SINGLE if person.age() >= 15 else None, None, None
    row.whcd = rng.one((row.whcd, "70", "80")) if person.age() > 18 else row.whcd
    row.fwcs = None
    return entry


def migrant_rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the registrations of a migrant party; some people come a second time."""
    entries: list[Entry] = []
    for person in family.persons:
        permitted = rng.random() >= NO_PERMIT
        arrived = past_time(
            rng, max(2016, person.birth.year + 1) if person.birth.year < 2025 else 2026, last_days=20
        )
        arrived = max(arrived, _after_birth(person))
        valid = rng.random() < PERMIT_VALID
        entries.append(stay(family, person, rng, arrived, permitted=permitted, present=valid))
        if rng.random() < SECOND_STAY:
            earlier = arrived - timedelta(days=rng.between(200, 1500))
            if earlier.date() > person.birth:
                entries.append(
                    stay(
                        family,
                        person,
                        rng,
                        earlier,
                        permitted=permitted and rng.random() < 0.5,
                        present=False,
                    )
                )
    return entries


def stay(
    family: Family, person: Person, rng: Dice, arrived: datetime, *, permitted: bool, present: bool
) -> Entry:
    """Return a registration of a migrant. ``present`` is the one in force, others have run out or were left."""
    number = 391_000_000_000 + family.serial("ldrk_jzz")
    issued = arrived.date() + timedelta(days=rng.between(1, 60)) if permitted else None
    until = issued + timedelta(days=365) if issued else None
    if until and present:
        until = max(until, BASE_DATE + timedelta(days=rng.between(10, 360)))
    kind = papers(person, ("111", "414", "516", "511"))
    document: str | None = person.id_number
    if not person.is_foreign:
        document = spelled_id(rng, person.id_number, person.birth, _MIGRANT_IDS)
    if not person.is_foreign and rng.random() < 0.006:
        kind, document = "414", person.passport
    elif document in (None, "", "无", "0"):
        kind = "990" if rng.random() < 0.5 else "111"
    name = person.name
    if rng.errs(0.02):
        name = names.misspelled(rng, name)
    elif rng.random() < 0.5:
        name = names.dotted_variant(rng, name)
    home = person.home if present else address_in(rng, rng.one(HOME))
    row = LdrkJzz(
        djbh=number,
        jzzbh=permit_number(family, number) if permitted else None,
        zjlx=kind,
        zjhm=document,
        xm=name,
        xb=str(person.sex) if rng.random() < 0.98 else None,
        mz=person.ethnicity if rng.random() < 0.95 else None,
        csrq=_birth_on_file(rng, person),
        hjd_xzqh=family.address.county.code,
        hjdz=family.address.spelled(any_grain(rng)),
        xzdz=home.spelled(any_grain(rng)),
        jzsy="随迁" if person.age() < 16 else _REASONS.draw(rng),
        lxdh=phone_on_file(rng, person, 0.05),
        fwcs=person.workplace,
        djrq=arrived.date().isoformat(),
        fzrq=issued.isoformat() if issued else None,
        yxqz=until.isoformat() if until else None,
        zt="有效" if present else rng.one(("过期", "注销", "离开")),
        tbr_xm=names.full_name(rng, rng.one((1, 2)), 1975, "01") if rng.random() < 0.4 else None,
        zp=rng.randbytes(rng.between(BIG_VALUE, 6000)) if family.index % PHOTO_EVERY == PHOTO_FIRST else None,
        cjsj=arrived.strftime("%Y-%m-%d %H:%M:%S.%f"),
        gxsj=(arrived + timedelta(days=rng.between(0, 15))).isoformat(),
    )
    return Entry(LDRK_JZZ, row, (Named("self", person),))


def permit_number(family: Family, registration: int) -> str:
    """Return the number of the permit for a registration: the county's code and 12 digits."""
    return f"{family.persons[0].home.county.code}{registration % 10**12:012d}"


def has_photo(family: Family) -> bool:
    """Whether the family's files hold photos."""
    return family.index % PHOTO_EVERY == PHOTO_FIRST


def photo(rng: Dice) -> str:
    """Return bytes that no compression makes smaller, as base64."""
    return base64.b64encode(rng.randbytes(rng.between(BIG_VALUE, 5200))).decode()


def marital_code(rng: Dice, person: Person) -> str:
    """Return the GB/T 2261.2 code on file."""
    return "90" if rng.random() < 0.02 else person.status.value


def _after_birth(person: Person) -> datetime:
    """The earliest moment at which a file of the person can be from."""
    first = person.birth + timedelta(days=10)
    return datetime(first.year, first.month, first.day, 9, tzinfo=BEIJING)


def _birth_on_file(rng: Dice, person: Person) -> str | None:
    draw = rng.random() / rng.noise
    if draw < 0.003:
        return None
    if draw < 0.006:
        return "        "
    if person.age() > 75 and draw < 0.03:
        # The date in the lunar calendar, which nobody noted as such; some of these days no month has.
        found = lunar.lunar(person.birth)
        return f"{found[0]}{found[1]:02d}{found[2]:02d}"
    return _day(person.birth)


def _day(day: date) -> str:
    return day.isoformat().replace("-", "")
