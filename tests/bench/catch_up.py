"""Catch-up: a snapshot waits in Kafka, then all stages work it off. Prints the rate and where the processor time goes.

``python -m tests.bench.catch_up [--people N] [--runs N] [--capture json|json-schemas|avro]``
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from connectors.debezium import Capture
from connectors.feeds import Catalog
from connectors.simulate import Simulator
from connectors.stack import LocalStack
from streams import hub
from streams.schemas import department_names
from tests.support import kcat, values
from tests.support.running import RunningHub

WAIT = 600.0
PROCESSES = ("normalize", "link", "store", "kafka", "connect", "postgresql", "registry")


def processor_seconds(running: RunningHub) -> dict[str, float]:
    """Return the processor time that each process and its children have used."""
    used: dict[str, float] = {}
    for name in PROCESSES:
        pid = running.pid(name)
        if pid is not None:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            used[name] = sum(sum(member.cpu_times()[:2]) for member in family)
    return used


def run(people: int, capture: Capture) -> dict[str, object]:
    """Return the figures of one run."""
    feeds = Catalog.load(None)
    catalog = hub.on_this_machine(feeds)
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        Path(folder).chmod(0o711)
        with LocalStack(Path(folder) / "hub") as stack:
            stack.start()
            hub.ensure_databases(stack, catalog)
            sources = {department: stack.dsn(department) for department in department_names(catalog)}
            Simulator(sources, people, 1, Path(folder) / "truth").load()
            hub.prepare(stack, feeds, capture)
            rows = sum(hub.count_rows(stack, catalog).values())
            topics = [feed.topic for feed in catalog.feeds]
            started = time.monotonic()
            while kcat.count(stack.endpoints().kafka, topics) < rows:
                time.sleep(0.2)
            captured = time.monotonic() - started
            running = RunningHub(stack, catalog)
            before = processor_seconds(running)
            adding = threading.Thread(target=stack.add, args=(hub.hub_specs(stack.data, stack.ports),))
            adding.start()
            adding.join()
            seconds = _catch_up(running, rows)
            after = processor_seconds(running)
            memory = {
                name: psutil.Process(pid).memory_info().rss >> 20
                for name in PROCESSES
                if (pid := running.pid(name))
            }
            differences = running.differences()
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        "rate": round(rows / seconds),
        "snapshot_wait_seconds": round(captured, 1),
        "cpu_us_per_change": {
            name: round((after[name] - before.get(name, 0.0)) / rows * 1e6) for name in after
        },
        "memory_mb": memory,
        "equal_by_value": not differences,
    }


def _catch_up(running: RunningHub, rows: int) -> float:
    """Return the seconds from the first stored row to the last identity."""
    first = 0.0
    deadline = time.monotonic() + WAIT
    clickhouse = running.endpoints.clickhouse
    tables = [feed.store_table for feed in running.catalog.feeds]
    counting = " + ".join(f"(SELECT count() FROM {table}_all)" for table in tables)
    while time.monotonic() < deadline:
        # Appended rows are counted: there are no updates, and it costs the store nothing.
        stored = values.query(clickhouse, f"SELECT {counting} AS n")[0]["n"]
        now = time.monotonic()
        if stored and not first:
            first = now - 0.2
        if stored >= rows and not values.inconsistencies(clickhouse):
            return now - first
        time.sleep(0.2 if stored < rows else 0.05)
    raise SystemExit(f"not caught up within {WAIT:.0f} s")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--capture", type=Capture, default=Capture.JSON)
    options = parser.parse_args()
    runs = [run(options.people, options.capture) for _ in range(options.runs)]
    rates = [float(str(figures["rate"])) for figures in runs]
    report = {
        "machine": f"{psutil.cpu_count()} cores, {platform.python_version()}, {platform.machine()}",
        "capture": options.capture.value,
        "rate": {"min": min(rates), "median": statistics.median(rates), "max": max(rates)},
        "runs": runs,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
