"""``renkou replay``: events from files into an embedded store, without Kafka."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streams import settings
from streams.cli.errors import reported
from streams.replay import Replay, Summary, read_files


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def replay(
        files: Annotated[
            list[str], typer.Argument(help="Files of kcat -J lines, in order; - is standard input.")
        ],
        data: Annotated[
            Path | None, typer.Option(help="Folder of the store; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        by_feed: Annotated[
            bool, typer.Option("--by-feed", help="Also print the counts of each feed, on stderr.")
        ] = False,
    ) -> None:
        """Take events as kcat -J prints them through normalize, link and sink.

        Run again, or after a kill, it continues and changes nothing twice. Prints one JSON line of counts.
        """
        with reported():
            _replay(files, data, by_feed)


def _replay(files: list[str], data: Path | None, by_feed: bool) -> None:
    for name in files:
        if name != "-" and not os.access(name, os.R_OK):
            typer.echo(f"{name}: there is no such readable file", err=True)
            raise typer.Exit(1)
    options = settings.load(data)
    options.data.mkdir(parents=True, exist_ok=True)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    previous = signal.signal(signal.SIGINT, stop)
    console = Console(stderr=True)
    columns = (
        TextColumn("replay"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
    )
    replay = Replay(options)
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("events", total=None)
            summary = replay.run(
                read_files(files),
                progress=lambda count: progress.advance(task, count),
                should_stop=lambda: stopped,
            )
    finally:
        replay.close()
        signal.signal(signal.SIGINT, previous)
    if by_feed:
        for line in _lines(replay.by_feed):
            typer.echo(line, err=True)
    sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    if stopped:
        typer.echo("stopped by Ctrl-C; run the same command again to go on", err=True)
        raise typer.Exit(1)


def _lines(by_feed: Mapping[str, Summary]) -> Iterator[str]:
    """Yield the counts, a line a feed. One that does not add up says so: it would be a defect."""
    fields = Summary.__struct_fields__
    yield " ".join((f"{'feed':26}", *(f"{field:>12}" for field in fields)))
    for feed, counts in sorted(by_feed.items()):
        read, *outcomes = figures = [getattr(counts, field) for field in fields]
        wrong = "" if read == sum(outcomes) else "  DOES NOT ADD UP"
        yield " ".join((f"{feed or '(no feed)':26}", *(f"{figure:12}" for figure in figures))) + wrong
