"""``renkou alerts``: what is wrong, a test of the channels, and mutes that end."""

from __future__ import annotations

import datetime as dt
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from connectors import endpoints
from monitoring.answers import AlertsAnswer, MuteRequest, TestAnswer
from monitoring.conditions import span
from monitoring.workdays import ZONE
from streams import settings
from streams.cli.errors import reported

TIMEOUT: Final = 10.0
TEST_SECONDS: Final = 30.0
"""How long a test waits for its channels; afterwards they are still tried."""
MICRO: Final = 1_000_000

_SPAN: Final = re.compile(r"([1-9][0-9]*)([mhd])")
_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400}

Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Alerts: list them, test the channels, mute with an end.")
    app.add_typer(group, name="alerts")

    @group.command("list")
    def list_(
        data: Data = None, json: Annotated[bool, typer.Option("--json", help="For machines.")] = False
    ) -> None:
        """Show alerts that go on and mutes in force. Exit code 1 when no hub runs here."""
        answer = _call("GET", "/v1/alerts", data)
        if json:
            sys.stdout.write(answer.decode() + "\n")
        else:
            _show(msgspec.json.decode(answer, type=AlertsAnswer))

    @group.command()
    def test(data: Data = None) -> None:
        """Send a test alert the way of every real one. Exit code 1 when a channel does not take it."""
        sent = msgspec.json.decode(_call("POST", "/v1/alerts/test", data, b""), type=TestAnswer)
        if not sent.channels:
            typer.echo("no channel is configured; name a file of channels with RENKOU_ALERTS", err=True)
            raise typer.Exit(1)
        deadline = time.monotonic() + TEST_SECONDS
        while sent.waiting and time.monotonic() < deadline:
            time.sleep(0.2)
            sent = msgspec.json.decode(_call("GET", f"/v1/alerts/test/{sent.id}", data), type=TestAnswer)
        for channel in sent.channels:
            reason = sent.waiting.get(channel)
            typer.echo(f"{channel}: {'taken' if reason is None else reason or 'not taken yet'}")
        if sent.waiting:
            raise typer.Exit(1)

    @group.command()
    def mute(
        subject: Annotated[str, typer.Argument(help="A feed, a department, or hub.")],
        until: Annotated[str, typer.Option(help="End: 2027-01-31T18:00 (Beijing time), or in 30m, 4h, 2d.")],
        reason: Annotated[str, typer.Option(help="Why; others see it.")] = "",
        data: Data = None,
    ) -> None:
        """Tell nobody about a feed or source until a moment. What goes on then is told."""
        end = _moment(until)
        request = MuteRequest(subject, int(end.timestamp() * MICRO), reason)
        _call("POST", "/v1/alerts/mutes", data, msgspec.json.encode(request))
        typer.echo(
            f"{subject} is muted until {end:%Y-%m-%d %H:%M}; end it sooner with renkou alerts unmute {subject}"
        )

    @group.command()
    def unmute(subject: str, data: Data = None) -> None:
        """End a mute."""
        _call("DELETE", f"/v1/alerts/mutes/{subject}", data)
        typer.echo(f"{subject} is not muted any more")


def _moment(text: str) -> dt.datetime:
    now = dt.datetime.now(ZONE)
    found = _SPAN.fullmatch(text)
    if found is not None:
        return now + dt.timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment; write 2027-01-31T18:00, or 30m, 4h, 2d") from None
    return moment.replace(tzinfo=ZONE) if moment.tzinfo is None else moment


def _call(method: str, path: str, data: Path | None, body: bytes | None = None) -> bytes:
    with reported():
        folder = settings.load(data).data
        running = endpoints.load(folder)
    if running is None:
        typer.echo(f"no hub runs on {folder}; start one with renkou up", err=True)
        raise typer.Exit(1)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    try:
        answer = httpx.request(method, running.console + path, content=body, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        typer.echo(
            f"the store process does not answer ({type(error).__name__}); see {folder}/logs/store.log",
            err=True,
        )
        raise typer.Exit(1) from None
    if not answer.is_success:
        typer.echo(_detail(answer), err=True)
        raise typer.Exit(1)
    return answer.content


class _Refusal(msgspec.Struct):
    detail: str


def _detail(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=_Refusal).detail
    except msgspec.DecodeError:
        return f"HTTP {answer.status_code}; see the store's log"


def _show(answer: AlertsAnswer) -> None:
    now = time.time()
    table = Table(title=f"alerts 告警 ({len(answer.alerts)})")
    for heading in ("severity", "kind", "subject", "since", "what to do"):
        table.add_column(heading)
    for alert in answer.alerts:
        muted = " (muted 静音)" if alert.muted else ""
        table.add_row(
            alert.severity,
            alert.kind,
            alert.subject + muted,
            span(now - alert.since / MICRO),
            f"{alert.zh}\n{alert.en}",
        )
    mutes = Table(title=f"mutes 静音 ({len(answer.mutes)})")
    for heading in ("subject", "ends in", "reason"):
        mutes.add_column(heading)
    for mute in answer.mutes:
        mutes.add_row(mute.subject, span(mute.until / MICRO - now), mute.reason)
    Console().print(table, mutes, f"channels 通道: {', '.join(answer.channels) or 'none: see RENKOU_ALERTS'}")
