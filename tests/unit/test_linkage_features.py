"""Numbers, names, births and addresses: what counts as equal, similar and different, and which keys are shared."""

from __future__ import annotations

import random
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lunar_python import LunarYear

from avro.normalize.lunar import FIRST_LUNAR_YEAR, LAST_LUNAR_YEAR, LunarDate, solar_day
from avro.normalize.name_key import name_key
from avro.record import Kin, Mention
from linkage.births import BirthLevel, compare_days, days_of, lunar_readings, written_lunar
from linkage.errors import WeightsError
from linkage.features import (
    INDEXED,
    KIND_MASK,
    TELLING,
    Kind,
    address_tokens,
    employer_in,
    features_of,
    keys_of,
    numbers_meant,
    what_tells,
)
from linkage.generic import GenericValues
from linkage.id_number import check_character, corrections, distance, is_valid_id_number
from linkage.names import NameComparer, NameLevel, level_of
from linkage.weights import Weights, bits, default_weights
from tests.unit.linkage_world import BAD_NUMBER, NAMES, NUMBERS, mentions

UNIX_JULIAN_DAY = 2_440_588


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        (NUMBERS[0], True),
        (NUMBERS[2], True),
        (NUMBERS[0][:17], False),
        ("１" + NUMBERS[0][1:], False),
        ("1" * 18, False),
        ("39010219800230001" + check_character("39010219800230001"), False),
        ("39010217991231001" + check_character("39010217991231001"), False),
        ("", False),
    ],
)
def test_validity_of_numbers(number: str, valid: bool) -> None:
    assert is_valid_id_number(number) is valid


def test_every_single_error_is_noticed() -> None:
    for number in NUMBERS:
        for place in range(17):
            for digit in "0123456789":
                if digit != number[place]:
                    assert not is_valid_id_number(number[:place] + digit + number[place + 1 :])


def test_lower_case_check_character_is_not_canonical() -> None:
    body = next(f"3901021980010100{n}" for n in range(10) if check_character(f"3901021980010100{n}") == "X")
    assert is_valid_id_number(body + "X")
    assert not is_valid_id_number(body + "x")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NUMBERS), st.randoms(use_true_random=False))
def test_corrections_find_the_number_behind_any_single_error(number: str, rng: random.Random) -> None:
    place = rng.randrange(17)
    digit = str((int(number[place]) + rng.randint(1, 9)) % 10)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    for wrong in (
        number[:place] + digit + number[place + 1 :],
        number[:place] + number[place + 1 :],
        number[:place] + digit + number[place:],
        swapped,
    ):
        found = corrections(wrong)
        assert all(is_valid_id_number(one) for one in found)
        assert list(found) == sorted(set(found))
        if is_valid_id_number(wrong):
            assert found == ()
        elif not (len(wrong) == 17 and wrong[-1] == "X"):
            assert number in found or "X" in wrong[:-1]
            assert len(found) <= 40
    assert distance(number, swapped) <= 1


def test_the_last_of_fifteen_digits_may_be_cut_off() -> None:
    number = NUMBERS[0]
    assert number in corrections(number[:6] + number[8:16])


def test_what_is_nothing_like_a_number_has_no_corrections() -> None:
    assert (
        corrections("3.90102E+17") == corrections("") == corrections("12345") == corrections(NUMBERS[0]) == ()
    )


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        ("王小芳", "王小芳", NameLevel.EQUAL),
        ("阿依·古丽", "阿依古丽", NameLevel.EQUAL),
        ("阿依·古丽", "阿依 古丽", NameLevel.EQUAL),
        ("鍾國強", "钟国强", NameLevel.EQUAL),
        ("王小芳", "王晓芳", NameLevel.HOMOPHONE),
        ("陈雨", "程雨", NameLevel.HOMOPHONE),
        ("王小?", "王小芳", NameLevel.PART),
        ("李小?", "王小芳", NameLevel.DIFFERENT),
        ("己明", "已明", NameLevel.HOMOPHONE),
        ("王小芳", "王小丽", NameLevel.ONE_CHARACTER),
        ("王小芳", "王芳", NameLevel.MISSING_CHARACTER),
        ("王小芳", "王芳小", NameLevel.REORDERED),
        ("SMITH JOHN", "JOHN SMITH", NameLevel.REORDERED),
        ("王小芳", "李小芳", NameLevel.SURNAME),
        ("欧阳小芳", "欧阳明", NameLevel.GIVEN),
        ("王芳", "王丽", NameLevel.GIVEN),
        ("古丽娜尔·买买提", "古丽娜尔", NameLevel.PART),
        ("王小芳", "李大明", NameLevel.DIFFERENT),
        ("Mikhayla Hannagan", "Mikhvyla Hannagan", NameLevel.HOMOPHONE),
        ("Jonathan Smith", "Johnatan Smith", NameLevel.PART),
        ("Anna Li", "Anne Li", NameLevel.HOMOPHONE),
        ("Ann Leigh", "Any Leigh", NameLevel.PART),
    ],
)
def test_names(left: str, right: str, level: NameLevel) -> None:
    assert level_of(name_key(left), name_key(right)) is level
    assert level_of(name_key(right), name_key(left)) is level


@given(st.sampled_from(NAMES[:-1]), st.sampled_from(NAMES[:-1]))
def test_names_compare_the_same_both_ways_and_never_against_themselves(left: str, right: str) -> None:
    compare = NameComparer(default_weights())
    assert compare((left,), (right,)) == compare((right,), (left,))
    assert compare((left, "李大明"), (right,)) == compare((right,), ("李大明", left))
    assert compare((left,), (left,)).level is NameLevel.EQUAL
    assert min(compare((left,), (left,))[1:]) > 0


def test_a_rare_name_proves_more_than_a_frequent_one() -> None:
    compare = NameComparer(default_weights())
    assert compare(("逄小芳",), ("逄小芳",)).stranger > compare(("王小芳",), ("王小芳",)).stranger
    assert compare(("王小芳",), ("王小芳",)).stranger > compare(("王芳",), ("王芳",)).stranger


def day(year: int, month: int, day_of_month: int) -> int:
    days = days_of(year, month, day_of_month)
    assert days is not None
    return days


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (day(1980, 3, 5), day(1980, 3, 5), BirthLevel.EQUAL),
        (day(1980, 3, 5), day(1980, 5, 3), BirthLevel.SWAPPED),
        (day(1980, 3, 5), day(1980, 3, 15), BirthLevel.ONE_PART),
        (day(1980, 3, 5), day(1981, 3, 5), BirthLevel.ONE_PART),
        (day(1980, 3, 5), day(1980, 1, 1), BirthLevel.YEAR_EQUAL),
        (day(1980, 3, 5), day(1955, 6, 12), BirthLevel.DIFFERENT),
        (day(1941, 2, 8), solar_day(LunarDate(1941, 2, 8)), BirthLevel.LUNAR),
    ],
)
def test_births(left: int, right: int, level: BirthLevel) -> None:
    assert compare_days(left, right) is compare_days(right, left) is level


def test_lunar_dates() -> None:
    written, meant = written_lunar("1941-02-08")
    assert (written, meant) == (day(1941, 2, 8), (solar_day(LunarDate(1941, 2, 8)),))
    assert written_lunar("1941-02-30")[0] is None, "a day of the lunar calendar alone"
    assert written_lunar("1941-06-08L")[1] == (solar_day(LunarDate(1941, 6, 8, True)),)
    assert lunar_readings(day(1941, 2, 8)) == meant
    assert lunar_readings(day(2001, 2, 8)) == ()


def test_addresses_meet_however_much_of_the_upper_levels_is_written() -> None:
    whole = address_tokens("江岚省云州市青禾区临江路12号3栋402室")
    assert address_tokens("云州市青禾区临江路12号3栋402") == whole
    assert address_tokens("青禾区临江路12号")[1] == whole[1] != address_tokens("青禾区临江路21号")[1]
    street, town = address_tokens("江岚省云州市青禾区白沙街道枣园街")
    assert address_tokens("青禾区白沙街道枣园街219号13栋1401室")[2:] == (street, town)
    assert address_tokens("白沙枣园街") == (street,), "old files do not say what is a town"
    assert address_tokens("江岚省云州市青禾区白沙街道") == (town,)
    village = address_tokens("望川县北山镇河边村4组79号")
    assert village[2:] == address_tokens("北山镇河边村") != address_tokens("北山镇五里村")
    assert address_tokens("临江路12号3栋401室")[0] != whole[0]
    assert address_tokens("路") == ()


def tokens(mention: Mention, kind: Kind, invalid: str = "") -> set[int]:
    return {sign for sign in features_of(mention, invalid).tokens if sign & KIND_MASK == kind}


MOTHER = Kin("mother", "李兰", NUMBERS[0], "13900000001")


def test_whose_number_it_is() -> None:
    own = Mention("self", id_number=NUMBERS[2], birth_date=day(2015, 6, 30))
    assert features_of(own).core.number == NUMBERS[2]
    mothers = Mention("self", id_number=NUMBERS[0], birth_date=day(2015, 6, 30))
    core = features_of(mothers).core
    assert (core.number, core.doubtful) == ("", NUMBERS[0])
    assert tokens(mothers, Kind.PARENT_NUMBER) == tokens(Mention("self", kin=(MOTHER,)), Kind.PARENT_NUMBER)
    named = Mention("self", id_number=NUMBERS[0], kin=(MOTHER,))
    assert features_of(named).core.number == ""
    digit = features_of(Mention("self", birth_date=day(2015, 6, 30)), NUMBERS[0] + "1")
    assert (digit.core.number, digit.core.invalid) == ("", "")
    assert set(digit.tokens) & tokens(mothers, Kind.PARENT_NUMBER)
    assert NUMBERS[0] in numbers_meant(features_of(Mention("self"), BAD_NUMBER).core)


def test_a_masked_name_is_none() -> None:
    assert features_of(Mention("self", other_names=("周\ufffd\ufffd",))).core.names == ()


def test_documents_are_one_however_they_are_written() -> None:
    permit = tokens(Mention("self", id_type="516", id_number="H1234567801"), Kind.DOCUMENT)
    assert permit == tokens(Mention("self", other_numbers=("H12345678",)), Kind.DOCUMENT)
    certificate = tokens(Mention("baby", certificate_number="K100000001"), Kind.DOCUMENT)
    assert certificate == tokens(Mention("self", id_number="K100000001"), Kind.DOCUMENT)


def test_employers_are_one_whatever_their_legal_form() -> None:
    assert employer_in("平澜金源教育有限公司") == employer_in("平澜金源教育 公司") == "平澜金源教育"
    assert employer_in("青禾区第二中学") == "青禾区第二中学"
    for nobody in ("平澜市个体经营户", "灵活就业人员", "务农", "无", "待业", "公司"):
        assert employer_in(nobody) == "", nobody


def test_a_name_at_an_employer_brings_together_and_neither_does_alone() -> None:
    one, other, namesake = (
        set(features_of(Mention("self", name=name, workplace=employer)).tokens)
        for name, employer in (
            ("高晨斌", "平澜金源教育有限公司"),
            ("高晨斌", "平澜金源教育公司"),
            ("高晨斌", "云州天成农业有限公司"),
        )
    )
    assert {sign & KIND_MASK for sign in one & other} == {Kind.WORKPLACE, Kind.NAME_AND_BIRTH}
    assert not one & namesake
    assert Kind.WORKPLACE not in INDEXED


def test_generic_values_are_nothing() -> None:
    mention = Mention("self", name="测试", birth_date=0, phone="13800138000")
    features = features_of(mention)
    assert (features.core.names, features.core.birth, features.tokens) == ((), None, ())


def test_names_of_two_records_share_a_key_in_spite_of_an_error() -> None:
    def keys(name: str, birth: int) -> set[int]:
        return keys_of(features_of(Mention("self", name=name, birth_date=birth)).core, wide=True)

    known = keys("王小芳", day(1980, 3, 5))
    for name, birth in (
        ("王晓芳", day(1980, 3, 5)),
        ("黄小芳", day(1980, 3, 5)),
        ("王大明", day(1980, 3, 5)),
        ("王小芳", day(1980, 5, 3)),
        ("芳小王", day(1980, 3, 25)),
    ):
        assert known & keys(name, birth)
    assert not known & keys("李大明", day(1980, 3, 5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("element,level\n", "line 1"),
        (
            "element,level,same,stranger,family,note\nname,equal,1,x,1,\n",
            "line 2: name.equal needs three numbers",
        ),
        (
            "element,level,same,stranger,family,note\nname,equal,1,0,1,\n",
            "line 2: name.equal needs numbers above 0",
        ),
        ("element,level,same,stranger,family,note\na,b,1,1,1,\na,b,1,1,1,\n", "line 3: a.b stands twice"),
    ],
)
def test_a_wrong_table_of_weights_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        Weights(text, "w.csv")


def test_weights_are_log_ratios_in_parts_of_a_bit() -> None:
    weights = Weights("element,level,same,stranger,family,note\nname,equal,0.5,0.125,1,\n", "w.csv")
    assert weights["name.equal"] == (bits(4), bits(0.5)) == (512, -256)
    with pytest.raises(WeightsError, match=r"w\.csv: the weight sex\.equal is missing"):
        weights["sex.equal"]


@pytest.mark.parametrize(
    "text", ["element,value,note\nshoe,1,\n", "element,value,note\nbirth_date,1.1.1970,\n", "a,b\n"]
)
def test_a_wrong_table_of_generic_values_is_refused(text: str) -> None:
    with pytest.raises(WeightsError, match=r"g\.csv: "):
        GenericValues(text, "g.csv")


@pytest.mark.parametrize("year", [FIRST_LUNAR_YEAR, *range(1802, 2199, 9), 1985, 2033, LAST_LUNAR_YEAR])
def test_lunar_years_are_the_library_s(year: int) -> None:
    months = [month for month in LunarYear.fromYear(year).getMonths() if month.getYear() == year]
    for month in months:
        number, leap = abs(month.getMonth()), month.getMonth() < 0
        first = int(month.getFirstJulianDay()) - UNIX_JULIAN_DAY
        assert solar_day(LunarDate(year, number, 1, leap)) == first
        assert (
            solar_day(LunarDate(year, number, month.getDayCount(), leap)) == first + month.getDayCount() - 1
        )
        assert solar_day(LunarDate(year, number, month.getDayCount() + 1, leap)) is None
    leaps = [number for number in range(1, 13) if solar_day(LunarDate(year, number, 1, True)) is not None]
    assert leaps == [-month.getMonth() for month in months if month.getMonth() < 0]


@settings(max_examples=60, deadline=None)
@given(mentions)
def test_features_are_made_of_nothing_but_what_tells(mention: Mention) -> None:
    class Probe:
        def __getattr__(self, name: str) -> object:
            seen.add(name)
            return getattr(mention, name)

    seen: set[str] = set()
    features = features_of(cast(Mention, Probe()))
    assert seen
    assert seen <= set(TELLING)
    silent = {name: None for name in Mention.__struct_fields__ if name not in TELLING}
    changed = msgspec.structs.replace(mention, **silent)
    assert features_of(changed) == features
    assert what_tells(changed) == what_tells(mention)
