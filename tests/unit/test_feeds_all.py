"""Each of the 32 data types on a row as its capture has it: whom it mentions, and what is found wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro.change import Change, Op, Place
from avro.record import Mention
from connectors.feeds import Catalog, Normalized
from tests.unit.feed_rows import CASES, GROWN, HERS, LI, OLD, WANG, Case, day, number, said

CATALOG = Catalog.load()


def read(feed_id: str, row: dict[str, Any], unchanged: tuple[str, ...] = ()) -> Normalized:
    """Normalize a row; columns that it leaves out are null."""
    feed = CATALOG.by_id(feed_id)
    after = {**dict.fromkeys((*feed.columns, *feed.definition.excluded)), **row}
    after = {name: value for name, value in after.items() if name not in unchanged}
    key = json.dumps({name: row[name] for name in feed.key}, ensure_ascii=False, separators=(",", ":"))
    place = Place(feed.topic, 0, 1)
    return feed.normalize(
        Change(
            place,
            feed.department,
            feed.schema,
            feed.table,
            Op.CREATE,
            key,
            9,
            2_000_000_000_000_000,
            6,
            after=after,
            unchanged=unchanged,
        )
    )


def changed(feed: str, **columns: Any) -> Normalized:
    """Normalize the feed's example row with other values."""
    return read(feed, {**CASES[feed].row, **columns})


def found(normalized: Normalized) -> frozenset[tuple[str, str, str]]:
    """Return what was found but that a key element is missing, which most of the rows lack one of."""
    findings = normalized.record.findings
    return frozenset(
        (each.role, each.element, each.rule) for each in findings if each.rule != "missing_key_element"
    )


def test_every_feed_has_a_row() -> None:
    assert CASES.keys() == {feed.id for feed in CATALOG.feeds}


@pytest.mark.parametrize(("feed", "case"), CASES.items(), ids=CASES)
def test_a_row_says_whom_it_mentions(feed: str, case: Case) -> None:
    normalized = read(feed, case.row)
    assert normalized.record.mentions == case.mentions
    assert found(normalized) == case.findings
    codec = CATALOG.by_id(feed).codec
    datum = codec.encode(normalized.record, normalized.raw, normalized.elements)
    assert codec.decode(datum) == (normalized.record, normalized.raw, normalized.elements)
    assert CATALOG.by_id(feed).unknown_columns == set(), "a column is neither named nor excluded"
    assert json.loads(normalized.raw or "").keys() == set(CATALOG.by_id(feed).columns)


ROLES = {
    "police.hj_hjxx": ["householder"],
    "health.birth_certificate": ["baby", "mother", "father"],
    "civil.hydj_jh": ["husband", "wife"],
    "civil.hydj_lh": ["husband", "wife"],
    "housing.fw_qlr": ["self", "spouse"],
    "housing.zlba": ["landlord", "tenant"],
    "justice.sygz": ["self", "father", "mother"],
}
CORE = {
    "police.hj_ryjbxx", "police.hj_hjxx", "police.hj_bgxx", "police.ldrk_jzz", "police.sfz_zzxx", "police.hj_swzx",
    "health.birth_certificate", "health.health_record", "health.death_certificate", "hrss.ac01", "civil.hydj_jh",
    "civil.hydj_lh", "edu.xs_xjxx", "medins.psn_info_b", "housing.fw_qlr",
}  # fmt: skip


def test_roles_keys_and_freshness_are_the_registers() -> None:
    for feed in CATALOG.feeds:
        assert list(feed.roles) == ROLES.get(feed.id, ["self"])
        assert set(feed.roles.values()) == {1}
        seconds = 5 if feed.id in CORE else 86_400 if feed.kind == "file" else 60
        assert feed.freshness == (2 if feed.id == "transport.kk_txjl" else seconds), feed.id
    assert {feed.id for feed in CATALOG.feeds if feed.kind == "mariadb"} == {
        "edu.xs_xjxx", "edu.js_jsxx", "medins.psn_info_b", "medins.setl_d",
    }  # fmt: skip
    assert sum(feed.is_captured for feed in CATALOG.feeds) == 27
    assert CATALOG.by_id("edu.xs_xjxx").topic == "cdc.edu.edu.xs_xjxx"
    assert CATALOG.by_id("justice.sqjz").topic == "file.justice.sqjz"


def test_what_a_correction_holds_depends_on_its_kind() -> None:
    """hj_bgxx: one pair of columns for names, numbers, dates, addresses, sex and ethnic group."""
    other = number("39010219850321123")
    corrected = changed("police.hj_bgxx", BGLB="06", BGQNR=other, BGHNR=WANG)
    (person,) = corrected.record.mentions
    assert (person.other_numbers, person.other_names, person.former_name) == ((other,), (), None)
    assert corrected.elements["text_before"] == other
    born = changed("police.hj_bgxx", BGLB="05", BGQNR="19850321", BGHNR="19850312").record.mentions[0]
    assert born.birth_date == day("1985-03-12")
    moved = changed("police.hj_bgxx", BGLB="01", BGQNR="北原省朔门市", BGHNR="江岚省云州市").record.mentions[
        0
    ]
    assert (moved.hukou_address, moved.other_names) == ("江岚省云州市", ())
    assert changed("police.hj_bgxx", BGLB="07", BGQNR="2", BGHNR="1").record.mentions[0].sex == "1"
    assert changed("police.hj_bgxx", BGLB="08", BGQNR="01", BGHNR="05").record.mentions[0].ethnicity == "05"
    assert found(changed("police.hj_bgxx", BGLB="06", BGQNR="123", BGHNR=WANG)) == said(
        ("", "id_number_before", "id_length")
    )


def test_a_title_of_one_owner_mentions_no_spouse() -> None:
    """A declared role that is absent from the row goes from the store as well."""
    one = changed("housing.fw_qlr", qlrmc="王建国", qlrzjh=WANG)
    assert [mention.role for mention in one.record.mentions] == ["self"]
    assert one.record.mentions[0].kin == ()
    three = changed("housing.fw_qlr", qlrmc="王建国、李秀英、王小明", qlrzjh=OLD)
    assert [(m.role, m.name, m.id_number) for m in three.record.mentions] == [
        ("self", "王建国", GROWN),
        ("spouse", "李秀英", None),
    ]
    assert ("spouse", "name", "too_many_parts") in found(three)


def test_a_checkpoint_mentions_nobody_without_a_number() -> None:
    for name in ("王*", "王建国", None, ""):
        event = changed("transport.kk_txjl", xm=name, zjhm="")
        assert event.record.mentions == ()
    assert changed("transport.kk_txjl", xm="王建国").record.mentions == (
        Mention("self", name="王建国", id_type="111", id_number=WANG),
    )
    kept = read("transport.kk_txjl", CASES["transport.kk_txjl"].row, unchanged=("zjhm",)).record.mentions
    assert [mention.unchanged for mention in kept] == [("id_number", "id_type")], (
        "the number may well be there"
    )


def test_the_order_of_birth_is_that_of_twins_only() -> None:
    single = changed("health.birth_certificate", plurality=1)
    assert single.record.mentions[0].birth_order is None
    assert single.elements["birth_order"] == 1


def test_a_newborn_is_insured_under_the_mother() -> None:
    baby = changed("medins.psn_info_b", psn_cert_type="01", certno=f"{LI}1")
    (person,) = baby.record.mentions
    assert (person.id_number, person.certificate_number) == (None, None)
    assert [(kin.relation, kin.name, kin.id_number) for kin in person.kin] == [("mother", "李秀英", LI)]
    assert ("self", "id_number", "id_extra_digit") in found(baby)


def test_a_marriage_says_what_follows_from_its_state() -> None:
    for state, status in (("有效", "20"), ("补发", "20"), ("已离婚", "40"), ("撤销", None)):
        mentions = changed("civil.hydj_jh", zt=state).record.mentions
        assert [mention.marital_status for mention in mentions] == [status, status]


def test_de_facto_marriages_are_null_and_found_in_every_spelling() -> None:
    for feed, column, value in (
        ("hrss.ac01", "aac017", "5"),
        ("hrss.jy_djb", "marriageStatus", "事实婚姻"),
        ("hrss.sy_djb", "hyzk", "5"),
    ):
        normalized = changed(feed, **{column: value})
        assert normalized.record.mentions[0].marital_status is None
        assert ("self", "marital_status", "de_facto_marriage") in found(normalized), feed


def test_broken_json_is_found_and_the_rest_is_read() -> None:
    normalized = changed("tax.zrr_djxx", zxfjkc='[{"gx":"配偶","xm":"林静"},{"gx":"邻居","xm":"周方"},7]')
    (person,) = normalized.record.mentions
    assert [(kin.relation, kin.name) for kin in person.kin] == [("spouse", "林静"), ("kin", "周方")]
    assert {("self", "kin", "unknown_code"), ("self", "kin", "unreadable_json")} <= found(normalized)


def test_persons_in_json_are_kept_while_the_column_was_not_sent() -> None:
    (person,) = read("tax.zrr_djxx", CASES["tax.zrr_djxx"].row, unchanged=("zxfjkc",)).record.mentions
    assert (person.kin, person.unchanged) == ((), ("kin",))


def test_student_numbers_hold_the_id_number_once_it_is_known() -> None:
    """L and a temporary number becomes G and the ID number; the number given may be a parent's."""
    student = changed("edu.xs_xjxx", sfzjh=LI).record.mentions[0]
    assert (student.id_number, student.other_numbers) == (LI, (CASES["edu.xs_xjxx"].row["sfzjh"],))
    assert changed("edu.xs_xjxx", xjh="L" + "3" * 18).record.mentions[0].other_numbers == ()


def test_spouses_name_each_other() -> None:
    husband, wife = read("civil.hydj_lh", CASES["civil.hydj_lh"].row).record.mentions
    assert husband.kin[0].name == wife.name
    assert wife.kin[0].birth_date == husband.birth_date != HERS


def test_what_a_correction_does_not_touch_is_not_missing() -> None:
    rules = {(each.element, each.rule) for each in changed("police.hj_bgxx").record.findings}
    assert rules.isdisjoint({("sex", "missing_key_element"), ("birth_date", "missing_key_element")})
    nameless = changed("police.hj_bgxx", XM=None).record.findings
    assert ("name", "missing_key_element") in {(each.element, each.rule) for each in nameless}
