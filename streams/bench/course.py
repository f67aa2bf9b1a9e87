"""The course of a benchmark run: one stack on an empty folder, measured part by part and then as a whole.

1. Fill the sources; capture the first snapshot with nothing else running, then normalize, link and store it, one stage
   after the other: what each can do alone.
2. Drains: changes are committed while the connectors are paused, then everything runs until all is queryable.
   The load takes no part in the time, so this is the rate that the hub sustains on the machine.
3. Rungs: open-loop loads at shares of that rate, with probes from outside.
4. Catch-up: the hub stands still while a backlog is captured (Debezium alone), then works it off while the source
   goes on at a fifth of the rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import httpx
import psutil

from connectors import connect as rest
from connectors.debezium import connector_name
from connectors.feeds import Catalog
from connectors.stack import HUB, LocalStack, ProcessSpec
from streams import hub
from streams.bench import flames, progress, usage
from streams.bench.figures import CatchUp, Drain, Report, ReportError, Rung, Size, Stage, quantile, spread
from streams.bench.load import Commit, Done, Fill, Load, Prepare, Run
from streams.bench.machine import describe
from streams.bench.probes import DEPARTMENT, POLL, Watch
from streams.bench.progress import Progress, Recorder, Stages
from streams.schemas import captured_departments

SHARES: Final = (0.5, 0.1, 0.9)
"""Of the sustained rate; the one that figures are asked for comes first, in case time runs out."""
DRAINS_SHARE: Final = 0.5
"""Of the budget, after which no further drain is begun: the loads and the catch-up want theirs."""
QUIET: Final = (0.0, 10.0, 1000.0)
"""Changes a second at which the published lag is held against the truth."""
PERIOD: Final = 0.1
"""Seconds between two probes under load; without load every two seconds, so that it is none."""
IDLE_PERIOD: Final = 2.0
HALF: Final = 0.51
CATCH_UP_SHARE: Final = 0.2
PHASE: Final = 900.0
"""Seconds that any one part may take: the run is not to hang."""
DRAINED: Final = 60.0
"""Seconds after the end of a rung in which its probes may still be seen."""
CURRENT: Final = 2.0
"""Seconds behind the source within which the hub counts as caught up; more where half of the load takes more (p99)."""
NOTHING: Final = 100
"""Messages that may wait where nothing does: marks come all the time, and positions are committed twice a second."""
CATCH_UP: Final = 240.0
"""Seconds after which a hub that is still behind does not catch up."""
PATIENCE: Final = 60.0
MICRO: Final = 1e6

Say = Callable[[str], None]


class Course:
    """One run on an empty folder."""

    def __init__(
        self, data: Path, size: Size, seed: int, catalog: Catalog, say: Say, flame: Path | None = None
    ) -> None:
        """``flame`` is the folder that flame graphs of the stages go to; none are made without."""
        self._data = data
        self._size = size
        self._seed = seed
        self._feeds = catalog
        self._catalog = hub.on_this_machine(catalog)
        self._say = say
        self._flame = flame
        self._began = time.monotonic()
        self._stack = LocalStack(data)
        self._departments = captured_departments(self._catalog)

    def run(self) -> Report:
        """Measure. Blocks for minutes. Raises ConnectorError, StreamError, OSError; everything is stopped then."""
        self._began = time.monotonic()
        machine = describe()
        with self._stack as stack:
            self._say("starting the stack")
            stack.start()
            hub.ensure_databases(stack, self._catalog)
            hub.create_topics(stack, self._feeds)
            hub.create_tables(stack, self._catalog)
            dsns = {department: stack.dsn(department) for department in self._departments}
            with Load(dsns, self._size.people, self._seed, self._data / "truth") as load:
                report = self._measured(load, Report(self._size, machine, 0, []))
            report.peak_mb = usage.peak_megabytes(stack)
        report.seconds = time.monotonic() - self._began
        return report

    def _measured(self, load: Load, report: Report) -> Report:
        self._say(f"filling the sources with {self._size.people:,} people")
        load.do(Fill())
        rows = report.source_rows = sum(hub.count_rows(self._stack, self._catalog).values())
        seen = Progress(self._stack.endpoints(), self._catalog)
        try:
            report.stages = self._alone(seen, rows)
            self._stack.publish()
            progress.wait("the first frontier", lambda: seen.frontier() > 0, PHASE)
            load.do(Run(rate=100.0, seconds=5.0))  # the first changes after a start are slow
            for number in range(self._size.drains):
                if number and self._elapsed() > self._size.budget * DRAINS_SHARE:
                    report.left_out.append(f"{self._size.drains - number} of {self._size.drains} drains")
                    break
                self._say(f"drain {number + 1} of {self._size.drains}")
                drain, done = self._drain(seen, load)
                report.drains.append(drain)
                report.load_cpu_us = done.cpu / done.rows * MICRO
            report.sustained = spread([drain.rate for drain in report.drains])
            if self._flame is not None:
                self._say("flame graphs")
                with flames.recorded(self._pids(), self._flame):
                    self._drain(seen, load)
            sustained = report.sustained.median
            for share in SHARES:
                if share == SHARES[0] or self._elapsed() < self._size.budget:
                    self._loaded(seen, load, report, share * sustained)
                else:
                    report.left_out.append(f"{share:.0%} of the sustained rate")
            with self._told("catching up", report):
                usual = max((rung.p99 for rung in report.rungs if rung.share <= HALF), default=0.0)
                capture, report.catch_up = self._catch_up(seen, load, sustained, max(CURRENT, usual))
                report.stages.insert(0, capture)
            for rate in QUIET:
                if self._elapsed() > self._size.budget:
                    report.left_out.append(f"{rate:,.0f} changes a second")
                else:
                    self._loaded(seen, load, report, rate)
            report.rungs.sort(key=lambda rung: rung.wanted)
            with self._told("comparing sources and store", report):
                self._compare(seen, report)
            report.is_complete = not report.failures
        finally:
            seen.close()
        return report

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def _told(self, what: str, report: Report) -> Iterator[None]:
        """Say what is measured; where it cannot be, note that, and let the others be measured."""
        self._say(what)
        try:
            yield
        except (ReportError, httpx.HTTPError) as error:
            report.failures.append(f"{what}: {error}")

    def _loaded(self, seen: Progress, load: Load, report: Report, rate: float) -> None:
        """Add the rung of a rate to the report."""
        assert report.sustained is not None, "measured before"
        with self._told(f"{rate:,.0f} changes a second for {self._size.rung:.0f} s", report):
            report.rungs.append(self._rung(seen, load, round(rate / report.sustained.median, 4), rate))

    def _alone(self, seen: Progress, rows: int) -> list[Stage]:
        """Let the first snapshot through, one stage after the other."""
        self._say(f"capturing {rows:,} rows")
        before = seen.stages().captured
        found = [
            self._timed(
                seen, "snapshot", "connect", rows,
                lambda: hub.prepare(self._stack, self._feeds), lambda stages: stages.captured - before, rows,
            )
        ]  # fmt: skip
        for spec in hub.hub_specs(self._data, self._stack.ports):
            found.append(self._stage_alone(seen, spec, rows))
            self._stack.wait_ready([spec.name])
        return found

    def _stage_alone(self, seen: Progress, spec: ProcessSpec, rows: int) -> Stage:
        self._say(f"{spec.name} alone: {rows:,} rows")
        stages = seen.stages()
        before, total = stages.passed[spec.name], stages.waiting[spec.name]

        def begin() -> None:
            self._stack.begin([spec])

        return self._timed(
            seen, spec.name, spec.name, rows, begin, lambda now: now.passed[spec.name] - before, total
        )

    def _timed(
        self, seen: Progress, name: str, process: str, rows: int,
        begin: Callable[[], None], passed: Callable[[Stages], int], total: int,
    ) -> Stage:  # fmt: skip
        """Time a part from the last look at which it had ``passed`` nothing until it has passed ``total`` messages.

        What a process takes to start is so not counted as its work.
        """
        begin()
        began, before = time.monotonic(), usage.seconds_of(self._stack, process)
        deadline = began + PHASE
        while (done := passed(seen.stages())) < total:
            if not done:
                began, before = time.monotonic(), usage.seconds_of(self._stack, process)
            if time.monotonic() > deadline:
                raise ReportError(
                    f"{name} has passed {done:,} of {total:,} messages in {PHASE:.0f} s; see DIR/logs, "
                    "or choose a smaller --size"
                )
            time.sleep(progress.POLL)
        seconds = max(time.monotonic() - began, progress.POLL)
        used = usage.seconds_of(self._stack, process) - before
        peak = usage.peak_megabytes(self._stack).get(process, 0)
        return Stage(name, rows, seconds, rows / seconds, used / rows * MICRO, peak)

    def _drain(self, seen: Progress, load: Load) -> tuple[Drain, Done]:
        """Let a backlog through that was committed while nothing captured it."""
        load.do(Prepare(self._size.backlog))
        self._connectors("pause")
        done = load.do(Commit(self._size.backlog))
        before, used = seen.moment(), usage.processor_seconds(self._stack)
        first = seen.stages()
        recorder = Recorder(seen)
        recorder.start()
        try:
            self._connectors("resume")
            progress.wait("the first change", lambda: seen.stages().captured > first.captured, PHASE, POLL)
            began = time.time()
            progress.wait("the drain", lambda: seen.frontier() > done.ended, PHASE)
        finally:
            moments = recorder.finish()
        last = seen.moment()
        ended = next(
            (one.at for one in moments if (one.records, one.rows) == (last.records, last.rows)), last.at
        )
        seconds = max(ended - began, progress.POLL)
        cpu = usage.since(used, usage.processor_seconds(self._stack))
        return (
            Drain(
                rows=done.rows,
                records=last.records - before.records,
                stored=last.rows - before.rows,
                seconds=seconds,
                rate=done.rows / seconds,
                cpu_us={name: value / done.rows * MICRO for name, value in cpu.items()},
            ),
            done,
        )

    def _rung(self, seen: Progress, load: Load, share: float, rate: float) -> Rung:
        """Load the hub for a while and watch single changes."""
        if rate:
            load.do(Prepare(int(rate * self._size.rung)))
        progress.wait(
            "the end of what was before", lambda: max(seen.stages().waiting.values()) < NOTHING, PHASE
        )
        used, (before, _) = usage.processor_seconds(self._stack), seen.store()
        watch = Watch(self._stack.dsn(DEPARTMENT), self._stack.endpoints(), PERIOD if rate else IDLE_PERIOD)
        watch.start()
        began = time.monotonic()
        done = Done(seconds=self._size.rung)
        if rate:
            done = load.do(Run(rate, self._size.rung))
        else:
            time.sleep(self._size.rung)
        # Of a load beyond what is sustained a part waits until after its end.
        found = watch.finish(DRAINED * max(1.0, 2 * share))
        seconds = time.monotonic() - began
        after, _ = seen.store()
        cpu = usage.since(used, usage.processor_seconds(self._stack))
        latencies = found.latencies
        return Rung(
            share=share,
            wanted=rate,
            committed=done.rows / done.seconds,
            probes=len(found.probes),
            unseen=found.unseen,
            p50=quantile(latencies, 0.5),
            p99=quantile(latencies, 0.99),
            worst=max(latencies, default=0.0),
            inside=progress.between(before.latency, after.latency),
            resolution=POLL,
            lag=found.lag(),
            cpu={name: value / seconds for name, value in cpu.items()},
            linked_p50=quantile(found.linked_latencies, 0.5),
            linked_p99=quantile(found.linked_latencies, 0.99),
        )

    def _catch_up(
        self, seen: Progress, load: Load, sustained: float, current: float
    ) -> tuple[Stage, CatchUp]:
        """Capture a backlog while the hub stands still, then let it work that off while the source goes on.

        It is caught up when what is not queryable is younger than ``current`` seconds, and no more waits than that.
        """
        backlog, arriving = self._size.backlog, sustained * CATCH_UP_SHARE
        load.do(Prepare(backlog + int(arriving * self._size.rung)))
        self._connectors("pause")
        with self._standing_still():
            done = load.do(Commit(backlog))
            before = seen.stages().captured
            capture = self._timed(
                seen, "capture", "connect", done.rows,
                lambda: self._connectors("resume"), lambda stages: stages.captured - before, done.rows,
            )  # fmt: skip
            load.begin(Run(arriving, PHASE))
            watch = Watch(self._stack.dsn(DEPARTMENT), self._stack.endpoints(), PERIOD)
        watch.start()
        began = time.monotonic()

        def is_current() -> bool:
            behind = max(seen.stages().waiting.values())
            has_begun = time.monotonic() - began > CURRENT
            return has_begun and watch.age < current and behind < arriving * current

        try:
            progress.wait("the catch-up", is_current, CATCH_UP)
            seconds = time.monotonic() - began
        finally:
            load.stop()
            watch.finish(DRAINED)
        rate = done.rows / seconds + arriving
        return capture, CatchUp(done.rows, arriving, seconds, rate, rate / arriving)

    @contextmanager
    def _standing_still(self) -> Iterator[None]:
        """Hold the hub's processes, as if the machine had taken them away for a while."""
        held = [member for pid in self._pids().values() for member in usage.family(psutil.Process(pid))]
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            for process in held:
                if process.is_running():
                    process.resume()

    def _pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in usage.processes(self._stack).items() if name in HUB}

    def _connectors(self, action: Literal["pause", "resume"]) -> None:
        """Pause or resume every connector; returns when they say that they are."""
        address = self._stack.endpoints().connect
        names = [connector_name(department) for department in self._departments]
        for name in names:
            answer = httpx.put(f"{address}/connectors/{name}/{action}", timeout=PATIENCE)
            answer.raise_for_status()
        if action == "pause":
            progress.wait("the connectors' pause", lambda: _are_paused(rest.status(address)), PHASE)

    def _compare(self, seen: Progress, report: Report) -> None:
        """Note whether the store has what the sources have, feed by feed."""
        now = time.time()
        progress.wait("the end", lambda: seen.frontier() > now, PHASE)
        for feed, rows in hub.count_rows(self._stack, self._catalog).items():
            table = self._catalog.by_id(feed).store_table
            stored = seen.count(table)
            if stored != rows:
                report.failures.append(f"{feed}: the source has {rows:,} rows, the store {stored:,}")
        for rung in report.rungs:
            if rung.unseen:
                report.failures.append(
                    f"{rung.unseen} of {rung.probes} probes at {rung.wanted:,.0f} a second were not seen "
                    f"within {DRAINED:.0f} s of its end"
                )


def _are_paused(connectors: Sequence[rest.ConnectorStatus]) -> bool:
    return all({one.state, *one.tasks} == {"PAUSED"} for one in connectors)
