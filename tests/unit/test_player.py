"""The figure that is asked for: seeded injections of signals recorded on a real stack: named and told."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path

from monitoring.signals import Signals
from monitoring.status import State
from tests.support.injections import GROWING
from tests.support.player import TOLD_WITHIN, Injected, play
from tests.support.recorded import Round, read

RECORDINGS = Path(__file__).parents[1] / "recordings"
SEED = int(os.environ.get("RENKOU_SEED", "1"))
PLAYS = int(os.environ.get("RENKOU_PLAYS", "60"))
RIGHT = 0.99
FAULTS = frozenset(
    ("pause connector", "kill connector", "stop heartbeats", "grow slot", "idle", "block sink", "kill connect",
     "stop source", "slow link", "stop normalize", "stop link", "stop kafka")
)  # fmt: skip


@cache
def rounds() -> list[Round]:
    return [one for path in sorted(RECORDINGS.glob("*.jsonl.xz")) for one in read(path)]


@cache
def idle() -> list[list[Signals]]:
    """Runs of looks at departments that nothing was done to, nor to their server."""
    return [
        [look.signals[name] for look in one.looks if look.now <= one.injection.undone]
        for one in rounds()
        for name, fault in one.injection.faults.items()
        if fault == "idle" and GROWING not in one.injection.faults.values()
    ]


def test_every_fault_was_recorded() -> None:
    assert {fault for one in rounds() for fault in one.injection.faults.values()} == FAULTS


def test_seeded_injections_of_recorded_signals_are_named_and_told() -> None:
    found: list[Injected] = []
    for number in range(PLAYS):
        found += play(rounds(), idle(), SEED * 1000 + number)
    real = [one for one in found if one.real]
    right = Counter(not one.wrong for one in real)
    told = sorted(one.told for one in real if one.told is not None)
    print(
        f"\n{right[True]} of {len(real)} injections right ({PLAYS} plays, seed {SEED}); told after p50 "
        f"{told[len(told) // 2]:.0f} s, worst {told[-1]:.0f} s; {len(found) - len(real)} idle departments beside"
    )
    assert len(real) >= 200
    assert {one.fault for one in real} == FAULTS
    assert right[True] >= RIGHT * len(real), [(one.fault, one.wrong[:3]) for one in real if one.wrong][:20]
    assert [one.wrong for one in found if not one.real and one.wrong] == []
    assert all(one.told <= TOLD_WITHIN for one in real if one.told is not None and not one.wrong)
    assert any(one.state is State.IDLE for one in real)
