"""Real faults on a real hub: is the state named that they are, who is told and when, and is it over when they are?

The long version. The hub's feeds have short objectives here (30 s), so that the alerts for delays come as well. Each
look's signals are written as JSON lines, with the state that was right, when RENKOU_RECORD names a file: the recordings
in tests/recordings are judged again by the unit tests.
"""

from __future__ import annotations

import os
import random
import re
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
from connectors.feeds import FEED_FOLDER
from tests.support import hooks
from tests.support.hooks import Hook
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.long]

INJECTIONS = int(os.environ.get("RENKOU_INJECTIONS", "21"))
SEED = int(os.environ.get("RENKOU_SEED", "7"))
OBJECTIVE = 30.0
"""Seconds: what the feeds ask of source delay and hub delay here."""
TOLD_WITHIN = OBJECTIVE + 30.0
"""Seconds from the fault within which somebody must be told: the figure that is asked for."""
NAMED_WITHIN = 90.0
"""Seconds: the longest threshold is 30 s, and the machine has other work."""
LASTS = 15.0
HEALED_WITHIN = 180.0


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with hooks.listening() as found:
        yield found


@pytest.fixture(scope="module")
def hub(stack_folder: Path, hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("settings")
    channels = folder / "channels.yaml"
    channels.write_text(f'channels: [{{name: own, kind: webhook, url: "{hook.url}/own"}}]\n')
    strict_feeds(folder / "feeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RENKOU_ALERTS", str(channels))
        patch.setenv("RENKOU_FEEDS", str(folder / "feeds"))
        with running_hub(stack_folder / "states") as running:
            yield running


def strict_feeds(folder: Path) -> None:
    """Write the package's feeds with an objective of its own for the first feed of each file: the strictest counts."""
    folder.mkdir()
    delay = f"{{warn: {OBJECTIVE:.0f}s, error: 10m}}"
    line = f"    objectives: {{source_delay: {delay}, hub_delay: {delay}}}\n"
    for path in FEED_FOLDER.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if "objectives:" not in text.split("\n  - type:")[1]:
            text = re.sub(r"(?m)^    freshness:.*\n", lambda found: found.group() + line, text, count=1)
        (folder / path.name).write_text(text, encoding="utf-8")


def signals(hub: RunningHub) -> dict[str, Any]:
    answer = httpx.get(f"{hub.endpoints.console}/v1/signals", timeout=30).json()
    found: dict[str, Any] = answer["signals"]
    return found


def states(hub: RunningHub) -> dict[str, str]:
    answer = httpx.get(f"{hub.endpoints.console}/v1/status", timeout=30).json()
    return {source["department"]: source["state"] for source in answer["sources"]}


def going_on(hook: Hook) -> set[tuple[str, str]]:
    """Return kind and subject of what was told to have begun and not to be over."""
    found: set[tuple[str, str]] = set()
    for body in hook.bodies("/own"):
        key = (body["kind"], body["subject"])
        if body["status"] == "firing":
            found.add(key)
        else:
            found.discard(key)
    return found


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


def test_real_faults_are_named_and_told(hub: RunningHub, hook: Hook) -> None:
    rng = random.Random(SEED)
    faults = Faults(hub)
    departments = sorted(hub.endpoints.sources)
    order: list[str] = []
    while len(order) < INJECTIONS:
        order += rng.sample(sorted(faults.named), len(faults.named))
    wrong: list[str] = []
    lines: list[bytes] = []
    assert _wait(lambda: _is_well(hub, hook), HEALED_WITHIN), states(hub)
    for fault in order[:INJECTIONS]:
        who = rng.choice(departments)
        inject, expected = faults.named[fault]
        before = len(hook.bodies("/own"))
        with inject(who):
            began = time.monotonic()
            named = _wait(partial(_is, hub, who, expected), NAMED_WITHIN)
            took = time.monotonic() - began
            if not named:
                wrong.append(
                    f"{fault} of {who}: {states(hub).get(who)} and not {expected}: {signals(hub)[who]}"
                )
            told: dict[tuple[str, str], float] = {}
            end = max(began + TOLD_WITHIN if expected != "idle" else 0.0, time.monotonic() + LASTS)
            while named and time.monotonic() < end:
                time.sleep(2)
                for body in hook.bodies("/own")[before:]:
                    if body["subject"] in (who, "hub") and body["status"] == "firing":
                        told.setdefault((body["kind"], body["subject"]), time.monotonic() - began)
                found = states(hub).get(who)
                lines.append(
                    msgspec.json.encode({"fault": fault, "state": expected, "signals": signals(hub)[who]})
                )
                if found != expected:
                    wrong.append(f"{fault} of {who}: {found} while it lasted")
                    break
                if told and time.monotonic() > began + took + LASTS:
                    break
        if expected == "idle":
            wrong += [f"{fault} of {who}: {body} was told" for body in hook.bodies("/own")[before:]]
        elif not told or min(told.values()) > TOLD_WITHIN:
            wrong.append(f"{fault} of {who}: nobody was told within {TOLD_WITHIN:.0f} s, but {told}")
        healed = _wait(lambda: _is_well(hub, hook), HEALED_WITHIN)
        alerts = ", ".join(
            f"{kind} of {subject} after {after:.0f} s" for (kind, subject), after in told.items()
        )
        print(f"{fault} of {who}: named after {took:.1f} s; told: {alerts or 'nothing'}; healed: {healed}")
        if not healed:
            wrong.append(f"{fault} of {who}: afterwards {states(hub)}, told and not over {going_on(hook)}")
            break
        lines.append(msgspec.json.encode({"fault": "healed", "state": "idle", "signals": signals(hub)[who]}))
    record = os.environ.get("RENKOU_RECORD")
    if record:
        Path(record).write_bytes(b"\n".join(lines) + b"\n")
    assert wrong == []


def _is(hub: RunningHub, who: str, expected: str) -> bool:
    return states(hub).get(who) == expected


def _is_well(hub: RunningHub, hook: Hook) -> bool:
    return set(states(hub).values()) == {"idle"} and not going_on(hook)


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
