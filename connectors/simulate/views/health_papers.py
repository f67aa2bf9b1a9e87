"""health 卫健: vaccinations and certificates of death."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, mobile, spelled_id
from connectors.simulate.people import BASE_TIME, Family, Person
from connectors.simulate.rows.health import BirthCertificate, DeathCertificate, VaccinationRecord
from connectors.simulate.tables import (
    BIRTH_CERTIFICATE,
    DEATH_CERTIFICATE,
    VACCINATION,
    Entry,
    Named,
)
from connectors.simulate.views import (
    birth_on_file,
    days_after,
    ethnic_word,
    first,
    iso,
    jsonb,
    name_on_file,
    noon,
    phone_on_file,
)
from connectors.simulate.views.health import marital_word

VACCINATED_BELOW: Final = 7
VACCINATED: Final = 0.6
"""Of the children below that age, whose card is in the system; others are vaccinated elsewhere."""
SECOND_CARD: Final = 0.04
"""Children with a second vaccination file, from before a move."""
MOTHERS_NUMBER: Final = 0.15
CERTIFIED: Final = 0.93

VACCINES: Final = (
    ("0201", "重组乙型肝炎疫苗", 1), ("0101", "卡介苗", 2), ("0301", "脊髓灰质炎疫苗", 60), ("0401", "百白破疫苗", 90),
    ("0501", "麻腮风疫苗", 240), ("0601", "乙脑减毒活疫苗", 250), ("0701", "A群流脑疫苗", 200),
    ("0801", "甲肝减毒活疫苗", 540),
)  # fmt: skip
"""Code, name, and the age in days from which it is given."""

_CHILD_IDS: Final = IdHabits(
    missing=0.30, fifteen=0, lower_x=0.3, full_width=0.004, blanks=0.004, mistyped=0.01
)
_DEATH_IDS: Final = IdHabits(
    missing=0.04, fifteen=0.03, lower_x=0.3, full_width=0.004, blanks=0.004, mistyped=0.012
)
_CAUSES: Final = ("{I21.9,I25.1}", "{I63.9,I10}", "{C34.9}", "{J44.1,J96.0}", "{E11.9,N18.5}", "{W19}")


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the doses of the family's children and the certificates of its dead."""
    entries: list[Entry] = []
    for person in family.persons:
        if person.age() < VACCINATED_BELOW and rng.random() < VACCINATED:
            days = (BASE_TIME.date() - person.birth).days
            given = [vaccine for vaccine in VACCINES if vaccine[2] < days - 3]
            code = child_code(family)
            for vaccine in given[-rng.between(1, 5) :]:
                entries.append(
                    dose(family, person, rng, code, vaccine, 1, _moment(person, rng, vaccine[2], days))
                )
            if given and rng.random() < SECOND_CARD:
                vaccine = given[0]
                moment = _moment(person, rng, vaccine[2], days)
                entries.append(dose(family, person, rng, child_code(family), vaccine, 1, moment))
        if person.died and rng.random() < CERTIFIED:
            entries.append(death(family, person, rng, noon(person.died)))
    return entries


def child_code(family: Family) -> str:
    """Return the number of a new vaccination file."""
    return f"{family.persons[0].home.county.code}{family.serial('child_code'):012d}"


def dose(
    family: Family,
    child: Person,
    rng: Dice,
    code: str,
    vaccine: tuple[str, str, int],
    number: int,
    moment: datetime,
) -> Entry:
    """Return a dose; what the station knows of the child is written with each."""
    mother, father = child.mother, child.father
    guardian = mother if mother and rng.random() < 0.75 else father
    own = spelled_id(rng, child.id_number, child.birth, _CHILD_IDS)
    if isinstance(mother, Person) and rng.errs(MOTHERS_NUMBER):
        own = mother.id_number
    certificate = first(family, BIRTH_CERTIFICATE, child)
    cert_no = None
    if certificate is not None and rng.random() < 0.6:
        assert isinstance(certificate.row, BirthCertificate)
        cert_no = certificate.row.cert_no
    name = name_on_file(rng, child, 0.015)
    if child.age(moment.date()) == 0 and mother and rng.random() < 0.2:
        name = f"{mother.name}之{'子' if child.sex == 1 else '女'}"
    row = VaccinationRecord(
        child_code=code,
        vaccine_code=vaccine[0],
        dose_no=number,
        child_name=name,
        child_sex=("M" if child.sex == 1 else "F") if rng.random() < 0.98 else None,
        child_birth_date=iso(birth_on_file(rng, child, 0.008, 0.003)),
        child_id_no=own,
        birth_cert_no=cert_no,
        guardian_name=guardian.name if guardian else None,
        guardian_id_no=guardian.id_number if guardian and rng.random() < 0.6 else None,
        guardian_phone=phone_on_file(rng, guardian, 0.05) if isinstance(guardian, Person) else mobile(rng),
        address=child.home.spelled(any_grain(rng)) if rng.random() < 0.95 else None,
        vaccine_name=vaccine[1],
        batch_no=f"{rng.between(2018, 2027)}{rng.below(10**5):05d}",
        dose_ml="0.50" if rng.random() < 0.9 else "1.00",
        site_code=f"{child.home.county.code}{rng.between(1, 60):06d}",
        adverse_reaction=jsonb({"kind": "发热", "hours": rng.between(2, 40)})
        if rng.random() < 0.01
        else None,
        vaccinated_at=moment.isoformat(),
    )
    return Entry(VACCINATION, row, (Named("self", child),))


def death(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the medical certificate of the person's death."""
    relatives = [p for p in family.persons if p is not person and not p.died and p.age() >= 18]
    relative = rng.one(relatives) if relatives else None
    number = spelled_id(rng, person.id_number, person.birth, _DEATH_IDS)
    happened = moment - timedelta(hours=rng.between(1, 20))
    row = DeathCertificate(
        cert_no=f"{person.home.county.code}{moment.year}{family.serial('death_certificate') % 10**10:010d}",
        name=name_on_file(rng, person, 0.02),
        sex="M" if person.sex == 1 else "F",
        birth_date=iso(birth_on_file(rng, person)),
        id_type="id_card" if number else "none",
        id_no=number,
        ethnicity=ethnic_word(person),
        hukou_address=family.address.spelled(any_grain(rng)),
        marital_status=marital_word(rng, person),
        death_time=happened.isoformat(),
        death_place=rng.one(("hospital", "hospital", "home", "nursing_home", "other")),
        cause_icd10=rng.one(_CAUSES),
        age_text=f"{person.age(moment.date())}岁",
        family_name=relative.name if relative else names.full_name(rng, 1, 1975, "01"),
        family_phone=phone_on_file(rng, relative, 0.1) if relative else mobile(rng),
        narrative=None if rng.random() < 0.9 else "患者因病情加重，经抢救无效死亡。",
        facility_name=person.home.county.city + "第一人民医院",
        issued_at=moment.isoformat(),
    )
    return Entry(DEATH_CERTIFICATE, row, (Named("self", person),))


def _moment(person: Person, rng: Dice, least: int, days: int) -> datetime:
    latest = min(days - 1, least + 200)
    return days_after(person, max(1, rng.between(least, latest + 1)))
