"""YAML of which every value knows its line, so that an error in a feed file names file and line.

Only the structure is taken from YAML: mappings, lists and texts. ``01``, ``no`` and ``2024-01-01`` stay the text that
was written; what a text means is the reader's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import yaml
from yaml import MappingNode, MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError

from connectors.errors import FeedError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
# libyaml's parser takes a tenth of the time of the one in Python, which a platform without the wheel has.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL_TAG = "tag:yaml.org,2002:null"


class Located:
    """A value of a feed file with its place. Every method raises FeedError where the file is not as it asks."""

    def __init__(self, path: Path, node: Node) -> None:
        self._path = path
        self._node = node

    @property
    def line(self) -> int:
        """The line in the file, from 1."""
        return int(self._node.start_mark.line) + 1

    def fail(self, message: str) -> NoReturn:
        """Raise FeedError about this value."""
        raise FeedError(f"{self._path}:{self.line}: {message}")

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, SequenceNode)

    def text(self) -> str:
        """Return the text, which is not empty."""
        text = self.text_or_null()
        return text if text else self.fail("a text is wanted here")

    def text_or_null(self) -> str | None:
        """Return the text as it was written, None for ``null`` and ``~``."""
        if not isinstance(self._node, ScalarNode):
            self.fail("a single text is wanted here, not a list or a mapping")
        if self._node.tag == _NULL_TAG and not self._node.style:
            return None
        return str(self._node.value)

    def integer(self, least: int, most: int) -> int:
        """Return a whole number between two bounds."""
        text = self.text()
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            self.fail(f"a whole number from {least} to {most} is wanted here")
        return int(text)

    def items(self) -> list[Located]:
        """Return the values of a list."""
        if not isinstance(self._node, SequenceNode):
            self.fail("a list is wanted here")
        return [Located(self._path, node) for node in self._node.value]

    def entries(self) -> Iterator[tuple[str, Located, Located]]:
        """Yield name, the name's place and the value of each entry of a mapping. A name stands once."""
        if not isinstance(self._node, MappingNode):
            self.fail("a mapping is wanted here")
        seen: dict[str, int] = {}
        for key_node, value_node in self._node.value:
            key, value = Located(self._path, key_node), Located(self._path, value_node)
            if not isinstance(key_node, ScalarNode) or key_node.value == "":
                key.fail("the name of an entry is a text")
            name = str(key_node.value)
            if name in seen:
                key.fail(f"'{name}' stands here and in line {seen[name]}; remove one")
            seen[name] = key.line
            yield name, key, value

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Located]:
        """Return the entries of a mapping that has these names and no others."""
        found: dict[str, Located] = {}
        for name, key, value in self.entries():
            if name not in required and name not in optional:
                key.fail(f"'{name}' is not known here; known are {', '.join((*required, *optional))}")
            found[name] = value
        for name in required:
            if name not in found:
                self.fail(f"'{name}' is missing here")
        return found


def name_of(place: Located) -> str:
    """Return the name of a feed, a field or a role that stands here. Raises FeedError."""
    name = place.text()
    if _NAME.fullmatch(name) is None:
        place.fail("a name of lower-case letters, digits and underscores is wanted here")
    return name


def read_yaml(path: Path) -> Located:
    """Return the one document of a file. Raises FeedError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FeedError(
            f"{path}: cannot be read: {type(error).__name__}; is it UTF-8, may you read it?"
        ) from error
    try:
        node = yaml.compose(text, _LOADER)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise FeedError(f"{path}:{line}: not YAML: {error.problem}; mend the file") from error
    except YAMLError as error:
        raise FeedError(f"{path}:1: not YAML: {type(error).__name__}; mend the file") from error
    if node is None:
        raise FeedError(f"{path}:1: the file is empty; write a department with its feeds")
    return Located(path, node)
