"""health 卫健: birth certificates, electronic health records.

Real date types, sex M/F/U, ethnicity as text, marital status in English words, arrays and json.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from connectors.simulate import names
from connectors.simulate.areas import HOME, address_in, any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, mistyped, mobile, spelled_id, spelled_phone
from connectors.simulate.people import (
    BASE_DATE,
    BEIJING,
    Family,
    Kind,
    Person,
    Status,
    past_time,
)
from connectors.simulate.rows.health import BirthCertificate, HealthRecord
from connectors.simulate.tables import BIRTH_CERTIFICATE, HEALTH_RECORD, Entry, Named
from connectors.simulate.views import BIG_VALUE, days_after, ethnic_word, name_on_file, papers, phone_on_file

CERTIFIED_BELOW: Final = 7
"""Age in years; certificates of older children are not in the system."""
CERTIFIED: Final = 0.95
REISSUED: Final = 0.05
DISAGREES: Final = 0.083
"""Certificates that say something else than the hukou file."""
UNNAMED: Final = 0.22

NO_RECORD_ELDERLY: Final = 0.285
"""Living residents of 65 or over without a health record."""
RECORD_OTHERS: Final = 0.79
RECORD_MIGRANTS: Final = 0.40
SECOND_RECORD: Final = 0.215
"""People with a second record after a move between townships."""
MOTHERS_NUMBER: Final = 0.12
"""Children under seven whose record carries the mother's ID number."""

SUMMARY_EVERY, SUMMARY_FIRST = 20, 3
"""Each such family has long medical summaries on file, so that a change can find one without a search."""

_IDS: Final = IdHabits(
    missing=0.05, fifteen=0.012, lower_x=0.35, full_width=0.004, blanks=0.003, mistyped=0.012
)
MARITAL: Final = {
    Status.SINGLE: "single",
    Status.MARRIED: "married",
    Status.FIRST: "married",
    Status.REMARRIED: "married",
    Status.WIDOWED: "widowed",
    Status.DIVORCED: "divorced",
}
_DISEASES: Final = ("高血压", "糖尿病", "冠心病", "慢阻肺", "脑卒中")
_ALLERGIES: Final = ("青霉素", "磺胺", "头孢", "海鲜")
_HOSPITALS: Final = ("第一人民医院", "妇幼保健院", "中医院", "第二人民医院")
_SUMMARY_CHARACTERS: Final = {byte: 0x4E00 + byte * 81 for byte in range(256)}


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the certificates of the family's young children and the health records of its members."""
    entries: list[Entry] = []
    for person in family.persons:
        if person.age() < CERTIFIED_BELOW and isinstance(person.mother, Person) and rng.random() < CERTIFIED:
            entries.extend(certificates(family, person, rng))
    for person in family.persons:
        if rng.random() < _coverage(person, family.kind):
            moment = max(past_time(rng, 2012), days_after(person, 20))
            entries.append(record(family, person, rng, moment))
            if rng.random() < SECOND_RECORD:
                entries.append(second_record(family, person, rng, moment))
    return entries


def certificates(family: Family, baby: Person, rng: Dice) -> list[Entry]:
    """Return the baby's certificate; where it was reissued, the voided one and its successor."""
    first = certificate(family, baby, rng, days_after(baby, 2))
    if rng.random() < DISAGREES:
        _disagree(first, baby, rng)
    if rng.random() >= REISSUED:
        return [first]
    row = first.row
    assert isinstance(row, BirthCertificate)
    again = certificate(family, baby, rng, days_after(baby, 10))
    second = again.row
    assert isinstance(second, BirthCertificate)
    for field in (
        "baby_sex",
        "birth_time",
        "mother_name",
        "mother_id_no",
        "gestation_weeks",
        "birth_weight_g",
    ):
        setattr(second, field, getattr(row, field))
    second.baby_name = row.baby_name if is_real_name(row) else baby.name
    second.previous_cert_no = row.cert_no
    second.status, second.remark = "reissued", "遗失补发"
    row.status, row.updated_at = "voided", second.issued_at
    return [first, again]


def certificate(family: Family, baby: Person, rng: Dice, issued: datetime) -> Entry:
    """Return a certificate that agrees with the hukou file. The baby's mother is of the family."""
    mother, father = baby.mother, baby.father
    assert isinstance(mother, Person)
    siblings = [person for person in family.persons if person.mother is mother and person.birth == baby.birth]
    born = datetime(baby.birth.year, baby.birth.month, baby.birth.day, tzinfo=BEIJING)
    born += timedelta(seconds=rng.below(86_400))
    named: tuple[Named, ...] = (Named("baby", baby), Named("mother", mother))
    if isinstance(father, Person):
        named = (*named, Named("father", father))
    else:
        father = None
    foreign = father is not None and rng.random() < 0.01
    county = mother.home.county
    row = BirthCertificate(
        cert_no=_certificate_number(family),
        baby_name=_baby_name(baby, mother, rng),
        baby_sex="M" if baby.sex == 1 else "F",
        birth_time=born.isoformat(),
        gestation_weeks=f"{min(42.0, max(27.0, rng.gauss(39, 1.5))):.1f}",
        birth_weight_g=int(rng.gauss(3300, 450)) if rng.random() < 0.98 else None,
        birth_length_cm=f"{rng.gauss(50, 2):.1f}",
        plurality=len(siblings),
        birth_order=siblings.index(baby) + 1,
        apgar=f"{{{rng.between(7, 10)},{rng.between(8, 11)},10}}" if rng.random() < 0.9 else None,
        facility_code=f"{county.code}{rng.below(10**6):06d}",
        facility_name=county.city + rng.one(_HOSPITALS),
        mother_name=mother.name,
        mother_id_type="id_card",
        mother_id_no=mother.id_number,
        mother_birth_date=mother.birth.isoformat() if rng.random() < 0.97 else None,
        mother_ethnicity=ethnic_word(mother),
        mother_address=mother.home.spelled(any_grain(rng)),
        mother_phone=phone_on_file(rng, mother, 0.05),
        father_name=father.name if father else None,
        father_id_type=("passport" if foreign else "id_card") if father else None,
        father_id_no=(father.passport if foreign else father.id_number)
        if father and rng.random() < 0.95
        else None,
        father_birth_date=father.birth.isoformat() if father and rng.random() < 0.9 else None,
        father_ethnicity=ethnic_word(father) if father else None,
        father_phone=phone_on_file(rng, father, 0.3) if father else None,
        previous_cert_no=None,
        status="issued",
        remark=None,
        issued_at=issued.isoformat(),
        updated_at=issued.isoformat(),
    )
    return Entry(BIRTH_CERTIFICATE, row, named)


def is_real_name(row: BirthCertificate) -> bool:
    """Whether the certificate names the baby, and not only its mother or nobody."""
    name = row.baby_name
    return bool(name) and name != "未取名" and not str(name).endswith(("之子", "之女", "婴"))


def record(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the person's health record."""
    age = person.age()
    kind = papers(person, ("id_card", "passport", "hk_macao", "taiwan"))
    number: str | None = person.id_number
    if not person.is_foreign:
        number = spelled_id(rng, person.id_number, person.birth, _IDS)
    if isinstance(person.mother, Person) and age < CERTIFIED_BELOW and rng.errs(MOTHERS_NUMBER):
        number = person.mother.id_number
    elif number in (None, "", "无", "0"):
        kind = "none" if rng.random() < 0.6 else "id_card"
    elif rng.random() < 0.004:
        kind, number = "passport", person.passport
    name = name_on_file(rng, person, 0.02, 0.3, 0.05)
    contact = person.mother if age < 18 else person.spouse
    birth: date | None = person.birth
    if rng.errs(0.012):
        birth = None
    elif rng.errs(0.008):
        birth = date(person.birth.year, 1, 1)
    elderly = age >= 60
    row = HealthRecord(
        record_id=str(UUID(int=rng.getrandbits(128), version=4)),
        archive_no=f"{person.home.county.code}{rng.between(1, 20):03d}{rng.between(1, 30):03d}{rng.below(10**5):05d}",
        name=name,
        sex=("M" if person.sex == 1 else "F") if rng.random() < 0.985 else "U",
        birth_date=birth.isoformat() if birth else None,
        id_type=kind,
        id_no=number,
        ethnicity=ethnic_word(person) if rng.random() < 0.96 else None,
        phone=phone_on_file(rng, person, 0.08) if age >= 13 else None,
        contact_name=contact.name if contact and rng.random() < 0.8 else None,
        contact_phone=_contact_phone(rng, contact),
        hukou_address=family.address.spelled(any_grain(rng)) if rng.random() < 0.9 else None,
        current_address=person.home.spelled(any_grain(rng)) if rng.random() < 0.95 else None,
        marital_status=marital_word(rng, person) if age >= 15 else None,
        blood_group=rng.one(("A", "B", "AB", "O", "unknown")),
        chronic_diseases=_array(rng, _DISEASES, 0.5 if elderly else 0.06),
        allergies=_array(rng, _ALLERGIES, 0.08),
        height_cm=f"{rng.gauss(164, 8):.1f}" if age >= 18 else None,
        weight_kg=f"{max(35.0, rng.gauss(63, 10)):.2f}" if age >= 18 else None,
        last_exam=_exam(rng) if elderly or rng.random() < 0.2 else None,
        medical_summary=summary(rng) if has_summary(family) else None,
        deceased=person.died is not None,
        created_at=(moment - timedelta(days=rng.between(0, 8))).isoformat(),
        updated_at=moment.isoformat(),
    )
    return Entry(HEALTH_RECORD, row, (Named("self", person),))


def second_record(family: Family, person: Person, rng: Dice, present: datetime) -> Entry:
    """Return the record that was left where the person lived before."""
    entry = record(family, person, rng, present - timedelta(days=rng.between(30, 2500)))
    row = entry.row
    assert isinstance(row, HealthRecord)
    row.current_address = address_in(rng, rng.one(HOME)).spelled(any_grain(rng))
    row.medical_summary = None
    row.deceased = False
    if person.former_name and rng.random() < 0.6:
        row.name = person.former_name
    return entry


def has_summary(family: Family) -> bool:
    """Whether the family's records hold long summaries."""
    return family.index % SUMMARY_EVERY == SUMMARY_FIRST


def summary(rng: Dice) -> str:
    """Return a long text that compresses by a third at most: 4 to 8 kB in UTF-8."""
    return (
        rng.randbytes(rng.between(BIG_VALUE // 2, BIG_VALUE)).decode("latin-1").translate(_SUMMARY_CHARACTERS)
    )


def marital_word(rng: Dice, person: Person) -> str:
    """Return the marital status in the department's English words."""
    if rng.random() < 0.04:
        return "unknown"
    return "married" if person.de_facto and rng.random() < 0.5 else MARITAL[person.status]


def _baby_name(baby: Person, mother: Person, rng: Dice) -> str | None:
    if rng.random() >= UNNAMED:
        return baby.name
    return rng.one(
        (
            None,
            f"{mother.name}之{'子' if baby.sex == 1 else '女'}",
            f"{names.family_part(baby.name)}婴",
            "未取名",
        )
    )


def _disagree(entry: Entry, baby: Person, rng: Dice) -> None:
    row, mother = entry.row, baby.mother
    assert isinstance(row, BirthCertificate)
    assert mother is not None
    draw = rng.random()
    if draw < 0.4:
        given = names.given_name(rng, baby.sex, baby.birth.year)
        row.baby_name = names.family_part(baby.name)[:2].rstrip(names.DOT) + given
        if row.baby_name != baby.name:
            return
    if draw < 0.5:
        row.baby_sex = "F" if row.baby_sex == "M" else "M"
    elif draw < 0.7:
        shift = timedelta(days=rng.one((-1, 1)))
        row.birth_time = (datetime.fromisoformat(row.birth_time) + shift).isoformat()
    elif draw < 0.85:
        wrong = names.misspelled(rng, mother.name)
        row.mother_name = wrong if wrong != mother.name else mother.name + names.given_name(rng, 2, 1990)[-1]
    else:
        assert row.mother_id_no is not None
        row.mother_id_no = mistyped(rng, row.mother_id_no)


def _coverage(person: Person, kind: Kind) -> float:
    if kind is Kind.MIGRANT:
        return RECORD_MIGRANTS
    if person.age() >= 65:
        return 1 - NO_RECORD_ELDERLY
    return 0.0 if person.age() == 0 else RECORD_OTHERS


def _certificate_number(family: Family) -> str:
    """A letter and nine digits: the letter has the kind of family and the tens of the file number."""
    number = family.number("birth_certificate")
    letters = "ABCDEFGHJK" if family.kind is Kind.HUKOU else "LMNPQRSTUV"
    return f"{letters[number // 10]}{family.index * 10 + number % 10:09d}"


def _contact_phone(rng: Dice, contact: object) -> str | None:
    if isinstance(contact, Person) and contact.phone and rng.random() < 0.6:
        return spelled_phone(rng, contact.phone)
    return mobile(rng) if rng.random() < 0.15 else None


def _array(rng: Dice, values: tuple[str, ...], share: float) -> str | None:
    if rng.random() < share:
        return "{" + ",".join(rng.sample(values, rng.between(1, 3))) + "}"
    return "{}" if rng.random() < 0.5 else None


def _exam(rng: Dice) -> str:
    day = BASE_DATE - timedelta(days=rng.between(20, 1200))
    return f'{{"date": "{day}", "sbp": {rng.between(95, 180)}, "dbp": {rng.between(55, 105)}}}'
