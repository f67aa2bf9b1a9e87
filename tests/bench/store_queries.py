"""How quickly the store answers: look-ups of persons by key, number and name, lists, aggregates, a quick query beside a
slow one. Usage: python -m tests.bench.store_queries [PERSONS]. Persons are invented in the engine, three records each.
"""

from __future__ import annotations

import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.clickhouse.access import Local
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import Store, open_store
from connectors.feeds import Catalog

BATCH = 50_000
RECORDS = 3
SLOW = "SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_block_size = 1"

_NAME = (
    "concat(char(228, 184, 128 + {n} % 60), char(229, 184, 128 + intDiv({n}, 60) % 60),"
    " char(230, 184, 128 + intDiv({n}, 3600) % 60))"
)
_PERSON = "concat('P', leftPad(toString({n}), 10, '0'))"
_NUMBER = "toString(390000000000000000 + {n})"
_PLACE = (
    "['police', 'health', 'hrss'][1 + number % 3], ['hj_ryjbxx', 'health_record', 'ac01'][1 + number % 3],"
    " concat('{\"id\":', toString(intDiv(number, 3)), '}'), 'self', 0"
)


def fill(store: Store, persons: int) -> None:
    """Write persons, identities and mentions, as an initial load would."""
    whom = f"intDiv(number, {RECORDS})"
    for start in range(0, persons, BATCH):
        count = min(BATCH, persons - start)
        store.side.command(
            "INSERT INTO renkou.persons_all (person_id, state, name, id_number, sex, birth_date, hukou_division, phone,"
            f" provenance, mention_count, version) SELECT {_PERSON.format(n='number')}, 'active',"
            f" {_NAME.format(n='number')}, {_NUMBER.format(n='number')}, toString(1 + number % 2),"
            " toDate32('1940-01-01') + number % 30000, toString(390100 + number % 40), toString(13900000000 + number),"
            f" '{{}}', {RECORDS}, number FROM numbers({start}, {count})"
        )
        numbers = f"FROM numbers({start * RECORDS}, {count * RECORDS})"
        for table in ("identities", "identity_history"):
            store.side.command(
                f"INSERT INTO renkou.{table}_all (department, `table`, key, role, ordinal, person_id, rule, version)"
                f" SELECT {_PLACE}, {_PERSON.format(n=whom)}, 'id', number {numbers}"
            )
        store.side.command(
            "INSERT INTO renkou.mentions_all (department, `table`, key, role, ordinal, name, id_number, source_time,"
            f" version) SELECT {_PLACE}, {_NAME.format(n=whom)}, {_NUMBER.format(n=whom)}, now64(6), number {numbers}"
        )


def name_of(number: int) -> str:
    """Return the name of a person of `fill`."""
    three = (
        228,
        184,
        128 + number % 60,
        229,
        184,
        128 + number // 60 % 60,
        230,
        184,
        128 + number // 3600 % 60,
    )
    return bytes(three).decode()


class Bench:
    """Asks and prints."""

    def __init__(self, store: Store, persons: int) -> None:
        assert store.readers is not None
        self._access = Local(store.readers)
        rng = random.Random(1)
        self.key = lambda: {"v": f"P{rng.randrange(persons):010d}"}
        self.number = lambda: {"v": str(390000000000000000 + rng.randrange(persons))}
        self.name = lambda: {"v": name_of(rng.randrange(persons))}

    def ask(self, query: str, parameters: Mapping[str, str]) -> None:
        """Read a result to its end."""
        assert b"".join(self._access.blocks(query, "JSONEachRow", parameters)), query

    def measure(
        self, what: str, query: str, parameters: Callable[[], Mapping[str, str]], times: int = 40
    ) -> None:
        """Print the medians of the wall's clock and of the processor's, with the 95th percentile."""
        walls, processors = [], []
        for _ in range(times):
            given, wall, processor = parameters(), time.perf_counter(), time.process_time()
            self.ask(query, given)
            walls.append(1000 * (time.perf_counter() - wall))
            processors.append(1000 * (time.process_time() - processor))
        walls.sort()
        print(
            f"{what:28} p50 {statistics.median(walls):7.1f} ms, p95 {walls[int(0.95 * times)]:7.1f},"
            f" of processor {statistics.median(processors):7.1f}"
        )

    def run(self) -> None:
        """Measure all."""
        self.measure("person by key", "SELECT * FROM persons WHERE person_id = {v:String}", self.key)
        self.measure(
            "all mentions of a person", "SELECT * FROM mentions_by_person(value = {v:String})", self.key
        )
        self.measure(
            "person by number", "SELECT * FROM persons_by_id_number(value = {v:String})", self.number
        )
        self.measure("person by name", "SELECT * FROM persons_by_name(value = {v:String})", self.name)
        self.measure(
            "filtered list of 100",
            "SELECT person_id, name FROM persons WHERE sex = '1' AND hukou_division = '390102' LIMIT 100",
            dict,
        )
        self.measure(
            "population by district", "SELECT division, sum(persons) FROM population GROUP BY 1", dict, 10
        )
        slow = threading.Thread(target=self.ask, args=(SLOW, {}))
        slow.start()
        time.sleep(0.2)
        self.measure("SELECT 1 beside a slow one", "SELECT 1", dict)
        slow.join()


def main(persons: int) -> None:
    """Fill a store and measure it as the load left it and merged whole."""
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    feeds = [FeedTable(feed.id, feed.codec.schema, feed.roles) for feed in Catalog.load(None).feeds]
    store = open_store(folder / "store", "", feeds)
    try:
        fill(store, persons)
        bench = Bench(store, persons)
        for state in ("as loaded", "merged whole"):
            print(f"{persons} persons, {RECORDS * persons} records, {state}")
            bench.run()
            for table in ("persons", "identities", "identity_history", "mentions"):
                store.side.command(f"OPTIMIZE TABLE renkou.{table}_all FINAL")
    finally:
        store.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
