"""Numbers of identity documents, by the document's type (`avro.codes`, list document_type)."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.resident_id import LENGTH, OLD_LENGTH, is_valid, normalize_resident_id
from avro.normalize.text import MISSING, is_repeated, squeeze

RESIDENT_ID: Final = "111"
_RESIDENT_NUMBERS: Final = frozenset((RESIDENT_ID, "112", "113"))
"""Documents whose number is the citizen's resident ID number."""

_SHAPES: Final = {
    # ICAO 9303: nine places at most, a few states print longer numbers.
    "414": re.compile(r"[A-Z0-9]{5,14}"),
    # Eight digits since 2015; before that ten, with a letter in brackets that is often left out.
    "511": re.compile(r"[A-Z]?[0-9]{8}(?:[0-9]{2})?(?:\([A-Z0-9]+\))?"),
    # H or M, eight digits, and two more for the issue of the card.
    "516": re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?"),
}
_OTHER_SHAPE: Final = re.compile(r".{2,40}")


def normalize_document(value: str | None, document: str | None) -> tuple[str | None, Issues]:
    """Return the number of a document of type ``document`` (None: not known).

    A resident ID is checked as one. Others are tidied and checked for their shape. Where the type is not known, what
    looks like a resident ID is checked as one, and anything else is kept with a note.
    """
    if value is None:
        return None, NONE
    if document in _RESIDENT_NUMBERS:
        return normalize_resident_id(value)
    number = squeeze(value).upper()
    if number in MISSING:
        return None, NONE
    if is_repeated(number):
        return None, ("placeholder",)
    if document is None:
        if len(number) in (LENGTH, OLD_LENGTH) and number[:-1].isdigit():
            return normalize_resident_id(number)
        return number, ("unknown_document",)
    if _SHAPES.get(document, _OTHER_SHAPE).fullmatch(number) is None:
        if is_valid(number):
            return number, ("document_is_resident_id",)
        return None, ("malformed_document",)
    return number, ("document_is_resident_id",) if is_valid(number) else NONE
