"""What a row costs on its way into the store, by part: processor time of the whole process, merges included.

Catch-up writes full batches of the 33-column feed, first its records alone, then with the linker's answers. Live writes
5,000 rows a second over four tables, a batch of half a second each. Usage: python -m tests.bench.sink [RECORDS].
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

from avro.change import Change, Op, Place
from avro.envelope import EnvelopeDecoder
from avro.outline import outlines
from avro.record import PERSON_ELEMENTS
from avro.registry import LocalRegistry
from connectors.clickhouse.engine import EmbeddedEngine, Target
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from linkage.outputs import IdentityChange, PersonChange, Value
from streams import topics
from streams.schemas import TopicSchemas
from streams.sink import SinkAgent, SourceBoard, feed_tables
from tests.support.province import Message
from tests.unit.feed_rows import CASES

FEED = "police.hj_ryjbxx"
BATCH = 10_000
LIVE_ROWS = 2_500
LIVE_BATCHES = 20
MICRO = 1_000_000


def processor_seconds() -> float:
    """Return the processor time of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Invented:
    """Messages about people who differ in their numbers."""

    def __init__(self) -> None:
        self.catalog = Catalog.load(None)
        self.registry = LocalRegistry()
        self.schemas = TopicSchemas(self.registry, self.catalog)
        self._feed = self.catalog.by_id(FEED)
        self._row = dict.fromkeys(self._feed.columns) | CASES[FEED].row
        known: dict[str, Value] = {
            "name": "王建国", "id_number": "390102198503121234", "sex": "1", "birth_date": 5549,
            "phone": "13900000001", "hukou_division": "390102", "workplace": "云州机床厂",
        }  # fmt: skip
        self._values = tuple(map(known.get, PERSON_ELEMENTS))

    def record(self, number: int) -> Message:
        """Return the record of one row."""
        key = f'{{"RYNBID":{number}}}'
        change = Change(
            place=Place(self._feed.topic, 0, number), department="police", schema="public", table=self._feed.table,
            op=Op.UPDATE, key=key, version=(1 << 64) + number, source_time=number, captured_time=number,
            after=self._row | {"RYNBID": number, "LXDH": f"139{number:08d}"},
        )  # fmt: skip
        made = self._feed.normalize(change)
        datum = self._feed.codec.encode(made.record, made.raw, made.elements)
        return Message(topics.RECORDS, self.schemas.frame_record(FEED, datum))

    def identity(self, number: int) -> Message:
        """Return whose record it is."""
        change = IdentityChange(
            "police", "hj_ryjbxx", f'{{"RYNBID":{number}}}', "self", 0, f"P{number:010d}", "id_number", number, False,
            serial=number,
        )  # fmt: skip
        return Message(
            topics.IDENTITIES,
            self.schemas.frame_identity(self.schemas.identity.encode(change.to_avro())),
        )

    def person(self, number: int) -> Message:
        """Return the person."""
        provenance = (
            f'{{"feeds":["{FEED}"],"records":[[0,"{{\\"RYNBID\\":{number}}}",{number}]],"elements":{{}}}}'
        )
        change = PersonChange(f"P{number:010d}", "active", None, None, self._values, provenance, 1, number)
        return Message(
            topics.PERSONS, self.schemas.frame_person(self.schemas.person.encode(change.to_avro()))
        )


class Parts:
    """Processor time and statements by table."""

    used: ClassVar[dict[str, float]] = defaultdict(float)
    statements: ClassVar[dict[str, int]] = defaultdict(int)

    @classmethod
    def watch(cls) -> None:
        """Let every load be counted."""
        plain = EmbeddedEngine.load

        def load(engine: EmbeddedEngine, container: bytes, targets: Sequence[Target]) -> None:
            for target in targets:
                before = processor_seconds()
                plain(engine, container, [target])
                cls.used[target.table] += processor_seconds() - before
                cls.statements[target.table] += 1

        patch.object(EmbeddedEngine, "load", load).start()


def measure(what: str, agent: SinkAgent, batches: Sequence[Sequence[Sequence[Message]]]) -> None:
    """Write the batches and print what they cost."""
    records = sum(len(chunk) for batch in batches for chunk in batch if chunk[0].topic == topics.RECORDS)
    others = sum(len(chunk) for batch in batches for chunk in batch) - records
    persons = sum(len(chunk) for batch in batches for chunk in batch if chunk[0].topic == topics.PERSONS)
    rows = 2 * records + others + persons
    Parts.used.clear()
    Parts.statements.clear()
    used, wall = processor_seconds(), time.perf_counter()
    slowest = 0.0
    for batch in batches:
        began = time.perf_counter()
        agent.write(batch)
        slowest = max(slowest, time.perf_counter() - began)
    used, wall = processor_seconds() - used, time.perf_counter() - wall
    print(
        f"{what}: {MICRO * used / records:.1f} µs a record, {MICRO * used / rows:.1f} a row: on one core"
        f" {records / used:,.0f} records/s, {rows / used:,.0f} rows/s; {1000 * used / len(batches):.0f} ms a batch;"
        f" slowest batch {slowest:.2f} s on the wall, {rows / wall:,.0f} rows/s"
    )
    for table, seconds in Parts.used.items():
        print(
            f"  {table:36} {MICRO * seconds / records:6.1f} µs a record,"
            f" {1000 * seconds / Parts.statements[table]:7.1f} ms a statement"
        )
    print(f"  {'everything else':36} {MICRO * (used - sum(Parts.used.values())) / records:6.1f} µs a record")


def resident() -> int:
    """Return this process's memory in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def main(count: int) -> None:
    """Measure catch-up and live."""
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    invented = Invented()
    records = [invented.record(number) for number in range(count)]
    linked = [[make(n) for n in range(count)] for make in (invented.identity, invented.person)]
    datums = [message.value[5:] for message in records[:BATCH]]
    used = processor_seconds()
    outlines(datums)
    print(f"outline: {MICRO * (processor_seconds() - used) / len(datums):.1f} µs a record")
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    store = open_store(folder / "store", "", feed_tables(invented.catalog))
    try:
        decoder = EnvelopeDecoder(invented.registry)
        agent = SinkAgent(store.writer, invented.schemas, decoder, {}, SourceBoard())
        Parts.watch()
        full = range(0, count, BATCH)
        measure("catch-up, records", agent, [[records[at : at + BATCH]] for at in full])
        first = resident()
        whole = [[records[at : at + BATCH], *(part[at : at + BATCH] for part in linked)] for at in full]
        measure("catch-up, records and answers", agent, whole)
        for _ in range(2):
            measure("the same again", agent, whole)
        print(f"memory: {first} MB after the first run, {resident()} MB after the last")
        # A record, its mention, its identity, and its person: four tables.
        size = LIVE_ROWS // 4
        live = [
            [records[at : at + size], linked[0][at : at + size], linked[1][at : at + size]]
            for at in (size * number % (count - size) for number in range(LIVE_BATCHES))
        ]
        measure(f"live, {LIVE_ROWS} rows a batch", agent, live)
    finally:
        store.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40_000)
