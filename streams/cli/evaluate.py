"""``renkou evaluate``: how right the store's persons are, against a truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from avro.record import PERSON_ELEMENTS
from connectors.clickhouse import sql
from connectors.clickhouse.access import Access, QueryError, RefusedError, open_access, rows
from linkage.evaluation import Confusion, Interval, Scores
from linkage.weights import UNIT
from streams import audit, settings
from streams.cli.errors import reported
from streams.cli.link import open_linker
from streams.curve import Point, drawn
from streams.curve import curve as by_threshold
from streams.evaluation import (
    Evaluation,
    Labelled,
    Line,
    Report,
    compact,
    evaluate,
    feeds_of,
    identities,
    lines_at,
    read_labelled,
)
from streams.settings import Settings

_SHOWN: Final = 10
"""Worst errors on a terminal; --json has all that were asked for."""
_PLACE: Final = ("department", "table", "key", "role", "ordinal")


class Member(msgspec.Struct):
    """A mention in an error: its line in the truth (from 1) and its feed. ``key`` and ``values`` with --show-values."""

    line: int
    feed: str
    role: str
    subgroups: list[str]
    key: str | None = None
    values: dict[str, Any] | None = None


class Error(msgspec.Struct):
    """A merge or a split. The elements are those of the first two members: ``same`` in both, ``differ``, or ``absent``
    from one of them, which is why they were taken for one person or for two.
    """

    kind: str
    wrong_pairs: int
    mentions: int
    same: list[str]
    differ: list[str]
    absent: list[str]
    members: list[Member]


class Result(msgspec.Struct):
    """The one object of ``--json``."""

    report: Report
    worst: list[Error]
    curve: tuple[Point, ...] = ()


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("evaluate")
    def evaluate_command(
        truth: Annotated[
            Path,
            typer.Option(
                help="JSON lines or CSV: department, table, key, role, ordinal, person, subgroups. The simulator's "
                "truth.jsonl, or its mentions.jsonl.",
            ),
        ],
        previous: Annotated[
            Path | None,
            typer.Option(
                help="Identities of an earlier state, JSON lines: merges and splits since are counted."
            ),
        ] = None,
        worst: Annotated[int, typer.Option(min=0, help="How many errors to explain.")] = 100,
        show_values: Annotated[
            bool, typer.Option("--show-values", help="Keys and values of the errors: personal data.")
        ] = False,
        curve: Annotated[
            Path | None,
            typer.Option(
                help="Where to draw precision and recall by threshold, as SVG. Reads the linker's state: stop the link "
                "process, or copy the folder.",
            ),
        ] = None,
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ) -> None:
        """Compare the store's persons with a truth: precision, recall, exact clusters, subgroups, the worst errors."""
        with reported():
            options = settings.load(data)
            expected = read_labelled(truth)
            before = None if previous is None else read_labelled(previous)
            access = open_access(options.data, options.clickhouse)
            try:
                audit.note(options.data, "evaluate", str(truth))
                found = evaluate(expected, identities(access), feeds_of(truth, expected), before)
                errors = _explained(access, truth, found, worst, show_values=show_values)
            except (QueryError, RefusedError) as error:
                typer.echo(f"renkou: {error}", err=True)
                raise typer.Exit(1) from error
            finally:
                access.close()
            points = () if curve is None else _draw(curve, options, expected)
        if json:
            typer.echo(msgspec.json.encode(Result(found.report, errors, points)))
        else:
            _print(found.report, errors)


def _draw(path: Path, options: Settings, expected: Labelled) -> tuple[Point, ...]:
    with open_linker(options) as engine:
        points = by_threshold(engine.state, expected)
        path.write_text(drawn(points, engine.state.graph.scorer.link / UNIT), encoding="utf-8")
    return points


def _explained(
    access: Access, truth: Path, found: Evaluation, limit: int, *, show_values: bool
) -> list[Error]:
    confusions = found.worst(limit)
    lines = lines_at(truth, (number for one in confusions for number in one.members))
    shown = [number for one in confusions for number in (one.members if show_values else one.members[:2])]
    stored = _mentions(access, [lines[number] for number in shown])
    return [_error(one, lines, stored, show_values=show_values) for one in confusions]


def _error(
    one: Confusion,
    lines: dict[int, Line],
    stored: dict[tuple[Any, ...], dict[str, Any]],
    *,
    show_values: bool,
) -> Error:
    left, right = (stored.get(_place(lines[number]), {}) for number in one.members[:2])
    error = Error(one.kind, one.wrong_pairs, len(one.members), [], [], [], [])
    for element in PERSON_ELEMENTS:
        ours, theirs = left.get(element), right.get(element)
        if ours is None and theirs is None:
            continue
        group = (
            error.absent if ours is None or theirs is None else error.same if ours == theirs else error.differ
        )
        group.append(element)
    for number in one.members:
        line = lines[number]
        member = Member(number + 1, f"{line.department}.{line.table}", line.role, line.subgroups)
        if show_values:
            values = stored.get(_place(line), {})
            member.key = line.key
            member.values = {name: values[name] for name in PERSON_ELEMENTS if values.get(name) is not None}
        error.members.append(member)
    return error


def _mentions(access: Access, lines: Sequence[Line]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return what the store has of these mentions, by place; those that it lacks are absent."""
    if not lines:
        return {}
    places = ", ".join(
        "({}, {}, {}, {}, {})".format(*map(sql.text, _place(line)[:4]), line.ordinal) for line in lines
    )
    columns = ", ".join(map(sql.name, (*_PLACE, *PERSON_ELEMENTS)))
    query = f"SELECT {columns} FROM mentions WHERE ({', '.join(map(sql.name, _PLACE))}) IN ({places})"  # noqa: S608
    return {tuple(row[name] for name in _PLACE): row for row in rows(access, query)}


def _place(line: Line) -> tuple[str, str, str, str, int]:
    return line.department, line.table, compact(line.key), line.role, line.ordinal


def _print(report: Report, errors: list[Error]) -> None:
    console = Console()
    scores = report.scores
    console.print(
        f"{scores.mentions:,} mentions of {scores.persons:,} persons in {scores.clusters:,} clusters; "
        f"{scores.merges:,} merges, {scores.splits:,} splits; {report.unlinked:,} mentions are not linked, "
        f"{report.unknown:,} identities are not in the truth"
    )
    if report.merged_since is not None:
        console.print(
            f"since the previous state: {report.merged_since:,} merges, {report.split_since:,} splits"
        )
    table = Table(title="Shares, ± half of the 95 % interval", title_justify="left")
    for heading in ("", "mentions", "pair P", "pair R", "pair F1", "B³ P", "B³ R", "exact"):
        table.add_column(heading, no_wrap=True)
    for name, one in (("all", scores), *report.by_subgroup.items(), *report.by_feed.items()):
        table.add_row(name, f"{one.mentions:,}", *map(_text, _figures(one)))
    console.print(table)
    for error in errors[:_SHOWN]:
        feeds = ", ".join(f"{m.feed} {m.role} (line {m.line})" for m in error.members[:2])
        console.print(
            f"{error.kind} of {error.mentions} mentions, {error.wrong_pairs} pairs wrong: {feeds}; "
            f"same {', '.join(error.same) or 'nothing'}; differ {', '.join(error.differ) or 'nothing'}; "
            f"absent {', '.join(error.absent) or 'nothing'}"
        )
        for member in error.members:
            if member.values is not None:
                said = "  ".join(f"{name}={value}" for name, value in member.values.items())
                console.print(escape(f"  {member.feed} {member.key}: {said}"))


def _figures(one: Scores) -> tuple[Interval, ...]:
    return (
        one.pair_precision,
        one.pair_recall,
        one.pair_f1,
        one.bcubed_precision,
        one.bcubed_recall,
        one.exact,
    )


def _text(interval: Interval) -> str:
    if interval.value is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.4f}"
    return f"{interval.value:.4f}±{(interval.high - interval.low) / 2:.3f}"
