"""``renkou status``: what runs, the state of every source and feed, how far every stage is, and the alerts."""

from __future__ import annotations

import datetime as dt
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
from monitoring.answers import FeedStatus, StatusAnswer
from monitoring.conditions import span
from monitoring.page_texts import LABELS
from monitoring.signals import STAGES
from monitoring.status import MICRO, State
from monitoring.workdays import ZONE
from streams import settings
from streams.cli.errors import reported

TIMEOUT: Final = 5.0
NAMES: Final = LABELS["en"]
"""What the page calls the pieces of evidence."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    ) -> None:
        """Show processes, every source's state and lags, feeds and alerts. Exit code 1 when no hub runs here."""
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


def _ask(running: Endpoints) -> StatusAnswer | None:
    try:
        return msgspec.json.decode(
            httpx.get(f"{running.console}/v1/status", timeout=TIMEOUT).content, type=StatusAnswer
        )
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def _show(running: Endpoints, status: StatusAnswer) -> None:
    processes = _table("processes 进程", "process", "pid")
    for name, pid in running.pids.items():
        processes.add_row(name, str(pid))
    Console().print(_sources(status), _feeds(status), processes, _alerts(status))


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading)
    return table


def _sources(status: StatusAnswer) -> Table:
    lags = [f"{stage} lag s" for stage in STAGES]
    table = _table("sources 数据源", "department", "state", "since", *lags, "why and what to do, evidence")
    for source in status.sources:
        seconds = [source.stages[stage].lag_seconds for stage in STAGES]
        shown = ["-" if lag is None else f"{lag:.1f}" for lag in seconds]
        # What is well needs no proof: the page and --json have it all.
        unwell = source.state is not State.IDLE or not all(item.good for item in source.evidence)
        said = [f"{'✓' if item.good else '✕'} {NAMES[item.name]} {item.value}" for item in source.evidence]
        why = [source.reason_zh, source.reason, *([", ".join(said)] if unwell else [])]
        table.add_row(
            source.department, source.state.value, _ago(status, source.since), *shown, "\n".join(why)
        )
    return table


def _feeds(status: StatusAnswer) -> Table:
    headings = ("feed", "this hour", "usual", "next due", "last delivery", "last reconciliation")
    table = _table("feeds 数据类", *headings)
    for feed in status.feeds:
        table.add_row(
            f"{feed.zh} {feed.feed}",
            "-" if feed.count is None else str(feed.count),
            "-" if feed.usual is None else f"{feed.usual[0]:.0f}-{feed.usual[1]:.0f}",
            _day(feed.due),
            _day(feed.delivered),
            _verified(status, feed),
        )
    return table


def _verified(status: StatusAnswer, feed: FeedStatus) -> str:
    if feed.verified is None:
        return "-"
    found = f"✕ {feed.differences} differ" if feed.differences else "✓ equal"
    return f"{f'✕ {feed.error}' if feed.error else found}, {_ago(status, feed.verified)} ago"


def _alerts(status: StatusAnswer) -> Table:
    table = _table(
        f"alerts 告警 ({len(status.alerts)})", "severity", "kind", "subject", "since", "what to do"
    )
    for alert in status.alerts:
        muted = " (muted 静音)" if alert.muted else ""
        since = _ago(status, alert.since)
        table.add_row(alert.severity, alert.kind, alert.subject + muted, since, f"{alert.zh}\n{alert.en}")
    return table


def _ago(status: StatusAnswer, moment: int) -> str:
    return span(max(0, status.now - moment) / MICRO)


def _day(moment: int | None) -> str:
    return "-" if moment is None else f"{dt.datetime.fromtimestamp(moment / MICRO, ZONE):%Y-%m-%d %H:%M}"
