"""A report as Markdown: tables first, then what they mean and how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streams.bench.figures import Report, Stage

RULE: Final = {"rate": 3000.0, "p50": 1.0, "p99": 5.0, "ratio": 3.0, "lag": 1.0}
"""What the project asks of itself; figures that miss it are said to."""
HALF: Final = 0.5

Rows = Sequence[Sequence[str]]


def written(report: Report) -> str:
    """Return the whole report."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def summary(report: Report) -> str:
    """Return the figures that matter most, in a line each."""
    lines = []
    if report.sustained is not None:
        one = report.sustained
        lines.append(f"sustained: {one.median:,.0f} source rows/s ({one.least:,.0f} to {one.greatest:,.0f})")
    for rung in report.rungs:
        lines.append(
            f"at {rung.wanted:,.0f}/s: p50 {rung.p50:.2f} s, p99 {rung.p99:.2f} s, "
            f"published lag off by {rung.lag.off_p95:.2f} s (p95)"
        )
    if report.catch_up is not None:
        lines.append(f"catch-up: {report.catch_up.ratio:.1f} times the rate of arrival")
    return "\n".join([*lines, *report.failures])


def compared(before: Report, after: Report) -> str:
    """Return two reports side by side."""
    names = [name for name in _figures(before) if name in _figures(after)]
    one, other = _figures(before), _figures(after)
    rows = [
        [name, f"{one[name]:,.2f}", f"{other[name]:,.2f}", _change(one[name], other[name])] for name in names
    ]
    header = ["", before.machine.date, after.machine.date, "change"]
    return "\n".join(
        [
            *_table(header, rows),
            "",
            f"Before: {_where(before)}.",
            "",
            f"After: {_where(after)}.",
        ]
    )


def _lines(report: Report) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield (
        "One run of `renkou bench`, as it came out; `make bench` makes this page. Rates are rows of the sources' "
        "tables a second, with linking on."
    )
    yield ""
    yield from _table(["machine", ""], _machine(report))
    yield from _whole(report)
    yield from _alone(report)
    yield from _loads(report)
    yield from _usage(report)
    for section in report.sections:
        yield ""
        yield f"## {section.title}"
        yield from _table(section.header, section.rows)
        for note in section.notes:
            yield ""
            yield note
    yield from _how(report)


def _machine(report: Report) -> Rows:
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return [
        ["date", machine.date],
        ["processor", f"{machine.processor}, {machine.cores} cores for everything, load included"],
        ["memory", f"{machine.memory_gb} GB"],
        ["kernel", machine.kernel],
        ["load average before", f"{machine.load}"],
        ["versions", versions],
        ["size", f"{report.size.name}: {report.size.people:,} people, {report.source_rows:,} rows at first"],
        ["the run took", f"{report.seconds / 60:.1f} min"],
        ["store equals sources at the end", "yes, feed by feed" if report.is_complete else "NO"],
        *([failure, "FAILED"] for failure in report.failures),
        *([what, "left out"] for what in report.left_out),
    ]


def _whole(report: Report) -> Iterator[str]:
    yield ""
    yield "## Everything at once"
    rows = []
    if report.sustained is not None:
        one = report.sustained
        rows.append(
            ["sustained, rows/s", f"{one.median:,.0f}", f"{one.least:,.0f} to {one.greatest:,.0f}, {one.runs} runs",
             _held(one.median >= RULE["rate"], f"{RULE['rate']:,.0f}")]
        )  # fmt: skip
    if report.drains:
        rows.append(
            ["records of a row", f"{sum(d.records for d in report.drains) / _rows(report):.2f}", "", ""]
        )
        rows.append(
            ["stored rows of a row", f"{sum(d.stored for d in report.drains) / _rows(report):.2f}", "", ""]
        )
    if report.catch_up is not None:
        one_up = report.catch_up
        rows.append(
            ["catch-up over arrival", f"{one_up.ratio:.1f} ×",
             f"{one_up.backlog:,} rows behind, {one_up.arriving:,.0f}/s arriving, {one_up.seconds:.1f} s",
             _held(one_up.ratio >= RULE["ratio"], f"{RULE['ratio']:.0f} ×")]
        )  # fmt: skip
    yield from _table(["figure", "median", "spread", "asked"], rows)


def _rows(report: Report) -> int:
    return sum(drain.rows for drain in report.drains)


def _alone(report: Report) -> Iterator[str]:
    yield ""
    yield "## Each part alone"
    yield from _table(
        ["part", "rows", "rows/s", "CPU µs a row", "peak MB"],
        [
            [
                _part(stage),
                f"{stage.rows:,}",
                f"{stage.rate:,.0f}",
                f"{stage.cpu_us:,.0f}",
                f"{stage.peak_mb:,}",
            ]
            for stage in report.stages
        ],
    )


def _part(stage: Stage) -> str:
    return {
        "snapshot": "Debezium, first snapshot",
        "capture": "Debezium, changes (its ceiling)",
    }.get(stage.name, f"{stage.name}, first snapshot")


def _loads(report: Report) -> Iterator[str]:
    yield ""
    yield "## Latency under an open-loop load"
    yield from _table(
        ["wanted/s", "of sustained", "committed/s", "probes", "p50 s", "p99 s", "worst s", "person p50 s",
         "person p99 s", "inside p50 / p99 / p99.9 s"],
        [
            [f"{r.wanted:,.0f}", f"{r.share:.0%}", f"{r.committed:,.0f}", f"{r.probes}", f"{r.p50:.2f}",
             f"{r.p99:.2f}", f"{r.worst:.2f}", f"{r.linked_p50:.2f}", f"{r.linked_p99:.2f}",
             " / ".join(f"{value:.2f}" for value in r.inside.values())]
            for r in report.rungs
        ],
    )  # fmt: skip
    half = next((r for r in report.rungs if abs(r.share - HALF) < 0.01), None)
    if half is not None:
        good = half.p50 <= RULE["p50"] and half.p99 <= RULE["p99"]
        yield ""
        yield f"At half of the sustained rate p50 ≤ 1 s and p99 ≤ 5 s are asked: {'held' if good else 'NOT held'}."
    yield ""
    yield "## The published lag against the truth"
    yield from _table(
        ["changes/s", "looks", "published p50 s", "true p50 s", "off p50 s", "off p95 s", "off worst s",
         "claims too much"],
        [
            [f"{r.wanted:,.0f}", f"{r.lag.looks}", f"{r.lag.published_p50:.2f}", f"{r.lag.true_p50:.2f}",
             f"{r.lag.off_p50:.2f}", f"{r.lag.off_p95:.2f}", f"{r.lag.off_worst:.2f}", f"{r.lag.overclaims}"]
            for r in report.rungs
        ],
    )  # fmt: skip


def _usage(report: Report) -> Iterator[str]:
    yield ""
    yield "## Processor and memory"
    names = sorted({name for drain in report.drains for name in drain.cpu_us})
    rows = []
    for name in names:
        costs = [drain.cpu_us.get(name, 0.0) for drain in report.drains]
        hours = sum(costs) / len(costs) / 3600
        rows.append(
            [name, f"{sum(costs) / len(costs):,.0f}", f"{hours:.3f}", f"{report.peak_mb.get(name, 0):,}"]
        )
    total = sum(sum(drain.cpu_us.values()) for drain in report.drains) / max(1, len(report.drains))
    rows.append(["together", f"{total:,.0f}", f"{total / 3600:.3f}", f"{sum(report.peak_mb.values()):,}"])
    yield from _table(["process", "CPU µs a row", "core hours a million rows", "peak MB"], rows)
    if report.load_cpu_us is not None:
        yield ""
        yield (
            f"The load itself takes {report.load_cpu_us:,.0f} µs a row beside these; it shares the cores in every "
            "latency, and not in the sustained rate."
        )


def _how(report: Report) -> Iterator[str]:
    yield ""
    yield "## How it was measured"
    yield (
        "*Sustained*: so many rows are committed while the connectors are paused; the time runs from the first "
        "captured change until the last stored row, the work after the last record (identities, persons) included. "
        f"*Alone*: the first snapshot's {report.source_rows:,} rows, nothing else of the hub running; a process's "
        "start is not counted. *Latency*: a resident of our own is updated ten times a second on a fixed schedule "
        "(every two seconds without load) and looked for by queries, the record and, for *person*, the golden record "
        "as well; it counts from the moment the update was due, so a "
        "source or hub that is held up is not spared. *Inside* is the hub's own histogram over all changes. "
        "*Published lag*: now minus the frontier in `/metrics`; *true*: the age of the oldest probe that is "
        "committed and that record and person do not both show; where the load is more than is sustained both "
        "must grow together; *off* is what a look's own duration does not "
        "explain. *Catch-up*: the hub's processes are held while Debezium captures a backlog, then let go while the "
        "source goes on."
    )


def _figures(report: Report) -> dict[str, float]:
    found: dict[str, float] = {}
    if report.sustained is not None:
        found["sustained, rows/s"] = report.sustained.median
    if report.catch_up is not None:
        found["catch-up ratio"] = report.catch_up.ratio
    for stage in report.stages:
        found[f"{_part(stage)}, rows/s"] = stage.rate
        found[f"{_part(stage)}, CPU µs"] = stage.cpu_us
    for rung in report.rungs:
        name = f"{rung.share:.0%}" if rung.share in (0.1, 0.5, 0.9) else f"{rung.wanted:,.0f}/s"
        found[f"p50 at {name}, s"] = rung.p50
        found[f"p99 at {name}, s"] = rung.p99
    for name, peak in report.peak_mb.items():
        found[f"peak of {name}, MB"] = peak
    return found


def _change(before: float, after: float) -> str:
    return f"{after / before - 1:+.0%}" if before else ""


def _where(report: Report) -> str:
    machine = report.machine
    return (
        f"{machine.processor}, {machine.cores} cores, load {machine.load}, {report.size.people:,} people, "
        f"renkou {machine.versions.get('renkou', '?')}"
    )


def _held(is_held: bool, asked: str) -> str:
    return f"≥ {asked}: {'held' if is_held else 'NOT held'}"


def _table(header: Sequence[str], rows: Rows) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
