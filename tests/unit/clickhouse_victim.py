"""A process that writes a seeded history in batches, acknowledges each, and is killed at it.

Usage: python -m tests.unit.clickhouse_victim FOLDER SEED. Writes the number of acknowledged entries to
``FOLDER/acked``.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from connectors.clickhouse import open_store
from tests.unit.clickhouse_source import Source, feed_table, write_schema

CHANGES = 150


def history(folder: Path, seed: int) -> Source:
    """Return the source after its seeded life."""
    source = Source(write_schema(folder / "schemas"))
    source.live(CHANGES, random.Random(seed))
    return source


def main(folder: Path, seed: int) -> None:
    """Go on from what is acknowledged until everything is."""
    source = history(folder, seed)
    acked = folder / "acked"
    place = int(acked.read_text()) if acked.exists() else 0
    cut = random.Random(os.getpid())
    store = open_store(folder / "store", "", [feed_table(source.codec)])
    try:
        print("open", flush=True)
        while place < len(source.log):
            end = min(len(source.log), place + cut.randint(1, 12))
            store.writer.write(source.batch(source.log[place:end]))
            place = end
            temporary = acked.with_suffix(".tmp")
            temporary.write_text(str(place))
            os.replace(temporary, acked)
    finally:
        store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
