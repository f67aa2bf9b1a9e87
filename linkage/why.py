"""Why is it one person, why not? Recomputed from the linker's state at the moment of the question.

Scores come from the very function that the engine links by, with the parts they are made of, in bits.
Everything here names keys of records, which are personal data: it is for whoever may see the register itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, islice
from typing import Final

import msgspec

from avro.normalize.name_key import name_key
from avro.record import DecisionKind
from linkage.compare import Item
from linkage.engine import Engine
from linkage.features import INDEXED, KIND_MASK, Kind
from linkage.graph import SURE, Look, number_key
from linkage.names import name_share
from linkage.node import Node
from linkage.outputs import PersonState, format_person_id, parse_person_id
from linkage.state import LinkState, MentionState, PersonEntry
from linkage.weights import UNIT
from linkage.words import CONSTRAINTS, ELEMENTS, Words, told

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
    en: str
    zh: str


class TermWhy(msgspec.Struct, frozen=True):
    """A value that both share: how many descriptions of persons have it now, and whether these are too many for it to
    prove anything. Of names ``share`` is how many people in one are called so, about."""

    element: str
    holders: int | None
    hot: bool
    share: float | None
    en: str
    zh: str


class StepWhy(msgspec.Struct, frozen=True):
    """A link by which a person came together; these are told in the order in which the engine follows them."""

    left: Place
    right: Place
    score: float


class PairWhy(msgspec.Struct, frozen=True):
    """Two mentions compared as the engine compares them.

    ``score`` in bits is the smaller sum of ``evidence``; from ``link`` on it links. ``shared`` says by what the
    two were brought together: without any, the engine never compares them. ``one_description``: both say the
    same, and are linked without a score. ``constraint`` is what keeps them apart whatever the score. ``decision`` is
    the number of the standing decision about the two: its score is the last of ``evidence`` then, and counts alone.
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
    constraint_en: str = ""
    constraint_zh: str = ""
    decision: str | None = None
    terms: tuple[TermWhy, ...] = ()


class PersonWhy(msgspec.Struct, frozen=True):
    """A person's mentions, what links them, and mentions of other persons that are like them.

    One who is merged or retired has none of these. ``merged_into`` is the end of the chain. ``more`` counts
    the pairs that are left out beyond `MOST_PAIRS`. ``merged_from`` are the ids that have become part of this one,
    ``split_from`` the one that it was part of, ``how`` the links that hold it together.
    """

    person_id: str
    state: str
    merged_into: str | None = None
    merged_from: tuple[str, ...] = ()
    split_from: str | None = None
    how: tuple[StepWhy, ...] = ()
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
        merged_from=tuple(
            [format_person_id(one) for one in sorted(state.merged) if state.resolve(one) == number]
        ),
        split_from=None if person.split_from is None else format_person_id(person.split_from),
        how=_how(state, person),
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
    look = Look(graph)
    found: list[tuple[MentionState, MentionState]] = []
    for node in dict.fromkeys([mention.node for mention in mentions]):
        near = dict.fromkeys([other for other, _ in graph.edges(node)])
        for number in look(node).numbers:
            near.update(dict.fromkeys(graph.with_number(number)))
        members = graph.members[node]
        person = members[0].person
        found += [
            (mention, member)
            for other in near
            for member in graph.members[other]
            if member.person is not person
            for mention in members
        ]
    return found


def _pairs(state: LinkState, pairs: Iterable[tuple[MentionState, MentionState]]) -> tuple[PairWhy, ...]:
    return tuple([_pair(state, left, right) for left, right in islice(pairs, MOST_PAIRS)])


def _pair(state: LinkState, left: MentionState, right: MentionState) -> PairWhy:
    scorer = state.graph.scorer
    items: list[Item] = []
    look = Look(state.graph)
    node, another = look(left.node), look(right.node)
    score = scorer.score(node, another, items.append)
    one, other = node.core, another.core
    verdicts = {verdict.other: verdict for verdict in state.decisions.verdicts(left.place)}
    verdict = verdicts.get(right.place)
    decision = None
    constraint = None
    if verdict is not None:
        score = verdict.score(score)
        decision = verdict.decision.decision_id
        items.append(Item("decision", verdict.decision.kind, score, score))
    if verdict is not None and verdict.decision.kind is DecisionKind.CANNOT_LINK:
        constraint = "decision"
    elif one.number and other.number and one.number != other.number:
        constraint = None if verdict is not None and score >= scorer.link else "different_numbers"
    elif node.edges.get(another, 0) <= scorer.apart:
        twins = one.order and other.order and one.order != other.order
        constraint = "different_birth_order" if twins else "plainly_different"
    words = CONSTRAINTS[constraint] if constraint else Words("", "")
    return PairWhy(
        left=_told(left),
        right=_told(right),
        same_person=left.person is right.person,
        one_description=node is another,
        score=score / UNIT,
        link=scorer.link / UNIT,
        evidence=tuple([_evidence(item) for item in items]),
        shared=_shared(state, node, another),
        constraint=constraint,
        constraint_en=words.en,
        constraint_zh=words.zh,
        decision=decision,
        terms=_terms(state, node, another),
    )


def _evidence(item: Item) -> EvidenceWhy:
    words = told(item.element, item.level)
    return EvidenceWhy(
        item.element, str(item.level), item.stranger / UNIT, item.family / UNIT, words.en, words.zh
    )


def _terms(state: LinkState, one: Node, other: Node) -> tuple[TermWhy, ...]:
    """Return how frequent what the two share is."""
    graph = state.graph
    found: list[TermWhy] = []
    for number in sorted(set(one.numbers) & set(other.numbers)):
        words = ELEMENTS["number"]
        key = number_key(number)
        found.append(TermWhy("number", graph.holders(key), graph.is_hot(key), None, *words))
    keys = {*other.keys, *other.tokens}
    for key in sorted({*one.keys, *one.tokens} & keys):
        name = Kind(key & KIND_MASK).name.lower()
        holders = graph.holders(key) if key & KIND_MASK in INDEXED else None
        found.append(TermWhy(name, holders, graph.is_hot(key), None, *ELEMENTS[name]))
    for text in sorted(set(one.core.names) & set(other.core.names)):
        found.append(TermWhy("name", None, False, name_share(name_key(text)), *ELEMENTS["name"]))
    return tuple(found)


def _how(state: LinkState, person: PersonEntry) -> tuple[StepWhy, ...]:
    """Return the strongest links that connect the person's descriptions (Kruskal 1956)."""
    look = Look(state.graph)
    nodes = sorted(
        [look(node) for node in {mention.node: None for mention in person.mentions}],
        key=lambda node: node.order,
    )
    place: dict[Node, int] = {node: index for index, node in enumerate(nodes)}
    link = state.graph.scorer.link
    links = sorted(
        [
            (-value, index, place[other])
            for node, index in place.items()
            for other, value in node.edges.items()
            if value >= link and place.get(other, -1) > index
        ]
    )
    group = list(range(len(nodes)))
    found: list[StepWhy] = []
    for negative, first, second in links:
        one, other = group[first], group[second]
        if one != other:
            group = [one if label == other else label for label in group]
            found.append(StepWhy(_first(nodes[first]), _first(nodes[second]), -negative / UNIT))
    return tuple(found)


def _first(node: Node) -> Place:
    return min([_place(mention) for mention in node.members])


def _shared(state: LinkState, one: Node, other: Node) -> tuple[str, ...]:
    graph = state.graph
    found: dict[str, None] = {}
    if any(number in other.numbers and not graph.is_hot(number_key(number)) for number in one.numbers):
        found["number"] = None
    keys = {*other.keys, *other.tokens}
    kinds = SURE if one.core.number and other.core.number else INDEXED
    for key in (*one.keys, *one.tokens):
        kind = key & KIND_MASK
        if key in keys and kind in kinds and not graph.is_hot(key):
            found[Kind(kind).name.lower()] = None
    return tuple(sorted(found))


def _told(mention: MentionState) -> MentionWhy:
    person = mention.person
    assert person is not None
    return MentionWhy(_place(mention), format_person_id(person.number), mention.rule)


def _place(mention: MentionState) -> Place:
    return Place(mention.row.feed.name, mention.row.key, mention.role, mention.ordinal)
