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

A record follows from the person's live mentions alone. `Golden` gets there by steps: only elements that a change can
concern are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import xxhash

from avro.record import PERSON_ELEMENTS
from linkage.outputs import Value, Values

if TYPE_CHECKING:
    from linkage.state import MentionState

REMEMBERED_FROM: Final = 3
"""Mentions of a person from which on the record is kept between entries: for fewer it is as quickly made anew."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_OPENINGS: Final = tuple([f'"{element}":[' for element in PERSON_ELEMENTS])
_COUNT: Final = len(PERSON_ELEMENTS)
_PLACES: Final = tuple(range(_COUNT))

_MOST_SETS: Final = 1 << 12


class _Feeds:
    """A set of feeds as provenance names them: in order, each with its position."""

    __slots__ = ("_places", "head", "lists", "place")

    def __init__(self, names: dict[int, str]) -> None:
        """``names`` are by the feeds' bits."""
        ordered = sorted([(name, bit) for bit, name in names.items()])
        self.head = f'{{"feeds":{_encode([name for name, _ in ordered]).decode()},"records":['
        self._places = [(bit, str(place)) for place, (_, bit) in enumerate(ordered)]
        self.place = dict(self._places)
        self.lists: dict[int, str] = {0: "[]"}

    def list_of(self, feeds: int) -> str:
        """Return the positions of a part of the set as a JSON list."""
        places = [place for bit, place in self._places if feeds & bit]
        text = self.lists[feeds] = f"[{','.join(places)}]"
        return text


class FeedSets:
    """The sets of feeds that persons were seen to have: some thousands, for as long as the feeds keep their bits."""

    def __init__(self) -> None:
        self._known: dict[int, _Feeds] = {}

    def find(self, bits: int, mentions: Iterable[MentionState]) -> _Feeds:
        """Return the set ``bits``, which is of the feeds of ``mentions``."""
        found = self._known.get(bits)
        if found is None:
            if len(self._known) >= _MOST_SETS:
                self._known.clear()
            origins = [mention.row.feed.origin for mention in mentions]
            found = self._known[bits] = _Feeds({origin.bit: origin.name for origin in origins})
        return found


class Golden:
    """A person's golden record as it stands, brought up to date mention by mention.

    Element by element: ``best`` the value that survives, ``winner`` the mention that it comes from, ``same`` the
    bits of the feeds that have it, ``other`` those of feeds that have another one.
    """

    __slots__ = ("best", "other", "same", "winner")

    def __init__(self, mentions: Sequence[MentionState]) -> None:
        self.best: list[Value] = [None] * _COUNT
        self.winner: list[MentionState | None] = [None] * _COUNT
        self.same = [0] * _COUNT
        self.other = [0] * _COUNT
        self._fill(_PLACES, mentions)

    def add(self, added: MentionState, mentions: Sequence[MentionState]) -> None:
        """Take in a mention that came to the person; ``mentions`` are all, itself among them."""
        origin = added.row.feed.origin
        bit, ranks = origin.bit, origin.ranks
        best, winners = self.best, self.winner
        again: list[int] = []
        for place, value in enumerate(added.values()):
            if value is None:
                continue
            winner = winners[place]
            if winner is None:
                best[place], winners[place] = value, added
                self.same[place] = bit
            elif value == best[place]:
                self.same[place] |= bit
                if _outranks(added, ranks[place], winner, place):
                    winners[place] = added
            elif not _outranks(added, ranks[place], winner, place):
                self.other[place] |= bit
            elif self.other[place]:
                again.append(place)
            else:
                best[place], winners[place] = value, added
                self.other[place] = self.same[place]
                self.same[place] = bit
        if again:
            self._fill(again, mentions)

    def renew(self, mention: MentionState, before: Values, mentions: Sequence[MentionState]) -> None:
        """Take in that a mention, which said ``before``, says something else, or says it later, never earlier."""
        ranks = mention.row.feed.origin.ranks
        winners = self.winner
        again: list[int] = []
        for place, (value, former) in enumerate(zip(mention.values(), before, strict=True)):
            if value != former:
                again.append(place)
            elif value is not None:
                winner = winners[place]
                assert winner is not None, "the mention itself has a value"
                if winner is not mention and _outranks(mention, ranks[place], winner, place):
                    if value == self.best[place]:
                        winners[place] = mention
                    else:
                        again.append(place)
        if again:
            self._fill(again, mentions)

    def _fill(self, places: Sequence[int], mentions: Sequence[MentionState]) -> None:
        """Make the elements at ``places`` anew."""
        recent = sorted(mentions, key=_recency) if len(mentions) > 1 else mentions
        origins = [mention.row.feed.origin for mention in recent]
        bits = [origin.bit for origin in origins]
        ranks = [origin.ranks for origin in origins]
        count = len(recent)
        columns = tuple(zip(*[mention.values() for mention in recent], strict=True))
        for place in places:
            column = columns[place]
            missing = column.count(None)
            if missing == count:  # half of the elements, for most people
                self.best[place] = self.winner[place] = None
                self.same[place] = self.other[place] = 0
                continue
            chosen = -1
            trust = 0
            first: Value = None
            same = other = 0
            for index, value in enumerate(column):
                if value is not None:
                    rank = ranks[index][place]
                    if chosen < 0 or rank < trust:
                        chosen, trust, first = index, rank, value
            for value, bit in zip(column, bits, strict=True):
                if value == first:
                    same |= bit
                elif value is not None:
                    other |= bit
            self.best[place], self.winner[place] = first, recent[chosen]
            self.same[place], self.other[place] = same, other

    def provenance(self, mentions: Sequence[MentionState], sets: FeedSets) -> str:
        """Return the provenance; ``mentions`` are all of the person."""
        present = 0
        for mention in mentions:
            present |= mention.row.feed.origin.bit
        feeds = sets.find(present, mentions)
        lists, make = feeds.lists, feeds.list_of
        records: list[str] = []
        elements: list[str] = []
        numbers: dict[MentionState, tuple[int, int]] = {}
        for opening, winner, same, disagree in zip(
            _OPENINGS, self.winner, self.same, self.other, strict=True
        ):
            if winner is None:
                continue
            known = numbers.get(winner)
            if known is None:
                row = winner.row
                bit = row.feed.origin.bit
                known = numbers[winner] = len(records), ~bit
                records.append(f"[{feeds.place[bit]},{_encode(row.key).decode()},{row.source_time}]")
            number, others = known
            agree = same & others
            elements.append(
                f"{opening}{number},{lists.get(agree) or make(agree)},{lists.get(disagree) or make(disagree)}]"
            )
        return f'{feeds.head}{",".join(records)}],"elements":{{{",".join(elements)}}}}}'


def _outranks(one: MentionState, rank: int, other: MentionState, place: int) -> bool:
    """Say whether the element's value in ``one``, trusted by ``rank``, goes before that in ``other``."""
    another = other.row.feed.origin.ranks[place]
    return rank < another or (rank == another and _recency(one) < _recency(other))


def _recency(mention: MentionState) -> tuple[int, str, str, str, int]:
    row = mention.row
    return -row.source_time, row.feed.name, row.key, mention.role, mention.ordinal


def digest_of(values: Sequence[Value], provenance: str, mention_count: int) -> bytes:
    """Return a short digest of a golden record, the same in every process: of two golden records of one person
    with one digest the second would not be published, which happens once in 2**64."""
    return xxhash.xxh3_64_digest(_pack((values, provenance, mention_count)))
