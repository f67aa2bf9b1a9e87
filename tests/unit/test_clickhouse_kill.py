"""SIGKILL while the writer writes; what was not acknowledged is sent again, cut otherwise."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avro.record import Record
from connectors.clickhouse.readers import Readers
from connectors.clickhouse.store import open_store
from connectors.errors import StoreError
from tests.unit.clickhouse_source import everything, feed_table, rows_of, shown
from tests.unit.clickhouse_victim import batch_of, history

KILLS = 3
LATEST_SECONDS = 0.25
"""When a victim is killed at the latest after it has opened the store: it has work for a second or more."""

LONG_SEEDS = range(100, 120)
LONG_KILLS = 5


TABLES = ("identities", "identity_history", "persons", "person_history", "population", "records")


def aggregates(readers: Readers | None) -> tuple[int, int]:
    """Return how many rows and how many residents the dashboards count."""
    (row,) = rows_of(
        readers,
        "SELECT toInt32((SELECT sum(rows) FROM records)) AS rows, toInt32((SELECT sum(persons) FROM population)) AS p",
    )
    return row["rows"], row["p"]


def start(folder: Path, seed: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.clickhouse_victim", str(folder), str(seed)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(11, KILLS), *(pytest.param(seed, LONG_KILLS, marks=pytest.mark.long) for seed in LONG_SEEDS)],
)
def test_killed_writer_goes_on_exactly(tmp_path: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    killed = 0
    for _ in range(kills):
        victim = start(tmp_path, seed)
        assert victim.stdout is not None
        try:
            assert victim.stdout.readline() == b"open\n"
            time.sleep(rng.uniform(0.02, LATEST_SECONDS))
        finally:
            victim.send_signal(signal.SIGKILL)
            killed += victim.wait() == -signal.SIGKILL
            victim.stdout.close()
    assert killed, "every victim was done before it was killed: the history is too short to test anything"
    last = start(tmp_path, seed)
    assert last.stdout is not None
    with last.stdout:
        assert last.wait(timeout=900) == 0
    source = history(tmp_path, seed)
    feeds = [feed_table(source.codec)]
    store = open_store(tmp_path / "store", "", feeds)
    try:
        assert shown(store.readers) == source.expected()
        newest = {entry.key: entry for entry in source.log if isinstance(entry, Record)}
        residents = sum(not record.is_deleted for record in newest.values())
        assert aggregates(store.readers) == (len(source.rows), residents)
        seen = everything(store.readers, TABLES)
    finally:
        store.close()
    undisturbed = open_store(tmp_path / "undisturbed", "", feeds)
    try:
        undisturbed.writer.write(batch_of(source, source.log))
        assert everything(undisturbed.readers, TABLES) == seen
    finally:
        undisturbed.close()


def test_second_owner_is_told_who_has_the_store(tmp_path: Path) -> None:
    owner = start(tmp_path, 1)
    assert owner.stdout is not None
    try:
        owner.stdout.readline()
        os.kill(owner.pid, signal.SIGSTOP)  # it holds the store and does not finish meanwhile
        with pytest.raises(StoreError, match=rf"process {owner.pid} has the store open; stop it"):
            open_store(tmp_path / "store", "", [feed_table(history(tmp_path, 1).codec)])
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
