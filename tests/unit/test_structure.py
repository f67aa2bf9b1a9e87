"""Imports point one way, and nothing pulls in PyPI's ``avro``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "avro": {"avro"},
    "linkage": {"avro", "linkage"},
    "connectors": {"avro", "connectors"},
    "monitoring": {"avro", "connectors", "monitoring"},
    "streams": {"avro", "linkage", "connectors", "monitoring", "streams"},
}

THE_ROWS_WAY = (
    "streams/transport.py",
    "streams/normalize.py",
    "streams/link.py",
    "streams/sink.py",
    "streams/stages/normalize.py",
    "streams/stages/link.py",
    "streams/stages/store.py",
)
ASIDE = ("connectors.stack", "connectors.simulate", "streams.demo", "streams.hub", "streams.cli")
"""What runs a machine or shows something; nothing on a row's way may need it."""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        ours = {name.partition(".")[0] for name in imports(path)} & MAY_IMPORT.keys()
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


def test_linkage_knows_nothing_of_its_surroundings() -> None:
    for path in (ROOT / "linkage").rglob("*.py"):
        outside = {name.partition(".")[0] for name in imports(path)} & {
            "faust",
            "confluent_kafka",
            "clickhouse_connect",
            "chdb",
        }
        assert not outside, f"{path.name} imports {outside}"


def test_the_rows_way_needs_neither_stack_nor_simulator() -> None:
    for name in THE_ROWS_WAY:
        aside = {module for module in imports(ROOT / name) if module.startswith(ASIDE)}
        assert not aside, f"{name} imports {aside}"


def test_the_avro_package_is_ours() -> None:
    import avro

    assert Path(avro.__file__ or "").is_relative_to(ROOT)
