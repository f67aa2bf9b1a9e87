"""Normalizers: what a value becomes, and which rules it broke."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.codes import code_list
from avro.normalize import (
    RULES,
    ContextRule,
    Parameters,
    Rule,
    contradictions,
    finding_rules,
    is_valid_resident_id,
    lunar,
)
from avro.normalize.address import normalize_address
from avro.normalize.amount import measure_reader, money_reader
from avro.normalize.code import coder, division_coder
from avro.normalize.date import (
    EPOCH,
    Day,
    normalize_date,
    normalize_date_number,
    normalize_days,
    normalize_lunar_text,
    normalize_month,
    normalize_month_of_date,
    normalize_serial_date,
    normalize_short_date,
    normalize_short_lunar,
)
from avro.normalize.document import normalize_certificate, normalize_document, normalize_mothers_number
from avro.normalize.issues import remembering
from avro.normalize.lunar import LunarDate, solar_day
from avro.normalize.name import normalize_damaged_name, normalize_name
from avro.normalize.organisation import credit_check, normalize_credit_code, registration_check
from avro.normalize.phone import normalize_phone
from avro.normalize.plain import normalize_decimal, normalize_integer, normalize_texts
from avro.normalize.range import normalize_first_day, normalize_last_day
from avro.normalize.resident_id import birth_date_of, check_character, normalize_resident_id, sex_of
from avro.normalize.text import normalize_label, normalize_text
from avro.normalize.time import normalize_compact_time, normalize_iso_instant

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def days(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() - EPOCH


def number(body: str) -> str:
    """Return 17 digits with their check character; regions are the reference register's invented ones."""
    return body + check_character(body)


VALID = number("39010219850312123")
ENDS_IN_X = next(
    number(f"3901021985031212{digit}")
    for digit in "0123456789"
    if number(f"3901021985031212{digit}")[17] == "X"
)


@pytest.mark.parametrize(
    ("value", "name", "issues"),
    [
        (None, None, ()),
        ("  ", None, ()),
        ("王建国", "王建国", ()),
        (" 王 建　国 ", "王建国", ()),
        ("𠮷田𠀀", "𠮷田𠀀", ()),
        ("买买提•艾山", "买买提·艾山", ()),
        ("买买提‧艾山", "买买提·艾山", ()),
        ("买买提・艾山", "买买提·艾山", ()),
        ("买买提．艾山", "买买提·艾山", ()),
        ("买买提.艾山", "买买提·艾山", ()),
        ("买买提 · 艾山", "买买提·艾山", ()),
        ("买买提 艾山江", "买买提·艾山江", ("blank_as_middle_dot",)),
        ("欧阳 娜娜", "欧阳娜娜", ()),
        ("ＪＯＨＮ　Ｓｍｉｔｈ", "JOHN Smith", ()),
        ("J. Smith", "J. Smith", ()),
        ("张某之子", None, ("placeholder",)),
        ("李秀英之女", None, ("placeholder",)),
        ("买买提·艾山之子", None, ("placeholder",)),
        ("某婴", None, ("placeholder",)),
        ("无名", None, ("placeholder",)),
        ("不详", None, ("placeholder",)),
        ("未取名", None, ("placeholder",)),
        ("无", None, ("placeholder",)),
        ("张*", None, ("masked_name",)),
        ("王?", None, ("damaged_characters",)),
        ("张婴", "张婴", ()),
        ("张三1", "张三1", ("unusual_characters",)),
        ("张", "张", ("unusual_characters",)),
    ],
)
def test_names(value: str | None, name: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_name(value) == (name, issues)


@pytest.mark.parametrize("value", ["张婴", "张男婴", "欧阳婴", "某婴", "张三之子"])
def test_unnamed_babies_have_no_name(value: str) -> None:
    assert normalize_name(value, newborn=True) == (None, ("placeholder",))


def test_a_baby_may_have_a_name() -> None:
    assert normalize_name("张小婴儿童", newborn=True) == ("张小婴儿童", ())


@pytest.mark.parametrize(
    ("value", "number", "issues"),
    [
        (None, None, ()),
        ("", None, ()),
        (" " * 18, None, ()),
        ("无", None, ()),
        ("0", None, ()),
        ("1" * 18, None, ("placeholder",)),
        ("0" * 15, None, ("placeholder",)),
        (VALID, VALID, ()),
        # A county that was abolished in 2009, and one that never was in a province that is.
        (number("11010319850312123"), number("11010319850312123"), ()),
        (number("39999919850312123"), number("39999919850312123"), ("id_region_unknown",)),
        (ENDS_IN_X.lower(), ENDS_IN_X, ()),
        (f" {VALID[:6]} {VALID[6:]}", VALID, ()),
        (VALID.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)}), VALID, ()),
        (VALID[:17] + ("0" if VALID[17] != "0" else "1"), None, ("id_checksum",)),
        (VALID[:-1], None, ("id_length",)),
        (VALID + "1", None, ("id_extra_digit",)),
        ("A" + VALID[1:], None, ("id_characters",)),
        ("٣" + VALID[1:], None, ("id_characters",)),
        (number("39010219850230123"), None, ("id_birth_date",)),
        ("390102850230123", None, ("id_birth_date",)),
        ("39010285031212X", None, ("id_characters",)),
        ("390102850312123", number("39010219850312123"), ("id_upgraded",)),
        ("390102990312997", number("39010218990312997"), ("id_upgraded",)),
        (f"'{VALID}", VALID, ()),
        (f"{VALID}\t", VALID, ()),
        ("3.90102E+17", None, ("id_spreadsheet",)),
        ("3.9010219850312e17", None, ("id_spreadsheet",)),
        (VALID + "A", None, ("id_length",)),
        ("１" * 18, None, ("placeholder",)),
        (number("99010219850312123"), number("99010219850312123"), ("id_region_unknown",)),
    ],
)
def test_resident_ids(value: str | None, number: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_resident_id(value) == (number, issues)


def test_the_example_of_the_standard() -> None:
    # GB 11643-1999, annex: the two numbers that the standard computes.
    assert check_character("11010519491231002") == "X"
    assert check_character("44052418800101001") == "4"


@given(
    st.integers(100_000, 999_999),
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.integers(0, 999),
    st.integers(0, 17),
    st.integers(1, 9),
)
def test_every_valid_number_is_read_and_every_wrong_digit_noticed(
    region: int, born: date, sequence: int, place: int, step: int
) -> None:
    valid = number(f"{region}{born:%Y%m%d}{sequence:03}")
    assert is_valid_resident_id(valid)
    assert normalize_resident_id(valid)[0] == valid
    assert birth_date_of(valid) == born.toordinal() - EPOCH
    assert sex_of(valid) == ("1" if sequence % 2 else "2")
    if valid[place] != "X":  # MOD 11-2 finds every single wrong digit
        wrong = valid[:place] + str((int(valid[place]) + step) % 10) + valid[place + 1 :]
        assert normalize_resident_id(wrong)[0] is None


@given(st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(1, 995))
def test_fifteen_digits_become_the_number_that_was_issued_later(born: date, sequence: int) -> None:
    old = f"390102{born:%y%m%d}{sequence:03}"
    assert normalize_resident_id(old) == (number(f"390102{born:%Y%m%d}{sequence:03}"), ("id_upgraded",))


@pytest.mark.parametrize(
    ("value", "document", "number", "issues"),
    [
        (VALID, "111", VALID, ()),
        ("Ｅ１２３４５６７８", "414", "E12345678", ()),
        ("E-12345678", "414", "E12345678", ()),
        ("PASSPORT", "414", None, ("malformed_document",)),
        ("h 1234567801", "516", "H12345678", ()),
        ("H12345678", "516", "H12345678", ()),
        ("12345678", "511", "12345678", ()),
        ("1234567801(B)", "511", "12345678", ()),
        ("M12345678", "510", "M12345678", ()),
        ("12345678", "510", "12345678", ()),
        ("E12345678", "510", None, ("malformed_document",)),
        ("USA310082051601", "553", "USA310082051601", ()),
        (number("93184019850312123"), "553", number("93184019850312123"), ()),
        ("931840198503121230", "553", None, ("malformed_document",)),
        (VALID, "553", VALID, ("document_is_resident_id",)),
        ("军字第12345678号", "114", "军字第12345678号", ()),
        ("军 12345678", "114", "军字第12345678号", ()),
        ("12345678", "114", "12345678", ()),
        ("无军官证", "114", None, ("malformed_document",)),
        ("a390000001", "117", "A390000001", ()),
        ("390000001", "117", None, ("malformed_document",)),
        ("E12345678", "111", "E12345678", ("document_is_other",)),
        ("H1234567801", "111", "H1234567801", ("document_is_other",)),
        (VALID[:-1], "111", None, ("id_length",)),
        ("X1", "516", None, ("malformed_document",)),
        ("无", "414", None, ()),
        ("000000000", "414", None, ("placeholder",)),
        (VALID, "516", VALID, ("document_is_resident_id",)),
        (VALID, None, VALID, ()),
        ("E1234567", None, "E1234567", ("unknown_document",)),
        (VALID + "1", None, None, ("id_extra_digit",)),
    ],
)
def test_documents(value: str, document: str | None, number: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_document(value, document) == (number, issues)


@pytest.mark.parametrize(
    ("value", "day", "issues"),
    [
        (None, None, ()),
        ("        ", None, ()),
        ("00000000", None, ()),
        ("0", None, ()),
        ("19880312", days(1988, 3, 12), ()),
        ("1988-03-12", days(1988, 3, 12), ()),
        ("1988/3/12", days(1988, 3, 12), ()),
        ("1988.3.12", days(1988, 3, 12), ()),
        ("1988年3月12日", days(1988, 3, 12), ()),
        ("２０２３年０５月０８日", days(2023, 5, 8), ()),
        ("1988-03-12 00:00:00", days(1988, 3, 12), ()),
        ("19690720", days(1969, 7, 20), ()),
        ("19870230", None, ("impossible_date",)),
        ("19871301", None, ("impossible_date",)),
        ("19870300", None, ("incomplete_date",)),
        ("1988.03", None, ("incomplete_date",)),
        ("1988年3月", None, ("incomplete_date",)),
        ("198803", None, ("incomplete_date",)),
        ("农历1941年二月初八", days(1941, 3, 5), ("lunar_date",)),
        ("农历1942年二月三十", None, ("lunar_date", "impossible_date")),
        ("农历辛巳年二月", None, ("incomplete_date", "lunar_date")),
        ("一九四一年二月八日", days(1941, 2, 8), ()),
        ("二〇〇一年十二月三十一日", days(2001, 12, 31), ()),
        ("1988年3月12日 08:05", days(1988, 3, 12), ()),
        ("19880312080500", days(1988, 3, 12), ()),
        ("1988-03-12T00:00:00", days(1988, 3, 12), ()),
        # An instant in UTC is the next day in Beijing.
        ("1988-03-11T16:00:00Z", days(1988, 3, 12), ()),
        ("2024-01-05T23:12:33+08:00", days(2024, 1, 5), ()),
        ("1988-03-32T16:00:00Z", None, ("impossible_date",)),
        ("长期", None, ("open_ended",)),
        ("明天", None, ("unreadable_date",)),
        ("02000101", None, ("out_of_range_date",)),
    ],
)
def test_dates(value: str | None, day: int | None, issues: tuple[str, ...]) -> None:
    assert normalize_date(value) == (day, issues)


@pytest.mark.parametrize(
    ("value", "day", "issues"),
    [
        (None, None, ()),
        ("", None, ()),
        ("32204", days(1988, 3, 2), ("day_number",)),
        ("32204.0", days(1988, 3, 2), ("day_number",)),
        ("61", days(1900, 3, 1), ("day_number",)),
        ("60", None, ("out_of_range_date",)),
        ("0", None, ()),
        ("1988", None, ("incomplete_date",)),
        ("198803", None, ("incomplete_date",)),
        ("'1988/3/2", days(1988, 3, 2), ()),
        ("1988-03-02", days(1988, 3, 2), ()),
    ],
)
def test_dates_out_of_a_spreadsheet(value: str | None, day: int | None, issues: tuple[str, ...]) -> None:
    assert normalize_serial_date(value) == (day, issues)


@pytest.mark.parametrize(
    ("value", "month", "issues"),
    [
        (None, None, ()),
        ("      ", None, ()),
        ("000000", None, ()),
        ("198803", "198803", ()),
        ("1988-03", "198803", ()),
        ("1988.3", "198803", ()),
        ("1988年3月", "198803", ()),
        ("19880312", "198803", ()),
        ("198813", None, ("impossible_date",)),
        ("198800", None, ("incomplete_date",)),
        ("100001", None, ("out_of_range_date",)),
        ("1988", None, ("incomplete_date",)),
        ("spring", None, ("unreadable_date",)),
    ],
)
def test_months(value: str | None, month: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_month(value) == (month, issues)


def test_a_month_is_taken_from_where_the_day_is_missing_only() -> None:
    assert normalize_month_of_date("1988年3月") == normalize_month_of_date("1988.03") == ("198803", ())
    assert normalize_month_of_date("1988-03-12") == normalize_month_of_date("x") == (None, ())


@pytest.mark.parametrize(
    ("value", "calendar", "day", "issues", "lunar"),
    [
        ("410305", "1", days(1941, 3, 5), (), None),
        ("410208", "2", days(1941, 3, 5), ("lunar_date",), "1941-02-08"),
        ("420230", "2", None, ("lunar_date", "impossible_date"), "1942-02-30"),
        ("410230", "2", days(1941, 3, 27), ("lunar_date",), "1941-02-30"),
        ("410331", "2", None, ("lunar_date", "impossible_date"), None),
        ("410305", None, days(1941, 3, 5), ("calendar_unknown",), None),
        ("410230", None, days(1941, 3, 27), ("lunar_date", "calendar_unknown"), "1941-02-30"),
        ("411301", None, None, ("lunar_date", "impossible_date", "calendar_unknown"), None),
        ("410230", "1", None, ("impossible_date",), None),
        ("410300", "1", None, ("incomplete_date",), None),
        ("000000", "2", None, (), None),
        ("      ", None, None, (), None),
        ("41030", "1", None, ("unreadable_date",), None),
    ],
)
def test_dates_of_six_digits(
    value: str, calendar: str | None, day: int | None, issues: tuple[str, ...], lunar: str | None
) -> None:
    assert normalize_short_date(value, calendar) == (day, issues)
    assert normalize_short_lunar(value, calendar) == (lunar, ())


@pytest.mark.parametrize(
    ("text", "lunar"),
    [
        ("农历1941年二月初八", "1941-02-08"),
        ("农历一九四一年腊月廿三", "1941-12-23"),
        ("1941年闰六月二十九", "1941-06-29L"),
        ("阴历1941年2月8日", "1941-02-08"),
        ("旧历19410208", "1941-02-08"),
        ("1941年冬月三十", "1941-11-30"),
        ("１９４１年正月十五", "1941-01-15"),
        ("1941-02-08", None),
        ("农历1941年二月", None),
        ("农历1941年二月三十一", None),
        ("农历0941年二月初八", None),
    ],
)
def test_lunar_dates_in_words(text: str, lunar: str | None) -> None:
    assert normalize_lunar_text(text) == (lunar, ())


def test_lunar_years_follow_each_other_without_a_gap() -> None:
    # Checked against the almanac: new year's days, and a leap month.
    assert solar_day(LunarDate(1941, 1, 1)) == days(1941, 1, 27)
    assert solar_day(LunarDate(2000, 1, 1)) == days(2000, 2, 5)
    assert solar_day(LunarDate(2023, 2, 1, is_leap=True)) == days(2023, 3, 22)
    assert solar_day(LunarDate(2024, 2, 1, is_leap=True)) is None
    for year in (1899, 1933, 1954, 1978, 2033):
        day = solar_day(LunarDate(year, 1, 1))
        assert day is not None
        for month, is_leap in sorted(lunar._months(year), key=lambda key: key):
            assert solar_day(LunarDate(year, month, 1, is_leap)) == day
            day += lunar._months(year)[month, is_leap][1]
        assert solar_day(LunarDate(year + 1, 1, 1)) == day


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("[2024-01-01,2025-01-01)", (days(2024, 1, 1), ()), (days(2024, 12, 31), ())),
        ("(2024-01-01,2024-12-31]", (days(2024, 1, 2), ()), (days(2024, 12, 31), ())),
        ("[2024-01-01,)", (days(2024, 1, 1), ()), (None, ())),
        ("[2024-01-01,infinity)", (days(2024, 1, 1), ()), (None, ())),
        ("(,)", (None, ()), (None, ())),
        ("empty", (None, ("empty_range",)), (None, ("empty_range",))),
        ("[2024-02-30,2025-01-01)", (None, ("impossible_date",)), (days(2024, 12, 31), ())),
        ("soon", (None, ("unreadable_range",)), (None, ("unreadable_range",))),
        ("", (None, ()), (None, ())),
    ],
)
def test_periods(value: str, first: Day, last: Day) -> None:
    assert normalize_first_day(value) == first
    assert normalize_last_day(value) == last


@pytest.mark.parametrize(
    ("value", "code", "issues"),
    [
        # The example of GB 32100-2015.
        ("91350100M000100Y43", "91350100M000100Y43", ()),
        ("91350100m000100y43", "91350100M000100Y43", ()),
        ("９１３５０１００ M000100Y-43", "91350100M000100Y43", ()),
        ("91350100M000100Y44", None, ("credit_code_checksum",)),
        ("91350100I000100Y43", None, ("credit_code_characters",)),
        ("91350100M000100Y4", None, ("credit_code_length",)),
        ("390102000000017", "390102000000017", ("registration_checksum",)),
        ("39010200000001" + registration_check("39010200000001"),) * 2 + ((),),
        ("39010200000001X", None, ("credit_code_characters",)),
        ("0" * 18, None, ("placeholder",)),
        ("无", None, ()),
        (None, None, ()),
    ],
)
def test_credit_codes(value: str | None, code: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_credit_code(value) == (code, issues)


def test_check_digits_are_the_standards() -> None:
    # ISO 7064, the example of MOD 11,10.
    assert registration_check("0794") == "5"


@given(
    st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17),
    st.integers(0, 16),
    st.integers(1, 30),
)
def test_a_wrong_character_of_a_credit_code_is_noticed(body: str, place: int, step: int) -> None:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    wrong = body[:place] + alphabet[(alphabet.index(body[place]) + step) % 31] + body[place + 1 :]
    assert credit_check(body) != credit_check(wrong)


@given(st.text("0123456789", min_size=14, max_size=14), st.integers(0, 13), st.integers(1, 9))
def test_a_wrong_digit_of_a_registration_number_is_noticed(body: str, place: int, step: int) -> None:
    wrong = body[:place] + str((int(body[place]) + step) % 10) + body[place + 1 :]
    assert registration_check(body) != registration_check(wrong)


def test_dates_as_numbers() -> None:
    assert normalize_date_number(19880312) == (days(1988, 3, 12), ())
    assert normalize_date_number(0) == normalize_date_number(None) == (None, ())
    assert normalize_date_number(19880230) == (None, ("impossible_date",))
    assert normalize_date_number(198803) == (None, ("incomplete_date",))
    assert normalize_date_number(-5) == (None, ("unreadable_date",))
    assert normalize_days(6645) == (6645, ())
    # PostgreSQL's infinity, as Debezium sends it.
    assert normalize_days(2_147_483_647) == (None, ("out_of_range_date",))


@given(st.dates(date(1800, 1, 1), date(2199, 12, 31)))
def test_every_way_to_write_a_day_is_that_day(day: date) -> None:
    expected = (day.toordinal() - EPOCH, ())
    for text in (
        f"{day:%Y%m%d}",
        day.isoformat(),
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}.{day.month}.{day.day}",
    ):
        assert normalize_date(text) == expected
    assert normalize_date_number(int(f"{day:%Y%m%d}")) == expected


def micros(year: int, month: int, day: int, hour: int, minute: int) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def test_times() -> None:
    assert normalize_compact_time("20240115093000") == (micros(2024, 1, 15, 1, 30), ())
    assert normalize_compact_time("20240115003000") == (micros(2024, 1, 14, 16, 30), ())
    assert normalize_compact_time("20240230000000") == (None, ("impossible_date",))
    assert normalize_compact_time("20240115240000") == (None, ("impossible_time",))
    assert normalize_compact_time("0" * 14) == normalize_compact_time(" " * 14) == (None, ())
    assert normalize_compact_time("now") == (None, ("unreadable_time",))
    assert normalize_iso_instant("2024-01-15T01:30:00.123456789Z") == (
        micros(2024, 1, 15, 1, 30) + 123_456,
        (),
    )
    assert normalize_iso_instant("2024-01-15T09:30:00+08:00") == (micros(2024, 1, 15, 1, 30), ())
    assert normalize_iso_instant("2024-13-15T09:30:00Z") == (None, ("impossible_time",))
    assert normalize_iso_instant("infinity") == (None, ("out_of_range_date",))
    assert normalize_iso_instant("yesterday") == (None, ("unreadable_time",))


def test_a_birth_shortly_after_midnight_in_beijing_is_of_that_day() -> None:
    rule = RULES["day_of_instant"]
    assert isinstance(rule, Rule)
    assert rule.build(Parameters())("2024-01-14T16:05:00Z") == (days(2024, 1, 15), ())


@pytest.mark.parametrize(
    ("value", "phone", "issues"),
    [
        ("13812345678", "13812345678", ()),
        ("＋86 138-1234-5678", "13812345678", ()),
        ("010-62345678", "010-62345678", ()),
        ("(0398)6234567", "0398-6234567", ()),
        ("0398 6234567转801", "0398-6234567-801", ()),
        ("6234567", "6234567", ()),
        ("+852 91234567", "+85291234567", ()),
        ("13812345678(母亲)", "13812345678", ("phone_with_other_text",)),
        ("13812345678/13912345678", None, ("several_phones",)),
        ("1381234567", None, ("malformed_phone",)),
        ("11111111111", None, ("placeholder",)),
        ("无", None, ()),
        ("", None, ()),
    ],
)
def test_phones(value: str, phone: str | None, issues: tuple[str, ...]) -> None:
    assert normalize_phone(value) == (phone, issues)


def test_companions_of_document_numbers() -> None:
    assert normalize_certificate(" a390000001") == ("A390000001", ())
    assert normalize_certificate(VALID) == normalize_certificate(None) == (None, ())
    assert normalize_mothers_number(VALID + "1") == (VALID, ())
    assert normalize_mothers_number(VALID) == normalize_mothers_number(VALID + "X") == (None, ())


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("王?", "王\ufffd"),
        ("王 ？ 明", "王\ufffd明"),
        ("张*", "张\ufffd"),
        ("张**", "张\ufffd\ufffd"),
        ("王明", None),
        ("?", None),
        ("***", None),
        ("张某?", None),
        (None, None),
    ],
)
def test_what_is_left_of_a_damaged_name(value: str | None, left: str | None) -> None:
    assert normalize_damaged_name(value) == (left, ())


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        (
            "relation",
            {
                "户主": "02",
                "妻": "12",
                "子": "20",
                "女": "30",
                "父": "51",
                "母": "52",
                "儿媳": "38",
                "孙": "41",
            },
        ),
        ("education", {"大学本科": "20", "初中": "70", "文盲": "90"}),
        ("ethnicity", {"柯尔克": "29", "维族": "05", "壮": "08", "入籍": "98"}),
        ("document_type", {"身份证": "111", "军官证": "114", "hk_macao": "516", "none": None, "护照": "414"}),
        ("nationality", {"中国": "CHN", "156": "CHN", "CHN": "CHN", "美国": "USA"}),
        ("marital_status", {"离异": "40", "已婚": "20", "unknown": None}),
        ("calendar", {"Y": "1", "N": "2"}),
    ],
)
def test_spellings_of_codes(name: str, spellings: dict[str, str | None]) -> None:
    read = coder(code_list(name))
    assert {spelling: read(spelling) for spelling in spellings} == {
        spelling: (code, ()) for spelling, code in spellings.items()
    }


def test_no_spelling_stands_for_two_codes() -> None:
    for path in resources.files("avro.codes").iterdir():
        if path.name.endswith(".csv") and path.read_text("utf-8").startswith("code,zh,en,unstated"):
            seen: dict[str, str] = {}
            for code in code_list(path.name.removesuffix(".csv")).codes.values():
                for spelling in {code.code, code.zh, *code.also}:
                    assert seen.setdefault(spelling, code.code) == code.code, (path.name, spelling)


def test_addresses_and_labels() -> None:
    assert normalize_address(" 青禾区 和平路１２号３－４０２ ") == ("青禾区和平路12号3-402", ())
    assert normalize_address("不详") == (None, ("placeholder",))
    assert normalize_address("无") == normalize_address("　") == (None, ())
    assert normalize_label("云州 第一 小学") == ("云州第一小学", ())
    assert normalize_text(" a  b ") == ("a  b", ())


def test_codes_of_the_standard_and_of_a_department() -> None:
    sex = coder(code_list("sex"))
    assert [sex(value) for value in ("1", "男", " 2 ", "0", "9", None, "")] == [
        ("1", ()),
        ("1", ()),
        ("2", ()),
        (None, ()),
        (None, ()),
        (None, ()),
        (None, ()),
    ]
    assert sex("3") == (None, ("unknown_code",))
    ethnicity = coder(code_list("ethnicity"))
    assert [ethnicity(value)[0] for value in ("01", "汉", "汉族", "维吾尔族", "维族", "56", "基诺")] == [
        "01",
        "01",
        "01",
        "05",
        "05",
        "56",
        "56",
    ]
    marital = coder(
        code_list("marital_status"),
        {"2": "20", "5": None, "6": "20"},
        {"5": "de_facto_marriage", "6": "de_facto_marriage"},
    )
    assert marital("2") == ("20", ())
    assert marital("5") == (None, ("de_facto_marriage",))
    assert marital("6") == ("20", ("de_facto_marriage",))
    assert marital("20") == (None, ("unknown_code",)), "only what the map says is known"
    division = division_coder()
    assert division("390102") == ("390102", ())
    assert division("990102") == ("990102", ("region_unknown",))
    assert division("3901") == (None, ("malformed_code",))
    assert division("000000") == (None, ())


def test_lists_are_the_standards() -> None:
    assert list(code_list("marital_status").codes) == ["10", "20", "21", "22", "23", "30", "40", "90"]
    assert len(code_list("ethnicity").codes) == 58
    assert list(code_list("sex").codes) == ["0", "1", "2", "9"]


def test_plain_values() -> None:
    assert normalize_decimal("12.50") == ("12.50", ())
    assert normalize_decimal("NAN") == (None, ("unreadable_number",))
    assert normalize_integer(2**63) == (None, ("unreadable_number",))
    assert normalize_texts(["110", None, " "]) == (["110"], ())
    assert normalize_texts(None) == ([], ())
    assert normalize_texts([1]) == ([], ("unknown_code",))


@pytest.mark.parametrize(
    ("value", "unit", "amount", "issues"),
    [
        (None, "yuan", None, ()),
        ("", "yuan", None, ()),
        ("0", "yuan", "0", ()),
        ("-0.00", "yuan", "0", ()),
        ("1,234.50", "yuan", "1234.5", ()),
        ("￥１２００元整", "yuan", "1200", ()),
        ("3.5万元", "yuan", "35000", ()),
        ("50.000000", "ten_thousand_yuan", "500000", ()),
        ("5元", "ten_thousand_yuan", "5", ()),
        ("-12.3", "yuan", "-12.3", ()),
        ("12,34", "yuan", None, ("unreadable_number",)),
        ("五万", "yuan", None, ("unreadable_number",)),
        ("5美元", "yuan", None, ("unknown_unit",)),
        ("89.5", "square_metres", "89.5", ()),
        ("89.5㎡", "square_metres", "89.5", ()),
        ("3亩", "square_metres", "2000", ()),
        ("1.68米", "centimetres", "168", ()),
        ("120斤", "kilograms", "60", ()),
        ("78岁", "years", "78", ()),
        ("6个月", "years", "0.5", ()),
        ("3天", "years", "0.008214", ()),
        ("3岁", "kilograms", None, ("unknown_unit",)),
    ],
)
def test_amounts(value: str | None, unit: str, amount: str | None, issues: tuple[str, ...]) -> None:
    read = money_reader(unit) if "yuan" in unit else measure_reader(unit)
    assert read(value) == (amount, issues)


@pytest.mark.parametrize("make", [money_reader, measure_reader])
@pytest.mark.parametrize("unit", ["", "元", "万元", "dollars"])
def test_a_unit_that_is_none_is_refused(make: Callable[[str], object], unit: str) -> None:
    with pytest.raises(ValueError, match="is wanted"):
        make(unit)


def test_what_a_number_says_of_its_holder() -> None:
    born = birth_date_of(VALID)
    assert contradictions(VALID, "1", born) == ()
    assert contradictions(VALID, None, None) == ()
    assert contradictions(VALID, "2", born) == ("sex",)
    assert contradictions(VALID, "2", 0) == ("sex", "birth_date")


def test_what_is_remembered_is_bounded() -> None:
    asked: list[int] = []

    def read(value: int) -> tuple[int, tuple[str, ...]]:
        asked.append(value)
        return value, ()

    normalize = remembering(read)
    for _ in range(2):
        for value in range(10_000):
            assert normalize(value) == (value, ())
    assert len(asked) == 20_000
    assert normalize(9_999) == (9_999, ())
    assert len(asked) == 20_000
    assert normalize(None) == (None, ())


PARAMETERS = {
    "code": Parameters(list="sex"),
    "epoch": Parameters(unit="milliseconds", zone="Beijing"),
    "name": Parameters(newborn="true"),
    "money": Parameters(unit="yuan"),
    "measure": Parameters(unit="years"),
    "day_of_epoch": Parameters(unit="seconds", zone="UTC"),
    "daterange": Parameters(bound="last"),
    "decimal_bytes": Parameters(scale="2"),
    "iso_local": Parameters(zone="Beijing"),
}
JSON: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT | st.text("0123456789Xx年月日.-/ 　１无某之子女婴·•+()", max_size=20),
    int: st.integers(),
    bool: st.booleans(),
    list: st.lists(st.none() | TEXT | st.integers(), max_size=5),
    float: st.floats(),
    dict: st.fixed_dictionaries(
        {}, optional={"scale": st.integers(-30, 30) | TEXT, "value": TEXT | st.none()}
    ),
}
GIVES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "date": (int,),
    "timestamp": (int,),
    "long": (int,),
    "boolean": (bool,),
    "strings": (list,),
}


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
def test_no_rule_raises_and_none_loses_a_value_silently(name: str, data: st.DataObject) -> None:
    rule = RULES[name]
    value = data.draw(JSON[rule.takes])
    if isinstance(rule, ContextRule):
        result, issues = rule.normalize(
            value, data.draw(st.none() | st.sampled_from(("111", "414", "511", "516", "990")))
        )
    else:
        result, issues = rule.build(PARAMETERS.get(name, Parameters()))(value)
    assert result is None or type(result) in GIVES[rule.gives]
    assert set(issues) <= finding_rules().keys()
    if isinstance(result, str):
        result.encode()
    if result is None and not issues and not rule.is_companion and name not in ("daterange", "phones"):
        # Blank, or a documented spelling of nothing.
        assert (
            value == 0
            or not str(value).strip(" 　\t\r\n0-/.年月日無无\u200b\ufeff")
            or len(str(value).strip()) <= 4
        )


@given(TEXT)
def test_a_normalized_value_stays_as_it_is(text: str) -> None:
    for normalize in (
        normalize_name,
        normalize_resident_id,
        normalize_phone,
        normalize_address,
        normalize_label,
    ):
        value, _ = normalize(text)
        with suppress(UnicodeEncodeError):
            assert normalize(value)[0] == value
