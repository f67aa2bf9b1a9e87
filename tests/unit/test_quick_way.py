"""The quick way through the normalize stage writes what the general way does, for a whole province."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.structs import ConsumerRecord

from avro.change import Change, Op, Place, RawEvent
from avro.envelope import EnvelopeDecoder, Ignored
from avro.errors import DecodeError
from avro.kcat import read_line
from avro.normalize.resident_id import check_character
from avro.record import DeadLetter, Mark, mark_key
from avro.registry import LocalRegistry
from connectors.feeds import Catalog
from connectors.simulate.events import CHANGES, SNAPSHOT, write
from connectors.simulate.population import Population
from streams import topics
from streams.normalize import NormalizeAgent, Normalizer, dead_letter_headers
from streams.producer import Producer
from streams.schemas import TopicSchemas

CATALOG = Catalog.load()
PEOPLE = 150
EPOCH = date(1970, 1, 1)


class Sent:
    """A producer that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[object, ...]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None) -> None:
        self.messages.append((topic, key, value, headers))

    def flush(self) -> None: ...


def message(event: RawEvent) -> ConsumerRecord[bytes, bytes]:
    place = event.place
    return ConsumerRecord(
        place.topic, place.partition, place.offset, event.timestamp, 0, event.key, event.value, None, 0, 0,
        tuple(event.headers or ()),
    )  # fmt: skip


def by_the_codec(normalizer: Normalizer, schemas: TopicSchemas, event: RawEvent) -> list[tuple[object, ...]]:
    """Return what an event leads to by way of mappings, mentions and the feed's codec."""
    feed = CATALOG.by_topic(event.place.topic)
    assert feed is not None
    sent: list[tuple[object, ...]] = []
    for outcome in normalizer.process(event):
        match outcome:
            case DeadLetter():
                headers = dead_letter_headers(outcome)
                sent.append((topics.DEAD_LETTERS, outcome.key, outcome.value, headers))
            case Mark():
                sent.append((topics.RECORDS, mark_key(outcome), schemas.frame_mark(outcome), None))
            case Ignored():
                pass
            case _ if feed.layout is not None:
                sent.append(
                    (topics.RECORDS, f"{feed.id}|{outcome.record.key}".encode(),
                     schemas.frame_record(feed.id, outcome.datum), None)
                )  # fmt: skip
            case _:
                change = EnvelopeDecoder(None).decode(event, feed.generation, feed.kind)
                assert isinstance(change, Change)
                said = feed.normalize(change)
                datum = feed.codec.encode(said.record, said.raw, said.elements)
                key = f"{feed.id}|{said.record.key}".encode()
                sent.append((topics.RECORDS, key, schemas.frame_record(feed.id, datum), None))
    return sent


def test_a_province_is_written_alike_and_most_of_it_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, Population(11, PEOPLE), PEOPLE)
    chunks: dict[str, list[RawEvent]] = {}
    for name in (SNAPSHOT, CHANGES):
        with (tmp_path / name).open("rb") as file:
            for line in file:
                event = read_line(line)
                chunks.setdefault(event.place.topic, []).append(event)
    normalizer, schemas, sent = Normalizer(CATALOG, EnvelopeDecoder(None)), schemas_of(), Sent()
    quick: Counter[bool] = Counter()
    tried = normalizer.quick

    def counted(*given: Any) -> Any:
        found = tried(*given)
        if given[1].value is not None:
            quick[found is not None] += 1
        return found

    monkeypatch.setattr(normalizer, "quick", counted)
    agent = NormalizeAgent(normalizer, schemas, cast(Producer, sent))
    for topic, events in chunks.items():
        sent.messages.clear()
        newest: list[int] = []
        agent.process([[message(event) for event in events]], newest.extend)
        wanted = [one for event in events for one in by_the_codec(normalizer, schemas, event)]
        assert sent.messages == wanted
        changes = [change for event in events if (change := streamed(event)) is not None]
        if not topic.startswith("cdc."):
            continue
        assert newest == [max([one.source_time for one in changes], default=0)]
    captured = sum(
        event.value is not None
        for topic, events in chunks.items()
        if topic.startswith("cdc.")
        for event in events
    )
    assert quick[True] > 0.95 * captured


def streamed(event: RawEvent) -> Change | None:
    """Return the change of a captured event that is not a row of a snapshot."""
    try:
        change = EnvelopeDecoder(None).decode(event, 1, kind_of(event))
    except DecodeError:
        return None
    return change if isinstance(change, Change) and change.op is not Op.READ else None


def kind_of(event: RawEvent) -> str:
    feed = CATALOG.by_topic(event.place.topic)
    assert feed is not None
    return feed.kind


@cache
def schemas_of() -> TopicSchemas:
    return TopicSchemas(LocalRegistry(), CATALOG)


YEAR = timedelta(days=366)
NOBODY: dict[str, Any] = {"name": None, "number": None, "sex": None, "born": None}


def a_family(dice: random.Random) -> list[dict[str, Any]]:
    """Return somebody with father, mother and spouse: name, number, sex and birth date of each. At most two things
    about them are odd, so that what is odd stands alone."""
    born = date(1930, 1, 1) + timedelta(days=dice.randrange(80 * 366))
    years, sexes = [0, 30, 30, 1], ["1", "1", "2", "2"]
    odd = dice.choices(("years", "sex", "lost", "nobody", "copied", "same"), k=dice.choice((0, 1, 1, 2)))
    if "years" in odd:
        years[dice.randrange(1, 4)] = dice.randrange(-20, 90)
    if "sex" in odd:
        sexes[dice.randrange(4)] = dice.choice("12")
    people: list[dict[str, Any]] = []
    for number in range(4):
        birth = born - years[number] * YEAR
        sequence = dice.randrange(1, 99) * 2 + (sexes[number] == "1")
        body = f"390102{birth:%Y%m%d}{sequence:03}"
        people.append(
            {
                "name": ("王建国", "王大山", "赵小兰", "李秀英")[number],
                "number": body + check_character(body),
                "sex": sexes[number],
                "born": birth,
            }
        )
    if "lost" in odd:
        people[dice.randrange(4)][dice.choice(("name", "number", "sex", "born"))] = None
    if "nobody" in odd:
        people[dice.randrange(1, 4)] = NOBODY
    if "copied" in odd:
        people[dice.randrange(1, 4)]["number"] = people[0]["number"]
    if "same" in odd:
        people[3] |= {"name": people[0]["name"], "born": people[0]["born"], "number": None}
    return people


def compact(day: date | None) -> str | None:
    return None if day is None else f"{day:%Y%m%d}"


def days(day: date | None) -> int | None:
    return None if day is None else (day - EPOCH).days


DOUBTFUL = {
    "parent_too_young", "mother_too_old", "child_too_old", "spouses_of_one_sex", "spouse_is_self", "number_of_parent",
    "birth_after_record", "missing_key_element", "contradicts_id_number",
}  # fmt: skip


def test_no_doubt_is_missed() -> None:
    """Whoever the people of a record are, the conditions of the quick way find what the rules find."""
    dice = random.Random(4)
    found: set[str] = set()
    for _ in range(1500):
        found |= doubts_about(a_family(dice), dice.choice((date(2030, 1, 1), date(1975, 1, 1))))
    assert found >= DOUBTFUL


def doubts_about(people: list[dict[str, Any]], changed: date) -> set[str]:
    """Have records of these people written both ways, and return the rules that they broke."""
    found: set[str] = set()
    me, father, mother, spouse = people
    rows: dict[str, dict[str, Any]] = {
        "police.hj_ryjbxx": {
            "RYNBID": 1, "GMSFHM": me["number"], "XM": me["name"], "XB": me["sex"], "CSRQ": compact(me["born"]),
            "FQXM": father["name"], "FQGMSFHM": father["number"], "MQXM": mother["name"],
            "MQGMSFHM": mother["number"], "POXM": spouse["name"], "POGMSFHM": spouse["number"],
        },
        "civil.hydj_jh": {
            "jhzh": "1", "nan_xm": me["name"], "nan_zjhm": me["number"], "nan_csrq": days(me["born"]),
            "nv_xm": spouse["name"], "nv_zjhm": spouse["number"], "nv_csrq": days(spouse["born"]),
        },
        "health.birth_certificate": {
            "cert_no": "A000000001", "baby_name": me["name"], "baby_sex": "M",
            "birth_time": None if me["born"] is None else f"{me['born']}T04:00:00Z",
            "mother_name": mother["name"], "mother_id_no": mother["number"], "mother_birth_date": days(mother["born"]),
            "father_name": father["name"], "father_id_no": father["number"], "father_birth_date": days(father["born"]),
        },
    }  # fmt: skip
    for name, given_columns in rows.items():
        feed = CATALOG.by_id(name)
        row: dict[str, Any] = dict.fromkeys(feed.columns)
        assert given_columns.keys() <= row.keys()
        row |= given_columns
        shaped = feed.shape.row(row)
        assert shaped is not None
        place = Place(feed.topic, 0, 1)
        key = "{" + ",".join(f'"{column}":1' for column in feed.key) + "}"
        time = (changed - EPOCH).days * 86_400_000_000
        change = Change(
            place, feed.department, feed.schema, feed.table, Op.UPDATE, key, 9, time, 6, after=row
        )
        said = feed.normalize(change)
        about = (Op.UPDATE, key, 9, time, 6, feed.topic, 0, 1, None, None, b"")
        datum = feed.codec.encode(said.record, said.raw, said.elements)
        assert feed.write(shaped, *about, False) == (None, datum)
        assert feed.write(shaped, *about, True) == (said.record, datum)
        found.update(finding.rule for finding in said.record.findings)
    return found
