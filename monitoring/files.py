"""Small files of state: written in one step and durably, read as a type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

log = structlog.get_logger()

T = TypeVar("T")


def save(path: Path, value: object) -> None:
    """Write ``value`` as JSON; a reader, or who starts after a crash, finds the old file or the new one. Raises
    OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(value))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path, kind: type[T]) -> T:
    """Return what the file holds, ``kind()`` when there is none.

    A file that is not of this kind is put aside as ``<name>.broken`` with a line in the log, and a new one is begun: a
    watch that does not start is worse than one that has forgotten.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except msgspec.DecodeError as error:
        aside = path.with_name(path.name + ".broken")
        os.replace(path, aside)
        log.error(
            "a state file cannot be read and is begun anew",
            file=str(path),
            kept=str(aside),
            reason=str(error),
        )
        return kind()
