"""The shape of a table's rows as a feed names it: Debezium's JSON read straight into a struct, without a dictionary.

Typed decoding takes a third of the time of decoding into dictionaries (docs/decisions/0015), and checks columns and
types on the way. Whatever does not fit the shape is left to `avro.envelope`'s general way, which says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from avro import debezium_wire
from avro._source import Source

MOST_BESIDE: Final = 256
"""Columns beside the named ones that a shape is widened by. A table has 1,600 at most; what invents a new name for
every row must not have a struct made for each."""

_WRAPPED: Final = b'{"schema"'
"""How a value begins that brings its schema along; its payload follows behind it."""

# Types whose values JSON tells apart. Numbers with a fraction are also written as whole ones, and what is nested is the
# rule's to look at: whoever reads such a column looks at its type.
STRICT: Final = frozenset((str, int, bool))

_NAMEABLE: Final = re.compile(r'[^"\\\x00-\x1f]*').fullmatch
"""Names that a field of a struct can have: those that JSON writes as they are. Rows with a column of another name are
read the general way."""

_encode: Final = msgspec.json.Encoder().encode


class RowEnvelope(msgspec.Struct, gc=False):
    """What a change of a row has beside the row before it, which nobody reads. ``after`` is a struct of the shape."""

    op: str
    source: debezium_wire.Source
    after: Any
    ts_us: int | None = None
    ts_ms: int | None = None


class RowShape:
    """Named columns with the types of their values, and the key's columns.

    ``struct`` has a field for each column, null or of its type: ``c0``, ``c1`` … in the order given; encoded as JSON it
    is the object of these columns. It changes when the shape is widened, its first fields do not.
    """

    def __init__(self, columns: Mapping[str, type], key: tuple[str, ...]) -> None:
        self._columns = dict(columns)
        self._beside: tuple[str, ...] = ()
        self.struct: type[msgspec.Struct] = self._make()
        key_struct = msgspec.defstruct(
            "Key",
            [(f"k{number}", Any) for number in range(len(key))],
            rename={f"k{number}": column for number, column in enumerate(key)},
            forbid_unknown_fields=True,
        )
        self._key: msgspec.json.Decoder[Any] = msgspec.json.Decoder(key_struct)

    def _make(self) -> type[msgspec.Struct]:
        names = {f"c{number}": column for number, column in enumerate(self._columns)}
        fields: list[Any] = [
            (name, takes | None if takes in STRICT else Any)
            for name, takes in zip(names, self._columns.values(), strict=True)
        ]
        for number, column in enumerate(self._beside):
            names[f"x{number}"] = column
            fields.append((f"x{number}", Any, msgspec.UNSET))
        extra = Source({"UNSET": msgspec.UNSET})
        with extra.block("def clear(row):"):
            for number in range(len(self._beside)):
                extra.add(f"row.x{number} = UNSET")
        self._clear = extra.compile("extra columns", "clear") if self._beside else None
        struct = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)
        envelope = msgspec.defstruct("Envelope", [("after", struct | None)], bases=(RowEnvelope,), gc=False)
        self._plain: msgspec.json.Decoder[Any] = msgspec.json.Decoder(envelope)
        self._wrapped: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Wrapped", [("payload", envelope)])
        )
        return struct

    def widen(self, columns: Iterable[str]) -> None:
        """Let rows have these columns beside the named ones, as far as there is room: they are passed over."""
        news = tuple(sorted(filter(_NAMEABLE, set(columns) - self._columns.keys() - set(self._beside))))
        if news and len(self._beside) + len(news) <= MOST_BESIDE:
            self._beside += news
            self.struct = self._make()

    def envelope(self, value: bytes) -> RowEnvelope | None:
        """Return a change of a row of this shape, as JSON with or without its schema; None for everything else."""
        try:
            is_wrapped = value.startswith(_WRAPPED)
            found: RowEnvelope = (
                self._wrapped.decode(value).payload if is_wrapped else self._plain.decode(value)
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if self._clear is not None and found.after is not None:
            self._clear(found.after)
        return found

    def row(self, columns: Mapping[str, Any]) -> msgspec.Struct | None:
        """Return a row of this shape, None when a column is missing, of another type, or not of the shape."""
        try:
            row: msgspec.Struct = msgspec.convert(columns, self.struct)
        except msgspec.ValidationError:
            return None
        if self._clear is not None:
            self._clear(row)
        return row

    def values(self, row: msgspec.Struct) -> tuple[Any, ...]:
        """Return the values of a row's named columns."""
        return astuple(row)[: len(self._columns)]

    def columns(self, row: msgspec.Struct) -> dict[str, Any]:
        """Return the named columns of a row."""
        return dict(zip(self._columns, self.values(row), strict=True))

    def key_text(self, data: bytes) -> str | None:
        """Return the text of a key that is the compact JSON of the key's columns in their order, else None."""
        try:
            return data.decode() if _encode(self._key.decode(data)) == data else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
