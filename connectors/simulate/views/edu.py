"""edu 教育: pupils and teachers, in MariaDB. The teachers' table is utf8mb3 and loses rare characters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice, Weighted
from connectors.simulate.families import is_teacher
from connectors.simulate.identifiers import IdHabits, spelled_id
from connectors.simulate.people import BASE_DATE, ROWS_PER_FAMILY, Family, Kin, Kind, Person, past_time
from connectors.simulate.rows.edu import JsJsxx, XsXjxx
from connectors.simulate.tables import JS_JSXX, XS_XJXX, Entry, Named
from connectors.simulate.views import WORDS, birth_on_file, iso, name_on_file, phone_on_file, wall
from connectors.simulate.views.police import has_photo

FIRST_AGE, LAST_AGE = 6, 17
ENROLLED: Final = 0.97
TRANSFERRED: Final = 0.14
"""Pupils with a second row, from a school they left."""
TEMPORARY: Final = 0.05
"""Pupils whose number is still a temporary one."""
PARENTS_NUMBER: Final = 0.02

_IDS: Final = IdHabits(missing=0.02, fifteen=0, lower_x=0.3, full_width=0.004, blanks=0.003, mistyped=0.01)
_MIGRANT_IDS: Final = 3_000_000_000
_TALENTS: Final = ("体育", "美术", "音乐", "舞蹈", "科技")
_RANKS: Final = Weighted(("三级教师", "二级教师", "一级教师", "高级教师"), (10, 30, 40, 20))


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the family's pupils and teachers."""
    entries: list[Entry] = []
    for person in family.persons:
        if person.died:
            continue
        if FIRST_AGE <= person.age() <= LAST_AGE and rng.random() < ENROLLED:
            moment = past_time(rng, 2023, 20)
            present = pupil(family, person, rng, moment, is_temporary=rng.random() < TEMPORARY)
            entries.append(present)
            if rng.random() < TRANSFERRED:
                left = pupil(
                    family, person, rng, moment - timedelta(days=rng.between(100, 600)), is_temporary=True
                )
                assert isinstance(left.row, XsXjxx)
                left.row.xjzt = rng.one(("转出", "毕业"))
                entries.append(left)
        elif is_teacher(person) and person.age() >= 22:
            entries.append(teacher(family, person, rng, past_time(rng, 2022)))
    return entries


def pupil(family: Family, child: Person, rng: Dice, moment: datetime, *, is_temporary: bool) -> Entry:
    """Return a pupil's row."""
    age = child.age()
    grade = max(1, min(12, age - 5))
    number = spelled_id(rng, child.id_number, child.birth, _IDS)
    guardians = [kin for kin in (child.father, child.mother) if kin]
    if rng.errs(PARENTS_NUMBER) and isinstance(child.mother, Person):
        number = child.mother.id_number
    county = child.home.county
    one = guardians[0] if guardians else None
    two = guardians[1] if len(guardians) > 1 and rng.random() < 0.7 else None
    day = birth_on_file(rng, child, 0.004, 0.003)
    row = XsXjxx(
        xjh=temporary_number(family) if is_temporary else f"G{child.id_number}",
        xm=name_on_file(rng, child, 0.012),
        xmpy=" ".join(map(_syllable, child.name)).upper() if rng.random() < 0.7 else None,
        cym=child.former_name,
        xb="男" if child.sex == 1 else "女",
        csrq=iso(day),
        sfzjlx="1" if number else rng.one("1A"),
        sfzjh=number,
        mz=names.ETHNICITY[child.ethnicity] + rng.one(("族", "")),
        hkszd=family.address.county.code,
        jtzz=child.home.spelled(any_grain(rng)),
        lxdh=_guardians_phone(rng, one),
        jhr1_xm=one.name if one else None,
        jhr1_gx=("父亲" if one is child.father else "母亲") if one else None,
        jhr1_sfzh=one.id_number if one and rng.random() < 0.7 else None,
        jhr1_dh=_guardians_phone(rng, one),
        jhr2_xm=two.name if two else None,
        jhr2_gx="母亲" if two else None,
        jhr2_sfzh=two.id_number if two and rng.random() < 0.6 else None,
        xxdm=f"21{county.code}{rng.between(1, 90):02d}",
        xxmc=f"{county.name}{rng.one(('第一', '第二', '实验', '育才', '中心'))}{'小学' if grade <= 6 else '中学'}",
        nj=grade,
        bj=f"{rng.between(1, 13)}班",
        rxny=f"{BASE_DATE.year - 1 - (grade - 1) % 6}09",
        sf_zx=int(rng.random() < 0.2),
        xjzt="在读",
        tc=rng.one(_TALENTS) if rng.random() < 0.2 else None,
        zp=None if not has_photo(family) else "/9j/" + "A" * rng.between(2600, 4000),
        gxsj=wall(moment),
    )
    return Entry(XS_XJXX, row, (Named("self", child),))


def temporary_number(family: Family) -> str:
    """Return a pupil's number from before the ID number is known: L and 18 digits."""
    return f"L39{family.serial('xs_xjxx'):016d}"


def teacher(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return a teacher's row."""
    number = (
        spelled_id(rng, person.id_number, person.birth, _IDS) if not person.is_foreign else person.id_number
    )
    if number and len(number) > 18:
        number = person.id_number
    row = JsJsxx(
        id=_MIGRANT_IDS * (family.kind is Kind.MIGRANT)
        + family.index * ROWS_PER_FAMILY
        + family.number("js_jsxx")
        + 1,
        xm=names.without_rare(person.name),
        xb=str(person.sex),
        csrq=iso(birth_on_file(rng, person)),
        sfzh=number,
        mz=person.ethnicity if rng.random() < 0.9 else None,
        hyzk=WORDS[person.status],
        zgzh=f"{rng.between(1995, 2024)}39{rng.below(10**11):011d}",
        zc=_RANKS.draw(rng),
        cjgzn=max(1970, min(person.birth.year + 22, BASE_DATE.year)),
        gz=f"{rng.between(4000, 12000)}.00",
        xxdm=f"21{person.home.county.code}{rng.between(1, 90):02d}",
        lxdh=phone_on_file(rng, person, 0.05),
        zz=person.home.spelled(any_grain(rng))[:120],
        zt=1 if person.age() < 60 else 2,
        gxsj=moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )
    return Entry(JS_JSXX, row, (Named("self", person),))


def _guardians_phone(rng: Dice, guardian: Kin | None) -> str | None:
    return phone_on_file(rng, guardian, 0.1) if isinstance(guardian, Person) else None


@cache
def _syllable(character: str) -> str:
    # Imported late: its dictionaries take half a second, which every command of the stack would wait for.
    from pypinyin import lazy_pinyin

    return "".join(lazy_pinyin(character))
