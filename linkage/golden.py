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

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Final

from avro.record import PERSON_ELEMENTS
from linkage.outputs import Values
from linkage.state import MentionState

DIGEST_BYTES: Final = 8
"""Two golden records of one person with one digest, of which the second would not be published, are one in
2**64."""

_quote = json.JSONEncoder(ensure_ascii=False).encode
_quote_feed = lru_cache(1024)(_quote)
_ELEMENT_KEYS: Final = tuple([f"{_quote(element)}:{{" for element in PERSON_ELEMENTS])
_ELEMENTS: Final = range(len(PERSON_ELEMENTS))
_first: Final = itemgetter(0)


def golden_record(mentions: Sequence[MentionState]) -> tuple[Values, str]:
    """Return the surviving values and their provenance for the mentions of one person, at least one."""
    if len(mentions) == 1:
        return _single(mentions[0])
    ranked = sorted(
        [((-mention.row.source_time, mention.order), mention) for mention in mentions], key=_first
    )
    recent = [
        (mention, mention.values, mention.row.feed.ranks, mention.row.feed.name) for _, mention in ranked
    ]
    values: list[str | int | None] = []
    parts: list[str] = []
    sources: dict[int, str] = {}
    for element in _ELEMENTS:
        winner: MentionState | None = None
        value: str | int | None = None
        best = own = 0
        several = False
        for index, (mention, candidate, ranks, _) in enumerate(recent):
            if candidate[element] is None:
                continue
            rank = ranks[element]
            if winner is None:
                winner, value, best, own = mention, candidate[element], rank, index
            else:
                several = True
                if rank < best:
                    winner, value, best, own = mention, candidate[element], rank, index
        values.append(value)
        if winner is None:
            continue
        source = sources.get(own)
        if source is None:
            source = sources[own] = _source(winner)
        if not several:
            parts.append(f'{_ELEMENT_KEYS[element]}{source}"agree":[],"disagree":[]}}')
            continue
        agree: set[str] = set()
        disagree: set[str] = set()
        for mention, candidate, _, feed in recent:
            other = candidate[element]
            if other is not None and mention is not winner:
                (agree if other == value else disagree).add(feed)
        agree.discard(recent[own][3])
        parts.append(f'{_ELEMENT_KEYS[element]}{source}"agree":{_list(agree)},"disagree":{_list(disagree)}}}')
    return tuple(values), "{" + ",".join(parts) + "}"


def _single(mention: MentionState) -> tuple[Values, str]:
    tail = f'{_source(mention)}"agree":[],"disagree":[]}}'
    parts = [_ELEMENT_KEYS[element] + tail for element in _ELEMENTS if mention.values[element] is not None]
    return mention.values, "{" + ",".join(parts) + "}"


def _source(mention: MentionState) -> str:
    row = mention.row
    department, table = _quote_feed(row.feed.department), _quote_feed(row.feed.table)
    return f'"department":{department},"table":{table},"key":{_quote(row.key)},"since":{row.source_time},'


def _list(feeds: set[str]) -> str:
    return "[" + ",".join([_quote_feed(feed) for feed in sorted(feeds)]) + "]" if feeds else "[]"


def digest_of(values: Values, provenance: str, mention_count: int) -> bytes:
    """Return a short digest of a golden record, the same in every process."""
    text = f"{mention_count}\0{values!r}\0{provenance}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
