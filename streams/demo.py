"""The demonstration: sources, stack and hub in one go, watched from the terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from connectors import tls
from connectors.errors import TransientError
from connectors.feeds import Catalog
from connectors.simulate import Pace, Simulator
from connectors.stack import LocalStack
from monitoring import scrape
from monitoring.scrape import Counts
from monitoring.status import SourceStatus
from streams import handover, hub
from streams.schemas import captured_departments
from streams.settings import Settings

QUERY_SECONDS: Final = 10.0
DRAIN_SECONDS: Final = 120.0
"""How long the end of a demonstration waits for the last change to be queryable."""
TRUTH_FOLDER: Final = "truth"


@dataclass(slots=True)
class Plan:
    """What the user asked for. ``duration`` is in seconds, None until Ctrl-C; ``rate`` is row changes a second.
    ``departments`` are those that are played, ``files`` whether theirs are delivered."""

    options: Settings
    people: int
    rate: float
    seed: int
    duration: float | None
    departments: tuple[str, ...] = hub.DEPARTMENTS
    files: bool = False

    @property
    def data(self) -> Path:
        """The hub's folder."""
        return self.options.data


@dataclass(slots=True)
class Result:
    """What came of it. Times in seconds; row counts by feed are of the live rows at the end, ``dead_by_feed`` of the
    letters that are open."""

    people: int
    changes: int
    seconds_to_first_person: float
    seconds_to_load: float
    seconds_to_link: float
    counts: Counts
    source_rows: dict[str, int] = field(default_factory=dict)
    store_rows: dict[str, int] = field(default_factory=dict)
    persons: int = 0
    dead_by_feed: dict[str, int] = field(default_factory=dict)

    @property
    def dead_letters(self) -> int:
        """All open dead letters."""
        return sum(self.dead_by_feed.values())

    @property
    def complete(self) -> bool:
        """Whether every row of every source is in the store, or one of its feed's dead letters."""
        return all(map(self.is_complete, self.source_rows))

    def is_complete(self, feed: str) -> bool:
        """Say so of one feed. A source's row has several letters when several of its changes could not be read."""
        missing = self.source_rows[feed] - self.store_rows[feed]
        return 0 <= missing <= self.dead_by_feed.get(feed, 0)


class Demo:
    """One run. `start`, then `change` in a thread while `view` is shown, then `finish`, then `stop`."""

    def __init__(self, plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._feeds = catalog
        self._catalog = hub.on_this_machine(catalog, plan.departments)
        self._say = say
        self._began = time.monotonic()
        self._first_person = 0.0
        self._loaded = 0.0
        self._linked = 0.0
        self.stack = LocalStack(plan.data, lambda event: say(f"{event.name} {event.state.value}"))
        self.stopping = threading.Event()
        self._simulator: Simulator | None = None
        self._delivered = handover.delivered_feeds(catalog, plan.departments) if plan.files else ()
        self._delivered_rows: dict[str, int] = {}
        self._latency_before: dict[float, float] = {}
        """Of what came before the changes: a delivered file is as old as its date."""
        self.changes = 0

    def missing(self) -> list[str]:
        """Return which departments cannot be on this machine, and why."""
        return hub.missing_departments(self._feeds, self._plan.departments)

    def start(self) -> None:
        """Start the servers, fill the sources and start the hub. Raises ConnectorError. Blocks."""
        self.stack.start()
        hub.ensure_databases(self.stack, self._catalog)
        hub.create_topics(self.stack, self._feeds)
        # The hub's processes load while the sources are filled.
        beginning = self.stack.begin(hub.hub_specs(self._plan.data, self.stack.ports))
        hub.create_tables(self.stack, self._catalog)
        self._fill()
        hub.prepare(self.stack, self._feeds, say=self._say, departments=self._plan.departments)
        self.stack.wait_ready(beginning)
        self.stack.publish()
        while not self.stopping.is_set() and not self.query("SELECT count() AS n FROM persons")[0]["n"]:
            self._say("waiting for the first person")
            self.stopping.wait(0.2)
        self._first_person = time.monotonic() - self._began
        if self._delivered and not self.stopping.is_set():
            self._deliver()
        self._await_load()

    def _deliver(self) -> None:
        inbox = handover.write_inbox(self._plan.data, self._plan.seed, self._plan.people)
        self._delivered_rows = handover.hand_over(
            self._plan.options, self.stack.endpoints().kafka, self._feeds, self._delivered, inbox, self._say
        )

    def _await_load(self) -> None:
        """Return when the first snapshot and its persons are queryable: the changes' latency is not to be that of
        its backlog, which is the linker's for longest."""
        total = sum(self._source_rows().values())
        while not self.stopping.is_set():
            stored = sum(self._stored_rows().values())
            dead = sum(self._dead_letters().values())
            self._say(f"{stored} of {total} rows of the first snapshot are queryable")
            if stored + dead >= total:
                break
            self.stopping.wait(0.5)
        self._loaded = time.monotonic() - self._began
        loaded = time.time()
        while not self.stopping.is_set() and not self._has_passed(loaded):
            self._say("the persons of the first snapshot are being linked")
            self.stopping.wait(0.5)
        self._linked = time.monotonic() - self._began
        self._latency_before = dict(self.counts().latency)

    def _has_passed(self, moment: float) -> bool:
        """Whether all that the databases committed before ``moment`` (seconds since 1970) is queryable, persons too."""
        reached = {
            row["department"]: row["reached"]
            for row in self.query(
                "SELECT department, toFloat64(frontier) AS reached FROM frontiers WHERE stage = 'queryable'"
            )
        }
        return all(reached.get(name, 0.0) > moment for name in captured_departments(self._catalog))

    def _fill(self) -> None:
        sources = {
            department: self.stack.dsn(department) for department in captured_departments(self._catalog)
        }
        folder = self._plan.data / TRUTH_FOLDER
        self._simulator = Simulator(sources, self._plan.people, self._plan.seed, folder)
        self._simulator.load(lambda filled: self._say(f"sources: {sum(filled.rows.values())} rows"))

    def change(self) -> None:
        """Change the sources until the time is over or `stopping` is set."""
        assert self._simulator is not None
        if self._plan.rate <= 0:
            self.stopping.wait(self._plan.duration)
            return

        def count(pace: Pace) -> None:
            self.changes = pace.rows

        pace = self._simulator.run(self._plan.rate, self._plan.duration, self.stopping, count)
        self.changes = pace.rows

    def counts(self) -> Counts:
        """Return what the stages have counted."""
        return scrape.read(self.stack.endpoints().metrics)

    def sources(self) -> list[SourceStatus]:
        """Return the state of each source, empty while the store does not answer."""
        with contextlib.suppress(httpx.HTTPError, msgspec.DecodeError):
            answer = httpx.get(
                f"{self.stack.endpoints().console}/v1/status", timeout=QUERY_SECONDS, verify=tls.trusted()
            )
            return msgspec.json.decode(answer.content, type=dict[str, list[SourceStatus]])["sources"]
        return []

    def query(self, statement: str) -> list[Mapping[str, Any]]:
        """Return the rows of a query through the store's loopback interface. Raises TransientError."""
        try:
            answer = httpx.post(
                self.stack.endpoints().clickhouse,
                params={"default_format": "JSON", "output_format_json_quote_64bit_integers": "0"},
                content=statement,
                timeout=QUERY_SECONDS,
                verify=tls.trusted(),
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise TransientError(
                f"the store does not answer: {type(error).__name__}; see DIR/logs/store.log"
            ) from error
        rows: list[Mapping[str, Any]] = answer.json()["data"]
        return rows

    def finish(self) -> Result:
        """Wait until everything committed in the sources is queryable, and count both sides."""
        ended = time.time()
        deadline = time.monotonic() + DRAIN_SECONDS
        while True:
            try:
                passed = self._has_passed(ended)
                result = self._compare()
                if (passed and result.complete) or time.monotonic() > deadline:
                    return result
            except TransientError:
                # The store may be starting again; only one that stays away is an error.
                if time.monotonic() > deadline:
                    raise
            self._say("waiting for the last changes")
            time.sleep(0.5)

    def _compare(self) -> Result:
        assert self._simulator is not None
        result = Result(
            self._plan.people, self.changes, self._first_person, self._loaded, self._linked, self.counts()
        )
        for bound, before in self._latency_before.items():
            result.counts.latency[bound] = max(0, result.counts.latency[bound] - before)
        result.source_rows = self._source_rows()
        result.store_rows = self._stored_rows()
        result.persons = self.query("SELECT count() AS n FROM persons WHERE state = 'active'")[0]["n"]
        result.dead_by_feed = self._dead_letters()
        return result

    def _source_rows(self) -> dict[str, int]:
        return hub.count_rows(self.stack, self._catalog) | self._delivered_rows

    def _dead_letters(self) -> dict[str, int]:
        """Return the open dead letters by feed; those of topics that no feed reads have the feed's place empty."""
        found = self.query(
            "SELECT department, table, count() AS n FROM dead_letters WHERE state = 'open' GROUP BY department, table"
        )
        return {f"{row['department']}.{row['table']}": int(row["n"]) for row in found}

    def _stored_rows(self) -> dict[str, int]:
        return {
            feed.id: self.query(f"SELECT count() AS n FROM {feed.store_table}")[0]["n"]  # noqa: S608 - a name of ours
            for feed in (*self._catalog.feeds, *self._delivered)
        }

    def stop(self) -> None:
        """Stop everything that was started."""
        self.stopping.set()
        self.stack.stop()

    def hurry(self) -> None:
        """Turn a stop that is under way into a kill; returns at once."""
        self.stack.hurry()
