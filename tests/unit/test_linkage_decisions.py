"""Stewards' decisions: what stands is a function of the decisions, what it leads to one of these and the live rows."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.record import Decision, DecisionKind, Mention, MentionPlace, Record
from linkage.decisions import DecisionBook
from linkage.durable import DurableLinker
from linkage.engine import Engine, LogEntry
from linkage.graph import Look
from linkage.outputs import DecisionChange, Disposition, Output, ReviewChange
from tests.unit.linkage_world import (
    AUTHORITY,
    FEEDS,
    NUMBERS,
    Source,
    Tables,
    live_mentions,
    numbered,
    people,
    record,
)

MUST, CANNOT = DecisionKind.MUST_LINK, DecisionKind.CANNOT_LINK
POLICE, HEALTH, HRSS = FEEDS
WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652)
LI = Mention("self", name="李强", birth_date=16616)


def place(feed: str, key: str, role: str = "self") -> MentionPlace:
    department, _, table = feed.partition(".")
    return MentionPlace(department, table, key, role)


def decide(
    decision_id: str, kind: DecisionKind, left: MentionPlace, right: MentionPlace, at: int = 0, **more: object
) -> Decision:
    decision = Decision(decision_id, kind, left, right, "steward", "seen the papers", at)
    return msgspec.structs.replace(decision, **more)


def revoke(decision: Decision, at: int = 1000) -> Decision:
    return msgspec.structs.replace(
        decision, revoked_by="another", revoke_reason="seen other papers", revoked_at=at
    )


class Watched:
    """An engine, and what a store would show of decisions and reviews."""

    def __init__(self) -> None:
        self.engine = Engine(1, AUTHORITY)
        self.tables = Tables()
        self.decisions: dict[str, DecisionChange] = {}
        self.reviews: dict[str, ReviewChange] = {}

    def take(self, *values: Record | Decision) -> list[Output]:
        outputs = self.engine.apply(numbered(values, self.engine.state.offset))
        self.tables.add(outputs)
        for output in outputs:
            if isinstance(output, DecisionChange):
                self.decisions[output.decision.decision_id] = output
            elif isinstance(output, ReviewChange):
                self.reviews[output.review_id] = output
        return outputs

    def person(self, feed: str, key: str, role: str = "self") -> str:
        return self.tables.shown()[feed, key, role]

    def told(self, decision_id: str) -> tuple[str, str]:
        change = self.decisions[decision_id]
        return change.state, change.conflict

    @property
    def open(self) -> set[str]:
        return {key for key, review in self.reviews.items() if review.state == "open"}


A, B, C, D = (place(POLICE, key) for key in "1234")


def test_what_a_must_link_joins_its_revocation_parts() -> None:
    world = Watched()
    world.take(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, LI))
    assert world.person(POLICE, "1") != world.person(HEALTH, "2")
    decision = decide("d", MUST, place(POLICE, "1"), place(HEALTH, "2"))
    world.take(decision)
    assert world.person(POLICE, "1") == world.person(HEALTH, "2")
    assert world.told("d") == ("in_force", "")
    assert {row.rule for row in world.tables.identities.values()} == {"decision"}
    (told,) = world.take(decision)
    assert isinstance(told, Disposition)
    assert told.outcome == "superseded", "a redelivery changes nothing"
    world.take(revoke(decision))
    assert world.person(POLICE, "1") != world.person(HEALTH, "2")
    assert world.told("d") == ("revoked", "")


def test_what_a_cannot_link_parts_its_revocation_joins() -> None:
    world = Watched()
    world.take(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, WANG), record(HRSS, "3", 1, WANG))
    assert len(set(world.tables.shown().values())) == 1
    decision = decide("d", CANNOT, place(POLICE, "1"), place(HEALTH, "2"))
    world.take(decision)
    assert world.person(POLICE, "1") != world.person(HEALTH, "2")
    assert world.told("d") == ("in_force", "")
    world.take(revoke(decision))
    assert len(set(world.tables.shown().values())) == 1


def test_two_valid_numbers_are_joined_only_by_who_says_so() -> None:
    world = Watched()
    other = msgspec.structs.replace(WANG, id_number=NUMBERS[2], birth_date=16616)
    world.take(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, other))
    decision = decide("d", MUST, place(POLICE, "1"), place(HEALTH, "2"))
    world.take(decision)
    assert world.told("d") == ("contradicted", "different_numbers")
    assert world.person(POLICE, "1") != world.person(HEALTH, "2")
    world.take(decide("e", MUST, place(POLICE, "1"), place(HEALTH, "2"), 5, overrides=("different_numbers",)))
    assert world.person(POLICE, "1") == world.person(HEALTH, "2")
    # The first is followed now, since what it wants is so.
    assert world.told("e") == ("in_force", "")


def test_a_decision_waits_for_its_mentions_and_follows_them() -> None:
    world = Watched()
    world.take(decide("d", MUST, place(POLICE, "1"), place(HEALTH, "2")))
    assert world.told("d") == ("waiting", "")
    world.take(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, LI))
    assert world.told("d") == ("in_force", "")
    for halves in ((0, 1), (1, 0)):
        version = 2 + halves[0]
        old, new = ("1", "7") if halves[0] == 0 else ("7", "8")
        moved = [
            record(POLICE, old, version, deleted=True, next_key=new),
            record(POLICE, new, version, WANG, previous_key=old),
        ]
        world.take(*[moved[half] for half in halves])
        assert world.told("d") == ("in_force", "")
        assert world.decisions["d"].left == place(POLICE, new)
        assert world.person(POLICE, new) == world.person(HEALTH, "2")
    world.take(record(HEALTH, "2", 2, deleted=True))
    assert world.told("d") == ("waiting", "")


def test_opposite_decisions_are_told_and_the_earlier_stands() -> None:
    world = Watched()
    world.take(*[record(POLICE, key, 1, WANG) for key in "123"])
    first = decide("a", MUST, A, B, 1)
    world.take(first, decide("b", MUST, B, C, 2), decide("c", CANNOT, A, C, 3))
    assert world.told("c") == ("contradicted", "another_decision")
    assert world.decisions["c"].contradicts == "a"
    world.take(revoke(first))
    assert world.told("c") == ("in_force", "")
    assert world.person(POLICE, "1") != world.person(POLICE, "3")


def test_a_decision_about_one_mention_is_none() -> None:
    world = Watched()
    world.take(record(POLICE, "1", 1, WANG), decide("d", CANNOT, A, A))
    assert world.told("d") == ("contradicted", "one_mention")


decisions = st.lists(
    st.builds(
        lambda kind, ends, at, gone: (kind, ends, at, gone),
        st.sampled_from((MUST, CANNOT)),
        st.sampled_from(list(combinations([place(feed, key) for feed in FEEDS for key in "12"], 2))),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=5,
)


def made(
    drawn: Iterable[tuple[DecisionKind, tuple[MentionPlace, MentionPlace], int, bool]],
) -> list[Decision]:
    """Return the drawn decisions, those that are to be revoked with their revocation after them."""
    found = []
    for index, (kind, ends, at, gone) in enumerate(drawn):
        found.append(decide(f"d{index}", kind, *ends, at))
        if gone:
            found.append(revoke(found[-1]))
    return found


@settings(max_examples=60, deadline=None)
@given(decisions, st.randoms(use_true_random=False))
def test_what_stands_does_not_depend_on_the_order(
    drawn: list[tuple[DecisionKind, tuple[MentionPlace, MentionPlace], int, bool]], rng: random.Random
) -> None:
    entered = made(drawn)
    shuffled = rng.sample(entered, len(entered))
    shown = []
    for order in (entered, shuffled):
        book = DecisionBook()
        for decision in order:
            book.put(decision)
        shown.append({held.decision.decision_id: (held.stands, held.contradicts) for held in book})
        check_standing(list(book))
    assert shown[0] == shown[1]


def check_standing(held: Sequence[object]) -> None:
    """Assert that no two that stand say opposite things, and that whatever could stand does (oracle: brute force)."""
    import networkx

    from linkage.decisions import Held

    live = sorted(
        [one for one in held if isinstance(one, Held) and one.decision.revoked_at is None],
        key=lambda one: (one.decision.decided_at, one.decision.decision_id),
    )
    standing: list[Held] = []
    for one in live:
        tried = [*standing, one]
        graph = networkx.Graph()
        graph.add_nodes_from([end for other in tried for end in (other.left, other.right)])
        graph.add_edges_from([(o.left, o.right) for o in tried if o.decision.kind is MUST])
        fits = all(not networkx.has_path(graph, o.left, o.right) for o in tried if o.decision.kind is CANNOT)
        assert one.stands == fits
        if fits:
            standing.append(one)


@st.composite
def rows(draw: st.DrawFn) -> Source:
    """Rows that come and go under keys that stay."""
    source = Source()
    for _ in range(draw(st.integers(2, 10))):
        feed, key = draw(st.sampled_from(FEEDS)), draw(st.sampled_from("12"))
        if (feed, key) in source.rows and draw(st.integers(0, 4)) == 0:
            source.delete(feed, key)
        else:
            source.put(feed, key, draw(people()))
    return source


def clusters(world: Watched) -> set[frozenset[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {}
    for where, person in world.tables.shown().items():
        found.setdefault(person, set()).add(where)
    return {frozenset(places) for places in found.values()}


@settings(max_examples=40, deadline=None)
@given(rows(), decisions, st.randoms(use_true_random=False))
def test_links_are_a_function_of_rows_and_decisions(
    source: Source,
    drawn: list[tuple[DecisionKind, tuple[MentionPlace, MentionPlace], int, bool]],
    rng: random.Random,
) -> None:
    entered = made(drawn)
    mixed: list[Record | Decision] = [event for event in source.events if isinstance(event, Record)]
    for decision in entered:
        mixed.insert(rng.randint(0, len(mixed)), decision)
    worlds = [Watched(), Watched(), Watched()]
    worlds[0].take(*source.events, *entered)  # type: ignore[arg-type]
    worlds[1].take(*entered, *reversed(source.events))  # type: ignore[arg-type]
    for value in mixed:
        worlds[2].take(value)
    first = worlds[0]
    for world in worlds:
        assert clusters(world) == clusters(first)
        assert {key: world.told(key) for key in world.decisions} == {
            key: first.told(key) for key in first.decisions
        }
        assert world.open == first.open
        check_reviews(world)
        for change in world.decisions.values():
            check_decision(world, change)
    for decision in entered:
        first.take(revoke(decision, 2000))
    first.tables.check(live_mentions(source.events))


def check_decision(world: Watched, change: DecisionChange) -> None:
    """Assert that what is said of a decision is so."""
    shown = world.tables.shown()
    left, right = (shown.get((end.feed, end.key, end.role)) for end in (change.left, change.right))
    assert (change.state == "waiting") <= (left is None or right is None)
    if change.state == "in_force":
        assert left is not None
        assert (left == right) == (change.decision.kind is MUST)


def check_reviews(world: Watched) -> None:
    """Assert that the open reviews are those of all pairs of descriptions, found one by one."""
    state = world.engine.state
    scorer = state.graph.scorer
    look = Look(state.graph)
    nodes = [look(mention.node) for person in state.persons.values() for mention in person.mentions]
    pairs: dict[frozenset[int], int] = {}
    barred = set()
    for one, other in permutations(dict.fromkeys(nodes), 2):
        value = one.edges.get(other)
        left, right = one.members[0].person, other.members[0].person
        if value is None or left is right or left is None or right is None:
            continue
        both = frozenset((left.number, right.number))
        if value <= scorer.apart:
            barred.add(both)
        if value >= scorer.review:
            pairs[both] = max(value, pairs.get(both, value))
    shown = {
        frozenset((review.left_person, review.right_person)): review.score for review in state.reviews.all()
    }
    assert len(shown) == state.reviews.count
    assert {both: score * 256 for both, score in shown.items()}.items() <= {
        both: value for both, value in pairs.items() if both not in barred
    }.items()
    assert {review.review_id for review in state.reviews.all()} == world.open
    for both in pairs.keys() - barred - shown.keys():
        numbers = [
            {look(mention.node).core.number for mention in state.persons[number].mentions} - {""}
            for number in both
        ]
        assert all(numbers), "what is left out has two different valid numbers"
        assert not numbers[0] & numbers[1]


def near() -> tuple[Record, Record]:
    """Two records that are between the thresholds: one household and name, quite other births."""
    one = Mention("self", name="王小芳", birth_date=3653, household="police|1")
    other = Mention("self", name="王小芳", birth_date=8000, household="police|1")
    return record(POLICE, "1", 1, one), record(HEALTH, "2", 1, other)


def test_an_uncertain_pair_is_put_before_a_human_and_closed_again() -> None:
    world = Watched()
    world.take(*near())
    (review,) = world.reviews.values()
    assert (review.state, review.reason) == ("open", "between_thresholds")
    assert (review.left, review.right) == (place(HEALTH, "2"), place(POLICE, "1"))
    assert 0 < review.harm < 1
    world.take(decide("d", CANNOT, place(POLICE, "1"), place(HEALTH, "2")))
    assert world.reviews[review.review_id].state == "decided"
    world.take(revoke(world.decisions["d"].decision))
    assert world.reviews[review.review_id].state == "open"
    world.take(record(HEALTH, "2", 9, deleted=True))
    assert world.reviews[review.review_id].state == "withdrawn"
    assert world.engine.state.reviews.count == 0


HISTORY: tuple[Record | Decision, ...] = (
    *near(),
    decide("d", MUST, place(POLICE, "1"), place(HEALTH, "2")),
    record(HRSS, "3", 1, WANG),
    decide("e", CANNOT, place(POLICE, "1"), place(HRSS, "3"), 3),
    decide("f", CANNOT, place(POLICE, "1"), place(HEALTH, "2"), 4),
    record(POLICE, "1", 2, deleted=True, next_key="9"),
    record(POLICE, "9", 2, near()[0].mentions[0], previous_key="1"),
    revoke(decide("d", MUST, place(POLICE, "1"), place(HEALTH, "2"))),
    record(HEALTH, "2", 7, deleted=True),
    record(HEALTH, "2", 8, near()[1].mentions[0]),
)


@pytest.mark.parametrize("snapshot_entries", [1, 2, 1000])
def test_decisions_and_reviews_outlive_a_restart(tmp_path: Path, snapshot_entries: int) -> None:
    log = numbered(HISTORY)
    expected = Engine(1, AUTHORITY)
    undisturbed = expected.apply(log)
    outputs: list[Output] = []
    for entry in log:
        with DurableLinker(tmp_path, 1, AUTHORITY, snapshot_entries=snapshot_entries) as linker:
            recovered = linker.open()
            assert recovered == outputs[len(outputs) - len(recovered) :]
            outputs += linker.apply([entry])
            linker.checkpoint()
            reviews = linker.engine.state.reviews.all()
    assert outputs == undisturbed
    assert reviews == expected.state.reviews.all()


@pytest.mark.parametrize("size", [1, 2, 50])
def test_outputs_do_not_depend_on_batches(size: int) -> None:
    log = numbered(HISTORY)
    whole = Engine(1, AUTHORITY).apply(log)
    engine = Engine(1, AUTHORITY)
    parts: list[Output] = []
    for start in range(0, len(log), size):
        parts += engine.apply([LogEntry(*entry) for entry in log[start : start + size]])
    assert parts == whole
