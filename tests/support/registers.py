"""Simulated registers of all types as the linker's log, and canonical forms of what linking made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from avro.envelope import EnvelopeDecoder
from avro.record import Mark, Record
from connectors.feeds import Catalog
from connectors.simulate.events import write
from connectors.simulate.population import Population
from connectors.simulate.profiles import PROFILES
from linkage.engine import Engine, LogEntry
from linkage.outputs import Output, PersonChange
from streams.normalize import Normalizer, Recorded
from streams.replay import read_files

Spot = tuple[str, str, str, int]
"""Feed, key, role, ordinal."""


def register_log(folder: Path, people: int, seed: int, profile: str = "hostile") -> list[LogEntry]:
    """Return what the normalizer makes of a register and of changes to it; the truth is left in the folder."""
    write(folder, Population(seed, people, profile=PROFILES[profile]), people // 2)
    normalizer = Normalizer(Catalog.load(None), EnvelopeDecoder(None))
    log: list[LogEntry] = []
    for event in read_files(sorted(map(str, folder.glob("*.events.jsonl")))):
        for outcome in normalizer.process(event):  # type: ignore[arg-type]
            value = outcome.record if isinstance(outcome, Recorded) else outcome
            if isinstance(value, Record | Mark):
                log.append(LogEntry(len(log), value))
    return log


def owners(folder: Path) -> dict[Spot, str]:
    """Return whose each mention is by the truth beside a register."""
    found: dict[Spot, str] = {}
    with (folder / "truth.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            found[f"{row['department']}.{row['table']}", row["key"], row["role"], row["ordinal"]] = row[
                "person"
            ]
    return found


def clusters(engine: Engine) -> dict[frozenset[Spot], int]:
    """Return who is one person, with the person's number."""
    return {
        frozenset(
            [(one.row.feed.name, one.row.key, one.role, one.ordinal) for one in person.mentions]
        ): person.number
        for person in engine.state.persons.values()
    }


def records(engine: Engine, outputs: Iterable[Output]) -> dict[frozenset[Spot], tuple[object, ...]]:
    """Return the golden record of each cluster as it was last put out: values and provenance."""
    newest: dict[str, PersonChange] = {}
    for output in outputs:
        if isinstance(output, PersonChange):
            newest[output.person_id] = output
    golden = {int(person_id[1:]): (one.elements, one.provenance) for person_id, one in newest.items()}
    return {places: golden[number] for places, number in clusters(engine).items()}


def digest(engine: Engine) -> str:
    """Return a digest of the state: mentions with persons and rules, links with scores, reviews, offset."""
    state = engine.state
    spots: list[tuple[object, ...]] = []
    edges: list[tuple[object, ...]] = []
    for person in state.persons.values():
        for one in person.mentions:
            spots.append(
                (
                    one.place,
                    person.number,
                    str(one.rule),
                    one.serial,
                    state.values.said(one.value),
                    one.invalid,
                )
            )
        members = state.graph.members
        for node in {one.node: None for one in person.mentions}:
            own = min([one.place for one in members[node]])
            edges += [
                (own, min([one.place for one in members[other]]), score)
                for other, score in state.graph.edges(node)
            ]
    whole = (sorted(spots), sorted(edges), state.offset, sorted(state.merged.items()), state.next_person)
    reviews = sorted([review.review_id for review in state.reviews.all()])
    return blake2b(repr((whole, reviews)).encode(), digest_size=16).hexdigest()


def as_bytes(outputs: Iterable[Output]) -> list[bytes]:
    """Return outputs as bytes: equal means equal to the byte."""
    return [repr(output).encode() for output in outputs]
