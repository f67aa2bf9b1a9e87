"""``python -m connectors.stack.fetch``: downloads the jars of the one-machine stack and makes its start-up
caches, once, with progress."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.errors import ConnectorError, StackError
from connectors.stack import jars


def main() -> int:
    """Fetch what is missing. Returns the exit code."""
    console = Console(stderr=True)
    started = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[file]}"),
    )
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("jars", total=len(jars.missing()), file="")
            fetched = jars.fetch(
                lambda file, done, total: bar.update(task, completed=done, total=total, file=file)
            )
    except StackError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    if fetched:
        console.print(
            f"{fetched} jars downloaded in {time.monotonic() - started:.0f} s into {jars.CACHE_FOLDER}",
            soft_wrap=True,
        )
    _train(console)
    return 0


def _train(console: Console) -> None:
    """Make the start-up caches. Without them everything works, so a failure is told and is not one of the
    set-up."""
    from connectors.stack import training  # takes a second to import, and needs the jars

    started = time.monotonic()
    try:
        with console.status("start-up caches: a minute or two, once") as status:
            made = training.train(
                lambda step: status.update(f"start-up caches, a minute or two, once: {step}")
            )
    except ConnectorError as error:
        console.print(
            f"warning: the stack will take twice as long to start: {error}",
            style="yellow", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        return
    if made:
        console.print(f"{made} start-up caches made in {time.monotonic() - started:.0f} s", soft_wrap=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; what has been fetched is kept, run make again to go on")
