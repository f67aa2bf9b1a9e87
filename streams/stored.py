"""What the watch reads of the store now and then: each feed's last reconciliation, and its open dead letters."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from connectors.clickhouse.guard import RefusedError
from connectors.clickhouse.store import Store
from connectors.clickhouse.wire import QueryError
from monitoring.observer import Letters, Verification

log = structlog.get_logger()

LOOK_SECONDS: Final = 30.0
"""Between two looks: a reconciliation takes minutes, and a dead letter is mended by hand."""

_VERIFICATIONS: Final = """
SELECT feed, toUnixTimestamp64Micro(finished) AS finished, missing + surplus + different AS differences, error
FROM verifications ORDER BY started DESC LIMIT 1 BY feed
"""
_LETTERS: Final = """
SELECT if(department = '', '', concat(department, '.', "table")) AS feed, count() AS open
FROM dead_letters WHERE state = 'open' GROUP BY feed
"""

T = TypeVar("T", Verification, Letters)


class Stored(Generic[T]):
    """A query's rows by feed, read again when they are old. One thread at a time."""

    def __init__(self, store: Store, query: str, kind: type[T]) -> None:
        self._readers = store.readers
        self._query = query
        self._decode: Callable[[bytes], T] = msgspec.json.Decoder(kind).decode
        self._read_at: float | None = None
        self._newest: dict[str, T] = {}
        self._refused = ""

    def newest(self) -> dict[str, T]:
        """Return the rows; what was known before while the store does not answer."""
        now = time.monotonic()
        if self._readers is None or (self._read_at is not None and now - self._read_at < LOOK_SECONDS):
            return self._newest
        self._read_at = now
        try:
            with self._readers.query(
                self._query,
                default_format="JSONEachRow",
                settings={"output_format_json_quote_64bit_integers": "0"},
            ) as result:
                rows = b"".join(result).splitlines()
        except (QueryError, RefusedError) as error:
            if str(error) != self._refused:
                log.warning("what the watch wants of the store cannot be read", reason=str(error))
            self._refused = str(error)
            return self._newest
        self._newest = {row.feed: row for row in map(self._decode, filter(None, rows))}
        return self._newest


def verifications(store: Store) -> Stored[Verification]:
    """Return the last reconciliations."""
    return Stored(store, _VERIFICATIONS, Verification)


def letters(store: Store) -> Stored[Letters]:
    """Return how many dead letters are open."""
    return Stored(store, _LETTERS, Letters)
