"""Divisions through time, and the five levels of an address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.codes.divisions import (
    all_divisions,
    city_of,
    division_at,
    is_known,
    is_same_place,
    present_codes,
    province_of,
    title_of,
)
from avro.normalize.place import (
    Place,
    normalize_community_of_address,
    normalize_division_of_address,
    normalize_street_of_address,
    place_of,
)


@pytest.mark.parametrize(
    ("code", "month", "title"),
    [
        ("110221", "199001", "北京市昌平县"),
        ("110114", "201001", "北京市昌平区"),
        ("390102", "999999", "江岚省云州市青禾区"),
        ("390000", "999999", "江岚省"),
        ("160421", "195001", "北原省雪岭市长垣县"),
        # Abolished in 2010; what it was is known as of any month.
        ("110103", "200001", "北京市崇文区"),
        ("990102", "200001", None),
    ],
)
def test_a_code_has_its_title_as_of_a_month(code: str, month: str, title: str | None) -> None:
    assert title_of(code, month) == title
    assert is_known(code) == (title is not None)


def test_a_code_follows_its_successors() -> None:
    assert present_codes("110221") == {"110114"}
    assert present_codes("390102") == {"390102"}
    assert present_codes("990102") == {"990102"}
    assert is_same_place("330183", "330111")
    assert is_same_place("990102", "990102")
    assert not is_same_place("390102", "390103")


def test_one_code_may_have_been_given_twice() -> None:
    # 栾城 and 正定 changed their codes in 1993.
    assert (title_of("130123", "199001"), title_of("130123")) == (
        "河北省石家庄市栾城县",
        "河北省石家庄市正定县",
    )
    assert present_codes("130124", "199001") == {"130123"}
    assert present_codes("130123") == {"130123"}
    assert present_codes("130123", "199001") == present_codes("130124", "199401") == {"130111"}
    assert division_at("110221", "195001") == division_at("110221", "198101")


def test_the_table_of_divisions_is_whole() -> None:
    for division in all_divisions():
        assert len(division.code) == 6
        assert division.name
        assert not division.last or division.first <= division.last
        for successor in division.successors:
            assert is_known(successor), division
        assert is_known(province_of(division.code)), division
        assert present_codes(division.code)


@pytest.mark.parametrize(
    ("address", "near", "place"),
    [
        (
            "江岚省云州市青禾区长宁街道石门社区和平路12号3栋",
            None,
            Place("390102", "长宁街道", "石门社区", "和平路12号3栋"),
        ),
        ("云州市青禾区长宁镇上湾村3组24号", None, Place("390102", "长宁镇", "上湾村", "3组24号")),
        ("青禾区　和平路１号", None, Place("390102", None, None, "和平路1号")),
        ("江岚云州青禾和平路12号", None, Place("390102", None, None, "和平路12号")),
        ("云州青禾和平路12号", "390102", Place("390102", None, None, "和平路12号")),
        ("云州市青禾路12号", None, Place("390100", None, None, "青禾路12号")),
        ("江岚省红岩自治县柳河乡", None, Place("390422", "柳河乡", None, "")),
        ("江岚省", None, Place("390000", None, None, "")),
        # Abolished names lead to the place that they are part of now.
        ("浙江省富阳市场口镇", None, Place("330111", "场口镇", None, "")),
        # There are several of this name.
        ("朝阳区建国路1号", None, Place(None, None, None, "朝阳区建国路1号")),
        ("朝阳区建国路1号", "110105", Place("110105", None, None, "建国路1号")),
        ("和平路12号", None, Place(None, None, None, "和平路12号")),
        ("不详", None, Place(None, None, None, "")),
        ("", None, Place(None, None, None, "")),
    ],
)
def test_addresses_have_five_levels(address: str, near: str | None, place: Place) -> None:
    assert place_of(address, near) == place


def test_levels_are_told_apart() -> None:
    county, city, province = place_of("江岚省云州市青禾区"), place_of("江岚省云州市"), place_of("江岚省")
    assert (county.province, county.city, county.county) == ("390000", "390100", "390102")
    assert (city.province, city.city, city.county) == ("390000", "390100", None)
    assert (province.province, province.city, province.county) == ("390000", None, None)
    assert place_of("x").county is None
    assert city_of("390102") == "390100"


def test_rules_beside_an_address() -> None:
    address = "江岚省云州市青禾区长宁街道石门社区和平路12号"
    assert normalize_division_of_address(address) == ("390102", ())
    assert normalize_street_of_address(address) == ("长宁街道", ())
    assert normalize_community_of_address(address) == ("石门社区", ())
    assert normalize_division_of_address(None) == normalize_division_of_address("无") == (None, ())


@given(
    st.text("江岚省云州市青禾区长宁街道石门社区和平路0１ 镇村", max_size=30) | st.text(max_size=20),
    st.none() | st.sampled_from(("390102", "110105", "x")),
)
def test_every_text_has_a_place_and_keeps_its_end(text: str, near: str | None) -> None:
    place = place_of(text, near)
    assert place.division is None or is_known(place.division)
    assert all(part is None or part for part in (place.street, place.community))
