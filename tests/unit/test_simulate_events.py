"""What Debezium would write, as the register's conventions have it, and the truth that belongs to it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import TerminalError
from connectors.simulate import PROFILES, Population, write_events
from connectors.simulate.capture import NEW_KEY, OLD_KEY, UNAVAILABLE, topic_of
from connectors.simulate.events import CHANGES, PERSONS, SNAPSHOT, TRUTH, Written
from connectors.simulate.tables import BIRTH_CERTIFICATE, FILES, HJ_RYJBXX, LDRK_JZZ, TABLES

PEOPLE = 200
TRANSACTIONS = 1200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    write_events(folder / "a", Population(9, PEOPLE), TRANSACTIONS)
    return folder / "a"


@pytest.fixture(scope="module")
def snapshot(folder: Path) -> list[dict[str, Any]]:
    return read(folder / SNAPSHOT)


@pytest.fixture(scope="module")
def changes(folder: Path) -> list[dict[str, Any]]:
    return read(folder / CHANGES)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def payload(event: dict[str, Any]) -> Any:
    return None if event["payload"] is None else json.loads(event["payload"])


def test_every_type_has_its_topic_and_offsets_count(
    snapshot: list[dict[str, Any]], changes: list[dict[str, Any]]
) -> None:
    topics = Counter(event["topic"] for event in snapshot)
    assert set(topics) <= {topic_of(table) for table in (*TABLES, *FILES)}
    assert len(topics) >= 30  # an adoption is seldom
    next_offset: Counter[str] = Counter()
    for event in (*snapshot, *changes):
        assert event["offset"] == next_offset[event["topic"]]
        next_offset[event["topic"]] += 1


def test_values_are_as_debezium_writes_them(snapshot: list[dict[str, Any]]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for event in snapshot:
        if event["topic"].startswith("cdc."):
            value = payload(event)
            assert (value["op"], value["before"]) == ("r", None)
            assert value["source"]["name"] == f"cdc.{value['source']['db']}"
            rows.setdefault(value["source"]["table"], []).append(value["after"])
    person = rows["hj_ryjbxx"][0]
    assert list(person)[:4] == ["RYNBID", "HH", "YHZGX", "GMSFHM"]
    assert {len(row["GMSFHM"]) for row in rows["hj_ryjbxx"] if row["GMSFHM"] is not None} == {18}
    assert any(row["GMSFHM"].endswith("   ") for row in rows["hj_ryjbxx"] if row["GMSFHM"])
    insured = rows["ac01"][0]
    assert isinstance(insured["aac001"], str)
    assert isinstance(insured["aae036"], int)
    assert any(isinstance(row["aae140"], list) for row in rows["ac01"])
    certificate = rows["birth_certificate"][0]
    assert certificate["birth_time"].endswith("Z")
    assert isinstance(certificate["birth_weight_g"], int | None)
    assert {type(row["mother_birth_date"]) for row in rows["birth_certificate"]} <= {int, type(None)}
    stay = rows["ldrk_jzz"][0]
    assert stay["cjsj"] > 10**15  # microseconds: a timestamp without precision has six digits
    assert -30_000 < stay["djrq"] < 30_000
    assert rows["jsr_jszxx"][0]["gxsj"] < 10**13  # milliseconds: precision 0
    pupil = rows["xs_xjxx"][0]
    assert pupil["gxsj"] < 10**13
    assert isinstance(pupil["sf_zx"], int)
    assert rows["setl_d"][0]["setl_time"] > 10**15
    assert rows["js_jsxx"][0]["gxsj"].endswith("Z")
    assert rows["zlba"][0]["zlqx"].startswith("[")
    assert any(row["zp"] for row in rows["ldrk_jzz"]) or len(rows["ldrk_jzz"]) < 100


def test_changes_carry_what_their_table_has_before_them(changes: list[dict[str, Any]]) -> None:
    full = {table.name for table in TABLES if table.is_full}
    assert {LDRK_JZZ.name, BIRTH_CERTIFICATE.name} <= full
    assert HJ_RYJBXX.name not in full
    seen: Counter[tuple[str, bool]] = Counter()
    for event in changes:
        value = payload(event)
        if value is None or not event["topic"].startswith("cdc."):
            continue
        table, op, before = value["source"]["table"], value["op"], value["before"]
        seen[op, table in full] += 1
        if op == "u":
            assert (before is not None) == (table in full)
        elif op == "c":
            assert before is None
        else:
            assert op == "d"
            assert value["after"] is None
            assert all(before[name] == key for name, key in json.loads(event["key"]).items())
            if table not in full:
                key = json.loads(event["key"])
                assert all(
                    not before[name] or before[name] == "1970-01-01T00:00:00Z" or before[name] == "0"
                    for name in before
                    if name not in key
                )
    assert all(seen[op, is_full] for op in "cu" for is_full in (True, False))
    assert seen["d", True] + seen["d", False] > 5


def test_deletes_and_changed_keys(changes: list[dict[str, Any]]) -> None:
    renamed = 0
    for event, following, third in zip(changes, changes[1:], changes[2:], strict=False):
        value = payload(event)
        if value is None or not event["topic"].startswith("cdc.") or value["op"] != "d":
            continue
        assert (following["topic"], following["key"], following["payload"]) == (
            event["topic"],
            event["key"],
            None,
        )
        if "headers" in event:
            renamed += 1
            assert event["headers"] == [NEW_KEY, third["key"]]
            assert third["headers"] == [OLD_KEY, event["key"]]
            assert payload(third)["op"] == "c"
            assert payload(third)["source"]["lsn" if "lsn" in value["source"] else "pos"] == (
                value["source"].get("lsn") or value["source"]["pos"]
            )
    assert renamed > 10


def test_long_values_that_did_not_change_are_not_sent(changes: list[dict[str, Any]]) -> None:
    hidden = [
        event
        for event in changes
        if (value := payload(event))
        and event["topic"].startswith("cdc.")
        and value["op"] == "u"
        and UNAVAILABLE in value["after"].values()
    ]
    assert {event["topic"].rsplit(".", 1)[-1] for event in hidden} >= {"hj_ryjbxx", "health_record"}


def test_interleaved_transactions_are_out_of_order_in_the_log(changes: list[dict[str, Any]]) -> None:
    last: dict[str, int] = {}
    backwards = 0
    for event in changes:
        value = payload(event)
        if value and "source" in value and "lsn" in value["source"]:
            department, lsn = value["source"]["db"], value["source"]["lsn"]
            backwards += lsn < last.get(department, 0)
            last[department] = lsn
    assert backwards > 5


def test_the_truth_is_of_the_rows_that_are_left(
    folder: Path, snapshot: list[dict[str, Any]], changes: list[dict[str, Any]]
) -> None:
    left: dict[tuple[str, str], Any] = {}
    for event in (*snapshot, *changes):
        place, value = (event["topic"], event["key"]), payload(event)
        is_gone = value is None or value.get("op") in ("d", "D")
        if is_gone:
            left.pop(place, None)
        else:
            left[place] = value
    tables = {table.id: topic_of(table) for table in (*TABLES, *FILES)}
    truth = read(folder / TRUTH)
    told = {(tables[f"{line['department']}.{line['table']}"], line["key"]) for line in truth}
    nobody = {place for place, value in left.items() if value.get("after", {}).get("kind") == "toll"}
    assert told == left.keys() - nobody
    assert len({(line["table"], line["key"], line["role"], line["ordinal"]) for line in truth}) == len(truth)
    persons = {line["person"] for line in read(folder / PERSONS)}
    assert {line["person"] for line in truth} <= persons
    assert {group for line in truth for group in line["subgroups"]} >= {
        "child",
        "migrant",
        "missing_number",
        "renamed",
    }


def test_the_same_seed_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_events(tmp_path / "b", Population(9, PEOPLE), 100)
    assert (tmp_path / "b" / SNAPSHOT).read_bytes() == (folder / SNAPSHOT).read_bytes()
    ours = (tmp_path / "b" / CHANGES).read_bytes()
    assert (folder / CHANGES).read_bytes().startswith(ours)
    with pytest.raises(TerminalError, match="empty folder"):
        write_events(tmp_path / "b", Population(9, PEOPLE), 100)


def test_hostile_clerks(tmp_path: Path, snapshot: list[dict[str, Any]]) -> None:
    reports: list[Written] = []
    write_events(tmp_path, Population(9, PEOPLE, profile=PROFILES["hostile"]), 0, reports.append)
    hostile = read(tmp_path / SNAPSHOT)
    assert reports[-1].mentions == len(read(tmp_path / TRUTH))

    def placeholders(events: list[dict[str, Any]]) -> float:
        health = [payload(event)["after"] for event in events if event["topic"].endswith("health_record")]
        return float(np.mean([row["birth_date"] == 0 for row in health]))

    assert placeholders(snapshot) == 0
    assert 0.01 < placeholders(hostile) < 0.12
