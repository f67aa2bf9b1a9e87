"""What linking costs: a register's mentions are taken in, then changed; figures are printed as JSON lines.

Run with ``python -m tests.bench.linkage [MENTIONS]``. Times are of the processor (``cpu``) and the clock
(``wall``), microseconds an event; the log is written and synchronized, golden records are made, nothing is
encoded as Avro.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from avro.record import Mention, Record
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.id_number import check_character

BATCH: Final = 500
STEADY: Final = 30_000
LOOPS: Final = 2_000_000
"""Turns of an empty loop, by which figures from different or differently busy machines are compared."""
MENTIONS_A_PERSON: Final = 4
FEEDS: Final = ("police.hj_ryjbxx", "police.ldrk_jzz", "health.health_record", "hrss.ac01", "civil.hydj_jh")
AUTHORITY: Final = dict.fromkeys(("name", "id_number", "sex", "birth_date", "hukou_address"), FEEDS)
SURNAMES: Final = "王李张刘陈杨黄赵吴周"
SYLLABLES: Final = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰"


def person(rng: random.Random) -> Mention:
    """Return an invented person, with most elements known."""
    birth = rng.randrange(0, 16_000)
    body = f"390102{time.strftime('%Y%m%d', time.gmtime(birth * 86_400))}{rng.randrange(1000):03}"
    return Mention(
        "self",
        name=rng.choice(SURNAMES) + rng.choice(SYLLABLES) + rng.choice(SYLLABLES),
        id_type="111",
        id_number=body + check_character(body),
        sex=rng.choice("12"),
        birth_date=birth,
        ethnicity="01",
        phone=f"139{rng.randrange(10**8):08}",
        hukou_division="390102",
        hukou_address=f"青禾区临江路{rng.randrange(2000)}号",
        residence_address=f"松浦区望川街{rng.randrange(2000)}号",
    )


def observed(rng: random.Random, someone: Mention) -> Mention:
    """Return the person as one department has it: gaps and errors of some percent each."""
    values: dict[str, str | int | None] = {}
    if rng.random() < 0.08:
        values["id_number"] = None
    if rng.random() < 0.035:
        values["name"] = rng.choice(SURNAMES) + rng.choice(SYLLABLES) + rng.choice(SYLLABLES)
    if rng.random() < 0.035:
        values["birth_date"] = rng.choice((None, (someone.birth_date or 0) + 1))
    if rng.random() < 0.35:
        values["phone"] = rng.choice((None, f"137{rng.randrange(10**8):08}"))
    return msgspec.structs.replace(someone, **values)


def events(rng: random.Random, mentions: int, steady: int) -> Iterator[Record]:
    """Yield inserts of all mentions in random order, then 60 % updates, 30 % inserts and 10 % deletes."""
    people = [person(rng) for _ in range(mentions // MENTIONS_A_PERSON)]
    rows: list[tuple[str, str, Mention]] = []
    version = 1 << 100
    for number in range(mentions + steady):
        version += 1
        choice = rng.random()
        if number < mentions or choice < 0.3:
            rows.append((rng.choice(FEEDS), f'{{"id":"{number}"}}', rng.choice(people)))
            place = len(rows) - 1
        else:
            place = rng.randrange(len(rows))
        feed, key, someone = rows[place]
        deleted = number >= mentions and choice > 0.9
        if deleted:
            rows[place] = rows[-1]
            rows.pop()
        now = 1_700_000_000_000_000 + number
        mentioned = () if deleted else (observed(rng, someone),)
        yield Record(feed, "u", key, version, deleted, False, now, now, "cdc", 0, number, mentions=mentioned)


def measure(linker: DurableLinker, log: list[LogEntry], what: str) -> None:
    """Apply ``log`` in batches and print what it cost."""
    cpu: list[float] = []
    outputs = 0
    started, processor = time.monotonic(), time.process_time()
    for start in range(0, len(log), BATCH):
        batch = log[start : start + BATCH]
        before = time.process_time()
        outputs += len(linker.apply(batch))
        cpu.append(time.process_time() - before)
        linker.checkpoint()
    micro = 1e6 / len(log)
    cpu.sort()
    report(
        what,
        events=len(log),
        outputs_an_event=round(outputs / len(log), 2),
        cpu_us=round((time.process_time() - processor) * micro, 1),
        wall_us=round((time.monotonic() - started) * micro, 1),
        batch_ms_p50=round(cpu[len(cpu) // 2] * 1e3, 1),
        batch_ms_p99=round(cpu[len(cpu) * 99 // 100] * 1e3, 1),
    )


def report(what: str, **figures: float) -> None:
    print(json.dumps({"what": what, **figures}))


def main(mentions: int) -> None:
    rng = random.Random(5)
    log = [LogEntry(offset, value) for offset, value in enumerate(events(rng, mentions, STEADY))]
    gc.collect()
    gc.freeze()  # the invented log is no part of the linker
    started = time.process_time()
    for _ in range(LOOPS):
        pass
    report("this machine now", ns_a_loop=round((time.process_time() - started) / LOOPS * 1e9, 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        linker = DurableLinker(folder, 1, AUTHORITY, snapshot_entries=1 << 40, snapshot_bytes=1 << 40)
        with linker:
            linker.open()
            measure(linker, log[:mentions], "load")
            measure(linker, log[mentions:], "steady")
            report("log", bytes_an_event=round((folder / "log-00000000").stat().st_size / len(log)))
            report("state", mentions=linker.engine.mention_count, persons=linker.engine.person_count)
        with linker:
            timed("recover from the log", linker.open)
            linker.checkpoint()
            timed("snapshot", linker.snapshot)
            size = (folder / "snapshot-00000001").stat().st_size
            report("snapshot", bytes_a_mention=size // linker.engine.mention_count)
        with linker:
            timed("recover from the snapshot", linker.open)


def timed(what: str, work: Callable[[], object]) -> None:
    """Do the work and print how long it took."""
    started, processor = time.monotonic(), time.process_time()
    work()
    report(what, wall_s=round(time.monotonic() - started, 2), cpu_s=round(time.process_time() - processor, 2))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
