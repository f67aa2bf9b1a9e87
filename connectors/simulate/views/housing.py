"""housing 住建: property titles, rental contracts, and the provident fund's monthly file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, fifteen, spelled_id
from connectors.simulate.people import BASE_DATE, MARRIED, Family, Kind, Person, past_time
from connectors.simulate.rows.files import GjjGrzh
from connectors.simulate.rows.housing import FwQlr, Zlba
from connectors.simulate.tables import FW_QLR, GJJ_GRZH, ZLBA, Entry, Named
from connectors.simulate.views import BIG_VALUE, jsonb, name_on_file, papers, phone_on_file, wall

OWNERS: Final = 0.58
"""Hukou families with a title."""
SECOND_TITLE: Final = 0.18
JOINED: Final = 0.45
"""Couples' titles from before 2005 that hold both names in one row."""
TENANTS: Final = 0.30
"""Migrant parties whose contract is filed."""
TENANTS_HUKOU: Final = 0.03
FUND: Final = 0.385
"""Of those with a workplace."""
EARLIER_ACCOUNT: Final = 0.2

_IDS: Final = IdHabits(missing=0.03, fifteen=0.04, lower_x=0.3, full_width=0.006, blanks=0.004, mistyped=0.01)
_FUND_IDS: Final = IdHabits(
    missing=0.005, fifteen=0.01, lower_x=0.1, full_width=0.0, blanks=0.0, mistyped=0.006
)


def rows(family: Family, rng: Dice, landlord: Person | None) -> list[Entry]:
    """Return the family's titles, contracts and accounts. ``landlord`` is whom it rents from, if it does."""
    entries: list[Entry] = []
    adults = [p for p in family.persons if p.age() >= 18 and not p.died]
    if adults and family.kind is Kind.HUKOU and rng.random() < OWNERS:
        entries += title(family, adults[0], rng, past_time(rng, 1996))
        if rng.random() < SECOND_TITLE:
            entries += title(family, adults[0], rng, past_time(rng, 2005))
    if adults and landlord is not None:
        entries.append(rental(family, adults[0], landlord, rng, past_time(rng, 2022)))
    for person in adults:
        if person.workplace and rng.random() < FUND:
            entries.append(account(family, person, rng))
            if rng.random() < EARLIER_ACCOUNT:
                entries.append(account(family, person, rng, is_closed=True))
    return entries


def title(family: Family, owner: Person, rng: Dice, moment: datetime) -> list[Entry]:
    """Return a title: one row an owner, or a couple in one row as it was once written."""
    county = family.address.county
    spouse = owner.spouse if owner.status in MARRIED and isinstance(owner.spouse, Person) else None
    if spouse is not None and (spouse not in family.persons or rng.random() < 0.4):
        spouse = None
    serial = family.serial("fw_qlr")
    number = f"江({moment.year}){county.city}不动产权第{serial:011d}号"
    if moment.year < 2005 and spouse is not None and rng.random() < JOINED:
        row = _owner(family, owner, rng, number, 1, moment, "1")
        row.qlrmc = f"{owner.name}、{spouse.name}"
        if row.qlrzjh:
            row.qlrzjh = f"{_old(rng, owner)}、{_old(rng, spouse)}"
        return [Entry(FW_QLR, row, (Named("self", owner), Named("spouse", spouse)))]
    shares = rng.one("12") if spouse else "0"
    found = [Entry(FW_QLR, _owner(family, owner, rng, number, 1, moment, shares), (Named("self", owner),))]
    if spouse is not None:
        second = _owner(family, spouse, rng, number, 2, moment, shares)
        found.append(Entry(FW_QLR, second, (Named("self", spouse),)))
    return found


def rental(family: Family, tenant: Person, landlord: Person, rng: Dice, moment: datetime) -> Entry:
    """Return a rental contract."""
    others = [p for p in family.persons if p is not tenant and p.age() >= 1]
    together = [{"xm": p.name, "zjhm": p.id_number if rng.random() < 0.7 else ""} for p in others]
    begin = moment.date() + timedelta(days=rng.below(20))
    until = begin + timedelta(days=rng.one((180, 365, 365, 730)))
    row = Zlba(
        ba_id=str(UUID(int=rng.getrandbits(128), version=4)),
        babh=f"ZL{tenant.home.county.code}{family.serial('zlba'):013d}",
        czr_xm=name_on_file(rng, landlord, 0.015),
        czr_zjhm=spelled_id(rng, landlord.id_number, landlord.birth, _IDS),
        czr_dh=phone_on_file(rng, landlord, 0.1),
        chzr_xm=name_on_file(rng, tenant, 0.015),
        chzr_zjlx=papers(tenant, ("身份证", "护照", "港澳通行证", "台胞证")),
        chzr_zjhm=tenant.id_number
        if tenant.is_foreign
        else spelled_id(rng, tenant.id_number, tenant.birth, _IDS),
        chzr_dh=phone_on_file(rng, tenant, 0.05),
        tzr=jsonb(together) if together and rng.random() < 0.7 else None,
        fwdz=tenant.home.spelled(any_grain(rng)),
        zlmj=f"{rng.between(15, 140)}.00",
        yzj=f"{rng.between(400, 5000)}.00",
        zlqx=f"[{begin},{until})",
        zt="有效" if until > BASE_DATE else "到期",
        created_at=moment.isoformat(),
        updated_at=moment.isoformat(),
    )
    return Entry(ZLBA, row, (Named("landlord", landlord), Named("tenant", tenant)))


def account(family: Family, person: Person, rng: Dice, *, is_closed: bool = False) -> Entry:
    """Return a provident fund account; one more after a job change."""
    spouse = person.spouse if person.status in MARRIED and rng.random() < 0.4 else None
    number: str | None = person.id_number
    if not person.is_foreign:
        number = spelled_id(rng, person.id_number, person.birth, _FUND_IDS)
    row = GjjGrzh(
        grzh=f"39{family.serial('gjj_grzh'):011d}",
        xm=name_on_file(rng, person, 0.01, 0.3, 0.1),
        zjlx=papers(person, ("01", "03", "04", "05")),
        zjhm=number or None,
        xb=str(person.sex),
        csny=f"{person.birth.year}{person.birth.month:02d}" if not rng.errs(0.02) else None,
        hyzk=person.status.value if rng.random() < 0.9 else "90",
        sjhm=phone_on_file(rng, person, 0.08) or None,
        jtzz=person.home.spelled(any_grain(rng)) if rng.random() < 0.8 else None,
        dwmc=person.workplace,
        dwzh=f"{rng.below(10**8):08d}",
        ye=f"{rng.below(200_000)}.{rng.below(100):02d}",
        zt="09" if is_closed else rng.one(("01", "01", "01", "02")),
        poxm=spouse.name if spouse else None,
        pozjhm=spouse.id_number if spouse else None,
    )
    return Entry(GJJ_GRZH, row, (Named("self", person),))


def _owner(
    family: Family, person: Person, rng: Dice, number: str, place: int, moment: datetime, shares: str
) -> FwQlr:
    own = _old(rng, person) if moment.year < 2005 else spelled_id(rng, person.id_number, person.birth, _IDS)
    return FwQlr(
        bdcqzh=number,
        qlrxh=place,
        qlrmc=name_on_file(rng, person, 0.012),
        qlrzjzl=papers(person, ("1", "3", "2", "2")),
        qlrzjh=own,
        xb=str(person.sex) if rng.random() < 0.8 else None,
        dh=phone_on_file(rng, person, 0.2),
        txdz=person.home.spelled(any_grain(rng)) if rng.random() < 0.85 else None,
        gyfs=shares,
        qlbl="0.5000" if shares == "2" else None,
        zl=family.address.full(),
        jzmj=f"{rng.between(40, 180)}.{rng.below(100):02d}",
        fwyt=rng.one(("住宅", "住宅", "住宅", "商业", "车位")),
        jyjg=f"{rng.between(20, 400)}0000.00" if rng.random() < 0.6 else None,
        djsj=wall(moment),
        qszt=1 if rng.random() < 0.9 else 2,
        fj="附记" * (BIG_VALUE // 3) if family.index % 100 == 9 else None,
    )


def _old(rng: Dice, person: Person) -> str:
    """Return the number as titles had it before 2005, mostly of 15 digits."""
    if person.birth.year < 1999 and rng.random() < 0.6:
        return fifteen(person.id_number)
    return spelled_id(rng, person.id_number, person.birth, _IDS) or ""
