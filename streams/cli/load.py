"""``renkou load``: files that a department delivered, into the running hub or into a store without one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.errors import DeliveryError
from connectors.feeds import Catalog
from connectors.files.delivery import Delivery
from connectors.files.ledger import FOLDER
from connectors.files.parse import layout_of
from connectors.stack import owner
from streams import settings, topics
from streams.cli.errors import reported
from streams.delivered import tell
from streams.load import HubWay, Loaded, Loader, Options, StoreWay, Way, find_deliveries
from streams.process import check_topics
from streams.producer import Producer
from streams.replay import Replay, Summary
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def load(
        feed: Annotated[str, typer.Argument(help="<department>.<type>, such as justice.sqjz.")],
        files: Annotated[
            list[Path], typer.Argument(help="Delivered files, each with its control file NAME.ok beside it.")
        ],
        data: Annotated[
            Path | None,
            typer.Option(
                help="Folder of the hub, or of a store without one; default $RENKOU_DATA, else ./.renkou."
            ),
        ] = None,
        confirm_deletes: Annotated[
            bool,
            typer.Option("--confirm-deletes", help="Delete what a full delivery lacks, however much it is."),
        ] = False,
        again: Annotated[
            bool, typer.Option("--again", help="Send everything once more, for a store that was made anew.")
        ] = False,
    ) -> None:
        """Load delivered files in the feed's layout, in the order of their dates and sequence numbers.

        Through the running hub; with --data and no hub running there, in this process. Run again, or after a kill, it
        goes on where it was and changes nothing twice. Prints one JSON line of counts.
        """
        with reported():
            _load(feed, files, data, confirm_deletes, again)


def _load(feed_id: str, files: list[Path], data: Path | None, confirm_deletes: bool, again: bool) -> None:
    options = settings.load(data)
    catalog = Catalog.load(options.feeds)
    feed = catalog.by_id(feed_id)
    layout_of(feed)
    deliveries = find_deliveries(feed, files)
    total = Summary()
    chosen = Options(
        folder=options.data / FOLDER,
        delete_limit=options.delete_limit,
        confirm_deletes=confirm_deletes,
        again=again,
    )
    stopping = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda *_: stopping.set())
    try:
        with _way(options, catalog, feed.topic, data is not None) as way:
            loader = Loader(feed, way, chosen)
            for delivery in deliveries:
                loaded = _one(loader, delivery, stopping)
                _report(loaded, chosen)
                if isinstance(way, HubWay) and not loaded.stopped:
                    complaint = tell(options, feed_id, delivery)
                    if complaint:
                        typer.echo(f"{delivery.name}: {complaint}", err=True)
                for name in Summary.__struct_fields__:
                    setattr(total, name, getattr(total, name) + getattr(loaded.summary, name))
                if loaded.stopped or stopping.is_set():
                    break
    except Exception:
        if total.read:
            _print(total)  # of the deliveries before the one that was refused
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    _print(total)
    if stopping.is_set():
        typer.echo("stopped by Ctrl-C; run the same command again to go on", err=True)
        raise typer.Exit(1)


def _one(loader: Loader, delivery: Delivery, stopping: threading.Event) -> Loaded:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(delivery.name, total=delivery.control.records)
        return loader.load(
            delivery, progress=lambda count: progress.advance(task, count), should_stop=stopping.is_set
        )


def _print(total: Summary) -> None:
    sys.stdout.write(msgspec.json.encode(total).decode() + "\n")


@contextmanager
def _way(options: Settings, catalog: Catalog, topic: str, is_given: bool) -> Iterator[Way]:
    """Open the way to the hub that runs on the folder, or that the environment names; else to the folder's store."""
    if owner(options.data.absolute()) is not None or (not is_given and os.environ.get("RENKOU_BROKER")):
        check_topics(options.broker, [topic, topics.DEAD_LETTERS])
        yield HubWay(catalog, Producer(options.broker))
        return
    if not is_given:
        raise DeliveryError(
            f"no hub runs on {options.data} and RENKOU_BROKER is not set; run renkou up, or load into a store "
            "without a hub: --data DIR"
        )
    options.data.mkdir(parents=True, exist_ok=True)
    replay = Replay(options)
    try:
        yield StoreWay(replay)
    finally:
        replay.close()


def _report(loaded: Loaded, options: Options) -> None:
    name = loaded.delivery.name
    if loaded.note:
        typer.echo(f"{name}: {loaded.note}", err=True)
    for refusal in loaded.refusals:
        typer.echo(f"{name}: line {refusal.line}: {refusal.rule}: {refusal.error}", err=True)
    if loaded.refused:
        typer.echo(
            f"{name}: {loaded.refused} lines are dead letters (renkou dead-letters list); all of them are in "
            f"{options.folder / name}.refused.csv",
            err=True,
        )
