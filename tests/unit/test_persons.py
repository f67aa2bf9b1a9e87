"""Persons other than the one whom a column is about: mothers of the unnamed, people in JSON, numbers in numbers."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from avro.normalize import finding_rules
from avro.normalize.name import normalize_mothers_name
from avro.normalize.persons import persons_reader
from avro.normalize.phone import normalize_phones
from avro.normalize.resident_id import check_character, inner_resident_id
from avro.record import Kin

BODY = "39010219850312123"
VALID = BODY + check_character(BODY)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("xm", "gx", "z")), inner),
    max_leaves=8,
)


def test_of_several_phones_the_first_that_is_one() -> None:
    assert normalize_phones(["无", None, "x", "13900000001", "13900000002"]) == (
        "13900000001",
        ("malformed_phone",),
    )
    assert normalize_phones([]) == normalize_phones(None) == normalize_phones([None, ""]) == (None, ())
    assert normalize_phones([7]) == (None, ("malformed_phone",))


def test_a_newborns_stand_in_names_the_mother() -> None:
    assert normalize_mothers_name("李秀英之子") == ("李秀英", ())
    assert normalize_mothers_name("古丽·买买提之女2") == ("古丽·买买提", ())
    for other in ("李秀英", "张某之子", "之子", "", None):
        assert normalize_mothers_name(other) == (None, ())


def test_a_resident_id_within_a_longer_number() -> None:
    student, certificate = inner_resident_id("G"), inner_resident_id("")
    assert student(f"G{VALID}") == (VALID, ())
    assert certificate(f"{VALID}34B1") == (VALID, ())
    for other in (f"L{VALID}", VALID, f"G{VALID[:-1]}", "", None):
        assert student(other) == (None, ())


def test_persons_in_json() -> None:
    read = persons_reader({"name": "xm", "id_number": "z.hm"}, "kin", "gx", {"配偶": "spouse"})
    text = (
        f'[{{"xm":"李 四","z":{{"hm":"{VALID}"}},"gx":"配偶"}},{{"xm":"王五","gx":"邻居"}},{{"gx":"配偶"}}]'
    )
    assert read(text) == ((Kin("spouse", "李四", VALID), Kin("kin", "王五")), (("unknown_code", "邻居"),))
    assert read("null") == read("[]") == ((), ())
    assert read('[{"xm":"不详"}]') == ((), (("placeholder", "不详"),))
    for broken in ("{", "7", '{"xm":"王五"}'):
        assert read(broken) == ((), (("unreadable_json", broken),))
    assert read('[{"xm":["王五"]}]') == ((), (("unreadable_json", '{"xm":["王五"]}'),))
    assert read("[" * 100_000) == ((), (("unreadable_json", "[" * 100_000),))


@given(st.text() | JSON.map(lambda value: json.dumps(value, ensure_ascii=False)))
def test_no_text_breaks_the_reader(text: str) -> None:
    read = persons_reader({"name": "xm", "id_number": "z.xm", "birth_date": "z.gx"}, "kin", "gx", {})
    persons, broken = read(text)
    assert all(kin.name or kin.id_number or kin.birth_date is not None for kin in persons)
    assert {rule for rule, _ in broken} <= finding_rules().keys()
