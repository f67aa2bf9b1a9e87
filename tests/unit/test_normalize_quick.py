"""The quick ways of the normalizers, for values in their usual shape, give what the long ways give."""

from __future__ import annotations

from datetime import date, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from avro.normalize import address, resident_id, text, time

TIMES = st.datetimes(datetime.fromisoformat("1799-12-30"), datetime.fromisoformat("2200-01-03"))
ODD_TEXT = st.text("0129TZ:-+. ０²年", max_size=20)


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
