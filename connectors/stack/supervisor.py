"""Keeps processes running: starts them in order, restarts whatever dies, stops them in reverse."""

from __future__ import annotations

import enum
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.errors import StackError
from connectors.stack import logs
from connectors.stack.process import ProcessSpec, send, spawn

TICK_SECONDS: Final = 0.05
"""How soon a death is noticed; looking costs one system call a process."""

HEALTH_SECONDS: Final = 0.1
"""Between two health checks of a starting process."""

CHECK_THREADS: Final = 8
"""A health check or a preparation may block; one thread for each process that starts at the same time."""

BACK_OFF_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Before the first, second … restart in a row; the last one repeats."""

STEADY_SECONDS: Final = 60.0
"""A process that was healthy that long starts again at the first back-off."""

LOG_SECONDS: Final = 5.0
"""Between two looks at the sizes of the logs."""


class State(enum.Enum):
    """Where a process is in its life."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a process's state. ``detail`` is for the operator: why it died, how long the start took."""

    at: float
    name: str
    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A process as it is now. ``failures`` counts since it was last healthy, ``starts`` from the first."""

    name: str
    state: State
    pid: int | None
    starts: int
    failures: int
    detail: str


@dataclass(slots=True)
class _Process:
    spec: ProcessSpec
    state: State = State.WAITING
    detail: str = ""
    prepared: bool = False
    work: Future[bool] | None = None
    popen: subprocess.Popen[bytes] | None = None
    starts: int = 0
    failures: int = 0
    strikes: int = 0
    since: float = field(default_factory=time.monotonic)
    next_check: float = 0.0
    killed: bool = False
    log_start: int = 0


class Supervisor:
    """Runs ``specs`` until ``stop``. One thread of its own starts every process: see ``process.spawn``.

    ``data`` holds ``logs/`` and ``run/``. ``on_event`` is called from that thread and must not block.
    """

    def __init__(
        self, data: Path, specs: Sequence[ProcessSpec], on_event: Callable[[Event], None] = lambda event: None
    ) -> None:
        self._logs = data / "logs"
        self._run = data / "run"
        self._on_event = on_event
        self._changed = threading.Condition()
        self._processes: dict[str, _Process] = {}
        self._stopping = False
        self._hurry = False
        self._crash: BaseException | None = None
        self._pool = ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="stack-check")
        self._thread = threading.Thread(target=self._main, name="stack-supervisor", daemon=True)
        self._next_log_check = 0.0
        self.add(specs)

    def start(self) -> None:
        """Begin to start processes; returns at once."""
        for folder in (self._logs, self._run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread.start()

    def add(self, specs: Iterable[ProcessSpec]) -> None:
        """Supervise more processes; they may depend on earlier ones. Raises StackError for an impossible
        list."""
        with self._changed:
            for spec in specs:
                if spec.name in self._processes:
                    raise StackError(f"two processes are called {spec.name}; rename one")
                unknown = [name for name in spec.depends_on if name not in self._processes]
                if unknown:
                    raise StackError(
                        f"{spec.name} depends on {unknown[0]}, which is not listed before it; reorder them"
                    )
                self._processes[spec.name] = _Process(spec)

    def status(self) -> tuple[Status, ...]:
        """Return every process as it is now, in the order in which they were added."""
        with self._changed:
            return tuple(self._status(process) for process in self._processes.values())

    def wait_ready(self, names: Iterable[str], attempts: int = 2) -> None:
        """Block until all of ``names`` are healthy.

        Raises StackError with the reason when one of them failed ``attempts`` times before it became healthy,
        or when the supervisor is stopped. The supervisor goes on in any case: what to do about it is the
        caller's decision.
        """
        wanted = tuple(names)
        with self._changed:
            while True:
                if self._crash is not None:
                    raise StackError("the supervisor itself failed; see logs/supervisor.log") from self._crash
                if self._stopping:
                    raise StackError("stopped before everything was ready; start again")
                if all(self._processes[name].state is State.READY for name in wanted):
                    return
                for name in wanted:
                    if self._processes[name].failures >= attempts:
                        raise StackError(self._processes[name].detail)
                self._changed.wait(1.0)

    def stop(self, hurry: bool = False) -> None:
        """Stop all processes, those that depend on others first, and wait for it. ``hurry`` kills them
        instead.

        Takes at worst the sum of ``stop_seconds`` along the longest chain of dependencies. May be called
        again, also from another thread, to hurry.
        """
        with self._changed:
            self._stopping = True
            self._hurry = self._hurry or hurry
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def hurry(self) -> None:
        """Turn a stop that is under way into a kill; returns at once."""
        with self._changed:
            self._hurry = True

    def _main(self) -> None:
        try:
            while True:
                with self._changed:
                    if self._stopping and all(
                        process.state is State.STOPPED for process in self._processes.values()
                    ):
                        return
                    for process in list(self._processes.values()):
                        self._advance(process)
                    self._bound_logs()
                    self._changed.wait(TICK_SECONDS)
        except BaseException as error:
            # The kernel ends the processes with this thread; whoever waits must learn of it.
            with self._changed:
                self._crash = error
                self._changed.notify_all()
            raise

    def _advance(self, process: _Process) -> None:
        if self._stopping and process.state not in (State.STOPPING, State.STOPPED):
            self._begin_stop(process)
        match process.state:
            case State.WAITING:
                if all(self._processes[name].state is State.READY for name in process.spec.depends_on):
                    self._begin_start(process)
            case State.PREPARING:
                self._check_prepared(process)
            case State.STARTING:
                self._check_health(process)
            case State.READY:
                self._check_alive(process)
            case State.BACKING_OFF:
                if time.monotonic() >= process.next_check:
                    self._enter(process, State.WAITING)
            case State.STOPPING:
                self._check_stopped(process)
            case State.STOPPED:
                pass

    def _begin_start(self, process: _Process) -> None:
        if not process.prepared:
            process.work = self._pool.submit(_prepare, process.spec)
            self._enter(process, State.PREPARING)
            return
        log = self._log(process)
        process.log_start = logs.size(log)
        process.killed = False
        process.starts += 1
        try:
            process.popen = spawn(process.spec, self._run / f"{process.spec.name}.pid", log)
        except (StackError, OSError) as error:
            self._failed(process, str(error))
            return
        process.work = None
        process.next_check = 0.0
        self._enter(process, State.STARTING)

    def _check_prepared(self, process: _Process) -> None:
        work = process.work
        if work is None or not work.done():
            return
        process.work = None
        error = work.exception()
        if error is None:
            process.prepared = True
            self._begin_start(process)
        elif isinstance(error, (StackError, OSError)):
            self._failed(process, f"{process.spec.name}: {error}")
        else:
            raise error

    def _check_health(self, process: _Process) -> None:
        if not self._check_alive(process):
            return
        now = time.monotonic()
        if process.work is not None and process.work.done():
            healthy = process.work.exception() is None and process.work.result()
            process.work = None
            if healthy:
                process.failures = 0
                self._enter(process, State.READY, f"after {now - process.since:.1f} s")
                return
        if process.work is None and now >= process.next_check:
            process.next_check = now + HEALTH_SECONDS
            process.work = self._pool.submit(process.spec.health)
        if now - process.since > process.spec.start_seconds and not process.killed:
            process.killed = True
            send(self._pid(process), signal.SIGKILL)

    def _check_alive(self, process: _Process) -> bool:
        """Notice the end of a process; return whether it lives."""
        assert process.popen is not None
        code = process.popen.poll()
        if code is None:
            return True
        # Whatever it had started itself must not be in the way of its successor.
        send(process.popen.pid, signal.SIGKILL, group=True)
        log = self._log(process)
        if process.killed:
            reason = f"did not become healthy within {process.spec.start_seconds:.0f} s"
        else:
            reason = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        known = logs.cause(log, process.log_start)
        if process.state is State.READY and time.monotonic() - process.since >= STEADY_SECONDS:
            process.strikes = 0
        self._failed(process, f"{process.spec.name} {reason}: {known or 'the reason is in its log'} ({log})")
        return False

    def _failed(self, process: _Process, detail: str) -> None:
        delay = BACK_OFF_SECONDS[min(process.strikes, len(BACK_OFF_SECONDS) - 1)]
        process.failures += 1
        process.strikes += 1
        process.popen = None
        process.work = None
        process.next_check = time.monotonic() + delay
        self._enter(process, State.BACKING_OFF, detail)

    def _begin_stop(self, process: _Process) -> None:
        if process.popen is None:
            if process.work is not None and not process.work.done():
                return  # a preparation cannot be interrupted; it is short
            self._enter(process, State.STOPPED)
            return
        dependents = (
            other for other in self._processes.values() if process.spec.name in other.spec.depends_on
        )
        if not self._hurry and any(other.state is not State.STOPPED for other in dependents):
            return
        send(self._pid(process), signal.SIGKILL if self._hurry else process.spec.stop_signal)
        process.killed = self._hurry
        self._enter(process, State.STOPPING)

    def _check_stopped(self, process: _Process) -> None:
        assert process.popen is not None
        if process.popen.poll() is not None:
            send(process.popen.pid, signal.SIGKILL, group=True)
            (self._run / f"{process.spec.name}.pid").unlink(missing_ok=True)
            detail = "killed" if process.killed else ""
            process.popen = None
            self._enter(process, State.STOPPED, detail)
        elif not process.killed and (
            self._hurry or time.monotonic() - process.since > process.spec.stop_seconds
        ):
            process.killed = True
            send(self._pid(process), signal.SIGKILL)

    def _enter(self, process: _Process, state: State, detail: str = "") -> None:
        process.state = state
        process.detail = detail
        process.since = time.monotonic()
        self._changed.notify_all()
        self._on_event(Event(time.time(), process.spec.name, state, detail))

    def _bound_logs(self) -> None:
        if time.monotonic() >= self._next_log_check:
            self._next_log_check = time.monotonic() + LOG_SECONDS
            for process in self._processes.values():
                logs.bound(self._log(process))

    def _log(self, process: _Process) -> Path:
        return self._logs / f"{process.spec.name}.log"

    def _pid(self, process: _Process) -> int:
        assert process.popen is not None
        return process.popen.pid

    def _status(self, process: _Process) -> Status:
        pid = process.popen.pid if process.popen is not None else None
        return Status(process.spec.name, process.state, pid, process.starts, process.failures, process.detail)


def _prepare(spec: ProcessSpec) -> bool:
    spec.prepare()
    return True
