"""Real faults on a real hub: is the state named that they are, and is it over when they are? The long version.

Each look's signals are written as JSON lines, with the state that was right, when RENKOU_RECORD names a file: the
recordings in tests/recordings are judged again by the unit tests.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from connectors.debezium import connector_name
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.long]

INJECTIONS = int(os.environ.get("RENKOU_INJECTIONS", "21"))
SEED = int(os.environ.get("RENKOU_SEED", "7"))
NAMED_WITHIN = 90.0
"""Seconds: the longest threshold is 30 s, and the machine has other work."""
LASTS = 15.0
HEALED_WITHIN = 180.0


@pytest.fixture(scope="module")
def hub(stack_folder: Path) -> Iterator[RunningHub]:
    with running_hub(stack_folder / "states") as running:
        yield running


def signals(hub: RunningHub) -> dict[str, Any]:
    answer = httpx.get(f"{hub.endpoints.console}/v1/signals", timeout=30).json()
    found: dict[str, Any] = answer["signals"]
    return found


def states(hub: RunningHub) -> dict[str, str]:
    answer = httpx.get(f"{hub.endpoints.console}/v1/status", timeout=30).json()
    return {source["department"]: source["state"] for source in answer["sources"]}


class Faults:
    """What can be done to a running hub, each with its undoing. ``who`` is the source that is hit."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        self.named: dict[str, tuple[Callable[[str], Any], str]] = {
            "pause connector": (self._paused, "connector stalled"),
            "stop heartbeats": (self._silent, "connector stalled"),
            "stop connect": (lambda who: self._stopped("connect"), "connector stalled"),
            "stop source": (lambda who: self._stopped("postgresql"), "source down"),
            "stop normalize": (lambda who: self._stopped("normalize"), "consumer lagging"),
            "stop link": (lambda who: self._stopped("link"), "consumer lagging"),
            "idle": (self._nothing, "idle"),
        }

    def _connector(self, who: str) -> str:
        return f"{self._hub.endpoints.connect}/connectors/{connector_name(who)}"

    @contextmanager
    def _paused(self, who: str) -> Iterator[None]:
        httpx.put(f"{self._connector(who)}/pause", timeout=60).raise_for_status()
        yield
        httpx.put(f"{self._connector(who)}/resume", timeout=60).raise_for_status()

    @contextmanager
    def _silent(self, who: str) -> Iterator[None]:
        before = httpx.get(f"{self._connector(who)}/config", timeout=60).json()
        changed = {**before, "heartbeat.interval.ms": "0"}
        httpx.put(f"{self._connector(who)}/config", json=changed, timeout=60).raise_for_status()
        yield
        httpx.put(f"{self._connector(who)}/config", json=before, timeout=60).raise_for_status()

    @contextmanager
    def _stopped(self, name: str) -> Iterator[None]:
        pid = self._hub.pid(name)
        assert pid is not None
        everybody = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in everybody:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in everybody:
                if process.is_running():
                    process.send_signal(signal.SIGCONT)

    @contextmanager
    def _nothing(self, who: str) -> Iterator[None]:
        yield


def test_real_faults_are_named(hub: RunningHub) -> None:
    rng = random.Random(SEED)
    faults = Faults(hub)
    departments = sorted(hub.endpoints.sources)
    order: list[str] = []
    while len(order) < INJECTIONS:
        order += rng.sample(sorted(faults.named), len(faults.named))
    wrong: list[str] = []
    record = os.environ.get("RENKOU_RECORD")
    lines: list[bytes] = []
    _wait(lambda: set(states(hub).values()) == {"idle"}, HEALED_WITHIN)
    for fault in order[:INJECTIONS]:
        who = rng.choice(departments)
        inject, expected = faults.named[fault]
        with inject(who):
            began = time.monotonic()
            named = _wait(partial(_is, hub, who, expected), NAMED_WITHIN)
            took = time.monotonic() - began
            if named:
                end = time.monotonic() + LASTS
                while time.monotonic() < end:
                    time.sleep(2)
                    found = states(hub).get(who)
                    lines.append(
                        msgspec.json.encode({"fault": fault, "state": expected, "signals": signals(hub)[who]})
                    )
                    if found != expected:
                        wrong.append(f"{fault} of {who}: {found} while it lasted")
                        break
            else:
                wrong.append(
                    f"{fault} of {who}: {states(hub).get(who)} and not {expected}: {signals(hub)[who]}"
                )
        healed = _wait(lambda: set(states(hub).values()) == {"idle"}, HEALED_WITHIN)
        print(f"{fault} of {who}: named after {took:.1f} s, healed: {healed}")
        if not healed:
            wrong.append(f"{fault} of {who}: afterwards {states(hub)}")
            break
        lines.append(msgspec.json.encode({"fault": "healed", "state": "idle", "signals": signals(hub)[who]}))
    if record:
        Path(record).write_bytes(b"\n".join(lines) + b"\n")
    assert wrong == []


def _is(hub: RunningHub, who: str, expected: str) -> bool:
    return states(hub).get(who) == expected


def _wait(check: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except httpx.HTTPError:
            pass
        time.sleep(1)
    return False
