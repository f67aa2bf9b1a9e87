"""``renkou sql`` and ``renkou person``: reading the store from a terminal, also while a hub runs on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.clickhouse.access import Access, QueryError, RefusedError, open_access
from connectors.clickhouse.person import ElementSource, Person, changed, find_by_id_number, read_person
from streams import audit, settings
from streams.cli.errors import reported

_DATA_HELP = "Folder of the hub; default $RENKOU_DATA, else ./.renkou."


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("sql")
    def sql_command(
        query: Annotated[
            str, typer.Argument(help="A query in ClickHouse's SQL; - reads it from standard input.")
        ],
        data: Annotated[Path | None, typer.Option(help=_DATA_HELP)] = None,
        output: Annotated[
            str | None,
            typer.Option("--format", help="Any ClickHouse format (CSV, JSONEachRow, Parquet …)."),
        ] = None,
    ) -> None:
        """Query the store. A table on a terminal, TSVWithNames into a pipe or file."""
        text = sys.stdin.read() if query == "-" else query
        with _reading(settings.load(data), "sql", text) as access:
            _copy(access, text, output or ("PrettyCompact" if sys.stdout.isatty() else "TSVWithNames"))

    @app.command("person")
    def person_command(
        person_id: Annotated[
            str | None, typer.Argument(help="A person id; merged ones are followed.")
        ] = None,
        id_number: Annotated[str | None, typer.Option(help="The ID number instead of the id.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        data: Annotated[Path | None, typer.Option(help=_DATA_HELP)] = None,
    ) -> None:
        """Show a person: golden record, the records it came from, why they are one, history."""
        if (person_id is None) == (id_number is None):
            raise typer.BadParameter("give a person id or --id-number, one of them")
        with _reading(settings.load(data), "person", person_id or id_number or "") as access:
            person = _find(access, person_id, id_number)
        if as_json:
            typer.echo(msgspec.json.encode(person).decode())
        else:
            _show(person)


@contextmanager
def _reading(options: settings.Settings, command: str, question: str) -> Iterator[Access]:
    with reported():
        access = open_access(options.data, options.clickhouse)
        try:
            audit.note(options.data, command, question)
            yield access
        except (QueryError, RefusedError) as error:
            typer.echo(f"renkou: {error}", err=True)
            raise typer.Exit(1) from error
        finally:
            access.close()


def _copy(access: Access, query: str, output: str) -> None:
    try:
        for block in access.blocks(query, output):
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has seen enough (| head). What Python would flush at exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _find(access: Access, person_id: str | None, id_number: str | None) -> Person:
    if id_number is not None:
        found = find_by_id_number(access, id_number)
        if not found:
            typer.echo("renkou: no person has this ID number", err=True)
            raise typer.Exit(1)
        if len(found) > 1:
            typer.echo(
                f"renkou: {len(found)} persons have this ID number: {', '.join(found)}; ask for one", err=True
            )
            raise typer.Exit(1)
        person_id = found[0]
    person = read_person(access, person_id or "")
    if person is None:
        typer.echo("renkou: there is no person of this id", err=True)
        raise typer.Exit(1)
    return person


def _show(person: Person) -> None:
    console = Console()
    heading = f"[bold]{escape(person.person_id)}[/bold]  {person.state}"
    if person.merged_into:
        heading += f", merged into {escape(person.merged_into)}"
    if person.current_id != person.person_id:
        heading += f"; what follows is {escape(person.current_id)}"
    console.print(heading)
    golden = Table("element", "value", "source", title="Golden record 主记录", title_justify="left")
    for element, value in person.elements.items():
        if value is not None:
            golden.add_row(element, escape(str(value)), escape(_source(person.provenance.get(element))))
    console.print(golden)
    rules = {
        (link.department, link.table, link.key, link.role, link.ordinal): link.rule for link in person.links
    }
    records = Table(
        "department", "table", "key", "role", "why", "says", title="Records 来源", title_justify="left"
    )
    for mention in person.mentions:
        place = (mention.department, mention.table, mention.key, mention.role, mention.ordinal)
        role = mention.role if mention.ordinal == 0 else f"{mention.role} {mention.ordinal}"
        says = "  ".join(f"{name}={value}" for name, value in mention.elements.items())
        records.add_row(
            *map(escape, (mention.department, mention.table, mention.key, role, rules.get(place, ""), says))
        )
    console.print(records)
    history = Table("version", "state", "records", "changed", title="History 历史", title_justify="left")
    for state, names in changed(person.history):
        history.add_row(str(state.version), state.state, str(state.mention_count), ", ".join(names))
    console.print(history)


def _source(source: ElementSource | None) -> str:
    """Return what the golden record says of a value's source."""
    if source is None:
        return ""
    shown = f"{source.department}.{source.table}"
    if source.agree:
        shown += f", agrees 一致: {', '.join(source.agree)}"
    if source.disagree:
        shown += f", DISAGREES 不一致: {', '.join(source.disagree)}"
    return shown
