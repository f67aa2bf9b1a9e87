"""Numbers, names and pairs: what counts as equal, similar and different."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.evidence import Agreement, Profile, compare, compare_names, fold_name
from linkage.id_number import check_character, is_valid_id_number
from tests.unit.linkage_world import DATES, NAMES, NUMBERS

profiles = st.builds(
    Profile,
    st.sampled_from(NAMES).map(fold_name),
    st.sampled_from(("", "王小芳")),
    st.sampled_from(DATES),
)


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


@pytest.mark.parametrize(
    ("left", "right", "agreement"),
    [
        ("王小芳", "王小芳", Agreement.EQUAL),
        ("阿依·古丽", "阿依 古丽", Agreement.EQUAL),
        ("阿依•古丽", "阿依古丽", Agreement.EQUAL),
        ("Maria Silva", "MARIA  SILVA", Agreement.EQUAL),
        ("王小芳", "王晓芳", Agreement.SIMILAR),
        ("王小芳", "王芳", Agreement.SIMILAR),
        ("王芳", "王伟", Agreement.DIFFERENT),
        ("王芳", "王芳之子", Agreement.DIFFERENT),
        ("王*", "王芳", Agreement.UNKNOWN),
        (None, "王芳", Agreement.UNKNOWN),
        ("", "", Agreement.UNKNOWN),
    ],
)
def test_names(left: str | None, right: str | None, agreement: Agreement) -> None:
    assert compare_names(fold_name(left), "", fold_name(right), "") is agreement


@given(profiles, profiles)
def test_comparison_is_symmetric(left: Profile, right: Profile) -> None:
    assert compare(left, right) is compare(right, left)


@given(profiles)
def test_a_profile_never_speaks_against_itself(profile: Profile) -> None:
    assert compare(profile, profile) >= 0
