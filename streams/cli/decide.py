"""``renkou reviews`` and ``renkou decide``: the review queue and stewards' decisions from a terminal."""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from avro.record import Decision, DecisionKind, MentionPlace, TableSwitch
from avro.registry import ConfluentRegistry
from connectors.clickhouse.access import Access, QueryError, RefusedError, open_access, rows
from connectors.feeds import Catalog
from connectors.stack import owner
from linkage.errors import DecisionError
from linkage.reviews import SHARE
from streams import audit, decisions, settings, topics
from streams.cli.errors import reported
from streams.decisions import HubEntry, show_place
from streams.process import check_topics
from streams.producer import Producer
from streams.replay import Replay
from streams.schemas import TopicSchemas
from streams.settings import Settings

Data = Annotated[Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")]
_OPEN = "SELECT * EXCEPT (version) FROM reviews WHERE state = 'open' ORDER BY harm DESC, review_id LIMIT {limit:UInt64}"
_COUNTS = (
    "SELECT (SELECT count() FROM reviews WHERE state = 'open') AS open,"
    " (SELECT count() FROM mentions) AS records"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("reviews")
    def reviews_command(
        limit: Annotated[int, typer.Option(min=1, help="Reviews that are listed at most.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
        data: Data = None,
    ) -> None:
        """List the pairs that linking leaves to a human, those that do most harm first."""
        options = settings.load(data)
        with reported(), _reading(options) as access:
            audit.note(options.data, "reviews", str(limit))
            (counts,) = rows(access, _COUNTS)
            open_count = int(counts["open"])
            # What is beyond the share of records that humans are asked to look at is counted, not shown.
            most = max(1, int(int(counts["records"]) * SHARE))
            found = rows(access, _OPEN, {"limit": str(min(limit, most))})
        if as_json:
            for row in found:
                typer.echo(msgspec.json.encode(_shown(row)).decode())
            return
        table = Table("review", "score", "harm", "reason", "left", "right", title="Reviews 待复核")
        for row in found:
            shown = _shown(row)
            table.add_row(*(escape(str(shown[name])) for name in ("review_id", "score", "harm", "reason")),
                          escape(shown["left"]), escape(shown["right"]))  # fmt: skip
        Console().print(table)
        typer.echo(
            f"{len(found)} of {open_count} open; {max(0, open_count - most)} are beyond {SHARE:.0%} of the records; "
            "next: renkou why LEFT RIGHT, then renkou decide --review ID --same or --different"
        )

    @app.command("decide")
    def decide_command(
        left: Annotated[str | None, typer.Argument(help="department.table|key|role|ordinal")] = None,
        right: Annotated[str | None, typer.Argument(help="The other mention, written alike.")] = None,
        review: Annotated[
            str | None, typer.Option(help="A review instead of two mentions, by its number.")
        ] = None,
        same: Annotated[
            bool | None, typer.Option("--same/--different", help="One person, or two persons.")
        ] = None,
        revoke: Annotated[str | None, typer.Option(help="Revoke the decision of this number.")] = None,
        reason: Annotated[str, typer.Option(help="Why; it is kept with the decision.")] = "",
        author: Annotated[str, typer.Option(help="Who decides; the user's name when not given.")] = "",
        despite: Annotated[
            list[str] | None, typer.Option(help="A constraint to set aside: different_numbers.")
        ] = None,
        data: Data = None,
    ) -> None:
        """Say that two mentions are one person or two, or revoke what was said. Prints the decision as JSON."""
        options = settings.load(data)
        with reported():
            with _reading(options) as access:
                audit.note(options.data, "decide", review or revoke or f"{left} {right}")
                now = time.time_ns() // 1000
                by = author or getpass.getuser()
                if revoke is not None:
                    decision = _revoked(access, revoke, by, reason, now)
                    decisions.check_form(decision)
                else:
                    if same is None:
                        raise DecisionError("say --same or --different, or --revoke a decision")
                    ends = _ends(access, left, right, review)
                    kind = DecisionKind.MUST_LINK if same else DecisionKind.CANNOT_LINK
                    decision = Decision(
                        f"D{uuid.uuid4().hex}", kind, *ends, by, reason, now, tuple(despite or ())
                    )
                    decisions.check(access, decision)
            enter(options, decision)
        typer.echo(msgspec.json.encode(decision).decode())


@contextmanager
def _reading(options: Settings) -> Iterator[Access]:
    with closing(open_access(options.data, options.clickhouse)) as access:
        try:
            yield access
        except (QueryError, RefusedError) as error:
            raise DecisionError(f"the store cannot be asked: {error}; see its log") from error


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    ends = {side: show_place(decisions.place_of(row[side])) for side in ("left", "right")}
    return {**row, **ends}


def _ends(
    access: Access, left: str | None, right: str | None, review: str | None
) -> tuple[MentionPlace, MentionPlace]:
    if review is not None and left is None and right is None:
        found = rows(access, "SELECT left, right FROM reviews WHERE review_id = {id:String}", {"id": review})
        if not found:
            raise DecisionError(f"there is no review {review}; renkou reviews lists them")
        return decisions.place_of(found[0]["left"]), decisions.place_of(found[0]["right"])
    if left is None or right is None or review is not None:
        raise DecisionError("name two mentions, or one --review")
    return decisions.read_place(left), decisions.read_place(right)


def _revoked(access: Access, decision_id: str, author: str, reason: str, now: int) -> Decision:
    known = {one.decision_id: one for one in decisions.stored_decisions(access)}.get(decision_id)
    if known is None:
        raise DecisionError(f"there is no decision {decision_id}; the table decisions has them")
    if known.revoked_at is not None:
        raise DecisionError(f"decision {decision_id} is revoked already; nothing is left to do")
    return msgspec.structs.replace(known, revoked_by=author, revoke_reason=reason, revoked_at=now)


def enter(options: Settings, entry: Decision | TableSwitch) -> None:
    """Enter it into the running hub's log, else into the data folder's linker."""
    if owner(options.data.absolute()) is None and not options.broker:
        with closing(Replay(options)) as replay:
            replay.run([entry])
        return
    check_topics(options.broker, [topics.RECORDS])
    schemas = TopicSchemas(ConfluentRegistry(options.registry), Catalog.load(options.feeds))
    HubEntry(Producer(options.broker), schemas).enter(entry)
