"""``renkou quality`` on a small store whose shares are known, and a feed of two files that goes all the way there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avro.normalize.resident_id import check_character
from avro.quality import thresholds
from tests.unit.test_feeds import harbour
from tests.unit.test_replay import replay, sql

TOPIC = "cdc.harbour.port.SHIPS"
ROWS = 50


def number(sequence: int) -> str:
    day = f"{1940 + sequence}{sequence % 12 + 1:02}{sequence % 28 + 1:02}"
    body = f"3901{sequence % 4 + 2:02}{day}{sequence * 17 % 999:03}"
    return body + check_character(body)


def line(offset: int, row: dict[str, Any], op: str = "c") -> str:
    """Return a change as Debezium and ``kcat -J`` write it."""
    source = {
        "connector": "postgresql", "name": "cdc.harbour", "db": "harbour", "schema": "port", "table": "SHIPS",
        "snapshot": "false", "sequence": f'["{offset}","{offset + 1}"]', "lsn": offset + 1,
        "ts_us": 1_760_000_000_000_000 + offset,
    }  # fmt: skip
    value = {"before": None, "after": row, "source": source, "op": op, "ts_us": source["ts_us"]}
    return json.dumps(
        {
            "topic": TOPIC, "partition": 0, "offset": offset, "ts": 1_760_000_000_000, "headers": [],
            "key": json.dumps({"no": row["no"], "year": row["year"]}), "payload": json.dumps(value),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with ``ROWS`` ships: two captains without a name, three numbers that are none, two without a number."""
    folder = tmp_path_factory.mktemp("harbour")
    harbour(folder / "feeds")
    lines = []
    for at in range(ROWS):
        papers: str | None = number(at + 1)
        if at < 3:
            papers = f"{papers}77"
        elif at < 5:
            papers = None
        captain = "王李张刘陈"[at % 5] + "伟芳娜敏静强磊军洋勇"[at % 10] + "明超秀霞平刚"[at % 6]
        row = {"no": at, "captain": None if at in (10, 11) else captain, "id": papers, "year": 100}
        lines.append(line(2 * at, {**row, "captain": "赵四"}))
        lines.append(line(2 * at + 1, row, "u"))
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RENKOU_FEEDS", str(folder / "feeds"))
        summary = replay(folder / "data", str(folder / "events.jsonl"))
        assert (summary["records"], summary["dead_letters"]) == (2 * ROWS, 0)
        yield folder / "data"


def measured(data: Path, *options: str) -> tuple[str, dict[tuple[str, str, str], dict[str, Any]]]:
    command = [sys.executable, "-m", "streams.cli", "quality", *options, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    if "--json" not in options:
        return done.stdout, {}
    found = map(json.loads, done.stdout.splitlines())
    return done.stdout, {(one["threshold"], one["what"], one["element"]): one for one in found}


def test_a_feed_of_yaml_and_avsc_alone_goes_all_the_way(store: Path) -> None:
    """No Python knows this table: feed file and schema are written by the test."""
    rows = sql(
        store,
        "SELECT raw, captain, papers, launched FROM harbour_ships ORDER BY record_number",
        "JSONEachRow",
    )
    stored = [json.loads(row) for row in rows.splitlines()]
    assert len(stored) == ROWS
    assert json.loads(stored[20]["raw"])["captain"] == stored[20]["captain"]
    assert "赵四" not in {row["captain"] for row in stored}
    assert {row["launched"] for row in stored} == {"1970-04-11"}
    persons = sql(store, "SELECT uniqExact(id_number) FROM persons WHERE state = 'active'", "CSV")
    assert int(persons) == ROWS - 5
    titles = sql(
        store,
        "SELECT comment FROM system.columns WHERE table = 'harbour_ships_all' AND name = 'papers'",
        "CSV",
    )
    assert "证" in titles


def test_shares_are_measured_against_the_thresholds(store: Path) -> None:
    _, found = measured(store, "--json")
    names = found["missing_key_fields", "harbour.ships captain", "name"]
    assert (names["of"], names["value"], names["is_kept"]) == (ROWS, 2 / ROWS, False)
    numbers = found["missing_key_fields", "harbour.ships captain", "id_number"]
    assert (numbers["of"], numbers["value"]) == (ROWS, 5 / ROWS)
    checks = found["id_checks", "harbour.ships captain", "id_number"]
    assert (checks["of"], checks["value"], checks["is_kept"]) == (
        ROWS - 2,
        round(1 - 3 / (ROWS - 2), 6),
        False,
    )
    assert checks["limit"] == thresholds()["id_checks"].limit
    assert ("missing_key_fields", "harbour.ships captain", "sex") not in found  # the feed does not give it
    timeliness = found["timeliness", "harbour", ""]
    assert timeliness["value"] >= 0


def test_only_what_is_broken_is_shown_when_asked(store: Path) -> None:
    _, every = measured(store, "--json")
    _, broken = measured(store, "--json", "--broken")
    assert broken.keys() == {key for key, one in every.items() if not one["is_kept"]}
    text, _ = measured(store)
    assert "BROKEN" in text
    assert "未达标" in text
