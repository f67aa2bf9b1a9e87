"""Debezium's envelope: from the bytes of a captured event to a `Change`.

Follows Debezium 3's connectors for PostgreSQL and MariaDB: operations r c u d t m, tombstones, primary-key changes as
a delete and a create with headers, snapshot markers; positions as ``lsn`` and ``sequence``, or as the log's file,
position and row. Column values stay as Debezium's plain JSON has them; what they mean is the feed's to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, cast

import msgspec
from msgspec.structs import astuple

from avro.change import Change, Op, RawEvent
from avro.debezium_keys import NEW_KEY_HEADER, OLD_KEY_HEADER, header_key, key_text
from avro.debezium_toast import PLACEHOLDER, Unavailable
from avro.debezium_wire import Envelope, Row, Source, WireReader
from avro.errors import DecodeError
from avro.registry import Registry
from avro.shape import RowEnvelope, RowShape
from avro.version import binlog_version, file_version, postgresql_version, push_version

SourceKind = Literal["postgresql", "mariadb"]
"""The kind of a department's database server."""

TOPIC_PREFIX: Final = "cdc."
"""Before the department in a connector's ``topic.prefix``, which Debezium repeats as ``source.name``."""

MICROSECONDS_PER_MILLISECOND: Final = 1000

_OPS: Final = {str(op): op for op in Op}
_ROW_OPS: Final = {str(op): op for op in (Op.READ, Op.CREATE, Op.UPDATE)}
KEY_HEADERS: Final = frozenset((OLD_KEY_HEADER, NEW_KEY_HEADER))

# By position: a struct's keyword arguments cost twice as much.
_change_of: Final = cast(Callable[..., Change], Change)
_NO_SOURCE: Final = Source()

Origin = tuple[str, str, str]
"""Department, schema and table of a change."""

UsualRow = tuple[msgspec.Struct, Op, str, int, int, int, str | None]
"""A usual row: of its feed's shape; op, key, version, source time, captured time; the marker of its snapshot."""

_TRANSACTION_STATUS: Final = frozenset(("BEGIN", "END"))

# The number that every server counts its log files with: binlog.000012, or 12 digits and more.
_LOG_FILE: Final = re.compile(r".*\.([0-9]+)", re.DOTALL)

_sequence: Final = msgspec.json.Decoder(list[str | None])


class Ignored(msgspec.Struct, frozen=True):
    """An event that is not about a row: ``tombstone``, ``transaction`` or ``message``."""

    reason: str


class EnvelopeDecoder:
    """Decodes captured events. Holds the schemas it has met, and nothing else, between two events."""

    def __init__(self, registry: Registry | None, *, unavailable_placeholder: str = PLACEHOLDER) -> None:
        self._wire = WireReader(registry)
        self._unavailable = Unavailable(unavailable_placeholder)

    def decode(
        self, event: RawEvent, generation: int, kind: str = "postgresql", shape: RowShape | None = None
    ) -> Change | Ignored:
        """Return the change, or why there is none.

        ``generation`` is the source's, raised by hand when it is restored; ``kind`` the feed's. A row that has the
        ``shape`` is in the change's ``row``. Raises
        DecodeError, whose rule is one of not_json, malformed_avro, no_registry, unknown_schema, wrong_type, unknown_op,
        missing_key, missing_after, missing_source, missing_time, missing_position, foreign_source,
        unreadable_header; and RegistryUnavailableError when the event can be read later.
        """
        if event.value is None:
            return Ignored("tombstone")
        if shape is not None:
            change = self._shaped(event, shape, generation, kind)
            if change is not None:
                return change
        envelope = self._wire.envelope(event.value)
        if envelope is None:
            return Ignored("tombstone")
        op = _OPS.get(envelope.op or "")
        if op is None:
            if envelope.op is None and envelope.status in _TRANSACTION_STATUS:
                return Ignored("transaction")
            raise DecodeError(
                "unknown_op", "the value has no operation that is known; is this topic Debezium's?"
            )
        if op is Op.MESSAGE:
            return Ignored("message")
        return self._change(event, envelope, op, generation, kind)

    def heartbeat(self, event: RawEvent) -> int:
        """Return the time of a connector's heartbeat, microseconds since 1970. Raises as `decode` does."""
        if event.value is None:
            raise DecodeError("missing_time", "the heartbeat is empty; is this topic Debezium's?")
        values = self._wire.document(event.value)
        return _time(values.get("ts_us"), values.get("ts_ms"), "heartbeat")

    def usual(
        self, key: bytes, value: bytes, shape: RowShape, origin: Origin, generation: int, kind: str
    ) -> UsualRow | None:
        """Return a usual row of a feed: of the shape, with all its columns, under the key that it had, from the
        ``origin`` as a source block names it. None for any other event, also for one that cannot be read: `decode` says
        what is wrong with it.

        The caller makes sure that no header says that the key changed.
        """
        envelope = shape.envelope(value)
        if envelope is None:
            return None
        source = envelope.source
        row = envelope.after
        op = _ROW_OPS.get(envelope.op)
        source_time, captured_time = source.ts_us, envelope.ts_us
        if row is None or op is None or source_time is None or captured_time is None:
            return None
        schema = source.schema or (source.db if kind == "mariadb" else None)
        if (source.name, schema, source.table) != origin or self._unavailable.is_in(astuple(row)):
            return None
        text = shape.key_text(key)
        if text is None:
            return None
        try:
            version = _version(source, op, generation, kind)
        except DecodeError:
            return None
        return row, op, text, version, source_time, captured_time, source.snapshot

    def _shaped(self, event: RawEvent, shape: RowShape, generation: int, kind: str) -> Change | None:
        """Return the change of a usual row: of the shape, with all its columns, under the key that it had. None for
        any other event."""
        envelope = shape.envelope(event.value or b"")
        if envelope is None or event.key is None:
            return None
        op, row, key = _ROW_OPS.get(envelope.op), envelope.after, shape.key_text(event.key)
        if op is None or row is None or key is None or self._unavailable.is_in(astuple(row)):
            return None
        if event.headers and not KEY_HEADERS.isdisjoint([name for name, _ in event.headers]):
            return None
        source = envelope.source
        return _whole(event, envelope, source, _origin(source, kind), op, key, generation, kind, row=row)

    def _change(self, event: RawEvent, envelope: Envelope, op: Op, generation: int, kind: str) -> Change:
        source = envelope.source or _NO_SOURCE
        origin = _origin(source, kind)
        after = envelope.after
        unchanged: tuple[str, ...] = ()
        columns: Row = {}
        if op is Op.TRUNCATE:
            after = None
        else:
            if event.key is None:
                raise DecodeError("missing_key", "the change has no key; give the table a primary key")
            columns = self._wire.key(event.key)
            if op is Op.DELETE:
                after = None
            elif after is None:
                raise DecodeError(
                    "missing_after", "the change has no row after it; is it Debezium's envelope?"
                )
            else:
                unchanged = self._unavailable.take_from(after)
        headers = event.headers
        return _whole(
            event,
            envelope,
            source,
            origin,
            op,
            key_text(columns) if columns else "",
            generation,
            kind,
            previous_key=header_key(self._wire, headers, OLD_KEY_HEADER, columns)
            if op is Op.CREATE
            else None,
            next_key=header_key(self._wire, headers, NEW_KEY_HEADER, columns) if op is Op.DELETE else None,
            before=envelope.before,
            after=after,
            unchanged=unchanged,
        )


def _whole(
    event: RawEvent,
    envelope: Envelope | RowEnvelope,
    source: Source,
    origin: Origin,
    op: Op,
    key: str,
    generation: int,
    kind: str,
    *,
    previous_key: str | None = None,
    next_key: str | None = None,
    before: Row | None = None,
    after: Row | None = None,
    unchanged: tuple[str, ...] = (),
    row: msgspec.Struct | None = None,
) -> Change:
    """Return the change with what envelope and source block say of it."""
    marker = source.snapshot
    # In the order of Change's fields.
    return _change_of(
        event.place,
        *origin,
        op,
        key,
        _version(source, op, generation, kind),
        _time(source.ts_us, source.ts_ms, "source"),
        _time(envelope.ts_us, envelope.ts_ms, "envelope"),
        previous_key,
        next_key,
        before,
        after,
        None if marker == "false" else marker,
        unchanged,
        row,
    )


def _origin(source: Source, kind: str) -> Origin:
    schema = source.schema or (source.db if kind == "mariadb" else None)
    if source.name is None or not schema or not source.table:
        raise DecodeError("missing_source", "the source block lacks name, schema or table; is it Debezium's?")
    if not source.name.startswith(TOPIC_PREFIX) or len(source.name) == len(TOPIC_PREFIX):
        raise DecodeError("foreign_source", "the connector's topic.prefix is not cdc.<department>; mend it")
    return source.name[len(TOPIC_PREFIX) :], schema, source.table


def _time(micros: object, millis: object, part: str) -> int:
    # bool is an int to Python, and no time.
    if type(micros) is int:
        return micros
    if type(millis) is int:
        return millis * MICROSECONDS_PER_MILLISECOND
    raise DecodeError("missing_time", f"the {part} has no ts_us and no ts_ms; is it Debezium's?")


def _version(source: Source, op: Op, generation: int, kind: str) -> int:
    if source.delivered is not None or source.pushed is not None:
        return _own_version(source, generation)
    return (_mariadb if kind == "mariadb" else _postgresql)(source, op, generation)


def _postgresql(source: Source, op: Op, generation: int) -> int:
    """Return the version (docs/decisions/0003). Only a row of an incremental snapshot has no LSN of its own."""
    snapshot = op is Op.READ
    if source.sequence is None or (source.lsn is None and not snapshot):
        raise DecodeError(
            "missing_position", "the source block lacks sequence or lsn; is it PostgreSQL's connector?"
        )
    try:
        parts = _sequence.decode(source.sequence)
        last_commit = int(parts[0]) if parts[0] is not None else None
        return postgresql_version(generation, last_commit, source.lsn, snapshot=snapshot)
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        raise DecodeError("missing_position", "the source's sequence or lsn is no position") from error


def _own_version(source: Source, generation: int) -> int:
    """Return the version of a row from a file, or of a pushed one."""
    try:
        if source.delivered is None:
            return push_version(generation, source.pushed or 0)
        delivered = source.delivered
        return file_version(generation, delivered.date, delivered.sequence, delivered.line)
    except ValueError as error:
        raise DecodeError("missing_position", f"{error}; look at what writes this topic") from error


def _mariadb(source: Source, op: Op, generation: int) -> int:
    match = _LOG_FILE.fullmatch(source.file or "")
    if match is None or source.pos is None:
        raise DecodeError(
            "missing_position", "the source block lacks file or pos; is it MariaDB's connector?"
        )
    try:
        # Statements about no row, such as a truncation, have none.
        return binlog_version(generation, int(match[1]), source.pos, source.row or 0, snapshot=op is Op.READ)
    except ValueError as error:
        raise DecodeError("missing_position", "the source's file, pos or row is no position") from error
