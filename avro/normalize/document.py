"""Numbers of identity documents, by the document's type (`avro.codes`, list document_type).

A number is given in the form that stays the same for life: permits lose the two digits that count their renewals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.resident_id import LENGTH, OLD_LENGTH, is_valid, normalize_resident_id
from avro.normalize.text import MISSING, is_repeated, squeeze

RESIDENT_ID: Final = "111"
_RESIDENT_NUMBERS: Final = frozenset((RESIDENT_ID, "112", "113"))
"""Documents whose number is the citizen's resident ID number."""

BIRTH_CERTIFICATE: Final = "117"
_OFFICERS: Final = ("114", "115", "123", "124")
_TAIWAN: Final = "511"
_HONG_KONG_MACAO: Final = "516"
_EITHER: Final = "510"
_PASSPORTS: Final = ("411", "412", "413", "414", "420", "421")
_PERMANENT_RESIDENCE: Final = "553"

Number = tuple[str | None, Issues]

# ICAO 9303: nine places at most, a few states print longer numbers; none is without a digit.
_PASSPORT: Final = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{5,14}")
# Eight digits for life; before 2015 two more counted the issues. A letter in brackets, often left out, is the issuer's.
_TAIWAN_PERMIT: Final = re.compile(r"T?([0-9]{8})(?:[0-9]{2})?(?:\([A-Z0-9]{1,2}\)|[A-Z])?")
# H or M and eight digits for life; two more count the issues.
_HONG_KONG_PERMIT: Final = re.compile(r"([HM][0-9]{8})(?:[0-9]{2})?")
# Since 2023 a number made as a resident ID, beginning with 9; before that nationality and twelve digits.
_OLD_RESIDENCE: Final = re.compile(r"[A-Z]{3}[0-9]{12}")
_NEW_RESIDENCE: Final = "9"
_OFFICER: Final = re.compile(r"([^\W\d]{1,4}?)字?第?([0-9]{4,8})号?")
_CERTIFICATE: Final = re.compile(r"[A-Z][0-9]{9}")
_OTHER: Final = re.compile(r".{2,40}")

# What nobody would write for a resident ID number: a number of another document in the wrong field.
_PLAINLY_OTHER: Final = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?|[A-Z]{1,2}[0-9]{7,8}|[A-Z]{3}[0-9]{12}")


def normalize_document(value: str | None, document: str | None) -> Number:
    """Return the number of a document of type ``document`` (None: not known).

    A resident ID is checked as one. Others are tidied and checked for their shape. Where the type is not known, what
    looks like a resident ID is checked as one, a newborn's stand-in is null, and anything else is kept with a note. A
    number that plainly is of another document than it is said to be is kept with a warning.
    """
    if value is None:
        return None, NONE
    if document in _RESIDENT_NUMBERS:
        number, issues = normalize_resident_id(value)
        return (number, issues) if number is not None or not issues else _other_than_resident(value, issues)
    number = squeeze(value).upper().lstrip("'")
    if number in MISSING:
        return None, NONE
    if is_repeated(number):
        return None, ("placeholder",)
    if document is None:
        if len(number) in (LENGTH, OLD_LENGTH) and number[:-1].isdigit():
            return normalize_resident_id(number)
        if normalize_mothers_number(number)[0] is not None:
            return None, ("id_extra_digit",)  # a newborn's stand-in, which no document has
        return number, ("unknown_document",)
    canonical = _READERS.get(document, _any)(number)
    if canonical is None:
        return (number, ("document_is_resident_id",)) if is_valid(number) else (None, ("malformed_document",))
    return canonical, ("document_is_resident_id",) if _is_citizens(canonical, document) else NONE


def normalize_certificate(value: str | None) -> Number:
    """Return the number of a birth certificate (WS 375: a letter and nine digits), null for every other number.

    Without findings: another rule reads the same column, which may hold numbers of any document.
    """
    number = "" if value is None else squeeze(value).upper()
    return number if _CERTIFICATE.fullmatch(number) else None, NONE


def normalize_mothers_number(value: str | None) -> Number:
    """Return the mother's resident ID number out of a newborn's, which is hers with a digit behind it; else null.

    Without findings: another rule reads the same column.
    """
    number = "" if value is None else squeeze(value).upper()
    hers = number[:LENGTH]
    return hers if len(number) == LENGTH + 1 and number[-1].isdigit() and is_valid(hers) else None, NONE


def _other_than_resident(value: str, issues: Issues) -> Number:
    number = squeeze(value).upper()
    return (number, ("document_is_other",)) if _PLAINLY_OTHER.fullmatch(number) else (None, issues)


def _is_citizens(number: str, document: str) -> bool:
    return is_valid(number) and not (document == _PERMANENT_RESIDENCE and number.startswith(_NEW_RESIDENCE))


def _passport(number: str) -> str | None:
    number = number.replace("-", "")
    return number if _PASSPORT.fullmatch(number) else None


def _taiwan_permit(number: str) -> str | None:
    match = _TAIWAN_PERMIT.fullmatch(number)
    return None if match is None else match[1]


def _hong_kong_permit(number: str) -> str | None:
    match = _HONG_KONG_PERMIT.fullmatch(number.replace("-", ""))
    return None if match is None else match[1]


def _either_permit(number: str) -> str | None:
    return _hong_kong_permit(number) or _taiwan_permit(number)


def _permanent_residence(number: str) -> str | None:
    number = number.replace("-", "")
    if number.startswith(_NEW_RESIDENCE) and is_valid(number):
        return number
    return number if _OLD_RESIDENCE.fullmatch(number) else None


def _officer(number: str) -> str | None:
    match = _OFFICER.fullmatch(number)
    if match is None:
        return number if re.fullmatch(r"[0-9]{5,10}", number) else None
    unit, serial = match.groups()
    return f"{unit.removesuffix('字')}字第{serial}号"


def _certificate(number: str) -> str | None:
    return number if _CERTIFICATE.fullmatch(number) else None


def _any(number: str) -> str | None:
    return number if _OTHER.fullmatch(number) else None


_READERS: Final[dict[str, Callable[[str], str | None]]] = {
    BIRTH_CERTIFICATE: _certificate,
    _TAIWAN: _taiwan_permit,
    _HONG_KONG_MACAO: _hong_kong_permit,
    _EITHER: _either_permit,
    _PERMANENT_RESIDENCE: _permanent_residence,
    **dict.fromkeys(_PASSPORTS, _passport),
    **dict.fromkeys(_OFFICERS, _officer),
}
"""Type of a document → what makes its number canonical, or says None."""
