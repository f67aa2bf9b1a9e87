"""Real faults on a real hub: is the state named that they are, who is told and when, and is it over when they are?

The long version. The hub's feeds have short objectives here (30 s), so that the alerts for delays come as well. A round
is either a fault of all sources or another one of each at once. All looks' signals are written to the file that
RENKOU_RECORD names: `tests.support.player` plays the recordings in tests/recordings with variations.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx
import msgspec
import pytest

from connectors.feeds import FEED_FOLDER
from monitoring.conditions import Kind
from monitoring.signals import Signals
from monitoring.status import State, decide, hub_delay
from tests.support import hooks
from tests.support.hooks import Hook
from tests.support.injections import GROWING, Injections
from tests.support.recorded import Injection, Round, Seen, write
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.long]

INJECTIONS = int(os.environ.get("RENKOU_INJECTIONS", "21"))
"""At least: a round in which each source has a fault of its own is as many as there are sources. With 21 every fault
comes."""
SEED = int(os.environ.get("RENKOU_SEED", "7"))
RECORD = os.environ.get("RENKOU_RECORD", "")
OBJECTIVE = 30.0
"""Seconds: what the feeds ask of source delay and hub delay here."""
TOLD_WITHIN = OBJECTIVE + 30.0
"""Seconds from the fault within which somebody must be told: the figure that is asked for."""
LASTS = 5.0
"""Seconds that a fault goes on after somebody was told."""
BEFORE = 4.0
"""Seconds of looks before a fault, which are recorded as well."""
LONGEST = 150.0
"""Seconds after which a fault that lets the delay grow slowly must have been told."""
IDLE = 30.0
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


class Recorder:
    """Takes every look of a running hub in a thread, from `__enter__` to the end."""

    def __init__(self, hub: RunningHub) -> None:
        self._url = f"{hub.endpoints.console}/v1/signals"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._lock = threading.Lock()
        self._looks: list[Seen] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def looks(self) -> list[Seen]:
        """Return all looks so far."""
        with self._lock:
            return list(self._looks)

    def _work(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.wait(0.5):
                try:
                    seen = msgspec.json.decode(client.get(self._url).content, type=Answer)
                except httpx.HTTPError:
                    continue  # the hub is busy: the next look has it
                look = Seen(seen.signals)
                with self._lock:
                    if seen.signals and (not self._looks or look.now > self._looks[-1].now):
                        self._looks.append(look)


class Answer(msgspec.Struct):
    """``/v1/signals``, as far as it is wanted."""

    signals: dict[str, Signals]


def rounds(injections: Injections, departments: list[str], rng: random.Random) -> list[dict[str, str]]:
    """Return rounds, each the departments' faults: `INJECTIONS` or more, a third of them faults of all departments."""
    common: list[str] = []
    single: list[str] = []
    shared = -(-INJECTIONS // len(departments))
    own = -(-(INJECTIONS - shared) // len(departments))
    found: list[dict[str, str]] = []
    for number in range(shared):
        if number < own:
            if len(single) < len(departments):
                single = rng.sample(sorted(injections.single), len(injections.single))
            found.append({department: single.pop() for department in departments})
        common = common or rng.sample(sorted(injections.common), len(injections.common))
        found.append(dict.fromkeys(departments, common.pop()))
    return found


def test_real_faults_are_named_and_told(hub: RunningHub, hook: Hook) -> None:
    rng = random.Random(SEED)
    injections = Injections(hub)
    known = injections.single | injections.common
    departments = sorted(hub.endpoints.sources)
    wrong: list[str] = []
    recorded: list[Round] = []
    assert _wait(lambda: _is_well(hub, hook), HEALED_WITHIN), states(hub)
    with Recorder(hub) as recorder:
        for faults in rounds(injections, departments, rng):
            time.sleep(BEFORE)
            before = len(hook.bodies("/own"))
            expected = {name: known[fault][1] for name, fault in faults.items()}
            named: dict[str, float] = {}
            told: dict[tuple[str, str], float] = {}
            late: dict[str, float] = {}
            is_common = len(set(faults.values())) == 1 and set(faults.values()) <= injections.common.keys()
            begun = time.time_ns() // 1000
            began = time.monotonic()
            with ExitStack() as stack:
                for name, fault in list(faults.items())[: 1 if is_common else None]:
                    stack.enter_context(known[fault][0](name))
                onset = time.time_ns() // 1000
                judged = onset
                until = LONGEST
                while (now := time.monotonic() - began) < until:
                    time.sleep(1)
                    for body in hook.bodies("/own")[before:]:
                        if body["status"] == "firing":
                            told.setdefault((body["kind"], body["subject"]), now)
                    looks = [look for look in recorder.looks() if look.now > judged]
                    judged = max([judged, *(look.now for look in looks)])
                    for name, state in expected.items():
                        for look in looks:
                            signals = look.signals[name]
                            delay = hub_delay(signals)
                            if delay is not None and delay > OBJECTIVE:
                                late.setdefault(name, (signals.now - begun) / 1e6)
                            found = decide(signals).state
                            if found is state:
                                named.setdefault(name, (signals.now - begun) / 1e6)
                            elif name in named or found is not State.IDLE:
                                wrong.append(f"{faults[name]} of {name}: {found} while it lasted: {signals}")
                    broken = [name for name, state in expected.items() if state is not State.IDLE]
                    if all(_of(told, name, expected[name]) is not None for name in broken):
                        until = min(until, now + (LASTS if broken else IDLE))
            undone = time.time_ns() // 1000
            for name, state in expected.items():
                after = _of(told, name, state)
                # A delay that grows slowly is late only when it is over its objective.
                limit = TOLD_WITHIN if faults[name] != "slow link" else late.get(name, LONGEST) + 30.0
                if state is State.IDLE:
                    # All slots here are of one server: an idle department's keeps what is written meanwhile as well.
                    growing = Kind.SLOT_GROWTH.value if GROWING in faults.values() else ""
                    wrong += [
                        f"{faults[name]} of {name}: {one} was told"
                        for one in told
                        if one[1] == name and one[0] != growing
                    ]
                elif after is None or after > limit:
                    wrong.append(f"{faults[name]} of {name}: told after {after} s, not {limit:.0f}: {told}")
                if name not in named:
                    wrong.append(f"{faults[name]} of {name}: never {state}")
            if GROWING in faults.values():
                victim = next(name for name, fault in faults.items() if fault == GROWING)
                if (Kind.SLOT_GROWTH.value, victim) not in told:
                    wrong.append(f"the slot of {victim} has grown, but {told}")
            healed = _wait(lambda: _is_well(hub, hook), HEALED_WITHIN)
            print(
                f"{faults if not is_common else next(iter(faults.values()))}: named after "
                f"{ {name: round(after) for name, after in named.items()} }, told after "
                f"{ {' '.join(key): round(after) for key, after in told.items()} }, well again after "
                f"{(time.time_ns() // 1000 - undone) / 1e6:.0f} s: {healed}",
                flush=True,
            )
            injection = Injection(faults, expected, begun, onset, undone)
            first = begun - int(BEFORE * 1e6)
            recorded.append(Round(injection, [look for look in recorder.looks() if look.now >= first]))
            if RECORD:
                write(Path(RECORD), recorded)  # after each round: what is seen is kept, whatever comes
            if not healed:
                wrong.append(f"{faults}: afterwards {states(hub)}, told and not over {going_on(hook)}")
                break
    assert list(dict.fromkeys(wrong)) == []


def _of(told: dict[tuple[str, str], float], name: str, state: State) -> float | None:
    """Return when the state's own alert was told, of the department or of the hub."""
    kind = state.value.replace(" ", "-")
    return min((after for key, after in told.items() if key in ((kind, name), (kind, "hub"))), default=None)


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
