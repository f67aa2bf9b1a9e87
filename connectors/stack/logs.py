"""The log files of the stack's processes: bounded in size, and what can be told from their last lines."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

LIMIT_BYTES: Final = 16 * 1024 * 1024
"""Of one log; with its predecessor a process keeps twice that on disk."""

TAIL_BYTES: Final = 64 * 1024

CAUSES: Final = (
    ("No space left on device", "the disk is full; free space and start again"),
    (
        "Address already in use",
        "its port was taken by another program; start again, a free one is chosen then",
    ),
    ("Too many open files", "too few open files are allowed; raise 'ulimit -n' to 4096 and start again"),
    ("Cannot allocate memory", "there is too little memory; end other programs and start again"),
    (
        "insufficient memory for the Java Runtime",
        "there is too little memory; end other programs and start again",
    ),
    ("OutOfMemoryError", "its Java heap is too small for this load"),
    ("Read-only file system", "the data folder is on a read-only file system; choose another with --data"),
    (
        "Permission denied",
        "a file of the data folder belongs to another user; use the user who made it, or another --data",
    ),
    ("cannot execute", "its program cannot be executed; run 'make setup' again"),
)
"""Text in a log, and what it means to the operator. The log's own lines are never repeated: they may hold
data."""


def bound(log: Path) -> None:
    """Move the content of a log that has grown past the limit to ``<log>.1``. Writers append, so they go on
    undisturbed."""
    try:
        if log.stat().st_size <= LIMIT_BYTES:
            return
    except FileNotFoundError:
        return
    # Lines written between these two are lost; renaming instead would leave the writer on the old file.
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)


def size(log: Path) -> int:
    """Return the log's bytes, 0 when there is none yet."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def cause(log: Path, start: int) -> str:
    """Return what the log after byte ``start`` tells about a failure, "" when it is nothing known."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start if start <= end else 0, end - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return next((meaning for pattern, meaning in CAUSES if pattern in text), "")
