"""The engine against the oracle, on small random worlds, and its rules one by one."""

from __future__ import annotations

import gc
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro.codec import DatumCodec
from avro.record import PERSON_ELEMENTS, Finding, Kin, Mark, MarkKind, Mention, Record
from avro.schema import shared_schema
from avro.version import from_bytes, log_version
from linkage.engine import Engine, LogEntry
from linkage.errors import AuthorityError, OffsetError
from linkage.golden import unpack_golden
from linkage.graph import MOST
from linkage.outputs import (
    Disposition,
    IdentityChange,
    Output,
    PassedMark,
    PersonChange,
    PersonIdChange,
    ReviewChange,
)
from linkage.state import LinkState, MentionState, RowState, pack
from tests.unit.linkage_world import (
    AUTHORITY,
    BAD_NUMBER,
    FEEDS,
    NUMBERS,
    Live,
    Source,
    Tables,
    expanded,
    golden,
    live_mentions,
    number,
    numbered,
    people,
    record,
    run,
    sources,
    truncate,
)

POLICE, HEALTH, HRSS = FEEDS
WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652, phone="13900000001")


def encoded(outputs: Sequence[Output]) -> list[bytes]:
    """Outputs as bytes, types included, so that equal means equal to the byte."""
    codecs = {
        "IdentityChange": DatumCodec(shared_schema("Identity")),
        "PersonChange": DatumCodec(shared_schema("Person")),
        "PersonIdChange": DatumCodec(shared_schema("PersonId")),
        "ReviewChange": DatumCodec(shared_schema("Review")),
    }
    result = []
    for output in outputs:
        if isinstance(output, IdentityChange | PersonChange | PersonIdChange | ReviewChange):
            result.append(codecs[type(output).__name__].encode(output.to_avro()))
        elif isinstance(output, PassedMark):
            result.append(b"mark" + str(output.mark).encode())
        else:
            result.append(msgspec.msgpack.encode(output))
    return result


def mention(**values: object) -> Mention:
    return msgspec.structs.replace(WANG, **values)


@settings(max_examples=30, deadline=None)
@given(sources())
def test_store_shows_what_the_source_holds(source: Source) -> None:
    _, tables = run(source.events)
    lives = live_mentions(source.events)
    assert sorted({(live.feed, live.key) for live in lives}) == sorted(
        [p for p, m in source.rows.items() if m]
    )
    tables.check(lives)


@settings(max_examples=30, deadline=None)
@given(sources(), st.randoms(use_true_random=False), st.data())
def test_partition_and_golden_records_do_not_depend_on_order(
    source: Source, rng: random.Random, data: st.DataObject
) -> None:
    lives = live_mentions(source.events)
    expected = sorted(
        [sorted([live.place for live in cluster]) for cluster in run(source.events)[1].check(lives).values()]
    )
    again = data.draw(st.lists(st.sampled_from(source.events), max_size=6))
    for _ in range(3):
        events = source.events + again
        rng.shuffle(events)
        clusters = run(events)[1].check(lives)
        assert sorted([sorted([live.place for live in cluster]) for cluster in clusters.values()]) == expected


@settings(max_examples=20, deadline=None)
@given(sources(), st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_outputs_do_not_depend_on_batches(source: Source, sizes: list[int]) -> None:
    log = numbered(source.events)
    whole = Engine(3, AUTHORITY).apply(log)
    cut: list[Output] = []
    engine = Engine(3, AUTHORITY)
    while log:
        size = sizes[len(log) % len(sizes)]
        cut += engine.apply(log[:size])
        log = log[size:]
    assert encoded(cut) == encoded(whole)


@settings(max_examples=30, deadline=None)
@given(
    sources(12), st.lists(st.tuples(people(), st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=4)
)
def test_deleting_is_as_if_never_seen(
    source: Source, strangers: list[tuple[tuple[Mention, ...], int, int]]
) -> None:
    lives = live_mentions(source.events)
    clean = run(source.events)[1].check(lives)
    events: list[Record | Mark] = list(source.events)
    for index, (mentioned, first, length) in enumerate(strangers):
        start = min(first, len(events))
        version = 1 << 69
        events.insert(start, record(HRSS, f"stranger{index}", version + index, *mentioned))
        end = min(start + 1 + length, len(events))
        events.insert(end, record(HRSS, f"stranger{index}", source.version + 1 + index, deleted=True))
    seen = run(events)[1].check(lives)
    assert sorted([sorted([live.place for live in cluster]) for cluster in seen.values()]) == sorted(
        [sorted([live.place for live in cluster]) for cluster in clean.values()]
    )


@settings(max_examples=20, deadline=None)
@given(sources())
def test_every_id_resolves_and_none_comes_twice(source: Source) -> None:
    engine = Engine(1, AUTHORITY)
    ended: set[str] = set()
    known: set[str] = set()
    for entry in numbered(source.events):
        for output in engine.apply([entry]):
            if isinstance(output, PersonChange):
                assert output.person_id not in ended, "an ended person never comes back"
                known.add(output.person_id)
                if output.state != "active":
                    ended.add(output.person_id)
            elif isinstance(output, IdentityChange) and not output.is_deleted:
                known.add(output.person_id)
    assert known == {f"P{number:010d}" for number in range(1, engine.state.next_person)}
    assert known - ended == {f"P{number:010d}" for number in engine.state.persons}


@settings(max_examples=20, deadline=None)
@given(sources())
def test_one_output_for_each_identity_and_person_of_an_entry(source: Source) -> None:
    engine = Engine(1, AUTHORITY)
    for entry in numbered(source.events):
        outputs = engine.apply([entry])
        places = [
            (o.department, o.table, o.key, o.role, o.ordinal)
            for o in outputs
            if isinstance(o, IdentityChange)
        ]
        persons = [o.person_id for o in outputs if isinstance(o, PersonChange)]
        assert len(places) == len(set(places))
        assert len(persons) == len(set(persons))
        dispositions = [o for o in outputs if isinstance(o, Disposition)]
        assert len(dispositions) == isinstance(entry.value, Record)
        for output in outputs:
            if isinstance(output, IdentityChange | PersonChange | PersonIdChange | ReviewChange):
                assert output.version == log_version(1, entry.offset)


@settings(max_examples=20, deadline=None)
@given(sources(), st.data())
def test_redelivery_is_superseded_and_changes_nothing(source: Source, data: st.DataObject) -> None:
    engine, _ = run(source.events)
    for event in data.draw(st.lists(st.sampled_from(source.events))):
        outputs = engine.apply(numbered([event], engine.state.offset))
        if isinstance(event, Mark):
            assert outputs == [PassedMark(event)]
        else:
            assert outputs == [Disposition(engine.state.offset - 1, event.feed, "superseded")]


def identities(outputs: Sequence[Output]) -> list[tuple[str, str, bool]]:
    return [(o.key, o.person_id, o.is_deleted) for o in outputs if isinstance(o, IdentityChange)]


def persons(outputs: Sequence[Output]) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (o.person_id, o.state, o.merged_into, o.split_from) for o in outputs if isinstance(o, PersonChange)
    ]


class Log:
    """An engine and the offset to go on with."""

    def __init__(self) -> None:
        self.engine = Engine(1, AUTHORITY)
        self.tables = Tables()

    def __call__(self, *values: Record | Mark) -> list[Output]:
        outputs = self.engine.apply(numbered(values, self.engine.state.offset))
        self.tables.add(outputs)
        return outputs


def test_same_number_and_name_is_one_person_and_the_smaller_id_stays() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG))
    assert persons(log(record(HEALTH, "7", 1, Mention("self", name="李强")))) == [
        ("P0000000002", "active", None, None)
    ]
    assert identities(log(record(HEALTH, "7", 2, mention()))) == [
        ("1", "P0000000001", False),
        ("7", "P0000000001", False),
    ]
    assert log.tables.persons["P0000000002"].state == "merged"
    assert log.tables.persons["P0000000002"].merged_into == "P0000000001"
    outputs = log(record(HEALTH, "7", 3, mention(id_number=NUMBERS[2], birth_date=16616)))
    assert persons(outputs) == [
        ("P0000000001", "active", None, None),
        ("P0000000003", "active", None, "P0000000001"),
    ]
    assert persons(log(record(HEALTH, "7", 4, deleted=True))) == [
        ("P0000000003", "retired", None, "P0000000001")
    ]


def test_the_id_goes_with_the_oldest_mention() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, WANG), record(HRSS, "3", 1, WANG))
    moved = log(record(POLICE, "1", 2, mention(id_number=NUMBERS[2], birth_date=16616)))
    assert identities(moved) == [
        ("1", "P0000000001", False),
        ("2", "P0000000002", False),
        ("3", "P0000000002", False),
    ]
    assert log.tables.persons["P0000000002"].split_from == "P0000000001"


MOTHER = mention(name="李兰", id_number=number("390102", "19550612", "024"), birth_date=-5317, sex="2")
CHILD = Mention(
    "self", name="王小芳", birth_date=3652, sex="2", kin=(Kin("mother", "李兰", MOTHER.id_number),)
)
ADDRESS = "江岚省云州市青禾区临江路12号3栋402室"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (mention(), True),
        (mention(birth_date=None), True),
        (mention(id_number=None), True),
        (mention(id_number=None, name="王晓芳"), True),
        (mention(id_number=None, name="芳王小"), True),
        (mention(id_number=None, birth_date=None), True),
        (mention(id_number=None, birth_date=None, phone=None), False),
        (mention(id_number=None, birth_date=None, birth_month="198001"), True),
        (mention(id_number=None, birth_date=3711, phone=None), False),
        (mention(name="李强"), True),
        (mention(name=None, birth_date=None, phone=None), True),
        (mention(name="李强", birth_date=-3652), False),
        (mention(name="李强", birth_date=None, phone=None), False),
        (mention(name="李强", former_name="王小芳", birth_date=None), True),
        (mention(name="李强", id_number=None, other_numbers=(NUMBERS[0],), phone=None), True),
        (mention(id_number=NUMBERS[2], birth_date=16616, phone=None), False),
        (mention(id_number=NUMBERS[2], birth_date=16616, ties=("police.person_file|7",)), True),
        (mention(id_number=None, birth_date=None, phone=None, ties=("police.person_file|7",)), True),
        (mention(id_number=None, birth_date=None, phone=None, household="police|3"), True),
        (
            mention(
                id_number=None, birth_date=None, phone=None, residence_address="青禾区临江路12号3栋402室"
            ),
            True,
        ),
        (mention(id_number=None, sex="1"), True),
        (mention(id_number=None, name="王大明", phone=None), False),
        (mention(id_number=None, name=None, phone=None), False),
    ],
)
def test_two_mentions(other: Mention, same: bool) -> None:
    known = mention(sex="2", ties=("police.person_file|7",), household="police|3", hukou_address=ADDRESS)
    log = Log()
    log(record(POLICE, "1", 1, known), record(HEALTH, "2", 1, other))
    shown = log.tables.shown()
    assert (shown[POLICE, "1", "self"] == shown[HEALTH, "2", "self"]) == same


def test_a_refused_number_one_error_away_links() -> None:
    log = Log()
    refused = (Finding("id_number", "id_checksum", "error", BAD_NUMBER, "self", 0),)
    other = mention(id_number=None, birth_date=None, phone=None)
    log(
        record(POLICE, "1", 1, WANG),
        record(HEALTH, "2", 1, other, findings=refused),
        record(HRSS, "3", 1, other),
    )
    shown = log.tables.shown()
    assert shown[POLICE, "1", "self"] == shown[HEALTH, "2", "self"] != shown[HRSS, "3", "self"]


def test_an_unnamed_newborn_goes_to_the_child_and_not_to_the_mother() -> None:
    log = Log()
    baby = mention(
        role="baby",
        name=None,
        id_number=None,
        phone=None,
        sex="2",
        certificate_number="K100000001",
        kin=CHILD.kin,
    )
    mother = msgspec.structs.replace(MOTHER, role="mother")
    log(record(HEALTH, "1", 1, baby, mother), record(POLICE, "2", 1, MOTHER), record(POLICE, "3", 1, CHILD))
    insured = Mention("self", id_number="K100000001", sex="2", birth_date=3652)
    log(record(HRSS, "4", 1, insured))
    shown = log.tables.shown()
    assert shown[HEALTH, "1", "baby"] == shown[POLICE, "3", "self"] == shown[HRSS, "4", "self"]
    assert shown[HEALTH, "1", "mother"] == shown[POLICE, "2", "self"] != shown[POLICE, "3", "self"]


def test_children_of_one_mother_are_not_one_for_her_sake() -> None:
    log = Log()
    insured = Mention("self", sex="2", birth_date=3652, hukou_address=ADDRESS, kin=CHILD.kin)
    sister = Mention("self", name="王小丽", sex="2", hukou_address=ADDRESS, kin=CHILD.kin)
    log(record(HRSS, "1", 1, insured), record(HEALTH, "2", 1, sister))
    assert log.engine.person_count == 2


def test_a_file_of_a_child_knows_whose_number_a_record_without_birth_has() -> None:
    file, name, house = ("health.child_code|1",), "王小芳", "青禾区临江路12号3栋402室"
    said_by = (Kin("mother", "李兰", NUMBERS[0]),)
    own = Mention(
        "self", name=name, id_number=NUMBERS[2], birth_date=16616, sex="2", hukou_address=house, kin=said_by
    )
    dose = Mention(
        "self", name=name, id_number=NUMBERS[0], birth_date=16616, residence_address=house, ties=file
    )
    undated = Mention("self", name=name, id_number=NUMBERS[0], residence_address=house, ties=file)
    pupil = Mention("self", name=name, id_number=NUMBERS[0], other_numbers=(NUMBERS[2],))
    mother = Mention("self", name="李兰", id_number=NUMBERS[0], birth_date=3652, sex="2", hukou_address=house)
    card = Mention("self", id_number=NUMBERS[0])
    log = [
        record(FEEDS[place % 3], str(place), 1, said)
        for place, said in enumerate((own, dose, undated, pupil, mother, mother, card))
    ]
    for order in (log, log[::-1]):
        engine = Engine(1, AUTHORITY)
        engine.apply(numbered(order))
        persons = [engine.state.mention(entry.feed, entry.key, "self", 0) for entry in log]
        child, *others, first, second, read = [said.person for said in persons if said is not None]
        assert others == [child] * 3
        assert first is second is read is not child


def test_the_mothers_number_in_a_childs_record_joins_nobody_wrong() -> None:
    log = Log()
    wrong = msgspec.structs.replace(CHILD, id_number=MOTHER.id_number, kin=())
    log(record(POLICE, "1", 1, MOTHER), record(POLICE, "2", 1, CHILD), record(HEALTH, "3", 1, wrong))
    log(record(HRSS, "4", 1, Mention("self", id_number=MOTHER.id_number)))
    shown = log.tables.shown()
    assert shown[POLICE, "2", "self"] == shown[HEALTH, "3", "self"]
    assert shown[POLICE, "1", "self"] == shown[HRSS, "4", "self"] != shown[POLICE, "2", "self"]


def test_twins_are_two_and_the_unnamed_one_is_who_is_left() -> None:
    log = Log()
    one = mention(
        name="王梓涵",
        id_number=number("390102", "20200601", "023"),
        birth_date=18414,
        sex="2",
        phone=None,
        kin=CHILD.kin,
    )
    two = mention(
        name="王梓萱",
        id_number=number("390102", "20200601", "041"),
        birth_date=18414,
        sex="2",
        phone=None,
        kin=CHILD.kin,
    )
    baby = mention(
        role="baby", name=None, id_number=None, birth_date=18414, sex="2", phone=None, kin=CHILD.kin
    )
    log(record(POLICE, "1", 1, one), record(POLICE, "2", 1, two))
    log(record(HEALTH, "2", 1, msgspec.structs.replace(baby, birth_order=2)))
    shown = log.tables.shown()
    assert len(set(shown.values())) == 3, "nobody can tell"
    log(record(HEALTH, "1", 1, msgspec.structs.replace(baby, name="王梓涵", birth_order=1)))
    shown = log.tables.shown()
    assert shown[POLICE, "1", "self"] == shown[HEALTH, "1", "baby"]
    assert shown[POLICE, "2", "self"] == shown[HEALTH, "2", "baby"]


def test_plainly_different_people_are_not_joined_through_a_third() -> None:
    other = mention(name="李强", birth_date=-3652)
    log = Log()
    log(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, other))
    log(record(HRSS, "3", 1, mention(name=None, birth_date=None, phone=None)))
    shown = log.tables.shown()
    assert shown[POLICE, "1", "self"] != shown[HEALTH, "2", "self"]
    assert shown[HRSS, "3", "self"] == shown[POLICE, "1", "self"], "the number says the same birth"


def test_a_telephone_of_everybody_proves_nothing() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, mention(id_number=None, birth_date=None)))
    assert log.engine.person_count == 1
    crowd = [
        record(HRSS, str(n), 1, Mention("self", name=chr(0x5000 + n) * 2, phone=WANG.phone))
        for n in range(MOST)
    ]
    log(*crowd)
    assert (log.engine.person_count, log.engine.hot_keys) == (MOST + 2, 1)
    log(record(HRSS, "0", 2, deleted=True), record(HRSS, "1", 2, deleted=True))
    assert (log.engine.person_count, log.engine.hot_keys) == (MOST - 1, 0)


@pytest.mark.parametrize("create_first", [False, True])
def test_key_change_keeps_person_and_unchanged_values(create_first: bool) -> None:
    log = Log()
    other = Mention("self", name="李强")
    log(record(POLICE, "a", 1, mention(id_number=None)), record(POLICE, "b", 1, other))
    source = Source(rows={(POLICE, "a"): ()}, version=1)
    unsent = mention(id_number=None, sex="2", phone=None, unchanged=("phone",))
    source.rekey(POLICE, "a", "z", (unsent,), create_first)
    told = [o.outcome for o in log(*source.events) if isinstance(o, Disposition)]
    assert told == (["applied", "superseded"] if create_first else ["deleted", "applied"])
    assert log.tables.shown() == {(POLICE, "z", "self"): "P0000000001", (POLICE, "b", "self"): "P0000000002"}
    fields = log.tables.persons["P0000000001"].to_avro()
    assert (fields["phone"], fields["sex"]) == ("13900000001", "2")
    assert expanded(fields["provenance"])["phone"]["key"] == "z"
    for late in (record(POLICE, "a", 1, WANG), *source.events):
        assert isinstance(late, Record)
        assert log.engine.supersedes(late)
        assert [o.outcome for o in log(late) if isinstance(o, Disposition)] == ["superseded"]
    log(record(POLICE, "z", 3, deleted=True), record(POLICE, "z", 4, WANG))
    assert log.tables.shown()[POLICE, "z", "self"] == "P0000000003", (
        "a key that is made again is somebody new"
    )
    assert log.tables.persons["P0000000001"].state == "retired"


@pytest.mark.parametrize("create_first", [False, True])
def test_key_change_onto_a_freed_key_whose_delete_is_late(create_first: bool) -> None:
    log = Log()
    log(
        record(POLICE, "a", 1, mention(id_number=None)),
        record(POLICE, "b", 1, Mention("self", name="李强")),
    )
    source = Source(rows={(POLICE, "a"): ()}, version=2)
    source.rekey(POLICE, "a", "b", (mention(id_number=None, phone=None, unchanged=("phone",)),), create_first)
    outputs = log(*source.events, record(POLICE, "b", 2, deleted=True))
    assert log.tables.shown() == {(POLICE, "b", "self"): "P0000000001"}
    assert log.tables.persons["P0000000001"].to_avro()["phone"] == "13900000001"
    assert log.tables.persons["P0000000002"].state == "retired"
    assert isinstance(outputs[-1], Disposition)
    assert outputs[-1].outcome == "superseded"


def test_a_reused_key_is_not_moved_by_a_late_create() -> None:
    log = Log()
    log(record(POLICE, "a", 9, mention(id_number=None)))
    log(record(POLICE, "b", 5, Mention("self", name="李强"), previous_key="a"))
    assert log.tables.shown() == {(POLICE, "a", "self"): "P0000000001", (POLICE, "b", "self"): "P0000000002"}


def test_unchanged_elements_keep_the_rows_own_value() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, mention(phone="13900000002")))
    log(record(HEALTH, "2", 2, mention(phone=None, name=None, unchanged=("phone", "name"))))
    stored = log.engine.state.mention(HEALTH, "2", "self", 0)
    assert stored is not None
    assert (log.engine.state.read(stored).name, log.engine.state.read(stored).phone) == (
        "王小芳",
        "13900000002",
    )
    log(record(HEALTH, "2", 3, mention(phone=None)))
    assert log.engine.state.read(stored).phone is None


def test_roles_come_and_go() -> None:
    log = Log()
    mother = mention(role="mother", name="李强", id_number=NUMBERS[1], birth_date=None, phone=None)
    log(record(HEALTH, "2", 1, WANG, mother))
    assert len(log.tables.shown()) == 2
    outputs = log(record(HEALTH, "2", 2, WANG))
    assert ("2", "P0000000002", True) in identities(outputs)
    assert log.tables.persons["P0000000002"].state == "retired"
    log(record(HEALTH, "2", 3, mother))
    assert log.tables.shown() == {(HEALTH, "2", "mother"): "P0000000003"}


def test_two_ordinals_of_one_role_are_two_mentions() -> None:
    log = Log()
    outputs = log(record(HEALTH, "2", 1, WANG, Mention("self", 1, name="李强")))
    assert [(o.ordinal, o.person_id) for o in outputs if isinstance(o, IdentityChange)] == [
        (0, "P0000000001"),
        (1, "P0000000002"),
    ]


def test_truncation_removes_what_is_below_it_whenever_that_comes() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG), record(POLICE, "2", 5, WANG), record(POLICE, "3", 2, WANG))
    log(record(POLICE, "3", 3, deleted=True), truncate(POLICE, 5))
    assert log.tables.shown() == {(POLICE, "2", "self"): "P0000000001"}
    outputs = log(record(POLICE, "1", 4, WANG), record(POLICE, "3", 4, WANG))
    assert [o.outcome for o in outputs if isinstance(o, Disposition)] == ["superseded", "superseded"]
    assert log.engine.state.feeds[POLICE].deleted == {}
    log(record(POLICE, "1", 5, WANG))
    assert len(log.tables.shown()) == 2


def test_marks_are_passed_on_after_their_effect() -> None:
    frontier = Mark(MarkKind.FRONTIER, "police", "", 0, 17)
    log = Log()
    outputs = log(record(POLICE, "1", 1, WANG), frontier, truncate(POLICE, 2))
    assert outputs[-1] == PassedMark(truncate(POLICE, 2))
    assert PassedMark(frontier) in outputs
    assert identities(outputs) == [("1", "P0000000001", False), ("1", "P0000000001", True)]


def test_outcomes_are_told_for_each_record() -> None:
    log = Log()
    outputs = log(
        record(POLICE, "1", 2, WANG), record(POLICE, "1", 1, WANG), record(POLICE, "1", 3, deleted=True)
    )
    told = [(o.feed, o.outcome) for o in outputs if isinstance(o, Disposition)]
    assert told == [(POLICE, "applied"), (POLICE, "superseded"), (POLICE, "deleted")]
    late = log(record(POLICE, "1", 2, WANG))
    assert [o.outcome for o in late if isinstance(o, Disposition)] == ["superseded"]


def test_authority_comes_before_recency() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG, source_time=10))
    log(record(HRSS, "2", 1, mention(name="王晓芳", phone="2"), source_time=20))
    fields = log.tables.persons["P0000000001"].to_avro()
    assert (fields["name"], fields["phone"]) == ("王小芳", "2")


def test_another_authority_counts_from_the_next_entry_for_everybody() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG, source_time=10))
    log(record(HRSS, "2", 1, mention(name="王晓芳", phone="2"), source_time=20))
    log.engine.state.use_authority({"name": (HRSS,)})
    outputs = log(Mark(MarkKind.FRONTIER, "police", "", 0, 17))
    assert [o.to_avro()["name"] for o in outputs if isinstance(o, PersonChange)] == ["王晓芳"]
    assert log(Mark(MarkKind.FRONTIER, "police", "", 0, 18)) == [
        PassedMark(Mark(MarkKind.FRONTIER, "police", "", 0, 18))
    ]


def test_an_update_without_effect_says_nothing_new() -> None:
    log = Log()
    log(record(POLICE, "1", 1, WANG, source_time=10))
    outputs = log(record(POLICE, "1", 2, WANG, source_time=10))
    assert [type(output) for output in outputs] == [Disposition]


def test_outputs_fit_their_schemas() -> None:
    log = Log()
    outputs = log(record(POLICE, '{"id":"1"}', 1, WANG, mention(role="mother", id_number=NUMBERS[1])))
    for output in outputs:
        if isinstance(output, IdentityChange | PersonChange | PersonIdChange | ReviewChange):
            codec = DatumCodec(shared_schema(type(output).__name__.removesuffix("Change")))
            fields = output.to_avro()
            assert codec.decode(codec.encode(fields)) == fields
            assert set(fields) == {part["name"] for part in codec.schema["fields"]}
            assert from_bytes(fields["version"]) == output.version


def test_offsets_never_go_back() -> None:
    engine = Engine(1, AUTHORITY)
    with pytest.raises(OffsetError, match="entry 4 of the log came when 6"):
        engine.apply([LogEntry(5, record(POLICE, "1", 1, WANG)), LogEntry(4, record(POLICE, "1", 2, WANG))])
    assert engine.mention_count == 0


def test_authority_for_an_unknown_element_is_refused() -> None:
    with pytest.raises(AuthorityError, match="'shoe_size'"):
        Engine(1, {"shoe_size": (POLICE,)})


def test_the_golden_oracle_and_the_engine_agree_on_a_known_case() -> None:
    source = Source()
    source.put(POLICE, "1", (WANG,))
    source.put(HEALTH, "2", (mention(phone="13900000002"),))
    _, tables = run(source.events)
    values, provenance = golden(live_mentions(source.events))
    assert provenance["phone"]["table"] == "health_record"
    assert provenance["phone"]["disagree"] == [POLICE]
    assert provenance["name"]["agree"] == [HEALTH]
    assert tables.persons["P0000000001"].elements == values


@pytest.mark.parametrize("mentions", [1, 16, 17, 40])
def test_the_golden_record_of_any_number_of_mentions(mentions: int) -> None:
    source = Source()
    for index in range(mentions):
        phone = None if index % 5 == 0 else f"1390000000{index % 3}"
        source.put(FEEDS[index % 3], str(index), (mention(phone=phone, sex=(None, "1", "2")[index % 3]),))
    _, tables = run(source.events)
    assert len(tables.check(live_mentions(source.events))) == 1


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS = st.none() | KEYS | st.sampled_from(["x" * 40, "家" * 90])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FEEDS),
            KEYS,
            st.integers(-5, 5),
            TEXTS,
            st.integers(-(2**40), 2**40),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_compiled_golden_records_are_those_of_the_oracle(
    drawn: list[tuple[str, str, int, str | None, int]],
) -> None:
    """Any characters in keys and values, equal times, keys and roles; the bytes are MessagePack's own."""
    state = LinkState(AUTHORITY)
    mentions, live = [], []
    for serial, (feed, key, source_time, text, birth) in enumerate(drawn):
        said = mention(role=f"r{serial % 3}", ordinal=serial, name=text, phone=text, birth_date=birth)
        row = RowState(state.feed(feed), key, serial, source_time)
        mentions.append(MentionState(row, said.role, serial, serial, state.values.put(pack(said), key), ""))
        values = tuple(getattr(said, element) for element in PERSON_ELEMENTS)
        live.append(Live(feed, f"{key}", said.role, source_time, values, said, ""))
    packed = state.golden.make(mentions)
    values, provenance = unpack_golden(packed)
    assert (values, expanded(provenance)) == golden(live)
    assert packed == msgspec.msgpack.encode((values, provenance, len(mentions)))
    assert packed == state.golden.make(mentions[::-1])


def test_a_golden_record_of_more_than_fits() -> None:
    """Feeds, mentions and texts beyond every length that has a shorter form."""
    state = LinkState({})
    mentions = []
    for serial in range(70_000):
        row = RowState(state.feed(f"d{serial % 300}.t"), "k" * (serial % 7), 1, serial % 900)
        value = state.values.put(pack(mention(name="n" * 400)), row.key)
        mentions.append(MentionState(row, "self", serial, serial, value, ""))
    values, provenance = unpack_golden(state.golden.make(mentions))
    assert values[0] == "n" * 400
    assert len(msgspec.json.decode(provenance)["feeds"]) == 300


@settings(max_examples=20, deadline=None)
@given(sources())
def test_nothing_is_left_to_the_garbage_collector(source: Source) -> None:
    gc.disable()
    gc.freeze()  # what is there already is not looked at: with the test runner's it would be most of the time
    try:
        engine = Engine(3, AUTHORITY)
        engine.apply(numbered(source.events))
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [type(item) for item in gc.garbage if type(item).__module__.startswith("linkage")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
    assert left == []
    assert engine.mention_count == len(live_mentions(source.events))
