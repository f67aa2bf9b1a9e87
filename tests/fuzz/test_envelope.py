"""Broken and hostile events for the envelope decoder and the stage behind it: only the typed errors, and the quick way
says what the general way says.

Inputs are real events, as Debezium wrote them for the envelope suite in all its formats and as rows of every feed, with
bytes changed, cut out, doubled or replaced; and random bytes. Seeded: a failure names the seed and the number of its
input. ``make fuzz`` runs a million inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest

from avro.change import Change, Place, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.kcat import read_line
from avro.record import DeadLetter, Mark
from connectors.feeds import Catalog, Feed
from streams.normalize import Normalizer, Outcome, Recorded
from tests.fuzz.conftest import INPUTS
from tests.unit.feed_rows import CASES
from tests.unit.test_envelope_suite import SOURCES, captured
from tests.unit.test_envelope_suite import Recorded as SuiteRegistry
from tests.unit.test_replay_all import created

SEED: Final = 20260102
SHORT, LONG = 1_500, 1_000_000
CATALOG: Final = Catalog.load()
DECODERS: Final = {source: EnvelopeDecoder(SuiteRegistry(source)) for source in SOURCES}
SUITE: Final = [
    (source, event) for source in SOURCES for events in captured(source).values() for event in events
]


def _row_event(feed: Feed, row: dict[str, Any]) -> RawEvent:
    """Return the event of a new row, with the key as Connect writes it."""
    event = read_line(created(feed, row, 1).encode())
    key = msgspec.json.encode(msgspec.json.decode(event.key or b""))
    return RawEvent(event.place, key, event.value, event.headers)


ROWS: Final = [
    (CATALOG.by_id(feed), _row_event(CATALOG.by_id(feed), case.row)) for feed, case in CASES.items()
]
DECODER: Final = EnvelopeDecoder(None)
NORMALIZER: Final = Normalizer(CATALOG, DECODER)
_TOKENS: Final = (
    *(
        b"null",
        b"true",
        b"0",
        b"-1",
        b"1e999",
        b"9" * 40,
        b"1.0",
        b'""',
        b'"\\ud800"',
        b"[]",
        b"{}",
        b"[[[[",
        b"{" * 64,
    ),
    *(
        b'"op":"d"',
        b'"op":"t"',
        b'"after":null',
        b'"sequence":"[]"',
        b'"lsn":-5',
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(
        b'"__debezium_unavailable_value"',
        b'"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="',
        b'"\\u005f\\u005fdebezium"',
    ),
)


def _mutated(rng: Random, data: bytes) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        if not data:
            return rng.randbytes(rng.randint(0, 40))
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.choice((1, 1, 3, 20, 200)))
        match rng.randrange(5):
            case 0:
                data = data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]
            case 1:
                data = data[:at] + data[end:]
            case 2:
                data = data[:end] + data[at:]
            case 3:
                data = data[:at] + rng.choice(_TOKENS) + data[end:]
            case _:
                data = _value_replaced(rng, data)
    return data


def _value_replaced(rng: Random, data: bytes) -> bytes:
    """Put a token in the place of a whole value of a JSON object, so that it stays JSON more often."""
    colon = data.find(b":", rng.randrange(len(data)))
    ends = [end for end in (data.find(b",", colon), data.find(b"}", colon)) if end > 0]
    return data if colon < 0 or not ends else data[: colon + 1] + rng.choice(_TOKENS) + data[min(ends) :]


def _decoded(
    decoder: EnvelopeDecoder, event: RawEvent, feed: Feed | None, kind: str
) -> Change | Ignored | str:
    try:
        return decoder.decode(event, 1, kind, None if feed is None else feed.shape)
    except DecodeError as error:
        return f"{error.rule}: {error}"


def _of_suite(rng: Random) -> None:
    source, event = rng.choice(SUITE)
    key, headers = event.key, event.headers
    if rng.random() < 0.1:
        headers = [(name, _mutated(rng, text or b"")) for name, text in headers or ()]
    if key is not None and rng.random() < 0.2:
        key = _mutated(rng, key)
    broken = RawEvent(Place("t", 0, 1), key, _mutated(rng, event.value or b""), headers)
    _decoded(DECODERS[source], broken, None, source)


def _of_feed(rng: Random) -> None:
    feed, event = rng.choice(ROWS)
    broken = RawEvent(
        event.place,
        _mutated(rng, event.key or b"") if rng.random() < 0.2 else event.key,
        _mutated(rng, event.value or b""),
        event.headers,
    )
    outcomes = NORMALIZER.process(broken)
    _quickly(feed, broken, outcomes[0])
    for outcome in outcomes:
        assert isinstance(outcome, (Recorded, DeadLetter, Mark, Ignored))
        if isinstance(outcome, Recorded):
            assert feed.codec.decode_header(outcome.datum) == outcome.record
    if feed.is_captured:
        quick = _decoded(DECODER, broken, feed, feed.kind)
        general = _decoded(DECODER, broken, None, feed.kind)
        if isinstance(quick, Change) and quick.row is not None:
            if isinstance(general, str) and _row_before_is_touched(broken):
                return  # the quick way passes over the row before a change, whatever it is
            assert isinstance(general, Change), general
            assert not set(feed.columns).intersection(general.unchanged)
            after: dict[str, Any] = general.after or {}
            assert feed.shape.columns(quick.row) == {name: after[name] for name in feed.columns}
            same = {"after": after, "before": general.before, "unchanged": general.unchanged, "row": None}
            assert msgspec.structs.replace(quick, **same) == general
        elif not (isinstance(quick, str) and isinstance(general, str) and _row_before_is_touched(broken)):
            assert (
                quick == general
            )  # of an event that is broken twice each way names the fault that it meets first


def _quickly(feed: Feed, event: RawEvent, outcome: Outcome) -> None:
    """Hold the datum that the stage makes without a change in between against the general way's."""
    place = event.place
    message = SimpleNamespace(
        key=event.key,
        value=event.value,
        headers=event.headers or (),
        partition=place.partition,
        offset=place.offset,
    )
    found = NORMALIZER.quick(feed, message, b"front")
    if found is not None:
        if isinstance(outcome, DeadLetter) and _row_before_is_touched(event):
            return
        assert isinstance(outcome, Recorded)
        assert found == (
            b"front" + outcome.datum,
            0 if outcome.record.snapshot else outcome.record.source_time,
        )
        assert not outcome.record.is_deleted


def _row_before_is_touched(event: RawEvent) -> bool:
    return b'"before": null' not in (event.value or b"")


def _of_noise(rng: Random) -> None:
    noise = rng.randbytes(rng.randint(0, 60))
    topic = rng.choice(CATALOG.feeds).topic
    event = RawEvent(Place(topic, 0, 1), rng.choice((None, noise[:8])), rng.choice((noise, b"\0" + noise)))
    for outcome in NORMALIZER.process(event):
        assert isinstance(outcome, (DeadLetter, Ignored))


def _run(seed: int, inputs: int, record: Callable[[str, object], None]) -> None:
    rng = Random(seed)
    for number in range(inputs):
        kind = rng.choices((_of_suite, _of_feed, _of_noise), (4, 5, 1))[0]
        try:
            kind(rng)
        except Exception as error:
            raise AssertionError(
                f"{kind.__name__} failed at input {number} of seed {seed}: {error!r}"
            ) from error
    record(f"{INPUTS}the envelope decoder and the stage behind it", inputs)


def test_no_event_breaks_the_decoder(record_property: Callable[[str, object], None]) -> None:
    _run(SEED, SHORT, record_property)


def test_rows_that_are_whole_are_read_the_quick_way() -> None:
    for feed, event in ROWS:
        if feed.is_captured:
            NORMALIZER.process(event)  # widens the shape by what the feed excludes
            found = EnvelopeDecoder(None).decode(event, 1, feed.kind, feed.shape)
            assert isinstance(found, Change)
            assert found.row is not None, feed.id
            assert json.loads(msgspec.json.encode(found.row)) == feed.shape.columns(found.row)


@pytest.mark.long
@pytest.mark.parametrize("part", range(20))
def test_a_million_events_break_nothing(part: int, record_property: Callable[[str, object], None]) -> None:
    _run(SEED + 1 + part, LONG // 20, record_property)
