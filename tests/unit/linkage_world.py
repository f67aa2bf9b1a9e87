"""Small worlds for the linker's tests: source histories, an oracle in plain Python, and a table of what was
put out.

The oracle builds everything anew from the live mentions: all pairs of descriptions, and networkx's components of those
that link. It shares the features, the score of a pair and the cut of one component with `linkage`, whose own tests are
elsewhere, and nothing that remembers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import networkx
from hypothesis import strategies as st

from avro.record import PERSON_ELEMENTS, Finding, Kin, LogValue, Mark, MarkKind, Mention, Record
from linkage.clusters import partition
from linkage.compare import Scorer
from linkage.engine import Engine, LogEntry, refused_number
from linkage.features import INDEXED, KIND_MASK, Kind, features_of
from linkage.id_number import check_character
from linkage.node import Node
from linkage.outputs import IdentityChange, Output, PersonChange
from linkage.state import FeedState, MentionState, Origin, RowState
from linkage.weights import default_weights

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
NAMES = ("王小芳", "王晓芳", "李强", "李", "阿依·古丽", "阿依古丽", None)
DATES = (3652, 16616, None)
MOTHER = Kin("mother", "李兰", NUMBERS[0])


def record(
    feed: str,
    key: str,
    version: int,
    *mentions: Mention,
    deleted: bool = False,
    previous_key: str | None = None,
    next_key: str | None = None,
    source_time: int | None = None,
    findings: tuple[Finding, ...] = (),
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
        findings=findings,
    )


def truncate(feed: str, version: int) -> Mark:
    return Mark(MarkKind.TRUNCATE, feed.partition(".")[0], feed, version, 0)


def numbered(values: Iterable[LogValue], start: int = 0) -> list[LogEntry]:
    """Return the values as a log with a gap after each third entry, as compaction leaves them."""
    return [LogEntry(start + index + index // 3, value) for index, value in enumerate(values)]


mentions = st.builds(
    Mention,
    role=st.just("self"),
    name=st.sampled_from(NAMES),
    former_name=st.sampled_from((None, None, None, "王小芳")),
    id_number=st.sampled_from((*NUMBERS, NUMBERS[0], None)),
    birth_date=st.sampled_from(DATES),
    phone=st.sampled_from(("13900000001", "13900000002", None)),
    sex=st.sampled_from(("1", "2", None)),
    certificate_number=st.sampled_from((None, None, "K100000001")),
    household=st.sampled_from((None, "police|1")),
    ties=st.sampled_from(((), (), ("police.person_file|1",))),
    other_numbers=st.sampled_from(((), (), (NUMBERS[1],))),
    birth_order=st.sampled_from((None, None, 1, 2)),
    kin=st.sampled_from(((), (), (MOTHER,))),
)


def refusals(mentioned: tuple[Mention, ...]) -> tuple[Finding, ...]:
    """Return a refused number for each mention that has a telephone and no number."""
    return tuple(
        [
            Finding("id_number", "id_checksum", "error", BAD_NUMBER, mention.role, mention.ordinal)
            for mention in mentioned
            if mention.id_number is None and mention.phone is not None
        ]
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
        self.events.append(
            record(
                feed,
                key,
                self.version,
                *mentioned,
                source_time=self.version % 5,
                findings=refusals(mentioned),
            )
        )

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
            record(
                feed,
                new,
                self.version,
                *mentioned,
                previous_key=key,
                source_time=self.version % 5,
                findings=refusals(mentioned),
            ),
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
    mention: Mention
    invalid: str

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
            event.feed,
            event.key,
            m.role,
            event.source_time,
            tuple([getattr(m, e) for e in PERSON_ELEMENTS]),
            m,
            refused_number(event, m),
        )
        for place, event in newest.items()
        if not event.is_deleted
        and event.version >= floor.get(event.feed, 0)
        and event.version > gone.get(place, 0)
        for m in event.mentions
    ]


class World:
    """The live mentions as the oracle has them: descriptions, scores of all pairs that share a key, and persons."""

    def __init__(self, lives: Sequence[Live]) -> None:
        self.nodes: list[Node] = []
        self.node_of: dict[tuple[str, str, str], Node] = {}
        scorer = Scorer(default_weights(), ())
        for live in lives:
            features = features_of(live.mention, live.invalid)
            shared = bool(features.core.number)
            node = next((n for n in self.nodes if n.shared and shared and n.core == features.core), None)
            if node is None:
                node = Node(features.core, shared)
                self.nodes.append(node)
            for sign in features.tokens:
                node.tokens[sign] = node.tokens.get(sign, 0) + 1
            row = RowState(FeedState(Origin(live.feed, ())), live.key, 0, 0)
            node.members.append(MentionState(row, live.role, 0, 0, 0, ""))
            self.node_of[live.place] = node
        graph = networkx.Graph()
        graph.add_nodes_from(range(len(self.nodes)))
        for (left, one), (right, other) in combinations(enumerate(self.nodes), 2):
            if not share_a_key(one, other):
                continue
            score = scorer.score(one, other)
            assert score == scorer.score(other, one)
            if keeps(scorer, score, one, other):
                one.edges[other] = other.edges[one] = score
            if score >= scorer.link:
                graph.add_edge(left, right)
        self.persons: list[list[Node]] = []
        for component in networkx.connected_components(graph):
            self.persons += partition([self.nodes[place] for place in component], scorer)

    def clusters(self) -> list[list[tuple[str, str, str]]]:
        """Return who is one person, as sorted places."""
        person_of = {node: index for index, person in enumerate(self.persons) for node in person}
        found: dict[int, list[tuple[str, str, str]]] = {}
        for place, node in self.node_of.items():
            found.setdefault(person_of[node], []).append(place)
        return sorted([sorted(places) for places in found.values()])


def share_a_key(one: Node, other: Node) -> bool:
    """Say whether two descriptions are compared at all. Small worlds have no hot keys."""
    if set(one.numbers) & set(other.numbers):
        return True
    shared = {key & KIND_MASK for key in {*one.keys, *one.tokens} & {*other.keys, *other.tokens}} & INDEXED
    if one.core.number and other.core.number:
        shared &= {Kind.TIE, Kind.DOCUMENT, Kind.NAMESAKE}
    return bool(shared)


def keeps(scorer: Scorer, score: int, one: Node, other: Node) -> bool:
    """Say whether a score is remembered: those near a link or above, and plain differences that can forbid one."""
    if score >= scorer.review:
        return True
    left, right = one.core, other.core
    if score > scorer.apart:
        return False
    numbers = left.number or left.doubtful, right.number or right.doubtful
    orders = left.order, right.order
    return (all(orders) and orders[0] != orders[1]) or (
        bool(left.names and right.names and numbers[0]) and numbers[0] == numbers[1]
    )


def check_partition(lives: Sequence[Live], clusters: Sequence[Sequence[Live]]) -> None:
    """Assert that the clusters are the oracle's."""
    shown = sorted([sorted([live.place for live in cluster]) for cluster in clusters])
    assert shown == World(lives).clusters()


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
