"""``renkou demo`` and Ctrl-C: what it does while the demonstration starts, runs, ends and stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.feeds import Catalog
from monitoring.scrape import Counts
from streams import demo as demonstration
from streams.cli.app import build
from streams.cli.demo import DEMO_MARK, Show
from streams.demo import Plan, Result
from streams.settings import Settings


class Demonstration(demonstration.Demo):
    """Starts nothing; where ``interrupted`` says, Ctrl-C comes."""

    interrupted: tuple[str, ...] = ()

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.steps: list[str] = []

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            self.steps.append(f"{name} went on")

    def start(self) -> None:
        self._step("start")

    def change(self) -> None:
        self.steps.append("change")
        self.stopping.wait(0.05)

    def finish(self) -> Result:
        self._step("finish")
        return Result(1, 0, 0.0, 0.0, 0.0, Counts())

    def stop(self) -> None:
        self._step("stop")

    def hurry(self) -> None:
        self.steps.append("hurry")


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Runs the command's work with Ctrl-C in the steps that are named; returns the steps."""
    monkeypatch.setattr("streams.cli.demo.Demo", Demonstration)

    def run(*interrupted: str) -> list[str]:
        monkeypatch.setattr(Demonstration, "interrupted", interrupted)
        plan = Plan(Settings(data=tmp_path / "data"), 1, 1.0, 1, None)
        handler = signal.getsignal(signal.SIGINT)
        shown = Show(plan, Catalog.load(), keep=False)
        shown.run()
        assert signal.getsignal(signal.SIGINT) is handler
        assert not plan.data.exists()
        steps: list[str] = shown._demo.steps  # type: ignore[attr-defined]
        return steps

    return run


def test_it_runs_to_its_end(show: Callable[..., list[str]]) -> None:
    assert show() == ["start", "change", "finish", "stop"]


def test_ctrl_c_while_it_starts_stops_it_at_once(show: Callable[..., list[str]]) -> None:
    assert show("start") == ["start", "stop"]


def test_ctrl_c_while_it_counts_is_the_first_and_it_goes_on(show: Callable[..., list[str]]) -> None:
    assert show("finish") == ["start", "change", "finish", "finish went on", "stop"]


def test_ctrl_c_while_it_stops_kills_what_still_runs(show: Callable[..., list[str]]) -> None:
    assert show("stop") == ["start", "change", "finish", "stop", "hurry", "stop went on"]
    assert show("start", "stop") == ["start", "stop", "hurry", "stop went on"]


def test_a_folder_of_somebody_else_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.demo.Demo", Demonstration)
    data = tmp_path / "data"
    data.mkdir()
    Show(Plan(Settings(data=data), 1, 1.0, 1, None), Catalog.load(), keep=False).run()
    assert data.exists()
    assert not (data / DEMO_MARK).exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("file", "file is no folder; name another one with --data"),
        ("/proc/there", "/proc/there: No such file"),
    ],
)
def test_a_folder_that_cannot_be_is_said_in_one_line(tmp_path: Path, data: str, said: str) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(build(), ["demo", "--data", str(tmp_path / data)])
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
