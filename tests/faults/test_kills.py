"""Processes die under load; afterwards the store holds exactly what the sources hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import kill_under_load
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.faults]

KILLS_SHORT = 5
KILLS_LONG = int(os.environ.get("RENKOU_KILLS", "35"))


@pytest.fixture(scope="module")
def hub(stack_folder: Path) -> Iterator[RunningHub]:
    with running_hub(stack_folder / "faults") as running:
        yield running


def test_five_kills_lose_double_and_resurrect_nothing(hub: RunningHub) -> None:
    report = kill_under_load(hub, seed=int(os.environ.get("RENKOU_SEED", "5")), kills=KILLS_SHORT)
    print(report.summary)
    assert report.differences == []
    assert hub.dead_letters() == 0


@pytest.mark.long
def test_many_kills_lose_double_and_resurrect_nothing(hub: RunningHub) -> None:
    report = kill_under_load(hub, seed=int(os.environ.get("RENKOU_SEED", "30")), kills=KILLS_LONG)
    print(report.summary)
    assert report.differences == []
    assert hub.dead_letters() == 0
    assert sum(report.kills.values()) == KILLS_LONG
