"""Why is it one person, why not? Recomputed from the linker's state at the moment of the question.

Everything here names keys of records, which are personal data: it is for whoever may see the register itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, islice, product
from typing import Final

import msgspec

from linkage.engine import Engine
from linkage.evidence import RULES, Agreement, Strength, compare, compare_dates, compare_names
from linkage.outputs import PersonState, format_person_id, parse_person_id
from linkage.state import LinkState, MentionState

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


class PairWhy(msgspec.Struct, frozen=True):
    """Two mentions compared as the engine compares them.

    ``rule`` is what links the two directly, None when nothing does: they can still be one person through
    others. ``plainly_different`` people are not even linked through others. ``crowded``: so many different
    people carry the number that it links equal names and birth dates only.
    """

    left: MentionWhy
    right: MentionWhy
    same_person: bool
    same_number: bool
    name: Agreement
    birth_date: Agreement
    rule: str | None
    plainly_different: bool
    crowded: bool


class PersonWhy(msgspec.Struct, frozen=True):
    """A person's mentions, what links them, and the other persons' mentions with the same number.

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
    shared = mentions[0].number
    block = state.blocks[shared] if shared is not None else []
    others = sorted([mention for mention in block if mention.person is not person], key=_place)
    inside = len(mentions) * (len(mentions) - 1) // 2
    outside = len(mentions) * len(others)
    return PersonWhy(
        person_id=person_id,
        state=PersonState.ACTIVE,
        mentions=tuple([_told(mention) for mention in mentions]),
        links=_pairs(state, combinations(mentions, 2)),
        kept_apart=_pairs(state, product(mentions, others)),
        more=max(0, inside - MOST_PAIRS) + max(0, outside - MOST_PAIRS),
    )


def why_pair(engine: Engine, left: Place, right: Place) -> PairWhy | None:
    """Explain why two mentions are one person or not; None when either is not live."""
    one = engine.state.mention(left.feed, left.key, left.role, left.ordinal)
    other = engine.state.mention(right.feed, right.key, right.role, right.ordinal)
    return None if one is None or other is None else _pair(engine.state, one, other)


def _pairs(state: LinkState, pairs: Iterable[tuple[MentionState, MentionState]]) -> tuple[PairWhy, ...]:
    return tuple([_pair(state, left, right) for left, right in islice(pairs, MOST_PAIRS)])


def _pair(state: LinkState, left: MentionState, right: MentionState) -> PairWhy:
    same_number = left.number is not None and left.number == right.number
    crowded = same_number and left.number in state.crowded
    strength = compare(left.profile, right.profile)
    if not same_number or strength < Strength.NOTHING_KNOWN or (crowded and left.profile != right.profile):
        rule = None
    else:
        rule = RULES[strength]
    return PairWhy(
        left=_told(left),
        right=_told(right),
        same_person=left.person is right.person,
        same_number=same_number,
        name=compare_names(
            left.profile.name, left.profile.former_name, right.profile.name, right.profile.former_name
        ),
        birth_date=compare_dates(left.profile.birth_date, right.profile.birth_date),
        rule=rule,
        plainly_different=strength is Strength.PLAINLY_DIFFERENT,
        crowded=crowded,
    )


def _told(mention: MentionState) -> MentionWhy:
    person = mention.person
    assert person is not None
    return MentionWhy(_place(mention), format_person_id(person.number), mention.rule)


def _place(mention: MentionState) -> Place:
    return Place(mention.row.feed.name, mention.row.key, mention.role, mention.ordinal)
