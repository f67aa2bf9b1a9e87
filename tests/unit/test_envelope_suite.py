"""The envelope suite: what real Debezium wrote for its cases, read in every mode and format."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from avro.change import Change, Place, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import SchemaError
from avro.registry import LocalRegistry
from avro.schema import Schema
from connectors.captured import Capture
from tests.envelope.capture import FOLDER
from tests.envelope.kitchen import DEFAULT, DEPARTMENTS
from tests.envelope.suite import AVRO_NAMES, Case, Expected, filled
from tests.envelope.suite import CASES as ALL_CASES

Events = tuple[Change | Ignored, ...]

SOURCES = tuple(source for source in DEPARTMENTS if (FOLDER / f"{source}.jsonl").exists())
CASES = [case for case in ALL_CASES if case.source in SOURCES]


class Recorded(LocalRegistry):
    """The registry's schemas as they were when the suite was captured."""

    def __init__(self, source: str) -> None:
        super().__init__()
        lines = (FOLDER / f"{source}.schemas.jsonl").read_text(encoding="utf-8").splitlines()
        self._known: dict[int, Schema] = {entry["id"]: entry["schema"] for entry in map(json.loads, lines)}

    def schema(self, schema_id: int) -> Schema:
        if schema_id not in self._known:
            raise SchemaError(f"schema {schema_id} was not captured; run make capture-envelopes")
        return self._known[schema_id]


@cache
def captured(source: str) -> Mapping[tuple[str, str, str], tuple[RawEvent, ...]]:
    """Return the raw events by case, mode and format."""
    events: dict[tuple[str, str, str], list[RawEvent]] = defaultdict(list)
    for number, text in enumerate((FOLDER / f"{source}.jsonl").read_text(encoding="utf-8").splitlines()):
        line = json.loads(text)
        is_avro = line["format"] == Capture.AVRO.value
        events[line["case"], line["mode"], line["format"]].append(
            RawEvent(
                Place(line["topic"], 0, number),
                _bytes(line["key"], is_avro),
                _bytes(line["value"], is_avro),
                [(name, value.encode()) for name, value in line["headers"].items()] or None,
            )
        )
    return {place: tuple(found) for place, found in events.items()}


@cache
def decoder(source: str) -> EnvelopeDecoder:
    return EnvelopeDecoder(Recorded(source))


def _bytes(text: str | None, is_avro: bool) -> bytes | None:
    if text is None:
        return None
    return base64.b64decode(text) if is_avro else text.encode()


def changes(case: Case, mode: str = DEFAULT, wire: str = "json") -> Events:
    found = captured(case.source).get((case.name, mode, wire), ())
    decoded = tuple(decoder(case.source).decode(event, 1, case.source) for event in found)
    for event in decoded if wire == Capture.AVRO.value else ():
        if isinstance(event, Change):
            event.after, event.before = _renamed(event.after), _renamed(event.before)
    # A connector that reads a table again may read a row before it comes to the row's own event; versions tell.
    return (
        decoded
        if "SIGNAL" not in case.sql
        else tuple(sorted(decoded, key=lambda event: getattr(event, "op", "")))
    )


def _renamed(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {AVRO_NAMES.get(name, name): value for name, value in row.items()}


def named(case: Case) -> str:
    return case.name


ABOUT_ROWS = [case for case in CASES if case.expected and case.table != "transaction"]


@pytest.mark.parametrize("source", DEPARTMENTS)
def test_each_source_was_captured(source: str) -> None:
    if source not in SOURCES:
        pytest.skip(f"not captured yet: make capture-envelopes ARGS={source}")


def test_there_are_enough_cases_and_each_was_captured() -> None:
    assert len(ALL_CASES) >= 60
    for case in CASES:
        modes = {mode for name, mode, _ in captured(case.source) if name == case.name}
        assert modes, f"{case.name} was not captured; run make capture-envelopes"
        assert modes >= case.modes.keys()


@pytest.mark.parametrize("wire", [capture.value for capture in Capture])
@pytest.mark.parametrize("case", ABOUT_ROWS, ids=named)
def test_a_case_says_what_was_done(case: Case, wire: str) -> None:
    found = changes(case, DEFAULT, wire)
    assert len(found) == len(case.expected)
    for event, expected in zip(found, case.expected, strict=True):
        _compare(case, event, expected)


def _compare(case: Case, event: Change | Ignored, expected: Expected) -> None:
    if expected.ignored:
        assert event == Ignored(expected.ignored)
        return
    assert isinstance(event, Change)
    assert event.op == expected.op
    assert (event.department, event.table) == (DEPARTMENTS[case.source], case.table)
    for name, wanted in (("previous_key", expected.previous_key), ("next_key", expected.next_key)):
        assert getattr(event, name) == (filled(case, wanted) if wanted is not None else None), name
    if expected.key is not None:
        assert event.key == filled(case, expected.key)
    if expected.snapshot is not None:
        assert event.snapshot == expected.snapshot
    for side, values in ((event.after, expected.after), (event.before, expected.before)):
        if values is not None:
            assert side is not None
            assert {name: side.get(name, "absent") for name in values} == values
    assert not set(expected.gone) & (event.after or {}).keys()
    assert event.unchanged == expected.unchanged


def _comparable(event: Change | Ignored) -> Change | Ignored:
    """Leave away what belongs to the connector that captured, not to the change."""
    if isinstance(event, Ignored):
        return event
    event.place, event.captured_time = Place("", 0, 0), 0
    if event.op == "r":  # each connector takes its own snapshot
        event.version, event.source_time, event.snapshot = 0, 0, bool(event.snapshot) and "some"  # type: ignore[assignment]
    return event


@pytest.mark.parametrize("mode", [DEFAULT, "precise", "double"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_same_change_is_the_same_in_every_format(source: str, mode: str) -> None:
    compared = 0
    for case in (case for case in CASES if case.source == source and case.table != "heartbeat"):
        plain = tuple(map(_comparable, changes(case, mode, "json")))
        for wire in ("json-schemas", "avro"):
            assert tuple(map(_comparable, changes(case, mode, wire))) == plain, (case.name, wire)
        compared += len(plain)
    assert compared > 10


@pytest.mark.parametrize("wire", [capture.value for capture in Capture])
@pytest.mark.parametrize("case", [case for case in CASES if case.modes], ids=named)
def test_other_modes_have_other_values(case: Case, wire: str) -> None:
    for mode, values in case.modes.items():
        found = changes(case, mode, wire)
        if not found and wire != "json":
            continue  # the rarer modes are captured as JSON only
        (event,) = found
        assert isinstance(event, Change)
        assert event.after is not None
        assert {name: event.after[name] for name in values} == values, mode


@pytest.mark.parametrize("case", [case for case in CASES if case.table == "heartbeat"], ids=named)
def test_heartbeats_have_a_time(case: Case) -> None:
    for wire in (capture.value for capture in Capture):
        for event in captured(case.source)[case.name, DEFAULT, wire]:
            assert decoder(case.source).heartbeat(event) > 1_700_000_000_000_000


@pytest.mark.parametrize("case", [case for case in CASES if case.table == "transaction"], ids=named)
def test_transaction_metadata_are_ignored(case: Case) -> None:
    for wire in (capture.value for capture in Capture):
        assert changes(case, "precise", wire) == (Ignored("transaction"),) * 2


@pytest.mark.parametrize("case", ABOUT_ROWS, ids=named)
def test_the_events_of_a_row_are_in_the_order_of_their_versions(case: Case) -> None:
    """Through a change of the key as well: the create has the delete's version, and another key."""
    versions = [event.version for event in changes(case) if isinstance(event, Change) and event.op != "r"]
    assert versions == sorted(versions)
    by_key: dict[str, list[int]] = defaultdict(list)
    for event in changes(case):
        if isinstance(event, Change):
            by_key[event.key].append(event.version)
    assert all(len(set(own)) == len(own) for own in by_key.values())
