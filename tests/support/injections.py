"""What can be done to a running hub from outside, each with its undoing."""

from __future__ import annotations

import contextlib
import itertools
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import psutil
import psycopg

from connectors.debezium import connector_name
from monitoring.status import State
from tests.support.model import Workload
from tests.support.running import RunningHub

KEEP = "160MB"
"""``max_slot_wal_keep_size`` while a slot grows: beyond half of it is an alarm."""
WAL_BLOCKS = 110
"""Times a megabyte of WAL that nobody captures."""
LOAD = 150.0
"""Transactions a second while a consumer is slow."""
SLOW = (0.1, 3.0)
"""Seconds that a slow consumer runs and stands in turn: shorter than its session in the group."""
KILL_EVERY = 0.5
GROWING = "grow slot"

Inject = Callable[[str], AbstractContextManager[None]]


class Injections:
    """By name, each with the state that is right: ``single`` hit the department they are given, ``common`` all."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        self._seeds = itertools.count(1)
        self.single: dict[str, tuple[Inject, State]] = {
            "pause connector": (self._paused, State.CONNECTOR_STALLED),
            "kill connector": (self._deleted, State.CONNECTOR_STALLED),
            "stop heartbeats": (self._silent, State.CONNECTOR_STALLED),
            GROWING: (self._growing, State.CONNECTOR_STALLED),
            "idle": (self._nothing, State.IDLE),
        }
        self.common: dict[str, tuple[Inject, State]] = {
            "block sink": (self._blocked, State.SINK_FAILING),
            "kill connect": (self._killed, State.CONNECTOR_STALLED),
            "stop source": (lambda who: self._stopped("postgresql"), State.SOURCE_DOWN),
            "slow link": (self._slow, State.CONSUMER_LAGGING),
            "stop normalize": (lambda who: self._stopped("normalize"), State.CONSUMER_LAGGING),
            "stop link": (lambda who: self._stopped("link"), State.CONSUMER_LAGGING),
            "stop kafka": (lambda who: self._stopped("kafka"), State.CONSUMER_LAGGING),
        }

    def _connector(self, who: str) -> str:
        return f"{self._hub.endpoints.connect}/connectors/{connector_name(who)}"

    def _everybody(self, name: str) -> list[psutil.Process]:
        pid = self._hub.pid(name)
        assert pid is not None, f"{name} does not run"
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    @contextmanager
    def _nothing(self, who: str) -> Iterator[None]:
        yield

    @contextmanager
    def _paused(self, who: str) -> Iterator[None]:
        httpx.put(f"{self._connector(who)}/pause", timeout=60).raise_for_status()
        yield
        httpx.put(f"{self._connector(who)}/resume", timeout=60).raise_for_status()

    @contextmanager
    def _deleted(self, who: str) -> Iterator[None]:
        config = httpx.get(f"{self._connector(who)}/config", timeout=60).json()
        httpx.delete(self._connector(who), timeout=60).raise_for_status()
        yield
        httpx.put(f"{self._connector(who)}/config", json=config, timeout=60).raise_for_status()

    @contextmanager
    def _silent(self, who: str) -> Iterator[None]:
        before = httpx.get(f"{self._connector(who)}/config", timeout=60).json()
        changed = {**before, "heartbeat.interval.ms": "0"}
        httpx.put(f"{self._connector(who)}/config", json=changed, timeout=60).raise_for_status()
        yield
        httpx.put(f"{self._connector(who)}/config", json=before, timeout=60).raise_for_status()

    @contextmanager
    def _growing(self, who: str) -> Iterator[None]:
        """Pause the connector of a server with little room for slots, and write what no connector captures."""
        address = self._hub.stack.dsn("postgres")
        with self._paused(who), psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_slot_wal_keep_size = '{KEEP}'")
            connection.execute("SELECT pg_reload_conf()")
            try:
                connection.execute("CREATE TABLE IF NOT EXISTS filling (block text)")
                connection.execute("ALTER TABLE filling ALTER block SET STORAGE EXTERNAL")
                for _ in range(WAL_BLOCKS):
                    connection.execute("INSERT INTO filling SELECT repeat('x', 1000000)")
                yield
            finally:
                connection.execute("DROP TABLE IF EXISTS filling")
                connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
                connection.execute("SELECT pg_reload_conf()")

    @contextmanager
    def _stopped(self, name: str) -> Iterator[None]:
        everybody = self._everybody(name)
        for process in everybody:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            _go_on(everybody)

    @contextmanager
    def _blocked(self, who: str) -> Iterator[None]:
        """A full disk, as the kernel tells it: no file of the store's process can grow, its log neither."""
        pid = self._hub.pid("store")
        assert pid is not None
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            with contextlib.suppress(
                ProcessLookupError
            ):  # it has ended: the test finds that out by its state
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    @contextmanager
    def _killed(self, who: str) -> Iterator[None]:
        """Kill Connect again whenever it was started again."""

        def work(stop: threading.Event) -> None:
            while not stop.wait(KILL_EVERY):
                pid = self._hub.pid("connect")
                if pid is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        psutil.Process(pid).kill()

        with _beside(work):
            yield

    @contextmanager
    def _slow(self, who: str) -> Iterator[None]:
        """Let the linker run for a thirtieth of the time under a load that it could carry."""
        everybody = self._everybody("link")

        def work(stop: threading.Event) -> None:
            while not stop.is_set():
                _go_on(everybody)
                time.sleep(SLOW[0])
                for process in everybody:
                    process.send_signal(signal.SIGSTOP)
                stop.wait(SLOW[1])
            _go_on(everybody)

        with changes(self._hub, LOAD, next(self._seeds)), _beside(work):
            yield


def _go_on(everybody: list[psutil.Process]) -> None:
    for process in everybody:
        if process.is_running():
            process.send_signal(signal.SIGCONT)


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do ``work`` in a thread until the end, of which the event tells it."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work(stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures, f"what is done beside failed: {failures[0]!r}"


@contextmanager
def changes(hub: RunningHub, rate: float, seed: int) -> Iterator[None]:
    """Commit about ``rate`` transactions a second in two of the sources meanwhile; no two with one seed."""
    feeds = {name: hub.catalog.by_id(name) for name in ("police.hj_hjxx", "hrss.ac01")}
    workload = Workload(hub.endpoints.sources, feeds, seed)
    with _beside(lambda stop: workload.run(rate, stop)):
        yield
    workload.close()
