"""The linker's figures, against counting by hand and by pairs."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage.evaluation import Contingency, wilson

partitions = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=25)


def table(truth: list[int], clusters: list[int]) -> Contingency:
    return Contingency(np.array(truth, dtype=np.int64), np.array(clusters, dtype=np.int64))


def flags(values: list[bool]) -> NDArray[np.bool_]:
    return np.array(values, dtype=bool)


@settings(max_examples=60, deadline=None)
@given(partitions)
def test_counting_by_contingency_is_counting_by_pairs(rows: list[tuple[int, int, bool]]) -> None:
    truth, clusters = [t for t, _, _ in rows], [c for _, c, _ in rows]
    chosen = [s for _, _, s in rows]
    found = table(truth, clusters).scores(flags(chosen), replicates=2)
    touching = [(a, b) for a, b in combinations(range(len(rows)), 2) if chosen[a] or chosen[b]]
    same = {pair for pair in touching if truth[pair[0]] == truth[pair[1]]}
    linked = {pair for pair in touching if clusters[pair[0]] == clusters[pair[1]]}
    assert (found.true_pairs, found.linked_pairs) == (len(same), len(linked))
    assert found.right_pairs == len(same & linked)
    assert found.pair_precision.value == (len(same & linked) / len(linked) if linked else None)
    assert found.pair_recall.value == (len(same & linked) / len(same) if same else None)

    sharp, full = [], []
    for place, is_chosen in enumerate(chosen):
        if is_chosen:
            own = {n for n in range(len(rows)) if truth[n] == truth[place]}
            together = {n for n in range(len(rows)) if clusters[n] == clusters[place]}
            sharp.append(len(own & together) / len(together))
            full.append(len(own & together) / len(own))
    if sharp:
        assert found.bcubed_precision.value == pytest.approx(sum(sharp) / len(sharp))
        assert found.bcubed_recall.value == pytest.approx(sum(full) / len(full))
    else:
        assert found.bcubed_precision.value is None

    persons = {t for t, _, s in rows if s}
    assert found.persons == len(persons)
    assert found.splits == sum(len({c for t, c, _ in rows if t == one}) > 1 for one in persons)
    groups = {c for _, c, s in rows if s}
    assert found.merges == sum(len({t for t, c, _ in rows if c == one}) > 1 for one in groups)
    exact = sum(
        any(
            {n for n, t in enumerate(truth) if t == one} == {n for n, c in enumerate(clusters) if c == g}
            for g in groups
        )
        for one in persons
    )
    assert found.exact.value == (exact / len(persons) if persons else None)


def test_figures_of_a_known_table() -> None:
    # two persons of three mentions; one mention of the second is with the first
    found = table([1, 1, 1, 2, 2, 2], [7, 7, 7, 7, 8, 8]).scores()
    assert (found.true_pairs, found.linked_pairs, found.right_pairs) == (6, 7, 4)
    assert found.pair_precision.value == pytest.approx(4 / 7)
    assert found.pair_recall.value == pytest.approx(4 / 6)
    assert found.pair_f1.value == pytest.approx(8 / 13)
    assert found.bcubed_precision.value == pytest.approx((3 * 3 / 4 + 1 / 4 + 2) / 6)
    assert found.bcubed_recall.value == pytest.approx((3 + 1 / 3 + 2 * 2 / 3) / 6)
    assert (found.merges, found.splits, found.exact.value) == (1, 1, 0.0)


def test_the_worst_errors_come_first() -> None:
    truth = [1] * 6 + [2, 2] + [3, 3, 3] + [4]
    clusters = [1] * 3 + [2] * 3 + [3, 3] + [4, 4, 5] + [3]
    worst = table(truth, clusters).worst(10)
    assert [(one.kind, one.wrong_pairs) for one in worst] == [("split", 9), ("merge", 2), ("split", 2)]
    assert worst[0].members == (0, 1, 2, 3, 4, 5)
    assert worst[1].members == (6, 7, 11)
    assert table(truth, clusters).worst(1) == worst[:1]


def test_intervals_cover_as_often_as_they_say() -> None:
    """150 samples of 200 persons: the interval of recall holds the population's figure in about 95 %."""
    rng = random.Random(4)
    share, covered = 0.9, 0
    for _ in range(150):
        truth, clusters = [], []
        for person in range(200):
            truth += [person, person]
            clusters += [2 * person, 2 * person + (rng.random() >= share)]
        recall = table(truth, clusters).scores(replicates=200).pair_recall
        assert recall.low is not None
        assert recall.high is not None
        covered += recall.low <= share <= recall.high
    assert 0.88 <= covered / 150 <= 0.99


def test_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662
    found = wilson(81, 263)
    assert found.low == pytest.approx(0.2553, abs=5e-5)
    assert found.high == pytest.approx(0.3662, abs=5e-5)
    assert wilson(0, 0).value is None
    assert wilson(0, 20).low == 0.0


def test_nothing_to_count() -> None:
    found = table([], []).scores()
    assert (found.mentions, found.persons, found.pair_f1.value, found.exact.value) == (0, 0, None, None)
    assert table([], []).worst(5) == []
