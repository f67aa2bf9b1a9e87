"""The stack of one machine on one data folder: what ``renkou demo``, ``renkou up`` and the tests start."""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

from connectors import connect as rest
from connectors import endpoints
from connectors.captured import SourceKind
from connectors.endpoints import Endpoints
from connectors.errors import ConnectorError, StackError
from connectors.stack import connect, jars, kafka, launch, mariadb, ports, postgresql, registry, secrets
from connectors.stack.process import Identity, ProcessSpec, end_leftovers, read_identity
from connectors.stack.supervisor import Event, State, Status, Supervisor

INFRASTRUCTURE: Final = ("postgresql", "mariadb", "kafka", "registry", "connect")
"""MariaDB only where the machine has it."""

HUB: Final = ("normalize", "link", "store")
"""The hub's own processes, whose HTTP ports are chosen here so that they are known before they start."""

PUSH: Final = "push"
"""The process that takes pushed changes: it runs where somebody may push."""

PORTS: Final = (
    "postgresql",
    "mariadb",
    "kafka",
    "kafka-controller",
    "registry",
    "registry-management",
    "connect",
    *HUB,
    PUSH,
)

LOCK_FILE: Final = "supervisor.lock"

FREE_BYTES: Final = 1024**3
"""Kafka, PostgreSQL and the store take about 600 MB before the first record."""

HEAL_SECONDS: Final = 3.0
"""Between two looks at the connectors' tasks: what a task loses by a failure that Debezium itself does not
retry."""

LOCK_ATTEMPTS: Final = 5
LOCK_SECONDS: Final = 0.05
"""Whoever looks for the owner holds the lock for a moment itself."""

LOG_BYTES: Final = 4 * 1024 * 1024

Progress = Callable[[Event], None]


class LocalStack:
    """Everything that is a server of its own in production. Use it as a context manager, or call ``stop``.

    1. ``start`` runs the infrastructure. 2. The caller prepares it (``ensure_databases``, topics, connectors)
    and 3. adds the hub's processes. 4. ``publish`` writes ``endpoints.json`` and keeps it true.
    """

    def __init__(self, data: Path, progress: Progress = lambda event: None) -> None:
        self.data = data.absolute()
        self.ports: dict[str, int] = {}
        self._progress = progress
        self._lock: int | None = None
        self._supervisor: Supervisor | None = None
        self._secrets: secrets.Secrets | None = None
        self._departments: dict[str, SourceKind] = {}
        self._published = False
        self._publishing = threading.Lock()  # the caller and the keeper write the same file
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._keeper: threading.Thread | None = None
        self._log = logging.Logger("renkou.stack")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the infrastructure and return when all of it is healthy.

        Raises StackError, with everything stopped again, when another hub runs on the folder, when something
        is missing on this machine, or when a part does not start. Blocks for about ten seconds, the first
        time twice that.
        """
        jars.require()
        self._open()
        try:
            self._start()
        except OSError as error:
            self.stop()
            raise StackError(
                f"{self.data}: {error.strerror}; fix it or choose another folder with --data"
            ) from error
        except BaseException:
            self.stop()
            raise

    def _open(self) -> None:
        try:
            # PostgreSQL's account must pass through it; everything inside is closed to others.
            self.data.mkdir(mode=0o711 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
            self._lock = acquire(self.data)
        except OSError as error:
            raise StackError(
                f"{self.data}: {error.strerror}; fix it or choose another folder with --data"
            ) from error

    def _start(self) -> None:
        (self.data / "logs").mkdir(mode=0o700, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            self.data / "logs" / "supervisor.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._log.addHandler(handler)
        free = shutil.disk_usage(self.data).free
        if free < FREE_BYTES:
            raise StackError(
                f"{self.data}: only {free // 1024**2} MB free, {FREE_BYTES // 1024**2} are needed; "
                f"free space or use --data"
            )
        for name in end_leftovers(self.data / "run"):
            self._log.warning("%s of an earlier start was still running: ended", name)
        self.ports = ports.allocate(self.data, PORTS)
        self._secrets = secrets.load(self.data)
        specs = self._specs(self._secrets)
        self._supervisor = Supervisor(self.data, specs, self._events.put)
        self._keeper = threading.Thread(target=self._keep, name="stack-keeper", daemon=True)
        self._keeper.start()
        self._supervisor.start()
        self._supervisor.wait_ready([spec.name for spec in specs])

    def _specs(self, known: secrets.Secrets) -> Sequence[ProcessSpec]:
        port = self.ports
        databases = [postgresql.spec(self.data, port["postgresql"], known.administrator)]
        if mariadb.server() is not None:
            databases.append(mariadb.spec(self.data, port["mariadb"], known.administrator))
        return (
            *databases,
            kafka.spec(self.data, port["kafka"], port["kafka-controller"]),
            registry.spec(self.data, port["registry"], port["registry-management"]),
            connect.spec(self.data, port["connect"], port["kafka"], known.capture),
        )

    @property
    def capture_password(self) -> str:
        """The password of the capture role. Known once started."""
        assert self._secrets is not None
        return self._secrets.capture

    def dsn(self, department: str, kind: SourceKind | None = None) -> str:
        """Return the administrator's address of a department's database.

        ``kind`` is what `ensure_databases` was told; a database that it was not told of is PostgreSQL's.
        """
        assert self._secrets is not None
        server = kind or self._departments.get(department, "postgresql")
        dsn_of = mariadb.dsn if server == "mariadb" else postgresql.dsn
        return dsn_of(self.ports[server], department, self._secrets.administrator)

    def ensure_databases(self, departments: Sequence[str], kind: SourceKind = "postgresql") -> None:
        """Create the departments' databases where they are missing; may be called for each kind. Raises StackError."""
        assert self._secrets is not None
        ensure = mariadb.ensure_databases if kind == "mariadb" else postgresql.ensure_databases
        if departments:
            ensure(self.ports[kind], self._secrets.administrator, departments)
        self._departments |= dict.fromkeys(departments, kind)

    def endpoints(self) -> Endpoints:
        """Return where everything listens now."""
        url = {name: f"http://{ports.HOST}:{self.ports[name]}" for name in HUB}
        running = {status.name: status.pid for status in self.status() if status.pid is not None}
        return Endpoints(
            sources={department: self.dsn(department) for department in self._departments},
            kafka=kafka.bootstrap(self.ports["kafka"]),
            connect=connect.url(self.ports["connect"]),
            registry=registry.url(self.ports["registry"]),
            clickhouse=url["store"],
            console=url["store"],
            link=url["link"],
            push=f"http://{ports.HOST}:{self.ports[PUSH]}" if PUSH in running else "",
            metrics={name: f"{url[name]}/metrics" for name in HUB},
            pids={"supervisor": os.getpid(), **running},
        )

    def status(self) -> tuple[Status, ...]:
        """Return every process as it is now; empty before the start."""
        return self._supervisor.status() if self._supervisor is not None else ()

    def begin(self, specs: Iterable[ProcessSpec]) -> tuple[str, ...]:
        """Begin to start further processes and return their names at once. Raises StackError.

        The addresses of Kafka, registry and Connect are in their environment, under the names of the settings.
        """
        assert self._supervisor is not None
        addresses = self.endpoints()
        environment = {
            "RENKOU_BROKER": addresses.kafka,
            "RENKOU_REGISTRY": addresses.registry,
            "RENKOU_CONNECT": addresses.connect,
        }
        added = tuple(replace(spec, env={**environment, **spec.env}) for spec in specs)
        self._supervisor.add(added)
        return tuple(spec.name for spec in added)

    def wait_ready(self, names: Iterable[str]) -> None:
        """Return when the processes are healthy. Raises StackError with the reason when one cannot start."""
        assert self._supervisor is not None
        self._supervisor.wait_ready(names)

    def add(self, specs: Iterable[ProcessSpec]) -> None:
        """Start further processes and return when they are healthy. Raises StackError."""
        self.wait_ready(self.begin(specs))

    def publish(self) -> None:
        """Write ``endpoints.json``, and again whenever a process was restarted."""
        with self._publishing:
            endpoints.save(self.data, self.endpoints())
            self._published = True

    def run_until_signal(self) -> None:
        """Block until SIGINT, SIGTERM or SIGHUP, then stop; a second one kills. Main thread only."""
        asked = threading.Event()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

        def on_signal(number: int, frame: FrameType | None) -> None:
            if asked.is_set():
                self.hurry()
            asked.set()

        before = {number: signal.signal(number, on_signal) for number in signals}
        try:
            asked.wait()
            self.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Stop everything in order and wait for it. May be called at any time, also twice."""
        if self._supervisor is not None:
            with self._publishing:
                self._published = False
                (self.data / endpoints.FILE_NAME).unlink(missing_ok=True)
            self._supervisor.stop()
        if self._keeper is not None:
            self._events.put(None)
            self._keeper.join()
            self._keeper = None
        for handler in list(self._log.handlers):
            handler.close()
            self._log.removeHandler(handler)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def hurry(self) -> None:
        """Turn a stop that is under way into a kill; returns at once."""
        if self._supervisor is not None:
            self._supervisor.hurry()

    def _keep(self) -> None:
        """Write events down, keep ``endpoints.json`` true, have Connect restart failed connectors."""
        next_heal = time.monotonic() + HEAL_SECONDS
        while True:
            try:
                event = self._events.get(timeout=max(0.0, next_heal - time.monotonic()))
                if event is None:
                    return
                self._record(event)
            except queue.Empty:
                next_heal = time.monotonic() + HEAL_SECONDS
                self._heal()

    def _record(self, event: Event) -> None:
        level = logging.WARNING if event.state is State.BACKING_OFF else logging.INFO
        self._log.log(level, "%s %s %s", event.name, event.state.value, event.detail)
        self._progress(event)
        if event.state is State.READY:
            self._republish()

    def _republish(self) -> None:
        with self._publishing:
            if not self._published:
                return
            try:
                endpoints.save(self.data, self.endpoints())
            except OSError as error:
                self._log.error(
                    "%s: %s; free space, it is written again at the next restart",
                    endpoints.FILE_NAME,
                    error.strerror,
                )

    def _heal(self) -> None:
        if any(status.name == "connect" and status.state is State.READY for status in self.status()):
            try:
                for task in rest.restart_failed(connect.url(self.ports["connect"])):
                    self._log.warning("connector %s had failed: restarted", task)
            except ConnectorError as error:
                self._log.warning("%s", error)


def lacks(kind: str) -> str:
    """Return why databases of this kind cannot be on this machine and what to do, "" when they can."""
    return mariadb.absent() if kind == "mariadb" else ""


def acquire(data: Path) -> int:
    """Take the lock of ``data``; return its file descriptor. Raises StackError when a hub runs there."""
    descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if attempt + 1 == LOCK_ATTEMPTS:
                os.close(descriptor)
                raise StackError(
                    f"a hub is already running on {data}; "
                    f"stop it with 'renkou down --data {data}' or choose another folder"
                ) from error
            time.sleep(LOCK_SECONDS)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, launch.identity().encode("ascii"), 0)
    return descriptor


def owner(data: Path) -> Identity | None:
    """Return the supervisor that runs on ``data``, None when none does."""
    while True:
        try:
            descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            found = read_identity(data / LOCK_FILE)
            if found is not None and found.alive():
                return found
            time.sleep(LOCK_SECONDS)  # it has taken the lock and not written who it is yet
        finally:
            os.close(descriptor)
