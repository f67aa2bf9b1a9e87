"""Telephone numbers: mainland mobiles as eleven digits, landlines as area code, hyphen, number; others as +digits."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import MISSING, fold, is_repeated

USUAL_PHONE: Final = re.compile(r"1[3-9][0-9]{9}")
"""What a number looks like that `normalize_phone` leaves as it is."""
_MOBILE: Final = re.compile(r"(?<![0-9])(?:\+?(?:00)?86)?(1[3-9][0-9]{9})(?![0-9])")
# Area codes have three digits in 010 and 02x, else four; an extension may follow.
_LANDLINE: Final = re.compile(
    r"(?<![0-9])\(?(0(?:10|2[0-9]|[3-9][0-9]{2}))\)?[- ]?([2-9][0-9]{6,7})(?:(?:转|ext\.?|-|#)([0-9]{1,6}))?(?![0-9])"
)
_LOCAL: Final = re.compile(r"[2-9][0-9]{6,7}")
_FOREIGN: Final = re.compile(r"(?:\+|00)(?!86)([1-9][0-9]{6,14})")
_SEPARATORS: Final = re.compile(r"(?<=[0-9])[ \-.](?=[0-9])")


def normalize_phone(value: str | None) -> tuple[str | None, Issues]:
    """Return the number; null with a finding when none, or more than one, can be read.

    A local number without its area code is kept as it is.
    """
    if value is None:
        return None, NONE
    if USUAL_PHONE.fullmatch(value):
        return value, NONE
    text = fold(value)
    if text in MISSING:
        return None, NONE
    joined = _SEPARATORS.sub("", text)
    if is_repeated(joined):
        return None, ("placeholder",)
    mobiles = dict.fromkeys(_MOBILE.findall(joined))
    lines = list(dict.fromkeys(_LANDLINE.findall(text)))
    if len(mobiles) + len(lines) > 1:
        return None, ("several_phones",)
    if mobiles:
        number = next(iter(mobiles))
        return number, NONE if _MOBILE.fullmatch(joined) else ("phone_with_other_text",)
    if lines:
        area, local, extension = lines[0]
        number = f"{area}-{local}-{extension}" if extension else f"{area}-{local}"
        return number, NONE if _LANDLINE.fullmatch(text) else ("phone_with_other_text",)
    if _LOCAL.fullmatch(joined):
        return joined, NONE
    foreign = _FOREIGN.fullmatch(joined)
    if foreign is not None:
        return f"+{foreign[1]}", NONE
    return None, ("malformed_phone",)


def normalize_phones(value: list[object] | None) -> tuple[str | None, Issues]:
    """Return the first number of a list of texts, and the findings of those before it."""
    issues: list[str] = []
    for item in value or ():
        if item is None:
            continue
        if not isinstance(item, str):
            issues.append("malformed_phone")
            continue
        number, found = normalize_phone(item)
        issues += found
        if number is not None:
            return number, tuple(issues)
    return None, tuple(issues)
