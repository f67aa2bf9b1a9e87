"""A change: one decoded source event, whatever wire format it came in."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

import msgspec


class Op(StrEnum):
    """What an event does, in Debezium's letters."""

    READ = "r"
    CREATE = "c"
    UPDATE = "u"
    DELETE = "d"
    TRUNCATE = "t"
    MESSAGE = "m"


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands in the captured log: enough to find its bytes again."""

    topic: str
    partition: int
    offset: int


# Partitions are 32 bits, offsets and times 64.
_ORIGIN: Final = re.compile(rb"([0-9]{1,9})/([0-9]{1,18}|[1-8][0-9]{18})/([0-9]{1,18})")
_TIME: Final = re.compile(rb"[0-9]{1,18}")


class RawEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as the broker (or a ``kcat -J`` line) gives it, before anything is decoded.

    ``headers`` is None or a list of name and value. ``timestamp`` is the broker's, in milliseconds.
    """

    place: Place
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] | None = None
    timestamp: int = 0


ORIGIN_HEADER: Final = "renkou.origin"
"""Header ``<partition>/<offset>/<timestamp>`` of an event that was carried here: over a gateway, from a file, out of
the dead letters. It says where the event really stands; the topic has the same name on both sides."""

REPLAYED_HEADER: Final = "renkou.replayed"
"""Header of an event that was sent again out of the dead letters: when, microseconds since 1970."""


def carried(event: RawEvent) -> RawEvent:
    """Return the event with the place and time that it came from, when its headers say so."""
    for name, value in event.headers or ():
        if name == ORIGIN_HEADER and value is not None:
            origin = _ORIGIN.fullmatch(value)
            if origin is not None:
                place = Place(event.place.topic, int(origin[1]), int(origin[2]))
                return RawEvent(place, event.key, event.value, event.headers, int(origin[3]))
    return event


def with_origin(event: RawEvent) -> list[tuple[str, bytes | None]]:
    """Return the headers with which an event is carried elsewhere: its own, and where it stands."""
    own = [header for header in event.headers or () if header[0] != ORIGIN_HEADER]
    place = event.place
    return [*own, (ORIGIN_HEADER, f"{place.partition}/{place.offset}/{event.timestamp}".encode())]


def replayed_time(event: RawEvent) -> int:
    """Return when the event was sent again out of the dead letters, 0 when it was not."""
    for name, value in event.headers or ():
        if name == REPLAYED_HEADER and value is not None and _TIME.fullmatch(value):
            return int(value)
    return 0


class Change(msgspec.Struct, gc=False):
    """One decoded source event.

    ``key`` is the compact JSON object of the primary key's columns in table order (empty for a truncate).
    ``previous_key`` is set on the create of a primary-key change, ``next_key`` on its delete. ``before`` and
    ``after`` map the source's column names to values as Debezium's JSON has them. ``version`` is as in
    `avro.version`. Times are microseconds since 1970 in UTC: ``source_time`` is the commit in the source,
    ``captured_time`` the connector's. ``snapshot`` is Debezium's marker (``first``, ``true``, ``last``,
    ``incremental`` …) or None for a streamed change. ``unchanged`` names columns whose value the source did not
    send (unchanged TOAST); they are absent from ``after``. Where the reader gave the row's shape
    (`avro.shape`) and the row fits it, ``row`` has the row after the change and ``before`` and ``after`` are None.
    """

    place: Place
    department: str
    schema: str
    table: str
    op: Op
    key: str
    version: int
    source_time: int
    captured_time: int
    previous_key: str | None = None
    next_key: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    snapshot: str | None = None
    unchanged: tuple[str, ...] = ()
    row: msgspec.Struct | None = None
