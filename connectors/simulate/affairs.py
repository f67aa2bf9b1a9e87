"""What goes on in the departments day by day: school, work, health, property, trade, travel."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.people import Family, Kind, Person
from connectors.simulate.province import Province
from connectors.simulate.rows.edu import XsXjxx
from connectors.simulate.rows.files import Cjr
from connectors.simulate.rows.health import VaccinationRecord
from connectors.simulate.rows.market import ELerep
from connectors.simulate.rows.medins import SetlD
from connectors.simulate.tables import (
    AC01,
    CJR,
    DBJT_CY,
    E_LEREP,
    FW_QLR,
    GLJT,
    JS_JSXX,
    JSR_JSZXX,
    JY_DJB,
    KK_TXJL,
    PSN_INFO_B,
    SETL_D,
    SFZ_ZZXX,
    SY_DJB,
    VACCINATION,
    XS_XJXX,
    ZLBA,
    Entry,
)
from connectors.simulate.transactions import Draft
from connectors.simulate.upkeep import opens
from connectors.simulate.views import (
    WORDS,
    civil,
    edu,
    health_papers,
    housing,
    hrss_papers,
    market,
    medins,
    transport,
)

_ALLOWANCES: Final = 80
"""Yearly examinations of one family after which it gets no allowance: its number has two digits for them."""
_NEW_ALLOWANCE: Final = 0.15
"""Examinations of a family that may have no allowance yet."""
_RETENTION: Final = 0.05
"""Of what concerns checkpoints: rows that are past their time and go."""


_CUT_OFF: Final = (3600, 30 * 3600)
"""Seconds that a checkpoint is without a line."""
_STORED: Final = (6, 30)
"""Events that it delivers at once when it has one again."""


def passage(province: Province, draft: Draft) -> None:
    """Somebody passes a checkpoint; the event may come minutes late, and a few old ones go."""
    family = province.family(province.some_kind())
    entries = family.of(KK_TXJL)
    if entries and province.dice.random() < _RETENTION:
        draft.delete(family, entries[0])
        return
    person = province.dice.one(family.persons)
    if person.died or person.age() < 3 or not family.has_room(KK_TXJL.name):
        return
    late = province.dice.between(60, 1500) if province.dice.random() < 0.1 else province.dice.below(3)
    draft.insert(
        family,
        transport.passage(
            family, person, province.dice, draft.moment - timedelta(seconds=late), draft.moment
        ),
    )


def gate_reconnects(province: Province, draft: Draft) -> None:
    """A checkpoint that was cut off for hours delivers what it has stored, and not in the order of the passes."""
    dice = province.dice
    cut_off = timedelta(seconds=dice.between(*_CUT_OFF))
    for _ in range(dice.between(*_STORED)):
        family = province.family(province.some_kind())
        person = dice.one(family.persons)
        if person.died or person.age() < 3 or not family.has_room(KK_TXJL.name):
            continue
        at = draft.moment - cut_off * dice.random()
        draft.insert(family, transport.passage(family, person, dice, at, draft.moment))


def vaccination(province: Province, draft: Draft) -> None:
    """A child gets its next dose."""
    family = province.family_with(VACCINATION)
    for child in family.persons:
        doses = family.of(VACCINATION, child)
        if child.age() >= health_papers.VACCINATED_BELOW:
            continue
        if not doses:
            opens(province, draft, family, child, VACCINATION)
            return
        last = doses[-1].row
        assert isinstance(last, VaccinationRecord)
        given = {
            (row.vaccine_code, row.dose_no)
            for entry in doses
            if isinstance(row := entry.row, VaccinationRecord)
        }
        for vaccine in health_papers.VACCINES:
            if (vaccine[0], 1) not in given:
                entry = health_papers.dose(
                    family, child, province.dice, last.child_code, vaccine, 1, draft.moment
                )
                draft.insert(family, entry)
                return


def recoding(province: Province, draft: Draft) -> None:
    """Two vaccination files of a child are merged: the doses of one get the number of the other, a new key."""
    family = province.family_with(VACCINATION)
    for child in family.persons:
        doses = [(entry, entry.row) for entry in family.of(VACCINATION, child)]
        codes = {row.child_code for _, row in doses if isinstance(row, VaccinationRecord)}
        if not doses or not family.has_room("child_code"):
            continue
        kept = min(codes) if len(codes) > 1 else health_papers.child_code(family)
        taken = {entry.key[1:] for entry, _ in doses if entry.key[0] == kept}
        for entry, _ in doses:
            if entry.key[0] != kept and entry.key[1:] not in taken:
                taken.add(entry.key[1:])
                draft.update(entry, child_code=kept)
        if not draft.is_empty:
            return


def job(province: Province, draft: Draft) -> None:
    """An employer files somebody, or that they have left."""
    family = province.family(province.some_kind())
    for person in family.persons:
        if not person.workplace or person.died:
            continue
        jobs = family.of(JY_DJB, person)
        if jobs and getattr(jobs[-1].row, "endtime") is None:  # noqa: B009
            draft.update(jobs[-1], endtime=int(draft.moment.timestamp()))
        elif family.has_room(JY_DJB.name):
            draft.insert(family, hrss_papers.job(family, person, province.dice, draft.moment))
        else:
            continue
        return


def unemployment(province: Province, draft: Draft) -> None:
    """Somebody loses their job, or their benefit ends."""
    family = province.family(province.some_kind())
    for person in family.persons:
        insured = next(iter(family.of(AC01, person)), None)
        if insured is None or person.died or not 18 <= person.age() < 60:
            continue
        spells = family.of(SY_DJB, person)
        if spells and getattr(spells[-1].row, "zt") == "在领":  # noqa: B009
            draft.update(spells[-1], zt="再就业")
        elif family.has_room(f"sy_djb/{insured.key[0]}"):
            draft.insert(
                family, hrss_papers.unemployment(family, person, province.dice, insured, draft.moment)
            )
        else:
            continue
        return


def settlement(province: Province, draft: Draft) -> None:
    """A claim is settled, or taken back."""
    family = province.family(province.some_kind())
    open_ones = [e for e in family.of(SETL_D) if isinstance(e.row, SetlD) and not e.row.clr_seq]
    taken_back = {e.key[0] for e in family.of(SETL_D) if e.key[1] == 1}
    if open_ones and open_ones[-1].key[0] not in taken_back and province.dice.random() < 0.05:
        draft.insert(family, medins.reversal(open_ones[-1], province.dice))
        return
    insured = [e for e in family.of(PSN_INFO_B) if not e.named[0].person.died]
    if insured and family.has_room(SETL_D.name):
        entry = province.dice.one(insured)
        person = entry.named[0].person
        draft.insert(family, medins.settlement(family, person, province.dice, entry, draft.moment))


def moves_city(province: Province, draft: Draft) -> None:
    """Somebody gets a second insurance number in another city, and the old row is deleted logically."""
    family = province.family(province.some_kind())
    entries = family.of(PSN_INFO_B)
    if not entries or not family.has_room(PSN_INFO_B.name):
        return
    old = province.dice.one(entries)
    person = old.named[0].person
    if person.died:
        return
    draft.update(old, vali_flag=0, psn_insu_stas="4")
    draft.insert(family, medins.insured(family, person, province.dice, draft.moment))


def pupil(province: Province, draft: Draft) -> None:
    """A child starts school, moves up, or leaves; a temporary number becomes the final one, a new key."""
    family = province.family_with(XS_XJXX)
    if province.dice.random() < 0.3:
        family = province.family(province.some_kind())
    children = [p for p in family.persons if edu.FIRST_AGE <= p.age() <= edu.LAST_AGE and not p.died]
    if not children:
        return
    child = province.dice.one(children)
    entries = family.of(XS_XJXX, child)
    final = f"G{child.id_number}"
    if not entries:
        if family.has_room(XS_XJXX.name):
            draft.insert(
                family,
                edu.pupil(
                    family, child, province.dice, draft.moment, is_temporary=province.dice.random() < 0.5
                ),
            )
        return
    temporary = [e for e in entries if str(e.key[0]).startswith("L") and getattr(e.row, "xjzt") == "在读"]  # noqa: B009
    if temporary and all(e.key[0] != final for e in entries):
        draft.update(temporary[0], xjh=final, sfzjh=child.id_number, sfzjlx="1")
        return
    row = entries[0].row
    assert isinstance(row, XsXjxx)
    grade = row.nj or 1
    if grade >= 12:
        draft.update(entries[0], xjzt="毕业")
    else:
        draft.update(entries[0], nj=grade + 1)


def teaching(province: Province, draft: Draft) -> None:
    """A school takes a teacher on, or one of them is promoted."""
    family = province.family(Kind.HUKOU)
    for person in family.persons:
        entries = family.of(JS_JSXX, person)
        if entries:
            draft.update(entries[0], zc="高级教师")
        elif 22 <= person.age() < 55 and not person.died and province.dice.random() < 0.3:
            if family.has_room(JS_JSXX.name):
                draft.insert(family, edu.teacher(family, person, province.dice, draft.moment))
        else:
            continue
        return


def examination(province: Province, draft: Draft) -> None:
    """A family's minimum living allowance is examined: it gets another number, the key of all its rows, or none."""
    family = province.family_with(DBJT_CY, Kind.HUKOU)
    if province.dice.random() < _NEW_ALLOWANCE:
        family = province.family(Kind.HUKOU)
    rows = family.of(DBJT_CY)
    if not rows:
        if family.has_room("jtbh"):
            for entry in civil.allowance(family, province.dice):
                draft.insert(family, entry)
        return
    edition = family.number("jtbh") if family.has_room("jtbh") else _ALLOWANCES
    if edition >= _ALLOWANCES or province.dice.random() < 0.1:
        for entry in rows:
            draft.delete(family, entry)
        return
    number = civil.allowance_number(family, edition)
    for entry in rows:
        draft.update(entry, jtbh=number)


def subsidy(province: Province, draft: Draft) -> None:
    """Somebody old gets a subsidy, or is visited."""
    family = province.family(Kind.HUKOU)
    for person in family.persons:
        if person.age() < 75 or person.died:
            continue
        entries = family.of(GLJT, person)
        if entries:
            draft.update(entries[0], hczt="已核", nl=person.age())
        elif family.has_room(GLJT.name):
            draft.insert(family, civil.subsidy(family, person, province.dice, draft.moment))
        else:
            continue
        return


def new_code(province: Province, draft: Draft) -> None:
    """A business of before the reform gets its unified code, a new key; others open or close."""
    family = province.family_with(E_LEREP)
    if province.dice.random() < 0.3:
        family = province.family(province.some_kind())
    for entry in family.of(E_LEREP):
        row = entry.row
        assert isinstance(row, ELerep)
        if len(row.uniscid) == 15:
            county, serial = entry.named[0].person.home.county.code, int(row.uniscid[4:])
            draft.update(entry, uniscid=market.code_for(county, serial), regno=row.uniscid)
            return
        if province.dice.random() < 0.5:
            draft.update(entry, regstate=province.dice.one(("存续", "注销")))
            return
    adults = [p for p in family.persons if 20 <= p.age() < 75 and not p.died]
    if adults and province.dice.random() < 0.1 and family.has_room(E_LEREP.name):
        draft.insert(family, market.business(family, province.dice.one(adults), province.dice, draft.moment))


def title(province: Province, draft: Draft) -> None:
    """A family buys a home, or a title becomes history."""
    family = province.family(Kind.HUKOU)
    adults = [p for p in family.persons if p.age() >= 18 and not p.died]
    entries = family.of(FW_QLR)
    if entries and province.dice.random() < 0.4:
        for entry in entries:
            if entry.key[0] == entries[0].key[0]:
                draft.update(entry, qszt=2)
    elif adults and family.has_room(FW_QLR.name):
        for entry in housing.title(family, adults[0], province.dice, draft.moment):
            draft.insert(family, entry)


def rental(province: Province, draft: Draft) -> None:
    """Migrants rent a home from somebody, or the contract is over."""
    family = province.family(Kind.MIGRANT)
    entries = family.of(ZLBA)
    if entries and province.dice.random() < 0.6:
        draft.update(entries[-1], zt="到期")
        return
    tenants = [p for p in family.persons if p.age() >= 18 and not p.died]
    landlord = province.family(Kind.HUKOU).persons[0]
    if tenants and landlord.age() >= 18 and not landlord.died and family.has_room(ZLBA.name):
        draft.insert(family, housing.rental(family, tenants[0], landlord, province.dice, draft.moment))


def licence(province: Province, draft: Draft) -> None:
    """A driver gets points, or another licence."""
    entry = province.entry(JSR_JSZXX)
    if entry is not None and not entry.named[0].person.died:
        points = (getattr(entry.row, "ljjf") or 0) + 3  # noqa: B009
        draft.update(entry, ljjf=min(points, 12), zt="A" if points < 12 else "B")


def card(province: Province, draft: Draft) -> None:
    """Somebody applies for an ID card, or collects it."""
    family = province.family(Kind.HUKOU)
    person = province.dice.one(family.persons)
    waiting = [e for e in family.of(SFZ_ZZXX, person) if getattr(e.row, "zzzt") in ("01", "02")]  # noqa: B009
    if waiting:
        draft.update(waiting[0], zzzt="03")
    elif person.registered:
        opens(province, draft, family, person, SFZ_ZZXX)


def regraded(province: Province, draft: Draft) -> None:
    """A disability is assessed again: the certificate's number changes with the grade, so the old one goes."""
    family = province.family_with(CJR, Kind.HUKOU)
    entries = family.of(CJR)
    if entries:
        _regrade(draft, family, entries[0], province)


def _regrade(draft: Draft, family: Family, old: Entry, province: Province) -> None:
    row = old.row
    assert isinstance(row, Cjr)
    if row.cj is None:
        return
    grade = row.cj.dj % 4 + 1
    number = f"{row.cjrzh[:18]}{row.cj.lb[0]}{grade}"
    person: Person = old.named[0].person
    fresh = Cjr(**{name: getattr(row, name) for name in row.__struct_fields__})
    fresh.op, fresh.cjrzh, fresh.yzh = "A", number, row.cjrzh
    fresh.gxsj = draft.moment.isoformat()
    fresh.cj = type(row.cj)(row.cj.lb, grade, draft.moment.date().isoformat())
    fresh.hyzk = WORDS[person.status]
    if names.DOT in person.name:
        fresh.xm = names.dotted_variant(province.dice, person.name)
    draft.delete(family, old)
    draft.insert(family, Entry(CJR, fresh, old.named))
