"""The data-element standard: nothing in a schema is without its meaning, its level and its masking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avro import catalogue
from avro.codes import code_list
from avro.elements import element_of, elements, type_of
from avro.errors import SchemaError
from avro.normalize import finding_rules
from avro.quality import thresholds
from avro.record import PERSON_ELEMENTS
from avro.schema import SCHEMA_FOLDER, record_schema, shared_type

FEED_SCHEMAS = sorted(SCHEMA_FOLDER.glob("*/*.avsc"))


def fields(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["fields"]
    return found


@pytest.mark.parametrize("path", FEED_SCHEMAS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_field_of_a_feed_is_an_element_with_a_title_in_both_languages(path: Path) -> None:
    for field in fields(path):
        element_of(field)
        english, _, chinese = field["doc"].partition(" / ")
        assert english.isascii(), field["name"]
        assert not chinese.isascii(), field["name"]
        assert field["default"] == ([] if type_of(field) == "strings" else None), field["name"]
    record_schema(f"{path.parent.name}.{path.stem}")


@pytest.mark.parametrize("name", ["Mention", "Person"])
def test_a_persons_elements_are_the_standards(name: str) -> None:
    described = {field["name"]: field for field in shared_type(name)["fields"] if "element" in field}
    assert tuple(described) == PERSON_ELEMENTS
    for element, field in described.items():
        assert element_of(field).name == element


def test_every_element_is_described() -> None:
    for element in elements().values():  # loading refuses an empty attribute
        assert 1 <= element.level <= 4
        assert not element.zh.isascii()
        assert element.en.isascii()
        if element.level == 4:
            assert element.masking != "none", element.name
        if element.codes is not None:
            assert element.example in element.codes, element.name


def test_every_element_has_a_use() -> None:
    used = {field["element"] for path in FEED_SCHEMAS for field in fields(path)} | set(PERSON_ELEMENTS)
    assert elements().keys() == used


def test_every_finding_rule_has_both_texts() -> None:
    for rule in finding_rules().values():
        assert rule.en.isascii()
        assert not rule.zh.isascii()


def test_the_catalogue_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "elements.md"
    assert page.read_text(encoding="utf-8") == catalogue.page(), "write it again: make catalogue"


def test_the_catalogue_has_every_element_code_and_rule() -> None:
    page = catalogue.page()
    for element in elements().values():
        assert f"### {element.name}\n**{element.zh} / {element.en}.**" in page
        assert element.codes is None or f"### codes {element.codes.name}\n" in page
    for rule in finding_rules():
        assert f"\n| {rule} | " in page


def test_thresholds_are_the_source_documents() -> None:
    assert {code: (each.comparison, each.limit) for code, each in thresholds().items()} == {
        "missing_key_fields": ("at_most", 0.01),
        "id_checks": ("at_least", 0.99),
        "duplicates": ("at_most", 0.05),
        "timeliness": ("at_most", 7 * 86_400),
    }
    for threshold in thresholds().values():
        assert threshold.en.isascii()
        assert not threshold.zh.isascii()
        assert set(threshold.elements) <= elements().keys()
    assert thresholds()["id_checks"].is_kept(0.99)
    assert not thresholds()["id_checks"].is_kept(0.98)
    assert thresholds()["duplicates"].is_kept(0.05)
    assert not thresholds()["duplicates"].is_kept(0.06)


def test_a_field_without_an_element_is_refused() -> None:
    with pytest.raises(SchemaError, match="'element' is missing"):
        element_of({"name": "x", "type": ["null", "string"]})
    with pytest.raises(SchemaError, match="not that of element birth_date"):
        element_of({"name": "x", "type": ["null", "string"], "element": "birth_date"})


def test_an_unknown_list_is_refused() -> None:
    with pytest.raises(SchemaError, match="nowhere"):
        code_list("nowhere")
