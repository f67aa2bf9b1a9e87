"""Documentation that code can contradict."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from monitoring.conditions import Kind
from streams.cli.app import ENTRIES, Entry, loaded
from streams.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for item in fields(Settings):
        line = next((line for line in text.splitlines() if f"`{item.metadata['env']}`" in line), None)
        assert line is not None, f"docs/settings.md does not name {item.metadata['env']}"
        assert item.metadata["help"] in line
        if item.default not in ("", None):
            assert f"`{item.default}`" in line


def test_the_readmes_name_only_commands_that_exist() -> None:
    commands = {entry.name for entry in ENTRIES}
    for name in ("README.md", "README.zh-CN.md"):
        words = (ROOT / name).read_text(encoding="utf-8").replace("`", " ").split()
        used = {
            after
            for before, after in pairwise(words)
            if before.endswith("renkou") and after.isalpha() and after.isascii()
        }
        used = {word for word in used if word.islower()} - {"keeps", "captures"}
        assert used <= commands, f"{name} names {used - commands}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_list_of_commands_says_what_the_command_says(entry: Entry) -> None:
    said = (loaded(entry).help or "").partition("\n\n")[0]
    assert " ".join(said.split()) == entry.help


@pytest.mark.parametrize("command", ["status", "alerts", "feeds"])
def test_a_command_loads_only_its_own_modules(command: str) -> None:
    heavy = {"chdb", "fastapi", "faust", "linkage.engine", "numpy", "psycopg", "connectors.simulate"}
    program = "import sys; from streams.cli import main\n"
    program += "try: main()\nfinally: print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program, command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"streams.cli.{command}" in done.stdout.splitlines()
    assert not heavy & set(done.stdout.splitlines())


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0].strip(): part for part in text.split("\n## ")[1:]}
    rules = (ROOT / "docker" / "prometheus" / "rules").glob("*.yml")
    prometheus = {
        name for path in rules for name in re.findall(r"operating\.md#([a-z-]+)", path.read_text("utf-8"))
    }
    assert prometheus
    for name in prometheus.union(kind.value for kind in Kind):
        assert name in sections, f"docs/operating.md has no section {name}"
        for heading in ("**Means.**", "**See.**", "**Do.**", "**Over when.**"):
            assert heading in sections[name], f"{name} lacks {heading}"
