"""Caches of loaded and linked classes (Java's JEP 483, 514, 515), which halve the time that the stack needs to
start.

A Java program's first seconds go into reading, checking and linking the same thousands of classes at each start.
A cache is made once, by a training run at set-up, and is only ever an optimization: without one, or with one that
Java refuses, a program starts as before, only later.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from connectors.errors import StackError
from connectors.stack.process import ProcessSpec
from connectors.stack.supervisor import Supervisor

FOLDER: Final = Path(sys.prefix) / "share" / "renkou" / "aot"
"""Beside the jars, and removed with them."""

RECORD_SECONDS: Final = 240.0
"""At its end a recording program writes some 100 MB; 5 to 20 s on two busy cores."""

ASSEMBLE_SECONDS: Final = 240.0
"""For one cache; about 10 s on two cores."""

PARALLEL_ASSEMBLIES: Final = 2
"""One takes about one core and 300 MB."""

WORK_PREFIX: Final = ".train-"


def use(name: str, argv: tuple[str, ...], folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the command line ``argv`` of a Java program with its cache, or unchanged when there is none.

    ``name`` tells programs of one class path apart. The cache belongs to this Java, these jars and these options:
    after an upgrade it is not found, and made anew by the next ``make setup``.
    """
    cache = path(name, argv, folder)
    return (argv[0], f"-XX:AOTCache={cache}", *argv[1:]) if cache.is_file() else argv


def path(name: str, argv: Sequence[str], folder: Path = FOLDER) -> Path:
    """Return where the cache of the program ``argv`` belongs."""
    digest = hashlib.sha256()
    release = Path(argv[0]).parent.parent / "release"
    if release.is_file():
        digest.update(release.read_bytes())
    for option in argv:
        # The report's place differs by data folder, and heaps and properties do not matter to Java here.
        if option.startswith(("-XX:", "--")) and not option.startswith(("-XX:ErrorFile=", "-XX:AOT")):
            digest.update(f"{option}\n".encode())
    for entry in argv[argv.index("-cp") + 1].split(os.pathsep):
        # What Java compares as well: after a fresh download it would refuse the cache at every start.
        try:
            status = os.stat(entry)
            digest.update(f"{entry} {status.st_size} {status.st_mtime_ns}\n".encode())
        except FileNotFoundError:
            digest.update(f"{entry} missing\n".encode())
    return folder / f"{name}-{digest.hexdigest()[:16]}.aot"


def train(
    specs: Callable[[Path], Sequence[ProcessSpec]],
    exercise: Callable[[], None],
    progress: Callable[[str], None] = lambda step: None,
    folder: Path = FOLDER,
) -> int:
    """Make the caches that are missing; return how many that were. Raises StackError. Blocks for a minute or two.

    ``specs`` returns the Java programs for a data folder, ``exercise`` uses them once they run. A training that is
    interrupted leaves a folder that the next one removes; a cache is there whole or not at all.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder):
            for left in folder.glob(f"{WORK_PREFIX}*"):
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=folder) as work:
                return _train(specs(Path(work)), exercise, progress, Path(work), folder)
    except OSError as error:
        raise StackError(
            f"cannot keep the start-up caches in {folder}: {error.strerror}; free space or fix its permissions"
        ) from error


def _train(
    programs: Sequence[ProcessSpec],
    exercise: Callable[[], None],
    progress: Callable[[str], None],
    work: Path,
    folder: Path,
) -> int:
    wanted = {spec.name: path(spec.name, spec.argv, folder) for spec in programs}
    absent = {name for name, cache in wanted.items() if not cache.is_file()}
    if absent:
        progress("recording what the programs load")
        _record(
            [_recording(spec, work) if spec.name in absent else spec for spec in programs], exercise, work
        )

    def make(spec: ProcessSpec) -> None:
        fresh = work / f"{spec.name}.aot"
        _assemble(spec, work, fresh)
        os.replace(fresh, wanted[spec.name])

    if absent:
        progress("making the caches")
        with ThreadPoolExecutor(PARALLEL_ASSEMBLIES) as pool:
            # Reading the results raises what a thread raised.
            list(pool.map(make, [spec for spec in programs if spec.name in absent]))
    for cache in folder.glob("*.aot"):
        if cache not in wanted.values():
            cache.unlink()  # of an earlier Java or earlier jars
    return len(absent)


def _recording(spec: ProcessSpec, work: Path) -> ProcessSpec:
    options = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={_configuration(spec, work)}")
    return replace(
        spec, argv=(spec.argv[0], *options, *spec.argv[1:]), start_seconds=RECORD_SECONDS,
        stop_seconds=RECORD_SECONDS,
    )  # fmt: skip


def _record(programs: Sequence[ProcessSpec], exercise: Callable[[], None], work: Path) -> None:
    supervisor = Supervisor(work, programs)
    supervisor.start()
    try:
        supervisor.wait_ready([spec.name for spec in programs])
        exercise()
        supervisor.stop()
    finally:
        supervisor.stop(hurry=True)


def _assemble(spec: ProcessSpec, work: Path, cache: Path) -> None:
    options = (
        "-XX:AOTMode=create",
        f"-XX:AOTConfiguration={_configuration(spec, work)}",
        f"-XX:AOTCache={cache}",
        "-Xlog:aot*=error",
    )
    try:
        run = subprocess.run(
            (spec.argv[0], *options, *spec.argv[1:]), cwd=work, capture_output=True, timeout=ASSEMBLE_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"the start-up cache of {spec.name} was not made within {ASSEMBLE_SECONDS:.0f} s; run 'make setup' "
            f"again when the machine is less busy"
        ) from error
    if run.returncode != 0 or not cache.is_file():
        raise StackError(
            f"Java made no start-up cache of {spec.name} (exit code {run.returncode}); "
            f"free memory and space on the disk and run 'make setup' again"
        )


def _configuration(spec: ProcessSpec, work: Path) -> Path:
    return work / f"{spec.name}.conf"


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for one training: a second one waits and then finds everything there."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
