"""Python source text in the making: lines, fresh names, constants, and the compiled result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Source:
    """Source text of a few functions. Names in it are fresh, values from outside are constants beside it."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self._constants = dict(constants)
        self._lines: list[str] = []
        self._indent = 0
        self._last = 0

    def add_constants(self, constants: Mapping[str, Any]) -> None:
        """Let the functions find these values under these names."""
        self._constants |= constants

    def add(self, line: str) -> None:
        """Add one line at the present depth."""
        self._lines.append("    " * self._indent + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        """Add a line that opens a block, and indent what is added inside."""
        self.add(line)
        self._indent += 1
        yield
        self._indent -= 1

    def fresh(self, prefix: str) -> str:
        """Return a name that nothing else has."""
        self._last += 1
        return f"{prefix}{self._last}"

    def constant(self, value: Any) -> str:
        """Return the name under which the functions find ``value``."""
        name = self.fresh("C")
        self._constants[name] = value
        return name

    def text(self) -> str:
        """Return the source."""
        return "\n".join(self._lines) + "\n"

    def compile(self, label: str, function: str) -> Any:
        """Return the function of this name; ``label`` stands for the file in tracebacks."""
        namespace = dict(self._constants)
        # The text is built from numbered names and checked Avro names only, never from data.
        exec(compile(self.text(), f"<{label}>", "exec"), namespace)  # noqa: S102
        return namespace[function]
