"""The golden record: of each element the value that survives, and where it comes from (一数一源、多源核验).

Survivorship: the feed with the highest authority for the element, among its records the most recent one by
the source's own time, among equals the first by feed, key, role and ordinal. A function of the live mentions
alone, so a record that is deleted leaves no trace.

Provenance is a JSON object: element to ``{"department", "table", "key", "since", "agree", "disagree"}``.
``since`` is the source time (microseconds since 1970) of the row state that holds the value; ``agree`` names
the other feeds that have the same value, ``disagree`` those that have another, the value's own feed among
them when its records differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from avro.record import PERSON_ELEMENTS
from linkage.outputs import Value, Values
from linkage.state import MentionState

DIGEST_BYTES: Final = 8
"""Two golden records of one person with one digest, of which the second would not be published, are one in
2**64."""

_CACHE_SIZE: Final = 65_536
_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_ALONE: Final = '"agree":[],"disagree":[]}'


def _quote(text: str) -> str:
    return _encode(text).decode()


_OPENINGS: Final = tuple([f"{_quote(element)}:{{" for element in PERSON_ELEMENTS])


def golden_record(mentions: Sequence[MentionState]) -> tuple[Values, str]:
    """Return the surviving values and their provenance for the mentions of one person, at least one."""
    if len(mentions) == 1:
        return _single(mentions[0])
    recent = sorted(mentions, key=_recency)
    feeds = [mention.row.feed for mention in recent]
    names = tuple(sorted({feed.name for feed in feeds}))
    bits = [1 << names.index(feed.name) for feed in feeds]
    everybody = (1 << len(names)) - 1
    count = len(recent)
    places = range(count)
    values: list[Value] = []
    parts: list[str] = []
    sources: dict[int, str] = {}
    unanimous: dict[int, str] = {}
    columns = zip(*[mention.values for mention in recent], strict=True)
    ranks = zip(*[feed.ranks for feed in feeds], strict=True)
    for opening, column, rank in zip(_OPENINGS, columns, ranks, strict=True):
        value = column[0]
        if column.count(value) == count:  # by far the most elements: all have it alike, or none has it
            values.append(value)
            if value is not None:
                winner = rank.index(min(rank))
                end = unanimous.get(winner)
                if end is None:
                    source = sources[winner] = sources.get(winner) or _source(recent[winner])
                    end = unanimous[winner] = source + _witnesses(names, everybody & ~bits[winner], 0)
                parts.append(opening + end)
            continue
        winner = min([(rank[index], index) for index in places if column[index] is not None])[1]
        value = column[winner]
        values.append(value)
        agree = disagree = 0
        for bit, other in zip(bits, column, strict=True):
            if other == value:
                agree |= bit
            elif other is not None:
                disagree |= bit
        source = sources[winner] = sources.get(winner) or _source(recent[winner])
        parts.append(f"{opening}{source}{_witnesses(names, agree & ~bits[winner], disagree)}")
    return tuple(values), "{" + ",".join(parts) + "}"


def _recency(mention: MentionState) -> tuple[int, str, str, str, int]:
    row = mention.row
    return -row.source_time, row.feed.name, row.key, mention.role, mention.ordinal


def _single(mention: MentionState) -> tuple[Values, str]:
    tail = _source(mention) + _ALONE
    parts = [
        opening + tail for opening, value in zip(_OPENINGS, mention.values, strict=True) if value is not None
    ]
    return mention.values, "{" + ",".join(parts) + "}"


def _source(mention: MentionState) -> str:
    row = mention.row
    return f'{_table(row.feed.department, row.feed.table)}"key":{_quote(row.key)},"since":{row.source_time},'


@lru_cache(_CACHE_SIZE)
def _table(department: str, table: str) -> str:
    return f'"department":{_quote(department)},"table":{_quote(table)},'


@lru_cache(_CACHE_SIZE)
def _witnesses(names: tuple[str, ...], agree: int, disagree: int) -> str:
    """Return the end of an element's provenance; ``agree`` and ``disagree`` are sets of ``names``, as
    bits."""
    if not agree and not disagree:
        return _ALONE
    lists = [
        [name for index, name in enumerate(names) if chosen >> index & 1] for chosen in (agree, disagree)
    ]
    return f'"agree":{_encode(lists[0]).decode()},"disagree":{_encode(lists[1]).decode()}}}'


def digest_of(values: Values, provenance: str, mention_count: int) -> bytes:
    """Return a short digest of a golden record, the same in every process."""
    return blake2b(_pack((values, provenance, mention_count)), digest_size=DIGEST_BYTES).digest()
