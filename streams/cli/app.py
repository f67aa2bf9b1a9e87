"""Puts the command line together from the modules of this package."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import typer

MODULES: Final = (
    "stack",
    "feeds",
    "connect",
    "simulate",
    "run",
    "status",
    "alerts",
    "replay",
    "load",
    "dead_letters",
    "gateway",
    "query",
    "decide",
    "why",
    "link",
    "verify",
    "evaluate",
    "bench",
    "config",
    "demo",
)
"""Modules with a ``register(app)`` each, in the order in which ``renkou --help`` lists their commands."""


def build() -> typer.Typer:
    """Return the application with every command."""
    app = typer.Typer(
        name="renkou",
        help="A streaming change-data-capture hub for a population register. 人口登记流式数据枢纽。",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name in MODULES:
        import_module(f"streams.cli.{name}").register(app)
    return app
