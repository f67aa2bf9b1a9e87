"""Feeds: renkou's own, made-up ones, and what is wrong with wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from avro.change import Change, Op, Place
from avro.normalize.resident_id import check_character
from avro.record import PERSON_ELEMENTS, Finding, Kin, Mention
from connectors.errors import FeedError, FeedMismatchError
from connectors.feeds import FEED_FOLDER, Catalog, Feed, Normalized
from connectors.feeds.source_check import LiveColumn, differences
from streams.cli.app import build

CATALOG = Catalog.load()
ID = "39010219850312123" + check_character("39010219850312123")

PERSON: dict[str, Any] = {
    **dict.fromkeys(CATALOG.by_id("police.hj_ryjbxx").columns),
    "RYNBID": 42, "HH": "390102000001", "GMSFHM": ID, "XM": "王建国", "XB": "1", "MZ": "01", "CSRQ": "19850312",
    "HYZK": "20", "RYZT": "0", "GXSJ": "20240115093000", "BZ": "x" * 3000,
}  # fmt: skip
CERTIFICATE: dict[str, Any] = {
    **dict.fromkeys(CATALOG.by_id("health.birth_certificate").columns),
    "cert_no": "A390000001", "baby_name": "李秀英之子", "baby_sex": "M", "birth_time": "2024-01-14T16:05:00Z",
    "plurality": 1, "birth_order": 1, "mother_name": "李秀英", "mother_id_type": "passport",
    "mother_id_no": "Ｅ１２３４５６７８", "status": "issued",
    "issued_at": "2024-01-16T01:00:00Z", "updated_at": "2024-01-16T01:00:00Z",
}  # fmt: skip


def change(feed: Feed, after: dict[str, Any] | None, op: Op = Op.UPDATE, **fields: Any) -> Change:
    row = after or {}
    key = json.dumps(
        {name: row.get(name, "k") for name in feed.key}, separators=(",", ":"), ensure_ascii=False
    )
    return Change(
        **{
            "place": Place(feed.topic, 0, 1), "department": feed.department, "schema": feed.schema, "table": feed.table,
            "op": op, "key": key, "version": 9,
            "source_time": 2_000_000_000_000_000, "captured_time": 6, "after": after, **fields,
        }
    )  # fmt: skip


def normalize(feed: str, row: dict[str, Any], **fields: Any) -> Normalized:
    found = CATALOG.by_id(feed)
    return found.normalize(change(found, row, **fields))


def test_the_catalogue_names_its_feeds() -> None:
    assert len(CATALOG.feeds) == len({feed.id for feed in CATALOG.feeds}) == 32
    assert len(CATALOG.departments) == 12
    feed = CATALOG.by_topic("cdc.police.public.hj_hjxx")
    assert feed is not None
    assert (feed.id, feed.store_table, feed.key) == ("police.hj_hjxx", "police_hj_hjxx", ("HH",))
    assert dict(CATALOG.by_id("health.birth_certificate").roles) == {"baby": 1, "mother": 1, "father": 1}
    assert CATALOG.by_topic("cdc.police.public.other") is None
    assert CATALOG.department("hrss").generation == 1
    with pytest.raises(FeedError, match="feeds list"):
        CATALOG.by_id("police.nothing")


def test_authority_names_every_feed_that_gives_an_element_once() -> None:
    authority = CATALOG.authority()
    assert tuple(authority) == PERSON_ELEMENTS
    assert authority["certificate_number"][0] == "health.birth_certificate"
    assert authority["name"][0] == "police.hj_ryjbxx"
    assert authority["death_date"][0] == "health.death_certificate"
    assert len(authority["name"]) == len(set(authority["name"])) == 32
    assert "housing.fw_qlr" not in authority["marital_status"], "a title says nothing of it"


def test_a_row_becomes_a_record_with_its_person() -> None:
    found = normalize("police.hj_ryjbxx", PERSON, version=77)
    assert found.record.key == '{"RYNBID":42}'
    assert (found.record.version, found.record.is_deleted, found.record.findings) == (77, False, ())
    assert found.record.mentions == (
        Mention(
            "self",
            name="王建国",
            id_type="111",
            id_number=ID,
            sex="1",
            birth_date=5549,
            ethnicity="01",
            marital_status="20",
            household="police|390102000001",
            ties=("police.person_file|42",),
        ),
    )
    assert json.loads(found.raw or "") == PERSON
    assert found.elements["record_number"] == "42"
    assert found.elements["remark"] == "x" * 3000


@pytest.mark.parametrize("feed", CATALOG.feeds, ids=lambda feed: feed.id)
def test_records_fit_their_schema(feed: Feed) -> None:
    rows = {"police.hj_ryjbxx": PERSON, "health.birth_certificate": CERTIFICATE}
    row = rows.get(feed.id, {**dict.fromkeys(feed.columns), **dict.fromkeys(feed.key)})
    for normalized in (feed.normalize(change(feed, row)), feed.normalize(change(feed, None, Op.DELETE))):
        datum = feed.codec.encode(normalized.record, normalized.raw, normalized.elements)
        assert feed.codec.decode(datum) == (normalized.record, normalized.raw, normalized.elements)


def test_a_birth_certificate_mentions_those_who_are_known() -> None:
    found = normalize("health.birth_certificate", CERTIFICATE)
    baby, mother = found.record.mentions
    assert baby == Mention(
        "baby",
        sex="1",
        birth_date=19737,
        certificate_number="A390000001",
        ties=("health.birth_certificate|A390000001",),
        kin=(Kin("mother", "李秀英", "E12345678"),),
    )
    assert mother.kin == (Kin("child", None, None, None, 19737),)
    assert (mother.role, mother.id_type, mother.id_number) == ("mother", "414", "E12345678")
    assert found.record.findings == (
        Finding("name", "placeholder", "warning", "李秀英之子", "baby"),
        Finding("birth_date", "missing_key_element", "warning", None, "mother"),
    )


def test_findings_name_element_role_severity_and_original() -> None:
    row = {**PERSON, "XB": "2", "CSRQ": "19850230", "FQGMSFHM": "123", "HYZK": "55"}
    found = normalize("police.hj_ryjbxx", row)
    assert set(found.record.findings) == {
        Finding("sex", "contradicts_id_number", "warning", "2", "self"),
        Finding("birth_date", "impossible_date", "error", "19850230", "self"),
        Finding("father_id_number", "id_length", "error", "123"),
        Finding("marital_status", "unknown_code", "error", "55", "self"),
    }
    assert found.elements["birth_date"] is None
    assert json.loads(found.raw or "")["CSRQ"] == "19850230"


def test_a_de_facto_marriage_is_no_marriage_and_not_forgotten() -> None:
    feed = CATALOG.by_id("hrss.ac01")
    row = {
        **dict.fromkeys(feed.columns),
        "aac001": "390000000001",
        "aac017": "5",
        "aac006": 0,
        "aae140": ["110", "410"],
    }
    found = normalize("hrss.ac01", row)
    assert found.record.mentions == (Mention("self", ties=("hrss.aac001|390000000001",)),), (
        "the person whom a row is about is there, known or not"
    )
    missing = tuple(
        Finding(element, "missing_key_element", "warning", None, "self")
        for element in ("name", "id_number", "sex", "birth_date")
    )
    assert found.record.findings == (
        Finding("marital_status", "de_facto_marriage", "warning", "5", "self"),
        *missing,
    )
    assert found.elements["insurance_kinds"] == ["110", "410"]


def test_a_delete_has_a_key_and_nothing_else() -> None:
    feed = CATALOG.by_id("police.hj_hjxx")
    found = feed.normalize(change(feed, None, Op.DELETE, next_key='{"HH":"2"}'))
    assert (found.record.is_deleted, found.record.mentions, found.raw) == (True, (), None)
    assert (found.record.key, found.record.next_key) == ('{"HH":"k"}', '{"HH":"2"}')
    assert set(found.elements.values()) == {None}


def test_columns_that_were_not_sent_are_named_and_left_out() -> None:
    row = {name: value for name, value in PERSON.items() if name not in ("BZ", "GMSFHM", "HJDZ")}
    found = normalize("police.hj_ryjbxx", row, unchanged=("BZ", "GMSFHM", "HJDZ", "ZP"))
    assert found.record.unchanged == ("BZ", "GMSFHM", "HJDZ")
    assert found.record.unchanged_elements == ("remark", "id_number", "hukou_address", "hukou_division")
    kept = ("id_number", "hukou_division", "hukou_address", "id_type")
    assert found.record.mentions[0].unchanged == kept
    assert found.record.mentions[0].id_number is None
    assert json.loads(found.raw or "") == row


def test_a_person_of_whom_only_unsent_columns_may_tell_is_kept() -> None:
    row = {name: value for name, value in CERTIFICATE.items() if name != "father_name"}
    roles = [
        mention.role
        for mention in normalize("health.birth_certificate", row, unchanged=("father_name",)).record.mentions
    ]
    assert roles == ["baby", "mother", "father"]


def test_evidence_is_kept_while_a_column_of_it_was_not_sent() -> None:
    row = {**PERSON, "FQXM": "王大山", "MQXM": "李秀英", "JHRXM": None}
    assert normalize("police.hj_ryjbxx", row).record.mentions[0].kin == (
        Kin("father", "王大山"),
        Kin("mother", "李秀英"),
    )
    del row["MQXM"], row["HH"]
    kept = normalize("police.hj_ryjbxx", row, unchanged=("MQXM", "HH")).record.mentions[0]
    assert kept.unchanged == ("household", "kin")
    assert kept.household is None
    nobody = {name: value for name, value in CERTIFICATE.items() if name != "baby_name"}
    roles = [
        m.role
        for m in normalize("health.birth_certificate", nobody, unchanged=("baby_name",)).record.mentions
    ]
    assert roles == ["baby", "mother"], "a father is not there because his child's name was not sent"


def test_columns_that_nobody_named_are_dropped_and_reported() -> None:
    feed = Catalog.load().by_id("police.hj_ryjbxx")
    found = feed.normalize(change(feed, {**PERSON, "NEW": "x", "ZP": "photo"}))
    assert feed.unknown_columns == {"NEW"}, "ZP is excluded, hence known"
    assert json.loads(found.raw or "") == PERSON


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("missing_column", {name: value for name, value in PERSON.items() if name != "XM"}),
        ("wrong_type", {**PERSON, "XM": 7}),
        ("wrong_type", {**PERSON, "RYNBID": "42"}),
        ("wrong_type", {**PERSON, "RYNBID": True}),
    ],
)
def test_a_row_that_does_not_fit_is_no_record(rule: str, row: dict[str, Any]) -> None:
    with pytest.raises(FeedMismatchError) as caught:
        normalize("police.hj_ryjbxx", row)
    assert caught.value.rule == rule
    assert "王建国" not in str(caught.value)


@pytest.mark.parametrize("key", ['{"HH":"1"}', '{"RYNBID":1,"HH":"1"}'])
def test_another_key_is_no_record(key: str) -> None:
    with pytest.raises(FeedMismatchError) as caught:
        normalize("police.hj_ryjbxx", PERSON, key=key)
    assert caught.value.rule == "key_mismatch"


SCHEMA = {
    "type": "record", "name": "ships", "namespace": "renkou.harbour", "doc": "Ships / 船",
    "fields": [
        {"name": "record_number", "type": ["null", "string"], "default": None, "element": "record_number",
         "doc": "N / 号"},
        {"name": "captain", "type": ["null", "string"], "default": None, "element": "name", "doc": "C / 船长"},
        {"name": "papers", "type": ["null", "string"], "default": None, "element": "id_number", "doc": "P / 证"},
        {"name": "launched", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None,
         "element": "date", "doc": "L / 下水"},
    ],
}  # fmt: skip
FEED = """\
department: harbour
title: {zh: 港务, en: Harbour}
source: {kind: postgresql, schema: port, generation: 4}
feeds:
  - type: ships
    table: SHIPS
    title: {zh: 船, en: Ships}
    key: [no, year]
    freshness: 60
    retention: 10 years
    authority: {default: 70}
    columns:
      no: {field: record_number, rule: serial}
      captain: {field: captain, rule: name}
      id: {field: papers, rule: resident_id}
      year: {field: launched, rule: days}
    mentions:
      - role: captain
        elements: {name: captain, id_number: papers}
"""


def harbour(folder: Path, text: str = FEED) -> Path:
    (folder / "schemas" / "harbour").mkdir(parents=True, exist_ok=True)
    (folder / "schemas" / "harbour" / "ships.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    path = folder / "harbour.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_table_needs_a_feed_file_and_a_schema_only(tmp_path: Path) -> None:
    harbour(tmp_path)
    for catalog in (Catalog.load(tmp_path, tmp_path / "schemas"), Catalog.load(tmp_path)):
        feed = catalog.by_topic("cdc.harbour.port.SHIPS")
        assert feed is not None
        assert (feed.id, feed.store_table, feed.generation) == ("harbour.ships", "harbour_ships", 4)
        row = {"no": 7, "captain": "李 四", "id": ID, "year": 100}
        found = feed.normalize(change(feed, row, Op.CREATE))
        assert found.record.mentions == (Mention("captain", name="李四", id_type="111", id_number=ID),)
        assert found.elements == {"record_number": "7", "captain": "李四", "papers": ID, "launched": 100}
        assert (
            feed.codec.decode(feed.codec.encode(found.record, found.raw, found.elements))[2] == found.elements
        )
        nobody = feed.normalize(change(feed, {"no": 7, "captain": None, "id": None, "year": None}))
        assert nobody.record.mentions == ()


WRONG = [
    ("title: {zh: 港务, en: Harbour}", "", 1, "'title' is missing"),
    ("kind: postgresql", "kind: oracle", 3, "no kind of source"),
    ("generation: 4", "generation: four", 3, "whole number"),
    ("schema: port", "schema: port, shema: x", 3, "'shema' is not known here"),
    ("type: ships", "type: Ships", 5, "lower-case"),
    ("type: ships", "type: boats", 5, "no such schema"),
    ("key: [no, year]", "key: [no, other]", 8, "key column 'other'"),
    ("key: [no, year]", "key: []", 8, "primary key is wanted"),
    ("key: [no, year]", "key: [no, no]", 8, "twice"),
    ("freshness: 60", "freshness: soon", 9, "whole number"),
    ("retention: 10 years", "retention: a while", 10, "'permanent'"),
    ("{default: 70}", "{name: 70}", 11, "'default' is missing"),
    ("{default: 70}", "{default: 70, nose: 1}", 11, "no element of a person"),
    ("rule: serial", "rule: cereal", 13, "there is no rule 'cereal'"),
    ("rule: serial", "rule: integer", 13, "gives long"),
    ("rule: serial", "rule: serial, list: sex", 13, "no parameter 'list'"),
    ("field: captain, rule: name", "field: skipper, rule: name", 14, "not in the feed's Avro schema"),
    ("field: captain, rule: name", "field: papers, rule: name", 15, "filled here and in line 14"),
    ("rule: name", "rule: name, newborn: perhaps", 14, "true or false"),
    ("rule: name", "rule: code, list: sex", 14, "not that of element 'name'"),
    ("rule: name", "rule: damaged_name", 14, "is silent about"),
    ("rule: name", "rule: code", 14, "wants the parameter 'list'"),
    ("rule: resident_id", "rule: document_number, document: nothing", 15, "no field that a plain rule fills"),
    ("      id: {field: papers, rule: resident_id}\n", "", 5, "no column fills field 'papers'"),
    ("      id: {", "      no: {", 15, "'no' stands here and in line 13"),
    ("{name: captain,", "{nose: captain,", 19, "no element of a person"),
    ("{name: captain,", "{phone: captain,", 18, "whose element is 'name'"),
    ("papers}\n", "papers}\n        ties: {A: papers}\n", 20, "a kind of number"),
    ("papers}\n", "papers}\n        ties: {a: launched}\n", 18, "a text is wanted"),
    ("papers}\n", "papers}\n        household: papers\n", 18, "household_number is wanted"),
    ("papers}\n", "papers}\n        kin: [{relation: cousin, name: captain}]\n", 20, "no relation"),
    ("papers}\n", "papers}\n        kin: [{relation: kin}]\n", 20, "at least one of name"),
    (
        "papers}\n",
        "papers}\n        kin: [{relation: kin, name: papers}]\n",
        20,
        "former_name or name is wanted",
    ),
    ("rule: name}", "rule: name, when: {other: x}}", 14, "'other' is not among the feed's columns"),
    ("rule: name}", "rule: name, when: {id: a, no: b}}", 14, "one column with the values"),
    ("rule: serial", "rule: serial, part: {by: x, number: 1, of: 2}", 13, "read a part"),
    ("rule: name}", "rule: name, part: {by: x, number: 3, of: 2}}", 14, "from 1 to 2"),
    ("papers}\n", "papers}\n        needs: [phone]\n", 20, "not among the elements"),
    (
        "papers}\n",
        "papers}\n        kin: [{each: launched, relation: kin, name: xm}]\n",
        20,
        "a text is wanted",
    ),
    (
        "papers}\n",
        "papers}\n        kin: [{relation: {field: papers, otherwise: kin}, name: captain}]\n",
        20,
        "kin_relation is wanted",
    ),
    ("papers}\n", "papers}\n        other_names: [nothing]\n", 18, "not in the feed's Avro schema"),
    ("    mentions:", "    excluded: {no: x}\n    mentions:", 17, "named above and excluded"),
    ("    mentions:", "  mentions: [", 17, "not YAML"),
]


@pytest.mark.parametrize(("old", "new", "line", "text"), WRONG)
def test_what_is_wrong_is_said_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, text: str
) -> None:
    assert FEED.count(old) >= 1
    path = harbour(tmp_path, FEED.replace(old, new, 1))
    with pytest.raises(FeedError) as caught:
        Catalog.load(tmp_path)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert text in str(caught.value)


def test_codes_and_findings_of_a_map_must_exist(tmp_path: Path) -> None:
    text = (FEED_FOLDER / "hrss.yaml").read_text(encoding="utf-8")
    for old, new, message in (
        ('"1": "10"', '"1": "11"', "'11', which is not in code list marital_status"),
        ("de_facto_marriage}", "common_law}", "no rule 'common_law'"),
        ('findings: {"5"', 'findings: {"7"', "'7' is not in map"),
    ):
        (tmp_path / "hrss.yaml").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(FeedError, match=message):
            Catalog.load(tmp_path)


def test_two_feeds_of_one_table_are_refused(tmp_path: Path) -> None:
    harbour(tmp_path)
    (tmp_path / "second.yaml").write_text(FEED, encoding="utf-8")
    with pytest.raises(FeedError, match="has another file"):
        Catalog.load(tmp_path)


def test_live_tables_are_compared_by_name_type_and_key() -> None:
    feed = CATALOG.by_id("hrss.ac01")
    kinds = {int: "int4", str: "varchar", list: "_text"}
    live = {
        column.name: LiveColumn(column.name, kinds[column.takes], column.takes, None, column.name in feed.key)
        for column in feed.definition.columns
    }
    assert differences(feed, list(live.values())) == []
    live["aac006"] = LiveColumn("aac006", "varchar", str, None, False)
    live["aac002"] = LiveColumn("aac002", "varchar", str, None, True)
    live["aac999"] = LiveColumn("aac999", "varchar", str, None, False)
    del live["aac003"]
    found = [
        (difference.error, difference.text.split(";")[0])
        for difference in differences(feed, list(live.values()))
    ]
    assert found == [
        (True, "the primary key is (aac001, aac002), the feed says (aac001)"),
        (True, "column aac003 is not in the table"),
        (True, "column aac006 is varchar, which the rule date_number does not take"),
        (False, "column aac999 is neither named nor excluded: it is not collected"),
    ]
    assert differences(feed, [])[0].error


def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    app = build()
    assert runner.invoke(app, ["feeds", "check"]).output == "32 feeds of 12 departments are correct\n"
    good = harbour(tmp_path)
    assert runner.invoke(app, ["feeds", "check", str(good)]).exit_code == 0
    bad = harbour(tmp_path, FEED.replace("rule: serial", "rule: cereal"))
    result = runner.invoke(app, ["feeds", "check", str(bad)])
    assert result.exit_code == 1
    assert f"renkou: {bad}:13: there is no rule 'cereal'" in result.output
    listed = json.loads(runner.invoke(app, ["feeds", "list", "--json"]).output)
    assert [feed["feed"] for feed in listed] == [feed.id for feed in CATALOG.feeds]
    shown = json.loads(runner.invoke(app, ["feeds", "show", "police.hj_hjxx", "--json"]).output)
    assert [column["column"] for column in shown["columns"]] == list(CATALOG.by_id("police.hj_hjxx").columns)
    assert runner.invoke(app, ["feeds", "show", "no.thing"]).exit_code == 1
