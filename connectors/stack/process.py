"""One process of the stack: what it is, how it is started, recognised and ended."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.errors import StackError
from connectors.stack import launch

POLL_SECONDS: Final = 0.05


def _nothing() -> None:
    """The default preparation."""


GIVES_WAY: Final = 5
"""Niceness of everything before the last stage: with two busy cores what is furthest along goes first, and what comes
in waits where it lies safe. A third of the processor's time beside one of niceness 0."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What the supervisor must know of a process.

    ``health`` answers within a few seconds whether the process can be used; an exception counts as no.
    ``prepare`` runs before the first start of each supervisor, when the dependencies are ready, and may block
    (initdb). ``env`` is added to the supervisor's environment. ``user`` is an account, None for the
    supervisor's own. ``death_signal`` is sent by the kernel when the supervisor is killed. ``start_seconds``
    is how long it may take to become healthy, and ``stop_seconds`` how long it has after ``stop_signal``
    before it is killed. ``niceness`` is added to the supervisor's own.
    """

    name: str
    argv: tuple[str, ...]
    health: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    start_seconds: float = 120.0
    stop_seconds: float = 20.0
    niceness: int = GIVES_WAY


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, also after its id was given to another."""

    pid: int
    start_time: int
    boot_id: str

    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return (
            fields[0] not in (b"Z", b"X")
            and int(fields[19]) == self.start_time
            and launch.boot_id() == self.boot_id
        )


def read_identity(pid_file: Path) -> Identity | None:
    """Return what ``launch`` wrote, None when the file is absent or not its."""
    try:
        pid, start_time, boot_id = pid_file.read_text(encoding="ascii").split()
        return Identity(int(pid), int(start_time), boot_id)
    except (FileNotFoundError, ValueError):
        return None


def spawn(spec: ProcessSpec, pid_file: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start ``spec`` in a session of its own, its output appended to ``log``.

    Call it from a thread that lives as long as the supervisor: the kernel ends the process with that
    *thread*.
    """
    account = pwd.getpwnam(spec.user) if spec.user is not None else None
    uid, gid = (account.pw_uid, account.pw_gid) if account else (os.getuid(), os.getgid())
    argv = [
        sys.executable, "-I", "-S", launch.__file__,
        str(os.getpid()), str(pid_file), str(int(spec.death_signal)), str(uid), str(gid),
        str(spec.niceness), *spec.argv,
    ]  # fmt: skip
    # Appending lets the supervisor cut the file while it is written to.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env={**os.environ, **spec.env},
            cwd=spec.cwd,
            # Ctrl-C in the terminal reaches the supervisor only, which stops them in order
            start_new_session=True,
        )
    except OSError as error:
        raise StackError(f"cannot start {spec.name}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def send(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    """Send a signal to a process, or to its group; nothing happens when it is gone."""
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return


def end_leftovers(folder: Path, patience: float = 10.0) -> tuple[str, ...]:
    """End the processes that an earlier supervisor left, by the identities in ``folder``; return their names.

    Normally the kernel has ended them already; a PostgreSQL that is just writing its last block needs a
    moment. Raises StackError when one of them cannot be ended.
    """
    left = {
        path: identity
        for path in sorted(folder.glob("*.pid"))
        if (identity := read_identity(path)) and identity.alive()
    }
    steps = ((signal.SIGTERM, patience), (signal.SIGQUIT, patience / 2), (signal.SIGKILL, patience / 2))
    for number, seconds in steps:
        for identity in left.values():
            if identity.alive():
                try:
                    send(identity.pid, number)
                except PermissionError as error:
                    raise StackError(
                        f"process {identity.pid} of an earlier start belongs to another user; end it "
                        f"and start again"
                    ) from error
        deadline = time.monotonic() + seconds
        while any(identity.alive() for identity in left.values()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    for path, identity in left.items():
        if identity.alive():
            raise StackError(
                f"process {identity.pid} of an earlier start ({path.stem}) does not end; end it and "
                f"start again"
            )
    for path in folder.glob("*.pid"):
        path.unlink(missing_ok=True)
    return tuple(path.stem for path in left)
