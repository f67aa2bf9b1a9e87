"""Side by side in one run: Faust on the batch transport, stock faust-streaming, a bare confluent-kafka loop, and what a
user might pick instead: Quix Streams, Pathway and Bytewax, each in a venv of its own where ``--venvs`` holds it.

``python -m tests.bench.transports [--messages N] [--rounds N] [--venvs DIR] [--out FILE]``. Each round runs every
engine once at every job, one after the other, on one broker; ratios are of the same round, so that a busy machine hurts
both alike. ``--broker HOST:PORT`` takes a broker that is there and makes the topics ``bench`` and ``bench.out``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.simulate import Population, write_events
from connectors.stack import LocalStack
from streams.bench.figures import Section, spread
from streams.producer import Producer
from tests.bench.peers.job import ANSWER, FEED_TOPIC, SITE
from tests.bench.peers.worker import ENGINES
from tests.bench.section import write_section

JOBS: Final = {"pass": 10.0, "normalize": 2.0}
"""And how many times as quick as stock the batch transport is to be."""
PEERS: Final = {"quix": "quixstreams", "pathway": "pathway", "bytewax": "bytewax"}
"""Engines with a venv of their own: the name of its folder is that of the package."""
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


def command_of(engine: str, venvs: Path | None) -> list[str]:
    """Return what runs an engine, its job not said yet."""
    if venvs is None or engine not in PEERS:
        return [sys.executable, "-m", "tests.bench.peers.worker", engine]
    return [str(venvs / PEERS[engine] / "bin" / "python"), "-m", f"tests.bench.peers.{engine}_worker"]


def version_of(engine: str, venvs: Path) -> str:
    """Return the version of a peer, from its venv."""
    code = f"from importlib.metadata import version; print(version({PEERS[engine]!r}))"
    python = venvs / PEERS[engine] / "bin" / "python"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def run(engine: str, job: str, broker: str, topic: str, messages: int, venvs: Path | None) -> float:
    """Return the messages a second of one engine at one job."""
    command = [*command_of(engine, venvs), job, broker, topic, str(messages)]
    environment = os.environ | {SITE: sysconfig.get_path("purelib"), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment
    )
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
    parser.add_argument(
        "--venvs", type=Path, help="folder with a venv of each peer; peers without one are left out"
    )
    parser.add_argument("--broker", help="use this broker, instead of starting a stack")
    parser.add_argument("--out", type=Path, help="write the table here, as JSON")
    options = parser.parse_args()
    venvs: Path | None = options.venvs
    peers = [] if venvs is None else [name for name, folder in PEERS.items() if (venvs / folder).is_dir()]
    engines = [*ENGINES, *peers]
    rates: dict[tuple[str, str], list[float]] = {(job, engine): [] for job in JOBS for engine in engines}
    with tempfile.TemporaryDirectory(prefix="renkou-bench-") as folder:
        Path(folder).chmod(0o711)
        some = events(Path(folder) / "events")
        with ExitStack() as closing:
            broker = options.broker
            if broker is None:
                stack = closing.enter_context(LocalStack(Path(folder) / "stack"))
                stack.start()
                broker = stack.endpoints().kafka
            fill(broker, "bench", options.messages, some)
            for _ in range(options.rounds):
                for (job, engine), found in rates.items():
                    found.append(run(engine, job, broker, "bench", options.messages, venvs))
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
        ", ".join(
            [f"{name} {metadata.version(name)}" for name in ("faust-streaming", "confluent-kafka")]
            + [f"{PEERS[name]} {version_of(name, venvs)}" for name in peers if venvs is not None]
        ),
    ]
    if peers:
        notes.append(
            "Peers run in venvs of their own as their documentation says (tests/bench/peers/), one worker each; their "
            "time ends when the last message is in the topic, looked at twenty times a second."
        )
    section = Section("The batch transport beside stock faust-streaming, a bare loop and other engines",
                      ["job", "engine", "messages/s", "spread", "over stock", "asked"], rows, notes)  # fmt: skip
    write_section(options.out, section)


if __name__ == "__main__":
    main()
