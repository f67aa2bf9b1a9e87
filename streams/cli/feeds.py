"""``renkou feeds``: checks and shows the feeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from avro.elements import element_of
from avro.schema import feed_schema
from connectors.errors import FeedError
from connectors.feeds import FEED_FOLDER, Catalog, Feed
from streams import settings
from streams.cli.errors import reported

Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Check and show the feeds: which tables are read, and how.", no_args_is_help=True
    )
    app.add_typer(group, name="feeds")

    @group.command()
    def check(
        files: Annotated[
            list[Path] | None, typer.Argument(metavar="[FILE]…", help="Feed files; without, those in use.")
        ] = None,
        schemas: Annotated[
            Path | None,
            typer.Option(
                help="Folder of the feeds' Avro schemas; default: 'schemas' beside the files, else renkou's own."
            ),
        ] = None,
        source: Annotated[
            list[str] | None,
            typer.Option(
                metavar="[DEPARTMENT=]DSN",
                help="Also compare with the live tables of this database. Without DEPARTMENT= it is the one "
                "that the database is named after.",
            ),
        ] = None,
        data: Data = None,
    ) -> None:
        """Validate feed files against the standard, the Avro schemas and the code lists. Exit code 1 on an error."""
        with reported():
            paths = files or sorted((settings.load(data).feeds or FEED_FOLDER).glob("*.yaml"))
            catalog = _read_all(paths, schemas)
            correct = True
            if source:
                from connectors.feeds.source_check import check_source  # the databases' clients
            for text in source or []:
                department, dsn = _source(text)
                feeds = catalog.feeds_of(catalog.department(department).name)
                for difference in check_source(feeds, dsn):
                    word = "error" if difference.error else "note"
                    typer.echo(f"{word}: {difference.feed}: {difference.text}")
                    correct = correct and not difference.error
        if not correct:
            raise typer.Exit(1)
        typer.echo(f"{len(catalog.feeds)} feeds of {len(catalog.departments)} departments are correct")

    @group.command("list")
    def list_feeds(json: Json = False, data: Data = None) -> None:
        """List the feeds."""
        with reported():
            catalog = Catalog.load(settings.load(data).feeds)
        if json:
            _print_json([_summary(feed) for feed in catalog.feeds])
            return
        table = Table("feed", "title", "topic", "key", "roles", "freshness", "retention")
        for feed in catalog.feeds:
            table.add_row(
                feed.id,
                f"{feed.definition.zh} {feed.definition.en}",
                feed.topic,
                ", ".join(feed.key),
                ", ".join(feed.roles),
                f"{feed.freshness} s",
                feed.definition.retention,
            )
        Console().print(table)

    @group.command()
    def show(
        feed: Annotated[str, typer.Argument(help="<department>.<type>, such as police.hj_ryjbxx.")],
        json: Json = False,
        data: Data = None,
    ) -> None:
        """Show what a feed reads and what becomes of each column."""
        with reported():
            found = Catalog.load(settings.load(data).feeds).by_id(feed)
            columns = _columns(found)
        if json:
            _print_json({**_summary(found), "columns": columns, "excluded": dict(found.definition.excluded)})
            return
        console = Console()
        console.print(f"{found.id}  {found.definition.zh} {found.definition.en}", highlight=False)
        console.print(f"{found.topic} → {found.store_table}, key ({', '.join(found.key)})", highlight=False)
        table = Table("column", "rule", "field", "element", "title", "level", "masking", "mentions")
        for column in columns:
            table.add_row(*(str(part) for part in column.values()))
        console.print(table)
        for name, reason in found.definition.excluded.items():
            console.print(f"not collected: {name} ({reason})", highlight=False)


def _read_all(paths: list[Path], schemas: Path | None) -> Catalog:
    """Return the catalogue of these files; report every file with an error, not only the first."""
    errors = []
    for path in paths:
        try:
            Catalog.of_files([path], schemas)
        except FeedError as error:
            errors.append(str(error))
    if errors:
        raise FeedError("\nrenkou: ".join(errors))
    return Catalog.of_files(paths, schemas)


def _source(text: str) -> tuple[str, str]:
    department, equals, dsn = text.partition("=")
    if equals and department.isidentifier():
        return department, dsn
    try:
        name = unquote(urlsplit(text).path.lstrip("/"))
    except ValueError:
        name = ""
    if not name:
        raise FeedError("--source takes [DEPARTMENT=]postgresql://USER@HOST:PORT/DATABASE; a part is missing")
    return name, text


def _summary(feed: Feed) -> dict[str, Any]:
    return {
        "feed": feed.id,
        "department": feed.department,
        "type": feed.type,
        "title": {"zh": feed.definition.zh, "en": feed.definition.en},
        "topic": feed.topic,
        "table": feed.store_table,
        "generation": feed.generation,
        "key": feed.key,
        "roles": dict(feed.roles),
        "freshness_seconds": feed.freshness,
        "retention": feed.definition.retention,
    }


def _columns(feed: Feed) -> list[dict[str, Any]]:
    fields = {field["name"]: field for field in feed_schema(feed.id, feed.schemas)["fields"]}
    described = {name: element_of(field) for name, field in fields.items()}
    return [
        {
            "column": column.name,
            "rule": output.rule_name,
            "field": output.field,
            "element": described[output.field].name,
            "title": fields[output.field].get("doc", ""),
            "level": described[output.field].level,
            "masking": described[output.field].masking.value,
            "mentions": ", ".join(_mentioning(feed, output.field)),
        }
        for column in feed.definition.columns
        for output in column.outputs
    ]


def _mentioning(feed: Feed, field: str) -> Iterable[str]:
    for mention in feed.definition.mentions:
        for element, name in mention.elements.items():
            if name == field:
                yield f"{mention.role}.{element}"


def _print_json(value: Any) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
