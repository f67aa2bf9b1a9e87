"""What a benchmark run finds. Times are seconds unless the name says otherwise; rates are a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from streams.errors import StreamError

FORMAT: Final = 1


class ReportError(StreamError):
    """A report, or a part of one, cannot be read."""


class Size(msgspec.Struct, frozen=True):
    """How much is measured. ``backlog`` is the rows of one drain, ``rung`` how long each load lasts.

    After half of ``budget`` seconds no further drain is begun, after all of it no further load but the catch-up.
    """

    name: str
    people: int
    drains: int
    backlog: int
    rung: float
    budget: float


SIZES: Final = {
    size.name: size
    for size in (
        Size("small", people=2_000, drains=2, backlog=3_000, rung=10, budget=300),
        Size("medium", people=20_000, drains=3, backlog=15_000, rung=20, budget=540),
        Size("large", people=100_000, drains=3, backlog=60_000, rung=60, budget=2400),
    )
}
"""By name. ``medium`` ends within fifteen minutes on two cores, also slow ones: the budget sees to it."""


class Machine(msgspec.Struct):
    """Where it was measured. ``load`` is the load average of the minute before; other work makes figures worse."""

    date: str
    processor: str
    cores: int
    memory_gb: float
    kernel: str
    load: float
    versions: dict[str, str]


class Spread(msgspec.Struct):
    """The least, the median and the greatest of several runs."""

    least: float
    median: float
    greatest: float
    runs: int


class Stage(msgspec.Struct):
    """One part alone on the first snapshot: nothing else of the hub runs. ``cpu_us`` is its own CPU time a row."""

    name: str
    rows: int
    seconds: float
    rate: float
    cpu_us: float
    peak_mb: int


class Drain(msgspec.Struct):
    """Everything at once: committed changes wait in the source, are captured, linked and stored.

    ``rows`` are source rows, ``records`` what came of them in the log, ``stored`` rows written to ClickHouse.
    ``rate`` is ``rows`` over the whole time from the first captured change to the last stored row.
    """

    rows: int
    records: int
    stored: int
    seconds: float
    rate: float
    cpu_us: dict[str, float]


class Lag(msgspec.Struct):
    """The published lag against the truth seen from outside, over ``looks``: how far it was off, and how often it
    claimed that a change was queryable which was not.
    """

    looks: int
    off_p50: float
    off_p95: float
    off_worst: float
    overclaims: int
    published_p50: float
    true_p50: float


class Rung(msgspec.Struct):
    """An open-loop load. ``committed`` is what the source really took a second; ``share`` that of the sustained rate.

    Latencies run from the moment a probe was due to be committed to the moment it was seen by a query; they are exact
    to ``resolution``. ``linked_p50`` and ``linked_p99`` run until the person's golden record shows it as well.
    ``inside`` has the hub's own p50, p99 and p99.9 over all changes.
    """

    share: float
    wanted: float
    committed: float
    probes: int
    unseen: int
    p50: float
    p99: float
    worst: float
    inside: dict[str, float]
    resolution: float
    lag: Lag
    cpu: dict[str, float]
    linked_p50: float = 0.0
    linked_p99: float = 0.0


class CatchUp(msgspec.Struct):
    """A backlog in Kafka is worked off while the source goes on.

    ``rate`` is the changes worked off a second, new ones included; ``ratio`` is that over those ``arriving``.
    """

    backlog: int
    arriving: float
    seconds: float
    rate: float
    ratio: float


class Section(msgspec.Struct):
    """A table that another measurement made, to be shown in the same report."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str] = []


class Report(msgspec.Struct):
    """One run. ``failures`` names what could not be measured, or came out wrong; empty when all is well. ``left_out``
    is what there was no time or no room for.
    """

    size: Size
    machine: Machine
    source_rows: int
    stages: list[Stage]
    capture: Stage | None = None
    drains: list[Drain] = []
    sustained: Spread | None = None
    rungs: list[Rung] = []
    catch_up: CatchUp | None = None
    peak_mb: dict[str, int] = {}
    load_cpu_us: float | None = None
    seconds: float = 0.0
    is_complete: bool = False
    failures: list[str] = []
    left_out: list[str] = []
    sections: list[Section] = []
    format: int = FORMAT


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of one value at least."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Spread(ordered[0], median, ordered[-1], len(ordered))


def quantile(values: Sequence[float], fraction: float) -> float:
    """Return the least value that at least ``fraction`` of the values do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-fraction * len(ordered) // 1) - 1))]


def read_report(path: Path) -> Report:
    """Read a report. Raises ReportError, OSError."""
    try:
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise ReportError(f"{path} is no report of renkou bench ({error}); give the .json of a run") from None
    if report.format != FORMAT:
        raise ReportError(f"{path} has format {report.format}, not {FORMAT}; run renkou bench again")
    return report


def read_section(path: Path) -> Section:
    """Read a table of another measurement. Raises ReportError, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Section)
    except msgspec.DecodeError as error:
        raise ReportError(f"{path} is no table of a measurement ({error}); see docs/benchmarks.md") from None
