"""Writes a province as events, without any stack: what Kafka would hold, as ``kcat -J`` prints it, and its truth.

A folder gets ``1-snapshot.events.jsonl`` (the rows that are there when the capture begins), ``2-changes.events.jsonl``
(what happens afterwards, in the order of commits), ``truth.jsonl`` (a line a mention of the rows that are left at the
end) and ``persons.jsonl``. The same seed makes the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connectors.errors import TerminalError
from connectors.simulate.capture import Capture
from connectors.simulate.changer import Changer
from connectors.simulate.course import Course
from connectors.simulate.crew import made_by_all
from connectors.simulate.pages import TOPICS, Page, line, page_of, truth_lines, unplaced
from connectors.simulate.people import Person
from connectors.simulate.population import Population
from connectors.simulate.rows import Row
from connectors.simulate.subgroups import is_number_missing
from connectors.simulate.tables import Key, Named, Table
from connectors.simulate.transactions import Transaction

SNAPSHOT: Final = "1-snapshot.events.jsonl"
CHANGES: Final = "2-changes.events.jsonl"
TRUTH: Final = "truth.jsonl"
PERSONS: Final = "persons.jsonl"
_DRAFT: Final = ".truth.tmp"
_REPORT_EVERY: Final = 200
"""Families, or transactions, between two reports."""


@dataclass(slots=True)
class Written:
    """What a run wrote, so far. ``events`` counts lines by topic."""

    people: int = 0
    persons: int = 0
    transactions: int = 0
    mentions: int = 0
    events: dict[str, int] = field(default_factory=dict)


class _Topics:
    """Lines of one file, with the offsets of all topics."""

    def __init__(self, written: Written) -> None:
        self._written = written
        self._offsets = [0] * len(TOPICS)
        self.file: BinaryIO | None = None

    def write(self, events: Iterable[tuple[int, bytes]]) -> None:
        assert self.file is not None
        offsets, lines = self._offsets, []
        for topic, rest in events:
            lines.append(line(topic, offsets[topic], rest))
            offsets[topic] += 1
        self.file.write(b"".join(lines))

    def count(self) -> None:
        """Tell how many lines each topic has."""
        self._written.events = {
            topic: offset for topic, offset in zip(TOPICS, self._offsets, strict=True) if offset
        }


class _Truth:
    """Lines as rows come and change; what is gone at the end is left out when the file is finished.

    In memory are only the keys of rows that went, or changed in what the truth says of them.
    """

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self._folder, self._file = folder, file
        self._line = 0
        self._gone: dict[tuple[str, Key], int] = {}
        """By row, the number of the first line that is not superseded."""
        self._groups: dict[Person, list[str]] = {}

    def forget(self) -> None:
        """People may have changed."""
        self._groups.clear()

    def fill(self, page: Page) -> None:
        """Add the lines of a family as it was when the capture began."""
        self._file.write(page.mentions)
        self._line += page.mentions_count

    def add(self, table: Table, key: Key, text: str, row: Row, named: tuple[Named, ...]) -> None:
        for lines in truth_lines(table, key, text, row, named, self._groups):
            self._file.write(lines)
            self._line += 1

    def remove(self, table: Table, key: Key) -> None:
        self._gone[table.id, key] = self._line

    def finish(self) -> int:
        """Write the final file; return the number of its lines."""
        self._file.flush()
        decode = msgspec.json.Decoder(list[str | int]).decode
        kept = 0
        temporary = self._folder / f"{TRUTH}.tmp"
        with (self._folder / _DRAFT).open("rb") as draft, temporary.open("wb") as final:
            for number, (place, line) in enumerate(zip(draft, draft, strict=True)):
                if self._gone:
                    name, *key = decode(place)
                    if number < self._gone.get((str(name), tuple(key)), 0):
                        continue
                final.write(line)
                kept += 1
        os.replace(temporary, self._folder / TRUTH)
        (self._folder / _DRAFT).unlink()
        return kept


def write(
    folder: Path,
    population: Population,
    transactions: int,
    report: Callable[[Written], None] = lambda _: None,
    course: Course | None = None,
) -> Written:
    """Write the population and so many transactions into a folder, which is made where it is missing. On a ``course``
    hours and seasons say what happens, and when.

    Raises TerminalError when the folder holds events already. Memory holds the families that something has happened
    to, and the ID numbers.
    """
    if any((folder / name).exists() for name in (SNAPSHOT, CHANGES, TRUTH)):
        raise TerminalError(f"{folder} holds events already; give an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    written = Written()
    topics, capture = _Topics(written), Capture()
    encode = msgspec.json.Encoder().encode
    with ExitStack() as stack:
        truth = _Truth(folder, stack.enter_context((folder / _DRAFT).open("wb")))
        persons = stack.enter_context((folder / PERSONS).open("wb"))
        with (folder / SNAPSHOT).open("wb") as topics.file, made_by_all(population, page_of) as pages:
            for number, page in enumerate(pages):
                persons.write(page.persons)
                written.persons += page.persons_count
                written.people = min(population.people, written.people + page.registered)
                topics.write(page.events)
                truth.fill(page)
                if number % _REPORT_EVERY == 0:
                    topics.count()
                    report(written)
        changer = Changer(population, course)
        with (folder / CHANGES).open("wb") as topics.file:
            while changer.number < transactions:
                made = changer.next()
                topics.write(unplaced(message) for message in capture.changes(made))
                truth.forget()
                for transaction in made:
                    _tell(truth, transaction)
                    for fact in transaction.persons:
                        persons.write(encode(fact) + b"\n")
                written.transactions = changer.number
                if changer.number % _REPORT_EVERY == 0:
                    topics.count()
                    report(written)
        topics.count()
        written.mentions = truth.finish()
    report(written)
    return written


def _tell(truth: _Truth, transaction: Transaction) -> None:
    for operation in transaction.operations:
        table, before, after = operation.table, operation.before, operation.after
        if before is not None and (after is None or _says_otherwise(table, before, after)):
            truth.remove(table, operation.key)
        if after is not None and (before is None or _says_otherwise(table, before, after)):
            key = table.key_of(after)
            truth.add(table, key, table.key_json(key), after, operation.named)


def _says_otherwise(table: Table, before: Row, after: Row) -> bool:
    return table.key_of(before) != table.key_of(after) or any(
        is_number_missing(table, before, role) != is_number_missing(table, after, role)
        for role in table.numbers
    )
