"""``renkou export`` and ``renkou import``: captured topics across a one-way gateway, as files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from connectors.feeds import Catalog
from connectors.gateway.broker import Broker
from connectors.gateway.export import PART_EVENTS, Exporter
from connectors.gateway.importing import Importer
from streams import settings
from streams.cli.errors import reported
from streams.process import check_topics
from streams.producer import Producer
from streams.schemas import input_topics
from streams.topics import heartbeat

STATE_FOLDER = "gateway"
"""Of both sides' memory, in the data folder."""

Channel = Annotated[str, typer.Option(help="Name of the channel; each has its own numbers and memory.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]


class Exported(msgspec.Struct):
    """What an export wrote; ``bundle`` is 0 when nothing was new."""

    bundle: int = 0
    files: int = 0
    events: int = 0
    lost: list[str] = []


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("export")
    def export_command(
        folder: Annotated[Path, typer.Argument(help="Where the bundle's files are written.")],
        topic: Annotated[
            list[str] | None, typer.Option(help="Only these topics; default all that the feeds name.")
        ] = None,
        department: Annotated[
            list[str] | None, typer.Option(help="Only the topics of these departments.")
        ] = None,
        channel: Channel = "renkou",
        accept_loss: Annotated[
            bool,
            typer.Option(
                "--accept-loss", help="Go on though the broker has lost events; the other side is told."
            ),
        ] = False,
        part_events: Annotated[int, typer.Option(min=1, help="Events of a file at most.")] = PART_EVENTS,
        data: Data = None,
    ) -> None:
        """Write what the captured topics have gained since the last export as one bundle of files with a manifest.

        Killed, it writes the same bundle again. Prints one JSON line.
        """
        with reported():
            options = settings.load(data)
            options.require("broker")
            chosen = topic or _topics(Catalog.load(options.feeds), department)
            check_topics(options.broker, chosen)
            with Broker(options.broker) as source, _Shown("exported") as shown:
                exporter = Exporter(source, options.data / STATE_FOLDER, folder, channel)
                manifest = exporter.export(
                    chosen,
                    time.time_ns() // 1000,
                    accept_loss=accept_loss,
                    part_events=part_events,
                    progress=shown,
                )
        if manifest is None:
            typer.echo(msgspec.json.encode(Exported()).decode())
            return
        lost = [str(range_) for range_ in manifest.lost]
        events = sum(part.count for part in manifest.parts)
        done = Exported(manifest.bundle, len(manifest.parts), events, lost)
        typer.echo(msgspec.json.encode(done).decode())

    @app.command("import")
    def import_command(
        folder: Annotated[Path, typer.Argument(help="Where bundles arrive.")],
        channel: Channel = "renkou",
        data: Data = None,
    ) -> None:
        """Publish the bundles of a folder into the topics of the same names, each event once and in order.

        Names every gap and every repetition; what lies behind a gap waits. Exit code 1 while something is missing.
        Prints one JSON line.
        """
        with reported():
            options = settings.load(data)
            options.require("broker")
            importer = Importer(Producer(options.broker), options.data / STATE_FOLDER, folder, channel)
            check_topics(options.broker, importer.topics())
            with _Shown("imported") as shown:
                report = importer.run(shown)
        for kind in ("missing", "lost", "repeated", "waiting"):
            for sentence in getattr(report, kind):
                typer.echo(f"{kind}: {sentence}", err=True)
        typer.echo(msgspec.json.encode(report).decode())
        if report.missing:
            raise typer.Exit(1)


def _topics(catalog: Catalog, departments: list[str] | None) -> list[str]:
    if not departments:
        return input_topics(catalog)
    feeds = [feed for name in departments for feed in catalog.feeds_of(catalog.department(name).name)]
    return [*dict.fromkeys(feed.topic for feed in feeds), *map(heartbeat, departments)]


class _Shown:
    """A count of events on a terminal; called with how many there are more."""

    def __init__(self, what: str) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(f"{{task.completed:.0f}} events {what}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task(what, total=None)

    def __enter__(self) -> _Shown:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, count: int) -> None:
        self._progress.advance(self._task, count)
