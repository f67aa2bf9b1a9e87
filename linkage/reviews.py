"""Reviews: pairs that evidence leaves open, for a human to decide.

Two persons are a review when mentions of theirs score between the table's two thresholds, or above the upper one where
another person fits as well, so that they were not joined; and nothing says that they cannot be one. Of all such pairs
of two persons the best one is shown. Which reviews are open is a function of the live mentions and decisions alone; one
that is not any more is decided where a decision says so, else withdrawn.

The order in which they are worth a human's time is the harm to be expected: how likely the two are one person, times
the pairs of records that are then not linked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from avro.record import MentionPlace
from linkage.graph import Graph
from linkage.state import LinkState, MentionState, PersonEntry
from linkage.weights import UNIT

SHARE: Final = 0.02
"""Of the records: so many reviews are put before humans at most, those with the most harm. The rest is counted."""

_encode: Final = msgspec.msgpack.Encoder().encode


class ReviewReason(StrEnum):
    """``between_thresholds``: too little evidence to link, too much to leave. ``held_back``: enough to link, but
    somebody else fits about as well, or a constraint in between forbids it."""

    BETWEEN_THRESHOLDS = "between_thresholds"
    HELD_BACK = "held_back"


class ReviewState(StrEnum):
    """``withdrawn``: the evidence has changed and there is nothing left to decide."""

    OPEN = "open"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Review(msgspec.Struct, frozen=True):
    """An open pair. ``left`` is before ``right``; ``score`` is in bits, ``harm`` in wrong pairs to be expected."""

    review_id: str
    left: MentionPlace
    right: MentionPlace
    left_person: int
    right_person: int
    score: float
    harm: float
    reason: ReviewReason


def review_id(left: MentionPlace, right: MentionPlace) -> str:
    """Return the id of a pair: the same whenever and wherever it is asked for."""
    return "R" + blake2b(_encode((left, right)), digest_size=8).hexdigest()


def reviews_of(person: PersonEntry, graph: Graph) -> dict[int, Review]:
    """Return the open reviews of a person, by the other person's number."""
    best: dict[PersonEntry, tuple[int, list[tuple[int, int]]]] = {}
    barred: set[PersonEntry] = set()
    scorer, members = graph.scorer, graph.members
    for node, other, value in graph.outside(list({mention.node: None for mention in person.mentions})):
        owner = members[other][0].person
        if owner is None:
            continue
        if value <= scorer.apart:
            barred.add(owner)
            continue
        known = best.get(owner)
        if known is None or value > known[0]:
            best[owner] = value, [(node, other)]
        elif value == known[0]:
            known[1].append((node, other))
    if not best:
        return {}
    own = _numbers(person, graph)
    found: dict[int, Review] = {}
    for owner, (value, pairs) in best.items():
        if owner in barred or _excluded(own, owner, pairs, graph):
            continue
        ends = min([tuple(sorted((_place(members[node]), _place(members[other])))) for node, other in pairs])
        left, right = ends
        numbers = (person.number, owner.number)
        if not any(mention.place == left for mention in person.mentions):
            numbers = (owner.number, person.number)
        found[owner.number] = Review(
            review_id=review_id(left, right),
            left=left,
            right=right,
            left_person=numbers[0],
            right_person=numbers[1],
            score=value / UNIT,
            harm=_harm(value, len(person.mentions), len(owner.mentions)),
            reason=ReviewReason.HELD_BACK if value >= scorer.link else ReviewReason.BETWEEN_THRESHOLDS,
        )
    return found


def _excluded(own: set[int], owner: PersonEntry, pairs: Iterable[tuple[int, int]], graph: Graph) -> bool:
    """Say whether the two have different valid numbers, unless mentions with a number each are alike."""
    others = _numbers(owner, graph)
    if not own or not others or own & others:
        return False
    return not any(graph.number(node) and graph.number(other) for node, other in pairs)


def _numbers(person: PersonEntry, graph: Graph) -> set[int]:
    return {graph.number(mention.node) for mention in person.mentions} - {0}


def _place(mentions: Iterable[MentionState]) -> MentionPlace:
    return min([mention.place for mention in mentions])


def _harm(score: int, one: int, other: int) -> float:
    likely = 1 / (1 + math.exp2(-score / UNIT))
    return round(likely * one * other, 6)


class ReviewBook:
    """The open reviews, kept up to date person by person."""

    def __init__(self) -> None:
        self._by_person: dict[int, dict[int, Review]] = {}
        self.count = 0

    def __contains__(self, person: int) -> bool:
        return person in self._by_person

    def all(self) -> list[Review]:
        """Return the open reviews, those with the most harm first."""
        found = [
            review
            for person, reviews in self._by_person.items()
            for other, review in reviews.items()
            if person < other
        ]
        return sorted(found, key=lambda review: (-review.harm, review.review_id))

    def of(self, person: int) -> list[Review]:
        """Return the open reviews of a person."""
        return list(self._by_person.get(person, {}).values())

    def renew(self, persons: Iterable[int], state: LinkState) -> tuple[list[Review], list[Review]]:
        """Bring the persons' reviews up to date; return those that were closed, and those that are new or changed."""
        closed: dict[str, Review] = {}
        opened: dict[str, Review] = {}
        for number in sorted(persons):
            person = state.persons.get(number)
            found = {} if person is None else reviews_of(person, state.graph)
            before = self._by_person.get(number, {})
            for other, review in before.items():
                if found.get(other) != review:
                    closed.setdefault(review.review_id, review)
                    del self._by_person[other][number]
                    if not self._by_person[other]:
                        del self._by_person[other]
                    self.count -= 1
            for other, review in found.items():
                if before.get(other) != review:
                    opened[review.review_id] = review
                    self._by_person.setdefault(other, {})[number] = review
                    self.count += 1
            if found:
                self._by_person[number] = found
            else:
                self._by_person.pop(number, None)
        gone = [review for key, review in closed.items() if key not in opened]
        new = [review for key, review in opened.items() if closed.get(key) != review]
        return gone, new
