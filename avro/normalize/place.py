"""An address, taken to five levels: province, city, county by code; street and community by name; and what is left.

The text stays as it is: this says where it lies. Names of all times are known (`avro.codes.divisions`), with and
without their last character where the level above was named. Where a county's name alone is given, it is a place only
if there is one such county, or one near where the record is from.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

from avro.codes.divisions import (
    CITY_DIGITS,
    DIGITS,
    PROVINCE_DIGITS,
    all_divisions,
    city_of,
    present_codes,
    province_of,
)
from avro.normalize.address import normalize_address
from avro.normalize.issues import NONE, Issues
from avro.normalize.text import HAN

_REMEMBERED: Final = 1 << 16
_SHORTEST_STEM: Final = 2

_SUFFIX: Final = re.compile(
    r"(?:(?:[\u4e00-\u9fff]{1,4}族)*自治[区州县旗]|特别行政区|[省市县区旗盟]|地区|林区|特区)$"
)
# After a short name of a division; 青禾路 is a road, and not on the way to one.
_NO_STEM_BEFORE: Final = re.compile(r"[路街道巷弄村镇乡社]|大道|小区|公园|学校")

_STREET: Final = re.compile(
    rf"[{HAN}]{{1,12}}?(?:街道办事处|街道|民族乡|[镇乡](?![路街道村])|苏木)(?:办事处)?"
)
_COMMUNITY: Final = re.compile(
    rf"[{HAN}0-9]{{1,14}}?(?:社区居?民?委?员?会?|居民委员会|居委会|村民委员会|村委会|嘎查|村(?![路街道镇乡小]))"
)


_NOTHING: Final[frozenset[str]] = frozenset()


class Place(NamedTuple):
    """Where an address lies.

    ``division`` is the code of the deepest division that could be told, six digits; ``street`` and ``community`` are
    names; ``rest`` is the text behind them, such as road and door.
    """

    division: str | None
    street: str | None
    community: str | None
    rest: str

    @property
    def province(self) -> str | None:
        """The province's code, of six digits."""
        return None if self.division is None else province_of(self.division)

    @property
    def city(self) -> str | None:
        """The city's code, null where only the province is known."""
        code = self.division
        return None if code is None or code == province_of(code) else city_of(code)

    @property
    def county(self) -> str | None:
        """The county's code, null where only city or province are known."""
        code = self.division
        return None if code is None or code == city_of(code) else code


class _Names(NamedTuple):
    """Names and short names of the divisions of one level below a prefix of the code, name → codes; ``lengths`` has by
    its first two characters how long a name can be, the greatest first."""

    full: dict[str, frozenset[str]]
    short: dict[str, frozenset[str]]
    lengths: dict[str, tuple[int, ...]]


def normalize_division_of_address(value: str | None) -> tuple[str | None, Issues]:
    """Return the county's code of an address, null where it can't be told.

    Without findings: another rule reads the column, and an address without a county is an address.
    """
    return None if value is None else county_of(value), NONE


def normalize_street_of_address(value: str | None) -> tuple[str | None, Issues]:
    """Return the street office, town or township that an address names, null where it names none. Without findings."""
    return None if value is None else place_of(value).street, NONE


def normalize_community_of_address(value: str | None) -> tuple[str | None, Issues]:
    """Return the community or village that an address names, null where it names none. Without findings."""
    return None if value is None else place_of(value).community, NONE


@lru_cache(maxsize=_REMEMBERED)
def place_of(address: str, near: str | None = None) -> Place:
    """Return the place of an address as text; ``near`` is the code of a division that it is probably in. Pure; never
    raises for any text."""
    text = normalize_address(address)[0] or ""
    code, at = _division(text, near)
    street = _STREET.match(text, at)
    at = street.end() if street else at
    community = _COMMUNITY.match(text, at)
    at = community.end() if community else at
    return Place(
        code.ljust(DIGITS, "0") if code else None,
        street[0] if street else None,
        community[0] if community else None,
        text[at:],
    )


# The addresses of a household are alike, and its members are near each other in a register.
@lru_cache(maxsize=_REMEMBERED)
def county_of(address: str) -> str | None:
    """Return the county of `place_of` without the rest, which takes several times as long."""
    code = _division(normalize_address(address)[0] or "", None)[0]
    return code if len(code) == DIGITS else None


def _division(text: str, near: str | None) -> tuple[str, int]:
    """Return the digits of the deepest division that can be told, and where its name ends."""
    code, at = _province(text)
    return _below(text, at, code) if code else _anywhere(text, near)


def _province(text: str) -> tuple[str, int]:
    codes, end = _longest(text, 0, _level("", PROVINCE_DIGITS), with_short=True)
    return (min(codes), end) if codes else ("", 0)


def _below(text: str, at: int, province: str) -> tuple[str, int]:
    """Return the deepest division in a province that the text names from ``at``, and where its name ends."""
    cities, end = _longest(text, at, _level(province, CITY_DIGITS), with_short=True)
    if cities:
        city = min(cities)
        counties, last = _longest(text, end, _level(city, DIGITS), with_short=True)
        return (_one(counties, None), last) if counties else (city, end)
    counties, end = _longest(text, at, _level(province, DIGITS), with_short=False)
    county = _one(counties, None)
    return (county, end) if county else (province, at)


def _anywhere(text: str, near: str | None) -> tuple[str, int]:
    """Return the division that a text names without its province, and where its name ends; empty if in doubt."""
    cities, end = _longest(text, 0, _level("", CITY_DIGITS), with_short=near is not None)
    city = _one(cities, near)
    if city:
        counties, last = _longest(text, end, _level(city, DIGITS), with_short=True)
        county = _one(counties, near)
        return (county, last) if county else (city, end)
    counties, end = _longest(text, 0, _level("", DIGITS), with_short=False)
    county = _one(counties, near)
    return (county, end) if county else ("", 0)


def _one(codes: frozenset[str], near: str | None) -> str:
    """Return the one code that is meant, empty if that cannot be told. Codes of one place in turn are one."""
    if len(codes) == 1 and near is None:
        (code,) = codes
        return _present(code)
    present = set(map(_present, codes))
    if near is not None and len(present) > 1:
        for digits in (CITY_DIGITS, PROVINCE_DIGITS):
            closer = {code for code in present if code[:digits] == near[:digits]}
            if len(closer) == 1:
                return closer.pop()
    return present.pop() if len(present) == 1 else ""


@cache
def _present(code: str) -> str:
    return min(present_codes(code)) if len(code) == DIGITS else code


def _longest(text: str, at: int, names: _Names, *, with_short: bool) -> tuple[frozenset[str], int]:
    """Return the codes of the longest name that the text has at a place, and where it ends."""
    for length in names.lengths.get(text[at : at + _SHORTEST_STEM], ()):
        end = at + length
        name = text[at:end]
        codes = names.full.get(name)
        if codes is not None:
            return codes, end
        if with_short:
            codes = names.short.get(name)
            if codes is not None and _NO_STEM_BEFORE.match(text, end) is None:
                return codes, end
    return _NOTHING, at


@cache
def _level(prefix: str, digits: int) -> _Names:
    """Return the names of the divisions below ``prefix`` whose codes have so many digits before their zeros."""
    full: dict[str, set[str]] = {}
    short: dict[str, set[str]] = {}
    for division in all_divisions():
        code = division.code
        own = code[:digits]
        is_level = code[digits:].strip("0") == "" and own[-PROVINCE_DIGITS:] != "00"
        # 县 and 市 alone only name a level of the code: no address says them for a place.
        if not is_level or not code.startswith(prefix) or len(division.name) < _SHORTEST_STEM:
            continue
        full.setdefault(division.name, set()).add(own)
        stem = _SUFFIX.sub("", division.name)
        if len(stem) >= _SHORTEST_STEM and stem != division.name:
            short.setdefault(stem, set()).add(own)
    lengths: dict[str, set[int]] = {}
    for name in (*full, *short):
        lengths.setdefault(name[:_SHORTEST_STEM], set()).add(len(name))
    return _Names(
        _frozen(full),
        _frozen(short),
        {start: tuple(sorted(found, reverse=True)) for start, found in lengths.items()},
    )


def _frozen(names: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(codes) for name, codes in names.items()}
