"""A process that writes a seeded history in batches, acknowledges each, and is killed at it.

Usage: python -m tests.unit.clickhouse_victim FOLDER SEED. Writes the number of acknowledged entries to
``FOLDER/acked``.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from avro.codec import DatumCodec
from avro.record import PERSON_ELEMENTS, Mark, Record
from avro.schema import shared_schema
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.store import open_store
from linkage.outputs import NO_VALUES, IdentityChange, PersonChange
from tests.unit.clickhouse_source import FEED, Source, feed_table, write_schema

CHANGES = 150
_identities = DatumCodec(shared_schema("Identity"))
_persons = DatumCodec(shared_schema("Person"))


def history(folder: Path, seed: int) -> Source:
    """Return the source after its seeded life."""
    source = Source(write_schema(folder / "schemas"))
    source.live(CHANGES, random.Random(seed))
    return source


def batch_of(source: Source, entries: list[Record | Mark]) -> Batch:
    """Return the entries as a batch, with what a linker might say of each: an identity, a person and its history."""
    batch = source.batch(entries)
    department, _, table = FEED.partition(".")
    for entry in entries:
        if isinstance(entry, Mark):
            continue
        name = next((mention.name for mention in entry.mentions), None)
        values = tuple(name if element == "name" else None for element in PERSON_ELEMENTS)
        person = f"P{int(entry.key.strip('}').rpartition(':')[2]):010d}"
        gone = entry.is_deleted
        identity = IdentityChange(
            department, table, entry.key, "self", 0, person, "id", entry.version, gone, entry.version
        )
        state = "retired" if gone else "active"
        change = PersonChange(
            person, state, None, None, NO_VALUES if gone else values, "{}", int(not gone), entry.version
        )
        batch.add_identity(_identities.encode(identity.to_avro()), entry.source_time)
        batch.add_person(_persons.encode(change.to_avro()), entry.source_time)
    return batch


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
            store.writer.write(batch_of(source, source.log[place:end]))
            place = end
            temporary = acked.with_suffix(".tmp")
            temporary.write_text(str(place))
            os.replace(temporary, acked)
    finally:
        store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
