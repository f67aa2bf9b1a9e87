"""Comparing a row of the source with the store's: by value, column by column."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

import msgspec

from avro.record import PERSON_ELEMENTS, Mention
from monitoring.reconcile.source import SourceRow
from monitoring.reconcile.stored import StoredRow

_person_of: Final = attrgetter(*PERSON_ELEMENTS)
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Kind(StrEnum):
    """``missing``: the source has the row and the store has not. ``surplus``: the other way round. ``different``:
    both have it, with different values."""

    MISSING = "missing"
    SURPLUS = "surplus"
    DIFFERENT = "different"


class Difference(msgspec.Struct, frozen=True):
    """A row that differs. ``columns`` are those of ``raw``, ``elements`` the feed's; ``mentions`` are written
    ``role.ordinal.element``, or ``role.ordinal`` where all of it is on one side only. ``version`` is that of the
    store's row. Names only, never a value; the key itself is personal data."""

    key: str
    kind: Kind
    columns: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    version: int = 0


def compare(
    key: str, source: SourceRow | None, stored: StoredRow | None, instants: frozenset[str] = frozenset()
) -> Difference | None:
    """Return how the two differ, None when they do not.

    ``instants`` names the columns whose text is a moment with a zone: one moment has several spellings.
    A source row that cannot become a record is not compared: its change is a dead letter, and the store rightly keeps
    what it had.
    """
    if source is None:
        return None if stored is None else Difference(key, Kind.SURPLUS, version=stored.version)
    if source.normalized is None:
        return None
    if stored is None:
        return Difference(key, Kind.MISSING)
    wanted = source.normalized
    columns: tuple[str, ...] = ()
    if wanted.raw != stored.raw:
        columns = _raw_differences(wanted.raw or "{}", stored.raw or "{}", instants)
    elements: tuple[str, ...] = ()
    if wanted.elements != stored.elements:
        elements = tuple(name for name, value in wanted.elements.items() if value != stored.elements[name])
    mentions = _mention_differences(wanted.record.mentions, stored)
    if not (columns or elements or mentions):
        return None
    return Difference(key, Kind.DIFFERENT, columns, elements, mentions, stored.version)


def _raw_differences(wanted: str, stored: str, instants: frozenset[str]) -> tuple[str, ...]:
    there = _decode(stored)
    here = _decode(wanted)
    names = [
        name
        for name, value in here.items()
        if name not in there
        or (value != there[name] and not (name in instants and _is_one_moment(value, there[name])))
    ]
    return (*names, *(name for name in there if name not in here))


def _is_one_moment(one: Any, other: Any) -> bool:
    try:
        return dt.datetime.fromisoformat(one) == dt.datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def _mention_differences(wanted: tuple[Mention, ...], stored: StoredRow) -> tuple[str, ...]:
    found: list[str] = []
    slots = set()
    for mention in wanted:
        slot = (mention.role, mention.ordinal)
        slots.add(slot)
        name = f"{mention.role}.{mention.ordinal}"
        person = stored.mentions.get(slot)
        if person is None:
            found.append(name)
            continue
        said = _person_of(mention)
        if said != person:
            for element, here, there in zip(PERSON_ELEMENTS, said, person, strict=True):
                if here != there:
                    found.append(f"{name}.{element}")
    found += [f"{role}.{ordinal}" for role, ordinal in sorted(stored.mentions.keys() - slots)]
    return tuple(found)
