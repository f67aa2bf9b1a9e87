"""Stewards' decisions: which of them count, and about whom.

A decision is about two mentions and stays with them when the source changes their key. Which decisions stand is a
function of the set of those that are not revoked, whatever the order in which they came: by the time at which they
were decided, each one that contradicts what stands before it does not stand. Only what stands has an effect on links;
what does not is told with the decision that it contradicts, and comes into force when that one is revoked.

Nothing here knows who is live or what a score is: `linkage.graph` asks for the verdicts on a mention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from avro.record import Decision, DecisionKind, MentionPlace
from linkage.weights import APART, TOGETHER

DIFFERENT_NUMBERS: Final = "different_numbers"
OVERRIDES: Final = (DIFFERENT_NUMBERS,)
"""Constraints that a must-link has to name, or it is not followed where one of them stands against it."""


class DecisionState(StrEnum):
    """``waiting``: one of the mentions is not live. ``contradicted``: it has no effect, the rule says why."""

    IN_FORCE = "in_force"
    WAITING = "waiting"
    CONTRADICTED = "contradicted"
    REVOKED = "revoked"


class Conflict(StrEnum):
    """Why a decision is contradicted.

    ``another_decision``: an earlier one says the opposite, directly or by others. ``one_mention``: it is about one
    mention twice. ``different_numbers``: the two, or those who are linked with them, have different valid numbers.
    ``kept_apart``: they are linked with mentions that are plainly different, or that another decision keeps apart.
    """

    ANOTHER_DECISION = "another_decision"
    ONE_MENTION = "one_mention"
    DIFFERENT_NUMBERS = DIFFERENT_NUMBERS
    KEPT_APART = "kept_apart"


class Verdict(NamedTuple):
    """A standing decision as one of its two mentions sees it."""

    other: MentionPlace
    decision: Decision

    def score(self, score: int) -> int:
        """Return the score of the two mentions under the decision, given the one that evidence makes.

        Two different valid numbers stay two persons, unless the decision names that constraint.
        """
        if self.decision.kind is DecisionKind.CANNOT_LINK:
            return APART
        return APART if score == APART and DIFFERENT_NUMBERS not in self.decision.overrides else TOGETHER


class Published(msgspec.Struct, frozen=True, array_like=True):
    """What was last put out of a decision, so that nothing is put out twice."""

    state: DecisionState
    conflict: str
    left: MentionPlace
    right: MentionPlace
    contradicts: str | None


class Held:
    """A decision with the places at which its mentions are now.

    ``contradicts`` is the id of a standing decision that says the opposite, its own where it is about one mention.
    """

    __slots__ = ("contradicts", "decision", "left", "published", "right")

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.left = decision.left
        self.right = decision.right
        self.contradicts: str | None = None
        self.published: Published | None = None

    @property
    def stands(self) -> bool:
        """Whether it is not revoked and contradicts nothing that stands."""
        return self.decision.revoked_at is None and self.contradicts is None

    @property
    def order(self) -> tuple[int, str]:
        """By when it was decided; of two at one time by id."""
        return self.decision.decided_at, self.decision.decision_id


class DecisionBook:
    """All decisions, found by id and by mention."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._at: dict[MentionPlace, dict[str, None]] = {}
        self._rows: dict[tuple[str, str, str], dict[MentionPlace, None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    def get(self, decision_id: str) -> Held | None:
        """Return the decision of that id, None when there is none."""
        return self._held.get(decision_id)

    def knows(self, decision: Decision) -> bool:
        """Say whether the same or a newer state of the decision is known: putting it would change nothing."""
        known = self._held.get(decision.decision_id)
        return known is not None and known.decision.version >= decision.version

    def put(self, decision: Decision) -> set[MentionPlace] | None:
        """Take in a decision or its revocation; return the mentions whom it can concern.

        None when the same or a newer state of it is known: nothing changes then.
        """
        if self.knows(decision):
            return None
        known = self._held.get(decision.decision_id)
        concerned: set[MentionPlace] = set()
        held = Held(decision)
        if known is not None:
            concerned |= self._component((known.left, known.right))
            if {known.decision.left, known.decision.right} == {decision.left, decision.right}:
                held.left, held.right = known.left, known.right
                if known.decision.left != decision.left:
                    held.left, held.right = known.right, known.left
            held.published = known.published
            self._unlink(known)
        self._held[decision.decision_id] = held
        self._link(held)
        concerned |= self._component((held.left, held.right))
        self._weigh(concerned)
        return concerned

    def restore(
        self, decision: Decision, left: MentionPlace, right: MentionPlace, published: Published
    ) -> None:
        """Put back a decision out of a snapshot; `weigh_all` follows the last."""
        held = self._held[decision.decision_id] = Held(decision)
        held.left, held.right, held.published = left, right, published
        self._link(held)

    def weigh_all(self) -> None:
        """Find out anew which decisions stand."""
        self._weigh(set(self._at))

    def rename(self, department: str, table: str, key: str, new: str) -> set[MentionPlace]:
        """The source gave the row another key; return the mentions whom that can concern."""
        places = self._rows.get((department, table, key))
        if not places:
            return set()
        concerned: set[MentionPlace] = set()
        for place in list(places):
            moved = msgspec.structs.replace(place, key=new)
            for decision_id in list(self._at[place]):
                held = self._held[decision_id]
                self._unlink(held)
                held.left = moved if held.left == place else held.left
                held.right = moved if held.right == place else held.right
                self._link(held)
            concerned |= self._component((moved,))
        self._weigh(concerned)
        return concerned

    def binds(self, place: MentionPlace) -> bool:
        """Say whether a decision is about the mention: it is then a description of its own."""
        return place in self._at

    def at(self, place: MentionPlace) -> list[Held]:
        """Return the decisions about a mention that are not revoked."""
        return [self._held[decision_id] for decision_id in self._at.get(place, ())]

    def verdicts(self, place: MentionPlace) -> Iterator[Verdict]:
        """Yield the standing decisions about a mention."""
        for held in self.at(place):
            if held.stands:
                yield Verdict(held.right if held.left == place else held.left, held.decision)

    def contradiction(self, decision: Decision) -> str | None:
        """Return the id of a standing decision that ``decision``, were it entered last, would contradict."""
        if decision.left == decision.right:
            return decision.decision_id
        groups, apart = _Groups(), dict[str, Held]()
        for held in self._ordered(self._component((decision.left, decision.right))):
            if held.stands and held.decision.decision_id != decision.decision_id:
                groups.take(held, apart)
        return groups.against(decision.kind, decision.left, decision.right, apart)

    def _link(self, held: Held) -> None:
        if held.decision.revoked_at is None:
            for place in (held.left, held.right):
                self._at.setdefault(place, {})[held.decision.decision_id] = None
                self._rows.setdefault((place.department, place.table, place.key), {})[place] = None

    def _unlink(self, held: Held) -> None:
        for place in (held.left, held.right):
            ids = self._at.get(place)
            if ids is not None:
                ids.pop(held.decision.decision_id, None)
                if not ids:
                    del self._at[place]
                    row = place.department, place.table, place.key
                    del self._rows[row][place]
                    if not self._rows[row]:
                        del self._rows[row]

    def _component(self, places: Iterable[MentionPlace]) -> set[MentionPlace]:
        """Return the mentions that decisions connect with ``places``, these among them."""
        found = set(places)
        waiting = list(found)
        for place in waiting:
            for held in self.at(place):
                for other in (held.left, held.right):
                    if other not in found:
                        found.add(other)
                        waiting.append(other)
        return found

    def _weigh(self, places: Iterable[MentionPlace]) -> None:
        """Find out which decisions about ``places``, whole components of them, stand."""
        groups, apart = _Groups(), dict[str, Held]()
        for held in self._ordered(places):
            held.contradicts = (
                held.decision.decision_id
                if held.left == held.right
                else groups.against(held.decision.kind, held.left, held.right, apart)
            )
            if held.contradicts is None:
                groups.take(held, apart)

    def _ordered(self, places: Iterable[MentionPlace]) -> list[Held]:
        found = {held.decision.decision_id: held for place in places for held in self.at(place)}
        return sorted(found.values(), key=lambda held: held.order)


class _Groups:
    """Mentions joined by must-links: union-find, small."""

    def __init__(self) -> None:
        self._parent: dict[MentionPlace, MentionPlace] = {}
        self._joined: dict[MentionPlace, list[Held]] = {}

    def find(self, place: MentionPlace) -> MentionPlace:
        while (parent := self._parent.get(place, place)) != place:
            place = parent
        return place

    def take(self, held: Held, apart: dict[str, Held]) -> None:
        """Follow a decision that stands."""
        if held.decision.kind is DecisionKind.CANNOT_LINK:
            apart[held.decision.decision_id] = held
            return
        one, other = self.find(held.left), self.find(held.right)
        reasons = [*self._joined.pop(one, ()), held]
        if one != other:
            self._parent[other] = one
            reasons += self._joined.pop(other, ())
        self._joined[one] = reasons

    def against(
        self, kind: DecisionKind, left: MentionPlace, right: MentionPlace, apart: dict[str, Held]
    ) -> str | None:
        """Return the decision that forbids this one, the earliest that has a part in it; None when none does."""
        one, other = self.find(left), self.find(right)
        if kind is DecisionKind.CANNOT_LINK:
            if one != other:
                return None
            return min(self._joined[one], key=lambda held: held.order).decision.decision_id
        for held in apart.values():
            if {self.find(held.left), self.find(held.right)} == {one, other}:
                return held.decision.decision_id
        return None
