"""Weights that are learned without labels, tried on a copy, and switched to by an entry of the log."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from avro.codec import SwitchCodec
from avro.record import Decision, DecisionKind, Mention, MentionPlace, TableName, TableSwitch
from linkage.durable import DurableLinker
from linkage.engine import Engine, LogEntry
from linkage.errors import WeightsError
from linkage.outputs import Output
from linkage.training import train
from linkage.trial import try_tables
from linkage.weights import Weights, default_weights
from tests.unit.linkage_world import AUTHORITY, FEEDS, Tables, number, record

POLICE, HEALTH, HRSS = FEEDS
SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周", "芳强伟敏静丽军洋勇艳杰娟涛明超秀霞平刚桂"
RENAMED, MOVED = 0.2, 0.3
PEOPLE = 300


def register(seed: int = 5) -> Engine:
    """Two records of each of some people; a fifth has another name in the second, three in ten another telephone."""
    rng = random.Random(seed)
    engine = Engine(1, AUTHORITY)
    log = []
    for place in range(PEOPLE):
        birth = rng.randint(3653, 9000)
        day = date(1970, 1, 1) + timedelta(days=birth)
        own = number("390102", f"{day:%Y%m%d}", f"{place % 999 + 1:03}")
        name = rng.choice(SURNAMES) + rng.choice(GIVEN) + rng.choice(GIVEN)
        other = "欧阳" + rng.choice(GIVEN) + rng.choice(GIVEN)
        phones = [f"139{rng.randint(0, 99_999_999):08}" for _ in range(2)]
        first = Mention(
            "self", name=name, id_number=own, birth_date=birth, phone=phones[0], household=f"p|{place // 3}"
        )
        second = Mention(
            "self", name=other if rng.random() < RENAMED else name, id_number=own, birth_date=birth,
            phone=phones[1] if rng.random() < MOVED else phones[0],
        )  # fmt: skip
        log += [record(POLICE, str(place), 1, first), record(HEALTH, str(place), 1, second)]
    engine.apply([LogEntry(offset, entry) for offset, entry in enumerate(log)])
    return engine


@pytest.fixture(scope="module")
def learned() -> Weights:
    return Weights(train(register().state, pairs=400).text, "learned")


def test_a_table_is_learned_and_can_be_gone_by(learned: Weights) -> None:
    before = default_weights()
    assert learned.rows.keys() == before.rows.keys()
    for name in before.rows:
        element = name.partition(".")[0]
        if element in ("number", "threshold", "prior", "certificate", "tie"):
            assert learned.probabilities(name) == before.probabilities(name), name
    # In households of three nobody has another's birth: the family's column learns it.
    assert learned.probabilities("birth.equal")[2] < before.probabilities("birth.equal")[2]
    assert learned.probabilities("name.different")[0] > before.probabilities("name.different")[0]
    # What was put in comes out, drawn a little to the table before and with the chance of some hundred pairs.
    assert learned.probabilities("name.different")[0] == pytest.approx(RENAMED, abs=0.08)
    assert learned.probabilities("phone.equal")[0] == pytest.approx(1 - MOVED, abs=0.1)
    assert "[trained on " in learned.text
    Engine.check_switch(TableSwitch(TableName.WEIGHTS, learned.text, "a", "b", 1))


def test_the_same_sample_gives_the_same_table(learned: Weights) -> None:
    assert train(register().state, pairs=400).text == learned.text


def test_too_small_a_register_is_refused() -> None:
    with pytest.raises(WeightsError, match="train with a larger register"):
        train(Engine(1, AUTHORITY).state)


def stricter() -> TableSwitch:
    """A table by which nothing but sixty bits of evidence links."""
    text = default_weights().text.replace("threshold,link,1,1,1", f"threshold,link,{2**60},1,1")
    return TableSwitch(TableName.WEIGHTS, text, "steward", "to try it", 10)


def pairs_of_people() -> list[LogEntry]:
    same = Mention("self", name="王小芳", birth_date=3700, phone="13900000001", household="p|1")
    other = Mention("self", name="王晓芳", birth_date=3700, phone="13900000001", household="p|1")
    log = [record(POLICE, "1", 1, same), record(HEALTH, "2", 1, other), record(HRSS, "3", 1, same)]
    return [LogEntry(offset, entry) for offset, entry in enumerate(log)]


def shown(outputs: list[Output]) -> set[frozenset[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {}
    for place, person in Tables().add(outputs).shown().items():
        found.setdefault(person, set()).add(place)
    return {frozenset(places) for places in found.values()}


def test_a_switch_links_everybody_anew_and_back(tmp_path: Path) -> None:
    log = pairs_of_people()
    back = TableSwitch(TableName.WEIGHTS, default_weights().text, "steward", "it was too strict", 20)
    log += [LogEntry(3, stricter()), LogEntry(4, back), LogEntry(5, stricter())]
    engine = Engine(1, AUTHORITY)
    before = engine.apply(log[:3])
    assert len(shown(before)) == 1
    strict = engine.apply(log[3:4])
    assert len(shown([*before, *strict])) == 3
    again = engine.apply(log[4:5])
    assert shown([*before, *strict, *again]) == shown(before)
    assert engine.apply(log[5:])[-1].outcome == "superseded", "an older switch changes nothing"  # type: ignore[union-attr]
    fresh = Engine(1, AUTHORITY, weights=Weights(stricter().text, "strict"))
    assert shown(fresh.apply(log[:3])) == shown([*before, *strict])
    outputs: list[Output] = []
    for entry in log:
        with DurableLinker(tmp_path, 1, AUTHORITY, snapshot_entries=1) as linker:
            linker.open()
            outputs += linker.apply([entry])
            linker.checkpoint()
    assert outputs == Engine(1, AUTHORITY).apply(log)


def test_a_table_that_cannot_be_read_changes_nothing() -> None:
    engine = Engine(1, AUTHORITY)
    engine.apply(pairs_of_people())
    for text in ("", "element,level,same,stranger,family,note\nprior,pair,1,2,4,\n"):
        broken = TableSwitch(TableName.WEIGHTS, text, "a", "b", 5)
        with pytest.raises(WeightsError):
            Engine.check_switch(broken)
        (told,) = engine.apply([LogEntry(engine.state.offset, broken)])
        assert told.outcome == "superseded"  # type: ignore[union-attr]
        assert engine.person_count == 1


def test_a_trial_tells_what_would_change_and_changes_nothing() -> None:
    engine = Engine(1, AUTHORITY)
    engine.apply(pairs_of_people())
    trial = try_tables(engine.state, 1, None, stricter())
    assert (trial.persons_before, trial.persons_after, trial.split, trial.merged) == (1, 3, 2, 0)
    assert {parent for _, parent in trial.splits} == {"P0000000001"}
    assert engine.person_count == 1
    back = try_tables(
        engine.state, 1, stricter(), TableSwitch(TableName.WEIGHTS, default_weights().text, "", "", 1)
    )
    assert (back.persons_before, back.persons_after, back.merged) == (3, 1, 2)


def test_decisions_outlive_a_switch() -> None:
    engine = Engine(1, AUTHORITY)
    outputs = engine.apply(pairs_of_people())
    left = MentionPlace("police", "hj_ryjbxx", "1", "self")
    right = MentionPlace("health", "health_record", "2", "self")
    must = Decision("D", DecisionKind.MUST_LINK, left, right, "steward", "papers", 1)
    outputs += engine.apply([LogEntry(3, must), LogEntry(4, stricter())])
    assert shown(outputs) == {
        frozenset({(POLICE, "1", "self"), (HEALTH, "2", "self")}),
        frozenset({(HRSS, "3", "self")}),
    }


def test_a_switch_survives_its_schema() -> None:
    codec = SwitchCodec()
    assert codec.decode(codec.encode(stricter())) == stricter()
