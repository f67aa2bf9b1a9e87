"""What happens to people: births and deaths, marriages and divorces, moves, new names, and who hears of it when."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import HOME, address_in, any_grain
from connectors.simulate.identifiers import mobile
from connectors.simulate.people import MARRIED, Family, Kind, Person, Status
from connectors.simulate.province import Province
from connectors.simulate.rows.police import HjHjxx, LdrkJzz
from connectors.simulate.tables import (
    AC01,
    BIRTH_CERTIFICATE,
    DBJT_CY,
    DEATH_CERTIFICATE,
    GLJT,
    HEALTH_RECORD,
    HJ_BGXX,
    HJ_SWZX,
    HYDJ_JH,
    HYDJ_LH,
    JSR_JSZXX,
    LDRK_JZZ,
    PSN_INFO_B,
    SFZ_ZZXX,
    TABLES,
    VACCINATION,
    XS_XJXX,
    ZRR_DJXX,
    Entry,
    Table,
    Value,
)
from connectors.simulate.transactions import Draft
from connectors.simulate.upkeep import files, opens
from connectors.simulate.views import (
    DIGITS,
    civil,
    edu,
    health,
    health_papers,
    hrss,
    medins,
    police,
    police_papers,
)

_PHONE_FIELDS: Final = tuple(
    (table, table.blank.phone)
    for table in TABLES
    if table.blank.phone
    and "self" in table.numbers
    and table not in (VACCINATION, DEATH_CERTIFICATE, XS_XJXX, GLJT)
)
"""Where people give a phone of their own."""
_ADDRESS_FIELDS: Final = (
    (HEALTH_RECORD, "current_address"), (AC01, "aae006"), (LDRK_JZZ, "xzdz"), (PSN_INFO_B, "live_addr"),
    (ZRR_DJXX, "lxdz"), (JSR_JSZXX, "lxzsxxdz"), (GLJT, "dz"), (DBJT_CY, "jtzz"),
)  # fmt: skip


def new_phone(province: Province, draft: Draft) -> None:
    """Somebody gives a department another number."""
    table, name = province.dice.one(_PHONE_FIELDS)
    entry = province.entry(table)
    if entry is None:
        return
    person = entry.named[0].person
    if person.phone is None or person.died:
        return
    if province.dice.random() < 0.5:
        # A new number; the other departments will know the old one.
        person.stale_phone, person.phone = person.phone, mobile(province.dice)
        draft.learn(person)
    draft.update(entry, **{name: person.phone})


def move_house(province: Province, draft: Draft) -> None:
    """The whole household moves: its row and the files of its members in one transaction."""
    family = province.family(Kind.HUKOU)
    book = province.book(family)
    if book is None:
        return
    old, dice = family.address, province.dice
    address = address_in(dice, old.county if dice.random() < 0.8 else dice.one(HOME))
    for person in family.persons:
        if person.home is old:
            person.home = address
    family.address = address
    draft.update(
        book,
        ssxq=address.county.code,
        xzjd=address.town,
        jcwh=address.community,
        jlx=address.road or None,
        mlph=address.number,
        mlxz=address.full(),
    )
    for entry in province.files_in_book(family):
        written = address.spelled(any_grain(dice))
        if family.has_room(HJ_BGXX.name) and dice.random() < 0.5:
            before = getattr(entry.row, "hjdz")  # noqa: B009
            draft.insert(
                family, police_papers.change(family, entry, dice, draft.moment, "03", before, written)
            )
        draft.update(entry, hjdz=written)
    draft.learn(*family.persons)


def residence(province: Province, draft: Draft) -> None:
    """Somebody tells a department where they live now."""
    table, name = province.dice.one(_ADDRESS_FIELDS)
    entry = province.entry(table)
    if entry is None:
        return
    person = entry.named[0].person
    if province.dice.random() < 0.6:
        person.home = province.new_home(person)
        draft.learn(person)
    draft.update(entry, **{name: person.home.spelled(any_grain(province.dice))})


def marriage(province: Province, draft: Draft) -> None:
    """Two people marry; the police note it in both files."""
    groom, bride = province.single(1), province.single(2)
    if groom is None or bride is None:
        return
    for (file, person), (_, other) in ((groom, bride), (bride, groom)):
        person.status, person.spouse, person.de_facto = Status.FIRST, other, False
        draft.update(file, hyzk=person.status.value, poxm=other.name, pogmsfhm=other.id_number)
        tell_status(province, person)
    draft.learn(groom[1], bride[1])
    man, woman = groom[1], bride[1]
    province.after(lambda later: registers_marriage(province, later, man, woman))


def registers_marriage(province: Province, draft: Draft, man: Person, woman: Person) -> None:
    """The registry office registers two people."""
    family = province.family_of(man)
    if man.spouse is woman and family.has_room(HYDJ_JH.name):
        draft.insert(family, civil.marriage(family, man, woman, province.dice, draft.moment))


def divorce(province: Province, draft: Draft) -> None:
    """A couple parts; the police note it in both files."""
    family = province.family(Kind.HUKOU)
    for person in family.persons:
        other = person.spouse
        if (
            person.status in MARRIED
            and isinstance(other, Person)
            and other in family.persons
            and not other.died
        ):
            files = [file for one in (person, other) if (file := province.file(family, one))]
            if len(files) < 2:
                continue
            for file, one in zip(files, (person, other), strict=True):
                one.status, one.spouse = Status.DIVORCED, None
                draft.update(file, hyzk=one.status.value, poxm=None, pogmsfhm=None)
                tell_status(province, one)
            draft.learn(person, other)
            _registry_hears(province, person, other)
            return


def _registry_hears(province: Province, person: Person, other: Person) -> None:
    man, woman = (person, other) if person.sex == 1 else (other, person)
    province.after(lambda later: registers_divorce(province, later, man, woman))


def registers_divorce(province: Province, draft: Draft, man: Person, woman: Person) -> None:
    """The registry office registers a divorce, and says so in the marriage where it has it."""
    family = province.family_of(man)
    married = [entry for entry in family.of(HYDJ_JH, man) if entry.named[1].person is woman]
    if not family.has_room(HYDJ_LH.name):
        return
    if married:
        draft.update(married[-1], zt="已离婚")
    draft.insert(
        family,
        civil.divorce(family, man, woman, province.dice, draft.moment, married[-1] if married else None),
    )


def death(province: Province, draft: Draft) -> None:
    """Somebody old dies; the police cancel the file, the others hear of it later."""
    family = province.family(Kind.HUKOU)
    person = max(family.persons, key=lambda member: (member.died is None, -member.birth.toordinal()))
    file = province.file(family, person)
    if file is None or person.died or person.age() < 60:
        return
    person.died = draft.moment.date()
    draft.update(file, ryzt="1", bz="死亡注销")
    if family.has_room(HJ_SWZX.name):
        draft.insert(family, police_papers.cancellation(family, file, province.dice, draft.moment, "1"))
    draft.learn(person)
    widow = person.spouse
    if isinstance(widow, Person) and widow.status in MARRIED and (theirs := province.file(family, widow)):
        widow.status = Status.WIDOWED
        draft.update(theirs, hyzk=widow.status.value)
        draft.learn(widow)
        tell_status(province, widow)
    province.after(lambda later: update_all(province, later, person, HEALTH_RECORD, deceased=True))
    province.after(lambda later: update_all(province, later, person, AC01, aac008="4"))
    province.after(lambda later: update_all(province, later, person, PSN_INFO_B, psn_insu_stas="4"))
    province.after(lambda later: update_all(province, later, person, ZRR_DJXX, zxbz="Y"))
    province.after(lambda later: update_all(province, later, person, JSR_JSZXX, zt="G"))
    province.after(lambda later: certifies_death(province, later, person))
    province.after(lambda later: ends_subsidy(province, later, person))


def certifies_death(province: Province, draft: Draft, person: Person) -> None:
    """A hospital's certificate comes in, later than it should."""
    family = province.family_of(person)
    if family.has_room(DEATH_CERTIFICATE.name):
        draft.insert(family, health_papers.death(family, person, province.dice, draft.moment))


def ends_subsidy(province: Province, draft: Draft, person: Person) -> None:
    """Nobody pays a subsidy to the dead: the row goes."""
    family = province.family_of(person)
    for entry in family.of(GLJT, person):
        draft.delete(family, entry)


def renaming(province: Province, draft: Draft) -> None:
    """Somebody takes another name."""
    family = province.family(Kind.HUKOU)
    person = province.dice.one(family.persons)
    file, book = province.file(family, person), province.book(family)
    if file is None or book is None or names.DOT in person.name or not 5 < person.age() < 70:
        return
    given = names.given_name(province.dice, person.sex, person.birth.year)
    person.former_name, person.name = person.name, names.family_part(person.name) + given
    if family.has_room(HJ_BGXX.name):
        note = police_papers.change(
            family, file, province.dice, draft.moment, "04", person.former_name, person.name
        )
        draft.insert(family, note)
    draft.update(file, xm=person.name, cym=person.former_name)
    if book.named[0].person is person:
        draft.update(book, hzxm=person.name)
    if isinstance(person.spouse, Person) and (theirs := province.file(family, person.spouse)):
        draft.update(theirs, poxm=person.name)
    draft.learn(person)
    name = person.name
    if province.dice.random() < 0.5:
        province.after(lambda later: update_all(province, later, person, HEALTH_RECORD, name=name))
    if province.dice.random() < 0.5:
        province.after(lambda later: update_all(province, later, person, AC01, aac003=name))
    if province.dice.random() < 0.6:
        province.after(lambda later: update_all(province, later, person, PSN_INFO_B, psn_name=name))
    if province.dice.random() < 0.5:
        province.after(lambda later: update_all(province, later, person, ZRR_DJXX, xm=name))
    if province.dice.random() < 0.7:
        province.after(lambda later: opens(province, later, family, person, SFZ_ZZXX))


def birth(province: Province, draft: Draft) -> None:
    """A hospital certifies a birth; the police and the health station hear of it later."""
    family = province.family(province.some_kind())
    mothers = [p for p in family.persons if p.sex == 2 and 20 <= p.age() < 43 and p.spouse and not p.died]
    if not mothers or not family.has_room(BIRTH_CERTIFICATE.name) or len(family.persons) > 7:
        return
    mother = mothers[0]
    baby = province.baby(draft, family, mother)
    if baby is None:
        return
    entry = health.certificate(family, baby, province.dice, draft.moment)
    draft.insert(family, entry)
    draft.learn(baby)
    if family.kind is Kind.HUKOU:
        province.after(lambda later: registers(province, later, family, baby, entry))
    province.after(lambda later: files(province, later, family, baby, HEALTH_RECORD))
    province.after(lambda later: opens(province, later, family, baby, VACCINATION))
    province.after(lambda later: insures(province, later, family, baby))


def insures(province: Province, draft: Draft, family: Family, baby: Person) -> None:
    """A newborn is insured, under its mother or its own number; the own one is learned later."""
    if family.of(PSN_INFO_B, baby) or not family.has_room(PSN_INFO_B.name):
        return
    entry = medins.insured(family, baby, province.dice, draft.moment)
    draft.insert(family, entry)
    number: Value = getattr(entry.row, "certno")  # noqa: B009
    if number != baby.id_number:
        province.after(
            lambda later: update_all(
                province,
                later,
                baby,
                PSN_INFO_B,
                psn_cert_type="01",
                certno=baby.id_number,
                psn_name=baby.name,
            )
        )


def registers(province: Province, draft: Draft, family: Family, baby: Person, certificate: Entry) -> None:
    """The police register a baby: a file, and one more member in the book."""
    book = province.book(family)
    if book is None:
        return
    baby.registered = True
    draft.insert(family, police.file(family, baby, province.dice, draft.moment))
    row = book.row
    assert isinstance(row, HjHjxx)
    draft.update(book, hrs=(row.hrs or 0) + 1)
    draft.learn(baby)
    if certificate in family.entries:
        province.after(lambda later: later.update(certificate, baby_name=baby.name))


def moves_in(province: Province, draft: Draft) -> None:
    """A family gets its hukou in the province."""
    family = province.late_family(Kind.HUKOU)
    dice = province.dice
    draft.insert(family, police.household(family, dice, draft.moment))
    for person in family.persons:
        draft.insert(family, police.file(family, person, dice, draft.moment))
    draft.learn(*family.persons)
    _start_school(province, family)
    for person in family.persons:
        province.after(lambda later, person=person: files(province, later, family, person, HEALTH_RECORD))  # type: ignore[misc]
        if person.age() >= hrss.WORKING_AGE:
            province.after(lambda later, person=person: files(province, later, family, person, AC01))  # type: ignore[misc]
        province.after(lambda later, person=person: files(province, later, family, person, PSN_INFO_B))  # type: ignore[misc]


def _start_school(province: Province, family: Family) -> None:
    for child in family.persons:
        if edu.FIRST_AGE <= child.age() <= edu.LAST_AGE:
            province.after(lambda later, child=child: files(province, later, family, child, XS_XJXX))  # type: ignore[misc]


def migrant_comes(province: Province, draft: Draft) -> None:
    """A migrant party registers."""
    family = province.late_family(Kind.MIGRANT)
    dice = province.dice
    for person in family.persons:
        permitted = dice.random() >= police.NO_PERMIT
        draft.insert(
            family, police.stay(family, person, dice, draft.moment, permitted=permitted, present=True)
        )
    draft.learn(*family.persons)
    _start_school(province, family)
    person = family.persons[0]
    if dice.random() < hrss.ENROLLED_MIGRANTS:
        province.after(lambda later: files(province, later, family, person, AC01))


def migrant_leaves(province: Province, draft: Draft) -> None:
    """A migrant leaves, or a registration that is over goes."""
    family = province.family(Kind.MIGRANT)
    entries = family.of(LDRK_JZZ)
    if not entries:
        return
    entry = province.dice.one(entries)
    row = entry.row
    assert isinstance(row, LdrkJzz)
    if row.zt == "有效":
        draft.update(entry, zt="离开")
    else:
        draft.delete(family, entry)


def permit(province: Province, draft: Draft) -> None:
    """A migrant gets a residence permit."""
    family = province.family(Kind.MIGRANT)
    for entry in family.of(LDRK_JZZ):
        row = entry.row
        assert isinstance(row, LdrkJzz)
        if row.jzzbh is None and row.zt == "有效":
            issued = draft.moment.date()
            draft.update(
                entry,
                jzzbh=police.permit_number(family, row.djbh),
                fzrq=issued.isoformat(),
                yxqz=(issued + timedelta(days=365)).isoformat(),
            )
            return


def de_facto(province: Province, draft: Draft) -> None:
    """Two live together unmarried, and one tells the insurance so."""
    entry = province.entry(AC01)
    if entry is None:
        return
    person = entry.named[0].person
    if person.status is Status.SINGLE and 19 < person.age() < 60 and not person.de_facto:
        person.de_facto = True
        draft.update(entry, aac017=hrss.DE_FACTO)
        draft.learn(person)


def update_all(province: Province, draft: Draft, person: Person, table: Table, **values: Value) -> None:
    """A department writes what it has heard into all of its rows about the person."""
    for entry in province.family_of(person).of(table, person):
        draft.update(entry, **values)


def tell_status(province: Province, person: Person) -> None:
    """Other departments hear later what the person's marital status is now."""
    digit, word = DIGITS[person.status], health.MARITAL[person.status]
    province.after(lambda later: update_all(province, later, person, AC01, aac017=digit))
    province.after(lambda later: update_all(province, later, person, HEALTH_RECORD, marital_status=word))
    province.after(lambda later: update_all(province, later, person, PSN_INFO_B, mrg_stas=digit))
