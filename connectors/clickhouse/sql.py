"""Quoting: names and texts as ClickHouse's SQL wants them."""

from __future__ import annotations

from collections.abc import Iterable


def name(identifier: str) -> str:
    """Return an identifier in back quotes; ``table``, ``offset`` and ``partition`` are words of the
    language."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "\\`") + "`"


def names(identifiers: Iterable[str]) -> str:
    """Return identifiers separated by commas."""
    return ", ".join(map(name, identifiers))


def text(value: str) -> str:
    """Return a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def texts(values: Iterable[str]) -> str:
    """Return string literals separated by commas."""
    return ", ".join(map(text, values))
