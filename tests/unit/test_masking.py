"""What is shown of a value to somebody who may not see it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.elements import ElementType, Masking, elements
from avro.masking import HIDDEN, mask, mask_address, mask_middle, mask_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("欧阳娜娜", "欧阳**"),
        ("买买提·艾山", "买*****"),
        ("John Smith", "J********"),
        ("张", HIDDEN),
        ("𠮷田三", "𠮷**"),
    ],
)
def test_names_show_their_surname(name: str, shown: str) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("390102199001011234", "390*************34"),
        ("13800000000", "138******00"),
        ("E1234567", "E******7"),
        ("123", HIDDEN),
    ],
)
def test_numbers_show_their_ends(number: str, shown: str) -> None:
    assert mask_middle(number) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("江岚省云州市青禾区长宁街道石门社区和平路12号", "江岚省云州市青禾区***"),
        ("云州市青禾区和平路12号", "云州市青禾区***"),
        ("江岚省云州市", "江岚省云州市***"),
        ("和平路12号3栋", HIDDEN),
        ("", HIDDEN),
    ],
)
def test_addresses_show_their_county(address: str, shown: str) -> None:
    assert mask_address(address) == shown


@pytest.mark.parametrize(
    ("element", "value", "shown"),
    [
        ("birth_date", -10529, "1941"),
        ("birth_month", "198803", "1988"),
        ("lunar_birth_date", "1941-02-08", "1941"),
        # Half past seven on New Year's Eve in London is the next year in Beijing.
        ("birth_time", 1_704_051_000_000_000, "2024"),
        ("birth_date", 10**12, HIDDEN),
        ("sex", "1", "1"),
        ("insurance_kinds", ["110"], ["110"]),
        ("remark", "text", HIDDEN),
        ("deceased", True, HIDDEN),
        ("name", None, None),
        ("insurance_kinds", [], []),
    ],
)
def test_values_are_masked_as_their_element_says(element: str, value: Any, shown: Any) -> None:
    assert mask(elements()[element], value) == shown


VALUES: dict[ElementType, st.SearchStrategy[Any]] = {
    ElementType.STRING: st.text(max_size=30) | st.text("江岚省云州市青禾区长宁街道0123张三·", max_size=30),
    ElementType.DATE: st.integers(-(2**31), 2**31),
    ElementType.TIMESTAMP: st.integers(-(2**63), 2**63),
    ElementType.LONG: st.integers(),
    ElementType.BOOLEAN: st.booleans(),
    ElementType.STRINGS: st.lists(st.text(max_size=5)),
}


@given(st.data())
def test_a_mask_never_shows_the_whole_of_what_it_hides(data: st.DataObject) -> None:
    element = data.draw(
        st.sampled_from([each for each in elements().values() if each.masking is not Masking.NONE])
    )
    value = data.draw(VALUES[element.type])
    shown = mask(element, value)
    if value != []:
        assert isinstance(shown, str)
        assert shown != value or shown == HIDDEN or (element.masking is Masking.YEAR and len(shown) == 4)
