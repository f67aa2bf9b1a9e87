"""The data-element standard: what each element means, which codes it takes, how sensitive it is, how it is masked.

In the manner of ISO/IEC 11179, the table ``codes/element.csv`` describes an element once; a field of an Avro schema
names it in its attribute ``element``. A field such as ``mother_name`` is the element ``name`` of another person: its
own title is the field's ``doc``. A schema whose field has no element is refused by the tests and by the feeds.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Final

import msgspec

from avro.codes import CodeList, code_list, rows
from avro.errors import SchemaError
from avro.schema import Schema

LOWEST_LEVEL: Final = 1
HIGHEST_LEVEL: Final = 4


class Masking(StrEnum):
    """What somebody sees who may not see the value.

    ``none``: the value. ``surname``: the first character. ``middle``: the ends, the middle starred. ``year``: a date's
    year. ``county``: an address down to the county. ``all``: nothing.
    """

    NONE = "none"
    SURNAME = "surname"
    MIDDLE = "middle"
    YEAR = "year"
    COUNTY = "county"
    ALL = "all"


class ElementType(StrEnum):
    """How an element's values travel: the Avro type, dates and timestamps as the logical ones.

    All are nullable but ``strings``: ClickHouse has no nullable arrays, so an unknown one is empty. Decimals are
    strings: exact, and as Debezium sends them.
    """

    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"
    LONG = "long"
    BOOLEAN = "boolean"
    STRINGS = "strings"


class Element(msgspec.Struct, frozen=True):
    """One element. ``level`` is the classification, 1 (public) to 4 (highly sensitive); ``codes`` names its code list,
    ``standard`` where the definition comes from."""

    name: str
    type: ElementType
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    level: int
    masking: Masking
    example: str
    standard: str
    codes: CodeList | None = None


@cache
def elements() -> dict[str, Element]:
    """Return the standard, name → element. Raises SchemaError naming the element that lacks an attribute."""
    standard: dict[str, Element] = {}
    for row in rows("element"):
        name = row["element"]
        if name in standard:
            raise SchemaError(f"element {name} stands twice in codes/element.csv; remove one")
        lacking = [column for column, text in row.items() if not text and column != "codes"]
        if lacking:
            raise SchemaError(f"element {name} lacks {', '.join(lacking)}; fill it in codes/element.csv")
        level = int(row["level"])
        if not LOWEST_LEVEL <= level <= HIGHEST_LEVEL:
            raise SchemaError(f"element {name}: level {level} is none of 1 to 4; mend codes/element.csv")
        standard[name] = Element(
            name=name,
            type=ElementType(row["type"]),
            zh=row["zh"],
            en=row["en"],
            definition_zh=row["definition_zh"],
            definition_en=row["definition_en"],
            level=level,
            masking=Masking(row["masking"]),
            example=row["example"],
            standard=row["standard"],
            codes=code_list(row["codes"]) if row["codes"] else None,
        )
    return standard


def element_of(field: Schema) -> Element:
    """Return the element of a schema's field. Raises SchemaError when it has none, or not with this type."""
    name = field.get("element")
    element = elements().get(name) if isinstance(name, str) else None
    if element is None:
        raise SchemaError(
            f"field {field['name']}: 'element' is missing or not in the standard; see codes/element.csv"
        )
    if type_of(field) is not element.type:
        raise SchemaError(f"field {field['name']}: its type is not that of element {element.name}; mend one")
    return element


def type_of(field: Schema) -> ElementType | None:
    """Return the type of a field, None when it is none that elements have."""
    match field["type"]:
        case ["null", "string" | "long" | "boolean" as name]:
            return ElementType(name)
        case ["null", {"type": "int", "logicalType": "date"}]:
            return ElementType.DATE
        case ["null", {"type": "long", "logicalType": "timestamp-micros"}]:
            return ElementType.TIMESTAMP
        case {"type": "array", "items": "string"}:
            return ElementType.STRINGS
    return None
