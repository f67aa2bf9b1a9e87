"""What a feed's deliveries have come to: which were loaded, how far, and the rows of the last full one.

One SQLite file a feed, in the data folder. It holds keys, which are personal data: only the owner may read it. A row is
known by its key's text and a digest of its fields, so that two full deliveries are compared without keeping either.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from connectors.errors import DeliveryError, TransientError

FOLDER: Final = "files"
"""Of the ledgers, in a data folder."""

STAGE_ROWS: Final = 5000
"""Rows a statement stages."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS deliveries (
    date INTEGER, sequence INTEGER, sha256 TEXT NOT NULL, plan TEXT NOT NULL, started INTEGER NOT NULL,
    sent INTEGER NOT NULL, done INTEGER NOT NULL, PRIMARY KEY (date, sequence)
);
CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
DROP TABLE IF EXISTS staged;
DROP TABLE IF EXISTS moves;
CREATE TABLE staged (key TEXT PRIMARY KEY, digest BLOB NOT NULL, repeated INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE moves (former TEXT PRIMARY KEY, key TEXT NOT NULL, line INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery has come: ``started`` in microseconds since 1970, ``sent`` events that are durable."""

    started: int
    sent: int
    done: bool


class Ledger:
    """The ledger of one feed, locked while it is open. A context manager."""

    def __init__(self, folder: Path, feed: str) -> None:
        """Open it; ``folder`` is made if missing. Raises TransientError while another load of the feed runs."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / f"{feed}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise TransientError(f"another load of feed {feed} is running; wait for its end") from None
        path = folder / f"{feed}.sqlite"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            os.close(self._lock)
            raise DeliveryError(
                f"{path}: the ledger cannot be used ({error}); remove it, and the next delivery is loaded whole"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it and let another load begin."""
        self._db.close()
        os.close(self._lock)

    def begin(self, date: int, sequence: int, sha256: str, plan: str, now: int) -> Progress:
        """Note that the delivery is being loaded; return how far it came before.

        ``plan`` stands for everything that decides which events it leads to: with another one, nothing counts as sent.
        Raises DeliveryError when another content was loaded, or begun, under the same date and sequence number.
        """
        row = self._db.execute(
            "SELECT sha256, plan, started, sent, done FROM deliveries WHERE date = ? AND sequence = ?",
            (date, sequence),
        ).fetchone()
        if row is not None:
            known, known_plan, started, sent, done = row
            # Also when it was loaded in part: a line of both would have one version.
            if known != sha256 and (done or sent):
                raise DeliveryError(
                    f"delivery {date}_{sequence:03} was loaded with another content; "
                    "a correction has the next sequence number"
                )
            if known == sha256 and (done or known_plan == plan):
                return Progress(started, sent, bool(done))
        self._db.execute(
            "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, 0, 0)",
            (date, sequence, sha256, plan, now),
        )
        return Progress(now, 0, False)

    def forget(self, date: int, sequence: int) -> None:
        """Forget that the delivery was loaded; the rows of the last full one stay."""
        self._db.execute("DELETE FROM deliveries WHERE date = ? AND sequence = ?", (date, sequence))

    def newest_done(self) -> tuple[int, int]:
        """Return date and sequence number of the newest delivery that was loaded, zeros when there is none."""
        row = self._db.execute(
            "SELECT date, sequence FROM deliveries WHERE done ORDER BY date DESC, sequence DESC LIMIT 1"
        ).fetchone()
        return row or (0, 0)

    def sent(self, date: int, sequence: int, count: int) -> None:
        """Note that the first ``count`` events of the delivery are durable."""
        self._db.execute(
            "UPDATE deliveries SET sent = ? WHERE date = ? AND sequence = ?", (count, date, sequence)
        )

    def stage(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Note keys and digests of the delivery that is being read. One transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO staged (key, digest) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, repeated = 1",
            rows,
        )
        self._db.execute("COMMIT")

    def stage_moves(self, moves: Iterable[tuple[str, str, int]]) -> None:
        """Note changes of key: the former key, the key, and the line that says so. One transaction."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO moves VALUES (?, ?, ?)", moves)
        self._db.execute("COMMIT")

    def clear(self) -> None:
        """Forget what was staged."""
        self._db.execute("DELETE FROM staged")
        self._db.execute("DELETE FROM moves")

    def move_of(self, former: str) -> tuple[str, int] | None:
        """Return the key that replaced ``former`` in this delivery, and the line that says so."""
        row: tuple[str, int] | None = self._db.execute(
            "SELECT key, line FROM moves WHERE former = ?", (former,)
        ).fetchone()
        return row

    def remember(self, key: str) -> None:
        """Note a row of the last full delivery that was read later: it is known, and its fields are not."""
        self._db.execute("INSERT OR IGNORE INTO rows VALUES (?, x'')", (key,))

    def known_digest(self, key: str) -> bytes | None:
        """Return the digest that the row had in the last full delivery, None when it was not there."""
        row = self._db.execute("SELECT digest FROM rows WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    def is_repeated(self, key: str) -> bool:
        """Return whether the key stands more than once in the delivery that was read."""
        row = self._db.execute("SELECT repeated FROM staged WHERE key = ?", (key,)).fetchone()
        return row is not None and bool(row[0])

    def known_count(self) -> int:
        """Return how many rows the last full delivery had."""
        return int(self._db.execute("SELECT count(*) FROM rows").fetchone()[0])

    def gone_count(self) -> int:
        """Return how many rows of the last full delivery the one that was read lacks."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM rows WHERE key NOT IN (SELECT key FROM staged)"
            ).fetchone()[0]
        )

    def gone(self) -> Iterator[str]:
        """Yield the keys that the delivery lacks, in their order."""
        last = ""
        while True:
            keys = self._db.execute(
                "SELECT key FROM rows WHERE key > ? AND key NOT IN (SELECT key FROM staged) ORDER BY key LIMIT ?",
                (last, STAGE_ROWS),
            ).fetchall()
            for (key,) in keys:
                yield key
            if len(keys) < STAGE_ROWS:
                return
            last = keys[-1][0]

    def finish(self, date: int, sequence: int, *, full: bool, deletes: bool) -> None:
        """Note that the delivery is loaded; a full one's rows are the known ones from now on. One transaction.

        Without ``deletes`` the rows that it lacks stay known.
        """
        self._db.execute("BEGIN")
        if full:
            if deletes:
                self._db.execute("DELETE FROM rows WHERE key NOT IN (SELECT key FROM staged)")
            self._db.execute("INSERT OR REPLACE INTO rows SELECT key, digest FROM staged")
        self._db.execute("UPDATE deliveries SET done = 1 WHERE date = ? AND sequence = ?", (date, sequence))
        self._db.execute("COMMIT")
