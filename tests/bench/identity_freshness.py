"""How old an identity is: the linker, record by record, beside Splink in hourly batches over the same records.

``python -m tests.bench.identity_freshness --splink PYTHON [--people N] [--seed N] [--out FILE]`` simulates a register,
takes the records of its people (one mention each, roles and kin left out, so that both are asked the same) and links
them both ways, in one run. In batches an identity waits half an hour on average and an hour at worst, and then for the
batch; all records are linked anew each time, as a batch does. The linker's wait is what its batch of 500 takes.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter, Mention, Record
from connectors.feeds import Catalog
from connectors.simulate import TRUTH, Population, write_events
from linkage.engine import Engine, LogEntry
from linkage.evaluation import Contingency, Scores
from linkage.outputs import IdentityChange
from streams.bench.figures import Section
from streams.evaluation import read_lines
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files
from tests.bench.section import write_section

SPLINK: Final = Path(__file__).parent / "peers" / "splink_register.py"
SPLINK_SECONDS: Final = 1800.0
HOUR: Final = 3600.0
BATCH: Final = 500
FIELDS: Final = ("rec_id", "name", "id_number", "birth_date", "sex", "phone", "address")
SELF: Final = "self"


class Told(msgspec.Struct):
    """What became of the records one way. ``wait_mean`` and ``wait_worst`` are how long an identity is not known."""

    name: str
    cpu_s: float
    wait_mean: float
    wait_worst: float
    scores: Scores


def records(folder: Path) -> dict[str, Record]:
    """Return the snapshot's records about one person each, by place."""
    normalizer = Normalizer(Catalog.load(None), EnvelopeDecoder(None))
    found: dict[str, Record] = {}
    for event in read_files(sorted(map(str, folder.glob("1-*.events.jsonl")))):
        if isinstance(event, DeadLetter):
            raise SystemExit(f"an event cannot be read: {event.error}")
        for outcome in normalizer.process(event):
            if isinstance(outcome, Recorded):
                record = outcome.record
                own = tuple(
                    Mention(SELF, name=one.name, id_number=one.id_number, birth_date=one.birth_date, sex=one.sex,
                            phone=one.phone, residence_address=one.residence_address or one.hukou_address)
                    for one in record.mentions if one.role == SELF and one.ordinal == 0
                )  # fmt: skip
                if own:
                    found[f"{record.feed}|{record.key}"] = msgspec.structs.replace(record, mentions=own)
    return found


def truth(folder: Path, places: dict[str, Record]) -> dict[str, str]:
    """Return whose each record is."""
    return {
        place: line.whom
        for line in read_lines(folder / TRUTH)
        if line.role == SELF
        and line.ordinal == 0
        and (place := f"{line.department}.{line.table}|{line.key}") in places
    }


def incremental(places: dict[str, Record], whose: dict[str, str]) -> Told:
    """Link record by record."""
    engine = Engine(1, Catalog.load(None).authority())
    persons: dict[str, str] = {}
    waits: list[float] = []
    began = time.process_time()
    entries = [LogEntry(offset, record) for offset, record in enumerate(places.values())]
    for first in range(0, len(entries), BATCH):
        started = time.monotonic()
        for output in engine.apply(entries[first : first + BATCH]):
            if isinstance(output, IdentityChange):
                persons[f"{output.department}.{output.table}|{output.key}"] = output.person_id
        waits.append(time.monotonic() - started)
    return Told(
        "renkou, as they come", time.process_time() - began, sum(waits) / len(waits), max(waits),
        score(whose, persons),
    )  # fmt: skip


def batches(python: str, places: dict[str, Record], whose: dict[str, str], folder: Path) -> Told:
    """Link all at once with Splink, as a batch each hour would."""
    path = folder / "records.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for place, record in places.items():
            one = record.mentions[0]
            writer.writerow(
                (place, one.name, one.id_number, one.birth_date, one.sex, one.phone, one.residence_address)
            )
    done = subprocess.run(
        [python, str(SPLINK), str(path)], capture_output=True, text=True, check=False, timeout=SPLINK_SECONDS
    )
    if done.returncode:
        raise SystemExit(f"Splink failed:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    seconds = float(answer["seconds"])
    return Told(
        "Splink, hourly batches", float(answer["cpu"]), HOUR / 2 + seconds, HOUR + seconds,
        score(whose, answer["clusters"]),
    )  # fmt: skip


def score(whose: dict[str, str], clusters: dict[str, str]) -> Scores:
    """Hold clusters against the truth; a record without one is a cluster of its own."""
    labels: tuple[dict[str, int], dict[str, int]] = {}, {}
    columns = [
        [labels[0].setdefault(person, len(labels[0])) for person in whose.values()],
        [labels[1].setdefault(clusters.get(place, place), len(labels[1])) for place in whose],
    ]
    true, found = (np.array(column, dtype=np.int64) for column in columns)
    return Contingency(true, found).scores(replicates=1)


def main() -> None:
    """Simulate, link both ways, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splink", metavar="PYTHON", required=True, help="a venv's Python that has splink")
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the table here, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "events"
        write_events(folder, Population(options.seed, options.people), 0)
        places = records(folder)
        whose = truth(folder, places)
        places = {place: record for place, record in places.items() if place in whose}
        told = [incremental(places, whose), batches(options.splink, places, whose, Path(name))]
    rows = [
        [one.name, f"{len(places):,}", f"{one.wait_mean:,.2f}", f"{one.wait_worst:,.2f}", f"{one.cpu_s:.1f}",
         *(f"{100 * (figure.value or 0.0):.2f}" for figure in (one.scores.pair_precision, one.scores.pair_recall))]
        for one in told
    ]  # fmt: skip
    header = [
        "linked by",
        "records",
        "identity after, mean s",
        "worst s",
        "CPU s for all",
        "precision %",
        "recall %",
    ]
    for row in [header, *rows]:
        print("  ".join(f"{cell:>22}" for cell in row))
    note = (
        "One mention a record, roles, kin and the sources' own numbers left out for both. A batch links everything "
        "anew each hour; the waits of capture, normalizing and storing come on top of both."
    )
    write_section(
        options.out, Section("Freshness of an identity: incremental beside batches", header, rows, [note])
    )


if __name__ == "__main__":
    main()
