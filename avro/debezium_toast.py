"""The placeholder that Debezium sends for a large column that an update did not touch (unchanged TOAST).

It takes the column's type: text, base64 for bytes, an element of an array, an entry of a map, the bytes' numbers in
an array of integers, a name-based UUID in an array of UUIDs. What it stands for must not overwrite the stored value.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any, Final

from avro.debezium_wire import Row

PLACEHOLDER: Final = "__debezium_unavailable_value"
"""Debezium's default for ``unavailable.value.placeholder``."""


class Unavailable:
    """Recognises one placeholder."""

    def __init__(self, placeholder: str = PLACEHOLDER) -> None:
        data = placeholder.encode()
        encoded = base64.b64encode(data).decode()
        name_uuid = str(uuid.UUID(bytes=hashlib.md5(data, usedforsecurity=False).digest(), version=3))
        as_hstore = json.dumps({placeholder: placeholder}, separators=(",", ":"))
        self._scalars: Final = frozenset((placeholder, encoded, as_hstore))
        self._items: Final = (placeholder, encoded, name_uuid)
        self._numbers: Final = list(data)

    def is_value(self, value: Any) -> bool:
        """Return whether a column's value is the placeholder."""
        if isinstance(value, str):
            return value in self._scalars
        if isinstance(value, list):
            return (len(value) == 1 and value[0] in self._items) or value == self._numbers
        if isinstance(value, dict):
            return len(value) == 1 and all(
                map(self._scalars.__contains__, (*value, *map(str, value.values())))
            )
        return False

    def is_in(self, values: tuple[Any, ...]) -> bool:
        """Return whether one of a row's values is the placeholder."""
        try:
            return not self._scalars.isdisjoint(values)
        except TypeError:
            return any(map(self.is_value, values))

    def take_from(self, row: Row) -> tuple[str, ...]:
        """Remove the columns that hold the placeholder from ``row`` and return their names."""
        try:
            if self._scalars.isdisjoint(row.values()):
                return ()
        except TypeError:
            pass  # an array or a map is no member of a set: look at each value
        names = tuple(name for name, value in row.items() if self.is_value(value))
        for name in names:
            del row[name]
        return names
