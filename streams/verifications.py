"""The last reconciliation of every feed, as the store's table ``verifications`` has it."""

from __future__ import annotations

import time
from typing import Final

import msgspec
import structlog

from connectors.clickhouse.guard import RefusedError
from connectors.clickhouse.store import Store
from connectors.clickhouse.wire import QueryError
from monitoring.observer import Verification

log = structlog.get_logger()

LOOK_SECONDS: Final = 30.0
"""Between two looks: a reconciliation takes minutes."""

_QUERY: Final = """
SELECT feed, toUnixTimestamp64Micro(finished) AS finished, missing + surplus + different AS differences, error
FROM verifications ORDER BY started DESC LIMIT 1 BY feed
"""

_decode: Final = msgspec.json.Decoder(Verification).decode


class Verifications:
    """Reads the table now and then; one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._readers = store.readers
        self._read_at: float | None = None
        self._newest: dict[str, Verification] = {}
        self._refused = ""

    def newest(self) -> dict[str, Verification]:
        """Return the last reconciliation by feed; what was known before while the store does not answer."""
        now = time.monotonic()
        if self._readers is None or (self._read_at is not None and now - self._read_at < LOOK_SECONDS):
            return self._newest
        self._read_at = now
        try:
            with self._readers.query(
                _QUERY,
                default_format="JSONEachRow",
                settings={"output_format_json_quote_64bit_integers": "0"},
            ) as result:
                rows = b"".join(result).splitlines()
        except (QueryError, RefusedError) as error:
            if str(error) != self._refused:
                log.warning("the last reconciliations cannot be read", reason=str(error))
            self._refused = str(error)
            return self._newest
        self._newest = {row.feed: row for row in map(_decode, filter(None, rows))}
        return self._newest
