"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Departments = Annotated[
    str,
    typer.Option(
        metavar="all|A,B,…",
        help="Departments that this machine plays: databases, each with a connector of its own, and files.",
    ),
]

Files = Annotated[
    bool | None,
    typer.Option(
        "--files/--no-files",
        help="Deliver the departments' files too. [default: where a department has nothing else, as with all]",
        show_default=False,
    ),
]
