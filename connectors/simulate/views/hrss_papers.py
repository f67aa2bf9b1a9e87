"""hrss 人社: employment as employers typed it, and unemployment."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, credit_code, spelled_id
from connectors.simulate.people import BASE_DATE, BEIJING, Family, Person, past_time
from connectors.simulate.rows.hrss import Ac01, JyDjb, SyDjb
from connectors.simulate.tables import AC01, JY_DJB, SY_DJB, Entry, Named
from connectors.simulate.views import WORDS, first, jsonb, marital_digit, name_on_file, phone_on_file

EMPLOYED: Final = 0.72
"""Of those with a workplace, whose employer has filed them."""
EARLIER_JOB: Final = 0.45
UNEMPLOYED: Final = 0.065
"""Of the insured of working age, who were registered as unemployed at some time."""

_IDS: Final = IdHabits(
    missing=0.012, fifteen=0.006, lower_x=0.6, full_width=0.03, blanks=0.03, mistyped=0.015
)
_SY_IDS: Final = IdHabits(
    missing=0.01, fifteen=0.01, lower_x=0.2, full_width=0.004, blanks=0.004, mistyped=0.01
)
_TITLES: Final = ("操作工", "会计", "司机", "销售", "工程师", "文员", "保安", "厨师", "教师", "主管")


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the jobs of the family's members and their spells of unemployment."""
    entries: list[Entry] = []
    for person in family.persons:
        if person.workplace and not person.died and rng.random() < EMPLOYED:
            if rng.random() < EARLIER_JOB:
                entries.append(job(family, person, rng, past_time(rng, 2014, 900), is_over=True))
            entries.append(job(family, person, rng, past_time(rng, 2018)))
        insured = first(family, AC01, person)
        if insured is not None and 18 <= person.age() < 60 and rng.random() < UNEMPLOYED:
            entries.append(unemployment(family, person, rng, insured, past_time(rng, 2016)))
    return entries


def job(family: Family, person: Person, rng: Dice, begin: datetime, *, is_over: bool = False) -> Entry:
    """Return the filing of a job, as an employer's clerk typed it."""
    ended = int((begin + timedelta(days=rng.between(60, 800))).timestamp()) if is_over else None
    number: str | None = person.id_number
    if not person.is_foreign:
        number = spelled_id(rng, person.id_number, person.birth, _IDS)
    word = "事实婚姻" if person.de_facto and rng.random() < 0.7 else WORDS[person.status]
    home = person.home.county
    row = JyDjb(
        id=20_000_000_000 + family.serial("jy_djb"),
        empname=name_on_file(rng, person, 0.02, 0.6),
        idcard=number,
        gender=("男" if person.sex == 1 else "女") if rng.random() < 0.95 else "",
        birth=_typed(rng, person.birth),
        nation=names.ETHNICITY.get(person.ethnicity, "") + rng.one(("族", "族", "")),
        marriagestatus=word if rng.random() < 0.85 else None,
        mobile=phone_on_file(rng, person, 0.06),
        homeaddr=person.home.spelled(any_grain(rng)) if rng.random() < 0.8 else None,
        companyname=person.workplace or f"{home.city}个体经营户",
        companyuscc=credit_code(f"91{home.code}MA{rng.below(10**7):07d}"),
        jobtitle=rng.one(_TITLES),
        starttime=int(begin.timestamp()),
        endtime=ended,
        salary=f"{rng.between(2200, 30000)}.00" if rng.random() < 0.7 else None,
        extinfo=jsonb({"source": rng.one(("web", "import")), "batch": rng.between(1, 900)}),
        updtime=int(begin.timestamp()) * 1000 + rng.below(1000),
    )
    return Entry(JY_DJB, row, (Named("self", person),))


def unemployment(family: Family, person: Person, rng: Dice, insured: Entry, moment: datetime) -> Entry:
    """Return a spell of unemployment: only year and month of birth."""
    account = insured.row
    assert isinstance(account, Ac01)
    row = SyDjb(
        aac001=account.aac001,
        sydjxh=family.number(f"sy_djb/{account.aac001}") + 1,
        xm=name_on_file(rng, person, 0.012),
        sfzhm=spelled_id(rng, person.id_number, person.birth, _SY_IDS)
        if not person.is_foreign
        else person.id_number,
        xb=str(person.sex) if rng.random() < 0.97 else None,
        csny=f"{person.birth.year}{person.birth.month:02d}" if rng.random() < 0.98 else None,
        hyzk=marital_digit(rng, person, "5"),
        lxdh=phone_on_file(rng, person, 0.08),
        jtzz=person.home.spelled(any_grain(rng)),
        syrq=f"{moment.year}年{moment.month:02d}月{moment.day:02d}日",
        syyy=rng.one(("合同到期", "单位裁员", "本人辞职", "单位破产")),
        lqje=f"{rng.between(900, 2400)}.00",
        yhzh=f"62{rng.below(10**16):016d}",
        zt="在领" if (BASE_DATE - moment.date()).days < 400 else rng.one(("停发", "再就业")),
        jbsj=moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
    )
    return Entry(SY_DJB, row, (Named("self", person),))


def _typed(rng: Dice, birth: date) -> str | None:
    draw = rng.random()
    if rng.errs(0.02):
        return None
    if draw < 0.5:
        return birth.isoformat()
    if draw < 0.68:
        return f"{birth.year}.{birth.month:02d}"
    if draw < 0.86:
        return f"{birth.year}/{birth.month}/{birth.day}"
    return f"{birth.year}年{birth.month}月"
