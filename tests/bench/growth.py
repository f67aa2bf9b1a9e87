"""How each stage's cost grows with the province.

``python -m tests.bench.growth [--people N …] [--store] [--out FILE]``

For each size, in a process of its own and without Kafka: a register of all 32 types is simulated, normalized, linked
(log written and synchronized, golden records and reviews on) and, with ``--store``, written to the embedded ClickHouse.
Costs are processor time; a stage's exponent is fitted to its whole cost over the sizes (1: a row costs the same however
many people there are). Latency of linking is the processor time of a batch of 500, of the last tenth of the log.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from avro.codec import DatumCodec
from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter, Mark, Record
from avro.schema import shared_schema
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from connectors.simulate import Population, write_events
from linkage import heap
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.outputs import IdentityChange, Output, PersonChange
from streams.bench.figures import Section
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files
from streams.sink import feed_tables
from tests.bench.section import write_section

BATCH: Final = 500
STORED: Final = 4_000
"""Entries of the log that the store gets at once, as when it catches up."""
SIZES: Final = (1_000, 3_000, 10_000)
STAGES: Final = ("simulate", "normalize", "link", "store")
PERCENTILES: Final = (0.5, 0.99)
MICRO: Final = 1_000_000
_T = TypeVar("_T")


class Grown(msgspec.Struct):
    """One size. ``cpu`` is processor seconds by stage; ``batch_ms`` p50 and p99 of linking's last batches."""

    people: int
    entries: int
    mentions: int
    cpu: dict[str, float]
    batch_ms: tuple[float, float]
    memory_mb: float


def processor_seconds() -> float:
    """Return the processor time of this process with all its threads, and of children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Stages:
    """The stages in one process, each with a clock of its own."""

    def __init__(self, folder: Path, *, with_store: bool) -> None:
        self.cpu = dict.fromkeys(STAGES if with_store else STAGES[:-1], 0.0)
        self.batches: list[float] = []
        self.entries = 0
        catalog = Catalog.load(None)
        self._normalizer = Normalizer(catalog, EnvelopeDecoder(None))
        self._stack = ExitStack()
        self.linker = self._stack.enter_context(
            DurableLinker(folder / "link", 1, catalog.authority(), snapshot_entries=1 << 40)
        )
        self.linker.open()
        self._store = None
        if with_store:
            self._store = open_store(folder / "store", "", feed_tables(catalog))
            self._stack.callback(self._store.close)
        self._identity, self._person = (DatumCodec(shared_schema(name)) for name in ("Identity", "Person"))
        self._batch, self._waiting = Batch(), 0
        self._noted = 0

    def close(self) -> None:
        self._stack.close()

    def timed(self, stage: str, work: Callable[[], _T]) -> _T:
        began = processor_seconds()
        made = work()
        self.cpu[stage] += processor_seconds() - began
        return made

    def run(self, folder: Path) -> None:
        """Take a folder's events through all stages."""
        events = read_files(sorted(map(str, folder.glob("*.events.jsonl"))))
        rested = 0
        while entries := self.timed("normalize", lambda: list(self._normalized(events))):
            began = processor_seconds()
            outputs = self.timed("link", lambda: self._link(entries))
            self.batches.append(processor_seconds() - began)
            self.entries += len(entries)
            if self._store is not None:
                self._collect(outputs)
                self._waiting += len(entries)
                if self._waiting >= STORED:
                    self._write()
            if self.entries - rested >= heap.EVERY:
                rested = self.entries
                heap.rest()
        if self._store is not None:
            self._write()

    def _normalized(self, events: Iterator[object]) -> Iterator[LogEntry]:
        offset = self.entries
        for event in events:
            if isinstance(event, DeadLetter):
                raise SystemExit(f"an event cannot be read: {event.error}")
            for outcome in self._normalizer.process(event):  # type: ignore[arg-type]
                if isinstance(outcome, Recorded):
                    if self._store is not None:
                        record = outcome.record
                        self._noted = max(self._noted, record.captured_time)
                        self._batch.add_record(record.feed, outcome.datum, record.captured_time, record)
                    yield LogEntry(offset, outcome.record)
                    offset += 1
                elif isinstance(outcome, Record | Mark):
                    yield LogEntry(offset, outcome)
                    offset += 1
            if offset - self.entries >= BATCH:
                return

    def _link(self, entries: Sequence[LogEntry]) -> list[Output]:
        outputs = self.linker.apply(entries)
        self.linker.checkpoint()
        return outputs

    def _collect(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, IdentityChange):
                self._batch.add_identity(self._identity.encode(output.to_avro()), self._noted)
            elif isinstance(output, PersonChange):
                self._batch.add_person(self._person.encode(output.to_avro()), self._noted)

    def _write(self) -> None:
        assert self._store is not None
        store, batch = self._store, self._batch
        self.timed("store", lambda: store.writer.write(batch))
        self._batch, self._waiting = Batch(), 0


def grown(people: int, seed: int, *, with_store: bool) -> Grown:
    """Measure one size in this process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = processor_seconds()
        write_events(folder / "events", Population(seed, people), people // 2)
        simulated = processor_seconds() - began
        stages = Stages(folder, with_store=with_store)
        try:
            stages.cpu["simulate"] = simulated
            heap.begin()
            before = resident_mb()
            stages.run(folder / "events")
            mentions = stages.linker.engine.mention_count
            memory = resident_mb() - before
        finally:
            stages.close()
    last = sorted(stages.batches[-max(20, len(stages.batches) // 10) :])
    p50, p99 = (1e3 * last[min(len(last) - 1, int(len(last) * share))] for share in PERCENTILES)
    return Grown(people, stages.entries, mentions, stages.cpu, (p50, p99), memory)


def resident_mb() -> float:
    """Return this process's memory."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of a line through logarithms: how a cost grows with a size (least squares)."""
    x, y = [math.log(size) for size in sizes], [math.log(max(cost, 1e-9)) for cost in costs]
    middle, level = sum(x) / len(x), sum(y) / len(y)
    spread = sum((one - middle) ** 2 for one in x)
    return sum((one - middle) * (other - level) for one, other in zip(x, y, strict=True)) / spread


def main() -> None:
    """Measure all sizes, each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", action="store_true", help="write to the embedded ClickHouse as well")
    parser.add_argument("--out", type=Path, help="write the table here, as JSON")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        made = grown(options.people[0], options.seed, with_store=options.store)
        print(msgspec.json.encode(made).decode(), flush=True)
        return
    found: list[Grown] = []
    began = time.monotonic()
    for people in options.people:
        command = [sys.executable, "-m", "tests.bench.growth", "--one", "--people", str(people)]
        command += ["--seed", str(options.seed), *(["--store"] if options.store else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        one = msgspec.json.decode(done.stdout.splitlines()[-1], type=Grown)
        found.append(one)
        print(json.dumps(msgspec.to_builtins(one)), flush=True)
    section = table(found, time.monotonic() - began)
    for row in [section.header, *section.rows]:
        print("  ".join(f"{cell:>14}" for cell in row))
    write_section(options.out, section)


def table(found: Sequence[Grown], seconds: float) -> Section:
    """Return the report's table."""
    people = [one.people for one in found]
    rows = []
    for stage in found[0].cpu:
        costs = [one.cpu[stage] for one in found]
        each = [f"{MICRO * cost / one.entries:,.0f}" for cost, one in zip(costs, found, strict=True)]
        rows.append([f"{stage}, CPU µs an entry", *each, _slope(people, costs)])
    for name, place in (("p50", 0), ("p99", 1)):
        values = [one.batch_ms[place] for one in found]
        rows.append(
            [
                f"linking {BATCH}, CPU ms {name}",
                *(f"{value:,.0f}" for value in values),
                _slope(people, values),
            ]
        )
    memory = [one.memory_mb for one in found]
    rows.append(["memory MB", *(f"{value:,.0f}" for value in memory), _slope(people, memory)])
    entries = [one.entries for one in found]
    rows.append(["log entries", *(f"{value:,}" for value in entries), _slope(people, entries)])
    note = (
        "The exponent is fitted to the whole cost of a stage (entries times cost of one): 1 is linear. One "
        f"process, no Kafka, log synchronized; the whole took {seconds / 60:.1f} min."
    )
    return Section("Growth", ["", *(f"{size:,} people" for size in people), "exponent"], rows, [note])


def _slope(people: Sequence[int], values: Sequence[float]) -> str:
    return f"{exponent(people, values):.2f}" if len(set(people)) > 1 else ""


if __name__ == "__main__":
    main()
