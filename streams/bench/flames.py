"""Flame graphs of running processes, by py-spy: where a stage's time goes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.bench.figures import ReportError

RATE: Final = 50
"""Samples a second: enough for a minute, and cheap."""
PATIENCE: Final = 60.0


@contextmanager
def recorded(pids: Mapping[str, int], folder: Path) -> Iterator[None]:
    """Record each process, by name, until the end of the block into ``folder/flame-NAME.svg``.

    Raises ReportError when py-spy is missing or may not look at the processes.
    """
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if program is None:
        raise ReportError(
            "py-spy is missing; install it with pip install 'renkou[local]', or leave out --flame"
        )
    folder.mkdir(parents=True, exist_ok=True)
    recorders = {
        name: subprocess.Popen(
            [program, "record", "--nonblocking", "--rate", str(RATE), "--pid", str(pid), "--output",
             str(folder / f"flame-{name}.svg")],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for name, pid in pids.items()
    }  # fmt: skip
    try:
        yield
    finally:
        for process in recorders.values():
            process.send_signal(signal.SIGINT)  # it writes what it has
        for process in recorders.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    for name, process in recorders.items():
        if not (folder / f"flame-{name}.svg").exists():
            said = (process.stderr.read() if process.stderr else "").strip().splitlines()
            raise ReportError(
                f"py-spy made no flame graph of {name}: {said[-1] if said else 'it said nothing'}"
            )
