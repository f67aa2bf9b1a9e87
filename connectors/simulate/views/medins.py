"""medins 医保: insured people and settlements, in MariaDB. Newborns are insured under their mothers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate.areas import HOME, address_in, any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, fifteen, spelled_id
from connectors.simulate.people import BASE_DATE, BASE_TIME, Family, Kind, Person, past_time
from connectors.simulate.rows.health import BirthCertificate
from connectors.simulate.rows.medins import PsnInfoB, SetlD
from connectors.simulate.tables import BIRTH_CERTIFICATE, PSN_INFO_B, SETL_D, Entry, Named
from connectors.simulate.views import (
    birth_on_file,
    days_after,
    first,
    iso,
    marital_digit,
    name_on_file,
    papers,
    phone_on_file,
    wall,
)

INSURED: Final = 0.955
INSURED_MIGRANTS: Final = 0.88
SECOND_NUMBER: Final = 0.19
"""People with a second number after a move between cities."""
NEWBORN_DAYS: Final = 400
"""Children up to this age may still be insured under their mother."""
UNDER_MOTHER: Final = 0.4
SETTLED: Final = 0.17

_IDS: Final = IdHabits(
    missing=0.008, fifteen=0.012, lower_x=0.15, full_width=0.003, blanks=0.002, mistyped=0.006
)
_DISEASES: Final = (
    "急性上呼吸道感染",
    "高血压病",
    "2型糖尿病",
    "慢性胃炎",
    "腰椎间盘突出",
    "龋齿",
    "肺炎",
    "正常分娩",
)


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the family's insurance rows and settlements."""
    entries: list[Entry] = []
    share = INSURED if family.kind is Kind.HUKOU else INSURED_MIGRANTS
    for person in family.persons:
        if rng.random() >= share:
            continue
        entry = insured(family, person, rng, _enrolled(person, rng))
        entries.append(entry)
        while rng.random() < SETTLED:
            entries.append(settlement(family, person, rng, entry, past_time(rng, BASE_DATE.year - 1, 3)))
            if rng.random() < 0.04:
                entries.append(reversal(entries[-1], rng))
        if person.age() > 0 and rng.random() < SECOND_NUMBER:
            entries.append(former(family, person, rng, entry))
    return entries


def insured(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return the person's insurance under their own number, or under their mother's where they are just born."""
    kind = papers(person, ("01", "03", "04", "99"))
    number: str | None = person.id_number
    if not person.is_foreign:
        number = spelled_id(rng, person.id_number, person.birth, _IDS)
    name = name_on_file(rng, person, 0.01, 0.4, 0.1)
    mother = person.mother
    newborn = (moment.date() - person.birth).days < NEWBORN_DAYS
    if newborn and isinstance(mother, Person) and rng.random() < UNDER_MOTHER:
        kind, number = _under_mother(family, person, mother, rng)
        name = f"{mother.name}之{'子' if person.sex == 1 else '女'}"
    working = person.workplace is not None
    row = PsnInfoB(
        psn_no=f"{person.home.county.code[:4]}00{family.serial('psn_info_b'):014d}",
        psn_cert_type=kind,
        certno=number,
        psn_name=name,
        alis=person.former_name if rng.random() < 0.3 else None,
        gend=str(person.sex) if rng.random() < 0.985 else "9",
        brdy=iso(birth_on_file(rng, person, 0.004, 0.004)),
        naty=person.ethnicity if rng.random() < 0.95 else None,
        mrg_stas=marital_digit(rng, person, "9") if person.age() >= 15 else None,
        tel=phone_on_file(rng, person, 0.12),
        resd_addr=family.address.spelled(any_grain(rng)) if rng.random() < 0.85 else None,
        live_addr=person.home.spelled(any_grain(rng)) if rng.random() < 0.85 else None,
        insutype="310" if working else "390",
        psn_insu_stas="4" if person.died else "1" if rng.random() < 0.94 else "2",
        psn_idet_type="普通" if rng.random() < 0.93 else rng.one(("低保", "残疾", "优抚", "普通,低保")),
        emp_name=person.workplace,
        insu_admdvs=person.home.county.code,
        bal=f"{rng.below(9000)}.{rng.below(100):02d}" if working else None,
        vali_flag=1,
        crte_time=wall(moment),
        updt_time=wall(moment),
    )
    return Entry(PSN_INFO_B, row, (Named("self", person),))


def former(family: Family, person: Person, rng: Dice, present: Entry) -> Entry:
    """Return the row of the city the person moved from; some are deleted, as far as this system deletes."""
    assert isinstance(present.row, PsnInfoB)
    moment = datetime.fromisoformat(present.row.crte_time).replace(tzinfo=BASE_TIME.tzinfo)
    moment = max(moment - timedelta(days=rng.between(30, 2500)), days_after(person, 20))
    entry = insured(family, person, rng, moment)
    row = entry.row
    assert isinstance(row, PsnInfoB)
    row.psn_insu_stas, row.emp_name, row.bal = "4", None, None
    row.vali_flag = int(rng.random() < 0.6)
    row.live_addr = address_in(rng, rng.one(HOME)).spelled(any_grain(rng))
    if person.birth.year < 1985 and row.psn_cert_type == "01" and rng.random() < 0.1:
        row.certno = fifteen(person.id_number)
    if person.former_name and rng.random() < 0.6:
        row.psn_name = person.former_name
    return entry


def settlement(family: Family, person: Person, rng: Dice, insurance: Entry, moment: datetime) -> Entry:
    """Return a settled claim; it repeats what the insurance knew."""
    account = insurance.row
    assert isinstance(account, PsnInfoB)
    total = rng.between(30, 20000)
    fund = int(total * rng.random() * 0.8)
    begin = moment.date() - timedelta(days=rng.below(9))
    row = SetlD(
        setl_id=f"39{family.serial('setl_d'):016d}",
        clr_seq=0,
        psn_no=account.psn_no,
        psn_name=account.psn_name,
        certno=account.certno,
        gend=account.gend,
        brdy=account.brdy,
        age=f"{(moment.date() - person.birth).days / 365.25:.1f}" if moment.date() > person.birth else "0.0",
        insutype=account.insutype,
        med_type=rng.one(("11", "11", "21", "41")),
        fixmedins_name=f"{person.home.county.city}{rng.one(('第一人民医院', '中医院', '大药房'))}",
        begndate=begin.isoformat(),
        enddate=moment.date().isoformat(),
        dise_name=rng.one(_DISEASES),
        medfee_sumamt=f"{total}.00",
        fund_pay_sumamt=f"{fund}.00",
        acct_pay="0.00",
        psn_cash_pay=f"{total - fund}.00",
        memo=None if rng.random() < 0.95 else "异地就医备案",
        refd_setl_flag=0,
        setl_time=f"{wall(moment)}.{rng.below(10**6):06d}",
    )
    return Entry(SETL_D, row, (Named("self", person),))


def reversal(original: Entry, rng: Dice) -> Entry:
    """Return the row that takes a settlement back: same number, next sequence, negative amounts."""
    first_row = original.row
    assert isinstance(first_row, SetlD)
    row = SetlD(**{name: getattr(first_row, name) for name in first_row.__struct_fields__})
    row.clr_seq, row.refd_setl_flag = 1, 1
    row.medfee_sumamt, row.fund_pay_sumamt = f"-{row.medfee_sumamt}", f"-{row.fund_pay_sumamt}"
    later = datetime.fromisoformat(row.setl_time) + timedelta(hours=rng.between(1, 48))
    row.setl_time = later.strftime("%Y-%m-%d %H:%M:%S.%f")
    return Entry(SETL_D, row, original.named)


def _under_mother(family: Family, baby: Person, mother: Person, rng: Dice) -> tuple[str, str]:
    """Return kind and number of the document under which a newborn is insured."""
    certificate = first(family, BIRTH_CERTIFICATE, baby)
    if certificate is not None and rng.random() < 0.5:
        assert isinstance(certificate.row, BirthCertificate)
        return "06", certificate.row.cert_no
    siblings = [p for p in family.persons if p.mother is mother and p.birth == baby.birth]
    return "99", f"{mother.id_number}{siblings.index(baby) + 1 if baby in siblings else 1}"


def _enrolled(person: Person, rng: Dice) -> datetime:
    if person.age() == 0:
        return min(days_after(person, rng.between(3, 60)), BASE_TIME - timedelta(days=1))
    return max(past_time(rng, 2015), days_after(person, rng.between(5, 300)))
