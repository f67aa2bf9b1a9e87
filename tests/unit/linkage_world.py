"""Small worlds for the linker's tests: source histories, an oracle in plain Python, and a table of what was
put out.

The oracle knows the rules as `docs` state them and shares no code with `linkage`: it compares all pairs of
mentions and takes networkx's components.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import networkx
from hypothesis import strategies as st

from avro.record import PERSON_ELEMENTS, Mark, MarkKind, Mention, Record
from linkage.engine import Engine, LogEntry
from linkage.id_number import check_character
from linkage.outputs import IdentityChange, Output, PersonChange

FEEDS = ("police.hj_ryjbxx", "health.health_record", "hrss.ac01")
AUTHORITY = {"name": (FEEDS[0], FEEDS[2]), "phone": (FEEDS[1],), "birth_date": (FEEDS[0], FEEDS[1], FEEDS[2])}


def number(division: str, birth: str, sequence: str) -> str:
    """Return an invented number with the right check character."""
    body = f"{division}{birth}{sequence}"
    return body + check_character(body)


NUMBERS = (
    number("390102", "19800101", "001"),
    number("390102", "19800101", "002"),
    number("160102", "20150630", "003"),
)
BAD_NUMBER = NUMBERS[0][:17] + ("1" if NUMBERS[0][17] != "1" else "2")
NAMES = ("王小芳", "王晓芳", "李强", "李", "阿依·古丽", "阿依古丽", "王*", None)
DATES = (3652, 16616, None)


def record(
    feed: str,
    key: str,
    version: int,
    *mentions: Mention,
    deleted: bool = False,
    previous_key: str | None = None,
    next_key: str | None = None,
    source_time: int | None = None,
) -> Record:
    """Return a record with nothing in the fields that linking does not look at."""
    return Record(
        feed=feed,
        op="d" if deleted else "u",
        key=key,
        version=version,
        is_deleted=deleted,
        snapshot=False,
        source_time=version & 0xFFFF if source_time is None else source_time,
        captured_time=0,
        topic="cdc",
        partition=0,
        offset=0,
        previous_key=previous_key,
        next_key=next_key,
        mentions=mentions,
    )


def truncate(feed: str, version: int) -> Mark:
    return Mark(MarkKind.TRUNCATE, feed.partition(".")[0], feed, version, 0)


def numbered(values: Iterable[Record | Mark], start: int = 0) -> list[LogEntry]:
    """Return the values as a log with a gap after each third entry, as compaction leaves them."""
    return [LogEntry(start + index + index // 3, value) for index, value in enumerate(values)]


mentions = st.builds(
    Mention,
    role=st.just("self"),
    name=st.sampled_from(NAMES),
    former_name=st.sampled_from((None, None, None, "王小芳")),
    id_number=st.sampled_from((*NUMBERS, NUMBERS[0], BAD_NUMBER, None)),
    birth_date=st.sampled_from(DATES),
    phone=st.sampled_from(("13900000001", "13900000002", None)),
    sex=st.sampled_from(("1", "2", None)),
)


@st.composite
def people(draw: st.DrawFn) -> tuple[Mention, ...]:
    """The mentions of one record: a self, a mother, both, or nobody."""
    result = []
    for role in draw(st.sampled_from((("self",), ("self",), ("self", "mother"), ("mother",), ()))):
        mention = draw(mentions)
        mention.role = role
        result.append(mention)
    return tuple(result)


@dataclass
class Source:
    """Tables of some departments, changed row by row; ``events`` is what capture would say, version by
    version."""

    rows: dict[tuple[str, str], tuple[Mention, ...]] = field(default_factory=dict)
    events: list[Record | Mark] = field(default_factory=list)
    version: int = 1 << 70

    def put(self, feed: str, key: str, mentioned: tuple[Mention, ...]) -> None:
        self.version += 1
        self.rows[feed, key] = mentioned
        self.events.append(record(feed, key, self.version, *mentioned, source_time=self.version % 5))

    def delete(self, feed: str, key: str) -> None:
        self.version += 1
        del self.rows[feed, key]
        self.events.append(record(feed, key, self.version, deleted=True))

    def rekey(
        self, feed: str, key: str, new: str, mentioned: tuple[Mention, ...], create_first: bool
    ) -> None:
        self.version += 1
        del self.rows[feed, key]
        self.rows[feed, new] = mentioned
        halves = [
            record(feed, key, self.version, deleted=True, next_key=new),
            record(feed, new, self.version, *mentioned, previous_key=key, source_time=self.version % 5),
        ]
        self.events += reversed(halves) if create_first else halves

    def truncate(self, feed: str) -> None:
        self.version += 1
        self.rows = {place: row for place, row in self.rows.items() if place[0] != feed}
        self.events.append(truncate(feed, self.version))


@st.composite
def sources(draw: st.DrawFn, longest: int = 24) -> Source:
    """A history of inserts, updates, deletes, key changes and truncations."""
    source = Source()
    for _ in range(draw(st.integers(1, longest))):
        feed = draw(st.sampled_from(FEEDS))
        key = draw(st.sampled_from(("1", "2", "3", "4")))
        present = (feed, key) in source.rows
        action = draw(st.sampled_from(("put", "put", "put", "put", "delete", "rekey", "rekey", "truncate")))
        if action == "truncate" and draw(st.booleans()):
            source.truncate(feed)
        elif action == "delete" and present:
            source.delete(feed, key)
        elif action == "rekey" and present and (free := [k for k in "12345" if (feed, k) not in source.rows]):
            source.rekey(feed, key, draw(st.sampled_from(free)), draw(people()), draw(st.booleans()))
        else:
            source.put(feed, key, draw(people()))
    return source


@dataclass(frozen=True)
class Live:
    """A live mention as the oracle sees it."""

    feed: str
    key: str
    role: str
    source_time: int
    values: tuple[Any, ...]

    def get(self, element: str) -> Any:
        return self.values[PERSON_ELEMENTS.index(element)]

    @property
    def place(self) -> tuple[str, str, str]:
        return self.feed, self.key, self.role


def live_mentions(events: Iterable[Record | Mark]) -> list[Live]:
    """Return what is live after all ``events``, in whatever order they are given."""
    newest: dict[tuple[str, str], Record] = {}
    floor: dict[str, int] = {}
    gone: dict[tuple[str, str], int] = {}
    for event in events:
        if isinstance(event, Mark):
            floor[event.feed] = max(floor.get(event.feed, 0), event.version)
            continue
        place = event.feed, event.key
        if place not in newest or event.version > newest[place].version:
            newest[place] = event
        if event.previous_key is not None:
            former = event.feed, event.previous_key
            gone[former] = max(gone.get(former, 0), event.version)
    return [
        Live(
            event.feed, event.key, m.role, event.source_time, tuple([getattr(m, e) for e in PERSON_ELEMENTS])
        )
        for place, event in newest.items()
        if not event.is_deleted
        and event.version >= floor.get(event.feed, 0)
        and event.version > gone.get(place, 0)
        for m in event.mentions
    ]


def _names(mention: Live) -> set[str]:
    names = {mention.get("name"), mention.get("former_name")} - {None}
    return {name.replace("·", "") for name in names if "*" not in name}


def _name(one: Live, other: Live) -> str:
    left, right = _names(one), _names(other)
    if not left or not right:
        return "unknown"
    if left & right:
        return "equal"
    return "similar" if any(_one_error(a, b) for a in left for b in right) else "different"


def _one_error(left: str, right: str) -> bool:
    short, long = sorted((left, right), key=len)
    if len(long) < 3 or len(long) - len(short) > 1:
        return False
    if len(short) == len(long):
        return sum(a != b for a, b in zip(left, right, strict=True)) == 1
    return any(long[:cut] + long[cut + 1 :] == short for cut in range(len(long)))


def _date(one: Live, other: Live) -> str:
    left, right = one.get("birth_date"), other.get("birth_date")
    if left is None or right is None:
        return "unknown"
    return "equal" if left == right else "different"


def relation(one: Live, other: Live) -> str:
    """Return ``link``, ``silent``, ``against`` or ``apart`` for two mentions with one valid number."""
    name, birth = _name(one, other), _date(one, other)
    if "equal" in (name, birth) or (name == "similar" and birth == "unknown"):
        return "link"
    if name == birth == "unknown":
        return "silent"
    return "apart" if name == birth == "different" else "against"


def check_partition(lives: Sequence[Live], clusters: Sequence[Sequence[Live]]) -> None:
    """Assert that the clusters are what the rules demand of the live mentions."""
    assert sorted([live.place for cluster in clusters for live in cluster]) == sorted(
        [live.place for live in lives]
    )
    cluster_of = {live.place: index for index, cluster in enumerate(clusters) for live in cluster}
    for cluster in clusters:
        if len(cluster) > 1:
            assert len({live.get("id_number") for live in cluster}) == 1
            assert cluster[0].get("id_number") in NUMBERS
            graph = _graph(cluster, ("link", "silent"))
            assert networkx.is_connected(graph)
        assert all(relation(one, other) != "apart" for one, other in combinations(cluster, 2))
    for shared in NUMBERS:
        block = [live for live in lives if live.get("id_number") == shared]
        for component in networkx.connected_components(_graph(block, ("link",))):
            members = [block[index] for index in component]
            if all(relation(one, other) != "apart" for one, other in combinations(members, 2)):
                assert len({cluster_of[live.place] for live in members}) == 1
        present = sorted({cluster_of[live.place] for live in block})
        for one, other in combinations(present, 2):
            between = [relation(left, right) for left in clusters[one] for right in clusters[other]]
            assert "link" not in between or "apart" in between


def _graph(block: Sequence[Live], kinds: tuple[str, ...]) -> Any:
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(block)))
    for one, other in combinations(range(len(block)), 2):
        if relation(block[one], block[other]) in kinds:
            graph.add_edge(one, other)
    return graph


def golden(cluster: Sequence[Live]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the surviving values and the provenance, element by element."""
    values: list[Any] = []
    provenance: dict[str, Any] = {}
    for index, element in enumerate(PERSON_ELEMENTS):
        held = [live for live in cluster if live.values[index] is not None]
        if not held:
            values.append(None)
            continue
        trusted = AUTHORITY.get(element, ())
        rank = {feed: trusted.index(feed) if feed in trusted else 99 for feed in FEEDS}
        winner = min(held, key=lambda live: (rank[live.feed], -live.source_time, live.place))
        values.append(winner.values[index])
        department, table = winner.feed.split(".")
        others = [live for live in held if live is not winner]
        agree = {live.feed for live in others if live.values[index] == winner.values[index]} - {winner.feed}
        disagree = {live.feed for live in others if live.values[index] != winner.values[index]}
        provenance[element] = {
            "department": department,
            "table": table,
            "key": winner.key,
            "since": winner.source_time,
            "agree": sorted(agree),
            "disagree": sorted(disagree),
        }
    return tuple(values), provenance


def expanded(provenance: str) -> dict[str, Any]:
    """Return a published provenance, element by element; it must name each feed and record once, and none idly."""
    parts = json.loads(provenance)
    feeds, records, elements = parts["feeds"], parts["records"], parts["elements"]
    assert feeds == sorted(set(feeds))
    assert {record for record, _, _ in elements.values()} == set(range(len(records)))
    result: dict[str, Any] = {}
    for element, (index, agree, disagree) in elements.items():
        feed, key, since = records[index]
        department, table = feeds[feed].split(".")
        result[element] = {
            "department": department,
            "table": table,
            "key": key,
            "since": since,
            "agree": [feeds[other] for other in agree],
            "disagree": [feeds[other] for other in disagree],
        }
    return result


@dataclass
class Tables:
    """What a store would show: the newest version of each identity and person."""

    identities: dict[tuple[str, str, str], IdentityChange] = field(default_factory=dict)
    persons: dict[str, PersonChange] = field(default_factory=dict)

    def add(self, outputs: Iterable[Output]) -> Tables:
        """Take in outputs; an older or equal version changes nothing."""
        for output in outputs:
            if isinstance(output, IdentityChange):
                place = f"{output.department}.{output.table}", output.key, output.role
                if place not in self.identities or self.identities[place].version < output.version:
                    self.identities[place] = output
            elif isinstance(output, PersonChange):
                known = self.persons.get(output.person_id)
                if known is None or known.version < output.version:
                    self.persons[output.person_id] = output
        return self

    def shown(self) -> dict[tuple[str, str, str], str]:
        """Return the live identities: mention to person id."""
        return {place: row.person_id for place, row in self.identities.items() if not row.is_deleted}

    def check(self, lives: Sequence[Live]) -> dict[str, list[Live]]:
        """Assert that identities and persons are right for the live mentions; return the clusters by person
        id."""
        shown = self.shown()
        assert sorted(shown) == sorted([live.place for live in lives])
        clusters: dict[str, list[Live]] = {}
        for live in lives:
            clusters.setdefault(shown[live.place], []).append(live)
        check_partition(lives, list(clusters.values()))
        assert set(clusters) == {row.person_id for row in self.persons.values() if row.state == "active"}
        for person_id, cluster in clusters.items():
            person = self.persons[person_id]
            values, provenance = golden(cluster)
            assert person.elements == values
            assert expanded(person.provenance) == provenance
            assert person.mention_count == len(cluster)
        for person in self.persons.values():
            if person.state == "merged":
                assert person.merged_into in self.persons
                assert person.merged_into < person.person_id
        return clusters


def run(events: Iterable[Record | Mark], engine: Engine | None = None) -> tuple[Engine, Tables]:
    """Apply the events as one log; return the engine and what the store would show."""
    engine = engine or Engine(1, AUTHORITY)
    return engine, Tables().add(engine.apply(numbered(events, engine.state.offset)))
