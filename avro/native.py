"""How a record of a schema is held in Python where it is not a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from avro.errors import SchemaError


@dataclass(frozen=True, slots=True)
class Conversion:
    """A field whose Python value is not the schema's. On a misfit ``to_avro`` raises TypeError, ValueError or
    OverflowError, ``from_avro`` ValueError.
    """

    to_avro: Callable[[Any], Any]
    from_avro: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Native:
    """A struct whose fields are ``leading`` and then the schema's, in the schema's order.

    ``leading`` are values that the schema does not carry; a reader passes them on, a writer ignores them.
    Arrays of such a record are read as tuples.
    """

    struct: type[msgspec.Struct]
    leading: tuple[Any, ...] = ()
    conversions: Mapping[str, Conversion] = field(default_factory=dict)

    def check(self, name: str, fields: tuple[str, ...]) -> None:
        """Raise SchemaError unless the struct has just these fields: the reader fills them by position."""
        own = self.struct.__struct_fields__[len(self.leading) :]
        if own != fields:
            raise SchemaError(
                f"{name}: the fields of its schema and of {self.struct.__name__} differ; mend one"
            )
