"""Whether what the embedded engine has put in force is on disk.

The engine (26.9) does not look at what becomes of a part's writes: where the kernel refuses them (EIO, EDQUOT, EFBIG, a
disk that fills up behind the engine's own look at its free space) the part is put in force with empty files, an INSERT
is answered with yes, and a merge takes the place of what it was made from. So we look ourselves, at files alone, since
the engine's own list costs more than the inserts that it would guard. On its next start the engine sets such a part
aside and takes what it had been merged from, which is kept for eight minutes.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from connectors.clickhouse import sql
from connectors.clickhouse.tables import DATABASE

_PART: Final = re.compile(r"[^_]+_\d+_\d+_\d+(_\d+)?")
"""A part that is in force or was: others have names like ``tmp_insert_…``."""
_NEVER_EMPTY: Final = ("checksums.txt", "columns.txt")
"""Files of a part that are never empty. They are written last, when a disk that was full mostly still is."""
_COUNT: Final = "count.txt"
_DATA: Final = "data.bin"
"""Only a small part has it; empty where the count is 0, as it is when rows were deleted."""


class Intact:
    """Looks at the parts of a store that are new. Safe to use from several threads."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[Path, ...]] = {}
        self._seen: dict[Path, set[str]] = {}
        self._lock = threading.Lock()
        self._hollow: list[tuple[str, str]] = []

    def begin(self, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
        """Take the parts that are there when the store is opened as the engine took them.

        ``rows`` asks the engine, here and for every table that is made later. Raises the engine's errors.
        """
        self._rows = rows
        with self._lock:
            self._find()
            for folder in [folder for folders in self._folders.values() for folder in folders]:
                self._seen[folder] = set(_parts(folder))

    @property
    def hollow(self) -> tuple[tuple[str, str], ...]:
        """Table and name of every part that was put in force without content since the store was opened."""
        with self._lock:
            return tuple(self._hollow)

    def check(self, tables: Iterable[str]) -> list[str]:
        """Return the tables, of these, with a new part that has no content. A table is named as SQL names it."""
        with self._lock:
            return [table for table in tables if self._check(table)]

    def check_all(self) -> None:
        """Look at every table that is known."""
        with self._lock:
            for table in self._folders:
                self._check(table)

    def _check(self, table: str) -> bool:
        if table not in self._folders:
            self._find()
        before = len(self._hollow)
        for folder in self._folders.get(table, ()):
            names = set(_parts(folder))
            seen = self._seen.get(folder, set())
            self._hollow += [(table, name) for name in sorted(names - seen) if _is_hollow(folder / name)]
            self._seen[folder] = names
        return len(self._hollow) > before

    def _find(self) -> None:
        found = self._rows(
            f"SELECT name, data_paths FROM system.tables WHERE database = {sql.text(DATABASE)}"
        )
        self._folders = {f"{DATABASE}.{sql.name(name)}": tuple(map(Path, paths)) for name, paths in found}


def _parts(folder: Path) -> Iterable[str]:
    try:
        return [name for name in os.listdir(folder) if _PART.fullmatch(name)]
    except FileNotFoundError:  # a view, or a table that is gone
        return []


def _is_hollow(part: Path) -> bool:
    if any(_size(part / name) == 0 for name in _NEVER_EMPTY):
        return True
    try:
        count = (part / _COUNT).read_bytes()
    except FileNotFoundError:  # it was removed meanwhile
        return False
    return not count or (count != b"0" and _size(part / _DATA) == 0)


def _size(path: Path) -> int | None:
    """Return a file's size; None when there is none: it was removed meanwhile, or its part is of another kind."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
