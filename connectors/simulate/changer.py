"""The open-ended stream of changes: what happens in the province after it was filled.

The stream is a pure function of the population: its n-th transaction is the same whenever it is made. That is how a
simulator goes on after it was stopped or killed: it makes the transactions of the past again, without executing them.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from connectors.simulate import names
from connectors.simulate.areas import HOME, Address, address_in, any_grain
from connectors.simulate.dice import Dice, Weighted
from connectors.simulate.families import LAST_SERIAL, LATE_SERIAL
from connectors.simulate.identifiers import id_number, mobile
from connectors.simulate.people import (
    EDITIONS_PER_BOOK,
    FILES_PER_FAMILY,
    MARRIED,
    Family,
    Kind,
    Person,
    Status,
    book_number,
)
from connectors.simulate.population import Population
from connectors.simulate.tables import (
    AC01,
    BIRTH_CERTIFICATE,
    HEALTH_RECORD,
    HJ_HJXX,
    HJ_RYJBXX,
    LDRK_JZZ,
    Entry,
    HjHjxx,
    LdrkJzz,
    Table,
)
from connectors.simulate.transactions import Draft, Transaction
from connectors.simulate.views import health, hrss, police

Happening: TypeAlias = Callable[[Draft], None]
"""Drafts a transaction; leaves the draft empty, and everything as it was, where there is nobody to whom it applies."""

_RECENT: Final = 200
_RECENT_SHARE: Final = 0.25
"""Some change again soon: the rows of one key then follow each other closely, as a hub must get right."""
_INTERLEAVED_SHARE: Final = 0.03
_FILES_LEFT: Final = 12
"""Families with less room for new rows are left alone; no happening needs more."""
_NEXT_DEPARTMENT: Final = (3, 80)
"""Transactions until another department hears of something."""

_PHONE_FIELDS: Final = ((HJ_RYJBXX, "lxdh"), (LDRK_JZZ, "lxdh"), (HEALTH_RECORD, "phone"), (AC01, "aae005"))
_ADDRESS_FIELDS: Final = ((HEALTH_RECORD, "current_address"), (AC01, "aae006"), (LDRK_JZZ, "xzdz"))


@dataclass(order=True, slots=True)
class _Later:
    due: int
    order: int
    happening: Happening


class Changer:
    """Makes the transactions of a population, one after the other."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.number = 0
        self._dice = Dice(f"{population.seed}/changes")
        self._counts = {kind: population.census.count(kind) for kind in Kind}
        self._families: dict[tuple[Kind, int], Family] = {}
        self._recent: dict[Kind, deque[Family]] = {kind: deque(maxlen=_RECENT) for kind in Kind}
        self._later: list[_Later] = []
        self._ordered = 0
        self._late_numbers: set[str] = set()
        self._last: Family | None = None
        self._held: Family | None = None
        self._happenings: Weighted[Happening] = Weighted(
            (
                self._new_phone, self._touch, self._move_house, self._residence, self._marriage, self._divorce,
                self._death, self._renaming, self._birth, self._moves_in, self._migrant_comes, self._migrant_leaves,
                self._files_somebody, self._removes_duplicate, self._corrects_book, self._big_value_stays,
                self._new_big_value, self._permit, self._de_facto,
            ),
            (20, 12, 8, 9, 4, 2, 3, 3, 6, 2, 4, 3, 5, 5, 3, 5, 2, 4, 2),
        )  # fmt: skip

    def next(self) -> list[Transaction]:
        """Return the next transaction, or the next two where they interleave; in the order of their commits."""
        if (
            not (self._later and self._later[0].due <= self.number)
            and self._dice.random() < _INTERLEAVED_SHARE
        ):
            return self._interleaved()
        return [self._one()]

    def _one(self) -> Transaction:
        draft = Draft(self.number + 1)
        while draft.is_empty:
            if self._later and self._later[0].due <= self.number:
                heapq.heappop(self._later).happening(draft)
            else:
                self._happenings.draw(self._dice)(draft)
        self.number += 1
        return draft.finish()

    def _interleaved(self) -> list[Transaction]:
        happening = self._dice.one((self._move_house, self._health_moves, self._hrss_moves))
        pair: list[Transaction] = []
        while len(pair) < 2:
            draft = Draft(self.number + 1)
            while draft.is_empty:
                happening(draft)
            self.number += 1
            pair.append(draft.finish())
            self._held = self._last
        self._held = None
        pair[1].opened_before_previous = True
        return pair

    # Picking somebody

    def _family(self, kind: Kind, every: int = 1, first: int = 0) -> Family:
        """Return a family, preferably one whose index is ``first`` modulo ``every``; not the last one again."""
        dice, recent = self._dice, self._recent[kind]
        while True:
            if every == 1 and recent and dice.random() < _RECENT_SHARE:
                family = recent[dice.below(len(recent))]
            else:
                index = dice.below(max(1, self._counts[kind] // every)) * every + first
                if index >= self._counts[kind]:
                    index = dice.below(self._counts[kind])
                family = self._at(kind, index)
                recent.append(family)
            if family is not self._held and family is not self._last:
                self._last = family
                return family

    def _at(self, kind: Kind, index: int) -> Family:
        family = self._families.get((kind, index))
        if family is None:
            family = self._families[kind, index] = self.population.family(kind, index)
        return family

    def _some_kind(self) -> Kind:
        return Kind.HUKOU if self._dice.random() < 0.8 else Kind.MIGRANT

    def _entry(self, *tables: Table) -> Entry | None:
        """Return a row of a family, of one of the tables."""
        family = self._family(self._some_kind())
        entries = [entry for entry in family.entries if entry.table in tables]
        return self._dice.one(entries) if entries else None

    def _after(self, happening: Happening) -> None:
        self._ordered += 1
        due = self.number + self._dice.between(*_NEXT_DEPARTMENT)
        heapq.heappush(self._later, _Later(due, self._ordered, happening))

    def _has_room(self, family: Family) -> bool:
        return family.files <= FILES_PER_FAMILY - _FILES_LEFT

    # What happens

    def _touch(self, draft: Draft) -> None:
        entry = self._entry(HJ_RYJBXX, HJ_HJXX, LDRK_JZZ, HEALTH_RECORD, AC01, BIRTH_CERTIFICATE)
        if entry:
            draft.update(entry)

    def _new_phone(self, draft: Draft) -> None:
        table, name = self._dice.one(_PHONE_FIELDS)
        entry = self._entry(table)
        if entry is None:
            return
        person = entry.named[0].person
        if person.phone is None or person.died:
            return
        if self._dice.random() < 0.5:
            # A new number; the other departments will know the old one.
            person.stale_phone, person.phone = person.phone, mobile(self._dice)
            draft.learn(person)
        draft.update(entry, **{name: person.phone})

    def _move_house(self, draft: Draft) -> None:
        """The whole household moves: its row and the files of its members in one transaction."""
        family = self._family(Kind.HUKOU)
        book = self._book(family)
        if book is None:
            return
        old, dice = family.address, self._dice
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
        for entry in self._files_in_book(family):
            draft.update(entry, hjdz=address.spelled(any_grain(dice)))
        draft.learn(*family.persons)

    def _residence(self, draft: Draft) -> None:
        table, name = self._dice.one(_ADDRESS_FIELDS)
        entry = self._entry(table)
        if entry is None:
            return
        person = entry.named[0].person
        if self._dice.random() < 0.6:
            person.home = self._new_home(person)
            draft.learn(person)
        draft.update(entry, **{name: person.home.spelled(any_grain(self._dice))})

    def _health_moves(self, draft: Draft) -> None:
        self._family_moves(draft, HEALTH_RECORD, "current_address")

    def _hrss_moves(self, draft: Draft) -> None:
        self._family_moves(draft, AC01, "aae006")

    def _family_moves(self, draft: Draft, table: Table, name: str) -> None:
        """A department writes the new residence of a family into all of its rows, in one transaction."""
        family = self._family(self._some_kind())
        entries = family.of(table)
        if not entries:
            return
        home = self._new_home(family.persons[0])
        for entry in entries:
            entry.named[0].person.home = home
            draft.update(entry, **{name: home.spelled(any_grain(self._dice))})
        draft.learn(*dict.fromkeys(entry.named[0].person for entry in entries))

    def _marriage(self, draft: Draft) -> None:
        groom, bride = self._single(1), self._single(2)
        if groom is None or bride is None:
            return
        for (file, person), (_, other) in ((groom, bride), (bride, groom)):
            person.status, person.spouse, person.de_facto = Status.FIRST, other, False
            draft.update(file, hyzk=person.status.value, poxm=other.name, pogmsfhm=other.id_number)
            self._tell_status(person)
        draft.learn(groom[1], bride[1])

    def _divorce(self, draft: Draft) -> None:
        family = self._family(Kind.HUKOU)
        for person in family.persons:
            other = person.spouse
            if (
                person.status in MARRIED
                and isinstance(other, Person)
                and other in family.persons
                and not other.died
            ):
                files = [file for one in (person, other) if (file := self._file(family, one))]
                if len(files) < 2:
                    continue
                for file, one in zip(files, (person, other), strict=True):
                    one.status, one.spouse = Status.DIVORCED, None
                    draft.update(file, hyzk=one.status.value, poxm=None, pogmsfhm=None)
                    self._tell_status(one)
                draft.learn(person, other)
                return

    def _death(self, draft: Draft) -> None:
        family = self._family(Kind.HUKOU)
        person = max(family.persons, key=lambda member: (member.died is None, -member.birth.toordinal()))
        file = self._file(family, person)
        if file is None or person.died or person.age() < 60:
            return
        person.died = draft.moment.date()
        draft.update(file, ryzt="1", bz="死亡注销")
        draft.learn(person)
        widow = person.spouse
        if isinstance(widow, Person) and widow.status in MARRIED and (theirs := self._file(family, widow)):
            widow.status = Status.WIDOWED
            draft.update(theirs, hyzk=widow.status.value)
            draft.learn(widow)
            self._tell_status(widow)
        self._after(lambda later: self._update_all(later, person, HEALTH_RECORD, deceased=True))
        self._after(lambda later: self._update_all(later, person, AC01, aac008="4"))

    def _renaming(self, draft: Draft) -> None:
        family = self._family(Kind.HUKOU)
        person = self._dice.one(family.persons)
        file, book = self._file(family, person), self._book(family)
        if file is None or book is None or names.DOT in person.name or not 5 < person.age() < 70:
            return
        given = names.given_name(self._dice, person.sex, person.birth.year)
        person.former_name, person.name = person.name, names.family_part(person.name) + given
        draft.update(file, xm=person.name, cym=person.former_name)
        if book.named[0].person is person:
            draft.update(book, hzxm=person.name)
        if isinstance(person.spouse, Person) and (theirs := self._file(family, person.spouse)):
            draft.update(theirs, poxm=person.name)
        draft.learn(person)
        name = person.name
        if self._dice.random() < 0.5:
            self._after(lambda later: self._update_all(later, person, HEALTH_RECORD, name=name))
        if self._dice.random() < 0.5:
            self._after(lambda later: self._update_all(later, person, AC01, aac003=name))

    def _birth(self, draft: Draft) -> None:
        """A hospital certifies a birth; the police and the health station hear of it later."""
        family = self._family(self._some_kind())
        mothers = [p for p in family.persons if p.sex == 2 and 20 <= p.age() < 43 and p.spouse and not p.died]
        if not mothers or not self._has_room(family) or len(family.persons) > 7:
            return
        mother = mothers[0]
        baby = self._baby(draft, family, mother)
        entry = health.certificate(family, baby, self._dice, draft.moment)
        draft.insert(family, entry)
        draft.learn(baby)
        if family.kind is Kind.HUKOU:
            self._after(lambda later: self._registers(later, family, baby, entry))
        self._after(lambda later: self._files(later, family, baby, HEALTH_RECORD))

    def _registers(self, draft: Draft, family: Family, baby: Person, certificate: Entry) -> None:
        """The police register a baby: a file, and one more member in the book."""
        book = self._book(family)
        if book is None:
            return
        baby.registered = True
        draft.insert(family, police.file(family, baby, self._dice, draft.moment))
        row = book.row
        assert isinstance(row, HjHjxx)
        draft.update(book, hrs=row.hrs + 1)
        draft.learn(baby)
        if certificate in family.entries:
            self._after(lambda later: later.update(certificate, baby_name=baby.name))

    def _moves_in(self, draft: Draft) -> None:
        """A family gets its hukou in the province."""
        family = self._late_family(Kind.HUKOU)
        dice = self._dice
        draft.insert(family, police.household(family, dice, draft.moment))
        for person in family.persons:
            draft.insert(family, police.file(family, person, dice, draft.moment))
        draft.learn(*family.persons)
        for person in family.persons:
            self._after(lambda later, person=person: self._files(later, family, person, HEALTH_RECORD))  # type: ignore[misc]
            if person.age() >= hrss.WORKING_AGE:
                self._after(lambda later, person=person: self._files(later, family, person, AC01))  # type: ignore[misc]

    def _migrant_comes(self, draft: Draft) -> None:
        family = self._late_family(Kind.MIGRANT)
        dice = self._dice
        for person in family.persons:
            permitted = dice.random() >= police.NO_PERMIT
            draft.insert(
                family, police.stay(family, person, dice, draft.moment, permitted=permitted, present=True)
            )
        draft.learn(*family.persons)
        person = family.persons[0]
        if dice.random() < hrss.ENROLLED_MIGRANTS:
            self._after(lambda later: self._files(later, family, person, AC01))

    def _migrant_leaves(self, draft: Draft) -> None:
        family = self._family(Kind.MIGRANT)
        entries = family.of(LDRK_JZZ)
        if not entries:
            return
        entry = self._dice.one(entries)
        row = entry.row
        assert isinstance(row, LdrkJzz)
        if row.zt == "有效":
            draft.update(entry, zt="离开")
        else:
            draft.delete(family, entry)

    def _permit(self, draft: Draft) -> None:
        family = self._family(Kind.MIGRANT)
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

    def _files_somebody(self, draft: Draft) -> None:
        family = self._family(self._some_kind())
        person = self._dice.one(family.persons)
        table = self._dice.one((HEALTH_RECORD, AC01))
        if table is AC01 and person.age() < hrss.WORKING_AGE:
            return
        if not family.of(table, person):
            self._files(draft, family, person, table)

    def _files(self, draft: Draft, family: Family, person: Person, table: Table) -> None:
        """Health or hrss open a file of a person who has none there."""
        if person.died or family.of(table, person) or not self._has_room(family):
            return
        opened = health.record if table is HEALTH_RECORD else hrss.enrolment
        draft.insert(family, opened(family, person, self._dice, draft.moment))

    def _removes_duplicate(self, draft: Draft) -> None:
        family = self._family(self._some_kind())
        for table in (HJ_RYJBXX, HEALTH_RECORD, AC01):
            for person in family.persons:
                entries = family.of(table, person)
                if len(entries) > 1:
                    draft.delete(family, entries[-1])
                    draft.update(entries[0])
                    return

    def _corrects_book(self, draft: Draft) -> None:
        """The number of a household is corrected: its primary key changes, and its members' files follow."""
        family = self._family(Kind.HUKOU)
        book = self._book(family)
        if book is None or family.book_edition + 1 >= EDITIONS_PER_BOOK:
            return
        files = self._files_in_book(family)
        row = book.row
        assert isinstance(row, HjHjxx)
        family.book_edition += 1
        family.book = book_number(row.ssxq, family.index, family.book_edition)
        draft.update(book, hh=family.book)
        for entry in files:
            draft.update(entry, hh=family.book)

    def _big_value_stays(self, draft: Draft) -> None:
        """A row with a photo or a long text changes elsewhere: the source does not send what it has not touched."""
        if self._dice.random() < 0.5:
            family = self._family(Kind.HUKOU, police.PHOTO_EVERY, police.PHOTO_FIRST)
            table, big, name = HJ_RYJBXX, "zp", "whcd"
        else:
            family = self._family(Kind.HUKOU, health.SUMMARY_EVERY, health.SUMMARY_FIRST)
            table, big, name = HEALTH_RECORD, "medical_summary", "contact_phone"
        entries = [entry for entry in family.of(table) if getattr(entry.row, big)]
        if entries:
            value = self._dice.one(("20", "30", "70")) if table is HJ_RYJBXX else mobile(self._dice)
            draft.update(self._dice.one(entries), **{name: value})

    def _new_big_value(self, draft: Draft) -> None:
        entry = self._entry(HJ_RYJBXX, HEALTH_RECORD)
        if entry is None:
            return
        if entry.table is HJ_RYJBXX:
            draft.update(entry, zp=police.photo(self._dice))
        else:
            draft.update(entry, medical_summary=health.summary(self._dice))

    def _de_facto(self, draft: Draft) -> None:
        """Two live together unmarried, and one tells the insurance so."""
        entry = self._entry(AC01)
        if entry is None:
            return
        person = entry.named[0].person
        if person.status is Status.SINGLE and 19 < person.age() < 60 and not person.de_facto:
            person.de_facto = True
            draft.update(entry, aac017=hrss.DE_FACTO)
            draft.learn(person)

    # Helpers of what happens

    def _book(self, family: Family) -> Entry | None:
        return next(iter(family.of(HJ_HJXX)), None)

    def _files_in_book(self, family: Family) -> list[Entry]:
        return [entry for entry in family.of(HJ_RYJBXX) if getattr(entry.row, "hh") == family.book]  # noqa: B009

    def _file(self, family: Family, person: Person) -> Entry | None:
        """Return the person's present file."""
        return next((e for e in self._files_in_book(family) if e.named[0].person is person), None)

    def _single(self, sex: int) -> tuple[Entry, Person] | None:
        family = self._family(Kind.HUKOU)
        for person in family.persons:
            if (
                person.sex == sex
                and person.status is Status.SINGLE
                and 21 < person.age() < 50
                and not person.de_facto
            ):
                file = self._file(family, person)
                return (file, person) if file else None
        return None

    def _tell_status(self, person: Person) -> None:
        self._after(lambda later: self._update_all(later, person, AC01, aac017=hrss.MARITAL[person.status]))
        self._after(
            lambda later: self._update_all(
                later, person, HEALTH_RECORD, marital_status=health.MARITAL[person.status]
            )
        )

    def _update_all(self, draft: Draft, person: Person, table: Table, **values: str | bool) -> None:
        kind, index = Kind(person.ident[0]), int(person.ident[1:].split("-")[0])
        for entry in self._at(kind, index).of(table, person):
            draft.update(entry, **values)

    def _new_home(self, person: Person) -> Address:
        return address_in(self._dice, person.home.county)

    def _late_family(self, kind: Kind) -> Family:
        index = self._counts[kind]
        family = self.population.late_family(kind, index)
        self._counts[kind] += 1
        self._families[kind, index] = family
        for person in family.persons:
            person.registered = True
            while person.id_number in self._late_numbers:
                person.id_number = self._late_number(person.id_number[:6], person)
            self._late_numbers.add(person.id_number)
        return family

    def _baby(self, draft: Draft, family: Family, mother: Person) -> Person:
        dice = self._dice
        father = mother.spouse
        birth = (draft.moment - timedelta(days=1)).date()
        sex = 1 if dice.random() < 0.52 else 2
        surname = names.family_part(father.name if father else mother.name)
        baby = Person(
            ident=f"{family.kind}{family.index:08d}-{len(family.persons)}",
            name=names.full_name(dice, sex, birth.year, mother.ethnicity, surname),
            sex=sex,
            birth=birth,
            ethnicity=mother.ethnicity,
            id_number="",
            phone=None,
            stale_phone=mobile(dice),
            relation=dice.one(("20", "22")) if sex == 1 else dice.one(("30", "32")),
            education="90",
            home=mother.home,
            registered=False,
            father=father,
            mother=mother,
        )
        baby.id_number = self._late_number(family.address.county.code, baby)
        self._late_numbers.add(baby.id_number)
        family.persons.append(baby)
        return baby

    def _late_number(self, area: str, person: Person) -> str:
        while True:
            serial = self._dice.between(LAST_SERIAL // 2 + 1, LATE_SERIAL // 2) * 2 + person.sex % 2
            number = id_number(area, person.birth, serial)
            if number not in self._late_numbers:
                return number
