"""The benchmark's own arithmetic, and how its report reads; what it measures is measured on a real stack."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.endpoints import Endpoints
from connectors.errors import TerminalError
from connectors.simulate import Simulator
from streams.bench import markdown, progress, usage
from streams.bench.figures import (
    SIZES,
    CatchUp,
    Drain,
    Lag,
    Machine,
    Report,
    ReportError,
    Rung,
    Section,
    Stage,
    quantile,
    read_report,
    read_section,
    spread,
)
from streams.bench.probes import BLINK, Probe, Watch, frontier_in
from streams.cli.app import build

LAG = Lag(100, 0.3, 0.8, 0.9, 0, 1.1, 0.8)
RUNG = Rung(
    0.5,
    1600.0,
    1599.0,
    400,
    0,
    0.7,
    3.1,
    3.9,
    {"p50": 0.6, "p99": 3.0, "p99.9": 3.6},
    0.05,
    LAG,
    {"link": 0.4},
)


def report(rate: float = 3200.0, failures: tuple[str, ...] = ()) -> Report:
    """Return a report as a run makes it."""
    drains = [Drain(20_000, 20_400, 99_000, 20_000 / rate, rate, {"link": 120.0, "store": 150.0})] * 2
    return Report(
        SIZES["medium"],
        Machine(
            "2026-11-23 19:00 UTC",
            "a processor",
            2,
            23.5,
            "6.1",
            0.1,
            {"Python": "3.11.7", "renkou": "0.1.0"},
        ),
        150_000,
        [
            Stage("capture", 20_000, 0.8, 25_000.0, 40.0, 300),
            Stage("link", 150_000, 40.0, 3_750.0, 260.0, 500),
        ],
        drains=drains,
        sustained=spread([drain.rate for drain in drains]),
        rungs=[RUNG],
        catch_up=CatchUp(20_000, 640.0, 9.0, 2862.0, 4.5),
        peak_mb={"link": 500, "store": 900},
        load_cpu_us=300.0,
        seconds=600.0,
        is_complete=not failures,
        failures=list(failures),
    )


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from((0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)))
def test_a_quantile_is_the_least_value_that_enough_do_not_exceed(
    values: list[float], fraction: float
) -> None:
    found = quantile(values, fraction)
    assert found in values
    assert sum(value <= found for value in values) >= fraction * len(values) - 1e-9
    below = [value for value in values if value < found]
    assert len(below) < fraction * len(values) or not below


def test_quantiles_and_spreads_of_few_values() -> None:
    assert quantile([], 0.5) == 0.0
    assert [quantile([1, 2, 3, 4], share) for share in (0.25, 0.5, 0.75, 1.0)] == [1, 2, 3, 4]
    assert quantile(list(range(1, 1001)), 0.999) == 999
    found = spread([3.0, 1.0])
    assert (found.least, found.median, found.greatest, found.runs) == (1.0, 2.0, 3.0, 2)
    assert spread([5.0, 1.0, 2.0]).median == 2.0


def test_a_report_is_read_as_it_was_written_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(msgspec.json.encode(report()))
    assert read_report(path) == report()
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(report(), format=0)))
    with pytest.raises(ReportError, match="run renkou bench again"):
        read_report(path)
    path.write_text("{}")
    with pytest.raises(ReportError, match=str(path)):
        read_report(path)
    with pytest.raises(ReportError, match=str(path)):
        read_section(path)


def test_the_report_says_what_holds_and_what_does_not() -> None:
    text = markdown.written(report())
    assert "| sustained, rows/s | 3,200 | 3,200 to 3,200, 2 runs | ≥ 3,000: held |" in text
    assert "p50 ≤ 1 s and p99 ≤ 5 s are asked: held" in text
    assert "| catch-up over arrival | 4.5 × |" in text
    assert "yes, feed by feed" in text
    bad = report(2900.0, ("police.hj_hjxx: the source has 5 rows, the store 4",))
    bad.rungs = [msgspec.structs.replace(RUNG, p99=5.5)]
    bad.sections = [Section("Others", ["who", "rate"], [["a loop", "9"]], ["a note"])]
    text = markdown.written(bad)
    assert "≥ 3,000: NOT held" in text
    assert "p99 ≤ 5 s are asked: NOT held" in text
    assert "| store equals sources at the end | NO |" in text
    assert "the store 4 | FAILED |" in text
    assert "## Others" in text
    assert "| a loop | 9 |" in text


def test_every_table_has_as_many_cells_in_every_row() -> None:
    lines = markdown.written(report()).splitlines()
    for is_table, part in itertools.groupby(lines, lambda line: line.startswith("|")):
        if is_table:
            assert len({line.count("|") for line in part}) == 1


def test_two_reports_side_by_side(tmp_path: Path) -> None:
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    for path, rate in zip(paths, (3000.0, 3600.0), strict=True):
        path.write_bytes(msgspec.json.encode(report(rate)))
    answer = CliRunner().invoke(build(), ["bench", "--compare", *map(str, paths)])
    assert answer.exit_code == 0, answer.output
    assert "| sustained, rows/s | 3,000.00 | 3,600.00 | +20% |" in answer.output


def test_a_frontier_is_found_among_other_metrics() -> None:
    text = (
        "# HELP renkou_frontier_timestamp_seconds Source time.\n# TYPE renkou_frontier_timestamp_seconds gauge\n"
        'renkou_frontier_timestamp_seconds{department="police",stage="linked"} 7.0\n'
        'renkou_frontier_timestamp_seconds{department="police",stage="queryable"} 1.790000000123e+09\n'
        'renkou_frontier_timestamp_seconds{department="hrss",stage="queryable"} 9.0\n'
    )
    assert frontier_in(text, "police") == 1_790_000_000.123
    assert frontier_in(text, "health") is None


def watch() -> Watch:
    return Watch("", Endpoints(), 0.1)


def test_a_number_that_is_seen_stands_for_all_before_it() -> None:
    one = watch()
    one._first = 40
    one._probes += [Probe(due=10.0 + n, committed=10.1 + n) for n in range(4)]
    one._note(-1, -1, 11.0)
    assert [probe.seen for probe in one._probes] == [0.0] * 4
    one._note(41, 40, 12.0)
    one._note(40, 39, 13.0)
    assert [probe.seen for probe in one._probes] == [12.0, 12.0, 0.0, 0.0]
    # What the record shows and the person does not is not queryable yet.
    assert [probe.linked for probe in one._probes] == [12.0, 0.0, 0.0, 0.0]
    assert one._outstanding() == 11.1
    one._note(41, 43, 14.0)
    assert [probe.linked for probe in one._probes] == [12.0, 14.0, 0.0, 0.0]
    one._note(43, 43, 15.0)
    assert one._outstanding() is None
    assert [probe.latency for probe in one._probes] == [2.0, 1.0, 3.0, 2.0]
    assert one._linked == 4


def test_a_frontier_beyond_a_change_that_is_not_visible_claims_too_much() -> None:
    one = watch()
    one._first = 0
    one._probes.append(Probe(due=100.0, committed=100.1))
    one._compare(frontier=99.0, before=None, started=101.0, asked=101.0)
    one._compare(frontier=100.1 + BLINK * 2, before=100.1, started=101.0, asked=101.0)
    # Committed after the look: it was not to be seen.
    one._compare(frontier=99.0, before=None, started=100.0, asked=100.0)
    one._note(0, 0, 101.5)
    one._compare(frontier=101.0, before=None, started=101.8, asked=102.0)
    # It became queryable during a long look: at its beginning or at its end, nobody knows.
    one._compare(frontier=100.0, before=100.1, started=101.0, asked=104.0)
    assert [look.claims_too_much for look in one._looks] == [False, True, False, False, False]
    assert [round(look.true, 3) for look in one._looks] == [0.9, 0.9, 0.0, 0.0, 0.0]
    assert [round(look.published, 3) for look in one._looks] == [2.0, 0.86, 1.0, 1.0, 4.0]
    assert [round(look.off, 3) for look in one._looks] == [1.1, 0.04, 1.0, 0.8, 0.1]


def test_what_was_used_counts_from_the_start_of_a_process_that_was_restarted() -> None:
    assert usage.since({"link": 5.0, "store": 9.0}, {"link": 7.5, "store": 2.0, "kafka": 1.0}) == {
        "link": 2.5,
        "store": 2.0,
        "kafka": 1.0,
    }


def test_latencies_of_a_load_are_those_between_two_looks() -> None:
    infinity = float("inf")
    before = {0.5: 100.0, 1.0: 100.0, infinity: 100.0}
    after = {0.5: 100.0, 1.0: 200.0, infinity: 200.0}
    assert progress.between(before, before) == {}
    assert progress.between(before, after)["p50"] == 0.75


def test_a_simulator_prepares_only_what_follows_a_run(tmp_path: Path) -> None:
    simulator = Simulator({"police": "host=127.0.0.1"}, 200, 1, tmp_path)
    with pytest.raises(TerminalError, match="run the simulator"):
        simulator.prepare(10)


def test_a_section_that_another_measurement_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "part.json"
    path.write_text(json.dumps({"title": "FEBRL", "header": ["a"], "rows": [["1"]]}))
    assert read_section(path) == Section("FEBRL", ["a"], [["1"]])
