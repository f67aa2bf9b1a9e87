"""Readers of the embedded engine: a few handles, each for one query at a time, none of which can write.

A handle serves one query, and a writer's insert would wait behind it: readers have their own. The GIL is
released while the engine works, so readers belong in threads.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

import chdb

from connectors.clickhouse import sql
from connectors.clickhouse.embedded import EmbeddedStore, opening_error
from connectors.clickhouse.guard import RefusedError, Statement, check
from connectors.clickhouse.tables import DATABASE
from connectors.clickhouse.wire import QUERY_SECONDS, QueryError

READERS: Final = 3
"""Handles: one slow query and two quick ones; more would only share the same cores."""

WAIT_SECONDS: Final = 30.0
"""How long a query waits for a free handle."""

REMEMBERED: Final = 200
"""Queries whose check a handle remembers."""

REMEMBERED_LENGTH: Final = 4096
"""Characters of a text that is remembered, at most."""

TOO_MANY_QUERIES: Final = 202
"""ClickHouse's code for it."""

STREAMED: Final = frozenset({"native", "tabseparated", "tsv", "csv", "rowbinary", "jsoneachrow"})
"""Formats whose blocks can be written one after the other: neither header nor footer."""

UNKNOWN_SETTING: Final = 115
"""ClickHouse's code for it."""

_TIME_LIMIT: Final = f"SET max_execution_time = {QUERY_SECONDS}"
_SETTING: Final = re.compile(r"[a-z][a-z0-9_]*")


class _Reader:
    """One handle."""

    def __init__(self, address: str) -> None:
        self._connection = chdb.connect(address)
        self._table_functions: frozenset[str] = frozenset()
        self._settings: list[str] = []
        self._checked: dict[str, Statement] = {}
        for statement in (f"USE {DATABASE}", _TIME_LIMIT, "SET readonly = 2"):
            self._connection.query(statement, "TabSeparated")

    def statement(self, query: str) -> Statement:
        """Return the query as it may be run. Raises QueryError, RefusedError.

        A page or a program asks the same with other parameters: what was checked is remembered.
        """
        known = self._checked.get(query)
        if known is None:
            known = self._check(query)
            if len(query) <= REMEMBERED_LENGTH:
                if len(self._checked) >= REMEMBERED:
                    self._checked.clear()
                self._checked[query] = known
        return known

    def _check(self, query: str) -> Statement:
        if not self._table_functions:
            names = self.run("SELECT lower(name) FROM system.table_functions FORMAT TSV").decode().split()
            self._table_functions = frozenset(names)
        normalized = self.run(f"SELECT formatQuerySingleLine({sql.text(query)}) FORMAT RawBLOB").decode()
        return check(normalized, self._table_functions.__contains__)

    def apply(self, settings: Mapping[str, str]) -> None:
        """Let settings hold until `restore`. Raises QueryError for one that the engine does not have."""
        for name, value in settings.items():
            if not _SETTING.fullmatch(name):
                raise QueryError(
                    f"Code: {UNKNOWN_SETTING}. DB::Exception: Unknown setting. (UNKNOWN_SETTING)"
                )
            self.run(f"SET {name} = {sql.text(value)}")
            self._settings.append(name)

    def restore(self) -> None:
        """Take the settings back."""
        if self._settings:
            while self._settings:
                self.run(f"SET {self._settings.pop()} = DEFAULT")
            self.run(_TIME_LIMIT)

    def run(self, text: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """Return the result of a statement that names its format. Raises QueryError."""
        try:
            data = self._connection.query(text, "TabSeparated", params=dict(parameters or {})).bytes()
        except RuntimeError as error:
            raise QueryError(str(error)) from None
        return data or b""

    def stream(self, text: str, output: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the result block by block. Raises QueryError, at the first block when nothing could be
        run."""
        try:
            stream = self._connection.send_query(text, output, params=dict(parameters))
        except RuntimeError as error:
            raise QueryError(str(error)) from None
        try:
            for block in stream:
                yield block.bytes()
        except RuntimeError as error:
            raise QueryError(str(error)) from None
        finally:
            stream.close()

    def close(self) -> None:
        """Let the handle go."""
        self._connection.close()


class Result:
    """A query's bytes, block by block, in ``format``. Holds a handle until it is read to its end or
    closed."""

    def __init__(self, pool: Readers, reader: Any, blocks: Iterator[bytes], output: str) -> None:
        self.format = output
        self._pool = pool
        self._reader = reader
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks
        finally:
            self.close()

    def close(self) -> None:
        """Give the handle back, ending the query if it still runs."""
        if self._reader is not None:
            close = getattr(self._blocks, "close", None)
            if close is not None:
                close()
            reader, self._reader = self._reader, None
            try:
                reader.restore()
            finally:
                self._pool.give_back(reader)

    def __enter__(self) -> Result:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()


class Readers:
    """The pool. Safe to use from any thread; the calls block."""

    def __init__(self, store: EmbeddedStore, count: int = READERS) -> None:
        """Open the handles; the database is there already. Raises StoreError, StoreUnavailableError."""
        self._free: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
        self._all: list[_Reader] = []
        try:
            for _ in range(count):
                reader = _Reader(store.address)
                self._all.append(reader)
                self._free.put(reader)
        except RuntimeError as error:
            self.close()
            raise opening_error(error, store.path) from None

    def query(
        self,
        query: str,
        *,
        default_format: str = "TabSeparated",
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a query and return its result; it is in ``default_format`` unless the query names a format.

        ``parameters`` are the values of ``{name:Type}`` in ClickHouse's escaped text form. ``settings`` hold
        for this query. Raises RefusedError and QueryError; an error in the middle of a long result comes
        while reading it.
        """
        try:
            reader = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise RefusedError("every reader is busy; try again", TOO_MANY_QUERIES) from None
        result = Result(self, reader, iter(()), default_format)
        try:
            statement = reader.statement(query)
            result.format = statement.format or default_format
            text = statement.text
            if not statement.format:
                text += f" FORMAT {_word(default_format)}"
            reader.apply(settings or {})
            if statement.selects and result.format.lower() in STREAMED:
                blocks = reader.stream(text, result.format, parameters or {})
                first = next(blocks, b"")  # what cannot be run is refused here, before anything is sent
                result._blocks = _chain(first, blocks)
            else:
                result._blocks = iter([reader.run(text, parameters)])
        except BaseException:
            result.close()
            raise
        return result

    def give_back(self, reader: _Reader) -> None:
        """Take a handle that nobody uses any more."""
        self._free.put(reader)

    def close(self) -> None:
        """Close all handles."""
        for reader in self._all:
            reader.close()
        self._all.clear()


def _chain(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield first
        yield from blocks
    finally:
        close = getattr(blocks, "close", None)
        if close is not None:
            close()


def _word(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise QueryError("Code: 73. DB::Exception: a format's name is letters and digits. (UNKNOWN_FORMAT)")
    return name
