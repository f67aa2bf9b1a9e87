"""The golden record: of each element the value that survives, and where it comes from (一数一源、多源核验).

Survivorship: the feed with the highest authority for the element, among its records the most recent one by
the source's own time, among equals the first by feed, key, role and ordinal. A function of the live mentions
alone, so a record that is deleted leaves no trace.

Provenance is a JSON object that names each feed and each record once, and refers to them by position::

    {"feeds": ["health.health_record", "police.hj_ryjbxx"],
     "records": [[1, "<key>", 1700000000000000]],
     "elements": {"name": [0, [0], []]}}

``feeds`` are all that mention the person, ``records`` those that a value comes from: feed, key, and the source
time (microseconds since 1970) of the row state that holds the value. An element that has a value has its record,
the other feeds that have the same value, and those that have another, the value's own feed among them when
its records differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from avro.record import PERSON_ELEMENTS
from linkage.outputs import NO_VALUES, Value, Values
from linkage.state import MentionState, Origin

DIGEST_BYTES: Final = 8
"""Two golden records of one person with one digest, of which the second would not be published, are one in
2**64."""

_MOST_REMEMBERED: Final = 16
"""Mentions up to which stories are remembered. Beyond, hardly two persons are alike, and comparing all values of
an element with each other costs the square of their number."""

_CIRCLES: Final = 4_096
_STORIES: Final = 32_768
"""What is remembered of both; some 20 MB. Departments agree and differ in a few thousand ways."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_OPENINGS: Final = tuple([f'"{element}":[' for element in PERSON_ELEMENTS])
_PLACES: Final = range(len(PERSON_ELEMENTS))

_Pattern = tuple[int, ...]
"""Which values of an element are equal: for each mention the place of the first one that has its value, counted
from 1; 0 without a value. In front, a 0 for nobody."""


class _Circle:
    """The feeds of a person's mentions, most recent first, and the texts that they alone decide."""

    __slots__ = ("feeds", "head", "openings", "origins", "unanimous")

    def __init__(self, origins: tuple[Origin, ...]) -> None:
        names = sorted({origin.name for origin in origins})
        self.origins = origins
        self.feeds = tuple([names.index(origin.name) for origin in origins])
        self.head = f'{{"feeds":{_encode(names).decode()},"records":['
        self.openings = tuple([f"[{feed}," for feed in self.feeds])
        alike = (0,) + (1,) * len(origins)
        self.unanimous = tuple([_tell(self, place, alike) for place in _PLACES])


_circle: Final = lru_cache(_CIRCLES)(_Circle)


def golden_record(mentions: Sequence[MentionState]) -> tuple[Values, str]:
    """Return the surviving values and their provenance for the mentions of one person, at least one."""
    recent = sorted(mentions, key=_recency) if len(mentions) > 1 else mentions
    circle = _circle(tuple([mention.row.feed.origin for mention in recent]))
    count = len(recent)
    values: list[Value] = []
    records: list[str] = []
    elements: list[str] = []
    numbers: dict[int, int] = {}
    # None comes first in every column, so that it is what position 0 stands for.
    columns = zip(NO_VALUES, *[mention.values for mention in recent], strict=True)
    for opening, unanimous, place, column in zip(_OPENINGS, circle.unanimous, _PLACES, columns, strict=True):
        value = column[1]
        alike = column.count(value)
        if alike > count:
            values.append(None)
            continue
        if alike == count and value is not None:  # by far the most elements
            winner, end = unanimous
        elif count <= _MOST_REMEMBERED:
            winner, end = _story(circle, place, tuple(map(column.index, column)))
            value = column[winner]
        else:
            winner, end = _tell(circle, place, _pattern(column))
            value = column[winner]
        values.append(value)
        number = numbers.get(winner)
        if number is None:
            number = numbers[winner] = len(records)
            row = recent[winner - 1].row
            records.append(f"{circle.openings[winner - 1]}{_encode(row.key).decode()},{row.source_time}]")
        elements.append(f"{opening}{number}{end}")
    return tuple(values), f'{circle.head}{",".join(records)}],"elements":{{{",".join(elements)}}}}}'


def _recency(mention: MentionState) -> tuple[int, str, str, str, int]:
    row = mention.row
    return -row.source_time, row.feed.name, row.key, mention.role, mention.ordinal


def _pattern(column: Sequence[Value]) -> _Pattern:
    """Return the same as all the values' ``column.index``, in linear time."""
    first: dict[Value, int] = {}
    return tuple([first.setdefault(value, index) for index, value in enumerate(column)])


def _tell(circle: _Circle, place: int, pattern: _Pattern) -> tuple[int, str]:
    """Return which mention wins the element at ``place``, counted from 1, and the end of the element's provenance.

    At least one mention has a value.
    """
    held = [index for index, first in enumerate(pattern) if first]
    winner = min([(circle.origins[index - 1].ranks[place], index) for index in held])[1]
    value, own = pattern[winner], circle.feeds[winner - 1]
    agree = {circle.feeds[index - 1] for index in held if pattern[index] == value} - {own}
    disagree = {circle.feeds[index - 1] for index in held if pattern[index] != value}
    return winner, f",{_list(agree)},{_list(disagree)}]"


_story: Final = lru_cache(_STORIES)(_tell)


def _list(feeds: set[int]) -> str:
    return f"[{','.join([str(feed) for feed in sorted(feeds)])}]"


def digest_of(values: Values, provenance: str, mention_count: int) -> bytes:
    """Return a short digest of a golden record, the same in every process."""
    return blake2b(_pack((values, provenance, mention_count)), digest_size=DIGEST_BYTES).digest()
