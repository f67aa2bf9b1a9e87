"""``renkou status``: what runs, how far every stage is, and the state of every source."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from connectors import endpoints
from connectors.endpoints import Endpoints
from monitoring.signals import STAGES
from monitoring.status import SourceStatus
from streams import settings
from streams.cli.errors import reported

TIMEOUT: Final = 5.0


class Status(msgspec.Struct):
    """What ``--json`` prints."""

    sources: list[SourceStatus]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    ) -> None:
        """Show processes, stages, frontiers and the state of every source. Exit code 1 when no hub runs here."""
        with reported():
            folder = settings.load(data).data
            running = endpoints.load(folder)
        if running is None:
            typer.echo(f"no hub runs on {folder}; start one with renkou up", err=True)
            raise typer.Exit(1)
        answer = _ask(running)
        if answer is None:
            typer.echo(f"the store process does not answer; see {folder}/logs/store.log", err=True)
            raise typer.Exit(1)
        if json:
            sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        else:
            _show(running, answer)


def _ask(running: Endpoints) -> Status | None:
    try:
        return msgspec.json.decode(
            httpx.get(f"{running.console}/v1/status", timeout=TIMEOUT).content, type=Status
        )
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def _show(running: Endpoints, status: Status) -> None:
    table = Table(title="sources 数据源")
    for heading in ("department", "state", *(f"{stage} lag s" for stage in STAGES), "why and what to do"):
        table.add_column(heading)
    for source in status.sources:
        lags = [source.stages[stage].lag_seconds for stage in STAGES]
        shown = ["-" if lag is None else f"{lag:.1f}" for lag in lags]
        table.add_row(source.department, source.state.value, *shown, f"{source.reason_zh}\n{source.reason}")
    processes = Table(title="processes 进程")
    for heading in ("process", "pid"):
        processes.add_column(heading)
    for name, pid in running.pids.items():
        processes.add_row(name, str(pid))
    Console().print(table, processes)
