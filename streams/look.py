"""Looks at everything that tells how the sources are: Kafka, Connect, the sources' databases, the sink's board.

Each is asked in a thread of its own, with a limit: one that hangs is that one's signal, and delays no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, Generic, TypeVar

from avro.registry import ConfluentRegistry
from connectors import debezium, debezium_postgresql, endpoints
from connectors.connect import SOURCE_AWAY, ConnectorStatus
from connectors.errors import ConnectorError
from connectors.feeds import Catalog
from monitoring.frontier import TopicPartition
from monitoring.lags import LagTracker, Meter
from monitoring.observer import Letters, Look, Verification
from monitoring.signals import MISSING, UNREACHABLE, GroupLag, Signals
from monitoring.source import SourceProbe, SourceView
from monitoring.status import HEARTBEAT_STALE, MICRO
from streams import topics
from streams.errors import SettingError
from streams.probe import KafkaProbe, KafkaView
from streams.schemas import captured_departments, department_names
from streams.settings import RUNNING, Settings
from streams.sink import SourceBoard

PATIENCE: Final = 4.0
"""Seconds that one look waits for an answer; a healthy one takes milliseconds."""
TWICE: Final = 2
"""Looks in a row that must fail before they count: one lost packet is no outage."""
THREADS: Final = 16

T = TypeVar("T")


class _Asked(Generic[T]):
    """Somebody who is asked again and again, and who may not answer."""

    def __init__(self, pool: ThreadPoolExecutor, ask: Callable[[], T]) -> None:
        self._pool = pool
        self._ask = ask
        self._future: Future[T] | None = None
        self.failed = 0

    def begin(self) -> None:
        """Ask, unless the last question is still open."""
        if self._future is None:
            self._future = self._pool.submit(self._ask)

    def answer(self, deadline: float) -> T | None:
        """Return the answer if there is one by ``deadline`` (monotonic seconds). Raises what the question raised."""
        assert self._future is not None, "begin comes first"
        try:
            answer = self._future.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeoutError:
            if not self._future.done():
                return None
            self._future = None
            raise
        except BaseException:
            self._future = None
            raise
        self._future = None
        return answer

    def count(self, good: bool) -> bool:
        """Take note of how it went; return whether it has failed often enough to count."""
        self.failed = 0 if good else self.failed + 1
        return self.failed >= TWICE


class Looker:
    """Makes looks. One thread at a time."""

    def __init__(self, settings: Settings, catalog: Catalog, board: SourceBoard) -> None:
        """Raises SettingError for a source that no feed file has."""
        self._settings = settings
        self._board = board
        self._started = time.monotonic()
        self._departments = department_names(catalog)
        self._captured = frozenset(captured_departments(catalog))
        self._topics = {
            department: {feed.topic for feed in catalog.feeds if feed.department == department}
            for department in self._departments
        }
        self._feeds = {feed.id: feed.topic for feed in catalog.feeds}
        watched = [*dict.fromkeys(self._feeds.values()), *topics.STORED]
        heartbeats = {topics.heartbeat(department): department for department in self._departments}
        self._kafka = KafkaProbe(settings.broker, heartbeats, watched, ConfluentRegistry(settings.registry))
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="look")
        self._ask_kafka = _Asked(self._pool, self._kafka.look)
        self._ask_connect = _Asked(self._pool, lambda: debezium.status(settings.connect))
        self._probes: dict[str, tuple[str, SourceProbe, _Asked[SourceView]]] = {}
        self._trackers: dict[tuple[str, str], LagTracker] = {}
        self._meters: dict[tuple[str, str], Meter] = {}
        self._ends: dict[str, tuple[int, float]] = {}
        self._view = KafkaView()
        self._named = frozenset(filter(None, settings.sources.split(",")))
        strange = self._named - {RUNNING, *self._departments}
        if strange:
            raise SettingError(
                f"RENKOU_SOURCES names {', '.join(sorted(strange))}, which no feed file has; "
                f"known are {', '.join(self._departments)}"
            )

    def look(self, verifications: Mapping[str, Verification], letters: Mapping[str, Letters]) -> Look:
        """Ask everybody and return what was answered. Blocks for some seconds at most."""
        self._find_sources()
        deadline = time.monotonic() + PATIENCE
        self._ask_kafka.begin()
        for _, _, ask in self._probes.values():
            ask.begin()
        if self._settings.connect:
            self._ask_connect.begin()
        connectors = self._connectors(deadline)
        error = self._look_at_kafka(deadline)
        sources = {name: self._source(ask, deadline) for name, (_, _, ask) in self._probes.items()}
        now = time.monotonic()
        signals = {
            department: self._signals(department, now, connectors, error, sources.get(department))
            for department in self._departments
            if self._is_expected(department)
        }
        totals = {
            feed: sum(end for (topic, _), end in self._view.ends.items() if topic == name)
            for feed, name in self._feeds.items()
            if not error
        }
        clock = time.time_ns() // 1000
        rates, complaints = self._rates(now, error), self._board.complaints
        return Look(clock, signals, rates, totals, verifications, letters, complaints)

    def _find_sources(self) -> None:
        """Know the databases whose addresses a running hub has published; they may come and go."""
        running = endpoints.load(self._settings.data)
        known = {} if running is None else running.sources
        for department in list(self._probes):
            if known.get(department) != self._probes[department][0]:
                self._probes.pop(department)[1].close()
        for department in self._captured & known.keys() - self._probes.keys():
            dsn = known[department]
            probe = SourceProbe(dsn, debezium_postgresql.database_name(department))
            self._probes[department] = (dsn, probe, _Asked(self._pool, probe.look))

    def _is_expected(self, department: str) -> bool:
        """Return whether the department is to be seen.

        On one machine those whose databases run are, and those that only deliver once they have.
        """
        if self._settings.sources != RUNNING:
            return not self._named or department in self._named
        return department in self._probes or (
            department not in self._captured and bool(self._captured_so_far(department))
        )

    def _source(self, ask: _Asked[SourceView], deadline: float) -> SourceView | None:
        """Return what is seen of a source; None while nothing can be said."""
        view = ask.answer(deadline)
        if view is not None and view.reachable:
            ask.count(True)
            return view
        return SourceView(False) if ask.count(False) else None

    def _connectors(self, deadline: float) -> dict[str, ConnectorStatus] | str | None:
        """Return each connector by name, `UNREACHABLE`, or None when nothing can be said."""
        if not self._settings.connect:
            return None
        try:
            answer = self._ask_connect.answer(deadline)
        except ConnectorError:
            answer = None
        if answer is None:
            return UNREACHABLE if self._ask_connect.count(False) else None
        self._ask_connect.count(True)
        return {one.name: one for one in answer}

    def _look_at_kafka(self, deadline: float) -> str:
        """Take Kafka's answer; return what is wrong with it, empty while nothing is."""
        view = self._ask_kafka.answer(deadline)
        error = "_TIMED_OUT" if view is None else view.error
        if view is not None and not view.error:
            self._view = view
        return error if self._ask_kafka.count(not error) else ""

    def _signals(
        self,
        department: str,
        now: float,
        connectors: dict[str, ConnectorStatus] | str | None,
        error: str,
        source: SourceView | None,
    ) -> Signals:
        captures = department in self._captured
        frontiers = dict(self._board.frontiers.get(department, {}))
        heartbeat = self._view.heartbeats.get(department)
        if heartbeat is not None:
            # Read here and not through the sink, which may be held up.
            frontiers["captured"] = max(heartbeat[1], frontiers.get("captured", 0))
        state, reason = _connector(department, connectors) if captures else (None, "")
        writing = self._board.writing_since
        clock = time.time_ns() // 1000
        quiet = self._quiet(department, now)
        silent = heartbeat is None or (clock - heartbeat[0]) / MICRO > HEARTBEAT_STALE
        return Signals(
            now=clock,
            heartbeats=captures,
            frontiers=frontiers,
            heartbeat=None if heartbeat is None else heartbeat[0],
            connector=state,
            trace=reason,
            blames_source=reason == SOURCE_AWAY,
            source_reachable=None if source is None else source.reachable,
            lags={} if error else self._lags(department, now),
            broker_error=error,
            sink_error=self._board.sink_error,
            sink_busy=0.0 if writing is None else now - writing,
            quiet=quiet,
            # Asked for only where it decides: a connector that streams sends heartbeats.
            snapshot=captures
            and silent
            and not error
            and self._kafka.snapshot_under_way(self._topics[department], self._view.ends),
            slot=None if source is None else source.slot,
            slot_missing=source is not None and source.slot_missing,
            skew=None if source is None else source.skew,
            uptime=now - self._started,
        )

    def _quiet(self, department: str, now: float) -> float | None:
        end = self._captured_so_far(department)
        if end is None:
            return None
        known, since = self._ends.get(department, (-1, now))
        if end != known:
            self._ends[department] = (end, now)
            return 0.0
        return now - since

    def _captured_so_far(self, department: str) -> int | None:
        ends = [end for (topic, _), end in self._view.ends.items() if topic in self._topics[department]]
        return sum(ends) if ends else None

    def _partitions(self, names: set[str]) -> list[TopicPartition]:
        return [tp for tp in self._view.ends if tp[0] in names]

    def _lags(self, department: str, now: float) -> dict[str, GroupLag]:
        before = {
            "normalize": (topics.NORMALIZE_GROUP, self._topics[department]),
            "link": (topics.LINK_GROUP, {topics.RECORDS}),
            "store": (topics.STORE_GROUP, set(topics.STORED)),
        }
        found: dict[str, GroupLag] = {}
        for stage, (group, names) in before.items():
            if group in self._view.positions:
                tracker = self._trackers.setdefault((stage, department), LagTracker())
                positions = self._view.positions[group]
                found[stage] = tracker.note(now, self._partitions(names), self._view.ends, positions)
        return found

    def _rates(self, now: float, error: str) -> dict[str, dict[str, float]]:
        """Return changes a second by department and stage; linking knows no departments, it is the hub's."""
        if error:
            return {}
        positions = self._view.positions
        linked = sum(
            offset
            for (topic, _), offset in positions.get(topics.LINK_GROUP, {}).items()
            if topic == topics.RECORDS
        )
        hub = self._meter("hub", "linked", now, linked)
        rates: dict[str, dict[str, float]] = {}
        for department in self._departments:
            names = self._topics[department]
            read = positions.get(topics.NORMALIZE_GROUP, {})
            counts = {
                "captured": self._captured_so_far(department) or 0,
                "normalized": sum(offset for (topic, _), offset in read.items() if topic in names),
                "queryable": self._board.stored.get(department, 0),
            }
            found = {stage: self._meter(department, stage, now, count) for stage, count in counts.items()}
            known = {stage: rate for stage, rate in found.items() if rate is not None}
            rates[department] = known if hub is None else {**known, "linked": hub}
        return rates

    def _meter(self, department: str, stage: str, now: float, count: int) -> float | None:
        meter = self._meters.setdefault((department, stage), Meter())
        meter.note(now, count)
        return meter.rate()

    def close(self) -> None:
        """Let every connection go."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._kafka.close()
        for _, probe, _ in self._probes.values():
            probe.close()


def _connector(department: str, known: dict[str, ConnectorStatus] | str | None) -> tuple[str | None, str]:
    """Return what Connect says of a department's connector and its tasks together, and why it failed."""
    if known is None or isinstance(known, str):
        return known, ""
    connector = known.get(debezium.connector_name(department))
    if connector is None:
        return MISSING, ""
    if connector.state != "RUNNING":
        return connector.state, connector.reason
    unwell = [task for task in connector.tasks if task != "RUNNING"]
    if unwell:
        return ("FAILED" if "FAILED" in unwell else unwell[0]), connector.reason
    return ("RUNNING" if connector.tasks else "UNASSIGNED"), ""
