"""The ground truth, beside the sources and never in them.

``persons.jsonl``: a line a person (`transactions.PersonFact`), another one when something about them changes.
``mentions.jsonl``: a line for each person that a row names (`MentionLine`), written when the row comes, goes or
changes its key. ``progress.json``: how far the simulator is. Lines are complete up to any moment at which the
simulator may be killed; what it wrote beyond ``progress.json`` is cut off when it goes on.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec

from connectors.errors import TerminalError
from connectors.simulate.people import Family, Person
from connectors.simulate.population import Census
from connectors.simulate.transactions import APPEARS, Fact, PersonFact, Transaction, facts_of, person_fact

PERSONS: Final = "persons.jsonl"
MENTIONS: Final = "mentions.jsonl"
PROGRESS: Final = "progress.json"
FORMAT: Final = 4
"""Raised when the same seed no longer makes the same population or changes."""


_ENCODER: Final = msgspec.json.Encoder()


class MentionLine(msgspec.Struct, omit_defaults=True):
    """A person that a row names. ``key`` is the compact JSON object of the row's key, as the hub writes keys.

    ``op``: ``c`` the row comes, ``d`` it goes, ``k`` its key changes from ``previous_key``. ``transaction`` is 0 for
    what the tables were filled with. ``subgroups`` are what made the mention hard to link when the line was written.
    """

    op: str
    department: str
    table: str
    key: str
    role: str
    ordinal: int
    person: str
    transaction: int
    previous_key: str | None = None
    subgroups: tuple[str, ...] = ()


class Progress(msgspec.Struct):
    """How far the simulator is. ``transaction`` is the last one that is committed in all departments, the sizes are
    the bytes of the truth files at that moment.
    """

    format: int
    seed: int
    people: int
    departments: tuple[str, ...]
    course: str = ""
    is_filled: bool = False
    hukou_families: int = 0
    migrant_families: int = 0
    room: int = 0
    salts: dict[str, int] = {}
    transaction: int = 0
    persons_size: int = 0
    mentions_size: int = 0

    def census(self) -> Census:
        """Return what filling the tables found out."""
        return Census(self.hukou_families, self.migrant_families, self.room, dict(self.salts))


class Truth:
    """Writes the truth of one simulator into its folder."""

    def __init__(
        self, folder: Path, seed: int, people: int, departments: tuple[str, ...], course: str = ""
    ) -> None:
        self.folder = folder
        self._departments = frozenset(departments)
        self._persons: BinaryIO | None = None
        self._mentions: BinaryIO | None = None
        wanted = Progress(FORMAT, seed, people, departments, course)
        found = self._read()
        self.is_new = found is None
        self.progress = found or wanted
        for name in ("format", "seed", "people", "departments", "course"):
            ours, theirs = getattr(wanted, name), getattr(self.progress, name)
            if ours != theirs:
                raise TerminalError(
                    f"{self.folder / PROGRESS} belongs to a simulator with {name} {theirs}, not {ours}; "
                    "use the same, or another folder and empty databases"
                )

    def __enter__(self) -> Truth:
        self.folder.mkdir(parents=True, exist_ok=True)
        progress = self.progress
        self._persons = _open(self.folder / PERSONS, progress.persons_size)
        self._mentions = _open(self.folder / MENTIONS, progress.mentions_size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._persons, self._mentions):
            if file:
                file.close()

    def begin(self) -> None:
        """Note that the tables are about to be filled: from here on, what they hold is this simulator's."""
        self._save()

    def add_family(self, family: Family) -> None:
        """Write down a family of the population."""
        self.add_lines(person_lines(family.persons), mention_lines(family, self._departments))

    def add_lines(self, persons: bytes, mentions: bytes) -> None:
        """Write down lines of a family, as `person_lines` and `mention_lines` make them."""
        assert self._persons is not None, "the truth is open"
        assert self._mentions is not None, "the truth is open"
        self._persons.write(persons)
        self._mentions.write(mentions)

    def filled(self, census: Census) -> None:
        """Note that all tables are filled."""
        progress = self.progress
        progress.is_filled = True
        progress.hukou_families, progress.migrant_families = census.hukou_families, census.migrant_families
        progress.room, progress.salts = census.room, census.salts
        self._flush()

    def committed(self, transactions: Iterable[Transaction]) -> None:
        """Write down transactions that are committed, all up to the last one in all departments."""
        for transaction in transactions:
            self._write(self._persons, transaction.persons)
            self._write_facts(transaction.number, transaction.facts)
            self.progress.transaction = transaction.number
        self._flush()

    def _write_facts(self, number: int, facts: Iterable[Fact]) -> None:
        self._write(self._mentions, _lines(number, facts, self._departments))

    def _write(self, file: BinaryIO | None, lines: Iterable[MentionLine | PersonFact]) -> None:
        assert file is not None, "the truth is open"
        file.write(_encoded(lines))

    def _flush(self) -> None:
        assert self._persons is not None
        assert self._mentions is not None
        self._persons.flush()
        self._mentions.flush()
        self.progress.persons_size, self.progress.mentions_size = self._persons.tell(), self._mentions.tell()
        self._save()

    def _save(self) -> None:
        path = self.folder / PROGRESS
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(_ENCODER.encode(self.progress) + b"\n")
        os.replace(temporary, path)

    def _read(self) -> Progress | None:
        path = self.folder / PROGRESS
        try:
            return msgspec.json.decode(path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise TerminalError(f"{path}: {error}; give another folder and empty databases") from error


def person_lines(persons: Iterable[Person]) -> bytes:
    """Return the lines of ``persons.jsonl`` about people as they are when the tables are filled."""
    return _encoded(map(person_fact, persons))


def mention_lines(family: Family, departments: Collection[str]) -> bytes:
    """Return the lines of ``mentions.jsonl`` about a family's rows in the databases of ``departments``."""
    facts = (fact for entry in family.entries for fact in facts_of(APPEARS, entry))
    return _encoded(_lines(0, facts, departments))


def _lines(number: int, facts: Iterable[Fact], departments: Collection[str]) -> Iterator[MentionLine]:
    for fact in facts:
        if fact.table.channel in departments:
            yield MentionLine(
                op=fact.op,
                department=fact.table.department,
                table=fact.table.name,
                key=fact.table.key_json(fact.key),
                role=fact.role,
                ordinal=fact.ordinal,
                person=fact.person,
                transaction=number,
                previous_key=None if fact.previous_key is None else fact.table.key_json(fact.previous_key),
                subgroups=fact.subgroups,
            )


def _encoded(lines: Iterable[MentionLine | PersonFact]) -> bytes:
    return b"".join([_ENCODER.encode(line) + b"\n" for line in lines])


def _open(path: Path, size: int) -> BinaryIO:
    """Open a file for appending after its first ``size`` bytes; what follows is from before a kill."""
    file = path.open("ab")
    if file.tell() < size:
        file.close()
        raise TerminalError(
            f"{path} is shorter than progress.json says; restore it, or start with empty databases"
        )
    file.truncate(size)
    file.seek(size)
    return file
