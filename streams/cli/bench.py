"""``renkou bench``: what this machine carries, as a report."""

from __future__ import annotations

import shutil
import signal
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from connectors.feeds import Catalog
from streams import settings
from streams.bench import markdown
from streams.bench.course import Course
from streams.bench.figures import SIZES, Report, Size, read_report, read_section
from streams.cli.errors import reported


class SizeName(StrEnum):
    """How much is measured."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def bench(
        size: Annotated[
            SizeName, typer.Option(help="2,000, 20,000 or 100,000 people; about 3, 10 and 30 minutes.")
        ] = SizeName.MEDIUM,
        seed: Annotated[int, typer.Option(help="Another seed gives another population.")] = 1,
        out: Annotated[
            Path, typer.Option(metavar="DIR", help="Folder for bench.json, bench.md and flame graphs.")
        ] = Path("build/bench"),
        report: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Write the Markdown report here as well.")
        ] = None,
        include: Annotated[
            list[Path] | None,
            typer.Option("--with", metavar="FILE", help="Table of another measurement, for the same report."),
        ] = None,
        flame: Annotated[bool, typer.Option(help="Record a flame graph of each stage with py-spy.")] = False,
        compare: Annotated[
            tuple[Path, Path] | None,
            typer.Option(metavar="BEFORE AFTER", help="Measure nothing; put two bench.json side by side."),
        ] = None,
    ) -> None:
        """Measure rates, latencies and catch-up on a stack of its own, and write a report.

        It needs an idle machine: everything else that runs is in the figures. Ctrl-C ends it and leaves nothing.
        """
        with reported():
            if compare is not None:
                typer.echo(markdown.compared(read_report(compare[0]), read_report(compare[1])))
                return
            sections = [read_section(path) for path in include or []]
            out.mkdir(parents=True, exist_ok=True)
            found = _measure(SIZES[size.value], seed, out if flame else None)
            found.sections = sections
            (out / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
            text = markdown.written(found)
            for path in (out / "bench.md", report):
                if path is not None:
                    path.write_text(text, encoding="utf-8")
        typer.echo(markdown.summary(found))
        typer.echo(f"written: {out / 'bench.json'}, {report or out / 'bench.md'}")
        if not found.is_complete:
            raise typer.Exit(1)


def _measure(size: Size, seed: int, flame: Path | None) -> Report:
    """Measure in a folder that is removed afterwards."""
    console = Console(stderr=True)
    catalog = Catalog.load(settings.load().feeds)
    folder = Path(tempfile.mkdtemp(prefix="renkou-bench-"))
    try:
        folder.chmod(0o711)  # the database's account passes through
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
        with console.status("starting") as status:

            def say(text: str) -> None:
                if console.is_terminal:
                    status.update(text)
                else:
                    console.print(f"{text} …", highlight=False)

            return Course(folder / "hub", size, seed, catalog, say, flame).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
