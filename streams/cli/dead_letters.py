"""``renkou dead-letters``: what could not become a record, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter
from avro.registry import ConfluentRegistry
from connectors.clickhouse.access import Access, QueryError, RefusedError, open_access
from connectors.clickhouse.letters import Line, Selection, count, fetch, lines, named
from connectors.errors import LetterError
from connectors.feeds import Catalog
from connectors.files.ledger import FOLDER
from connectors.stack import owner
from streams import audit, letters, settings, topics
from streams.cli.errors import reported
from streams.letters import HubPost, Reader, Result, StorePost
from streams.normalize import Normalizer
from streams.process import check_topics
from streams.producer import Producer
from streams.replay import Replay
from streams.settings import Settings

Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Letters, TOPIC/PARTITION/OFFSET as list prints them.")]
FeedName = Annotated[str | None, typer.Option("--feed", help="Only those of this feed.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only those set aside for this reason.")]
All = Annotated[bool, typer.Option("--all", help="Every open letter.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Changes that could not become records.", no_args_is_help=True)
    app.add_typer(group, name="dead-letters")

    @group.command("list")
    def list_letters(
        feed: FeedName = None,
        rule: Rule = None,
        state: Annotated[
            str, typer.Option(help="open, replayed, discarded, or any for all of them.")
        ] = "open",
        limit: Annotated[int, typer.Option(min=1, help="Letters that are listed at most.")] = 100,
        as_json: Json = False,
        data: Data = None,
    ) -> None:
        """List letters with their reasons, without personal data."""
        selection = Selection(feed=feed, rule=rule, state=None if state == "any" else state)
        with _reading(settings.load(data)) as access:
            found, total = lines(access, selection, limit), count(access, selection)
        if as_json:
            for line in found:
                typer.echo(msgspec.json.encode(line).decode())
            return
        table = Table(*Line.__struct_fields__)
        for line in found:
            table.add_row(*(escape(str(part)) for part in msgspec.structs.astuple(line)))
        Console().print(table)
        typer.echo(f"{len(found)} of {total}; next: renkou dead-letters show ID, then replay or discard")

    @group.command()
    def show(
        letter: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET as list prints it.")],
        data: Data = None,
    ) -> None:
        """Show one letter with its bytes: personal data. The look is audited."""
        options = settings.load(data)
        with _reading(options) as access:
            audit.note(options.data, "dead-letters show", letter)
            for page in fetch(access, Selection(ids=named([letter]))):
                for one in page:
                    typer.echo(
                        msgspec.json.format(msgspec.json.encode(letters.attributes(one)), indent=2).decode()
                    )
                return
        typer.echo("renkou: there is no such letter; renkou dead-letters list names them", err=True)
        raise typer.Exit(1)

    @group.command()
    def replay(
        ids: Ids = None, feed: FeedName = None, rule: Rule = None, every: All = False, data: Data = None
    ) -> None:
        """Send letters again after their cause was mended: the original bytes, through the same functions.

        What still cannot be read stays open, and the exit code is 1. Prints one JSON line of counts.
        """
        with reported():
            options = settings.load(data)
            result = _replay(options, _selection(ids, feed, rule, every))
        typer.echo(msgspec.json.encode(result).decode())
        if result.unreadable:
            raise typer.Exit(1)

    @group.command()
    def discard(
        ids: Ids = None, feed: FeedName = None, rule: Rule = None, every: All = False, data: Data = None
    ) -> None:
        """Mark letters as discarded. Their bytes stay in the store. Prints one JSON line of counts."""
        with reported():
            options = settings.load(data)
            result = _discard(options, _selection(ids, feed, rule, every))
        typer.echo(msgspec.json.encode(result).decode())


def _selection(ids: list[str] | None, feed: str | None, rule: str | None, every: bool) -> Selection:
    if not (ids or feed or rule or every):
        raise LetterError("name letters, --feed, --rule or --all")
    if ids and (feed or rule or every):
        raise LetterError("name letters, or choose them by --feed and --rule, not both")
    return Selection(ids=named(ids or ()), feed=feed, rule=rule)


@contextmanager
def _reading(options: Settings) -> Iterator[Access]:
    with reported(), _access(options) as access:
        yield access


@contextmanager
def _access(options: Settings) -> Iterator[Access]:
    with closing(open_access(options.data)) as access:
        try:
            yield access
        except (QueryError, RefusedError) as error:
            raise LetterError(f"the store cannot be asked: {error}; see its log") from error


def _chosen(options: Settings, selection: Selection) -> list[list[DeadLetter]]:
    """Return the letters, read before anything is written: without a hub, one process opens the store at a time."""
    with _access(options) as access:
        chosen = list(fetch(access, selection))
    if not chosen:
        raise LetterError("no letter fits; renkou dead-letters list names them")
    return chosen


@contextmanager
def _post(options: Settings) -> Iterator[HubPost | StorePost]:
    if owner(options.data.absolute()) is not None:
        check_topics(options.broker, [topics.DEAD_LETTERS])
        yield HubPost(Producer(options.broker))
        return
    with closing(Replay(options)) as replay:
        yield StorePost(replay)


def _replay(options: Settings, selection: Selection) -> Result:
    pages = _chosen(options, selection)
    result = Result(chosen=sum(map(len, pages)))
    catalog = Catalog.load(options.feeds)
    registry = ConfluentRegistry(options.registry) if owner(options.data.absolute()) is not None else None
    reader = Reader(catalog, Normalizer(catalog, EnvelopeDecoder(registry)), options.data / FOLDER)
    with _post(options) as post:
        for letter, reason in letters.replay(pages, reader, post, time.time_ns() // 1000):
            if reason:
                result.unreadable += 1
                typer.echo(f"{letter}: still cannot be read: {reason}", err=True)
            else:
                result.replayed += 1
    return result


def _discard(options: Settings, selection: Selection) -> Result:
    pages = _chosen(options, selection)
    with _post(options) as post:
        discarded = sum(1 for _ in letters.discard(pages, post, time.time_ns() // 1000))
    return Result(chosen=discarded, discarded=discarded)
