"""Values that a source did not send: they are taken from the row that the store has.

A record names in ``unchanged`` the columns, and in ``unchanged_elements`` and each mention's ``unchanged``
the elements, that keep their value. Through a change of primary key they come from the row with the previous
key. Its delete, which may arrive before or after the create, keeps the old values in its tombstone for that
reason, unless the create is in the same batch and lacks nothing.

What is merged is a function of the record and of the row before it, so a record that is sent again gives the
same row: it finds its own, with the version it has, and takes the values from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from avro.codec import DatumCodec
from avro.record import EVIDENCE, PERSON_ELEMENTS, Kin, Mention, Record, Severity
from connectors.clickhouse import sql
from connectors.clickhouse.batch import Row
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.schema import FeedTable, feed_table
from connectors.clickhouse.shared import MENTIONS
from connectors.clickhouse.tables import Column

UNAVAILABLE: Final = "unavailable"
"""Rule of the finding beside a null: the source did not send the value and the store never had it."""

RAW: Final = "raw"
"""Element under which a raw row with missing columns is found."""

KEYS_A_QUERY: Final = 2000
"""Keys a look-up asks for at once: with keys of 200 bytes, 400 KB of statement."""

Slot = tuple[str, int]
_raw_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def needs_values(record: Record) -> bool:
    """Whether the record's row can only be made with values that the store has."""
    return bool(
        record.unchanged
        or record.unchanged_elements
        or (record.is_deleted and record.next_key is not None)
        or any(mention.unchanged for mention in record.mentions)
    )


def _settled(records: Sequence[Record]) -> set[tuple[str, int]]:
    """Return key and version of the deletes whose old values nobody will ask for: the other half of the key change is
    here and has all of its own."""
    return {
        (record.previous_key, record.version)
        for record in records
        if record.previous_key is not None and not needs_values(record)
    }


@dataclass(slots=True)
class _Mentioned:
    """A stored mention."""

    version: int
    is_deleted: bool
    elements: dict[str, Any]


@dataclass(slots=True)
class _Stored:
    """What the store has under one key; ``version`` is -1 when there is no row, though there may be
    mentions."""

    version: int = -1
    is_deleted: bool = True
    raw: str | None = None
    elements: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    mentions: dict[Slot, _Mentioned] = field(default_factory=dict)


@dataclass(slots=True)
class _Wanted:
    """What a batch asks the store for; a column that nobody lacks is not read.

    ``keys`` has the oldest version of the records that ask for each row. ``elements`` are those of the rows,
    ``people`` the keys whose mentions are asked for and ``of_people`` their elements.
    """

    keys: dict[str, int] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    people: set[str] = field(default_factory=set)
    of_people: tuple[str, ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record], elements: tuple[str, ...]) -> _Wanted:
        """Return what these records lack; ``elements`` are all that the feed has."""
        wanted = cls()
        lacking: set[str] = set()
        of_people: set[str] = set()
        for record in records:
            places = [record.key] if record.previous_key is None else [record.key, record.previous_key]
            people = {element for mention in record.mentions for element in mention.unchanged}
            if record.is_deleted:  # a key change: its tombstone keeps everything
                lacking.update(elements)
                people.update(_NOBODY)
            lacking.update(record.unchanged_elements)
            for key in places:
                wanted.keys[key] = min(wanted.keys.get(key, record.version), record.version)
            if people:
                wanted.people.update(places)
                of_people |= people
        wanted.elements = tuple(element for element in elements if element in lacking)
        wanted.of_people = tuple(element for element in _NOBODY if element in of_people)
        return wanted


class Merger:
    """Completes the records of one feed."""

    def __init__(self, feed: FeedTable, engine: Engine) -> None:
        self._feed = feed
        self._engine = engine
        self._table = feed_table(feed)
        self._elements = tuple(element["name"] for element in feed.elements)
        # ClickHouse has no nullable arrays: an unknown one is empty.
        self._unknown: dict[str, list[Any] | None] = {
            column.name: [] if column.type.startswith("Array(") else None for column in self._table.columns
        }

    @cached_property
    def _codec(self) -> DatumCodec:
        """Compiled with the first row that is not complete: most feeds never have one."""
        return DatumCodec(self._feed.schema)

    def merge(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows, complete: datums and mentions. Reads the store. Raises its errors.

        Rows are left out where the store has newer ones.
        """
        settled = _settled([row.record for row in rows])
        lacking = [
            row.record
            for row in rows
            if needs_values(row.record) and (row.record.key, row.record.version) not in settled
        ]
        if not lacking:
            return list(rows)
        wanted = _Wanted.of(lacking, self._elements)
        asking = set(map(id, lacking))
        known = self._load(wanted)
        merged: list[Row] = []
        for row in rows:
            record = row.record
            if record.key not in wanted.keys:
                merged.append(row)
                continue
            own = known.setdefault(record.key, _Stored())
            values = self._codec.decode(row.datum)
            if id(record) in asking:
                if _superseded(own, record, self._feed.slots):
                    continue
                self._complete(values, record, own, known.get(record.previous_key or ""))
                mentions = tuple(map(_mention, values["mentions"]))
                whole = Row(
                    self._feed.feed, self._codec.encode(values), row.noted, replace(record, mentions=mentions)
                )
                # The row that it took its values from is gone. History was written before the newer row was.
                whole.has_history = own.version > record.version
                merged.append(whole)
            else:
                merged.append(row)
            self._remember(own, values, record)
        return merged

    def _complete(
        self, values: dict[str, Any], record: Record, own: _Stored, previous: _Stored | None
    ) -> None:
        keep = record.is_deleted  # the delete of a key change: its tombstone keeps everything
        base = _row_before(record, own, previous)
        elements = self._elements if keep else record.unchanged_elements
        findings: list[dict[str, Any]] = list(values["findings"])
        if base is not None:
            for element in elements:
                values[element] = base.elements[element]
            findings += _carried(base.findings, record)
        elif not keep:
            for element in elements:
                values[element] = self._unknown[element]
                findings.append(_unavailable(element))
        if keep:
            values["raw"] = None if base is None else base.raw
            values["mentions"] = self._kept_mentions(record, own)
        else:
            self._complete_mentions(values, record, own, previous, findings)
            values["raw"], missing = _merge_raw(values["raw"], record.unchanged, base)
            if missing:
                findings.append(_unavailable(RAW))
        values["findings"] = _unique(findings)
        values["unchanged"] = []
        values["unchanged_elements"] = []

    def _complete_mentions(
        self,
        values: dict[str, Any],
        record: Record,
        own: _Stored,
        previous: _Stored | None,
        findings: list[dict[str, Any]],
    ) -> None:
        for mention in values["mentions"]:
            slot = (mention["role"], mention["ordinal"])
            if mention["unchanged"]:
                base = _mention_before(record, own, previous, slot)
                for element in mention["unchanged"]:
                    mention[element] = _NOBODY[element] if base is None else base.elements[element]
                    if base is None:
                        findings.append(_unavailable(element, *slot))
                mention["unchanged"] = []

    def _kept_mentions(self, record: Record, own: _Stored) -> list[dict[str, Any]]:
        kept = []
        for slot, mention in own.mentions.items():
            if mention.version == record.version or (
                mention.version < record.version and not mention.is_deleted
            ):
                kept.append({"role": slot[0], "ordinal": slot[1], **mention.elements, "unchanged": []})
        return kept

    def _remember(self, own: _Stored, values: dict[str, Any], record: Record) -> None:
        if record.version >= own.version:
            own.version, own.is_deleted = record.version, record.is_deleted
            own.raw = values["raw"]
            own.elements = {element: values[element] for element in self._elements}
            own.findings = list(values["findings"])
        named = {(mention["role"], mention["ordinal"]): mention for mention in values["mentions"]}
        for slot in self._feed.slots:
            stored = own.mentions.get(slot)
            if stored is None or record.version >= stored.version:
                mention = named.get(slot)
                elements = {
                    name: value if mention is None else mention[name] for name, value in _NOBODY.items()
                }
                own.mentions[slot] = _Mentioned(
                    record.version, record.is_deleted or mention is None, elements
                )

    def _load(self, wanted: _Wanted) -> dict[str, _Stored]:
        known: dict[str, _Stored] = {}
        for chunk in _chunks(sorted(wanted.keys), KEYS_A_QUERY):
            self._load_rows(chunk, wanted.elements, known)
        # An older record than the row that is stored: whether its mentions are there too decides what becomes of it.
        late = {key for key, version in wanted.keys.items() if key in known and known[key].version > version}
        for chunk in _chunks(sorted(wanted.people | late), KEYS_A_QUERY):
            self._load_mentions(chunk, wanted.of_people, known)
        return known

    def _load_rows(self, keys: Sequence[str], elements: Sequence[str], known: dict[str, _Stored]) -> None:
        columns = {column.name: column for column in self._table.columns}
        fields = [
            "key",
            "version",
            "is_deleted",
            "raw",
            _FINDINGS,
            *(_read_back(columns[one]) for one in elements),
        ]
        # Not FINAL: it hides deleted rows, and a tombstone's values may be wanted.
        for key, version, is_deleted, raw, findings, *values in self._engine.rows(
            f"SELECT {', '.join(fields)} FROM {self._table.stored} WHERE key IN ({sql.texts(keys)})"
            " ORDER BY version DESC LIMIT 1 BY key"
        ):
            known[key] = _Stored(
                version=version,
                is_deleted=is_deleted == 1,
                raw=raw,
                elements=dict(zip(elements, values, strict=True)),
                findings=msgspec.json.decode(findings),
            )

    def _load_mentions(self, keys: Sequence[str], elements: Sequence[str], known: dict[str, _Stored]) -> None:
        fields = [
            "key",
            "role",
            "ordinal",
            "version",
            "is_deleted",
            *(_MENTION_FIELDS[one] for one in elements),
        ]
        for key, role, ordinal, version, is_deleted, *found in self._engine.rows(
            f"SELECT {', '.join(fields)} FROM {MENTIONS.stored}"
            f" WHERE department = {sql.text(self._feed.department)} AND `table` = {sql.text(self._feed.type)}"
            f" AND key IN ({sql.texts(keys)}) ORDER BY version DESC LIMIT 1 BY key, role, ordinal"
        ):
            values = dict(zip(elements, found, strict=True))
            if "kin" in values:
                values["kin"] = msgspec.json.decode(values["kin"])
            row = known.setdefault(key, _Stored())
            row.mentions[role, ordinal] = _Mentioned(version, is_deleted == 1, values)


# Named tuples become objects, so the fields' order in the table does not matter.
_FINDINGS: Final = "toJSONString(findings)"
_KIN: Final = (
    "toJSONString(arrayMap(k -> CAST((k.relation, k.name, k.id_number, k.phone, toInt32(k.birth_date)), 'Tuple("
    "relation String, name Nullable(String), id_number Nullable(String), phone Nullable(String),"
    " birth_date Nullable(Int32))'), kin))"
)

_NOBODY: Final[dict[str, Any]] = {
    **dict.fromkeys(PERSON_ELEMENTS),
    **{name: () if name in ("ties", "other_numbers", "other_names", "kin") else None for name in EVIDENCE},
}
"""Elements and evidence of a mention of whom nothing is known, in the order of the table's columns."""


def _mention(values: dict[str, Any]) -> Mention:
    return Mention(**{**values, "kin": tuple([Kin(**kin) for kin in values["kin"]])})


def _read_back(column: Column) -> str:
    """Return the expression that gives a column as Avro has it: dates and times are integers."""
    name = sql.name(column.name)
    if column.name == "kin":
        return _KIN
    kind = column.type.removeprefix("Nullable(")  # codes and texts are read as they are
    if kind.startswith("Date32"):
        return f"toInt32({name})"
    if kind.startswith("DateTime64(3"):
        return f"toUnixTimestamp64Milli({name})"
    if kind.startswith("DateTime64(6"):
        return f"toUnixTimestamp64Micro({name})"
    return name


_MENTION_FIELDS: Final = {
    column.name: _read_back(column) for column in MENTIONS.columns if column.name in _NOBODY
}


def _superseded(own: _Stored, record: Record, slots: Sequence[Slot]) -> bool:
    """Whether row and mentions are all newer in the store. A crash can leave the mentions behind the row."""
    return own.version > record.version and all(
        slot in own.mentions and own.mentions[slot].version > record.version for slot in slots
    )


def _row_before(record: Record, own: _Stored, previous: _Stored | None) -> _Stored | None:
    """Return the row that the record's unchanged values are in: its own when it is sent again, else the one
    before."""
    if own.version == record.version:
        return own
    before = own if record.previous_key is None else previous
    if before is None or before.version < 0:
        return None
    if before.version < record.version:
        return None if before.is_deleted else before
    # The other half of this key change came first, and its tombstone kept the values.
    return before if before.version == record.version else None


def _mention_before(record: Record, own: _Stored, previous: _Stored | None, slot: Slot) -> _Mentioned | None:
    """Return the mention that unchanged elements are in; one that was absent has nulls, which then are the
    values."""
    mention = own.mentions.get(slot)
    if mention is not None and mention.version == record.version:
        return mention
    if own.version < record.version and _row_before(record, own, previous) is None:
        return None
    before = own if record.previous_key is None else previous
    mention = None if before is None else before.mentions.get(slot)
    return mention if mention is not None and mention.version <= record.version else None


def _carried(findings: Sequence[dict[str, Any]], record: Record) -> list[dict[str, Any]]:
    """Return those findings of the row before that are about values which are still the same."""
    if record.is_deleted:
        return list(findings)
    mentions = {(mention.role, mention.ordinal): mention.unchanged for mention in record.mentions}
    carried = []
    for finding in findings:
        role = finding["role"]
        unchanged = mentions.get((role, finding["ordinal"]), ()) if role else record.unchanged_elements
        if finding["element"] in unchanged:
            carried.append(finding)
    return carried


def _unavailable(element: str, role: str = "", ordinal: int = 0) -> dict[str, Any]:
    return {
        "element": element,
        "rule": UNAVAILABLE,
        "severity": str(Severity.ERROR),
        "original": None,
        "role": role,
        "ordinal": ordinal,
    }


def _merge_raw(raw: str | None, unchanged: Sequence[str], before: _Stored | None) -> tuple[str | None, bool]:
    """Return the raw row with the columns that were not sent, and whether it still lacks one of them.

    Values keep their text: they are never decoded. A column that the row before does not have either, though
    it was complete, is one that the feed does not collect.
    """
    if not unchanged:
        return raw, False
    sent = _raw_decoder.decode(raw or "{}")
    if before is None or before.raw is None:
        return raw, True
    old = _raw_decoder.decode(before.raw)
    merged = {name: sent.get(name, value) for name, value in old.items() if name in sent or name in unchanged}
    merged.update((name, value) for name, value in sent.items() if name not in merged)
    lacking = any(name not in merged for name in unchanged)
    incomplete = any(item["element"] == RAW and item["rule"] == UNAVAILABLE for item in before.findings)
    return msgspec.json.encode(merged).decode(), lacking and incomplete


def _unique(findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    unique: list[dict[str, Any]] = []
    for finding in findings:
        if finding not in unique:
            unique.append(finding)
    return unique


def _chunks(keys: Sequence[str], size: int) -> Iterator[list[str]]:
    iterator = iter(keys)
    while chunk := list(islice(iterator, size)):
        yield chunk
