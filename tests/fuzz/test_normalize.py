"""Hostile values for every normalizer: no exception, no endless loop, nothing that the standard does not allow.

Seeded: a failure names the seed and the number of its input. The short version is part of the tests; ``make fuzz`` runs
a million inputs, each through every normalizer of its type.
"""

from __future__ import annotations

import base64
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType
from typing import Any, Final

import pytest

from avro.elements import elements
from avro.masking import mask
from avro.normalize import RULES, ContextRule, Parameters, finding_rules
from avro.normalize.lunar import read_lunar, solar_day
from avro.normalize.name_key import name_key
from avro.normalize.place import place_of
from avro.normalize.rules import ContextNormalizer, Normalizer
from tests.fuzz.conftest import INPUTS

SEED: Final = 20260101
SHORT, LONG = 2_000, 1_000_000
SLOWEST: Final = 10.0
"""Seconds of CPU for one value, generous for a busy machine: a search that does not end takes for ever."""

PARAMETERS: Final = {
    "code": Parameters(list="ethnicity"),
    "epoch": Parameters(unit="seconds", zone="Beijing"),
    "day_of_epoch": Parameters(unit="milliseconds", zone="UTC"),
    "name": Parameters(newborn="true"),
    "daterange": Parameters(bound="first"),
    "money": Parameters(unit="ten_thousand_yuan"),
    "measure": Parameters(unit="years"),
    "inner_id": Parameters(after="G"),
    "decimal_bytes": Parameters(scale="4"),
    "iso_local": Parameters(zone="Beijing"),
}
CONTEXTS: Final = (None, "111", "114", "117", "414", "510", "511", "516", "553", "990", "1", "2", "?")
GIVES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "date": (int,),
    "timestamp": (int,),
    "long": (int,),
    "boolean": (bool,),
    "strings": (list,),
}

# What real values are made of, so that mutations come close to the shapes that are read.
_SHAPES: Final = """
390102 19850312 1985-03-12 123X 39010219850312123 3.90102E+17 ' 张三 欧阳娜娜 买买提 · • ． . 𠮷 之子 某 婴 未取名
* ? 农历 1941年 闰 二月 初八 廿 年 月 日 [2024-01-01, 2025-01-01) infinity T00:00:00Z 江岚省 云州市 青禾区 街道
社区 村 镇 路 12号 138 12345678 +86 010- 转 91350100M000100Y43 H12345678 (B) 军字第 号 E USA 万元 ¥ 1,234.50
平方米 岁 0 - / ， 、 , ( [ １ ² ٣ é {"xm": "张三"} [{"gx": "配偶"}] [ {
"""
PIECES: Final = (
    *_SHAPES.split(),
    *("\t", "\u3000", " ", "\u200b", "\ufffd", "\x00", "\u0301", "\U0001f600", "\ud7ff", "\U0010ffff"),
)
_REPEATED: Final = "张· 1 0- 廿 ( 江岚省 镇村 1385 ． 一 [, A1 ' 年月日 { [ \" :"
LONG_SHAPES: Final = (*_REPEATED.split(), " ", "a ")


class _TooSlow(Exception):
    """A normalizer that does not come back."""


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Raise _TooSlow within, after so many seconds of CPU."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _text(rng: Random) -> str:
    """Return a text: pieces of real values, single characters of all planes, or bytes read in a wrong encoding."""
    kind = rng.random()
    if kind < 0.7:
        text = "".join(rng.choices(PIECES, k=rng.randint(0, 6)))
        if text and rng.random() < 0.5:
            at = rng.randrange(len(text))
            text = (
                text[:at] + rng.choice(("", text[at] * 3, chr(rng.randrange(0x20, 0xD800)))) + text[at + 1 :]
            )
        return text
    if kind < 0.85:
        return "".join(chr(_code_point(rng)) for _ in range(rng.randint(0, 30)))
    encoding = rng.choice(("utf-8", "gb18030", "latin-1", "utf-16-le"))
    return rng.randbytes(rng.randint(0, 60)).decode(encoding, errors="replace")


def _code_point(rng: Random) -> int:
    code = rng.randrange(0x110000) if rng.random() < 0.5 else rng.randrange(0x3000)
    return code if not 0xD800 <= code < 0xE000 else 0xFFFD


def _integer(rng: Random) -> int:
    return rng.choice((rng.randint(-10, 10), rng.randint(0, 99_999_999), rng.randint(-(2**70), 2**70)))


def _list(rng: Random) -> list[object]:
    return [rng.choice((None, _text(rng), _integer(rng), [], 1.5, True)) for _ in range(rng.randint(0, 4))]


def _float(rng: Random) -> float:
    return rng.choice((rng.uniform(-1e6, 1e6), 5e-324, 1.7e308, float("nan"), float("-inf"), -0.0))


def _structure(rng: Random) -> dict[str, object]:
    """A decimal with its own scale, more or less."""
    value = base64.b64encode(rng.randbytes(rng.randint(0, 20))).decode()
    parts: dict[str, object] = {
        "scale": rng.choice((rng.randint(-40, 40), _integer(rng), None, "2", True)),
        "value": rng.choice((value, _text(rng), None)),
    }
    return {name: part for name, part in parts.items() if rng.random() < 0.9}


VALUES: Final[dict[type, Callable[[Random], Any]]] = {
    str: _text,
    int: _integer,
    list: _list,
    float: _float,
    dict: _structure,
    bool: lambda rng: rng.random() < 0.5,
}


def _in_any_context(normalize: ContextNormalizer) -> Callable[[Any, Random], Any]:
    return lambda value, rng: normalize(value, rng.choice(CONTEXTS))


def _alone(normalize: Normalizer) -> Callable[[Any, Random], Any]:
    return lambda value, rng: normalize(value)


def _normalizers() -> list[tuple[str, type, str, Callable[[Any, Random], Any]]]:
    """Return name, type of value, type of result and function of every rule."""
    return [
        (
            name,
            rule.takes,
            rule.gives,
            _in_any_context(rule.normalize)
            if isinstance(rule, ContextRule)
            else _alone(rule.build(PARAMETERS.get(name, Parameters()))),
        )
        for name, rule in RULES.items()
    ]


def _check(name: str, gives: str, outcome: Any) -> None:
    value, issues = outcome
    assert value is None or type(value) in GIVES[gives], name
    assert set(issues) <= finding_rules().keys(), name
    if isinstance(value, str):
        value.encode()  # what goes on is text that can be written
        assert value, name


def _run(seed: int, inputs: int, record: Callable[[str, object], None]) -> None:
    rng = Random(seed)
    normalizers = _normalizers()
    described = list(elements().values())
    for number in range(inputs):
        drawn = {kind: make(rng) for kind, make in VALUES.items()}
        name = ""
        try:
            with _patience(SLOWEST):
                for name, takes, gives, normalize in normalizers:
                    _check(name, gives, normalize(drawn[takes], rng))
                name, text = "keys", drawn[str]
                key = name_key(text)
                assert len(key.units) == len(key.syllables) == len(key.shapes) == sum(key.parts)
                place_of(text, rng.choice((None, "390102")))
                lunar = read_lunar(text)
                if lunar is not None:
                    solar_day(lunar)
                mask(rng.choice(described), rng.choice((text, drawn[int])))
        except BaseException as error:
            raise AssertionError(f"{name} failed at input {number} of seed {seed}: {error!r}") from error
    record(f"{INPUTS}every normalizer of their type", inputs)


def test_no_value_breaks_a_normalizer(record_property: Callable[[str, object], None]) -> None:
    _run(SEED, SHORT, record_property)


@pytest.mark.parametrize("shape", LONG_SHAPES)
def test_a_long_value_takes_time_in_proportion(shape: str) -> None:
    value = shape * (100_000 // len(shape))
    for name, takes, gives, normalize in _normalizers():
        if takes is str:
            with _patience(SLOWEST):
                _check(name, gives, normalize(value, Random(1)))
    with _patience(SLOWEST):
        name_key(value)
        place_of(value)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_million_values_break_no_normalizer(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    _run(SEED + 1 + part, LONG // 10, record_property)
