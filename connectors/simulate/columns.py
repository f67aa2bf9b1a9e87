"""The columns of the captured tables, as the SQL beside this module creates them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

DEPARTMENTS: Final = (
    "police", "health", "hrss", "civil", "edu", "medins", "housing", "tax", "market", "transport",
)  # fmt: skip
"""The departments with databases, in the register's order."""
MARIADB: Final = frozenset(("edu", "medins"))
"""Those whose database is MariaDB; the others have PostgreSQL."""

_TABLE: Final = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.M | re.S)
_COLUMN: Final = re.compile(
    r'^  (?:"(\w+)"|([a-z]\w*)) +(\w+(?:\([^)]*\))?(?: unsigned)?(?:\[\])?)(.*)$', re.M
)
_KEY: Final = re.compile(r"^  PRIMARY KEY \(([^)]*)\)", re.M)
_STATEMENT: Final = re.compile(r"^CREATE TABLE (\w+) .*?;", re.M | re.S)
_FULL: Final = re.compile(r"^ALTER TABLE (\w+) REPLICA IDENTITY FULL;", re.M)


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``type`` is the SQL type as written, such as ``numeric(20,0)`` or ``text[]``."""

    name: str
    type: str
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's columns in order, its primary key, and whether its changes carry the whole row before them."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_full: bool


def script(department: str) -> str:
    """Return the SQL that makes the department's tables in an empty database."""
    return files("connectors.simulate").joinpath("sql", f"{department}.sql").read_text(encoding="utf-8")


def statements(department: str) -> dict[str, str]:
    """Return, for each table by name, the statement that makes it."""
    return {found[1]: found[0] for found in _STATEMENT.finditer(script(department))}


@cache
def layouts(department: str) -> dict[str, Layout]:
    """Return the department's tables by name, in the order of the SQL."""
    text = script(department)
    full = set(_FULL.findall(text))
    found: dict[str, Layout] = {}
    for name, body in _TABLE.findall(text):
        columns: list[Column] = []
        key = tuple(part.strip(' "') for found_key in _KEY.findall(body) for part in found_key.split(","))
        for quoted, plain, type_, rest in _COLUMN.findall(body):
            columns.append(
                Column(quoted or plain, type_, "NOT NULL" not in rest and "PRIMARY KEY" not in rest)
            )
            if "PRIMARY KEY" in rest:
                key = (quoted or plain,)
        found[name] = Layout(tuple(columns), key, name in full or department in MARIADB)
    return found
