"""``renkou config``: the settings in force and where they are documented."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from streams import settings
from streams.cli.errors import reported


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def config(
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Show every setting: its variable, its value now, and what it means."""
        with reported():
            values = settings.load(data)
        for item in fields(values):
            value = getattr(values, item.name) or ""
            shown = "(set)" if value and item.metadata.get("secret") else value
            typer.echo(f"{item.metadata['env']}={shown}\n    {item.metadata['help']}")
