"""The linker that survives a crash: an engine whose entries are logged before they are applied.

In its folder: ``lock``; ``snapshot-N`` the state at some offset; ``log-N`` what was taken in since. A new
pair is made log first, snapshot second, both under temporary names and renamed when durable, and only then
the old pair goes. Of a large state a copy of the process writes the snapshot (fork), while this one goes on in the new
log: until it is there, or if it never is, recovery reads one log more. Recovery is the newest snapshot, then its log
and those behind it through the same engine; what that puts out again is what was put out before, to the byte.

Everything blocks: for the disk, and for the processor. Not for use by two threads at once.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from linkage import frames
from linkage.engine import Engine, LogEntry
from linkage.errors import LinkerClosedError, OffsetError, StateLockedError, StateWriteError
from linkage.ids import KnownIds
from linkage.log import AuthorityChange, WriteAheadLog, batch_of, damaged, entries_of, read_frames
from linkage.outputs import Output
from linkage.prepare import prepare
from linkage.snapshot import preamble, read_preamble, read_state, write_state
from linkage.state import Authority, LinkState, check_authority
from linkage.values import Values

SNAPSHOT_ENTRIES: Final = 100_000
"""Log entries after which a snapshot is due. Replaying 130,000 took 18 s on a busy machine with two cores, so this
leaves room for reading the snapshot within the 30 s of a recovery."""

SNAPSHOT_SHARE: Final = 4
"""A state of more mentions than that many times `SNAPSHOT_ENTRIES` waits for one entry to this many mentions: a
snapshot costs what the whole state does, and must not cost more than what it saves."""

FORK_MENTIONS: Final = 200_000
"""A state of so many mentions is written by a copy of the process: two seconds, in which nothing would be linked."""

SNAPSHOT_BYTES: Final = 256 << 20
"""Size of the log after which a snapshot is due, whatever the number of entries: it is read into memory."""

_log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"(log|snapshot)-(\d{8})")
_TEMPORARY: Final = ".new"


class DurableLinker:
    """An `Engine` with its state in a folder. Open it, apply and publish, checkpoint, close it.

    ``epoch`` stands in the versions of all outputs and is raised when the state is built anew; ``authority``
    is described in `linkage.state`. When the authority differs from the stored one, it counts from now on,
    and the next entry applied puts out all golden records that differ by it.
    """

    def __init__(
        self,
        folder: Path,
        epoch: int,
        authority: Authority,
        *,
        known: Callable[[], KnownIds | None] = lambda: None,
        snapshot_entries: int = SNAPSHOT_ENTRIES,
        snapshot_bytes: int = SNAPSHOT_BYTES,
        fork_mentions: int = FORK_MENTIONS,
    ) -> None:
        """Touch nothing yet. ``known`` is asked for the ids of a state before this one when there is none here.

        Raises AuthorityError.
        """
        check_authority(authority)
        self._known = known
        self.folder = folder
        self.epoch = epoch
        self._authority = {element: tuple(feeds) for element, feeds in authority.items()}
        self._snapshot_entries = snapshot_entries
        self._snapshot_bytes = snapshot_bytes
        self._fork_mentions = fork_mentions
        self._writer: int | None = None
        self._engine: Engine | None = None
        self._values: Values | None = None
        self._log: WriteAheadLog | None = None
        self._lock: int | None = None
        self._number = 0
        self._entries = 0
        self._published = 0
        self._unpublished: list[Output] = []
        self._failed = False

    @property
    def engine(self) -> Engine:
        """The engine, for reading. Raises LinkerClosedError."""
        if self._engine is None:
            raise LinkerClosedError("the linker is not open; open it first")
        return self._engine

    @property
    def offset(self) -> int:
        """The offset of the log entry wanted next. Raises LinkerClosedError."""
        return self.engine.state.offset

    @property
    def unpublished(self) -> Sequence[Output]:
        """All outputs since the last checkpoint, for a caller whose publication failed and who tries it
        again."""
        return self._unpublished

    def open(self) -> list[Output]:
        """Recover the state; return the outputs since the last checkpoint, to be published again.

        Raises StateLockedError, StateDamagedError, StateIncompatibleError, StateWriteError, AuthorityError.
        """
        if self._engine is not None:
            raise LinkerClosedError("the linker is open already; close it first")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            self._values = Values(self.folder)
            recovered = self._recover()
            prepare()
        except OSError as error:
            self.close()
            raise StateWriteError(
                f"{self.folder}: the linker's state cannot be opened: {error.strerror}; "
                "mend the folder or make room, then start link again"
            ) from error
        except BaseException:
            self.close()
            raise
        return recovered

    def apply(self, entries: Sequence[LogEntry]) -> list[Output]:
        """Make the entries durable, apply them, and return what follows. Entries below `offset` are
        redeliveries and skipped.

        Raises OffsetError when the entries are not in order, and StateWriteError when the disk does not take
        them: nothing was applied then, and the call may be repeated. After any other error the linker must be
        opened anew.
        """
        engine, log = self._usable()
        fresh = [entry for entry in entries if entry.offset >= engine.state.offset]
        engine.check_order(fresh)
        if not fresh:
            return []
        frame = batch_of(self._published, fresh)
        self._make_room()
        try:
            log.append(frame)
            outputs = engine.apply(fresh)
        except StateWriteError:
            raise
        except BaseException:
            self._failed = True
            raise
        self._entries += len(fresh)
        self._unpublished += outputs
        return outputs

    def checkpoint(self) -> None:
        """Note that all outputs so far are durable elsewhere; make a snapshot when one is due.

        The note is durable with the next batch: a crash before that republishes too much, never too little.
        Raises StateWriteError when a snapshot cannot be written; the linker goes on without it.
        """
        engine, log = self._usable()
        self._published = engine.state.offset
        self._unpublished = []
        if self._writer is not None:
            self._await_writer(os.WNOHANG)
            return
        due = max(self._snapshot_entries, engine.mention_count // SNAPSHOT_SHARE)
        if self._entries >= due or log.size >= self._snapshot_bytes:
            if engine.mention_count < self._fork_mentions:
                self.snapshot()
            else:
                self._fork()

    def snapshot(self) -> None:
        """Write the state and begin a new log. All outputs must have been published (`checkpoint`).

        Raises StateWriteError when the disk does not take it: the linker goes on with the old snapshot and
        log.
        """
        engine, _ = self._usable()
        if self._published != engine.state.offset:
            raise LinkerClosedError(
                "a snapshot would forget outputs that are not published; checkpoint first"
            )
        if self._writer is not None:
            self._await_writer(0)
        number = self._number + 1
        name = f"snapshot-{number:08}"
        try:
            log = self._write_log(number, engine.state.offset)
            try:
                self._rename_snapshot(self._write(name, write_state(engine.state, self.epoch)))
            except BaseException:
                log.close()
                (self.folder / f"log-{number:08}").unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StateWriteError(
                f"{self.folder}: a snapshot of the linker's state cannot be written: {error.strerror}; "
                "make room or mend the disk, then it is tried again"
            ) from error
        self._switch(log, number)
        self._clean(number)

    def _fork(self) -> None:
        """Begin a new log, and have a copy of the process write the state as it is now."""
        engine, _ = self._usable()
        assert self._values is not None
        number = self._number + 1
        try:
            log = self._write_log(number, engine.state.offset)
        except OSError as error:
            raise StateWriteError(
                f"{self.folder}: the linker's log cannot be begun anew: {error.strerror}; "
                "make room or mend the disk, then it is tried again"
            ) from error
        self._switch(log, number)
        self._values.hold()
        try:
            writer = os.fork()
        except OSError as error:
            self._values.release()
            _log.warning(
                "no process for a snapshot of the linker's state (%s): it is tried again", error.strerror
            )
            return
        if writer == 0:
            # Nothing here may return: this is a copy of everything that runs.
            code = 1
            try:
                # The lock and all connections are the linker's: they end with it, whatever becomes of the copy.
                os.closerange(3, os.sysconf("SC_OPEN_MAX"))
                gc.disable()
                self._rename_snapshot(
                    self._write(f"snapshot-{number:08}", write_state(engine.state, self.epoch))
                )
                code = 0
            finally:
                os._exit(code)
        self._writer = writer

    def _await_writer(self, options: int) -> None:
        """See whether the copy has written its snapshot. If it could not, the logs go on without it."""
        assert self._writer is not None
        assert self._values is not None
        writer, status = os.waitpid(self._writer, options)
        if writer == 0:
            return
        self._writer = None
        self._values.release()
        if status:
            _log.warning(
                "a snapshot of the linker's state could not be written: it is tried again; see the disk"
            )
        else:
            self._clean(self._number)

    def close(self) -> None:
        """Close the files and free the folder. What was applied and not published is put out by the next
        `open`."""
        if self._writer is not None:
            os.kill(self._writer, signal.SIGKILL)
            os.waitpid(self._writer, 0)
            self._writer = None
        if self._log is not None:
            self._log.close()
        if self._values is not None:
            self._values.close()
        if self._lock is not None:
            os.close(self._lock)
        self._engine = self._log = self._lock = self._values = None
        self._unpublished = []
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_room(self) -> None:
        assert self._values is not None
        try:
            self._values.make_room()
        except OSError as error:
            raise StateWriteError(
                f"{self.folder}: the disk has no room for what mentions say: {error.strerror}; "
                "make room or mend the disk, then it is tried again"
            ) from error

    def _usable(self) -> tuple[Engine, WriteAheadLog]:
        if self._failed:
            raise LinkerClosedError(
                "the linker failed in the middle of a batch; start link again, it recovers by itself"
            )
        if self._log is None:
            raise LinkerClosedError("the linker is not open; open it first")
        return self.engine, self._log

    def _take_lock(self) -> None:
        self._lock = frames.open_private(self.folder / "lock", os.O_RDWR)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateLockedError(
                f"{self.folder}: another process links with this state; stop it, or wait for its end"
            ) from None

    def _recover(self) -> list[Output]:
        numbers = self._numbers("snapshot")
        if not numbers:
            self._begin()
            return []
        self._number = snapshot = max(numbers)
        path = self.folder / f"snapshot-{self._number:08}"
        state = read_state(path, path.read_bytes(), self.epoch, self._values)
        self._published = state.offset
        self._entries = 0
        self._engine = Engine(self.epoch, state.authority, state)
        self._unpublished = self._replay(self._engine)
        while self._goes_on(self._engine.state.offset):
            # A snapshot was begun behind which the log goes on, and is not there. All before it was published.
            self._number += 1
            self._published = self._engine.state.offset
            self._unpublished = self._replay(self._engine)
        if state.authority != self._authority:
            self._usable()[1].append(AuthorityChange(self._authority))
            state.use_authority(self._authority)
        self._clean(snapshot)
        return list(self._unpublished)

    def _goes_on(self, offset: int) -> bool:
        """Say whether there is a log behind the one that ends at ``offset``. One that a snapshot's failure left empty
        is none. Raises StateDamagedError."""
        path = self.folder / f"log-{self._number + 1:08}"
        if not path.exists():
            return False
        data = path.read_bytes()
        size, first = read_preamble(path, data, "log", self.epoch)
        if first.offset == offset:
            return True
        if size < len(data):
            raise damaged(path)
        path.unlink()
        return False

    def _replay(self, engine: Engine) -> list[Output]:
        path = self.folder / f"log-{self._number:08}"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise damaged(path) from None
        size, first = read_preamble(path, data, "log", self.epoch)
        if first.offset != engine.state.offset:
            raise damaged(path)
        waiting: deque[tuple[int, list[Output]]] = deque()
        for end, frame in read_frames(path, data, size):
            size = end
            if isinstance(frame, AuthorityChange):
                engine.state.use_authority(frame.authority)
                continue
            try:
                outputs = engine.apply(entries_of(frame))
            except OffsetError as error:
                raise damaged(path) from error
            self._entries += len(frame.entries)
            self._published = max(self._published, frame.published)
            waiting.append((engine.state.offset, outputs))
            while waiting and waiting[0][0] <= self._published:
                waiting.popleft()
        self._log = WriteAheadLog(path, size)
        return [output for _, outputs in waiting for output in outputs]

    def _begin(self) -> None:
        """Write the first, empty pair. A log without a snapshot is left by a crash in here, unless it holds a
        batch."""
        for number in self._numbers("log"):
            path = self.folder / f"log-{number:08}"
            data = path.read_bytes()
            position, _ = read_preamble(path, data, "log", self.epoch)
            if position < len(data):
                raise damaged(path)
        state = LinkState(self._authority, values=self._values)
        known = self._known()
        if known is not None:
            state.take_over(known)
        log = self._write_log(0, state.offset)
        try:
            self._rename_snapshot(self._write("snapshot-00000000", write_state(state, self.epoch)))
        except BaseException:
            log.close()
            raise
        self._published = 0
        self._engine = Engine(self.epoch, self._authority, state)
        self._switch(log, 0)
        self._clean(0)

    def _write_log(self, number: int, offset: int) -> WriteAheadLog:
        first = preamble("log", self.epoch, offset)
        path = self._write(f"log-{number:08}", [first]).rename(self.folder / f"log-{number:08}")
        frames.sync_folder(self.folder)
        return WriteAheadLog(path, len(first))

    def _write(self, name: str, pieces: Iterable[bytes]) -> Path:
        """Write a durable file under a temporary name, and return that. Raises OSError, leaving nothing."""
        temporary = self.folder / (name + _TEMPORARY)
        descriptor = frames.open_private(temporary, os.O_RDWR | os.O_TRUNC)
        try:
            position = 0
            for piece in pieces:
                frames.write_all(descriptor, piece, position)
                position += len(piece)
            os.fsync(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return temporary

    def _rename_snapshot(self, temporary: Path) -> None:
        """Put the snapshot in force."""
        try:
            temporary.rename(temporary.with_suffix(""))
            frames.sync_folder(self.folder)
        except BaseException:
            # Which snapshot recovery would find is unknown now: nothing may be logged behind either.
            self._failed = True
            raise

    def _switch(self, log: WriteAheadLog, number: int) -> None:
        if self._log is not None:
            self._log.close()
        self._log = log
        self._number = number
        self._entries = 0

    def _numbers(self, kind: str) -> list[int]:
        names = [_NAME.fullmatch(name) for name in os.listdir(self.folder)]
        return [int(name[2]) for name in names if name is not None and name[1] == kind]

    def _clean(self, snapshot: int) -> None:
        """Remove what is older than the newest ``snapshot``, and what a crash left half written."""
        for name in os.listdir(self.folder):
            known = _NAME.fullmatch(name.removesuffix(_TEMPORARY))
            if known is not None and (name.endswith(_TEMPORARY) or int(known[2]) < snapshot):
                (self.folder / name).unlink(missing_ok=True)
