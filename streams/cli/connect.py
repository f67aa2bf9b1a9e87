"""``renkou connect``: the feeds' Debezium connectors in Kafka Connect, and what the sources must be set up
with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from connectors import debezium, topics
from connectors import endpoints as files
from connectors.addresses import kind_of, read_address
from connectors.captured import account
from connectors.connect import Outcome
from connectors.debezium import Capture, Connector, Source
from connectors.errors import TerminalError
from connectors.feeds import Catalog
from connectors.stack.connect import secrets_file
from streams import settings
from streams.cli.errors import reported
from streams.hub import captured_tables, database_kind, delivered_topics
from streams.settings import Settings

Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Register the feeds' connectors in Kafka Connect.", no_args_is_help=True)
    app.add_typer(group, name="connect")

    @group.command()
    def apply(
        data: Data = None,
        source: Annotated[
            list[str] | None,
            typer.Option(
                help="DEPARTMENT=postgresql://USER@HOST:PORT/DATABASE or mariadb://…, once a department; "
                "without it the sources of the hub in the data folder.",
            ),
        ] = None,
        password: Annotated[
            str,
            typer.Option(
                help="Where Connect finds the passwords: a reference of its own in which {department} "
                "is filled in.",
            ),
        ] = "${env:RENKOU_{department}_PASSWORD}",  # noqa: S107 (a reference)
        capture: Annotated[
            Capture, typer.Option(help="How Debezium writes changes into Kafka.")
        ] = Capture.JSON,
        replication: Annotated[
            int, typer.Option(help="Copies of each topic; -1 is the brokers' default.")
        ] = -1,
    ) -> None:
        """Create the topics and make the connectors what the feeds say. May be repeated; changes only what
        differs."""
        with reported():
            options = settings.load(data)
            options.require("broker", "connect", *(["registry"] if capture is Capture.AVRO else []))
            catalog = Catalog.load(options.feeds)
            sources = _given(source, password) if source else _local(options)
            connectors = _connectors(options, catalog, sources, capture, replication)
            for applied in debezium.apply(options.connect, connectors):
                changed = f": {', '.join(applied.settings)}" if applied.outcome is Outcome.CHANGED else ""
                typer.echo(f"{applied.name} {applied.outcome.value}{changed}")
            debezium.wait_running(options.connect, [connector.name for connector in connectors])

    @group.command()
    def status(data: Data = None) -> None:
        """Show the connectors and why one does not run. Exit code 1 unless all of them do."""
        with reported():
            options = settings.load(data)
            options.require("connect")
            found = debezium.status(options.connect)
        table = Table("connector", "state", "tasks", "reason")
        for one in found:
            table.add_row(one.name, one.state, ", ".join(one.tasks) or "none", one.reason)
        Console().print(table)
        if not found or not all(one.running for one in found):
            raise typer.Exit(1)

    @group.command()
    def sql(
        department: Annotated[str, typer.Argument(help="Whose database.")],
        role: Annotated[
            str,
            typer.Option(help="The role that Debezium logs in with; MariaDB's account is ROLE_DEPARTMENT."),
        ] = debezium.ROLE,
        data: Data = None,
    ) -> None:
        """Print what the source's administrator runs in the department's database."""
        with reported():
            catalog = Catalog.load(settings.load(data).feeds)
            kind = database_kind(catalog, department)
            sys.stdout.write(
                debezium.source_sql(department, captured_tables(catalog, department), role, kind)
            )


def _connectors(
    options: Settings, catalog: Catalog, sources: list[Source], capture: Capture, replication: int
) -> list[Connector]:
    """Create the topics of ``sources`` and return their connectors."""
    connectors = []
    wanted = [*topics.hub_topics(), *delivered_topics(catalog)]
    for source in sources:
        declared = database_kind(catalog, source.department)
        if source.kind != declared:
            raise TerminalError(
                f"department {source.department} is {declared} in its feed file, but its address is {source.kind}'s; "
                "correct one"
            )
        tables = captured_tables(catalog, source.department)
        wanted += topics.capture_topics(source.department, tables, source.kind)
        connectors.append(
            debezium.connector(
                source, tables, capture=capture, kafka=options.broker, registry=options.registry
            )
        )
    for difference in topics.ensure_topics(options.broker, wanted, replication=replication).differences:
        typer.echo(f"{difference}; change it with Kafka's own tools", err=True)
    return connectors


def _local(options: Settings) -> list[Source]:
    """Return the sources of the one-machine hub in the data folder. Raises TerminalError when none runs
    there."""
    running = files.load(options.data)
    if running is None or not running.sources:
        raise TerminalError(f"no hub runs on {options.data}; name the databases with --source")
    reference = f"${{file:{secrets_file(options.data.absolute())}:password}}"
    return [
        _source(department, dsn, reference, account(department, kind_of(dsn)))
        for department, dsn in running.sources.items()
    ]


def _given(sources: list[str], password: str) -> list[Source]:
    found = []
    for text in sources:
        department, equals, dsn = text.partition("=")
        if not equals:
            raise TerminalError(
                "--source takes DEPARTMENT=postgresql://USER@HOST:PORT/DATABASE or mariadb://…; a part is missing"
            )
        reference = password.replace("{department}", department.upper())
        found.append(_source(department, dsn, reference))
    return found


def _source(department: str, dsn: str, password: str, user: str = "") -> Source:
    """Return the source at this address. A password in it is not used: Connect would show it to all."""
    there = read_address(dsn, department)
    login = user or there.user or account(department, there.kind)
    return Source(department, there.host, there.port, there.database, login, password, there.kind)
