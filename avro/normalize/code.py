"""Coded values: from a department's own code or word to the code of the standard's list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from avro.codes import CodeList
from avro.codes.divisions import DIGITS, is_known
from avro.normalize.issues import NONE, Issues, remembering
from avro.normalize.text import MISSING, squeeze

Coder = Callable[[str | None], tuple[str | None, Issues]]

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

    A code that no division ever had is kept and noted: codes are made faster than lists are.
    """

    def read(value: str) -> tuple[str | None, Issues]:
        code = squeeze(value)
        if code in MISSING or code in _BLANK_DIVISIONS:
            return None, NONE
        if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
            return None, ("malformed_code",)
        return code, NONE if is_known(code) else ("region_unknown",)

    return remembering(read)
