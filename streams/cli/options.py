"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Departments = Annotated[
    str,
    typer.Option(
        metavar="all|A,B,…",
        help="Departments whose databases this machine plays, each with a connector of its own.",
    ),
]
