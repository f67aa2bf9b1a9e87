"""Side by side in one run: Faust on the batch transport, stock faust-streaming, and a bare confluent-kafka loop.

``python -m tests.bench.transports [--messages N] [--rounds N] [--out FILE]``. Each round runs every engine once at
every job, one after the other, on one broker; ratios are of the same round, so that a busy machine hurts both alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.simulate import Population, write_events
from connectors.stack import LocalStack
from streams.bench.figures import Section, spread
from streams.producer import Producer
from tests.bench.peers.worker import ANSWER, ENGINES, FEED_TOPIC

JOBS: Final = {"pass": 10.0, "normalize": 2.0}
"""And how many times as quick as stock the batch transport is to be."""
SECONDS: Final = 600.0
PEOPLE: Final = 2000


class Line(msgspec.Struct):
    """What is needed of a line as ``kcat -J`` prints them."""

    topic: str
    key: str | None
    payload: str | None


def events(folder: Path) -> list[tuple[bytes, bytes]]:
    """Return changes of the residents' table, as Debezium writes them."""
    write_events(folder, Population(1, PEOPLE), 0)
    decode = msgspec.json.Decoder(Line).decode
    found = []
    for path in sorted(folder.glob("*.events.jsonl")):
        with path.open("rb") as file:
            for text in file:
                line = decode(text)
                if line.topic == FEED_TOPIC and line.key and line.payload:
                    found.append((line.key.encode(), line.payload.encode()))
    return found


def fill(broker: str, topic: str, messages: int, some: list[tuple[bytes, bytes]]) -> None:
    """Make a topic of so many messages, and one for what comes of them."""
    admin = AdminClient({"bootstrap.servers": broker})
    wanted = [NewTopic(name, num_partitions=1, replication_factor=1) for name in (topic, f"{topic}.out")]
    for future in admin.create_topics(wanted).values():
        future.result(60)
    producer = Producer(broker)
    for number in range(messages):
        producer.send(topic, *some[number % len(some)])
    producer.flush()


def run(engine: str, job: str, broker: str, topic: str, messages: int) -> float:
    """Return the messages a second of one engine at one job."""
    command = [sys.executable, "-m", "tests.bench.peers.worker", engine, job, broker, topic, str(messages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    # The engines write their own logs to either stream.
    found = [line[line.index(ANSWER) :] for line in done.stdout.splitlines() if ANSWER in line]
    if done.returncode or not found:
        raise SystemExit(f"{engine} at {job} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    figures = json.loads(found[-1])
    rate = float(figures["messages"] / figures["seconds"])
    print(
        f"{job:10} {engine:8} {rate:10,.0f}/s  {figures['cpu'] / figures['messages'] * 1e6:6.1f} CPU µs",
        flush=True,
    )
    return rate


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the table here, as JSON")
    options = parser.parse_args()
    rates: dict[tuple[str, str], list[float]] = {(job, engine): [] for job in JOBS for engine in ENGINES}
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        Path(folder).chmod(0o711)
        some = events(Path(folder) / "events")
        with LocalStack(Path(folder) / "stack") as stack:
            stack.start()
            broker = stack.endpoints().kafka
            fill(broker, "bench", options.messages, some)
            for _ in range(options.rounds):
                for (job, engine), found in rates.items():
                    found.append(run(engine, job, broker, "bench", options.messages))
    rows = []
    for (job, engine), found in rates.items():
        ratio = spread([own / stock for own, stock in zip(found, rates[job, "stock"], strict=True)])
        rate = spread(found)
        asked = ""
        if engine == "renkou":
            asked = f"≥ {JOBS[job]:.0f} ×: {'held' if ratio.median >= JOBS[job] else 'NOT held'}"
        rows.append(
            [job, engine, f"{rate.median:,.0f}", f"{rate.least:,.0f} to {rate.greatest:,.0f}", f"{ratio.median:.1f} ×",
             asked]
        )  # fmt: skip
    notes = [
        f"{options.messages:,} changes of the residents' table, {options.rounds} rounds; the same normalizing in all.",
        ", ".join(f"{name} {metadata.version(name)}" for name in ("faust-streaming", "confluent-kafka")),
    ]
    section = Section("The batch transport beside stock faust-streaming and a bare loop",
                      ["job", "engine", "messages/s", "spread", "over stock", "asked"], rows, notes)  # fmt: skip
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(msgspec.json.encode(section))


if __name__ == "__main__":
    main()
