"""A store that is open: its writer, and on one machine the way in for readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from fastapi import APIRouter

from connectors.clickhouse.embedded import EmbeddedStore
from connectors.clickhouse.engine import Engine, connect_server
from connectors.clickhouse.http import router
from connectors.clickhouse.intact import Intact
from connectors.clickhouse.migrate import migrate
from connectors.clickhouse.readers import Readers
from connectors.clickhouse.schema import FeedTable, store_schema
from connectors.clickhouse.upkeep import Upkeep
from connectors.clickhouse.writer import Writer


class Store:
    """What `open_store` gives. ``side`` is an engine beside the writer's, for whatever must not wait for it, and
    ``upkeep`` uses it: one thread for both. ``changes`` says what the migration changed, a sentence each.

    ``router`` has ClickHouse's HTTP interface for the embedded store; a server has its own, and then it is
    empty.
    """

    def __init__(
        self,
        writer: Writer,
        side: Engine,
        upkeep: Upkeep,
        readers: Readers | None,
        changes: Sequence[str],
        close: Callable[[], None],
    ) -> None:
        self.writer = writer
        self.side = side
        self.upkeep = upkeep
        self.readers = readers
        self.changes = tuple(changes)
        self.router = APIRouter() if readers is None else router(readers)
        self._close = close

    def close(self) -> None:
        """Write the frontiers that are held back, close every handle and let another process own the store.

        The writer must not be writing. Raises StoreError and StoreUnavailableError when the frontiers cannot be
        written; the store is closed nevertheless.
        """
        self._close()


def open_store(path: Path, url: str, feeds: Sequence[FeedTable]) -> Store:
    """Open the store, bring it to the schema of ``feeds`` and return it. Blocks for up to some seconds.

    ``url`` is a ClickHouse server's (``http://user:password@host:8123``); when it is empty the engine in this
    process opens ``path``, which is made if missing. Raises StoreError and StoreUnavailableError.
    """
    schema = store_schema(feeds)
    with ExitStack() as closing:
        engine: Engine
        readers: Readers | None = None
        intact: Intact | None = None
        if url:
            engine = connect_server(url)
            closing.callback(engine.close)
            side: Engine = connect_server(url)
            closing.callback(side.close)
            changes = migrate(engine, schema)
        else:
            embedded = EmbeddedStore(path)
            embedded.acquire()
            closing.callback(embedded.release)
            engine = embedded.open()
            closing.callback(engine.close)
            side = embedded.open_side()
            closing.callback(side.close)
            changes = migrate(engine, schema)
            intact = embedded.intact
            readers = Readers(embedded)
            closing.callback(readers.close)
        writer = Writer(engine, feeds)
        closing.callback(writer.flush)  # called first, and everything is closed even when it raises
        upkeep = Upkeep(side, None if url else path, intact=intact)
        return Store(writer, side, upkeep, readers, changes, closing.pop_all().close)
