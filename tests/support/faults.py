"""Seeded SIGKILLs of a running hub's processes while a workload changes the sources."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.support.model import Workload
from tests.support.running import RunningHub

TARGETS = ("normalize", "link", "store", "kafka", "connect", "postgresql", "registry")
"""Every process there is. Who adds a stage or a store adds it here."""

TABLES = ("police.hj_ryjbxx", "police.hj_hjxx", "hrss.ac01")


@dataclass
class Report:
    """What a run did."""

    kills: Counter[str] = field(default_factory=Counter)
    transactions: int = 0
    unknown: int = 0
    differences: list[str] = field(default_factory=list)
    settle_seconds: float = 0.0

    @property
    def summary(self) -> str:
        """What happened, in one line."""
        return (
            f"kills {dict(self.kills)}, {self.transactions} transactions, {self.unknown} with unknown outcome, "
            f"equal by value {self.settle_seconds:.1f} s after the load's end"
        )


def kill_under_load(hub: RunningHub, seed: int, kills: int, rate: float = 60.0) -> Report:
    """Kill processes chosen by ``seed`` while ``rate`` transactions a second are committed, then compare by value.

    Every target is killed once before any is killed again. Between two kills pass 0.2 to 4 seconds, so that some hit a
    process that is still coming back.
    """
    rng = random.Random(seed)
    order: list[str] = []
    while len(order) < kills:
        order += rng.sample(TARGETS, len(TARGETS))
    report = Report()
    workload = Workload(hub.endpoints.sources, {name: hub.catalog.by_id(name) for name in TABLES}, seed)
    stop = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            workload.run(rate, stop)
        except BaseException as error:
            failure.append(error)
            raise

    worker = threading.Thread(target=work, name="workload")
    worker.start()
    try:
        for name in order[:kills]:
            time.sleep(rng.uniform(0.2, 4.0))
            pid = _wait_for_pid(hub, name)
            os.kill(pid, signal.SIGKILL)
            report.kills[name] += 1
        time.sleep(2.0)
    finally:
        stop.set()
        worker.join()
    assert not failure, f"the workload itself failed: {failure[0]!r}"
    started = time.monotonic()
    report.differences = workload.disagreements() or hub.settle(180.0)
    report.settle_seconds = time.monotonic() - started
    report.transactions, report.unknown = workload.transactions, workload.unknown
    workload.close()
    return report


def _wait_for_pid(hub: RunningHub, name: str) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid = hub.pid(name)
        if pid is not None:
            return pid
        time.sleep(0.05)
    raise AssertionError(f"{name} was not started again within a minute of its kill")
