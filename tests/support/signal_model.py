"""A model of the pipeline on a simulated clock for faults that were not recorded: faults go in, signals come out.

It moves messages, heartbeats and commit times as the real parts do, second by second, with seeded noise: jitter of
heartbeats, bursts of changes, lost probes. What is right is known because the fault is.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitoring.signals import UNREACHABLE, GroupLag, Signals, Slot
from monitoring.status import State

MICRO = 1_000_000
START = 1_790_000_000 * MICRO
RATE = 2000.0
"""Messages a second that a healthy stage can take."""

FAULTS: dict[str, State] = {
    "fail task": State.CONNECTOR_STALLED,
    "stop source, unseen": State.SOURCE_DOWN,
    "hang sink": State.SINK_FAILING,
    "idle": State.IDLE,
    "burst": State.IDLE,
    "clock ahead": State.IDLE,
    "restart stage": State.IDLE,
    "lost probe": State.IDLE,
    "snapshot": State.INITIALISING,
    "first snapshot": State.INITIALISING,
}
"""What is done to the pipeline, and the state that is right while it lasts and had time to show. What can be done to
a real stack is recorded there instead (tests/recordings)."""

DETECT = 75
"""Seconds after which a fault must have been named: the longest threshold (60 s for a hanging sink) and some looks."""
RECOVER = 60
"""Seconds after its end in which everything is worked off."""


STAGES = ("normalize", "link", "store")
MARKS = ("normalized", "linked", "queryable")
SNAPSHOT = 300.0
"""Rows a second of a snapshot."""

SILENT = frozenset(("fail task", "stop source, unseen", "snapshot", "first snapshot"))
"""Faults under which neither changes nor heartbeats come."""

CONNECTOR = {"fail task": "FAILED"}


@dataclass
class Stage:
    """A queue of changes and marks in their order, and the mark that was taken last."""

    queue: deque[list[float]] = field(default_factory=deque)
    frontier: float | None = None
    stuck: float = 0.0
    waiting: float = 0.0
    past: deque[float] = field(default_factory=lambda: deque(maxlen=60))

    def put(self, items: Iterable[list[float]]) -> None:
        """Add what comes from the stage before: [mark's time or -1, count] each."""
        for item in items:
            self.queue.append(item)
            self.waiting += item[1]

    def take(self, power: float) -> list[list[float]]:
        """Return what is taken in a second: [mark's time or -1, count] each."""
        taken: list[list[float]] = []
        while self.queue and power > 0:
            mark, count = self.queue[0]
            part = min(count, power)
            power -= part
            self.waiting -= part
            taken.append([mark, part])
            if part < count:
                self.queue[0][1] -= part
                break
            self.queue.popleft()
            if mark >= 0:
                self.frontier = mark
        self.stuck = 0.0 if taken or not self.queue else self.stuck + 1
        self.past.append(self.waiting)
        return taken

    @property
    def lag(self) -> GroupLag:
        trend = (self.past[-1] - self.past[0]) / len(self.past) if self.past else 0.0
        # A mark is a message too, but counts nothing here: only changes are waited for.
        return GroupLag(int(self.waiting), trend, self.stuck if int(self.waiting) else 0.0)


class Model:
    """One source's way through the hub, a second at a time; ``rate`` is its changes a second."""

    def __init__(self, fault: str, seed: int, rate: float) -> None:
        self.fault = fault
        self.random = random.Random(seed)
        self.rate = rate
        self.now = 0.0
        self.since = 0.0
        self.active = fault == "first snapshot"
        self.stages = {name: Stage() for name in STAGES}
        self.heartbeat: float | None = None
        self.retained = 0.0
        self.quiet = 0.0
        self.busy = 0.0

    def begin(self) -> None:
        """The fault begins."""
        self.active, self.since = True, self.now

    def end(self) -> None:
        """The fault is over."""
        self.active, self.busy = False, 0.0

    def step(self) -> None:
        """A second passes."""
        self.now += 1
        fault = self.fault if self.active else ""
        changes = 0.0
        if fault in ("snapshot", "first snapshot"):
            changes = SNAPSHOT
        elif fault not in SILENT:
            changes = self._changes(fault)
        if changes:
            self.stages["normalize"].put([[-1.0, changes]])
        if fault not in SILENT:
            self.heartbeat = self.now
            self.stages["normalize"].put([[self.now, 0.0]])
        self.retained = 1e6 if fault not in SILENT else self.retained + 1e4
        self.quiet = 0.0 if changes else self.quiet + 1
        if fault == "hang sink":
            self.busy += 1
        self._flow(fault)

    def _changes(self, fault: str) -> float:
        if self.fault == "idle":
            return 0.0
        mean = self.rate
        if fault == "burst" and self.now - self.since < 8:
            mean = min(200 * mean, 2 * RATE)
        return float(max(0, round(self.random.gauss(mean, mean**0.5))))

    def _flow(self, fault: str) -> None:
        for index, name in enumerate(STAGES):
            power = 0.0 if (fault, name) == ("hang sink", "store") else RATE
            if fault == "restart stage" and name == "link" and self.now - self.since < 12:
                power = 0.0
            taken = self.stages[name].take(power)
            if index + 1 < len(STAGES):
                # What was cut in two carries its mark with its last part.
                self.stages[STAGES[index + 1]].put(taken)

    def signals(self) -> Signals:
        """Look at it, with what a look can miss."""
        fault = self.fault if self.active else ""
        age = self.now - self.since
        connector = CONNECTOR.get(fault, "RUNNING")
        if fault == "stop source, unseen" and age > 10:
            connector = "RESTARTING"
        if fault == "lost probe" and self.random.random() < 0.3:
            connector = UNREACHABLE
        reachable: bool | None = None if self.fault == "stop source, unseen" else True
        seen = reachable is True
        frontiers = {
            mark: _moment(stage.frontier)
            for mark, stage in zip(MARKS, self.stages.values(), strict=True)
            if stage.frontier is not None
        }
        if self.heartbeat is not None:
            frontiers["captured"] = _moment(self.heartbeat)
        skew = 30.0 if fault == "clock ahead" else self.random.gauss(0, 0.05)
        slot = Slot(
            active=connector == "RUNNING", retained=int(self.retained), unconfirmed=0, wal_status="reserved"
        )
        jitter = self.random.uniform(0, 1.5)
        return Signals(
            now=_moment(self.now),
            frontiers=frontiers,
            heartbeat=None if self.heartbeat is None else _moment(self.heartbeat - jitter),
            connector=connector,
            blames_source=fault == "stop source, unseen",
            source_reachable=reachable,
            lags={name: stage.lag for name, stage in self.stages.items()},
            sink_busy=self.busy if fault == "hang sink" else self.random.uniform(0, 0.5),
            quiet=self.quiet,
            snapshot=fault in ("snapshot", "first snapshot"),
            slot=slot if seen else None,
            skew=skew if seen else None,
            uptime=self.now + 300,
        )


def _moment(seconds: float) -> int:
    return START + int(seconds * MICRO)
