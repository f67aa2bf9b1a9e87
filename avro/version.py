"""Versions: one integer that orders the states of one key.

A version is a pure function of a position in a source, so that a redelivered event carries the version it had.
It fits an unsigned 128-bit integer (``UInt128`` in ClickHouse); in Avro it is a ``fixed(16)`` in little-endian
order, which is how ClickHouse reads a ``fixed(16)`` into a ``UInt128``.

Layout for PostgreSQL, from the most significant bit::

    generation 14 | sequence[0] 56 | is_change 1 | lsn 56      (127 bits)

``sequence[0]`` is the end of the last commit before the change (null counts as 0). It comes before the change's
own LSN because transactions interleave: the one that commits later may have written earlier. ``is_change`` puts
every streamed change above every snapshot row of the same position: a transaction that is open while the snapshot
is taken commits later, with LSNs below the snapshot's. A snapshot row's lsn orders two snapshots of one slot, as
happens when the first is interrupted.

For MariaDB and MySQL::

    generation 14 | binlog file 24 | position 32 | is_change 1 | row 56

A position there is a place in the log of commits, which is in their order; the rows of one statement share it and are
counted. A snapshot row has the position at which the snapshot was taken.
"""

from __future__ import annotations

from typing import Final

_LSN_BITS: Final = 56  # 72 PB of WAL
_LSN_LIMIT: Final = 1 << _LSN_BITS
_POSITION_BITS: Final = 32  # 4 GB; a log file has 1 GB, and what its last transaction adds
_FILE_LIMIT: Final = 1 << 24
GENERATION_LIMIT: Final = 1 << 14
_PUSHED: Final = 1 << 127
POSITION_LIMIT: Final = _LSN_LIMIT
"""Positions of a pushing client are below it."""

VERSION_BYTES: Final = 16
"""Size of a version in Avro and ClickHouse, bytes."""


def postgresql_version(generation: int, last_commit: int | None, lsn: int | None, *, snapshot: bool) -> int:
    """Return the version of a row state in a PostgreSQL source.

    ``last_commit`` and ``lsn`` are WAL positions in bytes; ``lsn`` is null in rows of an incremental snapshot.
    Raises ValueError when a part is out of range.
    """
    return _pack(generation, last_commit or 0, 0 if snapshot else 1, lsn or 0)


def file_version(generation: int, delivery_date: int, sequence: int, line: int) -> int:
    """Return the version of a line of a delivered file; ``delivery_date`` is yyyymmdd as a number.

    Raises ValueError when a part is out of range.
    """
    if not (0 <= delivery_date < 1 << 32 and 0 <= sequence < 1 << 24):
        raise ValueError(f"file position {delivery_date}:{sequence} is out of range")
    return _pack(generation, delivery_date << 24 | sequence, 1, line)


def push_version(generation: int, position: int) -> int:
    """Return the version of a pushed change; ``position`` is the client's own.

    It is above every captured version, so that neither a new snapshot nor a TRUNCATE of a table takes away what was
    pushed into its feed. Raises ValueError when a part is out of range.
    """
    return _PUSHED | _pack(generation, position, 1, 0)


def binlog_version(generation: int, file: int, position: int, row: int, *, snapshot: bool) -> int:
    """Return the version of a row state in a MariaDB or MySQL source.

    ``file`` is the number at the end of the log file's name, ``position`` the event's byte offset in it, ``row`` the
    row's number in the event. Raises ValueError when a part is out of range.
    """
    if not (0 <= file < _FILE_LIMIT and 0 <= position < 1 << _POSITION_BITS):
        raise ValueError(f"log position {file}:{position} is out of range")
    return _pack(generation, file << _POSITION_BITS | position, 0 if snapshot else 1, row)


def log_version(epoch: int, offset: int) -> int:
    """Return the version of an output of the linker: ``offset`` is the position in ``renkou.records``."""
    return epoch << 64 | offset


def _pack(generation: int, major: int, is_change: int, minor: int) -> int:
    if not (0 <= generation < GENERATION_LIMIT and 0 <= major < _LSN_LIMIT and 0 <= minor < _LSN_LIMIT):
        raise ValueError(f"position ({generation}, {major}, {minor}) is out of range")
    return ((generation << _LSN_BITS | major) << 1 | is_change) << _LSN_BITS | minor


def to_bytes(version: int) -> bytes:
    """Return the version as it travels in Avro."""
    return version.to_bytes(VERSION_BYTES, "little")


def from_bytes(data: bytes) -> int:
    """Return the version that ``data`` (16 bytes) holds."""
    return int.from_bytes(data, "little")
