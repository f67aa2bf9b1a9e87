"""What departments do with their rows without anything having happened: files opened late, duplicates removed,
numbers corrected, long values replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import mobile
from connectors.simulate.people import EDITIONS_PER_BOOK, Family, Kind, Person, book_number
from connectors.simulate.province import Province
from connectors.simulate.rows.police import HjHjxx
from connectors.simulate.tables import (
    AC01,
    HEALTH_RECORD,
    HJ_RYJBXX,
    JSR_JSZXX,
    PSN_INFO_B,
    SFZ_ZZXX,
    TABLES,
    VACCINATION,
    XS_XJXX,
    ZRR_DJXX,
    Entry,
    Table,
)
from connectors.simulate.transactions import Draft
from connectors.simulate.views import (
    edu,
    health,
    health_papers,
    hrss,
    medins,
    police,
    police_papers,
    tax,
    transport,
)


def _first_dose(family: Family, child: Person, dice: Dice, moment: datetime) -> Entry:
    code = health_papers.child_code(family)
    return health_papers.dose(family, child, dice, code, health_papers.VACCINES[0], 1, moment)


def _new_pupil(family: Family, child: Person, dice: Dice, moment: datetime) -> Entry:
    return edu.pupil(family, child, dice, moment, is_temporary=True)


_OPENED: Final[Mapping[Table, tuple[int, Callable[[Family, Person, Dice, datetime], Entry]]]] = {
    HEALTH_RECORD: (0, health.record),
    AC01: (hrss.WORKING_AGE, hrss.enrolment),
    PSN_INFO_B: (0, medins.insured),
    ZRR_DJXX: (18, tax.taxpayer),
    JSR_JSZXX: (18, transport.licence),
    SFZ_ZZXX: (5, police_papers.card),
    VACCINATION: (0, _first_dose),
    XS_XJXX: (edu.FIRST_AGE, _new_pupil),
}
"""The age from which a department opens a file, and how."""
_ONE_EACH: Final = (HEALTH_RECORD, AC01, PSN_INFO_B, ZRR_DJXX, JSR_JSZXX)


def touch(province: Province, draft: Draft) -> None:
    """A row is written again as it was."""
    table = province.dice.one(TABLES)
    family = province.family_with(table)
    entries = family.of(table) or [entry for entry in family.entries if not entry.table.is_file]
    if entries:
        draft.update(province.dice.one(entries))


def files_somebody(province: Province, draft: Draft) -> None:
    """A department opens a file of somebody who should have one already."""
    family = province.family(province.some_kind())
    person = province.dice.one(family.persons)
    files(province, draft, family, person, province.dice.one(_ONE_EACH))


def files(province: Province, draft: Draft, family: Family, person: Person, table: Table) -> None:
    """A department opens a file of a person who has none there."""
    if not family.of(table, person):
        opens(province, draft, family, person, table)


def opens(province: Province, draft: Draft, family: Family, person: Person, table: Table) -> None:
    """A department opens a file, or another one, of a living person who is old enough."""
    age, opened = _OPENED[table]
    if not person.died and person.age() >= age and family.has_room(table.name, "child_code"):
        draft.insert(family, opened(family, person, province.dice, draft.moment))


def health_moves(province: Province, draft: Draft) -> None:
    """The health stations learn where a family lives."""
    family_moves(province, draft, HEALTH_RECORD, "current_address")


def hrss_moves(province: Province, draft: Draft) -> None:
    """The insurance learns where a family lives."""
    family_moves(province, draft, AC01, "aae006")


def family_moves(province: Province, draft: Draft, table: Table, name: str) -> None:
    """A department writes the new residence of a family into all of its rows, in one transaction."""
    family = province.family(province.some_kind())
    entries = family.of(table)
    if not entries:
        return
    home = province.new_home(family.persons[0])
    for entry in entries:
        entry.named[0].person.home = home
        draft.update(entry, **{name: home.spelled(any_grain(province.dice))})
    draft.learn(*dict.fromkeys(entry.named[0].person for entry in entries))


def removes_duplicate(province: Province, draft: Draft) -> None:
    """One of two files of a person goes."""
    family = province.family(province.some_kind())
    for table in (HJ_RYJBXX, HEALTH_RECORD, AC01, ZRR_DJXX, JSR_JSZXX):
        for person in family.persons:
            entries = family.of(table, person)
            if len(entries) > 1:
                draft.delete(family, entries[-1])
                draft.update(entries[0])
                return


def corrects_book(province: Province, draft: Draft) -> None:
    """The number of a household is corrected: its primary key changes, and its members' files follow."""
    family = province.family(Kind.HUKOU)
    book = province.book(family)
    if book is None or family.book_edition + 1 >= EDITIONS_PER_BOOK:
        return
    files = province.files_in_book(family)
    row = book.row
    assert isinstance(row, HjHjxx)
    family.book_edition += 1
    family.book = book_number(row.ssxq, family.index, family.book_edition)
    draft.update(book, hh=family.book)
    for entry in files:
        draft.update(entry, hh=family.book)


def big_value_stays(province: Province, draft: Draft) -> None:
    """A row with a photo or a long text changes elsewhere: the source does not send what it has not touched."""
    if province.dice.random() < 0.5:
        family = province.family(Kind.HUKOU, police.PHOTO_EVERY, police.PHOTO_FIRST)
        table, big, name = HJ_RYJBXX, "zp", "whcd"
    else:
        family = province.family(Kind.HUKOU, health.SUMMARY_EVERY, health.SUMMARY_FIRST)
        table, big, name = HEALTH_RECORD, "medical_summary", "contact_phone"
    entries = [entry for entry in family.of(table) if getattr(entry.row, big)]
    if entries:
        value = province.dice.one(("20", "30", "70")) if table is HJ_RYJBXX else mobile(province.dice)
        draft.update(province.dice.one(entries), **{name: value})


def new_big_value(province: Province, draft: Draft) -> None:
    """A photo or a long text is replaced."""
    entry = province.entry(HJ_RYJBXX, HEALTH_RECORD)
    if entry is None:
        return
    if entry.table is HJ_RYJBXX:
        draft.update(entry, zp=police.photo(province.dice))
    else:
        draft.update(entry, medical_summary=health.summary(province.dice))
