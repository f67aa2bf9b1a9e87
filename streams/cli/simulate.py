"""``renkou simulate``: fills the reference register's databases, and keeps changing them."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from connectors import endpoints
from connectors.errors import TerminalError
from connectors.simulate import (
    DEPARTMENTS,
    PROFILES,
    ROWS,
    TRUTH,
    Courier,
    Course,
    Filled,
    Pace,
    Population,
    Simulator,
    Written,
    deliver,
    write_events,
)
from connectors.simulate.people import BASE_TIME
from streams import settings
from streams.cli.errors import reported

TRUTH_FOLDER = "truth"


class ProfileName(StrEnum):
    """What kind of province is simulated."""

    SMALL = "small"
    PROVINCE = "province"
    HOSTILE = "hostile"


class Summary(msgspec.Struct):
    """What a run did: the one line of ``--json``. ``filled_rows`` is empty where the tables were full already;
    ``last_transaction`` counts from the filling of the tables over all runs.
    """

    people: int
    seed: int
    filled_rows: dict[str, int]
    seconds: float = 0.0
    transactions: int = 0
    rows: int = 0
    due: int = 0
    rows_per_second: float = 0.0
    reconnects: int = 0
    rows_by_department: dict[str, int] = {}
    last_transaction: int = 0
    was_interrupted: bool = False


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def simulate(
        people: Annotated[int, typer.Option(min=100, help="Persons with a hukou in the province.")] = 2000,
        seed: Annotated[int, typer.Option(help="Another seed gives another population.")] = 1,
        rate: Annotated[
            float, typer.Option(min=0, help="Row changes a second; 0 fills the tables only.")
        ] = 20,
        duration: Annotated[
            float | None, typer.Option("--for", min=0.1, help="Seconds; until Ctrl-C when not given.")
        ] = None,
        day: Annotated[
            float | None,
            typer.Option(
                min=1,
                help="Seconds that a day of the province takes: offices' hours, nights, weekends, holidays, the school "
                "peak of September; the rate is then a week's mean.",
            ),
        ] = None,
        start: Annotated[
            datetime | None,
            typer.Option(
                formats=["%Y-%m-%d"],
                help="With --day or --daily: the date on which the changes begin, 2026-06-01 or later.",
            ),
        ] = None,
        daily: Annotated[
            float | None,
            typer.Option(
                min=1, help="With --events: let hours and seasons be, so many transactions a mean day."
            ),
        ] = None,
        deliveries: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="With --day: write the files here on their dates, for renkou load."
            ),
        ] = None,
        profile: Annotated[
            ProfileName, typer.Option(help="Kind of province: in a hostile one clerks err far more often.")
        ] = ProfileName.SMALL,
        events: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Write what Kafka would hold as kcat -J lines into this folder, and no database.",
            ),
        ] = None,
        files: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Write the five offline files into this folder, and no database."
            ),
        ] = None,
        changes: Annotated[
            int, typer.Option(min=0, help="Transactions after the filling; with --events and --files.")
        ] = 1000,
        dsn: Annotated[
            list[str] | None,
            typer.Option(
                metavar="DEPARTMENT=DSN",
                help="A department's database; give one for each. Default: those of the hub on --data.",
            ),
        ] = None,
        truth: Annotated[
            Path | None, typer.Option(help="Folder for the ground truth; default truth in --data.")
        ] = None,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
    ) -> None:
        """Fill the departments' databases with an invented population and keep changing them.

        Give the same command again and it goes on where it stopped. Ctrl-C ends it.
        """
        with reported():
            if events is not None:
                population = Population(seed, people, profile=PROFILES[profile.value])
                _write_events(events, population, changes, _course(start, daily), json=json)
            if files is not None:
                _write_files(
                    files, Population(seed, people, profile=PROFILES[profile.value]), changes, json=json
                )
            if events is not None or files is not None:
                return
            folder = settings.load(data).data.absolute()
            course = None if day is None else _course(start, rate * day / ROWS)
            simulator = Simulator(
                _dsns(folder, dsn or []), people, seed, truth or folder / TRUTH_FOLDER, course
            )
            summary = Summary(people, seed, {})
            with ExitStack() as stack:
                courier = None
                if deliveries is not None:
                    courier = stack.enter_context(Courier(deliveries, Population(seed, people)))
                _simulate(simulator, summary, rate, duration, day or 0.0, courier)
            if json:
                typer.echo(msgspec.json.encode(summary))
            else:
                _print(summary)


class EventsSummary(msgspec.Struct):
    """What ``--events`` wrote: the one line of ``--json``. ``events`` counts lines by topic."""

    people: int
    seed: int
    persons: int
    mentions: int
    transactions: int
    events: dict[str, int]


def _course(start: datetime | None, daily: float | None) -> Course | None:
    """Return the course of so many transactions a mean day. Raises BadParameter where the province is not there yet."""
    if daily is None:
        return None
    begin = BASE_TIME if start is None else start.replace(hour=BASE_TIME.hour, tzinfo=BASE_TIME.tzinfo)
    try:
        return Course(begin, daily)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _write_events(
    folder: Path, population: Population, transactions: int, course: Course | None, *, json: bool
) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bars:
        filling = bars.add_task("writing the snapshot", total=population.people, text="")
        changing = bars.add_task("writing changes", total=transactions, text="")

        def show(written: Written) -> None:
            bars.update(filling, completed=written.people, text=f"{sum(written.events.values()):,} events")
            bars.update(changing, completed=written.transactions)

        written = write_events(folder, population, transactions, show, course)
    if json:
        summary = EventsSummary(
            population.people,
            population.seed,
            written.persons,
            written.mentions,
            written.transactions,
            written.events,
        )
        typer.echo(msgspec.json.encode(summary))
        return
    typer.echo(
        f"wrote {sum(written.events.values()):,} events in {len(written.events)} topics of {written.persons:,} people "
        f"to {folder}; the truth about {written.mentions:,} mentions is in {folder / TRUTH}\n"
        f"next: renkou replay {folder}/*.events.jsonl --data DIR, "
        f"then renkou evaluate --truth {folder / TRUTH} --data DIR"
    )


def _write_files(folder: Path, population: Population, transactions: int, *, json: bool) -> None:
    delivered = deliver(folder, population, transactions)
    if json:
        typer.echo(msgspec.json.encode(delivered.records))
        return
    for name, records in delivered.records.items():
        typer.echo(f"{folder / name}: {records:,} records")
    typer.echo("next: renkou load FEED FILE --data DIR")


def _dsns(data: Path, given: list[str]) -> dict[str, str]:
    """Return the databases to use: those given, or those of the running hub that can be simulated."""
    if given:
        pairs = [item.partition("=") for item in given]
        for department, equals, dsn in pairs:
            if department not in DEPARTMENTS or not equals or not dsn:
                raise typer.BadParameter(
                    f"--dsn takes DEPARTMENT=DSN with a department of {', '.join(DEPARTMENTS)}"
                )
        return {department: dsn for department, _, dsn in pairs}
    running = endpoints.load(data)
    if running is None:
        raise TerminalError(f"no hub was started on {data}; start one with renkou up, or give --dsn")
    found = {department: dsn for department, dsn in running.sources.items() if department in DEPARTMENTS}
    if not found:
        raise TerminalError(f"the hub on {data} has no sources of its own; give --dsn for each department")
    return found


def _simulate(
    simulator: Simulator,
    summary: Summary,
    rate: float,
    duration: float | None,
    day: float,
    courier: Courier | None,
) -> None:
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Progress(
            *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
        ) as bars:
            filling = bars.add_task("filling the tables", total=summary.people, text="")

            def show_filled(filled: Filled) -> None:
                if stop.is_set():
                    raise KeyboardInterrupt
                bars.update(filling, completed=filled.people, text=f"{sum(filled.rows.values()):,} rows")

            filled = simulator.load(show_filled)
            if filled is None:
                bars.update(filling, completed=summary.people, text="full already")
            else:
                summary.filled_rows = filled.rows
            if rate > 0:
                changing = bars.add_task("changing rows", total=duration, text="")

                def show_pace(pace: Pace) -> None:
                    behind = max(0, pace.due - pace.rows)
                    text = f"{pace.rows:,} rows, {pace.rate:,.1f}/s" + (
                        f", {behind:,} behind" if behind else ""
                    )
                    bars.update(changing, completed=pace.seconds, text=text)

                told = (lambda _moment, _batch: None) if courier is None else courier.notice
                _add(summary, simulator.run(rate, duration, stop, show_pace, day, told))
        summary.was_interrupted = stop.is_set()
    except KeyboardInterrupt:
        summary.was_interrupted = True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    summary.last_transaction = simulator.transaction


def _add(summary: Summary, pace: Pace) -> None:
    summary.seconds = round(pace.seconds, 3)
    summary.transactions, summary.rows, summary.due = pace.transactions, pace.rows, pace.due
    summary.rows_per_second = round(pace.rate, 1)
    summary.reconnects, summary.rows_by_department = pace.reconnects, pace.by_department


def _print(summary: Summary) -> None:
    if summary.filled_rows:
        rows = ", ".join(f"{name} {count:,}" for name, count in summary.filled_rows.items())
        typer.echo(f"filled for {summary.people:,} people: {rows}")
    if summary.seconds:
        typer.echo(
            f"changed {summary.rows:,} rows in {summary.transactions:,} transactions within {summary.seconds:.1f} s: "
            f"{summary.rows_per_second:,.1f} rows/s, {max(0, summary.due - summary.rows):,} behind"
        )
    if summary.was_interrupted:
        typer.echo("interrupted; the same command goes on from here")
