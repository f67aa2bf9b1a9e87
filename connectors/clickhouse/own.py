"""Reading a store that no process has open: it is opened for the while."""

from __future__ import annotations

from pathlib import Path

from connectors.clickhouse.access import STORE_FOLDER, Access, Local
from connectors.clickhouse.embedded import EmbeddedStore
from connectors.clickhouse.readers import Readers
from connectors.errors import StoreError


class _Own(Local):
    """A store opened for this."""

    def __init__(self, store: EmbeddedStore) -> None:
        store.acquire()
        self._store = store
        try:
            super().__init__(Readers(store, count=1))
        except BaseException:
            store.release()
            raise

    def close(self) -> None:
        self._readers.close()
        self._store.release()


def open_own(data: Path) -> Access:
    """Return a way to read the store of ``data``. Raises StoreError when there is none, or when it is held."""
    store = EmbeddedStore(data / STORE_FOLDER)
    if not store.exists:
        raise StoreError(
            f"{data}: there is no store; name its folder with --data, or make one: renkou up, renkou replay"
        )
    return _Own(store)
