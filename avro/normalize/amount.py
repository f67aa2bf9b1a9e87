"""Amounts with their units: money in yuan, and measures in the unit that a feed asks for, as exact decimal text.

A number without a unit is in the one that the feed names: sources write their unit into the column's title. Conversions
are those of China's legal units (State Council, 1984): a mu is 10000/15 square metres, a jin half a kilogram.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from avro.normalize.issues import NONE, Issues
from avro.normalize.text import squeeze

Amount = tuple[str | None, Issues]

_NUMBER: Final = re.compile(
    r"(-?)([0-9]{1,3}(?:[,，][0-9]{3}){1,7}|[0-9]{1,24})(?:\.([0-9]{1,12}))?((?:[^\d.,，+-].{0,7})?)"
)
_CURRENCY: Final = re.compile(r"^(?:人民币|RMB|CNY|[¥￥])|整$")
_SPELLINGS_OF_NOTHING: Final = frozenset(("", "无", "-", "--", "/", "空", "NULL", "null", "暂无", "没有"))
"""Without 0, which is an amount."""

_PLACES: Final = Decimal("0.000001")
# The longest number times the greatest unit has 45 digits; the thread's own context rounds at 28.
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)

YUAN: Final[Mapping[str, Decimal]] = {
    "yuan": Decimal(1),
    "ten_thousand_yuan": Decimal(10_000),
    "元": Decimal(1),
    "圆": Decimal(1),
    "角": Decimal("0.1"),
    "分": Decimal("0.01"),
    "万": Decimal(10_000),
    "万元": Decimal(10_000),
    "亿": Decimal(100_000_000),
    "亿元": Decimal(100_000_000),
}
"""Unit of money → yuan."""

_DAY: Final = Decimal(1) / Decimal("365.2425")
_MU: Final = Decimal(10_000) / Decimal(15)

MEASURES: Final[Mapping[str, Mapping[str, Decimal]]] = {
    "square_metres": dict.fromkeys(("平方米", "平米", "㎡", "m2", "m²"), Decimal(1))
    | {"亩": _MU, "公顷": Decimal(10_000), "平方公里": Decimal(1_000_000)},
    "centimetres": dict.fromkeys(("厘米", "公分", "cm"), Decimal(1))
    | {"毫米": Decimal("0.1"), "mm": Decimal("0.1"), "米": Decimal(100), "m": Decimal(100)},
    "kilograms": dict.fromkeys(("公斤", "千克", "kg"), Decimal(1))
    | {"克": Decimal("0.001"), "g": Decimal("0.001"), "斤": Decimal("0.5")},
    "years": dict.fromkeys(("岁", "周岁", "年"), Decimal(1))
    | dict.fromkeys(("个月", "月", "月龄"), Decimal(1) / 12)
    | dict.fromkeys(("天", "日"), _DAY),
}
"""Unit that a feed can ask for → each unit that a source may write, in it."""


def money_reader(unit: str) -> Callable[[str | None], Amount]:
    """Return a normalizer of money to yuan; ``unit`` is that of a number without one. Raises ValueError."""
    bare = YUAN.get(unit) if unit.isascii() and unit else None
    if bare is None:
        raise ValueError("unit: yuan or ten_thousand_yuan is wanted")
    return lambda value: _read(value, YUAN, bare)


def measure_reader(unit: str) -> Callable[[str | None], Amount]:
    """Return a normalizer of measures to ``unit``, which is that of a number without one too. Raises ValueError."""
    units = MEASURES.get(unit)
    if units is None:
        raise ValueError(f"unit: one of {', '.join(MEASURES)} is wanted")
    return lambda value: _read(value, units, Decimal(1))


def _read(value: str | None, units: Mapping[str, Decimal], bare: Decimal) -> Amount:
    if value is None:
        return None, NONE
    text = _CURRENCY.sub("", squeeze(value))
    if text in _SPELLINGS_OF_NOTHING:
        return None, NONE
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None, ("unreadable_number",)
    sign, whole, fraction, unit = match.groups()
    factor = bare if not unit else units.get(unit)
    if factor is None:
        return None, ("unknown_unit",)
    number = Decimal(f"{sign}{whole.replace(',', '').replace('，', '')}.{fraction or 0}")
    return _plain(_EXACT.multiply(number, factor)), NONE


def _plain(number: Decimal) -> str:
    """Return a number as text without an exponent and idle zeros, to six places."""
    text = f"{number.quantize(_PLACES, context=_EXACT):f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-", "-0") else text
