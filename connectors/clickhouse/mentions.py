"""Rows of ``mentions``: who the records of every feed name, made of the headers that are decoded already.

All feeds share the table and the schema here, so that a batch needs one insert for it. A row is the bytes of where
it stands (`_Place`) followed by those of the mention itself: Avro writes a record's fields one after the other. Both
stand in the record's datum as well, in the same order, so that the rows of a plain record (`avro.outline`) are cut out
of it and nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from avro import version as versions
from avro.compiled import Conversion, Native, compile_writer
from avro.outline import Outlines
from avro.record import Kin, Mention, Record
from avro.schema import Schema, full_name, plain, shared_schema
from connectors.clickhouse.history import DELETED
from connectors.clickhouse.schema import FeedTable
from connectors.errors import StoreError


class _Place(msgspec.Struct):
    """Whose mentions these are, and in which state of the record."""

    department: str
    table: str
    key: str
    version: int
    is_deleted: int
    source_time: int


_MENTION: Final = shared_schema("Mention")
_PLACE: Final[Schema] = {
    "type": "record",
    "name": "MentionPlace",
    "namespace": "renkou",
    "fields": [
        {"name": "department", "type": "string"},
        {"name": "table", "type": "string"},
        {"name": "key", "type": "string"},
        {"name": "version", "type": {"type": "fixed", "name": "Version", "size": versions.VERSION_BYTES}},
        {"name": "is_deleted", "type": "int"},
        {"name": "source_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ],
}
MENTION_ROW: Final[Schema] = {
    "type": "record",
    "name": "StoredMention",
    "namespace": "renkou",
    "fields": [*_PLACE["fields"], *_MENTION["fields"]],
}
"""The schema of a row. ``unchanged`` comes along and has no column: what is stored is complete."""

_write_place: Final = compile_writer(
    plain(_PLACE),
    {
        full_name(_PLACE): Native(
            _Place, conversions={"version": Conversion(versions.to_bytes, versions.from_bytes)}
        )
    },
)
_write_mention: Final = compile_writer(
    plain(_MENTION), {full_name(_MENTION): Native(Mention), "renkou.Kin": Native(Kin)}
)


_write_text: Final = compile_writer("string")

_NO_MENTION: Final = (-1, 0, 0)


def _start_bytes(data: bytes, start: int) -> int:
    """Return how many bytes role and ordinal of a mention have, for a role of up to 63 bytes and an ordinal of up to
    63; longer ones give a start that no slot has."""
    return 2 + (data[start] >> 1)


class MentionRows:
    """Makes the rows of one feed."""

    def __init__(self, feed: FeedTable) -> None:
        self._feed = feed
        self._slots = feed.slots
        self._known = frozenset(feed.slots)
        self._absent = [_write_mention(Mention(role, ordinal)) for role, ordinal in feed.slots]
        self._origin = _write_text(feed.department) + _write_text(feed.type)
        self._by_start = {absent[: _start_bytes(absent, 0)]: slot for slot, absent in enumerate(self._absent)}

    def check(self, record: Record) -> None:
        """Raise StoreError when a mention has no place: it would vanish."""
        for mention in record.mentions:
            if (mention.role, mention.ordinal) not in self._known:
                raise StoreError(
                    f"feed {self._feed.feed}: a record of {record.topic}, partition {record.partition},"
                    f" offset {record.offset} mentions {mention.role} {mention.ordinal}, which the feed does"
                    " not declare; mend the feed's roles"
                )

    def of(self, record: Record) -> list[bytes]:
        """Return a row for every slot of the feed, a deleted one where the record has no mention."""
        named = {(mention.role, mention.ordinal): mention for mention in record.mentions}
        # Usually all of a live record's slots or none have a mention: one place is then enough.
        here = self._place(record, record.is_deleted)
        gone = here if record.is_deleted or len(named) == len(self._slots) else self._place(record, True)
        rows = []
        for slot, absent in zip(self._slots, self._absent, strict=True):
            mention = named.get(slot)
            rows.append(gone + absent if mention is None else here + _write_mention(mention))
        return rows

    def cut(self, outlines: Outlines, first: int, last: int) -> Iterator[list[bytes] | None]:
        """Yield what `of` returns for each datum from ``first`` to before ``last``, None for one that is not plain or
        that names somebody without a slot."""
        body, origin, by_start = outlines.body, self._origin, self._by_start
        low, high = outlines.owner.searchsorted((first, last))
        bounds = zip(
            outlines.owner[low:high].tolist(),
            outlines.start[low:high].tolist(),
            outlines.end[low:high].tolist(),
            strict=True,
        )
        owner, start, end = next(bounds, _NO_MENTION)
        places = zip(
            outlines.plain[first:last].tolist(),
            outlines.key[first:last].tolist(),
            outlines.place_end[first:last].tolist(),
            outlines.time[first:last].tolist(),
            outlines.time_end[first:last].tolist(),
            strict=True,
        )
        for index, (plain_one, key, place_end, time, time_end) in enumerate(places, first):
            if not plain_one:
                yield None
                continue
            here = origin + body[key:place_end] + body[time:time_end]
            rows = [b""] * len(self._slots)
            known = True
            while owner == index:
                slot = by_start.get(body[start : start + _start_bytes(body, start)])
                if slot is None:
                    known = False
                else:
                    rows[slot] = here + body[start:end]
                owner, start, end = next(bounds, _NO_MENTION)
            if not known:
                yield None
            elif b"" in rows:
                gone = origin + body[key : place_end - 1] + DELETED + body[time:time_end]
                yield [row or gone + absent for row, absent in zip(rows, self._absent, strict=True)]
            else:
                yield rows

    def _place(self, record: Record, is_deleted: bool) -> bytes:
        return _write_place(
            _Place(
                self._feed.department,
                self._feed.type,
                record.key,
                record.version,
                1 if is_deleted else 0,
                record.source_time,
            )
        )
