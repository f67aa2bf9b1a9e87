"""Single changes, watched from outside: from the moment they are due to be committed until queries return them.

A resident of our own in a table of the police gets another phone number again and again, each time the next one.
Whoever sees a number has seen all before it, because the states of one key keep their order. Two things are looked for:
the record, and the person's golden record, which has been through linking as well. A change is queryable as the
frontier means it when both show it. Beside it stands what the hub publishes of that source, asked for *before* the rows
are: a frontier that is past a change which they do not show yet has claimed too much.
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

from avro.normalize.resident_id import check_character
from connectors.endpoints import Endpoints
from streams.bench.figures import Lag, quantile

DEPARTMENT: Final = "police"
RESIDENT: Final = 900000000999
"""A key that the simulator gives to nobody."""
_BODY: Final = "39010219000101999"
ID_NUMBER: Final = _BODY + check_character(_BODY)
PHONE: Final = "139"
"""What every number begins with; eight digits that count follow."""
POLL: Final = 0.05
"""Seconds between two queries: what a latency is exact to, beside the query itself."""
PUBLISHED_EVERY: Final = 0.5
TIMEOUT: Final = 30.0
BLINK: Final = 0.02
"""Seconds within which a commit's return and a frontier cannot be told apart."""

_INSERT: Final = (
    """INSERT INTO hj_ryjbxx ("RYNBID", "HH", "GMSFHM", "XM", "XB", "CSRQ", "LXDH", "RYZT", "GXSJ") """
    """VALUES (%s, '900000000999', %s, '甄测试', '1', '19000101', '13900000000', '0', '20250101000000') """
    "ON CONFLICT DO NOTHING"
)
_LAST: Final = """SELECT "LXDH" FROM hj_ryjbxx WHERE "RYNBID" = %s"""
_UPDATE: Final = """UPDATE hj_ryjbxx SET "LXDH" = %s WHERE "RYNBID" = %s"""
_KEY: Final = f"""key = '{{"RYNBID":{RESIDENT}}}'"""
_SEEN: Final = (
    "SELECT toInt64OrZero(substring(ifNull((SELECT JSONExtractString(raw, 'LXDH') FROM police_hj_ryjbxx"  # noqa: S608 - names of ours
    f" WHERE {_KEY}), ''), 4)), toInt64OrZero(substring(ifNull((SELECT phone FROM persons WHERE person_id ="
    f" (SELECT person_id FROM identities WHERE department = 'police' AND table = 'hj_ryjbxx' AND {_KEY}"
    " AND role = 'self')), ''), 4))"
)
_FRONTIER: Final = "renkou_frontier_timestamp_seconds"


@dataclass(slots=True)
class Probe:
    """One change. Moments are seconds since 1970, 0 before they are: ``seen`` that of the record, ``linked`` that from
    which on record and person both show it.
    """

    due: float
    committed: float = 0.0
    seen: float = 0.0
    linked: float = 0.0

    @property
    def latency(self) -> float:
        """Seconds from when it was due to when it was seen."""
        return self.seen - self.due


@dataclass(slots=True)
class Looked:
    """A look at what is published: the lag it says, the age of the oldest change that was not queryable then, and how
    far the two are apart at least: a look takes its time on a busy machine, and what became queryable meanwhile may
    have been so at its beginning or at its end.
    """

    published: float
    true: float
    off: float
    claims_too_much: bool


@dataclass(slots=True)
class Seen:
    """What a watch has found."""

    probes: list[Probe] = field(default_factory=list)
    looks: list[Looked] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        """Latencies of the records that were seen."""
        return [probe.latency for probe in self.probes if probe.seen]

    @property
    def linked_latencies(self) -> list[float]:
        """Latencies until the person showed it as well."""
        return [probe.linked - probe.due for probe in self.probes if probe.linked]

    @property
    def unseen(self) -> int:
        """How many were not seen in the time."""
        return sum(not probe.linked for probe in self.probes)

    def lag(self) -> Lag:
        """Return published against true lag."""
        off = [look.off for look in self.looks]
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
        self._linked = 0
        """How many of the probes the record shows, and the person as well."""
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._commit, self._look)
        ]

    def start(self) -> None:
        """Begin."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(_INSERT, [RESIDENT, ID_NUMBER])
            row = connection.execute(_LAST, [RESIDENT]).fetchone()
            assert row is not None
            self._first = int(str(row[0]).removeprefix(PHONE)) + 1
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
                connection.execute(_UPDATE, [f"{PHONE}{self._first + len(self._probes) - 1:08d}", RESIDENT])
                probe.committed = time.time()
                due += self._period  # however long it took: the schedule does not wait for the source

    def _look(self) -> None:
        next_published = 0.0
        with httpx.Client(timeout=TIMEOUT) as client:
            while not self._drained.is_set():
                started = time.time()
                frontier = None
                before = self._outstanding()
                if started >= next_published:
                    next_published = started + PUBLISHED_EVERY
                    frontier = self._published(client)
                asked = time.time()
                numbers = self._numbers(client)
                now = time.time()
                self._note(*numbers, now)
                if frontier is not None:
                    self._compare(frontier, before, started, asked)
                self._drained.wait(max(0.0, started + POLL - now))

    def _note(self, record: int, person: int, now: float) -> None:
        visible = max(self._visible, record - self._first + 1)
        linked = max(self._linked, min(record, person) - self._first + 1)
        for probe in self._probes[self._visible : visible]:
            probe.seen = now
        for probe in self._probes[self._linked : linked]:
            probe.linked = now
        self._visible, self._linked = visible, linked

    def _compare(self, frontier: float, before: float | None, started: float, asked: float) -> None:
        """``frontier`` was published between ``started`` and ``asked``; ``before`` was the oldest change that was not
        queryable before, and after ``asked`` the rows were looked at that have just been noted.
        """
        oldest = self._outstanding()
        # A change that was committed after the look was not to be seen, so nothing was outstanding.
        latest = asked if oldest is None or oldest > asked else oldest
        earliest = min(latest, started if before is None else before)
        too_much = latest < asked and frontier > latest + BLINK
        off = max(0.0, earliest - frontier, frontier - latest)
        self._looks.append(Looked(max(0.0, asked - frontier), asked - latest, off, too_much))

    def _outstanding(self) -> float | None:
        """Return when the oldest change was committed that queries have not shown in both."""
        if self._linked >= len(self._probes):
            return None
        committed = self._probes[self._linked].committed
        return committed or None

    def _numbers(self, client: httpx.Client) -> tuple[int, int]:
        """Return the number that the record shows and that the person shows, 0 before there is one."""
        answer = client.post(self._endpoints.clickhouse, params={"default_format": "TSV"}, content=_SEEN)
        answer.raise_for_status()
        record, person = answer.text.split()
        return int(record), int(person)

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
