"""The truth: people, and the families they live in. No department knows all of this."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from connectors.simulate.areas import Address
from connectors.simulate.dice import Dice
from connectors.simulate.tables import Entry

if TYPE_CHECKING:
    from connectors.simulate.tables import Table

BEIJING: Final = timezone(timedelta(hours=8))
BASE_TIME: Final = datetime(2026, 6, 1, 8, tzinfo=BEIJING)
"""When the province is filled; changes come after it, on a clock of their own."""
BASE_DATE: Final = BASE_TIME.date()

SECONDS_PER_TRANSACTION: Final = 1
"""How far a transaction moves the province's clock: the coarsest update time (GXSJ) has whole seconds, and two
changes of a row must differ in it."""


def clock(transaction: int) -> datetime:
    """Return the province's time at a transaction, which are numbered from 1."""
    return BASE_TIME + timedelta(seconds=transaction * SECONDS_PER_TRANSACTION)


class Kind(StrEnum):
    """Whether a family has its hukou in the province, or is there as migrants."""

    HUKOU = "H"
    MIGRANT = "M"


class Status(StrEnum):
    """Marital status, GB/T 2261.2."""

    SINGLE = "10"
    MARRIED = "20"
    FIRST = "21"
    REMARRIED = "22"
    WIDOWED = "30"
    DIVORCED = "40"


class Paper(StrEnum):
    """What somebody proves their identity with."""

    ID_CARD = "id_card"
    PASSPORT = "passport"
    HK_MACAO = "hk_macao"
    TAIWAN = "taiwan"


MARRIED: Final = (Status.MARRIED, Status.FIRST, Status.REMARRIED)


@dataclass(frozen=True, slots=True)
class Outsider:
    """Kin who is named in files and has none."""

    name: str
    id_number: str | None


@dataclass(slots=True, eq=False)
class Person:
    """A person as they are.

    ``ident`` is what the truth files call them. ``sex`` is 1 male or 2 female; ``ethnicity`` a GB/T 3304 code;
    ``relation`` the one to the head of the family (GB/T 4761). ``stale_phone`` is a number they no longer have.
    ``de_facto`` is a marriage that was never registered: ``status`` is single. ``away`` is a hukou person who lives
    outside the province, ``registered`` false for a baby without hukou. ``paper`` is what ``id_number`` is the number
    of: an ID card's, but for foreigners, and compatriots from Hong Kong, Macao and Taiwan.
    """

    ident: str
    name: str
    sex: int
    birth: date
    ethnicity: str
    id_number: str
    phone: str | None
    stale_phone: str
    relation: str
    education: str
    home: Address
    former_name: str | None = None
    status: Status = Status.SINGLE
    de_facto: bool = False
    workplace: str | None = None
    died: date | None = None
    away: bool = False
    registered: bool = True
    is_twin: bool = False
    paper: Paper = Paper.ID_CARD
    father: Kin | None = None
    mother: Kin | None = None
    spouse: Kin | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the person has no Chinese ID card."""
        return self.paper is not Paper.ID_CARD

    @property
    def passport(self) -> str:
        """The number of the passport that some departments know the person by."""
        if self.is_foreign:
            return self.id_number
        mark = zlib.crc32(f"{self.ident}{self.id_number}".encode())
        return f"E{'ABCDEFGH'[mark & 7]}{(mark >> 3) % 10**7:07d}"

    def age(self, at: date = BASE_DATE) -> int:
        """Full years at a date."""
        return at.year - self.birth.year - ((at.month, at.day) < (self.birth.month, self.birth.day))


Kin: TypeAlias = Person | Outsider


@dataclass(slots=True, eq=False)
class Family:
    """People of one hukou or one migrant party, and the rows that departments have of them.

    ``index`` numbers the families of a kind from 0. ``book`` is the household number, ``book_edition`` counts its
    corrections. ``others`` are people who do not live with the family and are in rows together with its members, such
    as divorced spouses.
    """

    kind: Kind
    index: int
    address: Address
    book: str
    persons: list[Person] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    book_edition: int = 0
    others: list[Person] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def of(self, table: Table, person: Person | None = None) -> list[Entry]:
        """Return the family's rows of a table, or those that are about the person."""
        return [
            entry
            for entry in self.entries
            if entry.table is table
            and (person is None or any(named.person is person for named in entry.named))
        ]

    def number(self, table: str) -> int:
        """Return a number for a new row's key: 0..99 within family and table. Raises OverflowError after that."""
        number = self._numbers.get(table, 0)
        if number >= ROWS_PER_FAMILY:
            raise OverflowError("a family has no more numbers for its rows")
        self._numbers[table] = number + 1
        return number

    def serial(self, table: str) -> int:
        """Return a number for a new row's key that is unique in the province: at most 11 digits."""
        kind = 0 if self.kind is Kind.HUKOU else _MIGRANT_SERIALS
        return kind + self.index * ROWS_PER_FAMILY + self.number(table)

    def has_room(self, *tables: str) -> bool:
        """Whether the tables still have numbers for what may happen at once."""
        return all(self._numbers.get(table, 0) <= ROWS_PER_FAMILY - ROWS_AT_ONCE for table in tables)


ROWS_PER_FAMILY: Final = 100
"""Rows that a family can ever have in a table; the largest begins with about twenty."""
ROWS_AT_ONCE: Final = 12
"""Families with less room are left alone; nothing that happens needs more."""
_MIGRANT_SERIALS: Final = 10_000_000_000
EDITIONS_PER_BOOK: Final = 10


def book_number(county_code: str, index: int, edition: int) -> str:
    """Return a household number: 12 digits, unique by family and edition."""
    body = f"{int(county_code) % 9973:04d}"[-2:] + f"{index * EDITIONS_PER_BOOK + edition:09d}"
    return body + str(sum(map(int, body)) % 10)


def past_time(rng: Dice, first_year: int, last_days: int = 30) -> datetime:
    """Return an instant in office hours between January of a year and ``last_days`` before the base date."""
    first = date(first_year, 1, 2)
    day = first + timedelta(days=rng.below((BASE_DATE - first).days - last_days))
    return datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(
        seconds=rng.between(8 * 3600, 18 * 3600)
    )
