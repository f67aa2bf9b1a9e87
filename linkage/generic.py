"""Values that stand for nothing: default births, telephones and names that clerks and programs fill in for
anybody.

Without such a table one default joins thousands. It is read from ``tables/generic.csv``; a learned one adds to
it. Values that turn out to be common later are caught by the graph, where too many nodes with one key make it
hot.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from io import StringIO
from typing import Final

from linkage.births import EPOCH
from linkage.errors import WeightsError
from linkage.weights import TABLES

ELEMENTS: Final = ("birth_date", "phone", "name")
_COLUMNS: Final = ("element", "value", "note")


class GenericValues:
    """A table of generic values: births as days since 1970-01-01, telephones and names as normalized."""

    def __init__(self, values: Mapping[str, frozenset[str]]) -> None:
        self.births = frozenset(
            [date.fromisoformat(value).toordinal() - EPOCH for value in values["birth_date"]]
        )
        self.phones = values["phone"]
        self.names = values["name"]


def read_generic(text: str, source: str) -> GenericValues:
    """Return the table. Raises WeightsError naming ``source`` and the line."""
    reader = csv.DictReader(StringIO(text))
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise WeightsError(f"{source}: line 1 must be {','.join(_COLUMNS)}; mend it")
    values: dict[str, set[str]] = {element: set() for element in ELEMENTS}
    for row in reader:
        if row["element"] not in values or not row["value"]:
            raise WeightsError(
                f"{source}: line {reader.line_num}: an element is one of {', '.join(ELEMENTS)}, with a value; mend it"
            )
        values[row["element"]].add(row["value"])
    try:
        return GenericValues({element: frozenset(found) for element, found in values.items()})
    except ValueError as error:
        raise WeightsError(f"{source}: a birth date is not written as yyyy-MM-dd; mend it") from error


@cache
def default_generic() -> GenericValues:
    """Return the table that comes with the program."""
    return read_generic((TABLES / "generic.csv").read_text(encoding="utf-8"), "generic.csv")
