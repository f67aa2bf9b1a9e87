"""Snapshots: the whole state in one file of checked frames, so that the log before it can go.

The first frame of a snapshot, as of a log, is a `Preamble`: it says what the file is, and whether this
program can go on with it. The graph follows from the mentions and is saved nevertheless (`linkage.saved_graph`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from sys import intern
from typing import Final, TypeVar

import msgspec

from avro.record import PERSON_ELEMENTS, Decision, MentionPlace, TableName
from avro.version import from_bytes, to_bytes
from linkage import frames
from linkage.decisions import Held, Published
from linkage.errors import StateIncompatibleError, WeightsError
from linkage.heap import undisturbed
from linkage.ids import KnownIds
from linkage.log import damaged
from linkage.saved_graph import GraphCode, GraphReader, Names, Part, Words, graph_parts
from linkage.state import LinkState, MentionState, PersonEntry, RowState, Rule
from linkage.values import Values
from linkage.weights import tables_digest

FORMAT: Final = 6
"""Raised when the files change in a way that older ones cannot be read, or when older logs would link
otherwise."""

_Item = TypeVar("_Item")

_CHUNK: Final = 5_000
"""Rows, persons or keys a frame: some megabytes."""


class Preamble(msgspec.Struct):
    """The first frame of each file. ``offset`` is the log entry wanted next at the file's beginning,
    ``tables`` a digest of what pairs are scored by."""

    kind: str
    format: int
    epoch: int
    offset: int
    elements: tuple[str, ...]
    tables: str


class _Format(msgspec.Struct):
    format: int


class _Totals(msgspec.Struct, array_like=True, tag=0):
    offset: int
    next_person: int
    next_serial: int
    refresh: bool
    authority: dict[str, tuple[str, ...]]


class _Feed(msgspec.Struct, array_like=True, tag=1):
    name: str
    truncated: bytes | None


class _Deleted(msgspec.Struct, array_like=True, tag=2):
    feed: str
    keys: tuple[tuple[str, bytes], ...]


_Mention = tuple[
    str, int, int, int, Rule, bytes, str, int
]  # role, ordinal, serial, person, rule, packed, invalid number, node


class _Rows(msgspec.Struct, array_like=True, tag=3):
    feed: str
    rows: tuple[
        tuple[str, bytes, int, bool, tuple[_Mention, ...]], ...
    ]  # key, version, source time, placeholder


class _Persons(msgspec.Struct, array_like=True, tag=4):
    persons: tuple[tuple[int, int | None, bytes], ...]  # number, split from, digest


class _Merged(msgspec.Struct, array_like=True, tag=5):
    merged: tuple[tuple[int, int], ...]


class _End(msgspec.Struct, array_like=True, tag=6):
    """The last frame: a snapshot without it is not whole."""

    mentions: int


class _Decisions(msgspec.Struct, array_like=True, tag=7):
    decisions: tuple[tuple[Decision, MentionPlace, MentionPlace, Published], ...]


class _Known(msgspec.Struct, array_like=True, tag=8):
    known: KnownIds


class _Switched(msgspec.Struct, array_like=True, tag=9):
    switched_at: int
    table: TableName
    text: str


_Part = (
    _Totals | _Feed | _Deleted | _Rows | _Persons | _Merged | _End | _Decisions | _Known | _Switched | Part
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_part: Final = msgspec.msgpack.Decoder(_Part).decode


def preamble(kind: str, epoch: int, offset: int) -> bytes:
    """Return the first frame of a file of this ``kind`` (``log``, ``snapshot``)."""
    return frames.pack(_encode(Preamble(kind, FORMAT, epoch, offset, PERSON_ELEMENTS, tables_digest())))


def read_preamble(path: Path, data: bytes, kind: str, epoch: int) -> tuple[int, Preamble]:
    """Return the position behind the file's first frame, and what it says.

    Raises StateDamagedError, and StateIncompatibleError when the state is not one to go on with.
    """
    payload = frames.frame_at(data, 0)
    if payload is None:
        raise damaged(path)
    try:
        written = msgspec.msgpack.decode(payload, type=_Format).format
        if written != FORMAT:
            raise _incompatible(path, f"format {written}, this program's is {FORMAT}")
        first = msgspec.msgpack.decode(payload, type=Preamble)
    except msgspec.DecodeError as error:
        raise damaged(path) from error
    if first.kind != kind:
        raise damaged(path)
    if first.epoch != epoch:
        raise _incompatible(path, f"epoch {first.epoch}, the setting is {epoch}")
    if first.elements != PERSON_ELEMENTS:
        raise _incompatible(path, "another list of elements")
    if first.tables != tables_digest():
        raise _incompatible(path, "other tables of weights, generic values or surnames")
    return frames.HEADER_BYTES + len(payload), first


def _incompatible(path: Path, what: str) -> StateIncompatibleError:
    return StateIncompatibleError(
        f"{path}: the linker's state has {what}; go back to what it was written with, or remove the folder, "
        "raise the epoch and let link read renkou.records from the beginning"
    )


def write_state(state: LinkState, epoch: int) -> Iterator[bytes]:
    """Yield the snapshot of ``state`` piece by piece; the state must not change meanwhile."""
    yield preamble("snapshot", epoch, state.offset)
    for part in _parts(state):
        yield frames.pack(_encode(part))


def _parts(state: LinkState) -> Iterator[_Part]:
    authority = {element: tuple(feeds) for element, feeds in state.authority.items()}
    yield _Totals(state.offset, state.next_person, state.next_serial, state.refresh, authority)
    for persons in _chunks(list(state.persons.values())):
        yield _Persons(tuple([(person.number, person.split_from, person.digest) for person in persons]))
    for merged in _chunks(list(state.merged.items())):
        yield _Merged(tuple(merged))
    for table, switched_at in state.switched.items():
        yield _Switched(switched_at, table, state.table(table))
    if state.known is not None:
        yield _Known(state.known)
    for decisions in _chunks(list(state.decisions)):
        yield _Decisions(tuple([_saved_decision(held) for held in decisions]))
    yield from graph_parts(state)
    for feed in state.feeds.values():
        yield _Feed(feed.name, None if feed.truncated < 0 else to_bytes(feed.truncated))
        for deleted in _chunks(list(feed.deleted.items())):
            yield _Deleted(feed.name, tuple([(key, to_bytes(version)) for key, version in deleted]))
        for rows in _chunks(list(feed.rows.values())):
            yield _Rows(
                feed.name,
                tuple(
                    [
                        (
                            row.key,
                            to_bytes(row.version),
                            row.source_time,
                            row.placeholder,
                            tuple([_saved(mention, state.values) for mention in row.mentions]),
                        )
                        for row in rows
                    ]
                ),
            )
    yield _End(state.mention_count)


def _chunks(items: list[_Item]) -> Iterator[list[_Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _saved_decision(held: Held) -> tuple[Decision, MentionPlace, MentionPlace, Published]:
    assert held.published is not None
    return held.decision, held.left, held.right, held.published


def _saved(mention: MentionState, values: Values) -> _Mention:
    person = mention.person
    assert person is not None
    return (
        mention.role,
        mention.ordinal,
        mention.serial,
        person.number,
        mention.rule,
        values.said(mention.value),
        mention.invalid,
        mention.node,
    )


def read_state(path: Path, data: bytes, epoch: int, values: Values | None = None) -> LinkState:
    """Return the state that the snapshot holds; ``values`` keeps what mentions say, in memory if None.

    Raises StateDamagedError, StateIncompatibleError.
    """
    with undisturbed():
        return _read_state(path, data, epoch, values)


def _read_state(path: Path, data: bytes, epoch: int, values: Values | None) -> LinkState:
    position, _ = read_preamble(path, data, "snapshot", epoch)
    state = LinkState({}, values=values)
    graph = GraphReader(state)
    whole = False
    while position < len(data):
        payload = frames.frame_at(data, position)
        if payload is None or whole:
            raise damaged(path)
        position += frames.HEADER_BYTES + len(payload)
        try:
            part = _decode_part(payload)
            whole = _restore(state, graph, part)
        except (msgspec.DecodeError, LookupError, ValueError, WeightsError) as error:
            raise damaged(path) from error
    if not whole:
        raise damaged(path)
    state.decisions.weigh_all()
    graph.finish()
    state.reviews.renew(state.persons, state)
    return state


def _restore(state: LinkState, graph: GraphReader, part: _Part) -> bool:
    """Bring the part into the state; return whether it was the last. Raises LookupError when parts do not
    fit."""
    match part:
        case _Totals():
            state.offset = part.offset
            state.next_person = part.next_person
            state.next_serial = part.next_serial
            state.refresh = part.refresh
            state.authority = part.authority
        case _Persons():
            for number, split_from, digest in part.persons:
                person = state.persons[number] = PersonEntry(number, split_from)
                person.digest = digest
        case _Merged():
            state.merged.update(part.merged)
        case _Switched():
            state.use_table(part.table, part.text, part.switched_at)
        case _Known():
            state.known = part.known
        case _Decisions():
            for decision, left, right, published in part.decisions:
                state.decisions.restore(decision, left, right, published)
        case _Feed():
            feed = state.feed(part.name)
            if part.truncated is not None:
                feed.truncated = from_bytes(part.truncated)
        case _Deleted():
            feed = state.feeds[part.feed]
            feed.deleted.update([(key, from_bytes(version)) for key, version in part.keys])
        case _Rows():
            _restore_rows(state, graph, part)
        case GraphCode() | Words() | Names():
            graph.take(part)
        case _End():
            if part.mentions != state.mention_count:
                raise LookupError
            return True
    return False


def _restore_rows(state: LinkState, graph: GraphReader, part: _Rows) -> None:
    feed = state.feeds[part.feed]
    for key, version, source_time, placeholder, mentions in part.rows:
        row = feed.rows[key] = RowState(feed, key, from_bytes(version), source_time, placeholder)
        for role, ordinal, serial, number, rule, packed, invalid, node in mentions:
            mention = MentionState(row, intern(role), ordinal, serial, 0, invalid)
            state.say(mention, packed)
            mention.rule = rule
            if state.known is not None and serial < state.known.next_serial:
                state.anchored.add(serial)
            mention.person = state.persons[number]
            mention.person.mentions.append(mention)
            row.mentions = (*row.mentions, mention)
            graph.add(mention, node)
            state.mention_count += 1
