"""Person ids for ever: a state that is built anew from the compacted topics has the ids of the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from avro.record import Mark, Mention, MentionPlace, Record, log_key, mark_key
from avro.version import log_version
from linkage.durable import DurableLinker
from linkage.engine import Engine, LogEntry
from linkage.errors import IdsError
from linkage.ids import IdReader, KnownIds
from linkage.outputs import IdentityChange, Output, PersonIdChange, parse_person_id
from tests.unit.linkage_world import (
    AUTHORITY,
    FEEDS,
    NUMBERS,
    Source,
    Tables,
    live_mentions,
    numbered,
    record,
    sources,
)

WANG = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=3652)
STRANGER = Mention("self", name="欧阳建国", birth_date=-9000)
"""Somebody whom nothing links with anybody."""
POLICE, HEALTH, HRSS = FEEDS


def compacted(log: list[LogEntry]) -> list[LogEntry]:
    """Return the log as compaction leaves it: the last entry of each key."""
    last: dict[bytes, LogEntry] = {}
    for entry in log:
        value = entry.value
        assert isinstance(value, Record | Mark)
        key = log_key(value.feed, value.key) if isinstance(value, Record) else mark_key(value)
        last.pop(key, None)
        last[key] = entry
    return list(last.values())


def read(outputs: list[Output], until: int) -> KnownIds | None:
    """Return what the linker's topics tell a rebuild, read as compaction leaves them."""
    reader = IdReader()
    for output in outputs:
        if isinstance(output, PersonIdChange):
            reader.add_id(output.person_id, output.merged_into, output.split_from, output.version)
        elif isinstance(output, IdentityChange):
            place = MentionPlace(output.department, output.table, output.key, output.role, output.ordinal)
            reader.add_identity(
                place, output.person_id, output.serial, output.version, is_deleted=output.is_deleted
            )
    return reader.known(until)


def resolved(outputs: list[Output]) -> dict[str, str | None]:
    """Return what each id that was ever issued has become: the id it goes on as, None when it is retired."""
    newest = {output.person_id: output for output in outputs if isinstance(output, PersonIdChange)}
    found: dict[str, str | None] = {}
    for person_id in newest:
        end = newest[person_id]
        while end.merged_into is not None:
            end = newest[end.merged_into]
        found[person_id] = None if end.state == "retired" else end.person_id
    return found


@settings(max_examples=60, deadline=None)
@given(sources())
def test_a_rebuild_gives_everybody_their_id_again(source: Source) -> None:
    log = numbered(source.events)
    before = Engine(1, AUTHORITY).apply(log)
    shown = Tables().add(before).shown()
    until = log[-1].offset + 1
    known = read(before, until)
    engine = Engine(2, AUTHORITY)
    if known is not None:
        engine.state.take_over(known)
    tables = Tables()
    again = engine.apply(compacted(log))
    tables.add(again)
    assert tables.shown() == shown
    after_end = engine.apply([LogEntry(until, record(HRSS, "new", 1 << 80, STRANGER))])
    tables.add(after_end)
    assert engine.state.known is None
    old, new = resolved(before), resolved([*before, *again, *after_end])
    assert {key: new[key] for key in old} == old
    issued = {parse_person_id(key) for key in new}
    assert issued == set(range(1, engine.state.next_person)), "no number is left out or given twice"
    lives = live_mentions([*source.events, record(HRSS, "new", 1 << 80, STRANGER)])
    assert len(tables.shown()) == len(lives)


@settings(max_examples=30, deadline=None)
@given(sources())
def test_every_id_that_was_issued_resolves(source: Source) -> None:
    engine = Engine(1, AUTHORITY)
    outputs = engine.apply(numbered(source.events))
    found = resolved(outputs)
    assert {parse_person_id(key) for key in found} == set(range(1, engine.state.next_person))
    active = set(Tables().add(outputs).shown().values())
    assert set(found.values()) - {None} == active


def test_a_rebuild_outlives_restarts(tmp_path: Path) -> None:
    source = Source()
    for feed, key in ((POLICE, "1"), (HEALTH, "2"), (POLICE, "3"), (HEALTH, "4"), (POLICE, "1")):
        number = NUMBERS[0] if key in "12" else NUMBERS[1]
        source.put(feed, key, (Mention("self", name="王小芳", id_number=number, birth_date=3652),))
    log = numbered(source.events)
    first = Engine(1, AUTHORITY).apply(log)
    known = read(first, log[-1].offset + 1)
    expected = Engine(2, AUTHORITY)
    assert known is not None
    expected.state.take_over(known)
    undisturbed = expected.apply(compacted(log))
    outputs: list[Output] = []
    for entry in compacted(log):
        with DurableLinker(tmp_path, 2, AUTHORITY, known=lambda: known, snapshot_entries=1) as linker:
            linker.open()
            outputs += linker.apply([entry])
            linker.checkpoint()
    assert outputs == undisturbed
    assert Tables().add(outputs).shown() == Tables().add(first).shown()


def test_ids_that_nobody_claims_are_retired() -> None:
    events = [record(POLICE, "1", 1, WANG), record(HEALTH, "2", 1, Mention("self", name="李强"))]
    log = numbered(events)
    known = read(Engine(1, AUTHORITY).apply(log), 2)
    assert known is not None
    engine = Engine(2, AUTHORITY)
    engine.state.take_over(known)
    # The log has lost a row on the way.
    outputs = engine.apply([log[0], LogEntry(2, record(POLICE, "1", 2, WANG))])
    ids = [output for output in outputs if isinstance(output, PersonIdChange)]
    assert [(change.person_id, change.state) for change in ids] == [
        ("P0000000001", "active"),
        ("P0000000002", "retired"),
    ]
    assert ids[1].version == log_version(2, 2)


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(IdsError, match="restore it from a copy"):
        IdReader().add_id("nobody", None, None, 1)
