"""Coded values: from a department's own code or word to the code of the standard's list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from avro.codes import CodeList, code_list
from avro.normalize.issues import NONE, Issues, remembering
from avro.normalize.resident_id import PROVINCE_DIGITS
from avro.normalize.text import MISSING, squeeze

Coder = Callable[[str | None], tuple[str | None, Issues]]

DIVISION_DIGITS: Final = 6
_BLANK_DIVISIONS: Final = frozenset(("000000", "999999"))


def coder(
    codes: CodeList, mapping: Mapping[str, str | None] | None = None, noted: Mapping[str, str] | None = None
) -> Coder:
    """Return a normalizer into ``codes``.

    With ``mapping`` only its keys are known: source value → code, or None where the source says that nothing is
    known. Without, the list's own codes and spellings are. ``noted`` maps a source value to the finding that it leaves
    beside whatever it becomes. A value that is not known is null with the finding unknown_code.
    """
    known: dict[str, tuple[str | None, Issues]] = {}
    table = _own(codes) if mapping is None else mapping
    for value, code in table.items():
        issues = (noted[value],) if noted and value in noted else NONE
        unstated = code is not None and codes.codes[code].unstated
        known[value] = (None if unstated else code, issues)
    return remembering(lambda value: _look_up(value, known))


def _own(codes: CodeList) -> dict[str, str | None]:
    table: dict[str, str | None] = {}
    for entry in codes.codes.values():
        for spelling in (entry.code, entry.zh, *entry.also):
            table.setdefault(spelling, entry.code)
    return table


def _look_up(value: str, known: Mapping[str, tuple[str | None, Issues]]) -> tuple[str | None, Issues]:
    text = squeeze(value)
    outcome = known.get(text)
    if outcome is not None:
        return outcome
    return (None, NONE) if text in MISSING else (None, ("unknown_code",))


def division_coder() -> Coder:
    """Return a normalizer of division codes (GB/T 2260, six digits).

    A code whose province is in no list is kept and noted: codes are abolished and made faster than lists are.
    """
    provinces = frozenset(code for code in code_list("division").codes if len(code) == PROVINCE_DIGITS)

    def read(value: str) -> tuple[str | None, Issues]:
        code = squeeze(value)
        if code in MISSING or code in _BLANK_DIVISIONS:
            return None, NONE
        if len(code) != DIVISION_DIGITS or not (code.isascii() and code.isdigit()):
            return None, ("malformed_code",)
        return code, NONE if code[:PROVINCE_DIGITS] in provinces else ("region_unknown",)

    return remembering(read)
