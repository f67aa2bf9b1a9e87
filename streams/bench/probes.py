"""Single changes, watched from outside: from the moment they are due to be committed until a query returns them.

A row of our own in a table of the police is updated again and again, each time with the next number. Whoever sees a
number has seen all before it, because the states of one key keep their order. Beside it stands what the hub publishes
of that source, asked for *before* the row is: a frontier that is past a change which the row does not show yet has
claimed too much.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from connectors.endpoints import Endpoints
from streams.bench.figures import Lag, quantile

DEPARTMENT: Final = "police"
HOUSEHOLD: Final = "900000000999"
"""A key that the simulator gives to nobody."""
POLL: Final = 0.05
"""Seconds between two queries: what a latency is exact to, beside the query itself."""
PUBLISHED_EVERY: Final = 0.5
TIMEOUT: Final = 30.0
BLINK: Final = 0.02
"""Seconds within which a commit's return and a frontier cannot be told apart."""

_INSERT: Final = (
    """INSERT INTO hj_hjxx ("HH", "HLX", "SSXQ", "MLXZ", "ZTBZ", "GXSJ") """
    "VALUES (%s, '1', '390102', '0', '0', '20250101000000') ON CONFLICT DO NOTHING"
)
_UPDATE: Final = """UPDATE hj_hjxx SET "MLXZ" = %s WHERE "HH" = %s"""
_SEEN: Final = (
    "SELECT toInt64(JSONExtractString(raw, 'MLXZ')) AS number FROM police_hj_hjxx "  # noqa: S608 - names of ours
    f"""WHERE key = '{{"HH":"{HOUSEHOLD}"}}'"""
)
_FRONTIER: Final = "renkou_frontier_timestamp_seconds"


@dataclass(slots=True)
class Probe:
    """One change. Moments are seconds since 1970; ``committed`` and ``seen`` are 0 before they are."""

    due: float
    committed: float = 0.0
    seen: float = 0.0

    @property
    def latency(self) -> float:
        """Seconds from when it was due to when it was seen."""
        return self.seen - self.due


@dataclass(slots=True)
class Looked:
    """A look at what is published: the lag it says, and the age of the oldest change that was not queryable then."""

    published: float
    true: float
    claims_too_much: bool


@dataclass(slots=True)
class Seen:
    """What a watch has found."""

    probes: list[Probe] = field(default_factory=list)
    looks: list[Looked] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        """Latencies of those that were seen."""
        return [probe.latency for probe in self.probes if probe.seen]

    @property
    def unseen(self) -> int:
        """How many were not seen in the time."""
        return sum(not probe.seen for probe in self.probes)

    def lag(self) -> Lag:
        """Return published against true lag."""
        off = [abs(look.published - look.true) for look in self.looks]
        return Lag(
            looks=len(off),
            off_p50=quantile(off, 0.5),
            off_p95=quantile(off, 0.95),
            off_worst=max(off, default=0.0),
            overclaims=sum(look.claims_too_much for look in self.looks),
            published_p50=quantile([look.published for look in self.looks], 0.5),
            true_p50=quantile([look.true for look in self.looks], 0.5),
        )


class Watch:
    """Commits probes every ``period`` seconds and looks for them, each in a thread, from `__enter__` to `finish`."""

    def __init__(self, dsn: str, endpoints: Endpoints, period: float) -> None:
        self._dsn = dsn
        self._endpoints = endpoints
        self._period = period
        self._stop = threading.Event()
        self._drained = threading.Event()
        self._probes: list[Probe] = []
        self._looks: list[Looked] = []
        self._first = 0
        """Number of the first probe: the row may have been counted up by an earlier watch."""
        self._visible = 0
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._commit, self._look)
        ]

    def start(self) -> None:
        """Begin."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(_INSERT, [HOUSEHOLD])
            row = connection.execute("""SELECT "MLXZ" FROM hj_hjxx WHERE "HH" = %s""", [HOUSEHOLD]).fetchone()
            assert row is not None
            self._first = int(row[0]) + 1
        for thread in self._threads:
            thread.start()

    @property
    def age(self) -> float:
        """Seconds for which the oldest change that was not seen has been committed; 0 when all were seen."""
        outstanding = self._outstanding()
        return 0.0 if outstanding is None else time.time() - outstanding

    def finish(self, patience: float) -> Seen:
        """Commit no more, wait for what is not seen yet, ``patience`` seconds at most, and return what was found."""
        self._stop.set()
        self._threads[0].join()
        deadline = time.monotonic() + patience
        while self._outstanding() is not None and self._failure is None and time.monotonic() < deadline:
            time.sleep(POLL)
        self._drained.set()
        self._threads[1].join()
        if self._failure is not None:
            raise self._failure
        return Seen(self._probes, self._looks)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = error
            self._stop.set()

    def _commit(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            due = time.time()
            while not self._stop.wait(max(0.0, due - time.time())):
                # Appended before it is sent: whoever sees it must know it.
                probe = Probe(due)
                self._probes.append(probe)
                connection.execute(_UPDATE, [str(self._first + len(self._probes) - 1), HOUSEHOLD])
                probe.committed = time.time()
                due += self._period  # however long it took: the schedule does not wait for the source

    def _look(self) -> None:
        next_published = 0.0
        with httpx.Client(timeout=TIMEOUT) as client:
            while not self._drained.is_set():
                started = time.time()
                frontier = None
                if started >= next_published:
                    next_published = started + PUBLISHED_EVERY
                    frontier = self._published(client)
                asked = time.time()
                number = self._number(client)
                now = time.time()
                self._note(number, now)
                if frontier is not None:
                    self._compare(frontier, asked)
                self._drained.wait(max(0.0, started + POLL - now))

    def _note(self, number: int, now: float) -> None:
        upto = number - self._first + 1
        for probe in self._probes[self._visible : max(upto, self._visible)]:
            probe.seen = now
        self._visible = max(self._visible, upto)

    def _compare(self, frontier: float, asked: float) -> None:
        """``frontier`` was published before ``asked``, when the row was looked at that has just been noted."""
        oldest = self._outstanding()
        true = 0.0 if oldest is None or oldest > asked else asked - oldest
        too_much = oldest is not None and oldest <= asked and frontier > oldest + BLINK
        self._looks.append(Looked(max(0.0, asked - frontier), true, too_much))

    def _outstanding(self) -> float | None:
        """Return when the oldest change was committed that no query has shown."""
        if self._visible >= len(self._probes):
            return None
        committed = self._probes[self._visible].committed
        return committed or None

    def _number(self, client: httpx.Client) -> int:
        answer = client.post(self._endpoints.clickhouse, params={"default_format": "TSV"}, content=_SEEN)
        answer.raise_for_status()
        return int(answer.text.strip() or -1)

    def _published(self, client: httpx.Client) -> float | None:
        """Return the moment up to which the hub's metrics say that everything of the source is queryable."""
        answer = client.get(self._endpoints.metrics["store"])
        answer.raise_for_status()
        return frontier_in(answer.text, DEPARTMENT)


def frontier_in(text: str, department: str) -> float | None:
    """Return a department's queryable frontier in a text of metrics, seconds since 1970; None when it has none."""
    wanted: dict[str, Any] = {"department": department, "stage": "queryable"}
    # The lines of one metric: parsing all of them ten times a second would be a load of its own.
    lines = "\n".join(line for line in text.splitlines() if line.startswith(_FRONTIER))
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            if sample.labels == wanted:
                return float(sample.value)
    return None
