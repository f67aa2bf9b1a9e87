"""How precision and recall would move with the threshold of a link: counted from the linker's state, drawn as SVG.

Scores stay as they are; at each threshold everybody is clustered anew, constraints and rivals included. The state keeps
scores from the review threshold upwards, so the curve begins there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from linkage.clusters import partition
from linkage.evaluation import Contingency
from linkage.graph import Look
from linkage.node import Node
from linkage.state import LinkState
from linkage.weights import UNIT
from streams.evaluation import Labelled, Line

HIGHEST: Final = 16
"""The last threshold, in bits above the one in force."""
_STEP: Final = 2
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 360, 70, 40, 20, 60
_TICKS: Final = 5
_COLOURS: Final = {"precision": "#1f5fa8", "recall": "#b5542d"}
_LABELS: Final = {"precision": "precision 精确率", "recall": "recall 召回率"}


class Point(msgspec.Struct, frozen=True):
    """Pairwise precision and recall at a threshold in bits; null where there is no pair."""

    threshold: float
    precision: float | None
    recall: float | None


def curve(state: LinkState, truth: Labelled) -> tuple[Point, ...]:
    """Return the points of the curve, by rising threshold; mentions that the truth does not name are left out."""
    graph = state.graph
    look = Look(graph)
    nodes = [look(node) for node in graph.nodes()]
    persons = dict(zip(truth.places.tolist(), truth.persons.tolist(), strict=True))
    known = [
        (place, persons[hashed])
        for place, node in enumerate(nodes)
        for hashed in [_hash(node, index) for index in range(len(node.members))]
        if hashed in persons
    ]
    places = np.array([place for place, _ in known], dtype=np.int64)
    labels = np.array([person for _, person in known], dtype=np.int64)
    force = graph.scorer.link
    thresholds = sorted({graph.scorer.review, *range(force, force + (HIGHEST + 1) * UNIT, _STEP * UNIT)})
    points: list[Point] = []
    for threshold in thresholds:
        scores = Contingency(labels, _clusters(nodes, state, threshold)[places]).scores(replicates=1)
        points.append(Point(threshold / UNIT, scores.pair_precision.value, scores.pair_recall.value))
    return tuple(points)


def _hash(node: Node, index: int) -> int:
    mention = node.members[index]
    row = mention.row
    line = Line(row.feed.department, row.feed.table, row.key, mention.role, mention.ordinal)
    return line.place()


def _clusters(
    nodes: Sequence[Node], state: LinkState, threshold: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the cluster of each node when links begin at ``threshold``, 1/256 bit."""
    scorer = copy.copy(state.graph.scorer)
    scorer.link = threshold
    place: dict[Node, int] = {node: index for index, node in enumerate(nodes)}
    found = np.full(len(nodes), -1, dtype=np.int64)
    count = 0
    seen: set[Node] = set()
    for start in nodes:
        if start in seen:
            continue
        seen.add(start)
        component = [start]
        for node in component:
            for other, value in node.edges.items():
                if value >= threshold and other not in seen:
                    seen.add(other)
                    component.append(other)
        for group in partition(component, scorer):
            found[[place[node] for node in group]] = count
            count += 1
    return found


def drawn(points: Sequence[Point], link: float) -> str:
    """Return the curve as an SVG picture; ``link`` is the threshold in force, in bits."""
    values = [value for point in points for value in (point.precision, point.recall) if value is not None]
    low = min([0.99, *values])
    low -= (1 - low) * 0.05
    first, last = points[0].threshold, max(points[-1].threshold, points[0].threshold + 1)

    def x(threshold: float) -> float:
        return _LEFT + (threshold - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (1 - value) / (1 - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif"',
        ' font-size="12"><title>Precision and recall by the threshold of a link</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for tick in range(_TICKS):
        value = low + (1 - low) * tick / (_TICKS - 1)
        parts.append(
            f'<path d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value * 100:.2f} %</text>'
        )
    for point in points:
        parts.append(
            f'<text x="{x(point.threshold):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">'
            f"{point.threshold:g}</text>"
        )
    parts.append(
        f'<path d="M{x(link):.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#888" stroke-dasharray="4 3"/>'
        f'<text x="{x(link) + 4:.1f}" y="{_TOP + 12}" fill="#555">in force 现用</text>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle">threshold, bits 阈值（比特）</text>'
    )
    for place, (name, colour) in enumerate(_COLOURS.items()):
        known = [
            (point.threshold, getattr(point, name)) for point in points if getattr(point, name) is not None
        ]
        line = " ".join([f"{x(threshold):.1f},{y(value):.1f}" for threshold, value in known])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x(threshold):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}">'
            f"<title>{name} {value * 100:.3f} % at {threshold:g} bits</title></circle>"
            for threshold, value in known
        ]
        parts.append(f'<text x="{_LEFT + place * 150}" y="22" fill="{colour}">{_LABELS[name]}</text>')
    return "".join(parts) + "</svg>\n"
