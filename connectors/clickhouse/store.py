"""A store that is open: its writer, and on one machine the way in for readers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from connectors.clickhouse.embedded import EmbeddedStore
from connectors.clickhouse.engine import Engine, connect_server
from connectors.clickhouse.http import router
from connectors.clickhouse.migrate import migrate
from connectors.clickhouse.readers import Readers
from connectors.clickhouse.schema import FeedTable, store_schema
from connectors.clickhouse.writer import Writer


class Store:
    """What `open_store` gives. ``changes`` says what the migration changed, a sentence each.

    ``router`` has ClickHouse's HTTP interface for the embedded store; a server has its own, and then it is
    empty.
    """

    def __init__(
        self, engine: Engine, readers: Readers | None, writer: Writer, changes: Sequence[str]
    ) -> None:
        self.writer = writer
        self.readers = readers
        self.changes = tuple(changes)
        self.router = APIRouter() if readers is None else router(readers)
        self._engine = engine

    def close(self) -> None:
        """Close every handle. The writer must not be writing."""
        if self.readers is not None:
            self.readers.close()
        self._engine.close()


def open_store(path: Path, url: str, feeds: Sequence[FeedTable]) -> Store:
    """Open the store, bring it to the schema of ``feeds`` and return it. Blocks for up to some seconds.

    ``url`` is a ClickHouse server's (``http://user:password@host:8123``); when it is empty the engine in this
    process opens ``path``, which is made if missing. Raises StoreError and StoreUnavailableError.
    """
    schema = store_schema(feeds)
    embedded = EmbeddedStore(path)
    if url:
        engine: Engine = connect_server(url)
    else:
        embedded.prepare()
        engine = embedded.open()
    readers: Readers | None = None
    try:
        changes = migrate(engine, schema)
        if not url:
            readers = Readers(embedded)
        return Store(engine, readers, Writer(engine, feeds), changes)
    except BaseException:
        if readers is not None:
            readers.close()
        engine.close()
        raise
