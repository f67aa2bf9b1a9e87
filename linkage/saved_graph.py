"""The graph in a snapshot: the arrays as they are, so that recovery makes no features and no scores anew.

They are worth what the code is worth that made them: `graph_code` stands before them, and where that differs what is
saved is passed over and the graph is made anew from the mentions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

import avro
from linkage.state import LinkState, MentionState

_CHUNK: Final = 1 << 19
"""Words or names a frame: some megabytes."""
_HERE: Final = Path(__file__).parent
_MODULES: Final = (
    "births",
    "compare",
    "features",
    "generic",
    "graph",
    "id_number",
    "kernel",
    "memory",
    "names",
    "node",
    "weights",
)
_LIBRARIES: Final = ("lunar-python", "opencc", "pypinyin", "xxhash")


class GraphCode(msgspec.Struct, array_like=True, tag=10):
    """What made the arrays that follow."""

    code: str


class Words(msgspec.Struct, array_like=True, tag=11):
    """A part of the array: the place where it begins, and its words, the low byte first."""

    begin: int
    words: bytes


class Names(msgspec.Struct, array_like=True, tag=12):
    """Names, which count through all of these parts."""

    names: tuple[str, ...]


Part = GraphCode | Words | Names


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


def graph_parts(state: LinkState) -> Iterator[Part]:
    """Yield the graph of a state that does not change meanwhile: before the mentions, which name their nodes."""
    yield GraphCode(graph_code())
    names = state.graph.names
    for start in range(0, len(names), _CHUNK):
        yield Names(tuple(names[start : start + _CHUNK]))
    for begin, words in state.graph.saved():
        for start in range(0, len(words), _CHUNK):
            yield Words(begin + start, words[start : start + _CHUNK].astype("<i8", copy=False).tobytes())


class GraphReader:
    """Puts a saved graph back into a state, part by part, or makes it anew where other code saved it."""

    def __init__(self, state: LinkState) -> None:
        self._state = state
        self._trusted = False
        self._ready = False

    def take(self, part: Part) -> None:
        """Take in a part."""
        match part:
            case GraphCode():
                self._trusted = part.code == graph_code()
            case Names() if self._trusted:
                self._state.graph.restore_names(part.names)
            case Words() if self._trusted:
                self._state.graph.restore(part.begin, np.frombuffer(part.words, "<i8"))

    def add(self, mention: MentionState, node: int) -> None:
        """Give the mention its node. Raises LookupError when it was not saved."""
        graph = self._state.graph
        if not self._trusted:
            self._state.add(mention, self._state.features_of(mention))
            return
        if not self._ready:
            graph.restore_members()
            self._ready = True
        mention.node = node
        graph.members[node].append(mention)

    def finish(self) -> None:
        """Bring the graph to rest."""
        if self._trusted:
            self._state.graph.rest()
        else:
            self._state.graph.settle()
