"""disabled 残联 and justice 司法: what comes as files; the latter went through a spreadsheet."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, spelled_id
from connectors.simulate.people import BASE_DATE, MARRIED, Family, Kind, Person, past_time
from connectors.simulate.rows.files import Cjr, Degree, Guardian, Hukou, Sqjz, Sygz
from connectors.simulate.tables import CJR, SQJZ, SYGZ, Entry, Named
from connectors.simulate.views import WORDS, birth_on_file, ethnic_word, iso, name_on_file, phone_on_file

DISABLED: Final = 0.025
CORRECTED: Final = 0.006
ADOPTED: Final = 0.004
"""Children under 15 whose adoption was notarised."""

_IDS: Final = IdHabits(missing=0.02, fifteen=0.03, lower_x=0.3, full_width=0.004, blanks=0.004, mistyped=0.01)
_SPREADSHEET: Final = date(1899, 12, 30)
"""Day 0 of a spreadsheet."""
_FOUNDLING: Final = ("江", "福", "党", "国")


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the certificates, corrections and adoptions of the family's members."""
    entries: list[Entry] = []
    for person in family.persons:
        if person.died:
            continue
        if family.kind is Kind.HUKOU and person.registered and rng.random() < DISABLED:
            entries.append(disability(family, person, rng))
        if 18 <= person.age() < 65 and not person.is_foreign and rng.random() < CORRECTED:
            entries.append(correction(family, person, rng))
        if person.age() < 15 and person.father in family.persons and rng.random() < ADOPTED:
            entries.append(adoption(family, person, rng))
    return entries


def disability(family: Family, person: Person, rng: Dice) -> Entry:
    """Return a certificate; its number is made of the holder's ID number, kind and grade."""
    kind, grade = rng.between(1, 8), rng.between(1, 5)
    assessed = past_time(rng, 2012).date()
    guardian = _guardian(person, family)
    updated = past_time(rng, 2024)
    row = Cjr(
        op="A",
        cjrzh=f"{person.id_number}{kind}{grade}" + ("B1" if rng.random() < 0.06 else ""),
        gxsj=updated.isoformat(),
        xm=name_on_file(rng, person, 0.01, 0.4),
        sfzh=spelled_id(rng, person.id_number, person.birth, _IDS),
        xb="男" if person.sex == 1 else "女",
        csrq=iso(birth_on_file(rng, person)),
        mz=ethnic_word(person),
        cj=Degree([kind], grade, assessed.isoformat()),
        hk=Hukou(family.address.spelled(any_grain(rng)), rng.one(("农业", "非农业")))
        if rng.random() < 0.9
        else None,
        xzz=person.home.spelled(any_grain(rng)) if rng.random() < 0.8 else rng.one((None, "")),
        dh=[phone] if (phone := phone_on_file(rng, person, 0.2)) else rng.one((None, [])),
        jhr=Guardian(guardian.name, _relation(guardian, person), guardian.phone) if guardian else None,
        hyzk=WORDS[person.status],
        fzrq=(assessed + timedelta(days=rng.between(10, 40))).isoformat(),
    )
    return Entry(CJR, row, (Named("self", person),))


def correction(family: Family, person: Person, rng: Dice) -> Entry:
    """Return somebody in community correction."""
    begin = past_time(rng, 2021).date()
    end = begin + timedelta(days=rng.between(180, 1100))
    county = person.home.county
    row = Sqjz(
        number=f"SQ{county.code}{family.serial('sqjz'):011d}",
        name=name_on_file(rng, person, 0.01),
        former_name=person.former_name or "",
        sex="男" if person.sex == 1 else "女",
        id_number=_damaged(rng, spelled_id(rng, person.id_number, person.birth, _IDS) or ""),
        birth=_sheet_date(rng, person.birth) if not rng.errs(0.01) else "",
        ethnicity=ethnic_word(person) or "",
        marital=WORDS[person.status] if rng.random() < 0.93 else "未知",
        hukou_address=family.address.spelled(any_grain(rng)),
        address=person.home.spelled(any_grain(rng)),
        phone=phone_on_file(rng, person, 0.1) or "",
        kind=rng.one(("缓刑", "缓刑", "缓刑", "假释", "管制", "暂予监外执行")),
        begin=_sheet_date(rng, begin),
        end=_sheet_date(rng, end),
        office=f"{county.name}{person.home.town}司法所",
        state="在矫" if end > BASE_DATE else rng.one(("解矫", "终止")),
    )
    return Entry(SQJZ, row, (Named("self", person),))


def adoption(family: Family, child: Person, rng: Dice) -> Entry:
    """Return the notarised adoption of a child, who often had another name."""
    day = min(child.birth + timedelta(days=rng.between(60, 2000)), BASE_DATE - timedelta(days=5))
    father, mother = child.father, child.mother
    named = [Named("self", child)]
    named += [
        Named(role, kin) for role, kin in (("father", father), ("mother", mother)) if isinstance(kin, Person)
    ]
    opening, closing = rng.one((("(", ")"), ("（", "）")))
    city = family.address.county.city
    number = f"{opening}{day.year}{closing}江{city[0]}证字第{family.serial('sygz')}号"
    before = rng.one(_FOUNDLING) + names.given_name(rng, child.sex, child.birth.year)
    row = Sygz(
        number=number,
        day=_sheet_date(rng, day),
        child=child.name,
        child_before=before if rng.random() < 0.7 else "",
        child_sex="男" if child.sex == 1 else "女",
        child_birth=_sheet_date(rng, child.birth),
        child_id_number=_damaged(rng, child.id_number) if rng.random() < 0.4 else "",
        father=father.name if isinstance(father, Person) else "",
        father_id_number=_damaged(rng, father.id_number) if isinstance(father, Person) else "",
        mother=mother.name if isinstance(mother, Person) else "",
        mother_id_number=_damaged(rng, mother.id_number) if isinstance(mother, Person) else "",
        address=child.home.spelled(any_grain(rng)),
        phone=(phone_on_file(rng, father, 0.1) or "") if isinstance(father, Person) else "",
        office=f"{city}公证处",
    )
    return Entry(SYGZ, row, tuple(named))


def _guardian(person: Person, family: Family) -> Person | None:
    if person.age() < 18:
        kin = person.mother if isinstance(person.mother, Person) else person.father
        return kin if isinstance(kin, Person) and kin in family.persons else None
    spouse = person.spouse
    return (
        spouse
        if person.status in MARRIED and isinstance(spouse, Person) and spouse in family.persons
        else None
    )


def _relation(guardian: Person, person: Person) -> str:
    return "配偶" if guardian.spouse is person else "父母"


def _damaged(rng: Dice, number: str) -> str:
    """Return the number as a spreadsheet gives it back."""
    draw = rng.random() / rng.noise
    if number and draw < 0.08 and number.isdigit():
        return f"{float(number):.5E}"
    draw = rng.random()
    if draw < 0.3:
        return f"'{number}"
    return f"{number}\t" if draw < 0.45 else number


def _sheet_date(rng: Dice, day: date) -> str:
    draw = rng.random()
    if draw < 0.5:
        return f"{day.year}/{day.month}/{day.day}"
    return day.isoformat() if draw < 0.85 else str((day - _SPREADSHEET).days)
