"""One face for the embedded engine and a ClickHouse server: statements, small results, Avro containers.

Statements go through clickhouse-connect. What differs is how an INSERT has its container: the embedded engine takes the
bytes through a handle of its own, a server finds them in the body of the request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from connectors.clickhouse import sql
from connectors.clickhouse.errors import engine_error, store_error
from connectors.clickhouse.intact import Intact
from connectors.errors import StoreError, StoreUnavailableError

MAX_QUERY_BYTES: Final = 16 << 20
"""Size of a statement's text: look-ups of many keys at once are longer than the engine's own 256 KiB."""

CALL_SECONDS: Final = 120
"""How long one statement of the writer may take before the server is taken to be away."""

WRITER_SETTINGS: Final[dict[str, Any]] = {
    "async_insert": 0,  # a positive answer means that the rows are there
    "input_format_null_as_default": 0,  # a null is refused where it does not fit, never replaced
    "max_query_size": MAX_QUERY_BYTES,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is fed from a container: each of ``columns`` from the field of its name.

    The container may have more fields; they are skipped. A field that it lacks is refused.
    """

    table: str
    columns: tuple[str, ...]

    @property
    def insert(self) -> str:
        """The INSERT up to where its rows come from.

        The engine's parser then fills the table's columns itself; a SELECT over a table function would be planned
        column by column, which for a small batch costs more than its rows do.
        """
        return f"INSERT INTO {self.table} ({sql.names(self.columns)})"


class Engine(Protocol):
    """What the writer asks of ClickHouse. Calls block. They raise StoreUnavailableError and StoreError."""

    def command(self, statement: str) -> None:
        """Run a statement that gives no rows."""
        ...

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small result."""
        ...

    def load(self, container: bytes, targets: Sequence[Target]) -> None:
        """Insert the container's rows into the targets, one after the other; returns when all of them are
        there."""
        ...

    def close(self) -> None:
        """Let the engine go."""
        ...


class _Client:
    """Statements through clickhouse-connect, whichever interface it uses."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def command(self, statement: str) -> None:
        """See `Engine`."""
        _translated(lambda: self._client.command(statement))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Engine`."""
        result: list[tuple[Any, ...]] = _translated(
            lambda: list(map(tuple, self._client.query(query).result_rows))
        )
        return result

    def close(self) -> None:
        """See `Engine`."""
        self._client.close()


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except ClickHouseError as error:
        raise store_error(error) from None  # the engine's own words may hold values
    except OSError as error:
        raise StoreUnavailableError(
            f"the store cannot be written to: {error.strerror}; free disk space"
        ) from error


class EmbeddedEngine(_Client):
    """The engine in this process.

    ``inserts`` is a handle of the engine (`chdb.connect`) for the rows alone, ``incoming`` a folder of its own on the
    store's disk, ``intact`` looks at what the engine makes of the rows.
    """

    def __init__(self, client: Any, inserts: Any, incoming: Path, intact: Intact) -> None:
        super().__init__(client)
        self._inserts = inserts
        self._file = incoming / "batch.avro"
        self._intact = intact
        for name, value in WRITER_SETTINGS.items():
            self._inserts.query(f"SET {name} = {value}")

    def load(self, container: bytes, targets: Sequence[Target]) -> None:
        """See `Engine`. One thread at a time: there is one file.

        Raises StoreError when files can be written and a part without content is in force: the store must be opened
        anew.
        """
        self._probe(container)
        if self._intact.hollow:
            raise self._wants_opening()
        for target in targets:
            try:
                with self._inserts.send_insert(target.insert, "Avro") as rows:
                    rows.append(container)
                    rows.finish()
            except RuntimeError as error:
                raise engine_error(str(error)) from None  # the engine's own words may hold values
            if self._intact.check([target.table]):
                raise StoreUnavailableError(
                    f"rows of {target.table} were not written; see the disk's space, quota and health"
                )

    def _probe(self, content: bytes) -> None:
        """Write as much as the rows will take. Raises StoreUnavailableError when the disk does not have it.

        The engine itself does not notice a write that fails: it answers that the rows are there, with empty files
        (docs/decisions/0019-live-batches.md).
        """

        def run() -> None:
            try:
                with open(os.open(self._file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                    file.write(content)
            finally:
                self._file.unlink(missing_ok=True)

        _translated(run)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Engine`. What a part without content spoils is no error of the query's: raises as `load` does."""
        try:
            return super().rows(query)
        except StoreError:
            if not self._intact.hollow:
                raise
        self._probe(b"\0")
        raise self._wants_opening()

    def _wants_opening(self) -> StoreError:
        hollow = self._intact.hollow
        table, part = hollow[0]
        return StoreError(
            f"{len(hollow)} parts were put in force without content, the first is {part} of {table}; the store must be"
            " opened anew, which takes what they were made from"
        )

    def close(self) -> None:
        """See `Engine`."""
        self._inserts.close()
        super().close()


class ServerEngine(_Client):
    """A ClickHouse server over HTTP. The client sends an insert again by itself after a reset connection."""

    def load(self, container: bytes, targets: Sequence[Target]) -> None:
        """See `Engine`."""

        def run() -> None:
            for target in targets:
                self._client.command(f"{target.insert} FORMAT Avro", data=container)

        _translated(run)


def connect_server(url: str) -> ServerEngine:
    """Return the engine behind ``http[s]://[user:password@]host:port``. Raises StoreUnavailableError,
    StoreError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StoreError("RENKOU_CLICKHOUSE is not an http:// or https:// address; mend the setting")
    try:
        client = clickhouse_connect.get_client(
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=parts.username,
            password=parts.password or "",
            secure=parts.scheme == "https",
            settings=WRITER_SETTINGS | {"wait_end_of_query": 1},
            send_receive_timeout=CALL_SECONDS,
            autogenerate_session_id=False,
        )
    except ClickHouseError as error:
        raise store_error(error, f"ClickHouse at {parts.hostname}:{parts.port}") from None
    return ServerEngine(client)
