"""Why is it one person, why not? Recomputed from the linker's state at the moment of the question.

Scores come from the very function that the engine links by, with the parts they are made of, in bits.
Everything here names keys of records, which are personal data: it is for whoever may see the register itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, islice
from typing import Final

import msgspec

from linkage.compare import Item
from linkage.engine import Engine
from linkage.features import INDEXED, KIND_MASK, Kind
from linkage.graph import SURE, Node
from linkage.outputs import PersonState, format_person_id, parse_person_id
from linkage.state import LinkState, MentionState
from linkage.weights import UNIT

MOST_PAIRS: Final = 200
"""Pairs that are told of one person, of links and of others kept apart each: a person's ten records make
45."""


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a mention stands."""

    feed: str
    key: str
    role: str
    ordinal: int = 0


class MentionWhy(msgspec.Struct, frozen=True):
    """A mention, its person, and the rule by which it is there."""

    place: Place
    person_id: str
    rule: str


class EvidenceWhy(msgspec.Struct, frozen=True):
    """One element's part of a score: how the two compare, and the evidence in bits against the two being
    strangers, and against their being relatives."""

    element: str
    level: str
    stranger: float
    family: float


class PairWhy(msgspec.Struct, frozen=True):
    """Two mentions compared as the engine compares them.

    ``score`` in bits is the smaller sum of ``evidence``; from ``link`` on it links. ``shared`` says by what the
    two were brought together: without any, the engine never compares them. ``one_description``: both say the
    same, and are linked without a score. ``constraint`` is what keeps them apart whatever the score.
    """

    left: MentionWhy
    right: MentionWhy
    same_person: bool
    one_description: bool
    score: float
    link: float
    evidence: tuple[EvidenceWhy, ...]
    shared: tuple[str, ...]
    constraint: str | None


class PersonWhy(msgspec.Struct, frozen=True):
    """A person's mentions, what links them, and mentions of other persons that are like them.

    One who is merged or retired has none of these. ``merged_into`` is the end of the chain. ``more`` counts
    the pairs that are left out beyond `MOST_PAIRS`.
    """

    person_id: str
    state: str
    merged_into: str | None = None
    mentions: tuple[MentionWhy, ...] = ()
    links: tuple[PairWhy, ...] = ()
    kept_apart: tuple[PairWhy, ...] = ()
    more: int = 0


def why_person(engine: Engine, person_id: str) -> PersonWhy | None:
    """Explain a person; None when the id was never issued."""
    state = engine.state
    number = parse_person_id(person_id)
    if number is None or not 0 < number < state.next_person:
        return None
    person = state.persons.get(number)
    if person is None:
        into = state.resolve(number)
        if into == number:
            return PersonWhy(person_id, PersonState.RETIRED)
        return PersonWhy(person_id, PersonState.MERGED, format_person_id(into))
    mentions = sorted(person.mentions, key=_place)
    apart = sorted(_others(state, mentions), key=lambda pair: (_place(pair[0]), _place(pair[1])))
    inside = len(mentions) * (len(mentions) - 1) // 2
    return PersonWhy(
        person_id=person_id,
        state=PersonState.ACTIVE,
        mentions=tuple([_told(mention) for mention in mentions]),
        links=_pairs(state, combinations(mentions, 2)),
        kept_apart=_pairs(state, apart),
        more=max(0, inside - MOST_PAIRS) + max(0, len(apart) - MOST_PAIRS),
    )


def why_pair(engine: Engine, left: Place, right: Place) -> PairWhy | None:
    """Explain why two mentions are one person or not; None when either is not live."""
    one = engine.state.mention(left.feed, left.key, left.role, left.ordinal)
    other = engine.state.mention(right.feed, right.key, right.role, right.ordinal)
    return None if one is None or other is None else _pair(engine.state, one, other)


def _others(state: LinkState, mentions: list[MentionState]) -> list[tuple[MentionState, MentionState]]:
    """Return pairs with other persons' mentions that nearly link, or have the same number."""
    graph = state.graph
    found: list[tuple[MentionState, MentionState]] = []
    for node in dict.fromkeys([mention.node for mention in mentions]):
        near: dict[Node, None] = dict.fromkeys(node.edges)
        for number in node.numbers:
            near.update(dict.fromkeys(graph.numbers[number]))
        person = node.members[0].person
        found += [
            (mention, member)
            for other in near
            for member in other.members
            if member.person is not person
            for mention in node.members
        ]
    return found


def _pairs(state: LinkState, pairs: Iterable[tuple[MentionState, MentionState]]) -> tuple[PairWhy, ...]:
    return tuple([_pair(state, left, right) for left, right in islice(pairs, MOST_PAIRS)])


def _pair(state: LinkState, left: MentionState, right: MentionState) -> PairWhy:
    scorer = state.graph.scorer
    items: list[Item] = []
    score = scorer.score(left.node, right.node, items.append)
    one, other = left.node.core, right.node.core
    constraint = None
    if one.number and other.number and one.number != other.number:
        constraint = "different_numbers"
    elif left.node.edges.get(right.node, 0) <= scorer.apart:
        twins = one.order and other.order and one.order != other.order
        constraint = "different_birth_order" if twins else "plainly_different"
    return PairWhy(
        left=_told(left),
        right=_told(right),
        same_person=left.person is right.person,
        one_description=left.node is right.node,
        score=score / UNIT,
        link=scorer.link / UNIT,
        evidence=tuple(
            [
                EvidenceWhy(item.element, item.level, item.stranger / UNIT, item.family / UNIT)
                for item in items
            ]
        ),
        shared=_shared(state, left.node, right.node),
        constraint=constraint,
    )


def _shared(state: LinkState, one: Node, other: Node) -> tuple[str, ...]:
    graph = state.graph
    found: dict[str, None] = {}
    if any(number in other.numbers and number not in graph.hot_numbers for number in one.numbers):
        found["number"] = None
    keys = {*other.keys, *other.tokens}
    kinds = SURE if one.core.number and other.core.number else INDEXED
    for key in (*one.keys, *one.tokens):
        kind = key & KIND_MASK
        if key in keys and kind in kinds and key not in graph.hot:
            found[Kind(kind).name.lower()] = None
    return tuple(sorted(found))


def _told(mention: MentionState) -> MentionWhy:
    person = mention.person
    assert person is not None
    return MentionWhy(_place(mention), format_person_id(person.number), mention.rule)


def _place(mention: MentionState) -> Place:
    return Place(mention.row.feed.name, mention.row.key, mention.role, mention.ordinal)
