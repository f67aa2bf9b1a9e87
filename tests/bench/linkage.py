"""What linking costs: an invented register of all 32 types is taken in, then changed; figures are JSON lines.

Run with ``python -m tests.bench.linkage [PEOPLE] [SEED]``; a person has some twelve mentions. Measured is the linker as
the stage runs it, entries in, outputs out: the log is written and synchronized, golden records, reviews and constraints
are on, nothing is decoded from or encoded as Avro (``tests.bench.avro_codec``). ``events_a_cpu_second`` counts the
processor's time of this process alone; memory is what the process grew by.
"""

from __future__ import annotations

import cProfile
import gc
import json
import multiprocessing
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from avro.envelope import EnvelopeDecoder
from avro.record import Mark, Record
from connectors.feeds import Catalog
from connectors.simulate.events import write as write_events
from connectors.simulate.population import Population
from linkage import frames, heap
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.log import Batch, batch_of, entries_of
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files

BATCH: Final = 500
CHANGES_A_PERSON: Final = 2
"""Transactions after the filling."""
LOOPS: Final = 2_000_000
"""Turns of an empty loop, by which figures from different or differently busy machines are compared."""
PARTS: Final = {
    "features": ("features.py", "features_of"),
    "compare and score": ("graph.py", "settle"),
    "index": ("graph.py", "add"),
    "cluster": ("resolve.py", "_recluster"),
    "golden record": ("golden.py", "make"),
    "reviews": ("resolve.py", "_put_reviews"),
    "write-ahead log": ("log.py", "append"),
}
"""Parts whose share is reported: module and function."""


def write_log(folder: Path, people: int, seed: int) -> None:
    """Write what the normalizer makes of a simulated register, frame by frame: ``load.log``, of the changes
    ``steady.log``, and the last quarter of them ``profiled.log``."""
    write_events(folder, Population(seed, people), people * CHANGES_A_PERSON)
    normalizer = Normalizer(Catalog.load(None), EnvelopeDecoder(None))
    offset = 0
    snapshot, changes = (sorted(map(str, folder.glob(f"{number}-*.events.jsonl"))) for number in (1, 2))
    late = sum(1 for _ in read_files(changes)) * 3 // 4
    logs = {
        "load": read_files(snapshot),
        "steady": islice(read_files(changes), late),
        "profiled": islice(read_files(changes), late, None),
    }
    for name, events in logs.items():
        with (folder / f"{name}.log").open("wb") as log:
            batch: list[LogEntry] = []
            for event in events:
                for outcome in normalizer.process(event):  # type: ignore[arg-type]
                    value = outcome.record if isinstance(outcome, Recorded) else outcome
                    if isinstance(value, Record | Mark):
                        batch.append(LogEntry(offset, value))
                        offset += 1
                if len(batch) >= BATCH:
                    log.write(frames.pack(msgspec.msgpack.encode(batch_of(0, batch[:BATCH]))))
                    batch = batch[BATCH:]
            log.write(frames.pack(msgspec.msgpack.encode(batch_of(0, batch))))


def batches(path: Path) -> Iterator[list[LogEntry]]:
    """Yield the batches of a log that `write_log` wrote, one in memory at a time."""
    decode = msgspec.msgpack.Decoder(Batch).decode
    with path.open("rb") as file:
        while head := file.read(frames.HEADER_BYTES):
            _, length, _ = frames.HEADER.unpack_from(head)
            yield entries_of(decode(file.read(length)))


def measure(linker: DurableLinker, path: Path, what: str, profile: cProfile.Profile | None = None) -> int:
    """Apply a log and print what it cost; return its entries."""
    cpu: list[float] = []
    events = outputs = waiting = 0
    for batch in batches(path):
        before = time.process_time()
        if profile is not None:
            profile.enable()
        outputs += len(linker.apply(batch))
        linker.checkpoint()
        waiting += len(batch)
        if waiting >= heap.EVERY:
            waiting = 0
            heap.rest()
        if profile is not None:
            profile.disable()
        cpu.append(time.process_time() - before)
        events += len(batch)
    total = sum(cpu)
    cpu.sort()
    report(
        what,
        events=events,
        events_a_cpu_second=round(events / total),
        cpu_us=round(total / events * 1e6, 1),
        outputs_an_event=round(outputs / events, 2),
        batch_cpu_ms_p50=round(cpu[len(cpu) // 2] * 1e3, 1),
        batch_cpu_ms_p99=round(cpu[len(cpu) * 99 // 100] * 1e3, 1),
    )
    return events


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return the parts' shares of a profile, those that call another part with it; a profile is dearer for calls."""
    stats = pstats.Stats(profile)
    found = dict.fromkeys(PARTS, 0.0)
    for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        for part, (module, name) in PARTS.items():
            if name == function and Path(file).name == module and Path(file).parent.name == "linkage":
                found[part] += cumulative
    return {part: round(spent / stats.total_tt, 3) for part, spent in found.items()}  # type: ignore[attr-defined]


def resident() -> int:
    """Return the process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def report(what: str, **figures: float) -> None:
    print(json.dumps({"what": what, **figures}), flush=True)


def machine() -> None:
    """Print how quick the machine is at this moment."""
    started = time.process_time()
    for _ in range(LOOPS):
        pass
    report("this machine now", ns_a_loop=round((time.process_time() - started) / LOOPS * 1e9, 1))


def timed(what: str, work: Callable[[], object]) -> None:
    """Do the work and print how long it took."""
    started, processor = time.monotonic(), time.process_time()
    work()
    report(what, wall_s=round(time.monotonic() - started, 2), cpu_s=round(time.process_time() - processor, 2))


def main(people: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what it leaves in memory would hide what linking takes.
        writer = multiprocessing.get_context("spawn").Process(target=write_log, args=(folder, people, seed))
        writer.start()
        writer.join()
        if writer.exitcode != 0:
            sys.exit("the register could not be written; the reason is above")
        machine()
        linker = DurableLinker(folder / "link", 1, Catalog.load(None).authority(), snapshot_entries=1 << 40)
        with linker:
            linker.open()
            heap.begin()
            before = resident()
            events = measure(linker, folder / "load.log", "load")
            count = linker.engine.mention_count
            report("state", mentions=count, persons=linker.engine.person_count)
            report("memory", bytes_a_mention=(resident() - before) // count)
            events += measure(linker, folder / "steady.log", "steady")
            profile = cProfile.Profile()
            events += measure(linker, folder / "profiled.log", "steady, with a profile", profile)
            report("shares of it", **shares(profile))
            report("log", bytes_an_event=round((folder / "link" / "log-00000000").stat().st_size / events))
        gc.unfreeze()
        with linker:
            timed("recover from the log", linker.open)
            linker.checkpoint()
            timed("snapshot", linker.snapshot)
            size = (folder / "link" / "snapshot-00000001").stat().st_size
            report("snapshot", bytes_a_mention=size // linker.engine.mention_count)
        with linker:
            timed("recover from the snapshot", linker.open)
        machine()


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [3_000, 5][len(arguments) :]))
