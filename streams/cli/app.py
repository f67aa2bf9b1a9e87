"""Puts the command line together. A command's module is loaded when the command is used, not before.

Together they load Kafka's client, the engine, a web framework and the simulator, which is seconds; ``renkou
status`` wants none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its name, the module of this package with its ``register(app)``, and what ``--help`` says.

    ``help`` is the first paragraph of the command's own; a test holds them together.
    """

    name: str
    module: str
    help: str


ENTRIES: Final = (
    Entry(
        "up", "stack", "Start the whole hub on this machine in the background, and return when it is ready."
    ),
    Entry("down", "stack", "Stop the hub that runs on the folder, in order, and return when it has ended."),
    Entry("feeds", "feeds", "Check and show the feeds: which tables are read, and how."),
    Entry("connect", "connect", "Register the feeds' connectors in Kafka Connect."),
    Entry(
        "simulate",
        "simulate",
        "Fill the departments' databases with an invented population and keep changing them.",
    ),
    Entry(
        "run",
        "run",
        "Run one process of the hub against the configured Kafka, registry and ClickHouse, until SIGTERM.",
    ),
    Entry(
        "status",
        "status",
        "Show processes, every source's state and lags, feeds and alerts. Exit code 1 when no hub runs here.",
    ),
    Entry("alerts", "alerts", "Alerts: list them, test the channels, mute with an end."),
    Entry("replay", "replay", "Take events as kcat -J prints them through normalize, link and sink."),
    Entry(
        "load",
        "load",
        "Load delivered files in the feed's layout, in the order of their dates and sequence numbers.",
    ),
    Entry("dead-letters", "dead_letters", "Changes that could not become records."),
    Entry(
        "export",
        "gateway",
        "Write what the captured topics have gained since the last export as one bundle of files with a manifest.",
    ),
    Entry(
        "import",
        "gateway",
        "Publish the bundles of a folder into the topics of the same names, each event once and in order.",
    ),
    Entry("sql", "query", "Query the store. A table on a terminal, TSVWithNames into a pipe or file."),
    Entry(
        "person",
        "query",
        "Show a person: golden record, the records it came from, why they are one, history.",
    ),
    Entry(
        "reviews", "decide", "List the pairs that linking leaves to a human, those that do most harm first."
    ),
    Entry(
        "decide",
        "decide",
        "Say that two mentions are one person or two, or revoke what was said. Prints the decision as JSON.",
    ),
    Entry(
        "why",
        "why",
        "Tell why it is one person, why not, and how it came about: every element's evidence in bits.",
    ),
    Entry("link", "link", "The tables that pairs are scored by."),
    Entry(
        "verify",
        "verify",
        "Compare sources and store by value while both run. Exit code 1 when they differ or it cannot be told.",
    ),
    Entry(
        "quality",
        "quality",
        "Measure missing key elements, ID checks, duplicate files and timeliness against the standard's thresholds.",
    ),
    Entry(
        "evaluate",
        "evaluate",
        "Compare the store's persons with a truth: precision, recall, exact clusters, subgroups, the worst errors.",
    ),
    Entry(
        "bench", "bench", "Measure rates, latencies and catch-up on a stack of its own, and write a report."
    ),
    Entry("config", "config", "Show every setting: its variable, its value now, and what it means."),
    Entry(
        "demo",
        "demo",
        "Run sources, Kafka, Connect, registry, hub and store here, and watch changes arrive. Ctrl-C ends it.",
    ),
)
"""In the order in which ``renkou --help`` lists them."""


class _Late(TyperCommand):
    """Stands for a command until it is used."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(name=entry.name, help=entry.help)
        self._entry = entry

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the context of the command itself, which takes it from here."""
        return loaded(self._entry).make_context(*arguments, **options)


class _Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {entry.name: _Late(entry) for entry in ENTRIES}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in their order."""
        return list(self.commands)


def loaded(entry: Entry) -> Any:
    """Return the command of an entry, a click command or group, from its module."""
    app = typer.Typer()
    import_module(f"streams.cli.{entry.module}").register(app)
    return typer.main.get_group(app).commands[entry.name]


def build() -> typer.Typer:
    """Return the application with every command."""
    app = typer.Typer(
        name="renkou",
        cls=_Commands,
        help="A streaming change-data-capture hub for a population register. 人口登记流式数据枢纽。",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @app.callback()
    def renkou() -> None:
        pass

    return app
