"""The graph of what the register says: nodes are descriptions of a person, edges are scored pairs of them.

A node is what one or several mentions say alike. Mentions with the same number, names, birth and sex are one
node, whatever else they tell: nobody needs to score them against each other. Every other mention is a node of
its own. A node has the tokens of all its mentions.

Two nodes are compared when they share a key: a number (an invalid one counts as each number that one error
makes of it), a token, or a name with a birth. Two nodes that have a number each are compared only if they share
a number, a document, a source's own number, or both name and birth: their numbers tell. A key of more than
`MOST` nodes is hot: it brings nobody together and proves nothing, and is counted. When a key crosses that line
in either direction all its nodes are compared again, so the graph is a function of the live mentions and not of
their order.

Nodes are numbers here; what they hold lies in flat arrays that compiled code works on (`linkage.kernel`). `node` makes
of one what people can read.
"""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import xxhash

from linkage import memory
from linkage.births import lunar_readings
from linkage.features import INDEXED, KIND_MASK, Core, Features, Kind, keys_of, numbers_meant, token
from linkage.names import NameLevel
from linkage.node import Node, kin_tokens, known_birth, known_month, known_sex
from linkage.weights import Weights

if TYPE_CHECKING:
    from linkage.state import MentionState

SURE: Final = (Kind.TIE, Kind.DOCUMENT, Kind.NAMESAKE)
"""Kinds of keys by which two nodes that have a number each are compared."""

MOST: Final = 64
"""Nodes that may share a key (`linkage.kernel` has the reason)."""

_LEVELS: Final = {level: place for place, level in enumerate(sorted(NameLevel))}
_NO_BIRTH: Final = -(1 << 40)
_NO_DAYS: Final = (_NO_BIRTH, _NO_BIRTH)
_CHECK: Final = {character: place for place, character in enumerate("0123456789X")}

Verdicts = Callable[[int], Iterable[tuple[int, Callable[[int], int]]]]
"""From a decided node to those that standing decisions name with it, and what becomes of the pair's score."""


def number_key(number: str) -> int:
    """Return the key under which nodes that mean a number are found."""
    return token(Kind.NUMBER, number)


def _code(number: str) -> int:
    """Return a valid ID number as one word, 0 for none (`linkage.kernel`)."""
    return int(number[:17]) * 11 + _CHECK[number[17]] if number else 0


def _text_code(text: str) -> int:
    """Return a word that stands for a text, 0 for none."""
    return (xxhash.xxh3_64_intdigest(text) >> 1) or 1 if text else 0


def _words(values: Sequence[int]) -> memory.Words:
    return np.frombuffer(array("q", values), np.int64) if values else _EMPTY


_TOLD: Final = [(told & 1 != 0, told & 2 != 0, told & 4 != 0) for told in range(8)]
"""What the compiled code tells of a component, as truths."""
_EMPTY: Final = np.empty(0, np.int64)
_encode: Final = msgspec.msgpack.Encoder().encode


def _two_days(days: tuple[int, ...]) -> tuple[int, ...]:
    """Return two days at most as exactly two words."""
    return days + _NO_DAYS[len(days) :]


class Component(NamedTuple):
    """Nodes that links connect, with the number or doubtful number of each (0: none).

    ``whole``: no constraint can cut them. ``near``: one may be of a review with one outside. ``decided``: a decision
    is about one. ``alone``: it is one node, and no other means its number.
    """

    nodes: list[int]
    numbers: list[int]
    whole: bool
    near: bool
    decided: bool
    alone: bool


class Graph:
    """The nodes and their edges, brought up to date by `settle` after mentions were added and removed."""

    def __init__(
        self, weights: Weights, verdicts: Verdicts, features: Callable[[MentionState], Features]
    ) -> None:
        # Loads the compiler: only where a graph is made. The scorer compares nodes, so its module needs this one.
        from linkage import kernel
        from linkage.compare import Scorer

        self._kernel = kernel
        self._verdicts = verdicts
        self._features = features
        self.memory = memory.reserve(kernel.SIZE)
        self.scorer = Scorer(weights, _Hot(self))
        self._names: list[str] = [""]
        self._name_places: dict[str, int] = {}
        self.members: list[list[MentionState]] = [[]]
        """The mentions of each node; of one that is free none."""
        out = kernel.OUT
        self._out = self.memory[out:]
        words = self.memory
        words[kernel.APART_FROM] = self.scorer.apart
        words[kernel.REVIEW_FROM] = self.scorer.review
        words[kernel.LINK_FROM] = self.scorer.link
        for place, name in enumerate(kernel.WEIGHED):
            words[kernel.WEIGHTS + 2 * place], words[kernel.WEIGHTS + 2 * place + 1] = weights[name]

    def prepare(self) -> None:
        """Load the compiled code, or compile it: better now than with the first record. The graph must be empty."""
        first, second = (Core("", "", "", (), (name,), 0, 0, (), "", 0, "") for name in ("王芳", "王方"))
        nodes = [self._create(core, 0, _words((1,)), False) for core in (first, second)]
        self.members += [[], []]
        self.score(*nodes)
        self.touch(nodes[0])
        self._kernel.keeps(self.memory, 0, *nodes)
        self._kernel.connect(self.memory, nodes[1], _words((nodes[0], 0)))
        self.settle()
        self._kernel.join(self.memory, 1, 1, _EMPTY)
        self.change_tokens(nodes[0], (1,), (2,))
        self.component(nodes[0])
        self.outside(nodes)
        self.edges(nodes[0])
        self.candidates(nodes[0])
        self.holders(1)
        self.number(nodes[0])
        self.is_decided(nodes[0])
        self._kernel.leave(self.memory, nodes[0], _words((2,)))
        self._kernel.leave(self.memory, nodes[1], _words((1,)))
        self.settle()

    @property
    def node_count(self) -> int:
        """Nodes that have a mention."""
        return int(self.memory[self._kernel.NODE_COUNT])

    @property
    def hot_count(self) -> int:
        """Keys that so many have that they prove nothing."""
        return int(self.memory[self._kernel.HOT])

    def add(self, mention: MentionState, features: Features, alone: bool) -> int:
        """Give the mention its node. ``alone``: it must not share one, since a decision is about it."""
        core, tokens = features
        digest = 0
        words = _words(tokens)
        number = core.number
        if number and not alone:
            digest = (xxhash.xxh3_64_intdigest(_encode(core)) >> 1) or 1
            node: int = self._kernel.join(self.memory, number_key(number), digest, words)
            if node:
                self.members[node].append(mention)
                return node
        node = self._create(core, digest, words, alone)
        if node == len(self.members):
            self.members.append([mention])
        else:
            self.members[node] = [mention]
        return node

    def _create(self, core: Core, digest: int, tokens: memory.Words, alone: bool) -> int:
        kernel = self._kernel
        number = core.number
        birth = known_birth(core)
        words = [
            _code(number),
            _code(core.doubtful),
            _text_code(core.invalid),
            _text_code(core.certificate),
            _NO_BIRTH if core.birth is None else core.birth,
            _NO_BIRTH if birth is None else birth,
            *(_NO_DAYS if birth is None else _two_days(lunar_readings(birth))),
            *_two_days(core.lunar),
            known_month(core),
            int(core.sex or 0),
            int(known_sex(core) or 0),
            core.order,
            kin_tokens(number)[0] & ~KIND_MASK if number else 0,
            digest,
            kernel.DECIDED if alone else kernel.SHARED if number else 0,
        ]
        for name in core.names:
            words.append(self._name(name))
        for earlier in core.earlier:
            words.append(_code(earlier))
        for meant in numbers_meant(core):
            words.append(number_key(meant))
        words += keys_of(core, wide=not number)
        node: int = kernel.create(self.memory, _words(words), len(core.names), len(core.earlier), tokens)
        return node

    def _name(self, name: str) -> int:
        """Return the place of a name, whose evidence for two who share it is known then."""
        place = self._name_places.get(name)
        if place is None:
            place = self._name_places[name] = len(self._names)
            self._names.append(name)
            level, stranger, family = self.scorer.names.pair(name, name)
            self._kernel.name(self.memory, place, _LEVELS[level], stranger, family)
        return place

    def remove(self, mention: MentionState, node: int, features: Features) -> None:
        """Take the mention out of its node, and the node out of the graph when it was the last."""
        self.members[node].remove(mention)
        self._kernel.leave(self.memory, node, _words(features.tokens))

    def change_tokens(self, node: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Give a mention of the node other tokens."""
        self._kernel.change(self.memory, node, _words(before), _words(after))

    def touch(self, node: int) -> None:
        """Have the node compared again."""
        self._kernel.touch(self.memory, node)

    def settle(self) -> list[int]:
        """Compare what changed; return the nodes that have other edges, or share a number with one more or less.

        Nodes without a mention are left out; their neighbours are in.
        """
        kernel = self._kernel
        while (count := kernel.settle(self.memory)) < 0:
            if count == kernel.DECIDED_NEXT:
                self._connect(int(self._out[0]))
            else:
                self._tell_names(-count)
        return self._out[:count].tolist() if count else []

    def _tell_names(self, count: int) -> None:
        """Remember what the pairs of names prove that the compiled code asks for."""
        kernel, names = self._kernel, self._names
        asked = self._out[: 2 * count].tolist()
        if self.memory[kernel.PAIR_COUNT] + count > kernel.MOST_PAIRS:
            kernel.forget(self.memory)
        for left, right in zip(asked[::2], asked[1::2], strict=True):
            level, stranger, family = self.scorer.names.pair(names[left], names[right])
            kernel.remember(self.memory, left, right, _LEVELS[level], stranger, family)

    def _connect(self, node: int) -> None:
        """Compare a node that decisions are about."""
        found: dict[int, int] = {}
        for other in self.candidates(node):
            value = self.score(node, other)
            if self._kernel.keeps(self.memory, value, node, other):
                found[other] = value
        for other, decide in self._verdicts(node):
            if other != node:
                found[other] = decide(self.score(node, other))
        self._kernel.connect(self.memory, node, _words([word for edge in found.items() for word in edge]))

    def component(self, start: int) -> Component:
        """Return the nodes that ``start`` is connected with by links, itself first."""
        count, told = self._kernel.component(self.memory, start)
        if count == 1:
            node, number, holders = self._out[:3].tolist()
            return Component([node], [number], *_TOLD[told], holders < 2)
        found = self._out[: 2 * count].tolist()
        return Component(found[:count], found[count:], *_TOLD[told], False)

    def score(self, one: int, other: int) -> int:
        """Return the score of two nodes."""
        if count := self._kernel.ask(self.memory, one, other):
            self._tell_names(count)
        return int(self._kernel.score(self.memory, one, other))

    def outside(self, nodes: Sequence[int]) -> list[tuple[int, int, int]]:
        """Return the edges from ``nodes`` to others that a review can be of, or that forbid one: node, other, score."""
        count = self._kernel.outside(self.memory, _words(nodes))
        found = self._out[: 3 * count].tolist()
        return list(zip(found[::3], found[1::3], found[2::3], strict=True))

    def candidates(self, node: int) -> list[int]:
        """Return the nodes that share a key with ``node``, which is left out."""
        count = self._kernel.candidates(self.memory, node)
        found: list[int] = self._out[:count].tolist()
        return found

    def holders(self, key: int) -> int:
        """Return how many nodes have an indexed key."""
        return int(self._kernel.holders(self.memory, key))

    def with_number(self, number: str) -> list[int]:
        """Return the nodes that mean a number."""
        count = self._kernel.nodes_of(self.memory, number_key(number))
        found: list[int] = self._out[:count].tolist()
        return found

    def is_hot(self, key: int) -> bool:
        """Say whether so many have a key that it proves nothing."""
        return key & KIND_MASK in INDEXED and self.holders(key) > MOST

    def edges(self, node: int) -> list[tuple[int, int]]:
        """Return a node's edges: the other node, and the score."""
        count = self._kernel.edges(self.memory, node)
        found = self._out[: 2 * count].tolist()
        return list(zip(found[::2], found[1::2], strict=True))

    def signs(self, node: int) -> dict[int, int]:
        """Return all that a node is found and known by, and how many of its mentions have each."""
        count = self._kernel.signs(self.memory, node)
        found = self._out[: 2 * count].tolist()
        return dict(zip(found[::2], found[1::2], strict=True))

    def number(self, node: int) -> int:
        """Return the node's own number as a word, 0 when it has none."""
        return int(self._kernel.number(self.memory, node))

    def core(self, node: int) -> Core:
        """Return who the node's mentions say they are."""
        return self._features(self.members[node][0]).core

    def is_decided(self, node: int) -> bool:
        """Say whether a decision is about the node's only mention."""
        return self._kernel.flags(self.memory, node) & self._kernel.DECIDED != 0

    def is_shared(self, node: int) -> bool:
        """Say whether further mentions of the same core belong to the node."""
        return self._kernel.flags(self.memory, node) & self._kernel.SHARED != 0

    def nodes(self) -> Iterator[int]:
        """Return all nodes, each once."""
        return iter([node for node, members in enumerate(self.members) if members])

    def saved(self) -> Iterator[tuple[int, memory.Words]]:
        """Yield the parts of the array to be saved, each with the place where it begins."""
        for begin, size in self._kernel.used(self.memory, len(self._names) - 1):
            yield begin, self.memory[begin : begin + size]

    @property
    def names(self) -> Sequence[str]:
        """All names that nodes have, in the order of their places, which count from 1."""
        return self._names[1:]

    def restore_names(self, names: Iterable[str]) -> None:
        """Put names of a snapshot behind those that are there."""
        for name in names:
            self._name_places[name] = len(self._names)
            self._names.append(name)

    def restore(self, begin: int, words: memory.Words) -> None:
        """Put back a part of the array."""
        self.memory[begin : begin + len(words)] = words

    def rest(self) -> None:
        """Take the graph as it is for settled."""
        self._kernel.rest(self.memory)

    def restore_members(self) -> None:
        """Make room for the mentions of the nodes that were put back."""
        self.members = [[] for _ in range(int(self.memory[self._kernel.NEXT_NODE]) + 1)]


class _Hot:
    """The keys that prove nothing, as the scorer asks for them."""

    def __init__(self, graph: Graph) -> None:
        # The graph holds its scorer, which holds this: it goes, with its memory, when nobody needs it.
        self._graph = weakref.proxy(graph)

    def __contains__(self, key: object) -> bool:
        return bool(self._graph.is_hot(key))


class Look:
    """Makes of the graph's nodes what people, training and rare cuts work with; valid until the graph changes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[int, LiveNode] = {}

    def __call__(self, place: int) -> LiveNode:
        """Return a node, the same object each time."""
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = LiveNode(self, place)
        return known

    def close(self) -> None:
        """Let the nodes go: they know one another, and no cycle is to be left behind (`linkage.heap`)."""
        for node in self._known.values():
            node.forget()
        self._known.clear()


class LiveNode(Node):
    """A node of a graph. Its edges are looked up when they are asked for."""

    def __init__(self, look: Look, place: int) -> None:
        graph = look.graph
        super().__init__(graph.core(place), graph.is_shared(place))
        self.place = place
        self.decided = graph.is_decided(place)
        self.members = graph.members[place]
        fixed = {*self.keys, *map(number_key, self.numbers)}
        self.tokens = {sign: count for sign, count in graph.signs(place).items() if sign not in fixed}
        self._look = look
        self._edges: dict[Node, int] | None = None

    def forget(self) -> None:
        """Forget the other nodes."""
        self._edges = None

    @property
    def edges(self) -> dict[Node, int]:
        """The scores of pairs that may be one person or must not."""
        if self._edges is None:
            self._edges = {self._look(other): value for other, value in self._look.graph.edges(self.place)}
        return self._edges
