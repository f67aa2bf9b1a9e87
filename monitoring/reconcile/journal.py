"""The way of a report into the store's table ``verifications``.

One process owns the store, and whoever verifies is often another one. A report is a file in ``DIR/verifications``, made
in one step; the store's owner takes it in and removes it. A crash between the two takes it in again, as the same row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from connectors.clickhouse import sql
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.shared import VERIFICATIONS
from monitoring.reconcile.difference import Kind
from monitoring.reconcile.report import FeedReport

FOLDER: Final = "verifications"


class Entry(msgspec.Struct, frozen=True):
    """A row of ``verifications``: counts, and no row's key."""

    feed: str
    verification: str
    started: int
    finished: int
    position: int
    source_rows: int
    stored_rows: int
    missing: int
    surplus: int
    different: int
    undecided: int
    unfit: int
    repaired: int
    error: str


_TIMES: Final = frozenset(("started", "finished", "position"))
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Entry).decode


def entry_of(report: FeedReport) -> Entry:
    """Return the row of a report."""
    return Entry(
        feed=report.feed,
        verification=report.verification,
        started=report.started,
        finished=report.finished,
        position=report.position,
        source_rows=report.source_rows,
        stored_rows=report.stored_rows,
        missing=report.count(Kind.MISSING),
        surplus=report.count(Kind.SURPLUS),
        different=report.count(Kind.DIFFERENT),
        undecided=report.undecided + report.unchecked,
        unfit=report.unfit,
        repaired=report.repaired,
        error=report.error,
    )


def hand_in(data: Path, report: FeedReport) -> None:
    """Leave a report for the store's owner; returns when it is durable. Raises OSError."""
    folder = data / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{report.verification}-{report.feed}.json"
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(_encode(entry_of(report)))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def take_in(data: Path, engine: Engine) -> int:
    """Write the reports that wait into the store and return how many. Raises StoreError, StoreUnavailableError.

    A file that is no report is set aside under the name ``.unreadable``.
    """
    taken = 0
    for path in sorted((data / FOLDER).glob("*.json")):
        try:
            entry = _decode(path.read_bytes())
        except msgspec.DecodeError:
            path.rename(path.with_suffix(".unreadable"))
            continue
        write(engine, entry)
        path.unlink()
        taken += 1
    return taken


def write(engine: Engine, entry: Entry) -> None:
    """Write one row. Raises StoreError, StoreUnavailableError."""
    values = []
    for name in VERIFICATIONS.column_names:
        value = entry.finished if name == "version" else getattr(entry, name)
        if name in _TIMES:
            values.append(f"fromUnixTimestamp64Micro(toInt64({value}), 'UTC')")
        else:
            values.append(sql.text(value) if isinstance(value, str) else str(value))
    engine.command(
        f"INSERT INTO {VERIFICATIONS.stored} ({sql.names(VERIFICATIONS.column_names)}) VALUES ({', '.join(values)})"
    )
