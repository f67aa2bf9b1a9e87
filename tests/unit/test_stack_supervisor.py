"""The supervisor with real, small processes: order, restarts, clean stop, no orphans."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.errors import StackError
from connectors.stack import GIVES_WAY, Event, ProcessSpec, State, Supervisor
from connectors.stack.process import Identity, end_leftovers, read_identity

LONG = "import time; time.sleep(600)"
DEADLINE = 20.0


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def python(name: str, code: str, *depends_on: str, **options: object) -> ProcessSpec:
    settings: dict[str, object] = {"health": lambda: True, "stop_seconds": 5.0, **options}
    return ProcessSpec(name, (sys.executable, "-c", code), depends_on=depends_on, **settings)  # type: ignore[arg-type]


@contextlib.contextmanager
def supervised(data: Path, *specs: ProcessSpec) -> Iterator[tuple[Supervisor, list[Event]]]:
    events: list[Event] = []
    supervisor = Supervisor(data, specs, events.append)
    supervisor.start()
    try:
        yield supervisor, events
    finally:
        supervisor.stop(hurry=True)


def pid(supervisor: Supervisor, name: str) -> int:
    found = next(status.pid for status in supervisor.status() if status.name == name)
    assert found is not None
    return found


def identity(data: Path, name: str) -> Identity:
    """Return the process's identity, which it writes itself before it becomes the program."""
    path = data / "run" / f"{name}.pid"
    eventually(lambda: read_identity(path) is not None)
    found = read_identity(path)
    assert found is not None
    return found


def order(events: list[Event], state: State) -> list[str]:
    return [event.name for event in events if event.state is state]


def test_starts_in_the_order_of_dependencies_and_stops_in_reverse(tmp_path: Path) -> None:
    prepared: list[str] = []
    specs = (
        python("broker", LONG, prepare=lambda: prepared.append("broker")),
        python("worker", LONG, "broker", prepare=lambda: prepared.append("worker")),
        python("hub", LONG, "worker"),
    )
    with supervised(tmp_path, *specs) as (supervisor, events):
        supervisor.wait_ready(["hub"])
        running = [identity(tmp_path, name) for name in ("broker", "worker", "hub")]
        assert order(events, State.READY) == ["broker", "worker", "hub"]
        assert prepared == ["broker", "worker"]
        supervisor.stop()
        assert order(events, State.STOPPED) == ["hub", "worker", "broker"]
        assert not any(one.alive() for one in running)
    assert not list((tmp_path / "run").glob("*.pid"))


def test_a_killed_process_comes_back_and_the_others_stay(tmp_path: Path) -> None:
    with supervised(tmp_path, python("broker", LONG), python("worker", LONG, "broker")) as (
        supervisor,
        events,
    ):
        supervisor.wait_ready(["worker"])
        first, other = pid(supervisor, "broker"), pid(supervisor, "worker")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: order(events, State.READY).count("broker") == 2)
        assert pid(supervisor, "broker") != first
        assert pid(supervisor, "worker") == other
        assert any(event.state is State.BACKING_OFF and "signal 9" in event.detail for event in events)


def test_what_a_dead_process_had_started_goes_with_it(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {LONG!r}]).pid, flush=True)
time.sleep(600)
"""
    with supervised(tmp_path, python("parent", code)) as (supervisor, _):
        supervisor.wait_ready(["parent"])
        log = tmp_path / "logs" / "parent.log"
        eventually(lambda: log.exists() and log.read_text().endswith("\n"))
        child = int(log.read_text())
        os.kill(pid(supervisor, "parent"), signal.SIGKILL)
        eventually(lambda: gone(child))


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_a_first_start_that_fails_says_why_and_quotes_nothing(tmp_path: Path) -> None:
    code = "import sys; print('secret row: No space left on device', file=sys.stderr); sys.exit(3)"
    spec = python("broken", code, health=lambda: False)
    with supervised(tmp_path, spec) as (supervisor, _), pytest.raises(StackError) as raised:
        supervisor.wait_ready(["broken"])
    message = str(raised.value)
    assert "exit code 3" in message
    assert "the disk is full" in message
    assert str(tmp_path / "logs" / "broken.log") in message
    assert "secret row" not in message


def test_a_failing_preparation_is_the_reason(tmp_path: Path) -> None:
    def fail() -> None:
        raise StackError("the folder is locked; unlock it")

    wanted = "database: the folder is locked; unlock it"
    spec = python("database", LONG, prepare=fail)
    with supervised(tmp_path, spec) as (supervisor, _), pytest.raises(StackError, match=wanted):
        supervisor.wait_ready(["database"])


def test_a_process_that_does_not_become_healthy_is_killed_and_tried_again(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"import time; open({str(starts)!r}, 'a').write('x'); time.sleep(600)"
    spec = python("slow", code, health=lambda: starts.read_text() == "xx", start_seconds=3.0)
    with supervised(tmp_path, spec) as (supervisor, events):
        supervisor.wait_ready(["slow"], attempts=3)
        assert any("did not become healthy within 3 s" in event.detail for event in events)


def test_a_process_that_ignores_the_stop_signal_is_killed_in_bounded_time(tmp_path: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); {LONG}"
    with supervised(tmp_path, python("stubborn", code, stop_seconds=0.3)) as (supervisor, events):
        supervisor.wait_ready(["stubborn"])
        eventually(lambda: (tmp_path / "logs" / "stubborn.log").read_text() == "on\n")
        began = time.monotonic()
        supervisor.stop()
        assert time.monotonic() - began < 5
        assert events[-1].detail == "killed"


def test_processes_added_later_may_depend_on_earlier_ones(tmp_path: Path) -> None:
    with supervised(tmp_path, python("broker", LONG)) as (supervisor, _):
        supervisor.add([python("hub", LONG, "broker")])
        supervisor.wait_ready(["hub"])
        with pytest.raises(StackError, match="two processes are called hub"):
            supervisor.add([python("hub", LONG)])
        with pytest.raises(StackError, match="depends on nothing"):
            supervisor.add([python("lost", LONG, "nothing")])


PARENT = """
import sys, time
from pathlib import Path
from connectors.stack import ProcessSpec, Supervisor
supervisor = Supervisor(Path(sys.argv[1]), [
    ProcessSpec(name, (sys.executable, "-c", "import time; time.sleep(600)"), lambda: True) for name in ("one", "two")
])
supervisor.start()
supervisor.wait_ready(["one", "two"])
print("ready", flush=True)
time.sleep(600)
"""


def test_no_process_survives_a_killed_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        children = [identity(tmp_path, name) for name in ("one", "two")]
        assert all(child.alive() for child in children)
        parent.kill()
        parent.wait()
    eventually(lambda: not any(child.alive() for child in children))


def test_leftovers_are_recognised_and_ended_and_strangers_are_not(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", LONG]) as leftover,
        subprocess.Popen([sys.executable, "-c", LONG]) as stranger,
    ):
        try:
            from connectors.stack.launch import boot_id, start_time

            (tmp_path / "kafka.pid").write_text(f"{leftover.pid} {start_time(leftover.pid)} {boot_id()}\n")
            # The same id, given to another process since: an earlier start time.
            (tmp_path / "old.pid").write_text(f"{stranger.pid} {start_time(stranger.pid) - 1} {boot_id()}\n")
            (tmp_path / "cut.pid").write_text("12")
            assert end_leftovers(tmp_path) == ("kafka",)
            assert leftover.wait(DEADLINE) == -signal.SIGTERM
            assert stranger.poll() is None
            assert not list(tmp_path.glob("*.pid"))
        finally:
            leftover.kill()
            stranger.kill()


def test_what_is_furthest_along_goes_first(tmp_path: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with supervised(tmp_path, python("first", LONG), python("last", LONG, niceness=0)) as (supervisor, _):
        supervisor.wait_ready(["first", "last"])

        def niceness() -> list[int]:
            return [os.getpriority(os.PRIO_PROCESS, pid(supervisor, name)) for name in ("first", "last")]

        eventually(lambda: niceness() == [min(own + GIVES_WAY, 19), own])
