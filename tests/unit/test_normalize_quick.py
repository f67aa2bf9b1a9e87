"""The quick ways of the normalizers, for values in their usual shape, give what the long ways give."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avro.normalize import RULES, Parameters, Rule, address, name, phone, resident_id, text, time
from avro.normalize.rules import Normalizer
from avro.normalize.usual import USUAL

TIMES = st.datetimes(datetime.fromisoformat("1799-12-30"), datetime.fromisoformat("2200-01-03"))
ODD_TEXT = st.text("0129TZ:-+. ０²年", max_size=20)


TEXTS = st.one_of(
    ODD_TEXT,
    st.text("张某之子无女一二·. ０\n不详欧阳娜a", max_size=6),
    st.text("江岚省1Ａa －—‐不详0", max_size=24),
    st.sampled_from(sorted(text.MISSING)),
    st.sampled_from(
        ("13900000001", "29900000001", "无名", "无名氏", "未知", "男婴", "张之女", "王之涣", "某人")
    ),
    st.dates(date(1799, 1, 1), date(2200, 12, 31)).map(lambda day: f"{day:%Y%m%d}093059"),
    st.builds(
        lambda body, last: body + last,
        st.sampled_from(("39010219850312123", "39010220010229004", "99999919850312123", "09010219850312123")),
        st.sampled_from("0123456789Xx"),
    ),
    st.text(max_size=12),
)


@pytest.mark.parametrize("normalize", USUAL, ids=lambda normalize: normalize.__name__)
@settings(max_examples=300)
@given(data=st.data())
def test_usual_values(normalize: Normalizer, data: st.DataObject) -> None:
    """What is told to be usual is what the normalizer makes of it, without a finding."""
    usual = USUAL[normalize]
    takes = next(rule.takes for rule in RULES.values() if isinstance(rule, Rule) and gives(rule) is normalize)
    value = data.draw({int: st.integers(-100_000, 100_000), bool: st.booleans(), str: TEXTS}[takes])
    for _ in range(2):  # the second time it is remembered
        names = {**usual.names, "v": value}
        try:
            is_usual = not usual.test or eval(usual.test, names)
            becomes = eval(usual.becomes, names) if is_usual else None
        except KeyError:
            assert usual.may_miss
            is_usual = False
        found = normalize(value)
        if is_usual:
            assert found == (becomes, ())
            assert type(found[0]) is type(becomes)


def gives(rule: Rule) -> Normalizer | None:
    try:
        return rule.build(Parameters())
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("normalize", "value"),
    [
        (text.normalize_text, "x"),
        (name.normalize_name, "王建国"),
        (name.normalize_name, "欧阳娜娜"),
        (text.normalize_label, "云州机床厂"),
        (phone.normalize_phone, "13900000001"),
        (address.normalize_address, "江岚省云州市青禾区工农路1号"),
        (resident_id.normalize_resident_id, "390102198503121239"),
        (time.normalize_compact_time, "20240115093000"),
        (time.normalize_iso_instant, "2024-01-15T01:30:00Z"),
    ],
)
def test_the_values_of_nearly_everybody_are_usual(normalize: Normalizer, value: str) -> None:
    if normalize is resident_id.normalize_resident_id:
        value = value[:17] + resident_id.check_character(value[:17])
    assert normalize(value)[1] == ()
    usual = USUAL[normalize]
    names = {**usual.names, "v": value}
    assert not usual.test or eval(usual.test, names)
    assert eval(usual.becomes, names) == normalize(value)[0]


def changed(text: str, place: int, character: str) -> str:
    return text[:place] + character + text[place + 1 :]


@given(
    TIMES,
    st.sampled_from(("Z", ".000000Z", ".120000Z", "+08:00", "")),
    st.integers(0, 30),
    st.sampled_from("09Z: T²"),
)
@example(datetime.fromisoformat("2024-02-29T23:59:59"), "Z", 17, "6")
def test_usual_instants(moment: datetime, tail: str, place: int, character: str) -> None:
    usual = moment.isoformat(timespec="seconds") + tail
    for value in (usual, changed(usual, place, character), usual):  # the second time it is remembered
        assert time.normalize_iso_instant(value) == time._read_iso(value)


@given(ODD_TEXT)
def test_unusual_times(value: str) -> None:
    assert time.normalize_iso_instant(value) == time._read_iso(value)
    assert time.normalize_compact_time(value) == time._read_compact(value)


@given(TIMES, st.integers(0, 15), st.sampled_from("0269 ²０"))
def test_usual_compact_times(moment: datetime, place: int, character: str) -> None:
    usual = moment.strftime("%Y%m%d%H%M%S")
    for value in (usual, changed(usual, place, character), usual):
        assert time.normalize_compact_time(value) == time._read_compact(value)


@given(
    st.integers(100000, 999999),
    st.dates(date(1000, 1, 1)),
    st.integers(0, 999),
    st.integers(0, 19),
    st.sampled_from("0X1x９ ²"),
)
def test_resident_ids(region: int, day: date, sequence: int, place: int, character: str) -> None:
    body = f"{region}{day:%Y%m%d}{sequence:03}"
    usual = body + resident_id.check_character(body)
    assert resident_id.is_valid(usual)
    for value in (usual, changed(usual, place, character), usual[:17], usual + "0", usual):
        assert resident_id.is_valid(value) == resident_id._is_well_formed(value)


@given(
    st.one_of(st.integers(100000, 999999), st.just(111111)),
    st.dates(date(1900, 1, 1), date(1999, 12, 31)),
    st.integers(0, 999),
    st.integers(0, 14),
    st.sampled_from("0X1x９ ²"),
)
@example(111111, date(1911, 11, 11), 111, 0, "1")
@example(110101, date(1900, 1, 1), 996, 0, "1")
def test_old_resident_ids(region: int, day: date, sequence: int, place: int, character: str) -> None:
    usual = f"{region}{day:%y%m%d}{sequence:03}"
    for value in (usual, usual, changed(usual, place, character), usual):  # the second time it is remembered
        assert resident_id.normalize_resident_id(value) == resident_id._mend(value)


@given(st.text("江岚省1Ａa －—‐不详0", max_size=24))
def test_addresses(value: str) -> None:
    tidied = address._DASHES.sub("-", text.tidy(value))
    if len(tidied) > address._LONGEST_PLACEHOLDER:
        assert address.normalize_address(value) == (tidied, ())
