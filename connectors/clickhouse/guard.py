"""Which statements a reader may run.

The engine's ``readonly`` keeps readers from writing to tables. It does not keep them from ``INTO OUTFILE``,
from temporary tables over files, nor from table functions that read files or call other hosts. Those are
refused here, on the text that the engine itself makes of the parsed statement: one statement, no comments,
keywords in capitals. It is this text that is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

READING: Final = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS")
"""First words of statements that only read."""

HARMLESS_TABLE_FUNCTIONS: Final = frozenset(
    {
        "dictionary",
        "format",
        "fuzzjson",
        "generaterandom",
        "generateseries",
        "generate_series",
        "loop",
        "merge",
        "null",
        "numbers",
        "numbers_mt",
        "primes",
        "sqlstandardvalues",
        "values",
        "view",
        "zeros",
        "zeros_mt",
    }
)
"""Table functions that reach nothing but the store's own tables and what stands in the statement."""

_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_FUNCTION: Final = re.compile(r"[`\"]?(\w+)[`\"]?\s*\(")
_OUTFILE: Final = re.compile(r"\bINTO\s+OUTFILE\b")
_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)(?:\s+SETTINGS\b.*)?$", re.DOTALL)


class RefusedError(Exception):
    """The statement may not be run by a reader. Says why, in the form of ClickHouse's own errors."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {reason}")
        self.code = code


READONLY: Final = 164
"""ClickHouse's code for a statement that a reader may not run."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may be run; ``format`` is the one it names itself, empty when it names none."""

    text: str
    format: str

    @property
    def selects(self) -> bool:
        """Whether it is a SELECT: only that takes settings and can be streamed."""
        return self.text.lstrip("(").startswith(("SELECT", "WITH"))


def check(normalized: str, is_table_function: Callable[[str], bool]) -> Statement:
    """Return the statement. ``normalized`` is the engine's text of it. Raises RefusedError.

    ``is_table_function`` tells, for a name in small letters, whether the engine has such a table function.
    """
    bare = _LITERAL.sub("''", normalized)
    first = bare.lstrip("(").partition(" ")[0]
    if first not in READING:
        raise RefusedError(
            f"{first} changes something; readers only read. Use {', '.join(READING)}", READONLY
        )
    if _OUTFILE.search(bare):
        raise RefusedError("INTO OUTFILE writes a file; take the output instead", READONLY)
    for called in _FUNCTION.findall(bare):
        name = called.lower()
        if name not in HARMLESS_TABLE_FUNCTIONS and is_table_function(name):
            raise RefusedError(
                f"table function {called} reaches outside the store; query the store's tables", READONLY
            )
    named = _FORMAT.search(bare)
    return Statement(normalized, named.group(1) if named else "")
