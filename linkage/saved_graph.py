"""The graph in a snapshot: nodes with their features, and scored edges, so that recovery makes neither anew.

It is worth what the code is worth that made it: `graph_code` stands before it, and where that differs what is saved is
passed over and the graph is made anew from the mentions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

import avro
from linkage.features import Core
from linkage.graph import Node
from linkage.state import LinkState, MentionState

_CHUNK: Final = 5_000
"""Nodes or edges a frame."""
_HERE: Final = Path(__file__).parent
_MODULES: Final = ("births", "compare", "features", "generic", "graph", "id_number", "names", "weights")
_LIBRARIES: Final = ("lunar-python", "opencc", "pypinyin", "xxhash")


class GraphCode(msgspec.Struct, array_like=True, tag=10):
    """What made the nodes and edges that follow."""

    code: str


_Node = tuple[
    Core, bool, bool, int | None, int, str, tuple[int, ...], dict[int, int]
]  # core, shared, decided, birth, month, sex, keys, tokens


class Nodes(msgspec.Struct, array_like=True, tag=11):
    """Nodes; their places count through all of these parts."""

    nodes: tuple[_Node, ...]


class Edges(msgspec.Struct, array_like=True, tag=12):
    """Three numbers an edge: the places of two nodes, and the score."""

    edges: tuple[int, ...]


Part = GraphCode | Nodes | Edges


@cache
def graph_code() -> str:
    """Return a digest of the code and the codes that features and scores follow from."""
    digest = blake2b(digest_size=8)
    shared = Path(avro.__file__ or "").parent
    files = [_HERE / f"{module}.py" for module in _MODULES]
    for path in (*files, *sorted((shared / "normalize").glob("*.py")), *sorted((shared / "codes").glob("*"))):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    digest.update(repr([version(library) for library in _LIBRARIES]).encode())
    return digest.hexdigest()


class GraphWriter:
    """Saves the graph of a state that does not change meanwhile."""

    def __init__(self, state: LinkState) -> None:
        self.place: dict[Node, int] = {}
        """The nodes in order, each with its place."""
        for feed in state.feeds.values():
            for row in feed.rows.values():
                for mention in row.mentions:
                    self.place.setdefault(mention.node, len(self.place))

    def nodes(self) -> Iterator[Part]:
        """Yield the nodes: before the mentions."""
        yield GraphCode(graph_code())
        nodes = list(self.place)
        for start in range(0, len(nodes), _CHUNK):
            yield Nodes(tuple([_saved(node) for node in nodes[start : start + _CHUNK]]))

    def edges(self) -> Iterator[Part]:
        """Yield the edges, each once."""
        places = self.place
        waiting: list[int] = []
        for node, place in places.items():
            for other, score in node.edges.items():
                another = places[other]
                if place < another:
                    waiting += (place, another, score)
            if len(waiting) >= 3 * _CHUNK:
                yield Edges(tuple(waiting))
                waiting = []
        if waiting:
            yield Edges(tuple(waiting))


def _saved(node: Node) -> _Node:
    return (
        node.core,
        node.shared,
        node.decided,
        node.birth,
        node.month,
        node.sex,
        node.keys,
        node.tokens,
    )


class GraphReader:
    """Puts a saved graph back into a state, part by part, or makes it anew where other code saved it."""

    def __init__(self, state: LinkState) -> None:
        self._state = state
        self._nodes: list[Node] = []
        self._trusted = False

    def take(self, part: Part) -> None:
        """Take in a part. Raises LookupError when it does not fit."""
        match part:
            case GraphCode():
                self._trusted = part.code == graph_code()
            case Nodes() if self._trusted:
                add = self._state.graph.restore
                for core, shared, decided, birth, month, sex, keys, tokens in part.nodes:
                    node = Node.restored(core, shared, decided, birth, month, sex, keys, tokens)
                    self._nodes.append(node)
                    add(node)
            case Edges() if self._trusted:
                numbers = iter(part.edges)
                for one, other, score in zip(numbers, numbers, numbers, strict=True):
                    left, right = self._nodes[one], self._nodes[other]
                    left.edges[right] = right.edges[left] = score

    def add(self, mention: MentionState, place: int) -> None:
        """Give the mention its node, which was saved at ``place``. Raises LookupError when it was not."""
        if self._trusted:
            mention.node = self._nodes[place]
            mention.node.members.append(mention)
        else:
            self._state.add(mention, mention.features(self._state.generic))

    def finish(self) -> None:
        """Bring the graph to rest."""
        if self._trusted:
            self._state.graph.rest()
        else:
            self._state.graph.settle()
