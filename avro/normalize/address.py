"""Addresses as text. Nothing is added or reordered: what it means is read by code where a code is given."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import MISSING, TO_MEND, tidy

_DASH: Final = r"\u2010-\u2015\u2212\u2500\uff0d"
_DASHES: Final = re.compile(f"[{_DASH}]")
# Most addresses hold none of these: one look, then, instead of two.
_TO_TIDY: Final = re.compile(f"[{TO_MEND}{_DASH}]")
_LONGEST_PLACEHOLDER: Final = 8
USUAL_ADDRESS: Final = re.compile(f"[^{TO_MEND}{_DASH}]{{{_LONGEST_PLACEHOLDER + 1},}}")
"""What an address looks like that `normalize_address` leaves as it is."""
_PLACEHOLDER: Final = re.compile(r"不详|不明|未知|待补|无法查明|[xX*]+|\?+|0+")


def normalize_address(value: str | None) -> tuple[str | None, Issues]:
    """Return the address with plain digits and letters and without stray blanks; placeholders are null."""
    if value is None:
        return None, NONE
    if len(value) > _LONGEST_PLACEHOLDER and _TO_TIDY.search(value) is None:
        return value, NONE
    text = _DASHES.sub("-", tidy(value))
    if len(text) > _LONGEST_PLACEHOLDER:
        return text, NONE
    if text in MISSING:
        return None, NONE
    if _PLACEHOLDER.fullmatch(text):
        return None, ("placeholder",)
    return text, NONE
