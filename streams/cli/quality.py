"""``renkou quality``: what the store's data are worth, against the standard's thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from avro.quality import Unit, thresholds
from connectors.clickhouse.access import QueryError, open_access
from connectors.feeds import Catalog
from monitoring.quality import Measure, measure
from streams import audit, settings
from streams.cli.errors import reported


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("quality")
    def quality_command(
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a measure.")] = False,
        broken: Annotated[
            bool, typer.Option("--broken", help="Only the measures that break their threshold.")
        ] = False,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Measure missing key elements, ID checks, duplicate files and timeliness against the standard's thresholds."""
        options = settings.load(data)
        with reported():
            access = open_access(options.data, options.clickhouse)
            try:
                audit.note(options.data, "quality", "")
                found = measure(access, Catalog.load(options.feeds).feeds)
            except QueryError as error:
                typer.echo(f"renkou: {error}", err=True)
                raise typer.Exit(1) from error
            finally:
                access.close()
        shown = [one for one in found if not (broken and one.is_kept)]
        if as_json:
            for one in shown:
                typer.echo(msgspec.json.encode(one).decode())
        else:
            _show(shown)


def _show(measures: list[Measure]) -> None:
    table = Table(
        "threshold 阈值", "of", "element", "number", "measured", "limit", "", title="Quality 数据质量"
    )
    for one in measures:
        is_share = thresholds()[one.threshold].unit is Unit.SHARE
        value, limit = (
            f"{number:.2%}" if is_share else f"{number:,.0f} s" for number in (one.value, one.limit)
        )
        verdict = "kept 达标" if one.is_kept else "[bold red]BROKEN 未达标[/]"
        number = f"{one.of:,}" if one.of else ""
        table.add_row(one.threshold, one.what, one.element, number, value, limit, verdict)
    Console().print(table)
