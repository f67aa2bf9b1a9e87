"""The write-ahead log: what the linker took in since the last snapshot, each batch durable before it is
applied."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from avro.record import Decision, Finding, LogValue, Mark, MarkKind, Mention, Record, TableSwitch
from avro.version import from_bytes, to_bytes
from linkage import frames
from linkage.engine import ID_NUMBER, LogEntry
from linkage.errors import LinkerClosedError, StateDamagedError, StateWriteError

LoggedFinding = tuple[str, int, str, str]
"""Of an ID number that was refused: role, ordinal, rule, and the number as the source wrote it."""


class LoggedRecord(msgspec.Struct, array_like=True, tag=0, gc=False):
    """The part of a record that linking depends on."""

    offset: int
    feed: str
    key: str
    version: bytes
    is_deleted: bool
    source_time: int
    previous_key: str | None
    next_key: str | None
    mentions: tuple[Mention, ...]
    findings: tuple[LoggedFinding, ...]


class LoggedMark(msgspec.Struct, array_like=True, tag=1, gc=False):
    """A mark of the log."""

    offset: int
    kind: MarkKind
    department: str
    feed: str
    version: bytes
    source_time: int


class LoggedDecision(msgspec.Struct, array_like=True, tag=2, gc=False):
    """A steward's decision."""

    offset: int
    decision: Decision


class LoggedSwitch(msgspec.Struct, array_like=True, tag=3, gc=False):
    """A switch to another table."""

    offset: int
    switch: TableSwitch


Logged = LoggedRecord | LoggedMark | LoggedDecision | LoggedSwitch


class Batch(msgspec.Struct, array_like=True, tag=0, gc=False):
    """Entries that were applied together. ``published`` is the offset below which all outputs were
    durable."""

    published: int
    entries: tuple[Logged, ...]


class AuthorityChange(msgspec.Struct, array_like=True, tag=1, gc=False):
    """From here on golden records are made by another authority."""

    authority: dict[str, tuple[str, ...]]


Frame = Batch | AuthorityChange

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Frame).decode


def batch_of(published: int, entries: Sequence[LogEntry]) -> Batch:
    """Return the entries as they are logged."""
    return Batch(published, tuple([_logged(offset, value) for offset, value in entries]))


def _logged(offset: int, value: LogValue) -> Logged:
    if isinstance(value, Decision):
        return LoggedDecision(offset, value)
    if isinstance(value, TableSwitch):
        return LoggedSwitch(offset, value)
    if isinstance(value, Mark):
        version = to_bytes(value.version)
        return LoggedMark(offset, value.kind, value.department, value.feed, version, value.source_time)
    return LoggedRecord(
        offset,
        value.feed,
        value.key,
        to_bytes(value.version),
        value.is_deleted,
        value.source_time,
        value.previous_key,
        value.next_key,
        value.mentions,
        tuple(
            [
                (finding.role, finding.ordinal, finding.rule, finding.original)
                for finding in value.findings
                if finding.element == ID_NUMBER and finding.original is not None
            ]
        )
        if value.findings
        else (),
    )


def entries_of(batch: Batch) -> list[LogEntry]:
    """Return the entries of a logged batch: records have what linking depends on, and blanks elsewhere."""
    return [LogEntry(entry.offset, _restored(entry)) for entry in batch.entries]


def _restored(entry: Logged) -> LogValue:
    if isinstance(entry, LoggedDecision):
        return entry.decision
    if isinstance(entry, LoggedSwitch):
        return entry.switch
    version = from_bytes(entry.version)
    if isinstance(entry, LoggedMark):
        return Mark(entry.kind, entry.department, entry.feed, version, entry.source_time)
    return Record(
        feed=entry.feed,
        op="",
        key=entry.key,
        version=version,
        is_deleted=entry.is_deleted,
        snapshot=False,
        source_time=entry.source_time,
        captured_time=0,
        topic="",
        partition=0,
        offset=0,
        previous_key=entry.previous_key,
        next_key=entry.next_key,
        mentions=entry.mentions,
        findings=tuple(
            [
                Finding(ID_NUMBER, rule, "", original, role, ordinal)
                for role, ordinal, rule, original in entry.findings
            ]
        )
        if entry.findings
        else (),
    )


class WriteAheadLog:
    """One file of frames, open for appending. Blocks for the disk; not for use by two threads."""

    def __init__(self, path: Path, size: int) -> None:
        """Open the file to go on behind ``size`` bytes; what is behind them is cut off. Raises OSError."""
        self.path = path
        self.size = size
        self._broken = False
        self._descriptor = frames.open_private(path, os.O_RDWR)
        try:
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, frame: Frame) -> None:
        """Write the frame; on return it is durable.

        Raises StateWriteError when the disk does not take it: the file is as before and the call may be
        repeated. Raises LinkerClosedError when even that could not be made sure of.
        """
        if self._broken:
            raise LinkerClosedError(
                f"{self.path.name} could not be brought back after a failed write; start link again"
            )
        data = frames.pack(_encode(frame))
        try:
            frames.write_all(self._descriptor, data, self.size)
            os.fdatasync(self._descriptor)
        except BaseException as error:
            self._cut_back()
            if isinstance(error, OSError):
                raise StateWriteError(
                    f"the linker's log {self.path.name} cannot be written: {error.strerror}; "
                    "make room or mend the disk, then it goes on"
                ) from error
            raise
        self.size += len(data)

    def _cut_back(self) -> None:
        """Leave no part of a failed write, which could otherwise stand before a later frame and look like
        damage."""
        try:
            os.ftruncate(self._descriptor, self.size)
            os.fsync(self._descriptor)
        except OSError:
            self._broken = True

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_frames(path: Path, data: bytes, start: int) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of a log from ``start`` on, each with the position behind it, and end before a torn
    end.

    A torn end is what a crash leaves of the last write: no whole frame follows it. Raises StateDamagedError
    for anything else that does not check.
    """
    position = start
    while (payload := frames.frame_at(data, position)) is not None:
        position += frames.HEADER_BYTES + len(payload)
        try:
            yield position, _decode(payload)
        except msgspec.DecodeError as error:
            raise damaged(path) from error
    if frames.has_frame_after(data, position):
        raise damaged(path)


def damaged(path: Path) -> StateDamagedError:
    """Return the error for a file that does not check."""
    return StateDamagedError(
        f"{path}: the linker's state is damaged; restore the folder from a copy, or remove it, "
        "raise the epoch and let link read renkou.records from the beginning"
    )
