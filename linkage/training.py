"""Weights from the register itself, without labels: how often each level is seen in pairs of one person, of strangers,
and of relatives.

Three samples of pairs of live descriptions are drawn, by a seed: those that share a valid ID number, random ones, and
those with two different valid numbers in one household. Over the first two together recordlinkage's ECM (expectation
conditional maximisation of Fellegi and Sunter's model, Winkler 1988) finds which are one person, so that a borrowed
number spoils nothing; its m-probabilities are ``same``. Random pairs give ``stranger``, the third sample ``family``.
Stewards' decisions in force are pairs of their own.

A number that the record's own birth contradicts is a number here as well: without such pairs nobody's birth would ever
differ. Dates are compared with dates and months with months, each by itself.

What is estimated is drawn to the table before: it counts as `TRUST` pairs, or as many as show a level `TIMES` times, so
that levels that were hardly seen keep their probability. Levels of numbers stay as they are: the samples are chosen by
them. For names ``stranger`` is a factor of the name's own frequency, and stays as well.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import chain, combinations
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import recordlinkage
from numpy.typing import NDArray
from recordlinkage.base import BaseCompareFeature

from avro.record import DecisionKind
from linkage.births import BirthLevel
from linkage.compare import Scorer, is_comparable
from linkage.errors import WeightsError
from linkage.features import KIND_MASK, PLACES, Kind
from linkage.node import Node
from linkage.state import LinkState, MentionState
from linkage.weights import Weights

PAIRS: Final = 20_000
"""Pairs a sample: enough to see a level of one in a thousand twenty times."""
MENTIONS: Final = 5
"""Records of one number or household that pairs are made of, at most."""
FEWEST: Final = 200
"""Pairs of one person below which nothing is estimated."""
TRUST: Final = 50
"""Pairs that the table before counts as, at least."""
TIMES: Final = 5
"""So often the table before has seen a level: one of a hundred thousand is not seen in twenty thousand pairs, and is no
rarer for that."""
SEED: Final = 1
ROUNDS: Final = 100
LEAST: Final = 1e-9
"""No probability is below this one: nothing that was not seen is impossible."""

_UNLIKE: Final = frozenset(("different", "given", "one_part", "year_equal"))
"""Levels that speak against one person; the ECM sees each element as alike or not."""
_LEVELLED: Final = ("name", "birth", "month", "sex")
_FEWEST_ELEMENTS: Final = 3
_NUMBER: Final = "number"
_TELLING: Final = ("name", "birth", "sex")
"""Elements by which the ECM tells one person from two, beside the number: all of them together tell a borrowed one."""
_MONTHS: Final = ("month_equal", "month_different")
_CHOSEN_BY: Final = "household.equal"
"""What families are chosen by: in them it says nothing."""
_NOT_ESTIMATED: Final = "birth.number_equal"
"""By the shared number, which the pairs are chosen by."""
_NO_DATES: Final = (BirthLevel.UNKNOWN, BirthLevel.NUMBER_EQUAL, *_MONTHS)
_SHARED: Final = tuple(kind.name.lower() for kind in Kind if Kind.TIE < kind < Kind.NAME_AND_BIRTH)
Pair = tuple[Node, Node]


class Trained(NamedTuple):
    """A table of weights, and of how many pairs each sample was."""

    text: str
    same: int
    stranger: int
    family: int
    decisions: int


class LevelComparison(BaseCompareFeature):  # type: ignore[misc]
    """How two descriptions compare in one element, by the engine's own scorer: a column of zeros and ones a level.

    All columns of an element are missing where one of the two does not say it.
    """

    def __init__(self, element: str, levels: Sequence[str], scorer: Scorer) -> None:
        super().__init__(["node"], ["node"], label=[f"{element}.{level}" for level in levels])
        self.element = element
        self.levels = tuple(levels)
        self._scorer = scorer

    def _compute_vectorized(self, left: Any, right: Any) -> Any:
        found = [
            level_of(self.element, one, other, self._scorer) for one, other in zip(left, right, strict=True)
        ]
        return tuple(
            [
                pd.Series(
                    [float("nan") if seen is None else float(seen == level) for seen in found],
                    index=left.index,
                )
                for level in self.levels
            ]
        )


def level_of(element: str, one: Node, other: Node, scorer: Scorer) -> str | None:
    """Return the level at which two compare in an element; None when one does not say it.

    What two share or not is ``equal`` or ``unequal``; of places only the narrowest that they share is ``equal``.
    """
    if element in _SHARED:
        kind = Kind[element.upper()]
        mine, others = _of_kind(one, kind), _of_kind(other, kind)
        if not mine or not others:
            return None
        if kind in PLACES:
            if not is_comparable(one.tokens, other.tokens, kind):
                return None
            if any(
                _of_kind(one, narrower) & _of_kind(other, narrower)
                for narrower in PLACES[: PLACES.index(kind)]
            ):
                return "unequal"
        return "equal" if mine & others else "unequal"
    if element == "birth":
        birth = scorer.birth_level(one, other)
        return None if birth in _NO_DATES else str(birth)
    if element == "month":
        birth = scorer.birth_level(one, other)
        return str(birth) if birth in _MONTHS else None
    left, right = one.core, other.core
    if element == "sex":
        return None if not (left.sex and right.sex) else "equal" if left.sex == right.sex else "different"
    return str(scorer.names(left.names, right.names)[0]) if left.names and right.names else None


def _of_kind(node: Node, kind: Kind) -> set[int]:
    return {sign for sign in node.tokens if sign & KIND_MASK == kind}


def train(state: LinkState, *, pairs: int = PAIRS, seed: int = SEED) -> Trained:
    """Return a table learned from the live mentions and the decisions. Takes minutes for large registers.

    Raises WeightsError when there are too few pairs that share a number.
    """
    scorer = state.graph.scorer
    rng = random.Random(seed)
    same, stranger, family = _samples(state, pairs, rng)
    if len(same) < FEWEST:
        raise WeightsError(
            f"only {len(same)} pairs of records share a valid number, {FEWEST} are wanted; train with a larger register"
        )
    decided = _decided(state)
    elements = _elements(scorer.weights)
    likely = _ecm([*same, *stranger], elements, scorer)
    counts = {
        "stranger": _shares(stranger, elements, scorer),
        "family": _shares([*family, *decided[DecisionKind.CANNOT_LINK]], elements, scorer),
        "decided": _shares(decided[DecisionKind.MUST_LINK], elements, scorer),
    }
    text = _table(scorer.weights, likely, counts)
    decisions = sum(map(len, decided.values()))
    return Trained(text, len(same), len(stranger), len(family), decisions)


def _samples(state: LinkState, most: int, rng: random.Random) -> tuple[list[Pair], list[Pair], list[Pair]]:
    mentions = sorted(
        [mention for person in state.persons.values() for mention in person.mentions],
        key=lambda mention: mention.place,
    )
    numbers: dict[str, list[MentionState]] = {}
    families: dict[int, list[MentionState]] = {}
    graph = state.graph
    for mention in mentions:
        core, tokens = state.features_of(mention)
        if number := core.number or core.doubtful:
            numbers.setdefault(number, []).append(mention)
        if not core.number:
            continue
        for sign in tokens:
            if sign & KIND_MASK == Kind.HOUSEHOLD and not graph.is_hot(sign):
                families.setdefault(sign, []).append(mention)
    same = [
        pair for number in sorted(numbers) for pair in combinations(rng.sample(*_some(numbers[number])), 2)
    ]
    family = [
        pair
        for sign in sorted(families)
        for pair in combinations(rng.sample(*_some(families[sign])), 2)
        if graph.number(pair[0].node) != graph.number(pair[1].node)
    ]
    stranger: list[tuple[MentionState, MentionState]] = []
    if len(mentions) > 1:
        for _ in range(most):
            one, other = rng.sample(mentions, 2)
            # Of few people many random pairs would be one person: whom the engine calls the same is left out.
            if one.person is not other.person:
                stranger.append((one, other))
    return (
        _described(rng.sample(same, min(most, len(same))), state),
        _described(stranger, state),
        _described(rng.sample(family, min(most, len(family))), state),
    )


def _some(mentions: list[MentionState]) -> tuple[list[MentionState], int]:
    """Return what to draw from and how many: nobody's many records outweigh the others'."""
    return mentions, min(len(mentions), MENTIONS)


def _described(pairs: Sequence[tuple[MentionState, MentionState]], state: LinkState) -> list[Pair]:
    """Return the pairs as descriptions of single mentions, whatever descriptions they share in the graph."""
    known: dict[int, Node] = {}
    for mention in chain.from_iterable(pairs):
        if mention.serial not in known:
            features = state.features_of(mention)
            node = known[mention.serial] = Node(features.core, shared=False)
            node.members.append(mention)
            node.tokens.update(dict.fromkeys(features.tokens, 1))
    return [(known[one.serial], known[other.serial]) for one, other in pairs]


def _decided(state: LinkState) -> dict[DecisionKind, list[Pair]]:
    found: dict[DecisionKind, list[Pair]] = {kind: [] for kind in DecisionKind}
    for held in sorted(state.decisions, key=lambda held: held.order):
        left, right = state.at(held.left), state.at(held.right)
        if held.stands and left is not None and right is not None:
            found[held.decision.kind] += _described([(left, right)], state)
    return found


def _elements(weights: Weights) -> dict[str, tuple[str, ...]]:
    """Return the levels of each element that is estimated."""
    found: dict[str, list[str]] = {}
    for name in weights.rows:
        if name == _NOT_ESTIMATED:
            continue
        element, _, level = _estimated(name).partition(".")
        if element in _LEVELLED or element in _SHARED:
            found.setdefault(element, []).append(level)
    return {element: tuple(levels) for element, levels in found.items()}


def _estimated(name: str) -> str:
    """Return under which element a line of the table is estimated: months apart from dates."""
    level = name.partition(".")[2]
    return f"month.{level}" if level in _MONTHS else name


def _ecm(pairs: Sequence[Pair], elements: dict[str, tuple[str, ...]], scorer: Scorer) -> dict[str, _Share]:
    """Return how often one person's pairs are at each level; a pair counts as recordlinkage's ECM finds it likely."""
    left = pd.DataFrame({"node": [one for one, _ in pairs]}, dtype=object)
    right = pd.DataFrame({"node": [other for _, other in pairs]}, dtype=object)
    index = pd.MultiIndex.from_arrays([left.index, right.index])
    comparison = recordlinkage.Compare()
    for element, levels in elements.items():
        comparison.add(LevelComparison(element, levels, scorer))
    seen = comparison.compute(index, left, right)
    said = seen.notna()
    vectors = seen.fillna(0.0)
    alike = pd.DataFrame(
        {
            element: vectors[
                [f"{element}.{level}" for level in elements[element] if level not in _UNLIKE]
            ].max(axis=1)
            for element in _TELLING
        }
    )
    told = pd.DataFrame({name: said[f"{name}.{elements[name][0]}"] for name in _TELLING})
    alike[_NUMBER] = [float(_number(one) != "" and _number(one) == _number(other)) for one, other in pairs]
    told[_NUMBER] = True
    matched = _matched(alike, told)
    found: dict[str, _Share] = {}
    for name in vectors.columns:
        weight = matched * said[name].to_numpy(dtype=np.float64)
        found[name] = _Share(
            float(weight.sum()), float((weight * vectors[name].to_numpy(dtype=np.float64)).sum())
        )
    return found


def _number(node: Node) -> str:
    return node.core.number or node.core.doubtful


def _matched(alike: pd.DataFrame, told: pd.DataFrame) -> NDArray[np.float64]:
    """Return how likely each pair is one person, by what is ``told`` of both and is ``alike`` or not.

    The model is estimated from pairs that tell everything: to the ECM what is not told would be unlike.
    """
    whole = alike[told[[name for name in _TELLING if told[name].any()]].all(axis=1)]
    names = [name for name in (_NUMBER, *_TELLING) if 0 < whole[name].sum() < len(whole)]
    if len(names) < _FEWEST_ELEMENTS:
        raise WeightsError("pairs compare too much alike to learn from; train with a larger register")
    classifier = recordlinkage.ECMClassifier(init="jaro", max_iter=ROUNDS)
    classifier.fit(pd.concat([whole[names], _mixed(names)], ignore_index=True))
    odds = np.full(len(alike), classifier.p / (1 - classifier.p))
    for name in names:
        m, u = classifier.m_probs[name], classifier.u_probs[name]
        ratio = np.where(alike[name] > 0, m[1] / u[1], m[0] / u[0])
        odds *= np.where(told[name], ratio, 1.0)
    if not np.isfinite(odds).all():
        raise WeightsError("the estimation did not converge; train with more --pairs, or another --seed")
    likely: NDArray[np.float64] = odds / (1 + odds)
    return likely


def _mixed(names: Sequence[str]) -> pd.DataFrame:
    """Return, for each element, a pair that is alike in nothing else and one in everything else.

    The ECM takes logarithms of shares: with these none becomes 0 or 1.
    """
    one = np.eye(len(names))
    return pd.DataFrame(np.vstack([one, 1 - one]), columns=list(names))


class _Share(NamedTuple):
    """How many pairs say the element, and how many of them at the level."""

    said: float
    seen: float


def _shares(pairs: Iterable[Pair], elements: dict[str, tuple[str, ...]], scorer: Scorer) -> dict[str, _Share]:
    said: dict[str, int] = dict.fromkeys(elements, 0)
    seen: dict[str, int] = {}
    for one, other in pairs:
        for element in elements:
            level = level_of(element, one, other, scorer)
            if level is not None:
                said[element] += 1
                seen[f"{element}.{level}"] = seen.get(f"{element}.{level}", 0) + 1
    return {
        f"{element}.{level}": _Share(said[element], seen.get(f"{element}.{level}", 0))
        for element, levels in elements.items()
        for level in levels
    }


def _table(weights: Weights, likely: dict[str, _Share], counts: dict[str, dict[str, _Share]]) -> str:
    """Return the table before with what was learned, each line saying from how many pairs."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("element", "level", "same", "stranger", "family", "note"))
    for row in csv.DictReader(StringIO(weights.text)):
        name = f"{row['element']}.{row['level']}"
        before = weights.probabilities(name)
        key = _estimated(name)
        if key not in counts["stranger"]:
            writer.writerow(
                [row[column] for column in ("element", "level", "same", "stranger", "family", "note")]
            )
            continue
        decided, stranger, family = (counts[kind][key] for kind in ("decided", "stranger", "family"))
        one = likely[key]
        same = _drawn(one.seen + decided.seen, one.said + decided.said, before[0])
        unlike = before[1] if row["element"] == "name" else _drawn(stranger.seen, stranger.said, before[1])
        kin = before[2] if key == _CHOSEN_BY else _drawn(family.seen, family.said, before[2])
        note = row["note"].partition(" [trained")[0]
        note += f" [trained on {round(one.said + decided.said)}, {stranger.said}, {family.said} pairs]"
        writer.writerow(
            (row["element"], row["level"], *(f"{value:.6g}" for value in (same, unlike, kin)), note.strip())
        )
    return out.getvalue()


def _drawn(seen: float, said: float, before: float) -> float:
    """Return a share that is drawn to the one before, which may be a ratio above one and then stays."""
    if before > 1:
        return before
    # Less of it the oftener the level was seen here.
    trust = max(TRUST, TIMES / before * (1 - seen / TIMES))
    return min(1.0, max(LEAST, (seen + trust * before) / (said + trust)))
