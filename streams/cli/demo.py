"""``renkou demo``: everything on this machine in one go, with a live view."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from connectors.errors import ConnectorError
from connectors.feeds import Catalog
from monitoring.scrape import Counts
from monitoring.signals import STAGES
from monitoring.status import SourceStatus
from streams import hub, settings
from streams.cli.errors import reported
from streams.cli.options import Departments, Files
from streams.demo import Demo, Plan, Result

REFRESH: Final = 1.0
DEMO_MARK: Final = ".demo"
"""File in a data folder that a demonstration made: only such a folder is removed at the end."""
NEWEST_PERSONS: Final = (
    "SELECT person_id, name, sex, birth_date, mention_count FROM persons WHERE state = 'active' "
    "ORDER BY person_id DESC LIMIT 5"
)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        people: Annotated[
            int, typer.Option(min=1, help="Persons with a hukou in the invented register.")
        ] = 2000,
        rate: Annotated[float, typer.Option(min=0, help="Row changes a second in the sources.")] = 50,
        duration: Annotated[
            float | None, typer.Option("--for", min=1, help="Seconds; until Ctrl-C when not given.")
        ] = None,
        keep: Annotated[bool, typer.Option(help="Keep the data for renkou up, sql and person.")] = False,
        seed: Annotated[int, typer.Option(help="Another seed gives another population.")] = 1,
        departments: Departments = ",".join(hub.DEPARTMENTS),
        files: Files = None,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Run sources, Kafka, Connect, registry, hub and store here, and watch changes arrive. Ctrl-C ends it."""
        with reported():
            options = settings.load(data)
            options = replace(options, data=options.data.absolute())
            played = hub.departments_of(departments)
            plan = Plan(options, people, rate, seed, duration, played, hub.plays_files(played, files))
            Show(plan, Catalog.load(options.feeds), keep).run()


class Show:
    """The demonstration on a terminal."""

    def __init__(self, plan: Plan, catalog: Catalog, keep: bool) -> None:
        self._plan = plan
        self._keep = keep
        self._console = Console()
        self._own_folder = not plan.data.exists() or (plan.data / DEMO_MARK).exists()
        self._demo = Demo(plan, catalog, self._say)
        self._status: object | None = None
        self._interrupted = False
        self._starting = self._stopping = False
        self._last = (time.monotonic(), Counts())

    def _say(self, text: str) -> None:
        if self._console.is_terminal and hasattr(self._status, "update"):
            self._status.update(text)

    def run(self) -> None:
        """Run it to its end. Ctrl-C at any time stops everything and is no error.

        While it starts the first one stops it at once; later the first one ends the changes and counts, the second one
        counts no longer. One more while it stops kills what still runs.
        """
        previous = {
            number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            self._plan.data.mkdir(parents=True, exist_ok=True)
            if self._own_folder:
                (self._plan.data / DEMO_MARK).touch()
            self._run()
        except KeyboardInterrupt:
            self._console.print("stopped")
        finally:
            self._stopping = True
            with self._console.status("stopping"):
                self._demo.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)
            if self._own_folder and not self._keep:
                shutil.rmtree(self._plan.data, ignore_errors=True)
            else:
                self._console.print(
                    f"data kept in {self._plan.data}: try renkou sql, renkou person, renkou up"
                )

    def _interrupt(self, *_: object) -> None:
        self._demo.stopping.set()
        if self._stopping:
            self._demo.hurry()
        elif self._starting or self._interrupted:
            self._stopping = True
            raise KeyboardInterrupt
        self._interrupted = True

    def _run(self) -> None:
        for reason in self._demo.missing():
            self._console.print(reason, highlight=False, soft_wrap=True)
        with self._console.status("starting") as status:
            self._status = status
            self._starting = True
            self._demo.start()
            self._starting = False
        if not self._interrupted:
            self._watch()
        with self._console.status("finishing") as status:
            self._status = status
            result = self._demo.finish()
        self._summary(result)

    def _watch(self) -> None:
        changing = threading.Thread(target=self._demo.change, name="changes")
        changing.start()
        try:
            if self._console.is_terminal:
                with Live(self._view(), console=self._console, refresh_per_second=2) as live:
                    while changing.is_alive():
                        changing.join(REFRESH)
                        live.update(self._view())
            else:
                self._console.print(f"changing the sources at {self._plan.rate:g} rows/s")
        finally:
            changing.join()

    def _view(self) -> Group:
        counts = self._demo.counts()
        now = time.monotonic()
        before, last = self._last
        self._last = (now, counts)
        return Group(
            _stages(counts, last, max(now - before, 0.001)), _sources(self._demo.sources()), self._newest()
        )

    def _newest(self) -> Table:
        table = Table(title="newest persons 最新人员", expand=True)
        for heading in ("person", "name", "sex", "born", "mentions"):
            table.add_column(heading)
        try:
            rows = self._demo.query(NEWEST_PERSONS)
        except ConnectorError:
            rows = []
        for row in rows:
            name = row["name"] or ""
            table.add_row(
                row["person_id"],
                name[:1] + "*" * (len(name) - 1),
                row["sex"],
                row["birth_date"],
                str(row["mention_count"]),
            )
        return table

    def _summary(self, result: Result) -> None:
        counts = result.counts
        lines = [
            f"first person queryable after  {result.seconds_to_first_person:.1f} s",
            f"all rows queryable after      {result.seconds_to_load:.1f} s",
            f"all persons linked after      {result.seconds_to_link:.1f} s",
            f"row changes committed         {result.changes}",
            f"normalized                    {counts.outcome('normalize', 'record', 'delete')}",
            f"linked                        {counts.outcome('link', 'applied', 'deleted')}",
            f"superseded                    {counts.outcome('link', 'superseded')}",
            f"stored rows                   {int(sum(counts.rows.values()))}",
            f"active persons                {result.persons}",
            f"dead letters                  {result.dead_letters}",
        ]
        median, worst = counts.quantile(0.5), counts.quantile(0.99)
        if median is not None and worst is not None:
            lines.append(f"commit to queryable           p50 {median:.2f} s, p99 {worst:.2f} s")
        table = Table(title="rows by feed 行数", box=None, padding=(0, 1))
        for heading in ("feed", "source", "records", "deletes", "dead", "store", ""):
            table.add_column(heading, no_wrap=True)
        for feed, rows in result.source_rows.items():
            done = counts.feeds[feed]
            figures = (
                rows, done["record"], done["delete"], result.dead_by_feed.get(feed, 0), result.store_rows[feed]
            )  # fmt: skip
            verdict = "equal" if rows == figures[-1] else "rest is dead"
            if not result.is_complete(feed):
                verdict = "DIFFERENT"
            table.add_row(feed, *map(str, figures), verdict)
        self._console.print(Panel("\n".join(lines), title="summary 小结"), table)


def _stages(counts: Counts, last: Counts, seconds: float) -> Table:
    table = Table(title="stages 环节", expand=True)
    for heading in ("stage", "changes", "per second"):
        table.add_column(heading)
    for stage in ("normalize", "link"):
        total = counts.total(stage)
        table.add_row(stage, f"{total:.0f}", f"{max(total - last.total(stage), 0) / seconds:.0f}")
    rows, rows_last = sum(counts.rows.values()), sum(last.rows.values())
    table.add_row("store (rows)", f"{rows:.0f}", f"{max(rows - rows_last, 0) / seconds:.0f}")
    return table


def _sources(sources: list[SourceStatus]) -> Table:
    table = Table(title="age of each source, seconds 数据时延", expand=True)
    for heading in ("department", "state", *STAGES):
        table.add_column(heading)
    for source in sources:
        lags = [source.stages[stage].lag_seconds for stage in STAGES]
        table.add_row(
            source.department, source.state.value, *("" if lag is None else f"{lag:.1f}" for lag in lags)
        )
    return table
