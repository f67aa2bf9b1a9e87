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
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

from linkage.births import date_in, day_of
from linkage.features import INDEXED, KIND_MASK, Core, Features, Kind, keys_of, numbers_meant, token
from linkage.weights import Weights

if TYPE_CHECKING:
    from linkage.state import MentionState

MOST: Final = 64
"""Nodes that may share a key. A person has some three, a household of six some twenty; a telephone or address
of more than this is an office's, or a default."""

SURE: Final = (Kind.TIE, Kind.DOCUMENT, Kind.NAMESAKE)
"""Kinds of keys by which two nodes that have a number each are compared."""
_LIST: Final = MOST // 2
"""Nodes of a key that are kept as a list; beyond, taking one out would cost too much."""

_Bucket = "Node | list[Node] | dict[Node, None]"


class Node:
    """One description of a person, and the mentions that give it.

    ``tokens`` counts the mentions that have each token. ``edges`` are the scores of pairs that may be one
    person or must not. ``birth`` (days since 1970-01-01), ``month`` (yyyyMM) and ``sex`` are stated or in the
    number. ``shared``: further mentions of the same core belong here. ``decided``: a steward's decision is about
    its only mention.
    """

    __slots__ = (
        "birth",
        "core",
        "decided",
        "edges",
        "keys",
        "members",
        "month",
        "numbers",
        "sex",
        "shared",
        "tokens",
    )

    def __init__(self, core: Core, shared: bool) -> None:
        self.core = core
        self.shared = shared
        self.decided = False
        self.members: list[MentionState] = []
        self.tokens: dict[int, int] = {}
        self.edges: dict[Node, int] = {}
        self.numbers = numbers_meant(core)
        self.birth = core.birth
        if core.birth is None and core.number:
            self.birth = date_in(core.number)
        self.sex = core.sex
        if not core.sex and core.number:
            self.sex = "1" if int(core.number[16]) % 2 else "2"
        self.month = core.month
        if self.birth is not None and not self.month:
            day = day_of(self.birth)
            self.month = day.year * 100 + day.month
        self.keys = tuple(keys_of(core, wide=not core.number))

    @classmethod
    def restored(
        cls,
        core: Core,
        shared: bool,
        decided: bool,
        birth: int | None,
        month: int,
        sex: str,
        keys: tuple[int, ...],
        tokens: dict[int, int],
    ) -> Self:
        """Return a node of a snapshot, without its members and edges."""
        node = cls.__new__(cls)
        node.core, node.shared, node.decided = core, shared, decided
        node.birth, node.month, node.sex = birth, month, sex
        node.keys, node.tokens = keys, tokens
        node.numbers = (core.number,) if _has_one_number(core) else numbers_meant(core)
        node.members, node.edges = [], {}
        return node

    @property
    def order(self) -> tuple[object, ...]:
        """A total order of the nodes that are there at one time, the same whatever came first."""
        core = self.core
        place: tuple[object, ...] = ()
        if not self.shared:
            (mention,) = self.members
            row = mention.row
            place = row.feed.name, row.key, mention.role, mention.ordinal
        birth = _NO_DATE if core.birth is None else core.birth
        return (core[:5], birth, core.month, core.lunar, core.sex, core.order, core.certificate, place)

    def tied_to(self, other: Node) -> bool:
        """Say whether a source calls both one file."""
        mine, others = self.tokens, other.tokens
        if len(mine) > len(others):
            mine, others = others, mine
        return any(sign & KIND_MASK == Kind.TIE and sign in others for sign in mine)

    def is_kin(self, number: str) -> bool:
        """Say whether the mentions give ``number`` to a parent, spouse or child."""
        tokens = self.tokens
        parent, spouse, child = kin_tokens(number)
        return parent in tokens or spouse in tokens or child in tokens


def _has_one_number(core: Core) -> bool:
    return core.number != "" and not (core.doubtful or core.invalid or core.earlier)


_NO_DATE: Final = -(1 << 40)
_CACHE: Final = 1 << 16


@lru_cache(_CACHE)
def kin_tokens(number: str) -> tuple[int, int, int]:
    """Return the tokens of a number that is a parent's, a spouse's, a child's."""
    return (
        token(Kind.PARENT_NUMBER, number),
        token(Kind.SPOUSE_NUMBER, number),
        token(Kind.CHILD_NUMBER, number),
    )


Verdicts = Callable[[Node], Iterable[tuple[Node, Callable[[int], int]]]]
"""From a decided node to those that standing decisions name with it, and what becomes of the pair's score."""


class Graph:
    """The nodes and their edges, brought up to date by `settle` after mentions were added and removed."""

    def __init__(self, weights: Weights, verdicts: Verdicts) -> None:
        # The scorer compares nodes, so its module needs this one.
        from linkage.compare import Scorer

        self._verdicts = verdicts
        self.hot: set[int] = set()
        self.hot_numbers: set[str] = set()
        self.scorer = Scorer(weights, self.hot)
        self.numbers: dict[str, list[Node]] = {}
        self._numbered: dict[int, Node | list[Node] | dict[Node, None]] = {}
        self._others: dict[int, Node | list[Node] | dict[Node, None]] = {}
        self._touched: dict[Node, None] = {}
        self._dirty: dict[Node, None] = {}
        self.node_count = 0

    def add(self, mention: MentionState, features: Features, alone: bool) -> Node:
        """Give the mention its node. ``alone``: it must not share one, since a decision is about it."""
        core = features.core
        node = None if alone or not core.number else self._find(core)
        if node is None:
            node = Node(core, shared=bool(core.number) and not alone)
            node.decided = alone
            self.node_count += 1
            for number in node.numbers:
                self._add_number(number, node)
            index = self._numbered if core.number else self._others
            for key in node.keys:
                self._add_key(index, key, node)
            self._touched[node] = None
        node.members.append(mention)
        self._add_tokens(node, features.tokens)
        return node

    def restore(self, node: Node) -> None:
        """Put back a node of a snapshot; `rest` follows the last, with all of their edges."""
        self.node_count += 1
        for number in node.numbers:
            self._add_number(number, node)
        index = self._numbered if node.core.number else self._others
        for key in (*node.keys, *[sign for sign in node.tokens if sign & KIND_MASK in INDEXED]):
            self._add_key(index, key, node)

    def rest(self) -> None:
        """Take the graph as it is for settled."""
        self._touched, self._dirty = {}, {}

    def remove(self, mention: MentionState, node: Node, features: Features) -> None:
        """Take the mention out of its node, and the node out of the graph when it was the last."""
        node.members.remove(mention)
        self._remove_tokens(node, features.tokens)
        if not node.members:
            self.node_count -= 1
            self._touched[node] = None
            for number in node.numbers:
                self._remove_number(number, node)
            index = self._numbered if node.core.number else self._others
            for key in node.keys:
                self._remove_key(index, key, node)

    def change_tokens(self, node: Node, before: Iterable[int], after: Iterable[int]) -> None:
        """Give a mention of the node other tokens."""
        self._add_tokens(node, after)
        self._remove_tokens(node, before)

    def touch(self, node: Node) -> None:
        """Have the node compared again."""
        self._touched[node] = None

    def settle(self) -> dict[Node, None]:
        """Compare what changed; return the nodes that have other edges, or share a number with one more or less.

        Nodes without a mention are left out; their neighbours are in.
        """
        dirty = self._dirty
        self._dirty = {}
        done: set[Node] = set()
        score, keep = self.scorer.score, self._keeps
        for node in self._touched:
            edges = node.edges
            if not node.members:
                for other in edges:
                    del other.edges[node]
                    dirty[other] = None
                node.edges = {}
                done.add(node)
                continue
            found: dict[Node, int] = {}
            for other in self._candidates(node):
                if other is node or other in done:
                    continue
                value = score(node, other)
                if keep(value, node, other):
                    found[other] = value
            if node.decided:
                for other, decide in self._verdicts(node):
                    if other not in done and other is not node:
                        found[other] = decide(score(node, other))
            for other in [other for other in edges if other not in found and other not in done]:
                del edges[other]
                del other.edges[node]
                dirty[node] = dirty[other] = None
            for other, value in found.items():
                if edges.get(other) != value:
                    edges[other] = other.edges[node] = value
                    dirty[node] = dirty[other] = None
            done.add(node)
        self._touched = {}
        return {node: None for node in dirty if node.members}

    def _keeps(self, value: int, one: Node, other: Node) -> bool:
        scorer = self.scorer
        if value >= scorer.review:
            return True
        if value > scorer.apart:
            return False
        left, right = one.core, other.core
        if left.order and right.order and left.order != right.order:
            return True
        if not (left.names and right.names):
            return False
        number = left.number or left.doubtful
        return number != "" and number == (right.number or right.doubtful)

    def component(self, start: Node, seen: set[Node]) -> list[Node]:
        """Return the nodes that ``start`` is connected with by links, itself first; adds them to ``seen``."""
        link = self.scorer.link
        found = [start]
        seen.add(start)
        for node in found:
            for other, value in node.edges.items():
                if value >= link and other not in seen:
                    seen.add(other)
                    found.append(other)
        return found

    def candidates(self, node: Node) -> dict[Node, None]:
        """Return the nodes that share a key with ``node``, which is left out."""
        found = self._candidates(node)
        found.pop(node, None)
        return found

    def _candidates(self, node: Node) -> dict[Node, None]:
        found: dict[Node, None] = {}
        for number in node.numbers:
            if number not in self.hot_numbers:
                for other in self.numbers[number]:
                    found[other] = None
        hot, numbered, others = self.hot, self._numbered, self._others
        is_numbered = bool(node.core.number)
        for key in (*node.keys, *node.tokens):
            kind = key & KIND_MASK
            if kind not in INDEXED or key in hot:
                continue
            bucket = others.get(key)
            if bucket is not None:
                _gather(bucket, found)
            if not is_numbered or kind in SURE:
                bucket = numbered.get(key)
                if bucket is not None:
                    _gather(bucket, found)
        return found

    def holders(self, key: int) -> int:
        """Return how many nodes have an indexed key."""
        return self._size(key)

    def _find(self, core: Core) -> Node | None:
        for node in self.numbers.get(core.number, ()):
            if node.shared and node.core == core:
                return node
        return None

    def _add_tokens(self, node: Node, tokens: Iterable[int]) -> None:
        index = self._numbered if node.core.number else self._others
        counts = node.tokens
        for sign in tokens:
            count = counts.get(sign, 0)
            counts[sign] = count + 1
            if not count:
                self._touched[node] = None
                if sign & KIND_MASK in INDEXED:
                    self._add_key(index, sign, node)

    def _remove_tokens(self, node: Node, tokens: Iterable[int]) -> None:
        index = self._numbered if node.core.number else self._others
        counts = node.tokens
        for sign in tokens:
            count = counts[sign]
            if count > 1:
                counts[sign] = count - 1
            else:
                del counts[sign]
                self._touched[node] = None
                if sign & KIND_MASK in INDEXED:
                    self._remove_key(index, sign, node)

    def _add_number(self, number: str, node: Node) -> None:
        nodes = self.numbers.setdefault(number, [])
        nodes.append(node)
        if len(nodes) == 2:
            self._dirty[nodes[0]] = None
        if len(nodes) == MOST + 1:
            self.hot_numbers.add(number)
            self._touch_all(nodes)

    def _remove_number(self, number: str, node: Node) -> None:
        nodes = self.numbers[number]
        nodes.remove(node)
        if len(nodes) == 1:
            self._dirty[nodes[0]] = None
        if len(nodes) == MOST:
            self.hot_numbers.discard(number)
            self._touch_all(nodes)
        if not nodes:
            del self.numbers[number]

    def _add_key(self, index: dict[int, Node | list[Node] | dict[Node, None]], key: int, node: Node) -> None:
        bucket = index.get(key)
        if bucket is None:
            index[key] = node
        elif isinstance(bucket, Node):
            index[key] = [bucket, node]
        elif isinstance(bucket, list):
            bucket.append(node)
            if len(bucket) > _LIST:
                index[key] = dict.fromkeys(bucket)
        else:
            bucket[node] = None
        if self._may_be_hot(key) and self._size(key) == MOST + 1:
            self.hot.add(key)
            self._touch_key(key)

    def _remove_key(
        self, index: dict[int, Node | list[Node] | dict[Node, None]], key: int, node: Node
    ) -> None:
        if self._may_be_hot(key) and self._size(key) == MOST + 1:
            self.hot.discard(key)
            self._touch_key(key)
        bucket = index[key]
        if isinstance(bucket, Node):
            del index[key]
        elif isinstance(bucket, list):
            bucket.remove(node)
            if len(bucket) == 1:
                index[key] = bucket[0]
        else:
            del bucket[node]
            if len(bucket) == 1:
                index[key] = next(iter(bucket))

    def _may_be_hot(self, key: int) -> bool:
        """Say whether the key may have more than `MOST` nodes: then one of its buckets is no list any more."""
        return type(self._numbered.get(key)) is dict or type(self._others.get(key)) is dict

    def _size(self, key: int) -> int:
        total = 0
        for index in (self._numbered, self._others):
            bucket = index.get(key)
            if bucket is not None:
                total += 1 if isinstance(bucket, Node) else len(bucket)
        return total

    def _touch_key(self, key: int) -> None:
        found: dict[Node, None] = {}
        for index in (self._numbered, self._others):
            bucket = index.get(key)
            if bucket is not None:
                _gather(bucket, found)
        self._touch_all(found)

    def _touch_all(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._touched[node] = None

    def nodes(self) -> Iterator[Node]:
        """Return all nodes, each once."""
        seen: set[Node] = set()
        for index in (self._numbered, self._others):
            for bucket in index.values():
                found: dict[Node, None] = {}
                _gather(bucket, found)
                for node in found:
                    if node not in seen:
                        seen.add(node)
                        yield node


def _gather(bucket: Node | list[Node] | dict[Node, None], found: dict[Node, None]) -> None:
    if isinstance(bucket, Node):
        found[bucket] = None
    else:
        for node in bucket:
            found[node] = None
