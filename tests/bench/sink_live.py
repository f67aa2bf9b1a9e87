"""What the sink costs live: the messages of a simulated province's changes, as normalizer and linker write them, in the
small batches that a rate of some hundred changes a second makes. Processor time of the whole process, merges included.

Usage: python -m tests.bench.sink_live [PEOPLE] [RECORDS A BATCH] [BATCHES].
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from avro.envelope import EnvelopeDecoder
from connectors.clickhouse.engine import EmbeddedEngine, Target, _Client
from connectors.clickhouse.store import open_store
from streams.sink import SinkAgent, SourceBoard, feed_tables
from tests.bench.sink import processor_seconds, resident
from tests.support.province import CHANGES, SNAPSHOT, Province

LOAD = 5_000
"""Records a batch while the register is filled."""
STAGES = ("normalized", "linked")


class Calls:
    """Processor time of the engine's calls, by kind and table."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.times: Counter[str] = Counter()
        load, rows = EmbeddedEngine.load, _Client.rows

        def timed_load(engine: EmbeddedEngine, container: bytes, targets: Sequence[Target]) -> None:
            for target in targets:
                self._timed(f"insert {target.table}", lambda target=target: load(engine, container, [target]))  # type: ignore[misc]

        def timed_rows(engine: EmbeddedEngine, query: str) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = self._timed("look-up", lambda: rows(engine, query))
            return found

        patch.object(EmbeddedEngine, "load", timed_load).start()
        patch.object(_Client, "rows", timed_rows).start()

    def _timed(self, what: str, call: Callable[[], Any]) -> Any:
        before = processor_seconds()
        result = call()
        self.seconds[what] += processor_seconds() - before
        self.times[what] += 1
        return result

    def clear(self) -> None:
        """Forget what was counted."""
        self.seconds.clear()
        self.times.clear()


def progress(agent: SinkAgent, departments: Sequence[str]) -> None:
    """Let every source have come further, as heartbeats do twice a second."""
    now = time.time_ns() // 1000
    for department in departments:
        for stage in STAGES:
            agent._board.frontiers[department][stage] = now


def main(people: int, size: int, count: int) -> None:
    """Fill a store with the province, then write its changes and print what they cost."""
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    province = Province(folder, people, size * count)
    store = open_store(folder / "store", "", feed_tables(province.catalog))
    try:
        agent = SinkAgent(
            store.writer, province.schemas, EnvelopeDecoder(province.registry), {}, SourceBoard()
        )
        for batch in province.batches(SNAPSHOT, LOAD):
            agent.write(batch)
        live = list(islice(province.batches(CHANGES, size), count))
        departments = sorted({feed.id.partition(".")[0] for feed in province.catalog.feeds})
        calls = Calls()
        costs, walls, messages = [], [], Counter[str]()
        began, used = time.perf_counter(), processor_seconds()
        for batch in live:
            progress(agent, departments)
            messages.update({chunk[0].topic: len(chunk) for chunk in batch if chunk})
            before, wall = processor_seconds(), time.perf_counter()
            agent.write(batch)
            costs.append(1000 * (processor_seconds() - before))
            walls.append(1000 * (time.perf_counter() - wall))
        used, wall = processor_seconds() - used, time.perf_counter() - began
        costs.sort()
        walls.sort()
        done = len(live)
        print(
            f"{done} batches of {size} records: {1000 * used / done:.0f} ms of processor each, median"
            f" {statistics.median(costs):.0f} ({costs[done // 10]:.0f} to {costs[done * 9 // 10]:.0f}), on the wall"
            f" {statistics.median(walls):.0f}; {size * done / used:,.0f} records a second of processor;"
            f" {resident()} MB"
        )
        print("  messages a batch:", ", ".join(f"{topic} {n / done:.0f}" for topic, n in messages.items()))
        for what, seconds in sorted(calls.seconds.items(), key=lambda one: -one[1]):
            times = calls.times[what]
            print(
                f"  {what:40} {times / done:5.2f} a batch, {1000 * seconds / times:6.1f} ms each,"
                f" {1000 * seconds / done:6.1f} ms a batch"
            )
        print(
            f"  {'everything else':40} {1000 * (used - sum(calls.seconds.values())) / done:48.1f} ms a batch"
        )
    finally:
        store.close()
        province.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*(int(given) for given in (*sys.argv[1:], *("2000", "60", "100")[len(sys.argv) - 1 :])))
