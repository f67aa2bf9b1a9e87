"""Generic values: learned from a register with a bad default, read by a steward, and switched to without a stop."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from avro.record import Mention, TableName, TableSwitch
from linkage.durable import DurableLinker
from linkage.engine import Engine, LogEntry
from linkage.errors import WeightsError
from linkage.evaluation import Contingency
from linkage.generic import GenericValues, default_generic, hide, read_generic
from linkage.outputs import Output
from linkage.placeholders import LEAST, learn
from linkage.trial import try_tables
from tests.unit.linkage_world import AUTHORITY, FEEDS, Tables, number, record

PEOPLE = 400
DEFAULT_PHONE, DEFAULT_BIRTH = "16812345678", 2744
EPOCH = date(1970, 1, 1)


def register(seed: int) -> tuple[list[LogEntry], list[int]]:
    """Two records of each of some people, and whose each is. One in twenty has the default telephone and birth of a
    program, and no number; names are so few that some of these are called alike."""
    rng = random.Random(seed)
    log: list[LogEntry] = []
    owners: list[int] = []
    for person in range(PEOPLE):
        birth = rng.randint(-3000, 9000)
        born = EPOCH + timedelta(days=birth)
        name = rng.choice("王李张刘陈") + rng.choice("芳伟敏静丽军洋勇")
        own = number("390102", f"{born:%Y%m%d}", f"{person + 1:03}")
        phone = f"139{rng.randint(0, 99_999_999):08}"
        for feed in FEEDS[:2]:
            said = Mention("self", name=name, id_number=own, birth_date=birth, phone=phone)
            if rng.random() < 0.05:
                said = Mention("self", name=name, birth_date=DEFAULT_BIRTH, phone=DEFAULT_PHONE)
            log.append(LogEntry(len(log), record(feed, str(person), 1, said)))
            owners.append(person)
    return log, owners


def precision(outputs: list[Output], log: list[LogEntry], owners: list[int]) -> tuple[float, int]:
    """Return the share of linked pairs that are right, and the records of the largest person."""
    shown = Tables().add(outputs).shown()
    ids = [shown[entry.value.feed, entry.value.key, "self"] for entry in log]  # type: ignore[union-attr]
    labels = np.unique(ids, return_inverse=True)[1].astype(np.int64)
    scores = Contingency(np.array(owners, dtype=np.int64), labels).scores(replicates=1)
    assert scores.pair_precision.value is not None
    return scores.pair_precision.value, int(np.bincount(labels).max())


def switch(text: str, at: int = 1) -> TableSwitch:
    return TableSwitch(TableName.GENERIC, text, "steward", "defaults of a program", at)


def test_a_bad_default_is_learned_and_switched_off(tmp_path: Path) -> None:
    log, owners = register(1)
    engine = Engine(1, AUTHORITY)
    outputs = engine.apply(log)
    before, largest = precision(outputs, log, owners)
    assert before < 0.99
    learned = learn(engine.state)
    shown = {(one.element, one.shown) for one in learned.found}
    assert shown == {("phone", "168******78"), ("birth_date", "1977-07-07")}
    assert all(one.holders >= LEAST > one.expected and one.feeds == FEEDS[1::-1] for one in learned.found)
    assert DEFAULT_PHONE not in learned.text, "a telephone is somebody's until a steward says otherwise"
    trial = try_tables(engine.state, 1, None, switch(learned.text))
    assert trial.split > 0
    outputs += engine.apply([LogEntry(len(log), switch(learned.text))])
    after, smaller = precision(outputs, log, owners)
    assert after >= 0.999
    assert smaller <= 2 < largest
    assert not learn(engine.state).found, "what is in force is not proposed again"
    entries = [*log, LogEntry(len(log), switch(learned.text))]
    again: list[Output] = []
    for part in (entries[:300], entries[300:], [LogEntry(len(entries), switch(default_generic().text, 2))]):
        with DurableLinker(tmp_path, 1, AUTHORITY, snapshot_entries=1) as linker:
            linker.open()
            again += linker.apply(part)
            linker.checkpoint()
    assert again[: len(outputs)] == outputs
    assert precision(again, log, owners) == (before, largest)


def test_a_register_without_defaults_proposes_nothing() -> None:
    log, _ = register(4)
    clean = [entry for entry in log if entry.value.mentions[0].phone != DEFAULT_PHONE]  # type: ignore[union-attr]
    engine = Engine(1, AUTHORITY)
    engine.apply(clean)
    learned = learn(engine.state)
    assert learned.found == ()
    rows = list(csv.DictReader(StringIO(learned.text)))
    assert [(row["element"], row["value"]) for row in rows] == [
        (row["element"], row["value"]) for row in csv.DictReader(StringIO(default_generic().text))
    ]


def test_hidden_values_are_found_and_a_broken_table_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "generic.csv"
    path.write_text(
        f"element,value,note,shown\nphone,{hide('16812345678')},,168\nname,王某,,\n", encoding="utf-8"
    )
    table = read_generic(path)
    assert table.has("phone", "16812345678")
    assert not table.has("phone", "16812345679")
    assert table.has("name", "王某")
    assert not table.has("id_number", "16812345678")
    with pytest.raises(WeightsError, match="name a table of generic values that can be read"):
        read_generic(tmp_path / "none.csv")
    for text in (
        "element,value\n",
        "element,value,note\nshoe,1,\n",
        "element,value,note\nbirth_date,1.1.1970,\n",
    ):
        with pytest.raises(WeightsError, match="mend it"):
            Engine.check_switch(switch(text))
        engine = Engine(1, AUTHORITY)
        (told,) = engine.apply([LogEntry(0, switch(text))])
        assert told.outcome == "superseded"  # type: ignore[union-attr]
        assert isinstance(engine.state.generic, GenericValues)
