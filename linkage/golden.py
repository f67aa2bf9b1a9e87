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
from hashlib import blake2b
from typing import Final

import msgspec

from avro.record import PERSON_ELEMENTS
from linkage.outputs import Value, Values
from linkage.state import MentionState

DIGEST_BYTES: Final = 8
"""Two golden records of one person with one digest, of which the second would not be published, are one in
2**64."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_OPENINGS: Final = tuple([f'"{element}":[' for element in PERSON_ELEMENTS])

_MOST_LISTS: Final = 1 << 16
_lists: Final[dict[int, str]] = {0: "[]"}
"""Sets of feeds, as bits by position, and what they are in JSON."""


def golden_record(mentions: Sequence[MentionState]) -> tuple[Values, str]:
    """Return the surviving values and their provenance for the mentions of one person, at least one."""
    recent = sorted(mentions, key=_recency) if len(mentions) > 1 else mentions
    origins = [mention.row.feed.origin for mention in recent]
    names = sorted({origin.name for origin in origins})
    place_of = {name: place for place, name in enumerate(names)}
    feeds = [place_of[origin.name] for origin in origins]
    ranks = [origin.ranks for origin in origins]
    count = len(recent)
    values: list[Value] = []
    records: list[str] = []
    elements: list[str] = []
    numbers: dict[int, int] = {}
    columns = zip(*[mention.values() for mention in recent], strict=True)
    for place, column in enumerate(columns):
        if column.count(None) == count:  # half of the elements, for most people
            values.append(None)
            continue
        winner = -1
        trust = 0
        holders: dict[Value, int] = {}
        for index, value in enumerate(column):
            if value is not None:
                holders[value] = holders.get(value, 0) | 1 << feeds[index]
                rank = ranks[index][place]
                if winner < 0 or rank < trust:
                    winner, trust = index, rank
        best = column[winner]
        values.append(best)
        agree = holders.pop(best) & ~(1 << feeds[winner])
        disagree = 0
        for others in holders.values():
            disagree |= others
        number = numbers.get(winner)
        if number is None:
            number = numbers[winner] = len(records)
            row = recent[winner].row
            records.append(f"[{feeds[winner]},{_encode(row.key).decode()},{row.source_time}]")
        elements.append(f"{_OPENINGS[place]}{number},{_list(agree)},{_list(disagree)}]")
    head = _encode(names).decode()
    return tuple(
        values
    ), f'{{"feeds":{head},"records":[{",".join(records)}],"elements":{{{",".join(elements)}}}}}'


def _recency(mention: MentionState) -> tuple[int, str, str, str, int]:
    row = mention.row
    return -row.source_time, row.feed.name, row.key, mention.role, mention.ordinal


def _list(feeds: int) -> str:
    """Return a set of feeds as a JSON list of their positions."""
    text = _lists.get(feeds)
    if text is None:
        if len(_lists) >= _MOST_LISTS:
            _lists.clear()
        text = _lists[feeds] = (
            f"[{','.join([str(place) for place in range(feeds.bit_length()) if feeds >> place & 1])}]"
        )
    return text


def digest_of(values: Values, provenance: str, mention_count: int) -> bytes:
    """Return a short digest of a golden record, the same in every process."""
    return blake2b(_pack((values, provenance, mention_count)), digest_size=DIGEST_BYTES).digest()
