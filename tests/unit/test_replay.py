"""``renkou replay``: the counts, the bad lines, and kills between any two of its steps.

The events are written here as Debezium's plain JSON has them; that real Debezium writes them so is shown by the
replay of captured topics in ``tests/stack``.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streams.replay import STEP
from tests.support.model import resident_id

TOPIC = "cdc.police.public.hj_hjxx"
KILLS = 2

Rows = dict[str, dict[str, Any]]


def text(part: Any) -> str | None:
    return None if part is None else json.dumps(part, ensure_ascii=False)


def line(offset: int, key: Any, value: Any, headers: list[str] | None = None) -> str:
    message: dict[str, Any] = {
        "topic": TOPIC,
        "partition": 0,
        "offset": offset,
        "tstype": "create",
        "ts": 1,
        "broker": 1,
    }
    if headers:
        message["headers"] = headers
    return json.dumps({**message, "key": text(key), "payload": text(value)}, ensure_ascii=False)


def envelope(op: str, after: Any, lsn: int, before: Any = None) -> dict[str, Any]:
    source = {
        "version": "3.6.3.Final", "connector": "postgresql", "name": "cdc.police", "ts_ms": 1_750_000_000_000 + lsn,
        "ts_us": (1_750_000_000_000 + lsn) * 1000, "snapshot": "false", "db": "police",
        "sequence": f'["{lsn - 1}","{lsn}"]', "schema": "public", "table": "hj_hjxx", "txId": 1, "lsn": lsn,
    }  # fmt: skip
    return {
        "before": before,
        "after": after,
        "source": source,
        "op": op,
        "ts_ms": 1,
        "ts_us": 1000,
        "ts_ns": 1,
    }


def history(seed: int, count: int) -> tuple[list[str], Rows]:
    """Return lines of inserts, updates, deletes with tombstones and key changes, and the rows that remain."""
    rng = random.Random(seed)
    rows: Rows = {}
    lines: list[str] = []

    def write(key: str, value: Any, headers: list[str] | None = None) -> None:
        lines.append(line(len(lines), {"HH": key}, value, headers))

    for number in range(count):
        lsn = 1000 + number * 10
        roll = rng.random()
        if not rows or roll < 0.5:
            key = f"{number:09}"
            rows[key] = household(rng, key)
            write(key, envelope("c", rows[key], lsn))
        elif roll < 0.75:
            key = rng.choice(sorted(rows))
            rows[key] = household(rng, key)
            write(key, envelope("u", rows[key], lsn))
        elif roll < 0.9:
            key = rng.choice(sorted(rows))
            write(key, envelope("d", None, lsn, rows.pop(key)))
            write(key, None)
        else:
            key, new = rng.choice(sorted(rows)), f"{number:09}"
            row = {**rows.pop(key), "HH": new}
            rows[new] = row
            write(key, envelope("d", None, lsn, row), ["__debezium.newkey", json.dumps({"HH": new})])
            write(key, None)
            write(new, envelope("c", row, lsn), ["__debezium.oldkey", json.dumps({"HH": key})])
    return lines, rows


def household(rng: random.Random, key: str) -> dict[str, Any]:
    return {
        "HH": key,
        "HLX": "1",
        "HZXM": rng.choice(["张三", "李四", "王·五"]),
        "HZGMSFHM": resident_id(rng.randrange(400)),
        "SSXQ": "390102",
        **dict.fromkeys(("XZJD", "JCWH", "JLX", "MLPH", "PCS", "XHRQ")),
        "MLXZ": f"青禾区{rng.randrange(90)}号",
        "HRS": 3,
        "LHRQ": "20010203",
        "ZTBZ": "0",
        "GXSJ": "20250101000000",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streams.cli", *arguments]


def replay(data: Path, *files: str, stdin: str | None = None) -> dict[str, int]:
    return counted(data, *files, stdin=stdin)[0]


def counted(
    data: Path, *files: str, stdin: str | None = None
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the summary and the counts of each feed, each of which adds up."""
    done = subprocess.run(
        command("replay", *files, "--by-feed", "--data", str(data)),
        input=stdin, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (only,) = done.stdout.splitlines()
    summary: dict[str, int] = json.loads(only)
    assert summary["read"] == sum(count for name, count in summary.items() if name != "read")
    heading, *lines = done.stderr.splitlines()
    by_feed = {}
    for line in lines:
        feed, *figures = line.rsplit(None, len(summary))
        assert len(figures) == len(summary), line
        by_feed[feed.strip()] = dict(zip(heading.split()[1:], map(int, figures), strict=True))
    for name, count in summary.items():
        assert count == sum(counts[name] for counts in by_feed.values())
    for feed, counts in by_feed.items():
        assert 2 * counts["read"] == sum(counts.values()), feed
    return summary, by_feed


TABLES = ("police_hj_hjxx", "mentions", "identities", "persons", "findings", "dead_letters")
EVERYTHING = " UNION ALL ".join(
    f"SELECT '{table}' AS name, formatRow('JSONEachRow', *) AS line FROM {table}" for table in TABLES
)
"""All rows of the tables that a replay fills: one query, because each costs a process that opens the store."""


def sql(data: Path, query: str, output: str = "TSVWithNames") -> str:
    done = subprocess.run(
        command("sql", query, "--format", output, "--data", str(data)),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def everything(data: Path) -> list[tuple[str, str]]:
    """Return all rows of the tables that a replay fills, as table and text, in order."""
    rows = map(json.loads, sql(data, EVERYTHING, "JSONEachRow").splitlines())
    found = sorted((row["name"], row["line"]) for row in rows)
    assert {name for name, _ in found} >= {"police_hj_hjxx", "mentions", "identities", "persons"}
    return found


def logged(data: Path) -> int:
    """Return how many bytes a replay's linker has made durable."""
    size = 0
    for path in (data / "link").rglob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue  # it was replaced meanwhile
    return size


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]], Rows]:
    folder = tmp_path_factory.mktemp("replay")
    lines, rows = history(seed=11, count=4200)
    assert len(lines) > 2 * STEP, "there are three steps to be killed between"
    file = folder / "events.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    summary = replay(folder / "data", str(file))
    assert summary["read"] == len(lines)
    assert summary["dead_letters"] == summary["superseded"] == 0
    assert summary["ignored"] == sum(1 for one in lines if '"payload": null' in one)
    return file, everything(folder / "data"), rows


def test_the_rows_are_those_of_the_model(undisturbed: tuple[Path, list[tuple[str, str]], Rows]) -> None:
    file, _, rows = undisturbed
    data = file.parent / "data"
    lines = sql(data, "SELECT key, raw FROM police_hj_hjxx", "JSONEachRow").splitlines()
    stored = {row["key"]: json.loads(row["raw"]) for row in map(json.loads, lines)}
    assert stored.keys() == {json.dumps({"HH": key}, separators=(",", ":")) for key in rows}
    for key, row in rows.items():
        found = stored[json.dumps({"HH": key}, separators=(",", ":"))]
        assert {name: row[name] for name in found} == found


def test_again_it_changes_nothing(undisturbed: tuple[Path, list[tuple[str, str]], Rows]) -> None:
    file, before, _ = undisturbed
    summary = replay(file.parent / "data", str(file))
    assert summary["records"] == summary["deletes"] == 0
    assert summary["superseded"] > 0
    assert everything(file.parent / "data") == before


def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    undisturbed: tuple[Path, list[tuple[str, str]], Rows], tmp_path: Path
) -> None:
    file, wanted, _ = undisturbed
    rng = random.Random(7)
    kills = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            command("replay", str(file), "--data", str(tmp_path)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = logged(tmp_path)
        while process.poll() is None and logged(tmp_path) <= before:
            time.sleep(0.01)
        # A step is logged: what follows is its outputs, and the steps behind it.
        time.sleep(rng.uniform(0.0, 0.2))
        process.kill()
        kills += process.wait(300) == -signal.SIGKILL
    replay(tmp_path, str(file))
    assert kills > 0, "no run was killed before it ended"
    assert everything(tmp_path) == wanted


def test_files_in_their_order_and_standard_input(tmp_path: Path) -> None:
    lines, _ = history(seed=3, count=60)
    half = len(lines) // 2
    (tmp_path / "first").write_text("\n".join(lines[:half]), encoding="utf-8")
    first = replay(tmp_path / "data", str(tmp_path / "first"), "-", stdin="\n".join(lines[half:]) + "\n\n")
    assert first["read"] == len(lines)
    assert first["superseded"] == 0


def test_what_cannot_be_read_is_a_dead_letter_that_names_its_place(tmp_path: Path) -> None:
    good = line(0, {"HH": "1"}, envelope("c", household(random.Random(1), "1"), 50))
    bad = [
        "{",
        '{"topic": 3}',
        line(1, {"HH": "2"}, {"op": "c"}),
        good.replace(TOPIC, "cdc.police.public.unheard_of"),
    ]
    (tmp_path / "events").write_text("\n".join([good, *bad]) + "\n", encoding="utf-8")
    summary = replay(tmp_path / "data", str(tmp_path / "events"))
    assert summary == {
        "read": 5,
        "records": 1,
        "deletes": 0,
        "superseded": 0,
        "ignored": 0,
        "dead_letters": 4,
    }
    query = "SELECT topic, `offset`, rule, state FROM dead_letters ORDER BY ALL"
    assert sql(tmp_path / "data", query).splitlines()[1:] == [
        f"{TOPIC}\t1\tmissing_source\topen",
        "cdc.police.public.unheard_of\t0\tunknown_topic\topen",
        "file:events\t2\tmalformed_line\topen",
        "file:events\t3\tmalformed_line\topen",
    ]


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        command("replay", str(tmp_path / "nothing"), "--data", str(tmp_path / "data")),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
