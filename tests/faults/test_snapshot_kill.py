"""Kafka Connect dies in the middle of the initial snapshot; what the second one no longer finds must go."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from connectors.feeds import Catalog
from connectors.stack import LocalStack
from streams import hub as hub_on_one_machine
from streams.schemas import captured_departments
from tests.support import kcat
from tests.support.model import MAKERS, ModelTable, Statement
from tests.support.running import RunningHub

pytestmark = [pytest.mark.stack, pytest.mark.faults]

ROWS: Final = 300
WAIT: Final = 120.0
TABLE: Final = "police.hj_hjxx"
GATE: Final = 20_250_101
HELD_UP: Final = b"""
CREATE FUNCTION gate_is_open() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_advisory_lock_shared(20250101);
  PERFORM pg_advisory_unlock_shared(20250101);
  RETURN true;
END $$;
CREATE POLICY gate ON ldrk_jzz FOR SELECT USING (gate_is_open());
ALTER TABLE ldrk_jzz ENABLE ROW LEVEL SECURITY;
INSERT INTO ldrk_jzz (djbh, xm, djrq, cjsj, gxsj) VALUES (1, 'Alim', '2024-01-01', '2024-01-01', '2024-01-01');
"""


@pytest.fixture
def hub(stack_folder: Path) -> Iterator[RunningHub]:
    """A hub that captures nothing yet."""
    with LocalStack(stack_folder / "snapshot") as stack:
        stack.start()
        feeds = Catalog.load(None)
        catalog = hub_on_one_machine.on_this_machine(feeds)
        stack.ensure_databases(captured_departments(catalog))
        hub_on_one_machine.create_tables(stack, catalog)
        hub_on_one_machine.create_topics(stack, feeds)
        stack.add(hub_on_one_machine.hub_specs(stack.data, stack.ports))
        stack.publish()
        yield RunningHub(stack, catalog)


def captured(hub: RunningHub) -> int:
    return kcat.count(hub.endpoints.kafka, [f"cdc.police.public.{TABLE.partition('.')[2]}"])


def wait_for(hub: RunningHub, rows: int) -> None:
    deadline = time.monotonic() + WAIT
    while captured(hub) < rows:
        assert time.monotonic() < deadline, f"{captured(hub)} of {rows} rows captured"
        time.sleep(0.2)


def test_a_snapshot_cut_off_leaves_nothing_that_the_next_does_not_find(hub: RunningHub) -> None:
    police = hub.dsn("police")
    table = ModelTable(hub.catalog.by_id(TABLE), police)
    rng = random.Random(7)
    with psycopg.connect(police) as connection:
        for number in range(1, ROWS + 1):
            Statement(table, None, MAKERS[TABLE].new(rng, number)).run(connection)
    # The snapshot reads hj_hjxx, and then stands still at a row that shows itself only when the test lets it.
    order = [feed.table for feed in hub.catalog.feeds if feed.department == "police"]
    assert order.index("hj_hjxx") < order.index("ldrk_jzz")
    with psycopg.connect(police) as connection:
        connection.execute(HELD_UP)
    with psycopg.connect(police) as gate:
        gate.execute("SELECT pg_advisory_xact_lock(%s)", [GATE])
        hub_on_one_machine.capture_departments(hub.stack, hub.catalog, ["police"])
        wait_for(hub, ROWS - 1)  # Debezium holds the last row of a table back until it knows what follows
        pid = hub.pid("connect")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with psycopg.connect(police) as connection:
            connection.execute(
                """DELETE FROM hj_hjxx WHERE "HH" IN (SELECT "HH" FROM hj_hjxx ORDER BY 1 LIMIT 40)"""
            )
            connection.execute(
                """UPDATE hj_hjxx SET "HZXM" = '改' WHERE "HH" IN (SELECT "HH" FROM hj_hjxx ORDER BY 1 LIMIT 40)"""
            )
        gate.rollback()
    assert hub.settle(WAIT) == []
    assert captured(hub) > ROWS, "the snapshot was not taken twice: the kill came too late"
    assert hub.query("SELECT count() AS n FROM police_hj_hjxx") == [{"n": ROWS - 40}]
    assert hub.dead_letters() == 0
