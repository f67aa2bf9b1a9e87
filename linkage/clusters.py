"""Which nodes are one person: the links of one component, cut where a constraint would be broken.

A function of the component alone, whatever the order in which it grew. Links are taken in the order of their
scores, and a link that would bring together two different valid numbers, or two who are plainly different,
joins nobody. What has no number and fits two people with different numbers about equally well waits until one
of them is ruled out, and is given to neither if that does not happen. A bare number, without a name, follows
the others and connects nobody: it would make one person of all who ever used it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, Generic, TypeVar

from linkage.compare import Scorer
from linkage.node import Node, kin_tokens
from linkage.weights import UNIT

MARGIN: Final = 2 * UNIT
"""By how much a node must fit one number better than another to be given to it."""

_first: Final = itemgetter(0)


AnyNode = TypeVar("AnyNode", bound=Node)


def partition(component: Sequence[AnyNode], scorer: Scorer) -> list[list[AnyNode]]:
    """Return the component's nodes, person by person."""
    if len(component) == 1 or _is_whole(component, scorer):
        return [list(component)]
    return _Cut(component, scorer).groups()


def _is_whole(component: Sequence[Node], scorer: Scorer) -> bool:
    """Say whether no constraint can cut the component: by far the most."""
    members = set(component)
    number = ""
    named = None
    bare = 0
    for node in component:
        own = node.core.number
        if own:
            if number and own != number:
                return False
            number = own
        if _is_bare(node):
            bare += 1
        else:
            named = node
        if any(value <= scorer.apart and other in members for other, value in node.edges.items()):
            return False
    if not bare or named is None:
        return True
    reached = {named}
    waiting = [named]
    for node in waiting:
        for other, value in node.edges.items():
            if value >= scorer.link and other not in reached and not _is_bare(other):
                reached.add(other)
                waiting.append(other)
    return len(reached) + bare == len(members)


class _Cut(Generic[AnyNode]):
    """The work on one component."""

    def __init__(self, component: Sequence[AnyNode], scorer: Scorer) -> None:
        self._nodes = sorted(component, key=lambda node: node.order)
        self._scorer = scorer
        self._place: dict[Node, int] = {node: place for place, node in enumerate(self._nodes)}
        self._group = list(range(len(self._nodes)))
        self._members = {place: [place] for place in self._group}
        self._own = ["" if _is_disputed(node) else node.core.number for node in self._nodes]
        self._numbers = [{number} - {""} for number in self._own]

    def groups(self) -> list[list[AnyNode]]:
        """Return the groups, the members of each in order."""
        links: list[tuple[int, int, int]] = []
        bare: list[tuple[int, int, int]] = []
        for place, node in enumerate(self._nodes):
            for other, value in node.edges.items():
                second = self._place.get(other, -1)
                if value >= self._scorer.link and second > place:
                    (bare if _is_bare(node) or _is_bare(other) else links).append((-value, place, second))
        waiting = sorted(links)
        while waiting:
            # Each join may forbid a rival, which decides what waited.
            deferred = [link for link in waiting if not self._take(link)]
            if len(deferred) == len(waiting):
                break
            waiting = deferred
        for _, first, second in sorted(bare):
            loose, near = (first, second) if _is_bare(self._nodes[first]) else (second, first)
            # A number that is known to be another's says nothing of who uses it.
            if _is_bare(self._nodes[near]) or self._own[near] != self._nodes[near].core.number:
                continue
            if len(self._members[self._group[loose]]) == 1:
                self._join(first, second)
        return [[self._nodes[place] for place in sorted(members)] for members in self._members.values()]

    def _take(self, link: tuple[int, int, int]) -> bool:
        """Follow the link unless it must wait, because somebody else is nearly as likely; return whether it is
        done."""
        negative, first, second = link
        one, other = self._group[first], self._group[second]
        if one == other or not self._allowed(first, second):
            return True
        if self._numbers[one] and self._numbers[other]:
            self._join(first, second)
            return True
        for loose, near in ((one, other), (other, one)):
            if not self._numbers[loose] and self._has_rival(loose, near, -negative - MARGIN):
                return False
        self._join(first, second)
        return True

    def _has_rival(self, loose: int, near: int, least: int) -> bool:
        """Say whether the group ``loose``, without a number, fits another person than ``near`` as well."""
        numbers = self._numbers[near]
        if not numbers:
            return False
        for place in self._members[loose]:
            for node, value in self._nodes[place].edges.items():
                if value < least or value < self._scorer.link:
                    continue
                far = self._place.get(node)
                if far is None:
                    continue
                rival = self._group[far]
                if (
                    rival not in (loose, near)
                    and self._numbers[rival] - numbers
                    and not self._apart(loose, rival)
                ):
                    return True
        return False

    def _allowed(self, first: int, second: int) -> bool:
        one, other = self._group[first], self._group[second]
        mine, others = self._numbers[one], self._numbers[other]
        left, right = self._own[first], self._own[second]
        # A link between two numbers exists only where evidence says that one person has both.
        if mine and others and not mine & others and not (left and right):
            return False
        return not self._apart(one, other)

    def _join(self, first: int, second: int) -> None:
        one, other = self._group[first], self._group[second]
        if one == other or not self._allowed(first, second):
            return
        if len(self._members[one]) < len(self._members[other]):
            one, other = other, one
        for place in self._members[other]:
            self._group[place] = one
        self._members[one] += self._members.pop(other)
        self._numbers[one] |= self._numbers[other]

    def _apart(self, one: int, other: int) -> bool:
        if len(self._members[one]) > len(self._members[other]):
            one, other = other, one
        for place in self._members[one]:
            for node, value in self._nodes[place].edges.items():
                if value <= self._scorer.apart:
                    far = self._place.get(node)
                    if far is not None and self._group[far] == other:
                        return True
        return False


def _is_disputed(node: Node) -> bool:
    """Say whether the file that the node is of knows its number to be somebody else's.

    A record without a birth cannot contradict its number; another of the same file can, or names whose it is. One of
    the same file is tied to it, or has a number that the record gives as well, as students' numbers hold one.
    """
    number = node.core.number
    if not number:
        return False
    return any(
        other.core.number != number
        and (other.core.doubtful == number or kin_tokens(number)[0] in other.tokens)
        and (node.tied_to(other) or (other.core.number != "" and other.core.number in node.core.earlier))
        for other in node.edges
    )


def _is_bare(node: Node) -> bool:
    return not node.core.names and node.core.number != ""
