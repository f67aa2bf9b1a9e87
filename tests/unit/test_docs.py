"""Documentation that code can contradict."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

from monitoring.conditions import Kind
from streams.cli.app import build
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
    commands = {
        command.name or command.callback.__name__
        for command in build().registered_commands
        if command.callback
    }
    groups = {group.name for group in build().registered_groups}
    for name in ("README.md", "README.zh-CN.md"):
        words = (ROOT / name).read_text(encoding="utf-8").replace("`", " ").split()
        used = {
            after
            for before, after in pairwise(words)
            if before.endswith("renkou") and after.isalpha() and after.isascii()
        }
        used = {word for word in used if word.islower()} - {"keeps", "captures"}
        assert used <= commands | groups, f"{name} names {used - commands - groups}"


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0].strip(): part for part in text.split("\n## ")[1:]}
    for kind in Kind:
        assert kind.value in sections, f"docs/operating.md has no section {kind.value}"
        for heading in ("**Means.**", "**Do.**", "**Over when.**"):
            assert heading in sections[kind.value], f"{kind.value} lacks {heading}"
