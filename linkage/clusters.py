"""Clusters of the mentions that share one ID number: a function of what they say, never of the order they
came in.

Mentions that say the same are one *profile*; profiles are merged strongest evidence first, as long as no two
of the merged are plainly different (constrained single linkage). What only has nothing against it is merged
last, and only where it fits without a choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations
from typing import Final

from linkage.evidence import Profile, Strength, compare

CROWDED: Final = 24
"""Different profiles on one number from which on the number proves nothing any more and only equal profiles
are one person. A person's records differ in a handful of ways; two dozen make a number that clerks fill in
for anybody. It also bounds the work: all pairs of 24 are 276 comparisons."""

_CACHE_SIZE: Final = 16_384

Group = tuple[Profile, ...]


def is_crowded(profiles: int) -> bool:
    """Say whether a number with so many different profiles is no evidence any more."""
    return profiles > CROWDED


def partition(profiles: Iterable[Profile]) -> tuple[Group, ...]:
    """Return the groups of profiles that are one person each, for distinct ``profiles`` of one number."""
    ordered = tuple(sorted(profiles, key=lambda profile: profile.order))
    if is_crowded(len(ordered)):
        return tuple([(profile,) for profile in ordered])
    return _partition(ordered)


@lru_cache(_CACHE_SIZE)
def _partition(ordered: Group) -> tuple[Group, ...]:
    edges: list[tuple[int, int, int]] = []
    apart: set[tuple[int, int]] = set()
    for left, right in combinations(range(len(ordered)), 2):
        strength = compare(ordered[left], ordered[right])
        if strength > Strength.NOTHING_KNOWN:
            edges.append((-strength, left, right))
        elif strength is Strength.PLAINLY_DIFFERENT:
            apart.add((left, right))
    group_of = list(range(len(ordered)))
    groups: dict[int, list[int]] = {index: [index] for index in group_of}
    for _, left, right in sorted(edges):
        first, second = sorted((group_of[left], group_of[right]))
        if first == second or any(
            (min(one, other), max(one, other)) in apart for one in groups[first] for other in groups[second]
        ):
            continue
        for index in groups[second]:
            group_of[index] = first
        groups[first] += groups.pop(second)
    merged = _merge_undecided(
        [tuple([ordered[index] for index in sorted(group)]) for group in groups.values()]
    )
    return tuple(sorted(merged, key=lambda group: group[0].order))


def _merge_undecided(groups: list[Group]) -> list[Group]:
    """Merge groups that have nothing for and nothing against them, unless that would need a choice.

    Groups are joined where all pairs between them are silent or agree, and at least one is silent. A set of
    groups so connected is merged as a whole or, when any two of it have something against them, not at all.
    """
    if len(groups) < 2:
        return groups
    against = [[_against(one, other) for other in groups] for one in groups]
    silent = [
        [not against[i][j] and _silent(groups[i], groups[j]) for j in range(len(groups))]
        for i in range(len(groups))
    ]
    left = set(range(len(groups)))
    result: list[Group] = []
    while left:
        connected = [left.pop()]
        for index in connected:
            near = {other for other in left if silent[index][other]}
            left -= near
            connected += near
        if any(against[one][other] for one, other in combinations(connected, 2)):
            result += [groups[index] for index in connected]
        else:
            members = [profile for index in connected for profile in groups[index]]
            result.append(tuple(sorted(members, key=lambda profile: profile.order)))
    return result


def _against(one: Group, other: Group) -> bool:
    return any(compare(left, right) < Strength.NOTHING_KNOWN for left in one for right in other)


def _silent(one: Group, other: Group) -> bool:
    return any(compare(left, right) is Strength.NOTHING_KNOWN for left in one for right in other)
