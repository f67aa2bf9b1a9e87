"""What the normalize process costs as it really runs: from Kafka into Kafka, with Faust, marks and metrics.

``python -m tests.bench.normalize_process [--people N] [--provinces N] [--feeds FEED …] [--flame FILE]``: events of
simulated provinces wait in Kafka, the process works them off. Its processor time, that of all its threads, is read
while it does, from a tenth of the way on: what it costs to start is none of a change's cost. A province of its own seed
for each part, so that values come again as often as they do in one register and no more.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from avro.change import RawEvent
from avro.kcat import read_line
from connectors.feeds import Catalog
from connectors.simulate.events import CHANGES, SNAPSHOT, write
from connectors.simulate.population import Population
from connectors.stack import kafka, ports, registry
from connectors.stack.supervisor import Supervisor
from connectors.topics import TopicSpec, ensure_topics, hub_topics
from streams import topics
from streams.schemas import input_topics

WAIT = 600.0
POLL = 0.1
WARM = 0.1
"""The part of the changes before the first look."""


def events(people: int, provinces: int, wanted: frozenset[str]) -> list[RawEvent]:
    """Return the events of simulated provinces on these topics, tombstones left out, snapshot before changes."""
    found = []
    for seed in range(provinces):
        with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
            write(Path(folder), Population(seed + 1, people), people)
            for name in (SNAPSHOT, CHANGES):
                with (Path(folder) / name).open("rb") as file:
                    found += [event for event in map(read_line, file) if event.place.topic in wanted]
    return [event for event in found if event.value is not None]


def fill(bootstrap: str, waiting: Sequence[RawEvent]) -> None:
    """Put the events into their topics."""
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "lz4", "linger.ms": 20})
    for event in waiting:
        while True:
            try:
                producer.produce(event.place.topic, event.value, event.key, headers=event.headers or [])
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


def written(consumer: Consumer) -> int:
    """Return how many messages the log of records holds."""
    return int(consumer.get_watermark_offsets(TopicPartition(topics.RECORDS, 0), timeout=10)[1])


def work_off(
    process: psutil.Process, bootstrap: str, count: int, flame: Path | None
) -> tuple[int, float, float]:
    """Return how many changes were worked off between two looks, and the process's and the clock's seconds."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})
    looks: list[tuple[int, float, float]] = []
    profiler = None
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        done, used = written(consumer), process.cpu_times()
        looks.append((done, used.user + used.system, time.monotonic()))
        if done >= count:
            break
        if flame is not None and profiler is None and done >= count * WARM:
            command = (
                "record",
                "--native",
                "--rate",
                "200",
                "--nonblocking",
                "--format",
                "raw",
                "-p",
                str(process.pid),
            )
            tool = str(Path(sys.executable).with_name("py-spy"))
            profiler = subprocess.Popen([tool, *command, "--duration", "10", "-o", str(flame)])
        time.sleep(POLL)
    else:
        raise SystemExit(f"not worked off within {WAIT:.0f} s")
    if profiler is not None:
        profiler.wait(60)
    consumer.close()
    # The last look that is not the end's: behind the end the process waits.
    first = next(look for look in looks if look[0] >= count * WARM)
    last = looks[-2] if looks[-2][0] > first[0] else looks[-1]
    return last[0] - first[0], last[1] - first[1], last[2] - first[2]


def measure(people: int, provinces: int, feeds: Sequence[str], flame: Path | None) -> dict[str, object]:
    """Return the figures of one run."""
    catalog = Catalog.load()
    chosen = [catalog.by_id(name) for name in feeds] or list(catalog.feeds)
    waiting = events(people, provinces, frozenset(feed.topic for feed in chosen))
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as name:
        data = Path(name)
        port = ports.allocate(data, ("kafka", "controller", "registry", "management"))
        supervisor = Supervisor(
            data,
            [
                kafka.spec(data, port["kafka"], port["controller"]),
                registry.spec(data, port["registry"], port["management"]),
            ],
        )
        supervisor.start()
        try:
            supervisor.wait_ready(("kafka", "registry"))
            bootstrap = kafka.bootstrap(port["kafka"])
            ensure_topics(bootstrap, [*hub_topics(), *map(TopicSpec, input_topics(catalog))])
            fill(bootstrap, waiting)
            stage = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "run", "normalize", "--data", str(data)],
                env={
                    **psutil.Process().environ(),
                    "RENKOU_BROKER": bootstrap,
                    "RENKOU_REGISTRY": registry.url(port["registry"]),
                },
                stdout=subprocess.DEVNULL,
            )
            try:
                changes, used, seconds = work_off(psutil.Process(stage.pid), bootstrap, len(waiting), flame)
            finally:
                stage.terminate()
                stage.wait(30)
        finally:
            supervisor.stop()
    return {
        "feeds": list(feeds) or "all",
        "events": len(waiting),
        "measured": changes,
        "cpu_us_per_change": round(used / changes * 1e6, 1),
        "changes_per_core_second": round(changes / used),
        "changes_per_second": round(changes / seconds),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--provinces", type=int, default=4)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--feeds", nargs="*", default=["police.hj_ryjbxx"], help="none: all feeds, as they come"
    )
    parser.add_argument(
        "--flame", type=Path, help="file for py-spy's collapsed stacks, native frames included"
    )
    options = parser.parse_args()
    runs = [
        measure(options.people, options.provinces, options.feeds, options.flame) for _ in range(options.runs)
    ]
    machine = f"{psutil.cpu_count()} cores, {platform.python_version()}, {platform.machine()}"
    sys.stdout.write(json.dumps({"machine": machine, "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
