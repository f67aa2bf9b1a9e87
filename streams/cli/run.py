"""``renkou run``: one process of the hub."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams import logs, settings
from streams.cli.errors import reported


class Stage(StrEnum):
    """The hub's processes."""

    NORMALIZE = "normalize"
    LINK = "link"
    STORE = "store"
    PUSH = "push"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def run(
        stage: Annotated[Stage, typer.Argument(help="Which process to run.")],
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        port: Annotated[
            int | None,
            typer.Option(help="Port of its HTTP interface; default $RENKOU_PORT, else a free one."),
        ] = None,
    ) -> None:
        """Run one process of the hub against the configured Kafka, registry and ClickHouse, until SIGTERM."""
        from streams import stages  # Faust and the engine are heavy: only who runs a stage pays for them

        with reported():
            options = settings.load(data, port=port)
            logs.configure(options.log_level)
            code = asyncio.run(stages.run(stage.value, options))
        raise typer.Exit(code)
