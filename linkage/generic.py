"""Values that stand for nothing: default births, telephones, names and numbers that clerks and programs fill in for
anybody.

Without such a table one default joins thousands. The one in force is ``tables/generic.csv`` until another is switched
to by an entry of the log; `linkage.placeholders` learns one from the register. Values that turn out to be common later
are caught by the graph, where too many nodes with one key make it hot.

The table is a CSV with the columns ``element, value, note``; what stands behind them is for its reader. A value may be
hidden, as `hide` writes it: a learned telephone, name or number is somebody's until a steward says that it is nobody's.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Final

import xxhash

from linkage.births import EPOCH
from linkage.errors import WeightsError
from linkage.weights import TABLES

ELEMENTS: Final = ("birth_date", "phone", "name", "id_number")
COLUMNS: Final = ("element", "value", "note")
_HIDDEN: Final = "#"


def hide(value: str) -> str:
    """Return a value as it stands hidden in a table: what it is cannot be read, whether it is another can be told."""
    return f"{_HIDDEN}{xxhash.xxh3_64_hexdigest(value)}"


class GenericValues:
    """A table of generic values. ``text`` is the CSV that it was read from, ``births`` are days since 1970-01-01."""

    __slots__ = ("_hidden", "_values", "births", "text")

    def __init__(self, text: str, source: str) -> None:
        """Read the table. Raises WeightsError naming ``source`` and the line."""
        values = _read(text, source)
        self.text = text
        self.births = frozenset(
            [date.fromisoformat(value).toordinal() - EPOCH for value in values["birth_date"]]
        )
        self._values = {element: frozenset(found) for element, found in values.items()}
        self._hidden = {
            element: any(value.startswith(_HIDDEN) for value in found) for element, found in values.items()
        }

    def has(self, element: str, value: str) -> bool:
        """Say whether a telephone, name or number, as normalized, stands for nothing."""
        known = self._values[element]
        return value in known or (self._hidden[element] and hide(value) in known)


def _read(text: str, source: str) -> dict[str, set[str]]:
    reader = csv.DictReader(StringIO(text))
    if tuple(reader.fieldnames or ())[: len(COLUMNS)] != COLUMNS:
        raise WeightsError(f"{source}: line 1 must begin with {','.join(COLUMNS)}; mend it")
    values: dict[str, set[str]] = {element: set() for element in ELEMENTS}
    for row in reader:
        element, value = row["element"], row["value"]
        if element not in values or not value:
            raise WeightsError(
                f"{source}: line {reader.line_num}: an element is one of {', '.join(ELEMENTS)}, with a value; mend it"
            )
        if element == "birth_date":
            try:
                date.fromisoformat(value)
            except ValueError:
                raise WeightsError(
                    f"{source}: line {reader.line_num}: a birth date is written as yyyy-MM-dd; mend it"
                ) from None
        values[element].add(value)
    return values


def read_generic(path: Path) -> GenericValues:
    """Return the table in ``path``. Raises WeightsError."""
    try:
        return GenericValues(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise WeightsError(
            f"{path}: {error.strerror}; name a table of generic values that can be read"
        ) from error


@cache
def default_generic() -> GenericValues:
    """Return the table that comes with the program."""
    return read_generic(TABLES / "generic.csv")
