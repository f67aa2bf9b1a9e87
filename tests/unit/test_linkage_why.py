"""Explanations: they say what the engine did, in every small world."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings

from avro.record import Decision, DecisionKind, Mention, MentionPlace
from linkage.engine import LogEntry
from linkage.features import Kind
from linkage.outputs import format_person_id
from linkage.weights import UNIT, default_weights
from linkage.why import MOST_PAIRS, PairWhy, Place, why_pair, why_person
from linkage.words import ELEMENTS, told
from tests.unit.linkage_world import (
    FEEDS,
    NUMBERS,
    Source,
    World,
    live_mentions,
    record,
    run,
    share_a_key,
    sources,
)

POLICE, HEALTH, HRSS = FEEDS
WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652)


@settings(max_examples=30, deadline=None)
@given(sources())
def test_explanations_agree_with_the_engine_and_the_oracle(source: Source) -> None:
    engine, tables = run(source.events)
    shown = tables.shown()
    lives = live_mentions(source.events)
    world = World(lives)
    for one, other in combinations(lives, 2):
        pair = why_pair(engine, Place(*one.place), Place(*other.place))
        assert pair is not None
        assert pair.same_person == (shown[one.place] == shown[other.place])
        left, right = world.node_of[one.place], world.node_of[other.place]
        assert pair.one_description == (left is right)
        assert (pair.shared != ()) == share_a_key(left, right)
        assert sum_of(pair) == pytest.approx(pair.score, abs=1e-9)
        if left is not right and pair.shared:
            first, second = (engine.state.mention(*place, 0) for place in (one.place, other.place))
            assert first is not None
            assert second is not None
            edge = dict(engine.state.graph.edges(first.node)).get(second.node)
            assert edge == left.edges.get(right)
            assert edge is None or edge / UNIT == pair.score
        assert not (pair.same_person and pair.constraint == "plainly_different" and pair.shared)
    for number in range(1, engine.state.next_person):
        person_id = format_person_id(number)
        person = why_person(engine, person_id)
        assert person is not None
        if person.state == "active":
            assert sorted([mention.place for mention in person.mentions]) == sorted(
                [Place(*place) for place, shown_id in shown.items() if shown_id == person_id]
            )
            assert {mention.rule for mention in person.mentions} == {
                tables.identities[mention.place.feed, mention.place.key, mention.place.role].rule
                for mention in person.mentions
            }
            assert all(not pair.same_person for pair in person.kept_apart)
        elif person.state == "merged":
            assert person.merged_into not in (None, person_id)


def sum_of(pair: PairWhy) -> float:
    """Add up the evidence: two valid numbers that differ end it, whatever else there is."""
    sums = sum(item.stranger for item in pair.evidence), sum(item.family for item in pair.evidence)
    final = [item for item in pair.evidence if item.stranger == -1000]
    return -1000 if final else min(sums)


def test_kept_apart_is_told_with_its_reason() -> None:
    mother = msgspec.structs.replace(WANG, name="李强", birth_date=-3652)
    engine, _ = run(
        [record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, mother), record(HRSS, "3", 1, WANG)]
    )
    person = why_person(engine, "P0000000001")
    assert person is not None
    (link,) = person.links
    assert (link.left.place.key, link.right.place.key, link.one_description) == ("3", "1", True)
    assert [(pair.right.place.key, pair.right.person_id, pair.constraint) for pair in person.kept_apart] == [
        ("2", "P0000000002", "plainly_different"),
        ("2", "P0000000002", "plainly_different"),
    ]
    told = {item.element: item.level for item in person.kept_apart[0].evidence}
    assert told == {"prior": "pair", "number": "doubtful_equal", "name": "different", "birth": "different"}


def test_what_is_left_out_is_counted() -> None:
    size = 30
    engine, _ = run([record(POLICE, str(key), 1, WANG) for key in range(size)])
    person = why_person(engine, "P0000000001")
    assert person is not None
    assert len(person.links) == MOST_PAIRS
    assert person.more == size * (size - 1) // 2 - MOST_PAIRS


def test_unknown_persons_and_mentions_have_no_explanation() -> None:
    engine, _ = run([record(POLICE, "1", 1, WANG)])
    assert why_person(engine, "P0000000002") is None
    assert why_person(engine, "P0000000000") is None
    assert why_person(engine, "nobody") is None
    assert why_pair(engine, Place(POLICE, "1", "self"), Place(POLICE, "9", "self")) is None


def test_ended_persons_resolve() -> None:
    bare = Mention("self", name="李强")
    engine, _ = run(
        [
            record(POLICE, "1", 1, WANG),
            record(HEALTH, "2", 1, bare),
            record(HEALTH, "2", 2, WANG),
            record(HRSS, "3", 1, bare),
            record(HRSS, "3", 2, deleted=True),
        ]
    )
    merged, retired = why_person(engine, "P0000000002"), why_person(engine, "P0000000003")
    assert merged is not None
    assert (merged.state, merged.merged_into) == ("merged", "P0000000001")
    assert retired is not None
    assert retired.state == "retired"


def test_everything_that_is_told_has_words_in_both_languages() -> None:
    for name in default_weights().rows:
        element, _, level = name.partition(".")
        if element != "threshold":
            words = told(element, level)
            assert words.en
            assert not words.zh.isascii()
    for kind in Kind:
        assert kind.name.lower() in ELEMENTS


@pytest.mark.parametrize("kind", list(DecisionKind))
def test_a_decision_is_told_with_the_score_that_the_engine_goes_by(kind: DecisionKind) -> None:
    engine, _ = run([record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, WANG)])
    left = MentionPlace("police", "hj_ryjbxx", "1", "self")
    right = MentionPlace("health", "health_record", "2", "self")
    engine.apply([LogEntry(9, Decision("D1", kind, left, right, "steward", "seen the papers", 1))])
    pair = why_pair(engine, Place(HEALTH, "2", "self"), Place(POLICE, "1", "self"))
    assert pair is not None
    one = engine.state.mention(POLICE, "1", "self", 0)
    assert one is not None
    ((_, edge),) = engine.state.graph.edges(one.node)
    assert pair.score == edge / UNIT
    assert pair.decision == "D1"
    assert pair.same_person == (kind is DecisionKind.MUST_LINK)
    assert pair.constraint == (None if pair.same_person else "decision")
    assert (pair.evidence[-1].element, pair.evidence[-1].level) == ("decision", kind)


def test_how_a_person_came_together_is_told() -> None:
    other = msgspec.structs.replace(WANG, name="王晓芳")
    bare = Mention("self", name="李强")
    engine, _ = run(
        [
            record(POLICE, "1", 1, WANG),
            record(HEALTH, "2", 1, bare),
            record(HEALTH, "2", 2, other),
            record(HRSS, "3", 1, WANG),
        ]
    )
    person = why_person(engine, "P0000000001")
    assert person is not None
    assert person.merged_from == ("P0000000002",)
    (step,) = person.how
    assert {step.left.key, step.right.key} == {"2", "1"} or {step.left.key, step.right.key} == {"2", "3"}
    numbers = {term.holders for link in person.links for term in link.terms if term.element == "number"}
    assert numbers == {2}, "two descriptions have the number"
