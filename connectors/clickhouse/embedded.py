"""The embedded ClickHouse: one folder, opened by one process.

``DIR/store`` holds ``engine/`` (ClickHouse's own files), ``incoming/`` (a copy of what is being written),
``config.xml``, ``config.d/`` (the operator's own settings, which go before it) and ``ballast``. All of it is personal
data and readable by its owner only.

The process must not fork after the engine is open: a child hangs at its first query. It may spawn.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import chdb
import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from connectors.clickhouse.engine import WRITER_SETTINGS, EmbeddedEngine
from connectors.clickhouse.errors import store_error
from connectors.clickhouse.intact import Intact
from connectors.errors import StoreError, StoreUnavailableError

BALLAST_BYTES: Final = 64 << 20
"""On a full disk even dropping a partition needs room; deleting this file gives it."""

MEMORY_BYTES: Final = 2 << 30
"""What the engine may take before it refuses a query (code 241); the process itself has about 300 MB beside
it."""

_CONFIG: Final = """<clickhouse>
  <timezone>UTC</timezone>
  <logger><level>none</level></logger>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <backups><allowed_path>{backups}</allowed_path></backups>
</clickhouse>
"""

_OTHER_PATH: Final = "already initialized with path"


class EmbeddedStore:
    """The folder of an embedded store, and the way into it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.engine_path = self.path / "engine"
        self.incoming = self.path / "incoming"
        self.config = self.path / "config.xml"
        self.ballast = self.path / "ballast"
        self.intact = Intact()
        """What is found of parts without content while the store is open."""
        self._lock: int | None = None

    @property
    def exists(self) -> bool:
        """Whether a store was made here."""
        return (self.engine_path / "store").is_dir()

    @property
    def address(self) -> str:
        """What a handle of the engine is opened with; all handles of a process must have the same."""
        return f"{self.engine_path}?config-file={self.config}"

    def acquire(self, memory_bytes: int = MEMORY_BYTES) -> None:
        """Make the folder if it is missing, and this process its owner until `release`, or until it dies.

        Raises StoreError: another process owns it, or the folder cannot be written.
        """
        if any(character in str(self.path) for character in "?&#%"):
            raise StoreError(
                f"{self.path}: the engine cannot open a path with ? & # or %; choose another --data"
            )
        try:
            own = (self.engine_path, self.incoming, self.path / "backups", self.path / "config.d")
            for folder in (self.path, *own):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._locked()
            text = _CONFIG.format(memory=memory_bytes, backups=escape(str(self.path / "backups")))
            temporary = self.config.with_suffix(".tmp")
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self.config)
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}; make the folder writable or choose another --data"
            ) from error

    def release(self) -> None:
        """Let another process own the folder. The engine must be closed."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _locked(self) -> int:
        # The engine has a lock of its own, but says on standard error only that it is taken.
        lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode()
            os.close(lock)
            raise StoreError(
                f"{self.path}: process {holder} has the store open; stop it (renkou down), or let renkou sql ask it"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return lock

    def open(self) -> EmbeddedEngine:
        """Open the engine for the writer. Blocks for up to some seconds. Raises StoreError,
        StoreUnavailableError."""
        engine = self._engine(self.incoming)
        try:
            # What a killed owner left behind: rows that are written again.
            for leftover in self.incoming.rglob("*.avro"):
                leftover.unlink()
            self._keep_ballast()
            self.intact.begin(engine.rows)
        except BaseException:
            engine.close()
            raise
        return engine

    def open_side(self) -> EmbeddedEngine:
        """Open handles beside the writer's, for upkeep: one handle runs one statement at a time. Raises as `open`."""
        folder = self.incoming / "side"
        folder.mkdir(mode=0o700, exist_ok=True)
        return self._engine(folder)

    def _engine(self, incoming: Path) -> EmbeddedEngine:
        client = self._client()
        try:
            return EmbeddedEngine(client, chdb.connect(self.address), incoming, self.intact)
        except RuntimeError as error:
            client.close()
            raise opening_error(error, self.path) from None

    def _client(self) -> Any:
        try:
            return clickhouse_connect.get_client(
                interface="chdb",
                path=str(self.engine_path),
                chdb_options={"config-file": str(self.config)},
                settings=WRITER_SETTINGS,
            )
        except ClickHouseError as error:
            raise opening_error(error, self.path) from None

    def free_ballast(self) -> int:
        """Delete the ballast and return its size in bytes; the next start makes a new one."""
        try:
            size = self.ballast.stat().st_size
            self.ballast.unlink()
        except FileNotFoundError:
            return 0
        return size

    def _keep_ballast(self) -> None:
        if self.ballast.exists():
            return
        temporary = self.ballast.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            os.replace(temporary, self.ballast)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreUnavailableError(
                f"{self.path}: no room for the ballast of {BALLAST_BYTES >> 20} MB"
                f" ({error.strerror}); free disk space"
            ) from error


def opening_error(error: Exception, path: Path) -> Exception:
    """Return our error for what the engine says when it cannot be opened."""
    text = str(error)
    if _OTHER_PATH in text:
        return StoreError(f"{path}: this process has another store open, and can have one; close that first")
    if isinstance(error, ClickHouseError) and error.code is not None:
        return store_error(error, f"{path}: the engine")
    return StoreError(
        f"{path}: the engine cannot be opened ({type(error).__name__}); see that the folder is whole"
    )
