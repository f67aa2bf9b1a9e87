"""Text as people type it: full-width characters, blanks of every kind, and the ways to write that nothing is known."""

from __future__ import annotations

import re
from typing import Final

from avro.normalize.issues import NONE, Issues

HAN: Final = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Han characters, for use within a character class: the blocks of GB 18030-2022, also outside the BMP."""

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xFFE5: 0xA5}
# Blanks, and characters without a width that come along when text is copied from a web page or a spreadsheet.
_BLANK: Final = r"\s\u00a0\u1680\u2000-\u200a\u202f\u205f\ufeff\u200b-\u200f\u2060"
_BLANKS: Final = re.compile(rf"[{_BLANK}]+")
# Most values need no mending, and looking is cheaper than mending.
TO_MEND: Final = rf"{_BLANK}\uff01-\uff5e\u3000\uffe5"
"""What `fold` and `squeeze` change, for use within a character class."""
_TO_MEND: Final = re.compile(f"[{TO_MEND}]")

MISSING: Final = frozenset(("", "无", "0", "-", "--", "/", "空", "NULL", "null", "Null", "暂无", "没有"))
"""Spellings of nothing that the register's sources use beside a null. They are no finding: nothing was said."""


USUAL_LABEL: Final = re.compile(f"[^{TO_MEND}]{{{max(map(len, MISSING)) + 1},}}")
"""What a name of an organisation or place looks like that `normalize_label` leaves as it is."""


def fold(text: str) -> str:
    """Return ``text`` with full-width letters, digits and signs in their plain form, and without outer blanks."""
    if _TO_MEND.search(text) is None:
        return text
    return _BLANKS.sub(" ", text.translate(_FULL_WIDTH)).strip(" ")


def squeeze(text: str) -> str:
    """Return `fold` of ``text`` without any blanks."""
    if _TO_MEND.search(text) is None:
        return text
    return _BLANKS.sub("", text.translate(_FULL_WIDTH))


# Blanks beside a Han character part nothing; between Latin letters or digits they do.
_STRAY_BLANK: Final = re.compile(rf"(?<=[{HAN}]) | (?=[{HAN}])")


def tidy(text: str) -> str:
    """Return `fold` of ``text`` without the blanks that part nothing."""
    folded = fold(text)
    return _STRAY_BLANK.sub("", folded) if " " in folded else folded


def normalize_label(value: str | None) -> tuple[str | None, Issues]:
    """Return the name of an organisation or place, tidied; spellings of nothing are null."""
    if value is None:
        return None, NONE
    text = tidy(value)
    return (None if text in MISSING else text), NONE


def is_repeated(text: str) -> bool:
    """Return whether ``text`` is one digit over and over, as typed into a field that must not be empty."""
    return len(text) > 1 and text.isdigit() and text == text[0] * len(text)


def normalize_text(value: str | None) -> tuple[str | None, Issues]:
    """Return the text without outer blanks; blank is null. Nothing else is changed: it may be anything."""
    if value is None:
        return None, NONE
    return value.strip() or None, NONE


def normalize_digits(value: str | None) -> tuple[str | None, Issues]:
    """Return the text of a number that only names something; all zeros are how old files say that there is none."""
    text, issues = normalize_text(value)
    return (text if text is not None and text.strip("0") else None), issues
