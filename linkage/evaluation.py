"""How right the linker's clusters are, against a truth: pairwise and B-cubed figures, exact clusters, merges, splits.

Everything is counted from the contingency table of true persons and clusters, never by pairs: time and memory grow
with the mentions, whatever the size of a cluster. Pairwise precision and recall are those of record linkage (Fellegi
and Sunter 1969); B-cubed is Bagga and Baldwin's (1998), the mean over mentions. Intervals of shares are Wilson's
(1927); those of the other figures are percentiles of a bootstrap over the connected components of the table, whose
mentions stand and fall together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = NDArray[np.int64]

REPLICATES: Final = 1000
"""Of the bootstrap: the percentiles' own error is then a tenth of the interval's width."""
_CONFIDENCE: Final = 0.95
_NORMAL: Final = 1.959963984540054
"""The normal distribution's quantile for it."""
_SEED: Final = 20240131


class Interval(msgspec.Struct, frozen=True):
    """A figure between 0 and 1 with its interval of 95 %; all null where there is nothing to count."""

    value: float | None
    low: float | None
    high: float | None


class Scores(msgspec.Struct, frozen=True):
    """The figures of some mentions.

    Pairs count when at least one of their two mentions is among them. ``merges`` are clusters that hold several
    persons, ``splits`` persons in several clusters, ``exact`` the share of persons whose cluster is exactly theirs.
    """

    mentions: int
    persons: int
    clusters: int
    true_pairs: int
    linked_pairs: int
    right_pairs: int
    pair_precision: Interval
    pair_recall: Interval
    pair_f1: Interval
    bcubed_precision: Interval
    bcubed_recall: Interval
    bcubed_f1: Interval
    exact: Interval
    merges: int
    splits: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """A merge or a split: the mentions ``members`` (indexes) of a cluster with several persons, or of a person in
    several clusters; ``wrong_pairs`` are linked or missed wrongly in it.
    """

    kind: str
    wrong_pairs: int
    members: tuple[int, ...]


class Contingency:
    """The table of true persons and clusters. ``truth`` and ``clusters`` have a label for each mention."""

    def __init__(self, truth: Labels, clusters: Labels) -> None:
        if truth.shape != clusters.shape or truth.ndim != 1:
            raise ValueError(f"{truth.shape} true labels for {clusters.shape} clusters")
        self.truth = _dense(truth)
        self.clusters = _dense(clusters)
        width = int(self.clusters.max(initial=-1)) + 1
        cells, self.cell_of = np.unique(self.truth * max(width, 1) + self.clusters, return_inverse=True)
        self.cell_truth: Labels = cells // max(width, 1)
        self.cell_cluster: Labels = cells % max(width, 1)
        self.cell_size: Labels = np.bincount(self.cell_of, minlength=len(cells)).astype(np.int64)
        self.truth_size: Labels = np.bincount(self.truth).astype(np.int64)
        self.cluster_size: Labels = np.bincount(self.clusters).astype(np.int64)

    def scores(self, chosen: NDArray[np.bool_] | None = None, replicates: int = REPLICATES) -> Scores:
        """Return the figures of the chosen mentions, all without. Their clusters count with all that is in them."""
        if chosen is None:
            chosen = np.ones(len(self.truth), dtype=bool)
        cells = _count(self.cell_of, chosen, len(self.cell_size))
        truths = _count(self.truth, chosen, len(self.truth_size))
        clusters = _count(self.clusters, chosen, len(self.cluster_size))
        right = _pairs(self.cell_size, cells)
        true, linked = _pairs(self.truth_size, truths), _pairs(self.cluster_size, clusters)
        precise = cells * self.cell_size / self.cluster_size[self.cell_cluster]
        complete = cells * self.cell_size / self.truth_size[self.cell_truth]
        has_truth = truths > 0
        exact = self._exact() & has_truth
        of_truth, of_cluster = self._components
        of_cell, size = of_truth[self.cell_truth], len(of_truth)
        sums = np.stack(
            [
                _by(of_cell, right, size),
                _by(of_truth, true, size),
                _by(of_cluster, linked, size),
                _by(of_cell, precise, size),
                _by(of_cell, complete, size),
                _by(of_cell, cells, size),
            ],
            axis=1,
        )
        figures = _figures(sums.sum(axis=0))
        low, high = _bootstrap(sums, replicates)
        intervals = [
            Interval(None if np.isnan(value) else float(value), _or_none(a), _or_none(b))
            for value, a, b in zip(figures, low, high, strict=True)
        ]
        split_of = np.bincount(self.cell_truth, minlength=len(self.truth_size)) > 1
        merged = np.bincount(self.cell_cluster, minlength=len(self.cluster_size)) > 1
        return Scores(
            mentions=int(chosen.sum()),
            persons=int(has_truth.sum()),
            clusters=int((clusters > 0).sum()),
            true_pairs=int(true.sum()),
            linked_pairs=int(linked.sum()),
            right_pairs=int(right.sum()),
            pair_precision=intervals[0],
            pair_recall=intervals[1],
            pair_f1=intervals[2],
            bcubed_precision=intervals[3],
            bcubed_recall=intervals[4],
            bcubed_f1=intervals[5],
            exact=wilson(int(exact.sum()), int(has_truth.sum())),
            merges=int((merged & (clusters > 0)).sum()),
            splits=int((split_of & has_truth).sum()),
        )

    def worst(self, limit: int) -> list[Confusion]:
        """Return the merges and splits with the most wrong pairs, the worst first; equal ones in a fixed order."""
        pairs = _choose(self.cell_size)
        missed = _choose(self.truth_size) - _by_index(self.cell_truth, pairs, len(self.truth_size))
        wrong = _choose(self.cluster_size) - _by_index(self.cell_cluster, pairs, len(self.cluster_size))
        found = [(int(missed[label]), "split", int(label)) for label in _largest(missed, limit)]
        found += [(int(wrong[label]), "merge", int(label)) for label in _largest(wrong, limit)]
        found.sort(key=lambda item: (-item[0], item[1], item[2]))
        members = {
            "split": _members(self.truth, [label for _, kind, label in found if kind == "split"]),
            "merge": _members(self.clusters, [label for _, kind, label in found if kind == "merge"]),
        }
        return [Confusion(kind, count, members[kind][label]) for count, kind, label in found[:limit]]

    def _exact(self) -> NDArray[np.bool_]:
        whole = (self.cell_size == self.truth_size[self.cell_truth]) & (
            self.cell_size == self.cluster_size[self.cell_cluster]
        )
        exact = np.zeros(len(self.truth_size), dtype=bool)
        exact[self.cell_truth[whole]] = True
        return exact

    @cached_property
    def _components(self) -> tuple[Labels, Labels]:
        """Return the connected component of each person and of each cluster: the smallest label of a person in it."""
        truth = np.arange(len(self.truth_size), dtype=np.int64)
        cluster = np.full(len(self.cluster_size), np.iinfo(np.int64).max)
        while True:
            before = truth.copy()
            np.minimum.at(cluster, self.cell_cluster, truth[self.cell_truth])
            np.minimum.at(truth, self.cell_truth, cluster[self.cell_cluster])
            if np.array_equal(before, truth):
                return truth, cluster


def wilson(hits: int, of: int) -> Interval:
    """Return a share with Wilson's interval; all null of nothing."""
    if of == 0:
        return Interval(None, None, None)
    share, square = hits / of, _NORMAL * _NORMAL
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _NORMAL / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def _figures(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pairwise precision, recall, F1 and B-cubed ones of sums (…, 6); NaN where there is nothing to count."""
    right, true, linked, precise, complete, mentions = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / linked, right / true
        sharp, full = precise / mentions, complete / mentions
        return np.stack(
            [precision, recall, 2 * right / (linked + true), sharp, full, 2 * sharp * full / (sharp + full)],
            axis=-1,
        )


def _bootstrap(sums: NDArray[np.float64], replicates: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the percentiles of the figures when components are drawn with replacement.

    Components with the same sums are drawn together: their number is multinomial, which is the same and far cheaper.
    """
    sums = sums[sums[:, 5] > 0]
    kinds, counts = np.unique(sums, axis=0, return_counts=True)
    if not len(counts):
        nothing = np.full(6, np.nan)
        return nothing, nothing
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(int(counts.sum()), counts / counts.sum(), size=replicates)
    figures = _figures(drawn @ kinds)
    edges = [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]
    columns = [column[~np.isnan(column)] for column in figures.T]
    bounds = [np.quantile(column, edges) if len(column) else (np.nan, np.nan) for column in columns]
    return np.array([low for low, _ in bounds]), np.array([high for _, high in bounds])


def _dense(labels: Labels) -> Labels:
    dense: Labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return dense


def _count(labels: Labels, chosen: NDArray[np.bool_], size: int) -> Labels:
    counts: Labels = np.bincount(labels[chosen], minlength=size).astype(np.int64)
    return counts


def _choose(sizes: Labels) -> Labels:
    return sizes * (sizes - 1) // 2


def _pairs(sizes: Labels, chosen: Labels) -> Labels:
    """Return the pairs of each group with at least one of the chosen in them."""
    return _choose(sizes) - _choose(sizes - chosen)


def _by(components: Labels, values: NDArray[np.float64] | Labels, size: int) -> NDArray[np.float64]:
    sums = np.zeros(size)
    np.add.at(sums, components, values)
    return sums


def _by_index(labels: Labels, values: Labels, size: int) -> Labels:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, labels, values)
    return total


def _largest(values: Labels, limit: int) -> Labels:
    order = np.argsort(-values, kind="stable")[:limit]
    largest: Labels = order[values[order] > 0]
    return largest


def _members(labels: Labels, wanted: list[int]) -> dict[int, tuple[int, ...]]:
    places = np.flatnonzero(np.isin(labels, wanted))
    found: dict[int, list[int]] = {label: [] for label in wanted}
    for place in places.tolist():
        found[int(labels[place])].append(place)
    return {label: tuple(members) for label, members in found.items()}


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
