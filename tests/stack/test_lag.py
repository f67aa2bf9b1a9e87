"""The lag that a running hub publishes against the truth seen from outside, at no, few and many changes a second.

The truth is the age of the oldest committed change that no query shows yet. Where a machine cannot carry the load,
the published lag must grow with the true one. Figures: ``pytest -s -m long tests/stack/test_lag.py``; RENKOU_LAG_RATES
(``0,10,300``) and RENKOU_LAG_SECONDS choose others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.bench import progress
from streams.bench.figures import quantile
from streams.bench.load import Fill, Load, Prepare, Run
from streams.bench.probes import DEPARTMENT, Watch
from streams.bench.progress import Progress
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.long]

WITHIN = 1.0
"""Seconds that the published lag may be off: the figure that is asked for."""
LASTS = float(os.environ.get("RENKOU_LAG_SECONDS", "30"))
PEOPLE = 500
PATIENCE = 300.0
RATES = tuple(map(float, os.environ.get("RENKOU_LAG_RATES", "0,10,1000").split(",")))
"""Changes a second."""


@pytest.fixture(scope="module")
def hub(stack_folder: Path) -> Iterator[RunningHub]:
    with running_hub(stack_folder / "lag") as running:
        yield running


@pytest.fixture(scope="module")
def load(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    with Load(hub.endpoints.sources, PEOPLE, 5, tmp_path_factory.mktemp("truth")) as load:
        load.do(Fill())
        load.do(Run(rate=50.0, seconds=3.0))  # before anything can be prepared
        yield load


@pytest.mark.parametrize("rate", RATES)
def test_the_published_lag_is_within_a_second_of_the_true_one(
    hub: RunningHub, load: Load, rate: float
) -> None:
    if rate:
        load.do(Prepare(int(rate * LASTS)))
    seen = Progress(hub.endpoints, hub.catalog)
    try:
        before = time.time()
        progress.wait("what was before", lambda: seen.frontier() > before, PATIENCE)
    finally:
        seen.close()
    # Without load a change every two seconds, so that there is none and still something to see.
    watch = Watch(hub.dsn(DEPARTMENT), hub.endpoints, 0.1 if rate else 2.0)
    watch.start()
    committed = 0.0
    if rate:
        done = load.do(Run(rate, LASTS))
        committed = done.rows / done.seconds
    else:
        time.sleep(LASTS)
    found = watch.finish(PATIENCE)
    lag = found.lag()
    print(
        f"\n{rate:,.0f} changes/s wanted, {committed:,.0f} committed: published off by p50 {lag.off_p50:.2f} s, "
        f"p95 {lag.off_p95:.2f} s, worst {lag.off_worst:.2f} s over {lag.looks} looks; claims too much "
        f"{lag.overclaims} times; published p50 {lag.published_p50:.2f} s, true p50 {lag.true_p50:.2f} s; commit to "
        f"record p50 {quantile(found.latencies, 0.5):.2f} s, p99 {quantile(found.latencies, 0.99):.2f} s, to person "
        f"p50 {quantile(found.linked_latencies, 0.5):.2f} s, p99 {quantile(found.linked_latencies, 0.99):.2f} s"
    )
    assert found.unseen == 0
    assert lag.looks > LASTS / 2
    assert lag.overclaims == 0
    assert lag.off_p95 <= WITHIN
