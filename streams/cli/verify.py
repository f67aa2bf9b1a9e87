"""``renkou verify``: are sources and store equal, by value?"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from avro.registry import ConfluentRegistry
from connectors.clickhouse.access import Access, open_access
from connectors.errors import TerminalError
from connectors.feeds import Catalog
from monitoring.reconcile import FeedReport, Kind, Pace
from monitoring.reconcile.journal import hand_in
from streams import audit, settings
from streams.cli.errors import reported
from streams.schemas import TopicSchemas
from streams.stage_check import check_stages
from streams.verify import Verification, new_id, open_repairer, sources_of

_SHOWN = 20
"""Rows of a feed that are listed; ``--json`` has them all."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("verify")
    def verify_command(
        feed: Annotated[
            list[str] | None, typer.Option(help="A feed; without, all that have a database.")
        ] = None,
        repair: Annotated[
            bool,
            typer.Option("--repair", help="Capture differing rows again, delete surplus ones, look again."),
        ] = False,
        show_keys: Annotated[
            bool, typer.Option("--show-keys", help="Name rows by their keys: personal data.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        source: Annotated[
            list[str] | None,
            typer.Option(
                metavar="DEPARTMENT=DSN", help="A department's database; default those of the running hub."
            ),
        ] = None,
        rate: Annotated[
            float, typer.Option(help="Rows a second to read from a source at most; 0: as they come.")
        ] = 0,
        stages: Annotated[
            bool,
            typer.Option(
                "--stages", help="Compare the hub's log, the linker's answers and the store instead."
            ),
        ] = False,
        continuous: Annotated[
            bool, typer.Option("--continuous", help="Begin again, until interrupted.")
        ] = False,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Compare sources and store by value while both run. Exit code 1 when they differ or it cannot be told."""
        with reported(), ExitStack() as closing:
            options = settings.load(data)
            catalog = Catalog.load(options.feeds)
            access = open_access(options.data, options.clickhouse)
            closing.callback(access.close)
            if stages:
                _check_stages(options, catalog, access, as_json)
                return
            sources = sources_of(options, dict(map(_named, source or [])))
            work = Verification(catalog, access, sources, Pace(rows_per_second=rate))
            feeds = work.feeds(feed or ())
            if not feeds:
                raise TerminalError(
                    "no database of a feed is known; start the hub, or name them with --source"
                )
            repairer = open_repairer(options, catalog)[0] if repair else None
            if show_keys:
                audit.note(options.data, "verify", " ".join(one.id for one in feeds))
            clean = True
            while True:
                reports = []
                for report in work.run(feeds, new_id(), repairer):
                    hand_in(options.data, report)
                    reports.append(report)
                    if not as_json:
                        _say(options.data, report, show_keys)
                clean = all(report.is_clean for report in reports)
                if as_json:
                    typer.echo(
                        msgspec.json.encode(
                            [_shown(options.data, one, show_keys) for one in reports]
                        ).decode()
                    )
                if not continuous:
                    break
                time.sleep(1)
            if not clean:
                raise typer.Exit(1)


def _check_stages(options: settings.Settings, catalog: Catalog, access: Access, as_json: bool) -> None:
    options.require("broker", "registry")
    schemas = TopicSchemas(ConfluentRegistry(options.registry), catalog)
    reports = list(check_stages(options.broker, schemas, catalog, access))
    if as_json:
        typer.echo(msgspec.json.encode(reports).decode())
    else:
        for report in reports:
            verdict = (
                "equal" if report.is_clean else f"NOT EQUAL: {report.lost} lost, {report.unknown} unknown"
            )
            same = "same checksum" if report.checksum_in == report.checksum_out else "changed meanwhile"
            counts = f"{report.live_in} and {report.live_out}, {same}"
            typer.echo(f"{report.feed or 'all feeds'}, {report.stage}: {counts}: {verdict}")
    if not all(report.is_clean for report in reports):
        raise typer.Exit(1)


def _named(text: str) -> tuple[str, str]:
    department, equals, dsn = text.partition("=")
    if not equals:
        raise TerminalError("--source takes DEPARTMENT=DSN; a part is missing")
    return department, dsn


class _ShownDifference(msgspec.Struct):
    row: str
    kind: str
    columns: tuple[str, ...]
    elements: tuple[str, ...]
    mentions: tuple[str, ...]


class _ShownReport(msgspec.Struct):
    feed: str
    verification: str
    source_rows: int
    stored_rows: int
    suspects: int
    missing: int
    surplus: int
    different: int
    undecided: int
    unchecked: int
    unfit: int
    repaired: int
    seconds: float
    error: str
    differences: list[_ShownDifference]


def _shown(data: Path, report: FeedReport, show_keys: bool) -> _ShownReport:
    return _ShownReport(
        feed=report.feed,
        verification=report.verification,
        source_rows=report.source_rows,
        stored_rows=report.stored_rows,
        suspects=report.suspects,
        missing=report.count(Kind.MISSING),
        surplus=report.count(Kind.SURPLUS),
        different=report.count(Kind.DIFFERENT),
        undecided=report.undecided,
        unchecked=report.unchecked,
        unfit=report.unfit,
        repaired=report.repaired,
        seconds=(report.finished - report.started) / 1_000_000,
        error=report.error,
        differences=[
            _ShownDifference(
                one.key if show_keys else audit.fingerprint(data, one.key),
                one.kind.value,
                one.columns,
                one.elements,
                one.mentions,
            )
            for one in report.differences
        ],
    )


def _say(data: Path, report: FeedReport, show_keys: bool) -> None:
    shown = _shown(data, report, show_keys)
    verdict = "equal" if report.is_clean else "NOT EQUAL"
    parts = [f"{shown.source_rows} rows in the source, {shown.stored_rows} in the store: {verdict}"]
    for name in ("missing", "surplus", "different", "undecided", "unchecked", "unfit", "repaired"):
        if count := getattr(shown, name):
            parts.append(f"{count} {name}")
    typer.echo(f"{shown.feed}: {', '.join(parts)} ({shown.seconds:.1f} s)")
    if shown.error:
        typer.echo(f"  {shown.error}")
    for one in shown.differences[:_SHOWN]:
        names = ", ".join((*one.columns, *one.elements, *one.mentions))
        typer.echo(f"  {one.kind} {one.row}{f': {names}' if names else ''}")
    if len(shown.differences) > _SHOWN:
        typer.echo(f"  and {len(shown.differences) - _SHOWN} more; --json has them all")
    if not show_keys and shown.differences:
        typer.echo("  rows are named by keyed fingerprints; --show-keys names them by their keys")
