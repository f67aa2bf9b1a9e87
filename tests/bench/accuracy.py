"""How right the linker is about a register that nobody has developed on: simulated, normalized, linked, evaluated.

``python -m tests.bench.accuracy --people 10000 --profile province --seed 4711`` makes a register of all 32 types with
later changes, sends it through the normalizer and the engine in this one process (no Kafka, no store, no log on disk),
and holds the clusters against the truth: pairs of all roles, by subgroup, with intervals of 95 %. ``--json`` prints the
report as one line, ``--out`` writes the table for ``renkou bench --with``, ``--kinds N`` says by which kinds of records
and by which evidence the lost and the wrong pairs come (keys and values are not shown). ``--events DIR`` takes a folder
that ``renkou simulate --events`` has written, and makes one there when there is none.

What is asked is in `ASKED`: of the published statistics, of a province whose clerks err four times as often, and of
each subgroup.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter, Mark, Record
from connectors.feeds import Catalog
from connectors.simulate import PROFILES, TRUTH, Population, write_events
from linkage import heap
from linkage.engine import Engine, LogEntry
from linkage.evaluation import Interval, Scores
from linkage.outputs import IdentityChange, ReviewChange, parse_person_id
from linkage.reviews import ReviewState
from linkage.why import PairWhy, Place, why_pair
from streams.bench.figures import Section
from streams.evaluation import Evaluation, Labelled, Line, evaluate, lines_at, read_labelled
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files
from tests.bench.section import write_section

BATCH: Final = 500
CHANGES_A_PERSON: Final = 0.5
"""Transactions after the snapshot."""
PAIRS_A_SPLIT: Final = 400
"""Pairs of two parts of one person of which the likeliest is told."""
_PERCENT: Final = 100


class Asked(NamedTuple):
    """The least precision and recall of pairs, in percent."""

    precision: float
    recall: float


ASKED: Final = {
    "small": Asked(99.90, 99.75),
    "province": Asked(99.90, 99.75),
    "hostile": Asked(99.80, 98.30),
}
OF_A_SUBGROUP: Final = Asked(97.0, 98.0)
MOST_REVIEWS: Final = 2.0
"""Open reviews in percent of the records."""


class AccuracyReport(msgspec.Struct):
    """What one run found. ``reviews`` are open at the end. ``linking_cpu_s`` has the normalizer in it, and not the
    simulator.
    """

    people: int
    profile: str
    seed: int
    records: int
    dead_letters: int
    reviews: int
    unlinked: int
    unknown: int
    scores: Scores
    by_subgroup: dict[str, Scores]
    linking_cpu_s: float
    peak_memory_mb: int


@dataclass(slots=True)
class Register:
    """What the engine made of a folder of events."""

    engine: Engine
    persons: dict[int, int]
    """By the hash of a mention's place, as `streams.evaluation.Line.place` makes it."""
    open_reviews: set[str]
    dead_letters: int = 0
    cpu_s: float = 0.0


def simulate(folder: Path, people: int, profile: str, seed: int, changes: int) -> None:
    """Write the events in a process of its own, whose memory goes with it. Raises SystemExit."""
    writer = multiprocessing.get_context("spawn").Process(
        target=_write, args=(folder, people, profile, seed, changes)
    )
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        raise SystemExit("the register could not be written; the reason is above")


def _write(folder: Path, people: int, profile: str, seed: int, changes: int) -> None:
    write_events(folder, Population(seed, people, profile=PROFILES[profile]), changes)


def entries(folder: Path, register: Register) -> Iterator[list[LogEntry]]:
    """Yield the log that the normalizer makes of the events, batch by batch."""
    catalog = Catalog.load(None)
    normalizer = Normalizer(catalog, EnvelopeDecoder(None))
    batch: list[LogEntry] = []
    offset = 0
    for event in read_files(sorted(map(str, folder.glob("*.events.jsonl")))):
        if isinstance(event, DeadLetter):
            raise SystemExit(f"{folder}: {event.error}")
        for outcome in normalizer.process(event):
            value = outcome.record if isinstance(outcome, Recorded) else outcome
            if isinstance(value, Record | Mark):
                batch.append(LogEntry(offset, value))
                offset += 1
            elif isinstance(value, DeadLetter):
                register.dead_letters += 1
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def link(folder: Path) -> Register:
    """Take the events of a folder in, as replay does, and return whose each mention is."""
    register = Register(Engine(1, Catalog.load(None).authority()), {}, set())
    began = time.process_time()
    waiting = 0
    heap.begin()
    for batch in entries(folder, register):
        for output in register.engine.apply(batch):
            if isinstance(output, IdentityChange):
                place = Line(output.department, output.table, output.key, output.role, output.ordinal).place()
                number = parse_person_id(output.person_id)
                if output.is_deleted or number is None:
                    register.persons.pop(place, None)
                else:
                    register.persons[place] = number
            elif isinstance(output, ReviewChange):
                if output.state == ReviewState.OPEN:
                    register.open_reviews.add(output.review_id)
                else:
                    register.open_reviews.discard(output.review_id)
        waiting += len(batch)
        if waiting >= heap.EVERY:
            waiting = 0
            heap.rest()
    register.cpu_s = time.process_time() - began
    return register


def labelled(register: Register) -> Labelled:
    """Return the linker's clusters in the form that an evaluation takes."""
    places = np.fromiter(register.persons, np.int64, len(register.persons))
    persons = np.fromiter(register.persons.values(), np.int64, len(register.persons))
    order = np.argsort(places, kind="stable")
    nothing = np.zeros(len(places), dtype=np.int64)
    return Labelled(places[order], persons[order], nothing, nothing, ())


class Kind(NamedTuple):
    """What is alike of pairs that are lost, or wrong: which records, and what speaks for and against."""

    what: str
    left: str
    right: str
    evidence: str


def kinds(register: Register, found: Evaluation, truth: Path, limit: int) -> Counter[Kind]:
    """Count the wrong pairs of the worst errors by their kinds.

    Of two parts of a person, and of two persons in one cluster, the likeliest pair of mentions is told.
    """
    worst = found.contingency.worst(limit)
    label_of = {
        "split": found.contingency.clusters,
        "merge": found.contingency.truth,
    }
    lines = lines_at(truth, {int(found.truth.lines[m]) for one in worst for m in one.members})
    counted: Counter[Kind] = Counter()
    for one in worst:
        parts: dict[int, list[Line]] = {}
        for member in one.members:
            label = int(label_of[one.kind][member])
            parts.setdefault(label, []).append(lines[int(found.truth.lines[member])])
        ordered = sorted(parts.values(), key=len)
        for number, part in enumerate(ordered):
            for other in ordered[number + 1 :]:
                counted[_kind(register.engine, one.kind, part, other)] += len(part) * len(other)
    return counted


def _kind(engine: Engine, what: str, part: Sequence[Line], other: Sequence[Line]) -> Kind:
    best: PairWhy | None = None
    names = "", ""
    for left, right in list(product(part, other))[:PAIRS_A_SPLIT]:
        pair = why_pair(engine, _place(left), _place(right))
        if pair is None:
            continue
        # What was compared comes first: a pair without a key in common is never scored.
        rank = bool(pair.shared), pair.score
        if best is None or rank > (bool(best.shared), best.score):
            best = pair
            names = _name(left), _name(right)
    if best is None:
        return Kind(what, "gone", "gone", "")
    said = " ".join(
        f"{item.element}.{item.level}{min(item.stranger, item.family):+.0f}"
        for item in best.evidence
        if item.element != "prior"
    )
    by = ",".join(best.shared) if best.shared else "nothing in common"
    return Kind(what, *names, f"{best.score:+.0f} [{said}] {best.constraint or ''} <{by}>")


def _place(line: Line) -> Place:
    return Place(f"{line.department}.{line.table}", line.key, line.role, line.ordinal)


def _name(line: Line) -> str:
    return f"{line.department}.{line.table}" + ("" if line.role == "self" else f" ({line.role})")


def percent(figure: Interval) -> str:
    """Return a share as percent with its interval; a dash where there is nothing to count."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    value, low, high = (_PERCENT * part for part in (figure.value, figure.low, figure.high))
    return f"{value:.3f} ({low:.2f}–{high:.2f})"


def is_held(scores: Scores, asked: Asked) -> bool:
    """Say whether precision and recall of pairs are as asked; where there is no pair, nothing is missed."""
    return all(
        figure.value is None or figure.value * _PERCENT >= least
        for figure, least in zip((scores.pair_precision, scores.pair_recall), asked, strict=True)
    )


def rows_of(report: AccuracyReport) -> list[list[str]]:
    """Return the table: all pairs, then each subgroup."""
    groups = {"all": report.scores, **report.by_subgroup}
    rows = []
    for name, scores in groups.items():
        asked = ASKED[report.profile] if name == "all" else OF_A_SUBGROUP
        rows.append(
            [
                report.profile,
                name,
                f"{scores.mentions:,}",
                f"{scores.true_pairs:,}",
                percent(scores.pair_precision),
                percent(scores.pair_recall),
                f"{asked.precision:.2f} / {asked.recall:.2f}",
                "held" if is_held(scores, asked) else "missed",
            ]
        )
    share = _PERCENT * report.reviews / max(1, report.records)
    held = "held" if share <= MOST_REVIEWS else "missed"
    rows.append(
        [
            report.profile,
            "reviews",
            f"{report.records:,}",
            f"{report.reviews:,}",
            f"{share:.2f} % of records",
            "",
            f"≤ {MOST_REVIEWS} %",
            held,
        ]
    )
    return rows


HEADER: Final = ["profile", "mentions of", "mentions", "true pairs", "precision %", "recall %", "asked", ""]


def measure(
    folder: Path, people: int, profile: str, seed: int
) -> tuple[AccuracyReport, Register, Evaluation]:
    """Link a folder's events and evaluate."""
    register = link(folder)
    found = evaluate(read_labelled(folder / TRUTH), labelled(register), {})
    report = AccuracyReport(
        people=people,
        profile=profile,
        seed=seed,
        records=sum(len(feed.rows) for feed in register.engine.state.feeds.values()),
        dead_letters=register.dead_letters,
        reviews=len(register.open_reviews),
        unlinked=found.report.unlinked,
        unknown=found.report.unknown,
        scores=found.report.scores,
        by_subgroup=found.report.by_subgroup,
        linking_cpu_s=round(register.cpu_s, 1),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    return report, register, found


def main() -> None:
    """Simulate, link, evaluate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="province")
    parser.add_argument("--seed", type=int, required=True, help="one that nobody has developed on")
    parser.add_argument("--changes", type=int, help="transactions after the snapshot; half as many as people")
    parser.add_argument("--events", type=Path, metavar="DIR", help="use, or make and keep, the events here")
    parser.add_argument(
        "--kinds", type=int, default=0, metavar="N", help="tell the N most frequent kinds of errors"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    parser.add_argument("--out", type=Path, help="write the table here, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.events or Path(scratch) / "events"
        if not (folder / TRUTH).exists():
            changes = options.changes
            if changes is None:
                changes = round(options.people * CHANGES_A_PERSON)
            simulate(folder, options.people, options.profile, options.seed, changes)
        report, register, found = measure(folder, options.people, options.profile, options.seed)
        rows = rows_of(report)
        if options.json:
            print(msgspec.json.encode(report).decode())
        else:
            for row in [HEADER, *rows]:
                print("  ".join(f"{cell:>{16 if place < 4 else 26}}" for place, cell in enumerate(row)))
        if options.kinds:
            counted = kinds(register, found, folder / TRUTH, options.kinds * 50)
            for kind, pairs in counted.most_common(options.kinds):
                print(f"{pairs:6}  {kind.what}: {kind.left} – {kind.right}: {kind.evidence}", file=sys.stderr)
    note = (
        f"{report.people:,} people, seed {report.seed}, {report.records:,} records of all 32 types, all roles; "
        f"{report.dead_letters} dead letters; {report.linking_cpu_s} s of processor for normalizing and linking, "
        f"{report.peak_memory_mb:,} MB at most."
    )
    write_section(options.out, Section("Accuracy on a held-out register", HEADER, rows, [note]))


if __name__ == "__main__":
    main()
