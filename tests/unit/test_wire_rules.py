"""Debezium's other forms of a value: each gives what the usual one gives, decode(encode(x)) = x."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.normalize import RULES, Parameters
from avro.normalize.rules import Rule
from avro.normalize.wire import (
    MOST_SCALE,
    normalize_bits,
    normalize_decimal_bytes,
    normalize_decimal_number,
    normalize_iso_day,
    normalize_scaled_decimal,
    normalize_unsigned,
)

NUMBERS = st.integers(-(10**60), 10**60)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def java_bytes(number: int) -> str:
    """Write a number as Java's BigInteger does, in base64."""
    return base64.b64encode(
        number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)
    ).decode()


def rule(name: str, **parameters: str) -> Any:
    found = RULES[name]
    assert isinstance(found, Rule)
    return found.build(msgspec.convert(parameters, Parameters))


@given(NUMBERS, st.integers(0, 40))
def test_decimals_of_bytes_come_back(number: int, scale: int) -> None:
    text, issues = normalize_decimal_bytes(java_bytes(number), scale)
    assert issues == ()
    assert text is not None
    assert Fraction(text) == Fraction(number, 10**scale)
    assert len(text.partition(".")[2]) == scale


@given(NUMBERS, st.integers(-20, 40))
def test_decimals_with_their_own_scale_come_back(number: int, scale: int) -> None:
    text, issues = normalize_scaled_decimal({"scale": scale, "value": java_bytes(number)})
    assert issues == ()
    assert text is not None
    assert "E" not in text
    assert Fraction(text) == number * Fraction(10) ** -scale


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_of_floats_come_back(number: float) -> None:
    text, _ = normalize_decimal_number(number)
    assert text is not None
    assert "E" not in text.upper()
    assert float(text) == number


@given(st.integers(0, 2**64 - 1))
def test_unsigned_numbers_come_back(number: int) -> None:
    signed = number - 2**64 if number >= 2**63 else number
    assert normalize_unsigned(signed) == normalize_unsigned(number) == (str(number), ())


@given(st.integers(0, 2**63 - 1))
def test_bits_come_back(number: int) -> None:
    data = number.to_bytes(8, "little").rstrip(b"\0") or b"\0"
    assert normalize_bits(base64.b64encode(data).decode()) == (number, ())


@given(st.datetimes(datetime(1900, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001 (a wall clock's)
def test_every_form_of_a_local_time_is_one_instant(local: datetime) -> None:
    micros = (local.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    usual = rule("epoch", unit="microseconds", zone="Beijing")(micros)
    assert rule("epoch", unit="nanoseconds", zone="Beijing")(micros * 1000) == usual
    assert rule("iso_local", zone="Beijing")(f"{local.isoformat()}Z") == usual
    day = rule("days")(micros // 86_400_000_000)
    assert normalize_iso_day(f"{local.date().isoformat()}Z") == day


@pytest.mark.parametrize(
    ("name", "parameters", "value"),
    [
        ("decimal_bytes", {"scale": "2"}, "?"),
        ("decimal_bytes", {"scale": "2"}, ""),
        ("decimal_bytes", {"scale": "2"}, "A" * 1372),
        ("scaled_decimal", {}, {"scale": MOST_SCALE + 1, "value": "AQ=="}),
        ("scaled_decimal", {}, {"scale": True, "value": "AQ=="}),
        ("scaled_decimal", {}, {"value": "AQ=="}),
        ("scaled_decimal", {}, {"scale": 1, "value": None}),
        ("decimal_number", {}, float("inf")),
        ("unsigned", {}, 2**64),
        ("bits", {}, "////////////"),
        ("bits", {}, "*"),
    ],
)
def test_what_does_not_fit_is_null_with_a_finding(name: str, parameters: dict[str, str], value: Any) -> None:
    assert rule(name, **parameters)(value) == (None, ("unreadable_number",))


def test_null_is_null_and_parameters_are_checked() -> None:
    for name, parameters in (
        ("decimal_bytes", {"scale": "0"}), ("scaled_decimal", {}), ("decimal_number", {}), ("unsigned", {}),
        ("bits", {}), ("iso_day", {}), ("iso_local", {"zone": "UTC"}),
    ):  # fmt: skip
        assert rule(name, **parameters)(None) == (None, ())
    for scale in ("-1", "x", str(MOST_SCALE + 1)):
        with pytest.raises(ValueError, match="scale"):
            rule("decimal_bytes", scale=scale)
    assert normalize_decimal_bytes("//8=", 2) == ("-0.01", ())
    assert normalize_iso_day("2024-02-30Z")[1]
