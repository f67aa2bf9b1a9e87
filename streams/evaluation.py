"""An evaluation of the store's identities: the truth's file joined with the store, by a hash of each mention's place.

A truth is JSON lines or CSV with the fields department, table, key, role, person (or person_id), and where there are
any ordinal and subgroups (a list; in CSV separated by ``|``). Lines with ``op`` are a history, as the simulator keeps
it beside databases: c the row comes, d it goes, k its key changes from ``previous_key``; the last line of a mention
holds. Memory is about 40 bytes a line and what the store answers.
"""

from __future__ import annotations

import csv
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from connectors.clickhouse.access import Access
from linkage.evaluation import Confusion, Contingency, Labels, Scores
from streams.errors import StreamError

_IDENTITIES: Final = "SELECT department, table, key, role, ordinal, toString(person_id) FROM identities"
_GROUPS_LIMIT: Final = 62
"""Subgroups that a mask has room for."""
_SEPARATOR: Final = "|"


class TruthError(StreamError):
    """A file of truth cannot be used."""


class Line(msgspec.Struct):
    """A line of a truth, or of identities as ``renkou sql`` prints them."""

    department: str
    table: str
    key: str
    role: str
    ordinal: int = 0
    person: str = ""
    person_id: str = ""
    subgroups: list[str] = []
    op: str = "c"
    previous_key: str | None = None

    @property
    def whom(self) -> str:
        """The person, under either name."""
        return self.person or self.person_id

    def place(self, key: str | None = None) -> int:
        """Return a hash of the mention's place: 63 bits, so that 10 million mentions collide once in 200,000 files."""
        text = _SEPARATOR.join(
            (self.department, self.table, compact(key or self.key), self.role, str(self.ordinal))
        )
        return _hash(text)


@dataclass(slots=True)
class Labelled:
    """Mentions with whose they are, in the order of ``places``. ``lines`` is where each stands in its file, from 0;
    ``masks`` has a bit for each of ``groups``.
    """

    places: Labels
    persons: Labels
    lines: Labels
    masks: Labels
    groups: tuple[str, ...]


class Report(msgspec.Struct):
    """What an evaluation found. ``unlinked`` mentions of the truth the store has no person for: each counts as a
    cluster of its own. ``unknown`` identities are of no mention in the truth, and are left out.
    ``merged_since``, ``split_since``: clusters that hold several of the previous state's, and the reverse.
    """

    scores: Scores
    unlinked: int
    unknown: int
    by_subgroup: dict[str, Scores]
    by_feed: dict[str, Scores]
    merged_since: int | None = None
    split_since: int | None = None


@dataclass(slots=True)
class Evaluation:
    """The joined mentions, and what was found."""

    report: Report
    contingency: Contingency
    truth: Labelled

    def worst(self, limit: int) -> list[Confusion]:
        """Return the worst errors, their members as line numbers of the truth, from 0; each has two at least."""
        found: list[Confusion] = []
        for one in self.contingency.worst(limit):
            members = self._telling(one)
            found.append(
                Confusion(one.kind, one.wrong_pairs, tuple(int(self.truth.lines[m]) for m in members))
            )
        return found

    def _telling(self, one: Confusion) -> tuple[int, ...]:
        """Put two members first that are wrongly together, or wrongly apart; else in the order of the truth."""
        labels = self.contingency.truth if one.kind == "merge" else self.contingency.clusters
        first, *others = sorted(one.members, key=lambda member: int(self.truth.lines[member]))
        other = next(member for member in others if labels[member] != labels[first])
        return (first, other, *(member for member in others if member != other))


def read_labelled(path: Path) -> Labelled:
    """Read a truth, or identities. Raises TruthError, OSError."""
    places, persons, lines, masks, alive = array("q"), array("q"), array("q"), array("q"), array("b")
    names: dict[str, int] = {}
    groups: dict[str, int] = {}
    has_history = False

    def add(place: int, person: int, line: int, mask: int, *, is_alive: bool) -> None:
        places.append(place)
        persons.append(person)
        lines.append(line)
        masks.append(mask)
        alive.append(is_alive)

    for number, line in enumerate(read_lines(path)):
        mask = 0
        for group in line.subgroups:
            mask |= 1 << groups.setdefault(group, len(groups))
        has_history |= line.op != "c"
        if line.op == "k" and line.previous_key is not None:
            add(line.place(line.previous_key), 0, number, 0, is_alive=False)
        elif not line.whom and line.op != "d":
            raise TruthError(f"{path}: line {number + 1} names no person; give it a field person")
        add(line.place(), names.setdefault(line.whom, len(names)), number, mask, is_alive=line.op != "d")
    if len(groups) > _GROUPS_LIMIT:
        raise TruthError(
            f"{path}: {len(groups)} subgroups; at most {_GROUPS_LIMIT} are counted apart, merge some"
        )
    columns = [np.array(column, dtype=np.int64) for column in (places, persons, lines, masks)]
    found = Labelled(columns[0], columns[1], columns[2], columns[3], tuple(groups))
    return _last(path, found, np.array(alive, dtype=bool), has_history=has_history)


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a truth. Raises TruthError, which names file and line, and OSError."""
    if path.suffix == ".csv":
        yield from _csv_lines(path)
        return
    decode = msgspec.json.Decoder(Line).decode
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                yield decode(text)
            except msgspec.DecodeError as error:
                raise TruthError(
                    f"{path}: line {number} is no line of a truth ({_without_values(error)}); "
                    "see renkou evaluate --help"
                ) from None


def identities(access: Access) -> Labelled:
    """Read the store's identities. Raises QueryError."""
    decode = msgspec.json.Decoder(tuple[str, str, str, str, int, str]).decode
    places, persons = array("q"), array("q")
    names: dict[str, int] = {}
    for line in _whole_lines(access.blocks(_IDENTITIES, "JSONCompactEachRow")):
        department, table, key, role, ordinal, person = decode(line)
        places.append(_hash(_SEPARATOR.join((department, table, key, role, str(ordinal)))))
        persons.append(names.setdefault(person, len(names)))
    nothing = np.zeros(len(places), dtype=np.int64)
    found = Labelled(
        np.array(places, dtype=np.int64), np.array(persons, dtype=np.int64), nothing, nothing, ()
    )
    order = np.argsort(found.places, kind="stable")
    return _taken(found, order)


def evaluate(
    truth: Labelled,
    linked: Labelled,
    feeds: Mapping[str, NDArray[np.bool_]],
    previous: Labelled | None = None,
) -> Evaluation:
    """Compare. ``feeds`` chooses the truth's mentions of each feed."""
    clusters, is_linked = _joined(truth.places, linked)
    clusters[~is_linked] = -1 - np.arange(int((~is_linked).sum()))
    contingency = Contingency(truth.persons, clusters)
    by_subgroup = {
        group: contingency.scores((truth.masks >> bit & 1).astype(bool))
        for bit, group in enumerate(truth.groups)
    }
    report = Report(
        scores=contingency.scores(),
        unlinked=int((~is_linked).sum()),
        unknown=len(linked.places) - int(_joined(linked.places, truth)[1].sum()),
        by_subgroup=dict(sorted(by_subgroup.items())),
        by_feed={feed: contingency.scores(chosen) for feed, chosen in feeds.items()},
    )
    if previous is not None:
        before, was_there = _joined(linked.places, previous)
        moved = Contingency(before[was_there], linked.persons[was_there]).scores(replicates=1)
        report.merged_since, report.split_since = moved.merges, moved.splits
    return Evaluation(report, contingency, truth)


def feeds_of(path: Path, truth: Labelled) -> dict[str, NDArray[np.bool_]]:
    """Return which mentions of the truth are of each ``<department>.<table>``, by name."""
    numbers: dict[str, int] = {}
    by_line = np.fromiter(
        (numbers.setdefault(f"{line.department}.{line.table}", len(numbers)) for line in read_lines(path)),
        np.int64,
    )
    own = by_line[truth.lines]
    return {feed: own == numbers[feed] for feed in sorted(numbers)}


def lines_at(path: Path, numbers: Iterable[int]) -> dict[int, Line]:
    """Return the lines with these numbers, from 0."""
    wanted = set(numbers)
    return {number: line for number, line in enumerate(read_lines(path)) if number in wanted}


def compact(key: str) -> str:
    """Return the key as the store has it: JSON without blanks. What is no JSON stays as it is."""
    if " " not in key:
        return key
    try:
        return msgspec.json.encode(json.loads(key)).decode()
    except ValueError:
        return key


def _last(path: Path, found: Labelled, alive: NDArray[np.bool_], *, has_history: bool) -> Labelled:
    """Keep the last line of each place, sorted by place, where it says that there is a mention."""
    order = np.argsort(found.places, kind="stable")
    ordered = found.places[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    if not has_history and not is_last.all():
        number = int(found.lines[order[int(np.flatnonzero(~is_last)[0]) + 1]]) + 1
        raise TruthError(
            f"{path}: line {number} names a mention that an earlier line names; leave one of them"
        )
    kept = order[is_last]
    return _taken(found, kept[alive[kept]])


def _taken(found: Labelled, order: NDArray[np.intp]) -> Labelled:
    return Labelled(
        found.places[order], found.persons[order], found.lines[order], found.masks[order], found.groups
    )


def _joined(places: Labels, others: Labelled) -> tuple[Labels, NDArray[np.bool_]]:
    """Return for each place the person that the others have there, and whether they have one."""
    if not len(others.places):
        return np.zeros(len(places), dtype=np.int64), np.zeros(len(places), dtype=bool)
    at = np.minimum(np.searchsorted(others.places, places), len(others.places) - 1)
    return others.persons[at].copy(), others.places[at] == places


def _csv_lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                yield Line(
                    row["department"],
                    row["table"],
                    row["key"],
                    row["role"],
                    int(row.get("ordinal") or 0),
                    row.get("person") or row.get("person_id") or "",
                    subgroups=[group for group in (row.get("subgroups") or "").split(_SEPARATOR) if group],
                )
            except (KeyError, ValueError):
                raise TruthError(
                    f"{path}: line {number} is no line of a truth; it needs department, table, key, role, person"
                ) from None


def _whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def _without_values(error: msgspec.DecodeError) -> str:
    return (
        "a field has the wrong type or is missing"
        if isinstance(error, msgspec.ValidationError)
        else "not JSON"
    )
