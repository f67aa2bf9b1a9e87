"""``renkou replay`` of one file with every topic: 27 captured ones and the five of files, in any order."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from connectors.feeds import Catalog, Feed
from tests.unit.feed_rows import CASES, WANG
from tests.unit.test_replay import counted

CATALOG = Catalog.load()
NESTED: Final = frozenset(("hk", "jhr", "cj"))
"""Fields of a JSON delivery that are objects."""


def message(topic: str, offset: int, key: Any, value: Any) -> str:
    def text(part: Any) -> str | None:
        return None if part is None else json.dumps(part, ensure_ascii=False)

    line = {
        "topic": topic,
        "partition": 0,
        "offset": offset,
        "tstype": "create",
        "ts": 1_750_000_000_000,
        "broker": 1,
    }
    return json.dumps({**line, "key": text(key), "payload": text(value)}, ensure_ascii=False)


def source_of(feed: Feed, position: int) -> dict[str, Any]:
    """Return the source block of a change at ``position`` of the database's log."""
    source: dict[str, Any] = {
        "version": "3.6.3.Final", "connector": feed.kind, "name": f"cdc.{feed.department}", "db": feed.department,
        "table": feed.table, "snapshot": "false", "ts_ms": 1_750_000_000_000, "ts_us": 1_750_000_000_000_000,
    }  # fmt: skip
    if feed.kind == "postgresql":
        return {
            **source,
            "schema": feed.schema,
            "lsn": position,
            "sequence": f'["{position - 1}","{position}"]',
        }
    return {**source, "server_id": 1, "file": "binlog.000002", "pos": position, "row": 0, "gtid": "0-1-7"}


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with fields named by their path as the objects that they came from."""
    whole: dict[str, Any] = {}
    for name, value in row.items():
        part, _, field = name.partition(".")
        if field:
            whole.setdefault(part, {})[field] = value
        else:
            whole[name] = value
    return whole


def key_of(feed: Feed, row: dict[str, Any]) -> str:
    """Return the compact JSON object of the key's columns in table order."""
    return json.dumps({name: row[name] for name in feed.key}, ensure_ascii=False, separators=(",", ":"))


def created(feed: Feed, row: dict[str, Any], offset: int) -> str:
    """Return the message of a new row, with all columns of the table or file."""
    names = (*feed.columns, *feed.definition.excluded)
    whole = {**dict.fromkeys(names), **row}
    key = {name: row[name] for name in feed.key}
    if not feed.is_captured:
        bare = nested(whole)
        return message(feed.topic, offset, key, {"op": "A", **bare} if feed.type == "cjr" else bare)
    value = {
        "before": None,
        "after": whole,
        "source": source_of(feed, 1000 + offset),
        "op": "c",
        "ts_ms": 1,
        "ts_us": 1000,
    }
    return message(feed.topic, offset, key, value)


COUNTS: Final = " UNION ALL ".join(
    f"SELECT '{feed.id}' AS feed, toUInt32(count()) AS n FROM {feed.store_table}" for feed in CATALOG.feeds
)
FOUND: Final = f"""
SELECT
    (SELECT groupArray((department || '.' || `table`, key, role, ordinal)) FROM identities) AS identities,
    (SELECT groupArray((feed, n)) FROM ({COUNTS})) AS counts,
    (SELECT any((ties, other_numbers, arrayMap(k -> k.relation, kin))) FROM mentions WHERE department = 'tax') AS tax,
    (SELECT groupArray(ifNull(phone, 'none')) FROM mentions WHERE `table` = 'sqjz') AS phones,
    (SELECT groupArray((topic, rule, error)) FROM dead_letters) AS dead_letters
"""
"""One query, because each costs a process that opens the store."""


def found(data: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "sql", FOUND, "--format", "JSONEachRow", "--data", str(data)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (only,) = done.stdout.splitlines()
    row: dict[str, Any] = json.loads(only)
    return row


def test_every_topic_in_one_file(tmp_path: Path) -> None:
    lines = [
        created(CATALOG.by_id(feed), case.row, offset)
        for offset, (feed, case) in enumerate(CASES.items(), start=1)
    ]
    random.Random(1).shuffle(lines)
    file = CATALOG.by_id("justice.sqjz")
    # Delivered once more without its phone, and gone in the end: a file topic's order is that of its offsets.
    key = {"矫正编号": "SQ2024001"}
    lines.append(message(file.topic, 900, key, {**CASES["justice.sqjz"].row, "联系电话": None}))
    lines.append(
        message("file.disabled.cjr", 901, {"cjrzh": f"{WANG}34B1"}, {"op": "D", "cjrzh": f"{WANG}34B1"})
    )
    lines.append(message("cdc.edu", 7, {"databaseName": "edu"}, {"ddl": "CREATE TABLE x (y int)"}))
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(lines), encoding="utf-8")
    data = tmp_path / "data"
    summary, by_feed = counted(data, str(events))
    stored = found(data)
    wanted = {"read": 35, "records": 33, "deletes": 1, "superseded": 0, "ignored": 1, "dead_letters": 0}
    assert summary == wanted, stored["dead_letters"]
    assert {feed for feed, counts in by_feed.items() if counts["records"]} == {
        feed.id for feed in CATALOG.feeds
    }
    assert by_feed["justice.sqjz"]["records"] == 2
    assert by_feed["(no feed)"]["ignored"] == 1
    mentioned = {
        (feed, key_of(CATALOG.by_id(feed), case.row), mention.role, mention.ordinal)
        for feed, case in CASES.items()
        for mention in case.mentions
        if feed != "disabled.cjr"
    }
    assert {tuple(row) for row in stored["identities"]} == mentioned
    assert {feed: int(n) for feed, n in stored["counts"]} == {
        feed.id: 0 if feed.id == "disabled.cjr" else 1 for feed in CATALOG.feeds
    }
    assert stored["tax"] == [[], [WANG], ["spouse", "child", "kin"]]
    assert stored["phones"] == ["none"]
