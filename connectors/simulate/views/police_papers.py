"""police 公安: what is kept beside the files: ID cards, changes of hukou, cancellations, the legacy archive."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate import lunar, names
from connectors.simulate.areas import HOME, any_grain, police_station
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import fifteen, mistyped
from connectors.simulate.people import BASE_DATE, BASE_TIME, Family, Person, past_time
from connectors.simulate.rows.files import HjLsda
from connectors.simulate.rows.police import HjBgxx, HjRyjbxx, HjSwzx, SfzZzxx
from connectors.simulate.tables import HJ_BGXX, HJ_LSDA, HJ_RYJBXX, HJ_SWZX, SFZ_ZZXX, Entry, Named
from connectors.simulate.views import compact, digits, jsonb, name_on_file, noon, phone_on_file, wall
from connectors.simulate.views.police import has_photo

CARDS: Final = 0.62
"""Hukou people of five or over whose last application is in the system; before 2010 it was not."""
SECOND_CARD: Final = 0.22
CHANGED: Final = 0.185
"""Files with a change, beside those of renamed people."""
ARCHIVED: Final = 0.42
"""Hukou people born before 1990 who are in the legacy archive."""

_CAUSES: Final = ("I21", "I63", "C34", "J44", "E11", "V89")
_ARCHIVED_BEFORE: Final = 1990
_ARCHIVE_TEXT: Final = {"20": "子", "30": "女", "01": "户主", "12": "妻", "51": "父", "52": "母"}


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return what belongs to the family's files, which are there already."""
    entries: list[Entry] = []
    for person in family.persons:
        files = family.of(HJ_RYJBXX, person)
        if not files:
            continue
        if person.age() >= 5 and rng.random() < CARDS:
            entries.append(card(family, person, rng, _applied(person, rng)))
            if rng.random() < SECOND_CARD and person.age() >= 26:
                entries.append(card(family, person, rng, past_time(rng, 2012)))
        if person.former_name and rng.random() < 0.9:
            entries.append(
                change(family, files[0], rng, past_time(rng, 2015), "04", person.former_name, person.name)
            )
        if rng.random() < CHANGED:
            entries.append(_some_change(family, person, files[0], rng))
        for file in files:
            row = file.row
            assert isinstance(row, HjRyjbxx)
            if row.ryzt == "9":
                entries.append(cancellation(family, file, rng, past_time(rng, 2018), "4"))
            elif row.ryzt == "1" and person.died:
                entries.append(cancellation(family, file, rng, noon(person.died) + timedelta(days=9), "1"))
        if person.birth.year < _ARCHIVED_BEFORE and rng.random() < ARCHIVED:
            entries.append(archived(family, person, rng))
    return entries


def card(family: Family, person: Person, rng: Dice, applied: datetime, reason: str | None = None) -> Entry:
    """Return an application for an ID card; its number is right, the machine reads it from the file."""
    applied = min(applied.replace(microsecond=0), BASE_TIME) if reason is None else applied
    begin = applied.date() + timedelta(days=rng.between(10, 40))
    age = person.age(applied.date())
    years = 5 if age < 16 else 10 if age < 26 else 20
    until = "长期" if age >= 46 else digits(begin.replace(day=1, year=begin.year + years))
    row = SfzZzxx(
        slh=f"39{family.serial('sfz_zzxx'):013d}",
        gmsfhm=person.id_number,
        xm=person.name,
        xb=str(person.sex),
        mz=person.ethnicity,
        csrq=digits(person.birth),
        zz=family.address.spelled(any_grain(rng)),
        qfjg=f"{family.address.county.city}公安局{family.address.county.name}分局",
        yxqxqsrq=digits(begin),
        yxqxjzrq=until,
        slyy=reason or ("11" if age < 20 else rng.one(("21", "21", "22", "23", "24"))),
        lqrdh=phone_on_file(rng, person, 0.1),
        zp=rng.randbytes(rng.between(2600, 4000)) if has_photo(family) else None,
        zwbz=rng.random() < 0.9 if applied.year >= 2013 else None,
        zzzt=rng.one(("03", "03", "03", "02", "09")) if reason is None else "01",
        slsj=wall(applied),
        gxsj=compact(applied),
    )
    return Entry(SFZ_ZZXX, row, (Named("self", person),))


def change(
    family: Family, file: Entry, rng: Dice, moment: datetime, kind: str, before: str | None, after: str | None
) -> Entry:
    """Return the note of a change of a file."""
    row, person = file.row, file.named[0].person
    assert isinstance(row, HjRyjbxx)
    steps = [{"jg": rng.one(("同意", "同意", "补正")), "rq": moment.date().isoformat()}]
    note = HjBgxx(
        rynbid=row.rynbid,
        bgxh=family.number(f"hj_bgxx/{row.rynbid}") + 1,
        gmsfhm=row.gmsfhm,
        xm=row.xm,
        bglb=kind,
        bgqnr=before,
        bghnr=after,
        bgrq=digits(moment.date()),
        sldw=police_station(family.address),
        spxx=jsonb({"steps": steps, "no": rng.between(1, 9)}) if rng.random() < 0.7 else None,
        bz=None,
        gxsj=compact(moment),
    )
    return Entry(HJ_BGXX, note, (Named("self", person),))


def cancellation(family: Family, file: Entry, rng: Dice, moment: datetime, kind: str) -> Entry:
    """Return the cancellation of a file: ``kind`` 1 death, 4 duplicate."""
    row, person = file.row, file.named[0].person
    assert isinstance(row, HjRyjbxx)
    others = [p for p in family.persons if p is not person and not p.died and p.age() >= 18]
    declarant = rng.one(others) if others and rng.random() < 0.8 else None
    died = person.died if kind == "1" else None
    note = HjSwzx(
        zxbh=5_000_000_000 + family.serial("hj_swzx"),
        rynbid=row.rynbid,
        gmsfhm=row.gmsfhm,
        xm=row.xm,
        xb=row.xb,
        mz=row.mz,
        csrq=row.csrq,
        hjdz=row.hjdz,
        zxlb=kind,
        zxrq=digits(moment.date()),
        swrq=digits(died) if died else None,
        swyy=rng.one(_CAUSES)[:4] if died else None,
        swzmbh=None,
        sbrxm=declarant.name if declarant else None,
        sbrgmsfhm=declarant.id_number if declarant and rng.random() < 0.8 else None,
        sbrgx=_kin(declarant, person) if declarant else None,
        gxsj=compact(moment),
    )
    return Entry(HJ_SWZX, note, (Named("self", person),))


def archived(family: Family, person: Person, rng: Dice) -> Entry:
    """Return the person's record in the archive of before the first computers: short fields, cut at the byte."""
    known = lunar.lunar(person.birth) if rng.random() < 0.18 else None
    if known is not None and known[0] >= 1900:
        written, calendar = (
            f"{known[0] % 100:02d}{known[1]:02d}{known[2]:02d}",
            "N" if rng.random() < 0.8 else "",
        )
    else:
        written, calendar = digits(person.birth)[2:], "Y" if rng.random() < 0.85 else ""
    number = fifteen(person.id_number)
    draw = rng.random() / rng.noise
    if draw < 0.08:
        number = ""
    elif draw < 0.10:
        number = number[:14]
    elif draw < 0.13:
        number = mistyped(rng, person.id_number[:6] + "19" + number[6:] + "0")[:17]
        number = number[:6] + number[8:17]
    height = rng.between(1450, 1850)
    head = family.persons[0]
    name = person.former_name or name_on_file(rng, person, 0.03)
    row = HjLsda(
        dah=f"{family.serial('hj_lsda') % 10**10:010d}",
        sfzh=number,
        xm=_cut(name, 20),
        xb="男" if person.sex == 1 else "女",
        mz=_cut(names.ETHNICITY.get(person.ethnicity, ""), 6),
        csrq=written if rng.random() > 0.01 * rng.noise else "000000",
        cslb=calendar,
        yhzgx=_ARCHIVE_TEXT.get(person.relation, "子" if person.sex == 1 else "女"),
        hh=f"{rng.below(10**9):09d}",
        hzxm=_cut(head.name, 20),
        fqxm=_cut(person.father.name if person.father else "", 20),
        mqxm=_cut(person.mother.name if person.mother else "", 20),
        zz=_cut(
            family.address.town.removesuffix("街道") + (family.address.road or family.address.community), 80
        ),
        lrrq=f"{rng.between(84, 99)}{rng.between(1, 13):02d}{rng.between(1, 29):02d}",
        sg=f"{height // 10}.{height % 10}",
        zt="2" if person.died and rng.random() < 0.5 else rng.one("1113"),
    )
    return Entry(HJ_LSDA, row, (Named("self", person),))


def _some_change(family: Family, person: Person, file: Entry, rng: Dice) -> Entry:
    row = file.row
    assert isinstance(row, HjRyjbxx)
    kind = rng.one(("01", "02", "03", "03", "05", "06", "06", "07", "08"))
    moment = past_time(rng, 2010)
    before: str | None
    after: str | None
    if kind == "06" and person.birth.year < 1999 and rng.random() < 0.6:
        before, after = fifteen(person.id_number), person.id_number
    elif kind == "06":
        before, after = mistyped(rng, person.id_number), person.id_number
    elif kind == "05":
        before, after = digits(person.birth - timedelta(days=rng.between(1, 400))), digits(person.birth)
    elif kind == "07":
        before, after = str(3 - person.sex), str(person.sex)
    elif kind == "08":
        before, after = "01" if person.ethnicity != "01" else "97", person.ethnicity
    else:
        before, after = rng.one(HOME).name, row.hjdz
    return change(family, file, rng, moment, kind, before, after)


def _applied(person: Person, rng: Dice) -> datetime:
    return past_time(rng, min(BASE_DATE.year - 1, max(2010, person.birth.year + 5)))


def _kin(other: Person, person: Person) -> str:
    if other.spouse is person:
        return "配偶"
    if other.father is person or other.mother is person:
        return "子女"
    return "父母" if other in (person.father, person.mother) else "亲属"


def _cut(text: str, size: int) -> str:
    """Return what fits a field of so many bytes in GB18030; half a character is lost."""
    return text.encode("gb18030")[:size].decode("gb18030", "ignore").strip()
