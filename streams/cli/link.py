"""``renkou link``: weights learned from the register, what they would change, and the switch to them."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from avro.record import TableName, TableSwitch
from connectors.feeds import Catalog
from linkage.durable import DurableLinker
from linkage.engine import Engine
from linkage.errors import WeightsError
from linkage.generic import default_generic, read_generic
from linkage.weights import default_weights, read_weights
from streams import audit, settings
from streams.cli.decide import enter
from streams.cli.errors import reported
from streams.settings import Settings

Table = Annotated[
    TableName, typer.Option("--table", help="Which table: weights, or generic values that stand for nothing.")
]
Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]
_NOW = "now"
_OWN = "default"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The tables that pairs are scored by.", no_args_is_help=True)
    app.add_typer(group, name="link")

    @group.command()
    def train(
        out: Annotated[Path, typer.Argument(help="Where the learned table goes, a CSV.")],
        pairs: Annotated[int, typer.Option(min=200, help="Pairs a sample.")] = 20_000,
        seed: Annotated[int, typer.Option(help="Of the samples: the same gives the same table.")] = 1,
        data: Data = None,
    ) -> None:
        """Learn a table of weights from the register, without labels, and from decisions. Changes nothing."""
        from linkage.training import train as learn

        options = settings.load(data)
        with reported(), open_linker(options) as engine:
            learned = learn(engine.state, pairs=pairs, seed=seed)
            out.write_text(learned.text, encoding="utf-8")
        typer.echo(
            f"{out}: learned from {learned.same} pairs with one number, {learned.stranger} random ones,"
            f" {learned.family} of families and {learned.decisions} decisions; next: renkou link compare now {out}"
        )

    @group.command()
    def generic(
        out: Annotated[Path, typer.Argument(help="Where the table to be reviewed goes, a CSV.")],
        data: Data = None,
    ) -> None:
        """Learn generic values: what far more people have than can be. Changes nothing; delete lines that are wrong."""
        from linkage.placeholders import learn

        options = settings.load(data)
        with reported(), open_linker(options) as engine:
            audit.note(options.data, "link generic", str(out))
            learned = learn(engine.state)
            out.write_text(learned.text, encoding="utf-8")
        for one in learned.found:
            feeds = ", ".join(one.feeds)
            typer.echo(
                f"{one.element} {one.shown}: {one.holders} people, {one.expected:.3g} expected; {feeds}"
            )
        typer.echo(
            f"{out}: {len(learned.found)} new values; read it, then: renkou link compare now {out} --table generic"
        )

    @group.command()
    def compare(
        old: Annotated[str, typer.Argument(help="A table's file; now is the one in force, default ours.")],
        new: Annotated[str, typer.Argument(help="The table to compare it with, named alike.")],
        table: Table = TableName.WEIGHTS,
        data: Data = None,
    ) -> None:
        """Show what another table would merge and split. Changes nothing; prints one JSON object."""
        from linkage.trial import try_tables

        options = settings.load(data)
        with reported(), open_linker(options) as engine:
            audit.note(options.data, "link compare", f"{old} {new}")
            after = _switch(engine, table, new, "", "")
            before = None if old == _NOW else _switch(engine, table, old, "", "")
            trial = try_tables(engine.state, engine.epoch, before, after)
        typer.echo(msgspec.json.encode(trial).decode())

    @group.command()
    def switch(
        new: Annotated[
            str, typer.Argument(help="The table's file; default is the one that comes with renkou.")
        ],
        reason: Annotated[str, typer.Option(help="Why; it is logged.")],
        table: Table = TableName.WEIGHTS,
        author: Annotated[str, typer.Option(help="Who switches; the user's name when not given.")] = "",
        data: Data = None,
    ) -> None:
        """Link by another table from here on: an entry of the log, so that a replay does the same."""
        options = settings.load(data)
        with reported():
            if not reason.strip():
                raise WeightsError("a switch has a reason; give it with --reason")
            entry = _switch(None, table, new, author or getpass.getuser(), reason)
            Engine.check_switch(entry)
            audit.note(options.data, "link switch", new)
            enter(options, entry)
        typer.echo(f"switched to {new}; everybody is linked anew at this entry of the log")


@contextmanager
def open_linker(options: Settings) -> Iterator[Engine]:
    """Open the linker's state; a hub that runs on the folder has it locked, which is told."""
    folder = options.data / "link"
    if not folder.is_dir():
        raise WeightsError(f"{folder}: there is no linker's state; run renkou replay or renkou up first")
    catalog = Catalog.load(options.feeds)
    with DurableLinker(folder, options.epoch, catalog.authority()) as linker:
        linker.open()
        yield linker.engine


def _switch(engine: Engine | None, table: TableName, name: str, author: str, reason: str) -> TableSwitch:
    if name == _NOW and engine is not None:
        text = engine.state.table(table)
    elif name == _OWN:
        text = default_weights().text if table is TableName.WEIGHTS else default_generic().text
    else:
        text = (read_weights if table is TableName.WEIGHTS else read_generic)(Path(name)).text
    return TableSwitch(table, text, author, reason, time.time_ns() // 1000)
