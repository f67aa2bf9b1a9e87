"""From a delivery to its events: what is new, what changed, what is gone.

The file is read twice. The first time nothing is sent: everything that can refuse the delivery does so, its keys and
digests are staged, and what a full delivery would delete is counted. The second time its events are made. Which they
are, and in what order, depends on the file, the layout and the last full delivery alone, so that a load which was
killed goes on behind those that were durable.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from avro.change import Op, RawEvent
from avro.debezium_keys import key_text
from avro.errors import DecodeError
from avro.record import DeadLetter
from connectors.errors import DeliveryError
from connectors.feeds.feed import Feed
from connectors.files.delivery import Delivery, verify
from connectors.files.layout import Completeness
from connectors.files.ledger import STAGE_ROWS, Ledger
from connectors.files.parse import layout_of, read_records
from connectors.files.record import FileRecord
from connectors.files.rows import FileChange, Position, change_of, event_of, place_at

STAGE: Final = "load"
"""Where a dead letter of a file's line stopped."""

COLUMNS_HEADER: Final = "file.columns"
"""Header of such a dead letter: the columns that the file's first line names."""

_DIGEST_BYTES: Final = 16
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_decode_key: Final = msgspec.json.Decoder(dict[str, Any]).decode

Outcome = RawEvent | DeadLetter | None
"""An event, a line set aside, or None for a row that is as it was."""


@dataclass(slots=True)
class Scan:
    """What the first reading found. ``keyless``: lines set aside whose key is unknown. ``deletes``: rows that a full
    delivery lacks."""

    records: int = 0
    keyless: int = 0
    known: int = 0
    deletes: int = 0


class Comparison:
    """One delivery of a feed on its way. ``deletes`` and ``everything`` may be set between the two readings: whether
    rows that a full delivery lacks are deleted, and whether rows that did not change are sent as well."""

    def __init__(self, feed: Feed, delivery: Delivery, ledger: Ledger) -> None:
        """Raises DeliveryError when the feed is not delivered as files."""
        self._feed = feed
        self._delivery = delivery
        self._ledger = ledger
        layout = layout_of(feed)
        self.is_full = layout.delivery is Completeness.FULL
        self.scanned = Scan()
        self.deletes = True
        self.everything = False
        self._signature = (0, 0, 0)
        self.plan = hashlib.sha256(repr((layout, feed.columns, feed.key)).encode()).hexdigest()

    def scan(self, progress: Callable[[int], None] = lambda _: None) -> Scan:
        """Read the delivery for the first time; ``progress`` is told of bytes. Raises DeliveryError."""
        self._signature = _signature(self._delivery)
        verify(self._delivery, progress)
        self._ledger.clear()
        scan = self.scanned = Scan()
        records = read_records(self._feed, self._delivery)
        while step := list(itertools.islice(records, STAGE_ROWS)):
            scan.records += len(step)
            changes = [(record.line, self._said(record)) for record in step]
            rows = [
                (key_text(change.key), _digest(change))
                for _, change in changes
                if isinstance(change, FileChange) and change.op is not Op.DELETE
            ]
            scan.keyless += sum(isinstance(change, DecodeError) for _, change in changes)
            if self.is_full:
                self._ledger.stage(rows)
            self._ledger.stage_moves(
                (key_text(change.previous_key), key_text(change.key), line)
                for line, change in changes
                if isinstance(change, FileChange) and change.previous_key is not None
            )
        if scan.records != self._delivery.control.records:
            raise DeliveryError(
                f"{self._delivery.path}: it has {scan.records} records, the control file says "
                f"{self._delivery.control.records}; ask for it again"
            )
        if self.is_full:
            scan.known, scan.deletes = self._ledger.known_count(), self._ledger.gone_count()
        return scan

    def outcomes(self, captured_time: int) -> Iterator[Outcome]:
        """Yield what each record leads to, then what a full delivery deletes. The delivery was scanned before.

        Raises DeliveryError when the file is not the one that was scanned any more.
        """
        line = 0
        self._check_same()
        for record in read_records(self._feed, self._delivery):
            line = record.line
            position = self._position(line)
            change = self._said(record)
            if isinstance(change, DecodeError):
                yield self._set_aside(record, change.rule, str(change), captured_time)
            elif self.is_full:
                yield self._compared(change, position, captured_time)
            else:
                yield self._event(change, position, captured_time)
        self._check_same()
        if self.is_full and self.deletes:
            for key in self._ledger.gone():
                line += 1
                change = FileChange(Op.DELETE, _decode_key(key), None)
                yield self._event(change, self._position(line), captured_time)

    def _check_same(self) -> None:
        if _signature(self._delivery) != self._signature:
            raise DeliveryError(f"{self._delivery.path}: it was changed while it was loaded; load it again")

    def _position(self, line: int) -> Position:
        return Position(self._delivery.date, self._delivery.sequence, line)

    def _said(self, record: FileRecord) -> FileChange | DecodeError:
        if record.fields is None:
            return DecodeError(record.rule, record.error)
        try:
            return change_of(self._feed, record.fields)
        except DecodeError as error:
            return error

    def _compared(self, change: FileChange, position: Position, captured_time: int) -> Outcome:
        if change.op is Op.DELETE:
            return None  # it was not staged, so it is among those that are gone
        key = key_text(change.key)
        known = self._ledger.known_digest(key)
        # Of a key that stands twice the last row counts: its version is the higher one, if both are sent.
        if not self.everything and known == _digest(change) and not self._ledger.is_repeated(key):
            return None
        op = Op.CREATE if known is None else Op.UPDATE
        return event_of(self._feed, change._replace(op=op), position, captured_time)

    def _event(self, change: FileChange, position: Position, captured_time: int) -> RawEvent:
        if change.op is Op.DELETE:
            move = self._ledger.move_of(key_text(change.key))
            if move is not None:
                # The other half of a change of key; both have one version.
                key, line = move
                change = change._replace(next_key=_decode_key(key))
                return event_of(self._feed, change, position, captured_time, version_line=line)
        return event_of(self._feed, change, position, captured_time)

    def _set_aside(self, record: FileRecord, rule: str, error: str, captured_time: int) -> DeadLetter:
        place = place_at(self._feed, self._position(record.line))
        columns = [(COLUMNS_HEADER, msgspec.json.encode(record.columns))] if record.columns else None
        return DeadLetter(
            feed=self._feed.id,
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            stage=STAGE,
            rule=rule,
            error=f"{self._delivery.path.name}, line {record.line}: {error}",
            key=None,
            value=record.raw,
            headers=columns,  # type: ignore[arg-type]
            timestamp=captured_time // 1000,
        )


def _digest(change: FileChange) -> bytes:
    return hashlib.blake2b(_encode(change.row), digest_size=_DIGEST_BYTES).digest()


def _signature(delivery: Delivery) -> tuple[int, int, int]:
    """Return what changes when somebody writes to the file or puts another in its place."""
    try:
        found = delivery.path.stat()
    except OSError as error:
        raise DeliveryError(f"{delivery.path}: {error.strerror}; load it again when it is back") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
