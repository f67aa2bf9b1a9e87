"""Reading a store from another program: through the process that has it open, else by opening it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
import msgspec

from connectors import endpoints
from connectors.clickhouse.guard import RefusedError
from connectors.clickhouse.tables import DATABASE
from connectors.clickhouse.wire import EXCEPTION_TAG, QUERY_SECONDS, QueryError, marker
from connectors.errors import StoreUnavailableError

if TYPE_CHECKING:
    from connectors.clickhouse.readers import Readers

STORE_FOLDER: Final = "store"
"""The store's folder in a data folder."""

_PING_SECONDS: Final = 5.0
_MARGIN_SECONDS: Final = 30.0

_decode_row: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Access(Protocol):
    """A way to read. Raises QueryError and RefusedError, also while the blocks are read."""

    def blocks(self, query: str, output: str, parameters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """Yield the result in the format that the query names, else in ``output``."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


def rows(access: Access, query: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return a small result, a mapping of column to value a row. Large integers stay exact."""
    data = b"".join(access.blocks(query, "JSONEachRow", parameters))
    return [_decode_row(line) for line in data.splitlines() if line]


class Local:
    """The store that this process has open."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def blocks(self, query: str, output: str, parameters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """See `Access`."""
        with self._readers.query(query, default_format=output, parameters=parameters) as result:
            yield from result

    def close(self) -> None:
        """See `Access`. The readers stay open: whoever opened them closes them."""


class _Remote:
    """The store of a running process, or a ClickHouse server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=QUERY_SECONDS + _MARGIN_SECONDS)

    def answers(self) -> bool:
        """Whether somebody listens."""
        try:
            return self._client.get("/ping", timeout=_PING_SECONDS).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def blocks(self, query: str, output: str, parameters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        # A server takes the last two; the store's own interface has one database, and only reads.
        arguments = {"default_format": output, "database": DATABASE, "readonly": "2"} | {
            f"param_{name}": value for name, value in (parameters or {}).items()
        }
        try:
            with self._client.stream("POST", "/", params=arguments, content=query.encode()) as response:
                if response.status_code != httpx.codes.OK:
                    raise QueryError(response.read().decode("utf-8", "replace").strip())
                yield from _until_error(response.iter_bytes(), response.headers.get(EXCEPTION_TAG))
        except httpx.HTTPError as error:
            raise StoreUnavailableError(
                f"the store stopped answering ({type(error).__name__}); see its log, and ask again"
            ) from error

    def close(self) -> None:
        self._client.close()


def _until_error(blocks: Iterator[bytes], tag: str | None) -> Iterator[bytes]:
    """Yield the blocks up to the mark of an error, then raise QueryError."""
    if not tag:
        yield from blocks
        return
    mark = marker(tag)
    held = b""
    for block in blocks:
        held += block
        place = held.find(mark)
        if place >= 0:
            yield held[:place]
            message = (held[place + len(mark) :] + b"".join(blocks)).decode("utf-8", "replace")
            raise QueryError(message.strip().rpartition("\r\n")[0].rpartition("\r\n")[0])
        keep = len(mark) - 1  # the mark may be cut between two blocks
        yield held[:-keep]
        held = held[-keep:]
    yield held


def open_access(data: Path, server: str = "") -> Access:
    """Return a way to read the store of ``data``, or that of the ClickHouse ``server`` where one is set.

    Raises StoreError when there is no store, or when a process that does not answer has it.
    """
    if server:
        return _Remote(server)
    running = endpoints.load(data)
    if running is not None and running.clickhouse:
        remote = _Remote(running.clickhouse)
        if remote.answers():
            return remote
        remote.close()
    from connectors.clickhouse.own import (
        open_own,  # loads the engine, which asking a running store does not need
    )

    return open_own(data)


__all__ = ["Access", "Local", "QueryError", "RefusedError", "open_access", "rows"]
