"""A look at a source's database from outside: does it answer, what does it keep for us, how late is it there.

Read-only and one query a look, on one connection that is kept: a source's database is not ours to burden.
"""

from __future__ import annotations

import socket
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec
import psycopg

from monitoring.signals import Slot

CONNECT_SECONDS: Final = 2
QUERY_MS: Final = 2000
MEGABYTE: Final = 1024**2
POSTGRESQL: Final = ("postgresql", "postgres")

_SLOT: Final = """
WITH here AS (
  SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn,
         (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep
)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, here.keep, s.active,
       pg_wal_lsn_diff(here.lsn, s.restart_lsn)::bigint, pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn)::bigint,
       s.wal_status
FROM here LEFT JOIN pg_replication_slots AS s ON s.slot_name = %s
"""


class SourceView(msgspec.Struct, frozen=True):
    """What a look has shown. ``skew`` is how many seconds the source's clock is ahead; see `Signals` for the others."""

    reachable: bool
    slot: Slot | None = None
    slot_missing: bool = False
    skew: float | None = None


class SourceProbe:
    """Looks at one source. Not for several threads at once.

    The DSN may be of a kind that cannot be asked for slots: then only whether something listens there is told.
    """

    def __init__(self, dsn: str, slot: str) -> None:
        self._dsn = dsn
        self._slot = slot
        self._connection: psycopg.Connection | None = None

    def look(self) -> SourceView:
        """Return what is to be seen now. Blocks for some seconds at most, raises nothing."""
        if urlsplit(self._dsn).scheme not in POSTGRESQL:
            return SourceView(reachable(self._dsn))
        try:
            return self._ask()
        except psycopg.Error as error:
            self.close()
            # An answer that refuses is an answer; whether it is one, the plain connection tells.
            refused = "FATAL" in str(error) and not _COMING_OR_GOING.intersection(str(error).lower().split())
            return SourceView(refused and reachable(self._dsn))

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> SourceView:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="renkou watch",
                # A server that has stopped without closing its connections is noticed by the kernel.
                tcp_user_timeout=QUERY_MS,
                options=f"-c statement_timeout={QUERY_MS} -c default_transaction_read_only=on",
            )
        began = time.time_ns()
        row = self._connection.execute(_SLOT, [self._slot]).fetchone()
        ended = time.time_ns()
        assert row is not None, "a LEFT JOIN behind one row has one"
        clock, keep, active, retained, unconfirmed, wal_status = row
        # The server's clock was read somewhere between the two moments.
        skew = clock / 1e6 - (began + ended) / 2e9
        if active is None:
            return SourceView(True, None, True, skew)
        slot = Slot(
            active=active,
            retained=retained or 0,
            unconfirmed=unconfirmed or 0,
            wal_status=wal_status or "lost",
            limit=None if keep is None or keep < 0 else keep * MEGABYTE,
        )
        return SourceView(True, slot, False, skew)


_COMING_OR_GOING: Final = frozenset({"starting", "shutting", "recovery", "accepting"})
"""Words of a server that refuses everybody, being on its way up or down."""


def reachable(dsn: str) -> bool:
    """Return whether something accepts connections at the DSN's address."""
    address = urlsplit(dsn)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
