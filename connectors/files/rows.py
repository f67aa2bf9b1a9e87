"""Rows of files as the events of a feed: the same envelope that Debezium writes, with a file's position in it.

A topic ``file.<department>.<type>`` may also hold bare rows, one JSON object a record with the key in the message key,
as others publish them. They become the same envelope here; the message's own offset is then their position.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

import msgspec

from avro.change import Op, Place, RawEvent
from avro.debezium_keys import NEW_KEY_HEADER, OLD_KEY_HEADER
from avro.envelope import MICROSECONDS_PER_MILLISECOND
from avro.errors import DecodeError
from connectors.envelopes import envelope_bytes
from connectors.feeds.feed import Feed
from connectors.files.layout import JsonLayout

CONNECTOR: Final = "renkou-file"

Row = dict[str, Any]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

_BEIJING: Final = timezone(timedelta(hours=8))
_MICROSECONDS: Final = 1_000_000
LINE_LIMIT: Final = 100_000_000
SEQUENCE_LIMIT: Final = 1000

_LETTERS: Final = {"create": Op.CREATE, "update": Op.UPDATE, "delete": Op.DELETE}


class Position(NamedTuple):
    """Where a row stands: ``date`` (yyyymmdd) and ``sequence`` of its delivery, ``line`` (from 1: the line of a text
    file, the number of the record in others)."""

    date: int
    sequence: int
    line: int

    @property
    def offset(self) -> int:
        """The position as one number that a reader can take apart: yyyymmdd nnn and eight digits of the line."""
        return (self.date * SEQUENCE_LIMIT + self.sequence) * LINE_LIMIT + self.line

    @property
    def time(self) -> int:
        """The beginning of the delivery's day in Beijing, microseconds since 1970."""
        day = datetime(self.date // 10_000, self.date // 100 % 100, self.date % 100, tzinfo=_BEIJING)
        return int(day.timestamp()) * _MICROSECONDS


class FileChange(NamedTuple):
    """What a record of a file says: the row after it (for a delete its key's columns alone), its key, and where the
    key changed the one before or behind it."""

    op: Op
    key: Row
    row: Row | None
    previous_key: Row | None = None
    next_key: Row | None = None


def place_at(feed: Feed, position: Position) -> Place:
    """Return where the row stands among the feed's events."""
    return Place(feed.topic, 0, position.offset)


def event_of(
    feed: Feed, change: FileChange, position: Position, captured_time: int, version_line: int | None = None
) -> RawEvent:
    """Return the event of a file's record; ``captured_time`` is when it was read, microseconds since 1970.

    ``version_line``: the line whose version it has, if not its own. The two halves of a change of key have one.
    """
    delivered = {"date": position.date, "sequence": position.sequence, "line": version_line or position.line}
    return _event(
        feed, change, place_at(feed, position), {"delivered": delivered}, position.time, captured_time
    )


def flatten(row: Mapping[str, Any]) -> Row:
    """Return the row with nested objects as fields named by their path; lists stay. An empty object has no fields."""
    flat: Row = {}
    waiting = [("", row)]
    while waiting:
        prefix, part = waiting.pop()
        for name, value in part.items():
            if isinstance(value, dict):
                waiting.append((f"{prefix}{name}.", value))
            else:
                flat[prefix + name] = value
    return flat


def change_of(feed: Feed, fields: Row, *, is_known: bool = False) -> FileChange:
    """Return what a record with these fields says. ``is_known``: an earlier full delivery had the key.

    Fields that the feed names and the record lacks are unknown: null. Raises DecodeError, whose rule is missing_key
    or unknown_op.
    """
    key = {column: fields.get(column) for column in feed.key}
    if any(value is None or value == "" for value in key.values()):
        raise DecodeError("missing_key", "the record has no key; look at the file")
    op = Op.UPDATE if is_known else Op.CREATE
    previous = None
    if isinstance(feed.layout, JsonLayout):
        op = _operation(feed.layout, fields, op)
        if feed.layout.previous_key is not None and op is not Op.DELETE and len(feed.key) == 1:
            former = fields.get(feed.layout.previous_key)
            if former is not None and former != "" and former != key[feed.key[0]]:
                previous, op = {feed.key[0]: former}, Op.CREATE
    if op is Op.DELETE:
        return FileChange(op, key, None)
    return FileChange(op, key, {column: fields.get(column) for column in feed.columns}, previous)


def _operation(layout: JsonLayout, fields: Row, default: Op) -> Op:
    operation = layout.operation
    if operation is None:
        return default
    letter = fields.get(operation.field)
    for name, op in _LETTERS.items():
        if letter == getattr(operation, name):
            return op
    raise DecodeError(
        "unknown_op", f"field {operation.field} says none of the layout's operations; look at the file"
    )


def enveloped(feed: Feed, event: RawEvent) -> RawEvent:
    """Return an event of a file feed's topic in the envelope: itself, unless it is a bare row.

    A bare row's version comes from its message's offset, a null in its place deletes. Raises DecodeError.
    """
    if event.value is None:
        value: Any = None
        change = FileChange(Op.DELETE, _object(event.key, "key"), None)
    else:
        value = _object(event.value, "value")
        if value.keys() == {"schema", "payload"} and isinstance(value["payload"], dict):
            value = value["payload"]
        source = value.get("source")
        if isinstance(source, dict) and ("delivered" in source or "pushed" in source):
            return event
        change = _bare(feed, event, value)
    time = event.timestamp * MICROSECONDS_PER_MILLISECOND
    delivered = {"date": 0, "sequence": 0, "line": event.place.offset}
    made = _event(feed, change, event.place, {"delivered": delivered}, time, time)
    return RawEvent(
        event.place, made.key, made.value, [*(event.headers or []), *(made.headers or [])], event.timestamp
    )


def _bare(feed: Feed, event: RawEvent, value: Row) -> FileChange:
    if value.get("op") in ("r", "c", "u", "d") and ("after" in value or "before" in value):
        # Somebody's envelope without a position that renkou knows.
        row = value.get("after")
        op = Op(value["op"])
        if op is Op.DELETE or row is None:
            return FileChange(Op.DELETE, _object(event.key, "key"), None)
        if not isinstance(row, dict):
            raise DecodeError("wrong_type", "'after' is not an object of fields; look at its producer")
        return change_of(feed, flatten(row))._replace(op=Op.UPDATE if op is Op.UPDATE else Op.CREATE)
    return change_of(feed, flatten(value))


def _object(data: bytes | None, part: str) -> Row:
    if data is None:
        raise DecodeError("missing_key", "the message has no key; look at its producer")
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("not_json", f"the {part} is not JSON; look at what writes this topic") from error
    if not isinstance(value, dict):
        raise DecodeError("wrong_type", f"the {part} is not an object of fields; look at its producer")
    return value


def _event(
    feed: Feed, change: FileChange, place: Place, position: Row, source_time: int, captured_time: int
) -> RawEvent:
    is_delete = change.op is Op.DELETE
    value = envelope_bytes(
        feed,
        CONNECTOR,
        change.op.value,
        before=change.key if is_delete else None,
        after=None if is_delete else change.row,
        source_time=source_time,
        captured_time=captured_time,
        position=position,
    )
    headers: list[tuple[str, bytes | None]] = []
    if change.previous_key is not None:
        headers.append((OLD_KEY_HEADER, _encode(change.previous_key)))
    if change.next_key is not None:
        headers.append((NEW_KEY_HEADER, _encode(change.next_key)))
    return RawEvent(
        place,
        _encode(change.key),
        value,
        headers or None,
        captured_time // MICROSECONDS_PER_MILLISECOND,
    )
