"""Explanations: they say what the engine did, in every small world."""

from __future__ import annotations

from itertools import combinations

import msgspec
from hypothesis import given, settings

from avro.record import Mention
from linkage.outputs import format_person_id
from linkage.why import MOST_PAIRS, Place, why_pair, why_person
from tests.unit.linkage_world import FEEDS, NUMBERS, Source, live_mentions, record, relation, run, sources

POLICE, HEALTH, HRSS = FEEDS
WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652)


@settings(max_examples=60, deadline=None)
@given(sources())
def test_explanations_agree_with_the_engine_and_the_oracle(source: Source) -> None:
    engine, tables = run(source.events)
    shown = tables.shown()
    for one, other in combinations(live_mentions(source.events), 2):
        pair = why_pair(engine, Place(*one.place), Place(*other.place))
        assert pair is not None
        assert pair.same_person == (shown[one.place] == shown[other.place])
        assert pair.same_number == (
            one.get("id_number") == other.get("id_number") and one.get("id_number") in NUMBERS
        )
        expected = relation(one, other)
        assert pair.plainly_different == (expected == "apart")
        assert (pair.rule is not None) == (pair.same_number and expected in ("link", "silent"))
        assert not (pair.same_person and pair.plainly_different)
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
            assert all(not pair.same_person and pair.same_number for pair in person.kept_apart)
        elif person.state == "merged":
            assert person.merged_into not in (None, person_id)


def test_kept_apart_is_told_with_its_reason() -> None:
    mother = msgspec.structs.replace(WANG, name="李强", birth_date=-3652)
    engine, _ = run(
        [record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, mother), record(HRSS, "3", 1, WANG)]
    )
    person = why_person(engine, "P0000000001")
    assert person is not None
    assert [(pair.left.place.key, pair.right.place.key, pair.rule) for pair in person.links] == [
        ("3", "1", "id_number+name+birth_date")
    ]
    assert [
        (pair.right.place.key, pair.right.person_id, pair.plainly_different) for pair in person.kept_apart
    ] == [
        ("2", "P0000000002", True),
        ("2", "P0000000002", True),
    ]
    assert (person.kept_apart[0].name, person.kept_apart[0].birth_date) == ("different", "different")


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
    bare = msgspec.structs.replace(WANG, id_number=None)
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
