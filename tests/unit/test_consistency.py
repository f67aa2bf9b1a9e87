"""What a record's persons make doubtful."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro.elements import elements
from avro.normalize.consistency import Consistency, key_elements, person_rules, relation_rules, role_relations
from avro.normalize.date import EPOCH
from avro.normalize.issues import finding_rules
from avro.normalize.resident_id import check_character
from avro.record import PERSON_ELEMENTS, Finding, Kin, Mention, Relation


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH


def number(born: str, sequence: str) -> str:
    body = f"390102{born}{sequence}"
    return body + check_character(body)


MAN = number("19600101", "111")
WOMAN = number("19620101", "122")


GIVEN = tuple(element for element in PERSON_ELEMENTS if element not in key_elements())


def consistency(*mentions: Mention, given: tuple[str, ...] = GIVEN) -> Consistency:
    """Return the rules of a feed with these mentions, whose key elements may be missing."""
    places = [(mention.role, mention.ordinal) for mention in mentions]
    return Consistency(dict.fromkeys(places, given), dict.fromkeys(places, tuple(Relation)))


def rules(*mentions: Mention, source_time: int = 0) -> list[tuple[str, str, str]]:
    wanted = (*GIVEN, *(element for element in key_elements() if any(getattr(m, element) for m in mentions)))
    found = consistency(*mentions, given=wanted).doubts(mentions, source_time, ())
    return [(each.rule, each.role, each.element) for each in found if each.rule != "missing_key_element"]


@pytest.mark.parametrize(
    ("elements", "source_time", "expected"),
    [
        ({"birth_date": day("1990-01-02"), "death_date": day("1990-01-01")}, 0, ["death_before_birth"]),
        ({"birth_date": day("1990-01-01"), "death_date": day("1990-01-01")}, 0, []),
        ({"birth_date": day("1850-01-01"), "death_date": day("1990-01-01")}, 0, ["implausible_age"]),
        ({"birth_date": day("2024-01-03")}, day("2024-01-01") * 86_400_000_000, ["birth_after_record"]),
        ({"birth_date": day("2024-01-02")}, day("2024-01-01") * 86_400_000_000, []),
        ({"birth_date": day("2999-01-02")}, 0, []),
        ({"id_number": MAN, "birth_month": "196001"}, 0, []),
        ({"id_number": MAN, "birth_month": "196002"}, 0, ["contradicts_id_number"]),
        ({"id_number": "E12345678", "birth_month": "196002"}, 0, []),
        ({}, 0, []),
    ],
)
def test_one_person(elements: dict[str, Any], source_time: int, expected: list[str]) -> None:
    assert [rule for rule, _, _ in rules(Mention("self", **elements), source_time=source_time)] == expected


@pytest.mark.parametrize(
    ("mentions", "expected"),
    [
        ((Mention("husband", id_number=MAN), Mention("wife", id_number=WOMAN)), []),
        (
            (Mention("husband", id_number=MAN), Mention("wife", id_number=MAN)),
            [("spouse_is_self", "husband", "id_number"), ("spouses_of_one_sex", "husband", "sex")],
        ),
        (
            (
                Mention("self", name="张三", birth_date=1, sex="1"),
                Mention("spouse", name="张三", birth_date=1, sex="2"),
            ),
            [("spouse_is_self", "self", "id_number")],
        ),
        (
            (Mention("baby", id_number=WOMAN), Mention("mother", id_number=WOMAN)),
            [("number_of_parent", "baby", "id_number")],
        ),
        (
            (Mention("baby", birth_date=day("1970-01-01")), Mention("mother", id_number=WOMAN)),
            [("parent_too_young", "baby", "birth_date")],
        ),
        (
            (Mention("baby", birth_date=day("2024-01-01")), Mention("mother", id_number=WOMAN)),
            [("mother_too_old", "baby", "birth_date")],
        ),
        ((Mention("baby", birth_date=day("2000-01-01")), Mention("father", id_number=MAN)), []),
        (
            (Mention("self", id_number=MAN, kin=(Kin("mother", "李四", MAN),)),),
            [("number_of_parent", "self", "id_number")],
        ),
        (
            (Mention("self", id_number=MAN, kin=(Kin("child", "李四", MAN),)),),
            [("number_of_child", "self", "id_number")],
        ),
        (
            (Mention("self", id_number=MAN, kin=(Kin("child", "李四", birth_date=day("1965-01-01")),)),),
            [("child_too_old", "self", "birth_date")],
        ),
        ((Mention("self", id_number=MAN, kin=(Kin("child", "李四", birth_date=day("1985-01-01")),)),), []),
        # A contact may be the person.
        ((Mention("self", id_number=MAN, kin=(Kin("contact", "李四", MAN),)),), []),
        ((Mention("landlord", id_number=MAN), Mention("tenant", id_number=MAN)), []),
    ],
)
def test_related_persons(mentions: tuple[Mention, ...], expected: list[tuple[str, str, str]]) -> None:
    assert rules(*mentions) == expected


def test_a_key_element_is_missing_unless_it_was_refused_or_not_sent() -> None:
    mention = Mention("self", name="张三", sex="1", unchanged=("birth_date",))
    asked = consistency(mention, given=PERSON_ELEMENTS)
    assert [(found.rule, found.element) for found in asked.doubts((mention,), 0, ())] == [
        ("missing_key_element", "id_number")
    ]
    refused = Finding("id_number", "id_checksum", "error", "1", "self", 0)
    assert asked.doubts((mention,), 0, (refused,)) == ()
    assert consistency(mention, given=("name",)).doubts((mention,), 0, ()) == ()


def test_the_original_of_a_doubt_is_the_value() -> None:
    mention = Mention("self", birth_date=day("1990-01-02"), death_date=0)
    (found,) = consistency(mention, given=("birth_date", "death_date")).doubts((mention,), 0, ())
    assert (found.original, found.severity) == ("1970-01-01", "error")


def test_a_rule_whose_elements_a_feed_does_not_give_is_not_asked() -> None:
    mention = Mention("self", birth_date=day("1990-01-02"), death_date=0)
    assert consistency(mention, given=("birth_date",)).doubts((mention,), 0, ()) == ()
    assert consistency(mention).doubts((Mention("other", birth_date=1),), 0, ()) == ()


def test_rules_name_what_there_is() -> None:
    related = [rule for each in relation_rules().values() for rule in each]
    named = {(rule.rule, rule.element) for rule in person_rules()} | {
        (rule.rule, rule.element) for rule in related
    }
    for rule, element in named:
        assert rule in finding_rules()
        assert element in elements()
    assert set(relation_rules()) <= set(Relation)
    assert set(role_relations().values()) <= set(Relation)
    assert key_elements() == ("name", "id_number", "sex", "birth_date")


PERSONS = st.builds(
    Mention,
    st.sampled_from(("self", "husband", "wife", "baby", "mother", "father", "spouse")),
    id_number=st.none() | st.sampled_from((MAN, WOMAN, "x")),
    name=st.none() | st.text(max_size=2),
    sex=st.none() | st.sampled_from("12"),
    birth_date=st.none() | st.integers(-62_000, 84_000),
    death_date=st.none() | st.integers(-62_000, 84_000),
    kin=st.lists(
        st.builds(Kin, st.sampled_from(Relation), id_number=st.none() | st.just(MAN)), max_size=2
    ).map(tuple),
)


@given(st.lists(PERSONS, max_size=4), st.integers(0, 2**52))
def test_any_record_can_be_asked(mentions: list[Mention], source_time: int) -> None:
    for found in consistency(*mentions, given=PERSON_ELEMENTS).doubts(mentions, source_time, ()):
        assert found.rule in finding_rules()
