"""What becomes of a family, as bytes: lines of events without their offsets, lines of the truth. Several processes may
make them; whoever puts them together gives the offsets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import msgspec

from connectors.simulate.capture import Capture, Message, topic_of
from connectors.simulate.people import Family, Person
from connectors.simulate.population import numbers_of
from connectors.simulate.rows import Row
from connectors.simulate.subgroups import NO_NUMBER, groups_of, is_number_missing
from connectors.simulate.tables import FILES, TABLES, Key, Named, Table
from connectors.simulate.transactions import person_fact

TOPICS: Final = tuple(topic_of(table) for table in (*TABLES, *FILES))
_NUMBERS: Final = {topic: number for number, topic in enumerate(TOPICS)}
_HEADS: Final = tuple(f'{{"topic":"{topic}","partition":0,"offset":'.encode() for topic in TOPICS)
_encode: Final = msgspec.json.Encoder().encode


class TruthLine(msgspec.Struct):
    """A person that a row names in a role. ``key`` is the compact JSON object of the row's key, ``person`` whom the
    row is about, ``subgroups`` what makes them hard to link.
    """

    department: str
    table: str
    key: str
    role: str
    ordinal: int
    person: str
    subgroups: list[str]


class Page(NamedTuple):
    """What becomes of one family.

    ``registered`` counts its people with hukou, ``people`` all of them; ``numbers`` are the ID numbers that nobody
    else may have. ``landlord`` is the index of the hukou family that it rents from, None without. ``events`` has of
    each message its topic's number in `TOPICS` and what `line` is to put an offset before. ``persons`` are lines of
    the truth, ``mentions`` two lines a mention (`truth_lines`).
    """

    registered: int
    people: int
    numbers: tuple[int | str, ...]
    landlord: int | None
    events: tuple[tuple[int, bytes], ...]
    persons: bytes
    persons_count: int
    mentions: bytes
    mentions_count: int


def page_of(family: Family, landlord: int | None) -> Page:
    """Return what becomes of a family when the capture begins."""
    everyone = [*family.persons, *family.others]
    groups = {person: groups_of(person) for person in everyone}
    snapshot = _capture().snapshot
    events: list[tuple[int, bytes]] = []
    mentions: list[bytes] = []
    for entry in family.entries:
        message = snapshot(entry)
        events.append(unplaced(message))
        mentions += truth_lines(entry.table, entry.key, message.key, entry.row, entry.named, groups)
    return Page(
        registered=sum(person.registered for person in family.persons),
        people=len(family.persons),
        numbers=tuple(numbers_of(family)),
        landlord=landlord,
        events=tuple(events),
        persons=b"".join([_encode(person_fact(person)) + b"\n" for person in everyone]),
        persons_count=len(everyone),
        mentions=b"".join(mentions),
        mentions_count=len(mentions),
    )


def unplaced(message: Message) -> tuple[int, bytes]:
    """Return a message as its topic's number and its line from behind the offset on."""
    payload = message.payload
    rest: dict[str, object] = {"tstype": "create", "ts": message.time, "broker": 1}
    if message.headers:
        rest["headers"] = message.headers
    rest["key"] = message.key
    rest["payload"] = None if payload is None else payload.decode()
    return _NUMBERS[message.topic], _encode(rest)


def line(topic: int, offset: int, rest: bytes) -> bytes:
    """Return a message's line as ``kcat -J`` prints it."""
    return b"%b%d,%b\n" % (_HEADS[topic], offset, rest[1:])


def truth_lines(
    table: Table,
    key: Key,
    text: str,
    row: Row,
    named: tuple[Named, ...],
    groups: dict[Person, list[str]],
) -> Iterator[bytes]:
    """Yield a line of place and a line of truth for each whom a row names. ``groups`` remembers what people are in."""
    for one in named:
        known = groups.get(one.person)
        if known is None:
            known = groups[one.person] = groups_of(one.person)
        if is_number_missing(table, row, one.role):
            known = [*known, NO_NUMBER]
        told = TruthLine(table.department, table.name, text, one.role, one.ordinal, one.person.ident, known)
        yield _encode([table.id, *key]) + b"\n" + _encode(told) + b"\n"


@cache
def _capture() -> Capture:
    """The snapshot's messages depend on no log's position, so one serves for all families."""
    return Capture()
