"""Families: who lives together, by a random generator alone; no database, no department.

A family is a pure function of the seed, its kind, its index and its salt, so that any one of them can be made again
at any time, and a million people need not be held in memory.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import HOME, Address, address_in, home_county, outside_county
from connectors.simulate.dice import Dice, Weighted, words
from connectors.simulate.identifiers import id_number, mobile
from connectors.simulate.people import (
    BASE_DATE,
    Family,
    Kin,
    Kind,
    Outsider,
    Paper,
    Person,
    Status,
    book_number,
)

_SHAPES: Final = Weighted(
    ("alone", "couple", "child", "children", "generations", "parent"), (25, 21, 22, 13, 11, 8)
)
_PARTIES: Final = Weighted(("alone", "couple", "child"), (55, 25, 20))
_COUPLES: Final = Weighted((Status.MARRIED, Status.FIRST, Status.REMARRIED), (60, 33, 7))

DE_FACTO_SHARE: Final = 0.03
"""Couples who never registered."""
AWAY_SHARE: Final = 0.012
"""Hukou people who live in another province; with the permits it sets the two counts of residents 10-20 % apart."""
DEAD_SHARE: Final = 0.18
"""Of those of 70 and over, who died in the last years and whose file says so."""
DEAD_EARLY_SHARE: Final = 0.007
FOREIGN_SHARE: Final = 0.02
"""Migrant parties of one foreigner, or one person from Hong Kong, Macao or Taiwan."""
FORMER_SPOUSE_SHARE: Final = 0.55
"""Divorced people whose marriage and divorce were registered in the province."""
TEACHER_SHARE: Final = 0.03
"""Of those in work."""
RENAMED_SHARE: Final = 0.02
UNREGISTERED_SHARE: Final = 0.05
"""Babies in their first year without hukou yet."""

FIRST_SERIAL, LAST_SERIAL, LATE_SERIAL = 1, 899, 999
"""Serials of ID numbers: those of the population end at 899; people who come later take the rest, so that they never
collide with somebody whose family is not at hand."""

_WORKPLACES: Final = words("机械 纺织 电子 商贸 建筑 物流 食品 餐饮 教育 医药 农业 运输 服务 装饰 印刷 化工")
_FIRMS: Final = words("宏达 永兴 华泰 金源 新城 长风 远航 恒信 万和 嘉禾 天成 瑞丰")
_SCHOOLS: Final = words("第一中学 第二中学 实验小学 育才小学 外国语学校 职业高级中学")
_EDUCATION: Final = Weighted(("10", "20", "30", "40", "60", "70", "80", "90"), (2, 18, 16, 8, 16, 26, 12, 2))


def random_for(seed: int, stream: str, kind: Kind, index: int, salt: int = 0, noise: float = 1.0) -> Dice:
    """Return the generator of one family for one purpose; purposes do not disturb each other."""
    dice = Dice(f"{seed}/{stream}/{kind}/{index}/{salt}")
    dice.noise = noise
    return dice


def is_teacher(person: Person) -> bool:
    """Whether the person works at a school."""
    return person.workplace is not None and person.workplace.endswith(_SCHOOLS)


def make(seed: int, kind: Kind, index: int, *, salt: int = 0, late: bool = False) -> Family:
    """Return a family without rows. ``late`` is one that comes after the province was filled."""
    rng = random_for(seed, "family", kind, index, salt)
    if kind is Kind.HUKOU:
        return _Maker(rng, kind, index, late).hukou()
    return _Maker(rng, kind, index, late).migrants()


class _Maker:
    def __init__(self, rng: Dice, kind: Kind, index: int, late: bool) -> None:
        self.rng = rng
        county = home_county(rng)
        self.address = address_in(rng, county)
        self.late = late
        self.origin = outside_county(rng) if kind is Kind.MIGRANT else county
        self.ethnicity = names.ethnicity(rng, self.origin.code)
        self.hukou_address = address_in(rng, self.origin) if kind is Kind.MIGRANT else self.address
        self.family = Family(kind, index, self.hukou_address, book_number(county.code, index, 0))
        self.residence = self._residence()

    def hukou(self) -> Family:
        rng = self.rng
        shape = _SHAPES.draw(rng)
        if shape == "alone":
            self._alone()
        elif shape == "parent":
            parent = self._adult(rng.one((1, 2, 2)), rng.between(27, 58), "01")
            parent.status = rng.choices((Status.DIVORCED, Status.WIDOWED, Status.SINGLE), (70, 20, 10))[0]
            father, mother = (parent, None) if parent.sex == 1 else (None, parent)
            self._children(1, father, mother, parent.age())
        else:
            old = shape == "couple" and rng.random() < 0.55
            age = (
                rng.between(58, 92)
                if old
                else rng.between(22, 58)
                if shape == "couple"
                else rng.between(26, 56)
            )
            husband, wife = self._couple(age)
            if shape == "child":
                self._children(1, husband, wife, age)
            elif shape == "children":
                self._children(2 if rng.random() < 0.85 else 3, husband, wife, age)
            elif shape == "generations":
                self._children(rng.one((1, 1, 2)), husband, wife, age)
                self._grandparents(husband, age)
        self._bear(self.family)
        return self.family

    def migrants(self) -> Family:
        rng = self.rng
        shape = _PARTIES.draw(rng)
        if rng.random() < FOREIGN_SHARE:
            self._foreigner()
        elif shape == "alone":
            person = self._adult(rng.one((1, 1, 2)), rng.between(17, 60), "01")
            person.status = (
                Status.SINGLE if person.age() < 26 else rng.one((Status.SINGLE, Status.FIRST, Status.FIRST))
            )
            if person.status is Status.FIRST:
                person.spouse = self._outsider(3 - person.sex, person.birth.year)
        else:
            age = rng.between(21, 56)
            husband, wife = self._couple(age)
            if shape == "child":
                self._children(1, husband, wife, min(age, 48))
        for person in self.family.persons:
            person.home = self.residence
        return self.family

    def _bear(self, family: Family) -> None:
        """Things that happened to single members."""
        rng = self.rng
        for person in family.persons:
            age = person.age()
            if rng.random() < (DEAD_SHARE if age >= 70 else DEAD_EARLY_SHARE if age >= 18 else 0):
                person.died = BASE_DATE - timedelta(days=rng.between(20, 2200 if age >= 70 else 900))
                if isinstance(person.spouse, Person):
                    person.spouse.status = Status.WIDOWED
            if 17 <= age < 60 and rng.random() < AWAY_SHARE * 1.7:
                person.away = True
                person.home = address_in(rng, outside_county(rng))
            if age >= 6 and rng.random() < RENAMED_SHARE and names.DOT not in person.name:
                person.former_name = person.name[:1] + names.given_name(rng, person.sex, person.birth.year)
            if age == 0 and rng.random() < UNREGISTERED_SHARE:
                person.registered = False
            if person.status is Status.DIVORCED and rng.random() < FORMER_SPOUSE_SHARE:
                family.others.append(self._former_spouse(person))

    def _former_spouse(self, person: Person) -> Person:
        """Somebody whom the person was married to, and who has their hukou elsewhere."""
        rng = self.rng
        other = self._person(
            3 - person.sex,
            self._birth(max(20, person.age() + rng.between(-4, 5))),
            "97",
            self.ethnicity,
            None,
        )
        self.family.persons.remove(other)
        other.ident = f"{self.family.kind}{self.family.index:08d}-x{len(self.family.others)}"
        other.home = address_in(rng, outside_county(rng))
        other.status, other.away, other.registered = Status.DIVORCED, True, False
        # What once was: only the registrations of marriage and divorce look at it.
        other.spouse = person
        return other

    def _foreigner(self) -> None:
        """Somebody who works here and has no Chinese ID card."""
        rng = self.rng
        person = self._adult(rng.one((1, 1, 2)), rng.between(23, 58), "01")
        person.paper = rng.one((Paper.PASSPORT, Paper.PASSPORT, Paper.HK_MACAO, Paper.TAIWAN))
        if person.paper is Paper.PASSPORT:
            person.name = names.foreign_name(rng, person.sex)
            person.id_number = f"{rng.one('KLMNPRTX')}{rng.below(10**8):08d}"
            person.ethnicity = names.FOREIGN
        elif person.paper is Paper.HK_MACAO:
            person.id_number = f"{rng.one('HM')}{rng.below(10**8):08d}"
        else:
            person.id_number = f"{rng.below(10**8):08d}"

    def _alone(self) -> None:
        rng = self.rng
        draw = rng.random()
        if draw < 0.35:
            person = self._adult(rng.one((1, 1, 2)), rng.between(18, 36), "01")
        elif draw < 0.60:
            person = self._adult(rng.one((1, 1, 2)), rng.between(36, 65), "01")
            person.status = rng.choices((Status.SINGLE, Status.DIVORCED, Status.MARRIED), (25, 35, 40))[0]
            if person.status is Status.MARRIED:
                person.spouse = self._outsider(3 - person.sex, person.birth.year)
        else:
            person = self._adult(rng.one((1, 2, 2)), rng.between(65, 97), "01")
            person.status = rng.choices((Status.WIDOWED, Status.SINGLE, Status.DIVORCED), (80, 10, 10))[0]

    def _couple(self, wife_age: int) -> tuple[Person, Person]:
        rng = self.rng
        husband = self._adult(1, wife_age + rng.between(-1, 6), "01")
        wife = self._adult(2, wife_age, "12")
        husband.spouse, wife.spouse = wife, husband
        if rng.random() < DE_FACTO_SHARE:
            husband.de_facto = wife.de_facto = True
        else:
            status = _COUPLES.draw(rng)
            husband.status = wife.status = status
        return husband, wife

    def _children(self, count: int, father: Person | None, mother: Person | None, parent_age: int) -> None:
        rng = self.rng
        oldest = max(0, parent_age - rng.between(21, 29))
        age = oldest if rng.random() < 0.75 else rng.between(oldest // 3, oldest + 1)
        made: list[Person] = []
        for _ in range(count):
            twin = bool(made) and rng.random() < 0.03
            birth = made[-1].birth if twin else self._birth(age)
            child = self._child(birth, father, mother, {other.name for other in made})
            if child.sex == 1:
                child.relation = "20" if count == 1 else f"2{min(len(made) + 1, 6)}"
            else:
                child.relation = "30" if count == 1 else f"3{min(len(made) + 1, 6)}"
            if twin:
                child.is_twin = made[-1].is_twin = True
            made.append(child)
            age -= 0 if twin else rng.between(1, 6)
            if age < 0:
                return

    def _child(
        self, birth: date, father: Person | None, mother: Person | None, taken: Collection[str]
    ) -> Person:
        """Return a child; nobody calls two children the same, so its name is none of those ``taken``."""
        rng = self.rng
        bearer = father or mother
        assert bearer is not None
        sex = 1 if rng.random() < 0.52 else 2
        inherited = names.family_part(mother.name if mother and rng.random() < 0.08 else bearer.name)
        child = self._person(sex, birth, "97", bearer.ethnicity, inherited)
        while child.name in taken:
            child.name = names.full_name(rng, sex, birth.year, bearer.ethnicity, inherited)
        child.father = father or self._outsider(1, birth.year - 28)
        child.mother = mother or self._outsider(2, birth.year - 26)
        return child

    def _grandparents(self, husband: Person, wife_age: int) -> None:
        rng = self.rng
        age = min(wife_age + rng.between(23, 33), 97)
        mother = self._adult(2, age, "52")
        mother.status = Status.WIDOWED
        if rng.random() < 0.55:
            surname = names.family_part(husband.name)
            father = self._person(
                1, self._birth(min(age + rng.between(0, 5), 99)), "51", husband.ethnicity, surname
            )
            father.status = mother.status = Status.MARRIED
            father.spouse, mother.spouse = mother, father
            husband.father = father
        husband.mother = mother

    def _adult(self, sex: int, age: int, relation: str) -> Person:
        rng = self.rng
        person = self._person(sex, self._birth(age), relation, self.ethnicity, None)
        surname = names.family_part(person.name)
        person.father = self._outsider(1, person.birth.year - 27, surname)
        person.mother = self._outsider(2, person.birth.year - 25)
        if 18 <= age < 60 and rng.random() < 0.7:
            person.workplace = (
                f"{self.address.county.city}{rng.one(_SCHOOLS)}"
                if rng.random() < TEACHER_SHARE
                else f"{self.address.county.city[:2]}{rng.one(_FIRMS)}{rng.one(_WORKPLACES)}有限公司"
            )
        return person

    def _person(self, sex: int, birth: date, relation: str, ethnic: str, family_name: str | None) -> Person:
        rng = self.rng
        age = BASE_DATE.year - birth.year
        area = self.origin.code if rng.random() < 0.8 else rng.one(HOME).code
        if self.family.kind is Kind.MIGRANT:
            area = self.origin.code
        while True:
            number = id_number(area, birth, self._serial(sex))
            if all(number != other.id_number for other in (*self.family.persons, *self.family.others)):
                break
        person = Person(
            ident=f"{self.family.kind}{self.family.index:08d}-{len(self.family.persons)}",
            name=names.full_name(rng, sex, birth.year, ethnic, family_name),
            sex=sex,
            birth=birth,
            ethnicity=ethnic,
            id_number=number,
            phone=mobile(rng) if age >= 13 and rng.random() < (0.97 if age < 70 else 0.75) else None,
            stale_phone=mobile(rng),
            relation=relation,
            education=_EDUCATION.draw(rng) if age > 18 else "80" if age > 6 else "90",
            home=self.residence,
        )
        self.family.persons.append(person)
        return person

    def _serial(self, sex: int) -> int:
        first, last = (LAST_SERIAL + 1, LATE_SERIAL) if self.late else (FIRST_SERIAL, LAST_SERIAL)
        half = self.rng.between(first // 2, last // 2)
        return half * 2 + 1 if sex == 1 else half * 2 + 2

    def _birth(self, age: int) -> date:
        """A birthday of somebody of that age; at least two weeks ago, so that papers can have been made out."""
        return BASE_DATE - timedelta(days=int(age * 365.25) + 14 + self.rng.below(350))

    def _residence(self) -> Address:
        """Where the family lives: at the hukou address, or elsewhere in the province."""
        rng = self.rng
        if self.family.kind is Kind.MIGRANT:
            return self.address
        if rng.random() < 0.75:
            return self.address
        return address_in(rng, home_county(rng) if rng.random() < 0.5 else self.address.county)

    def _outsider(self, sex: int, year: int, surname: str | None = None) -> Kin:
        rng = self.rng
        ethnic = self.ethnicity
        name = names.full_name(rng, sex, max(year, 1900), ethnic, surname)
        known = year > 1935 and rng.random() < 0.5
        birth = date(max(year, 1900), rng.between(1, 13), rng.between(1, 29))
        number = id_number(self.origin.code, birth, rng.between(1, 899) // 2 * 2 + sex) if known else None
        return Outsider(name, number)
