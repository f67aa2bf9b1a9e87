"""An invented source for the store's tests: a feed, its records, and a model that is a dictionary."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avro.codec import RecordCodec
from avro.record import Finding, Mark, MarkKind, Mention, Record
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.readers import Readers
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import Store
from connectors.clickhouse.writer import Writer

FEED = "police.people"
TEXT = ["null", "string"]
DATE = ["null", {"type": "int", "logicalType": "date"}]
MICROS = ["null", {"type": "long", "logicalType": "timestamp-micros"}]


def write_schema(folder: Path, extra: list[dict[str, Any]] | None = None, feed: str = FEED) -> RecordCodec:
    """Write the feed's .avsc into ``folder`` and return its codec."""
    department, _, name = feed.partition(".")
    fields: list[dict[str, Any]] = [
        {"name": "name", "type": TEXT, "default": None, "doc": "Name / 姓名"},
        {"name": "note", "type": TEXT, "default": None},
        {"name": "born", "type": DATE, "default": None},
        {"name": "moved", "type": MICROS, "default": None},
        {"name": "rooms", "type": ["null", "long"], "default": None},
    ]
    (folder / department).mkdir(parents=True, exist_ok=True)
    schema = {"type": "record", "name": name, "doc": "Invented people", "fields": fields + (extra or [])}
    (folder / department / f"{name}.avsc").write_text(json.dumps(schema))
    return RecordCodec(feed, folder)


def feed_table(codec: RecordCodec) -> FeedTable:
    """Return what the store is told: the person itself and one spouse."""
    return FeedTable(codec.feed, codec.schema, {"self": 1, "spouse": 1})


@dataclass(frozen=True)
class Person:
    """A row of the source."""

    name: str
    note: str
    spouse: str | None = None

    def raw(self, key: int) -> dict[str, Any]:
        return {"ID": key, "XM": self.name, "BZ": self.note, "POXM": self.spouse}


def key_of(number: int) -> str:
    return f'{{"ID":{number}}}'


def record_of(
    number: int,
    version: int,
    person: Person | None,
    *,
    keep_note: bool = False,
    previous: int | None = None,
    following: int | None = None,
    findings: tuple[Finding, ...] = (),
) -> Record:
    """Return the record of a row (None for a delete). With ``keep_note`` the source did not send the note."""
    mentions: list[Mention] = []
    if person is not None:
        kept = ("residence_address",) if keep_note else ()
        address = None if keep_note else person.note
        mentions.append(
            Mention("self", 0, name=person.name, residence_address=address, birth_date=number, unchanged=kept)
        )
        if person.spouse is not None:
            mentions.append(Mention("spouse", 0, name=person.spouse))
    return Record(
        feed=FEED,
        op="d" if person is None else "c",
        key=key_of(number),
        version=version,
        is_deleted=person is None,
        snapshot=False,
        source_time=1_700_000_000_000_000 + version,
        captured_time=1_700_000_000_000_000 + version,
        topic="cdc.police.public.people",
        partition=0,
        offset=version,
        previous_key=None if previous is None else key_of(previous),
        next_key=None if following is None else key_of(following),
        unchanged=("BZ",) if keep_note else (),
        unchanged_elements=("note",) if keep_note else (),
        mentions=tuple(mentions),
        findings=findings,
    )


def elements_of(person: Person | None, number: int, keep_note: bool) -> dict[str, Any]:
    return {
        "name": None if person is None else person.name,
        "note": None if person is None or keep_note else person.note,
        "born": None if person is None else number - 20_000,
        "moved": None if person is None else number * 1_000_001,
        "rooms": None if person is None else number,
    }


@dataclass
class Source:
    """The model: rows by key, and the log of what became of them."""

    codec: RecordCodec
    rows: dict[int, Person] = field(default_factory=dict)
    log: list[Record | Mark] = field(default_factory=list)
    datums: dict[int, bytes] = field(default_factory=dict)
    version: int = 1000

    def change(self, number: int, person: Person | None, *, keep_note: bool = False, **kwargs: Any) -> None:
        """Append a change of one row."""
        self.append(
            record_of(number, self._next(), person, keep_note=keep_note, **kwargs), number, person, keep_note
        )
        if person is None:
            del self.rows[number]
        else:
            self.rows[number] = person

    def append(self, record: Record, number: int, person: Person | None, keep_note: bool) -> None:
        raw = None
        if person is not None:
            columns = person.raw(number)
            if keep_note:
                del columns["BZ"]
            raw = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
        self.datums[id(record)] = self.codec.encode(record, raw, elements_of(person, number, keep_note))
        self.log.append(record)

    def move(self, old: int, new: int, person: Person, *, keep_note: bool, create_first: bool) -> None:
        """Append a change of primary key: two halves of one version, in either order."""
        version = self._next()
        halves = [
            (record_of(old, version, None, following=new), old, None, False),
            (record_of(new, version, person, keep_note=keep_note, previous=old), new, person, keep_note),
        ]
        for half in reversed(halves) if create_first else halves:
            self.append(*half)
        del self.rows[old]
        self.rows[new] = person

    def truncate(self) -> None:
        version = self._next()
        self.rows.clear()
        self.log.append(Mark(MarkKind.TRUNCATE, "police", FEED, version, 1_700_000_000_000_000 + version))

    def batch(self, entries: list[Record | Mark]) -> Batch:
        """Return the entries as a batch."""
        batch = Batch()
        for entry in entries:
            if isinstance(entry, Mark):
                batch.add_mark(entry)
            else:
                batch.add_record(entry.feed, self.datums[id(entry)], entry.source_time, entry)
        return batch

    def live(self, count: int, rng: random.Random) -> None:
        """Let the source live through ``count`` changes."""
        for _ in range(count):
            action = rng.random()
            known = sorted(self.rows)
            fresh = next(n for n in rng.sample(range(100), 100) if n not in self.rows)
            text = "".join(rng.choice("甲乙丙丁戊") for _ in range(6))
            spouse = rng.choice([None, text[:2]])
            if action < 0.005:
                self.truncate()
            elif action < 0.35 or not known:
                self.change(fresh, Person(text[:3], text, spouse))
            elif action < 0.75:
                number = rng.choice(known)
                keep = rng.random() < 0.6
                note = self.rows[number].note if keep else text
                self.change(number, Person(text[:3], note, spouse), keep_note=keep)
            elif action < 0.88:
                number = rng.choice(known)
                keep = rng.random() < 0.7
                person = Person(text[:3], self.rows[number].note if keep else text, spouse)
                self.move(number, fresh, person, keep_note=keep, create_first=rng.random() < 0.5)
            else:
                self.change(rng.choice(known), None)

    def expected(self) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
        """Return what the store must show: rows by key, mentions by key and role."""
        rows = {key_of(n): {"raw": p.raw(n), "name": p.name, "note": p.note} for n, p in self.rows.items()}
        mentions: dict[tuple[str, str], Any] = {}
        for number, person in self.rows.items():
            mentions[key_of(number), "self"] = (person.name, person.note)
            if person.spouse is not None:
                mentions[key_of(number), "spouse"] = (person.spouse, None)
        return rows, mentions

    def _next(self) -> int:
        self.version += 2
        return self.version


def renew(store: Store, codec: RecordCodec) -> None:
    """Leave nothing of the test before: neither in the store's tables nor in the writer's memory."""
    for (table,) in store.side.rows(
        "SELECT DISTINCT table FROM system.parts WHERE active AND database = 'renkou' AND table LIKE '%_all'"
    ):
        store.side.command(f"TRUNCATE TABLE renkou.{table}")
    store.writer = Writer(store.writer._engine, [feed_table(codec)])


def ask(readers: Readers | None, query: str, output: str = "JSONEachRow") -> bytes:
    """Return a query's bytes."""
    assert readers is not None
    with readers.query(query, default_format=output) as result:
        return b"".join(result)


def rows_of(readers: Readers | None, query: str) -> list[dict[str, Any]]:
    """Return a query's rows."""
    return [json.loads(line) for line in ask(readers, query).splitlines()]


def shown(readers: Readers | None) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """Return what the store shows, in the form of `Source.expected`."""
    rows = {
        row["key"]: {"raw": json.loads(row["raw"]), "name": row["name"], "note": row["note"]}
        for row in rows_of(readers, "SELECT key, raw, name, note FROM police_people")
    }
    mentions = {
        (row["key"], row["role"]): (row["name"], row["residence_address"])
        for row in rows_of(readers, "SELECT key, role, name, residence_address FROM mentions")
    }
    return rows, mentions


def everything(readers: Readers | None, further: tuple[str, ...] = ()) -> bytes:
    """Return all that a reader can see of the feed, and of ``further`` tables, in one order."""
    return b"\n".join(
        ask(readers, f"SELECT * FROM {table} ORDER BY ALL", "TSVWithNames")
        for table in ("police_people", "mentions", "findings", "marks", "record_history", *further)
    )
