"""The load: the simulator in a process of its own, so that it neither holds up nor is held up by who measures.

Transactions are made beforehand; what is left for the measured time is to send them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Stopping
from pathlib import Path
from typing import Final, Self

import msgspec

from connectors.errors import ConnectorError
from connectors.simulate import Pace, Simulator
from streams.errors import StreamError

UNLIMITED: Final = 1_000_000.0
"""Rows a second that no database takes: the next batch is always due."""
PATIENCE: Final = 30.0


class LoadError(StreamError):
    """The load could not be made."""


class Order(msgspec.Struct, tag_field="order"):
    """What the process is to do."""


class Fill(Order, tag="fill"):
    """Fill the tables."""


class Prepare(Order, tag="prepare"):
    """Make transactions for so many rows beforehand."""

    rows: int


class Commit(Order, tag="commit"):
    """Commit so many rows, as quickly as the databases take them."""

    rows: int


class Run(Order, tag="run"):
    """Change so many rows a second, open-loop, for so many seconds or until `Load.stop`."""

    rate: float
    seconds: float


class Done(msgspec.Struct):
    """How an order ended: rows and seconds, the CPU seconds it took, when its last row was committed (seconds since
    1970), and what went wrong ("" when nothing did).
    """

    rows: int = 0
    due: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    ended: float = 0.0
    error: str = ""


ORDERS: Final = msgspec.json.Decoder(Fill | Prepare | Commit | Run)
ANSWERS: Final = msgspec.json.Decoder(Done)


class Load:
    """The process. One order at a time: `begin`, later `end`; or `do`, which waits."""

    def __init__(self, dsns: Mapping[str, str], people: int, seed: int, truth: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._stop = context.Event()
        self._process = context.Process(
            target=_serve,
            args=(theirs, self._stop, dict(dsns), people, seed, truth),
            name="renkou-bench-load",
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._ours.close()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def do(self, order: Order) -> Done:
        """Do it and return how it ended. Raises LoadError."""
        self.begin(order)
        return self.end()

    def begin(self, order: Order) -> None:
        """Begin an order."""
        self._stop.clear()
        self._ours.send_bytes(msgspec.json.encode(order))

    def stop(self) -> Done:
        """End a run before its time. Raises LoadError."""
        self._stop.set()
        return self.end()

    def end(self) -> Done:
        """Wait for the order that was begun. Raises LoadError."""
        try:
            done = ANSWERS.decode(self._ours.recv_bytes())
        except EOFError:
            raise LoadError(
                f"the process that makes the load ended with code {self._process.exitcode}; run it again"
            ) from None
        if done.error:
            raise LoadError(f"the load ended: {done.error}")
        return done


def _serve(
    pipe: Connection, stop: Stopping, dsns: Mapping[str, str], people: int, seed: int, truth: Path
) -> None:
    """Take orders until the pipe is closed. Runs in the child."""
    os.setpgid(0, 0)  # Ctrl-C is for the parent, which then closes the pipe
    simulator = Simulator(dsns, people, seed, truth)
    while True:
        try:
            order = ORDERS.decode(pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            return
        try:
            done = _do(simulator, order, stop)
        except ConnectorError as error:
            done = Done(error=str(error))
        try:
            pipe.send_bytes(msgspec.json.encode(done))
        except BrokenPipeError:
            return  # nobody wants to know any more


def _do(simulator: Simulator, order: Fill | Prepare | Commit | Run, ended: Stopping) -> Done:
    started, processor = time.monotonic(), time.process_time()
    pace = Pace()
    if isinstance(order, Fill):
        filled = simulator.load()
        pace.rows = 0 if filled is None else sum(filled.rows.values())
    elif isinstance(order, Prepare):
        pace.rows = simulator.prepare(order.rows)
        gc.collect()
        gc.freeze()  # what was made beforehand would be looked through at every collection
    elif isinstance(order, Commit):
        stop = threading.Event()

        def enough(so_far: Pace) -> None:
            if so_far.rows >= order.rows:
                stop.set()

        pace = simulator.run(UNLIMITED, None, stop, enough)
    else:
        stop = threading.Event()

        def is_over(_: Pace) -> None:
            if ended.is_set():
                stop.set()

        pace = simulator.run(order.rate, order.seconds, stop, is_over)
    return Done(
        rows=pace.rows,
        due=pace.due,
        seconds=time.monotonic() - started,
        cpu=time.process_time() - processor,
        ended=time.time(),
    )
