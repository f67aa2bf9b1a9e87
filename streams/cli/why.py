"""``renkou why``: the evidence for and against two mentions, or a person's, from a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors import endpoints
from connectors.feeds import Catalog
from connectors.stack import owner
from linkage.durable import DurableLinker
from linkage.errors import DecisionError
from linkage.why import PairWhy, PersonWhy
from streams import audit, settings
from streams.cli.errors import reported
from streams.errors import StreamError
from streams.settings import Settings
from streams.why import NOT_FOUND, explain

SECONDS: Final = 60.0
"""How long an answer may take: a batch of the linker comes first."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("why")
    def why_command(
        left: Annotated[str, typer.Argument(help="A person id, or department.table|key|role|ordinal.")],
        right: Annotated[str, typer.Argument(help="The other mention.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Tell why it is one person, why not, and how it came about: every element's evidence in bits."""
        options = settings.load(data)
        with reported():
            audit.note(options.data, "why", f"{left} {right}")
            found = _ask(options, left, right)
        if as_json:
            typer.echo(msgspec.json.encode(found).decode())
        elif isinstance(found, PairWhy):
            _show_pair(found)
        else:
            _show_person(found)


def _ask(options: Settings, left: str, right: str) -> PairWhy | PersonWhy:
    """Ask the link process of a running hub, else the linker's state in the data folder."""
    if owner(options.data.absolute()) is None:
        catalog = Catalog.load(options.feeds)
        folder = options.data / "link"
        if not folder.is_dir():
            raise DecisionError(f"{folder}: there is no linker's state; run renkou replay or renkou up first")
        with DurableLinker(folder, options.epoch, catalog.authority()) as linker:
            linker.open()
            found = explain(linker.engine, left, right)
        if found is None:
            raise DecisionError(NOT_FOUND)
        return found
    running = endpoints.load(options.data)
    if running is None or not running.link:
        raise StreamError("the hub's link process has no address; is it running? renkou status shows it")
    try:
        answer = httpx.get(f"{running.link}/v1/why", params={"left": left, "right": right}, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise StreamError(
            f"the link process does not answer ({type(error).__name__}); try again, or look at its log"
        ) from error
    if not answer.is_success:
        body: dict[str, Any] = msgspec.json.decode(answer.content)
        raise DecisionError(str(body.get("error", f"HTTP {answer.status_code}")))
    if right:
        return msgspec.json.decode(answer.content, type=PairWhy)
    return msgspec.json.decode(answer.content, type=PersonWhy)


def _show_pair(pair: PairWhy) -> None:
    console = Console()
    console.print("one person 同一人" if pair.same_person else "two persons 不同人", style="bold")
    table = Table("evidence", "依据", "against strangers 对陌生人", "against family 对家人")
    for item in pair.evidence:
        table.add_row(escape(item.en), escape(item.zh), f"{item.stranger:+.2f}", f"{item.family:+.2f}")
    console.print(table)
    console.print(f"score 得分 {pair.score:+.2f} bits; links from 关联阈值 {pair.link:+.2f}")
    if pair.one_description:
        console.print("both say the same, and need no score 描述一致")
    if pair.constraint:
        console.print(f"kept apart 限制: {pair.constraint_en} {pair.constraint_zh}")
    if pair.decision:
        console.print(f"decision 判定: {escape(pair.decision)}")
    shared = ", ".join(
        f"{term.en} {term.zh}"
        + (
            f" ({term.holders})"
            if term.holders is not None
            else f" (1 in {1 / term.share:,.0f})"
            if term.share
            else ""
        )
        for term in pair.terms
    )
    console.print(f"brought together by 共同的键: {shared or 'nothing, they are never compared 无'}")


def _show_person(person: PersonWhy) -> None:
    console = Console()
    console.print(f"{person.person_id}  {person.state}", style="bold")
    for name, value in (
        ("merged into 并入", person.merged_into),
        ("split from 拆自", person.split_from),
        ("has taken in 曾并入", ", ".join(person.merged_from)),
    ):
        if value:
            console.print(f"{name} {value}")
    table = Table("record", "role", "rule", title="Mentions 来源", title_justify="left")
    for mention in person.mentions:
        place = mention.place
        table.add_row(escape(f"{place.feed} {place.key}"), f"{place.role} {place.ordinal}", mention.rule)
    console.print(table)
    steps = Table("link", "with", "bits", title="How 关联过程", title_justify="left")
    for step in person.how:
        steps.add_row(
            escape(f"{step.left.feed} {step.left.key}"),
            escape(f"{step.right.feed} {step.right.key}"),
            f"{step.score:+.2f}",
        )
    console.print(steps)
    for pair in person.kept_apart:
        reason = pair.constraint_en or f"score {pair.score:+.2f}"
        place = pair.right.place
        console.print(escape(f"not {pair.right.person_id} ({place.feed} {place.key}): {reason}"))
