"""The jars of the one-machine stack: which, where they are kept, and how they get there.

``jars.lock`` names every file with its SHA-256, so that a download needs no dependency resolution, runs in
parallel and is the same everywhere. The cache is part of the virtual environment: removing the environment
removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import StackError

LOCK_FILE: Final = Path(__file__).with_name("jars.lock")

CACHE_FOLDER: Final = Path(sys.prefix) / "share" / "renkou" / "jars"

MIRROR_VARIABLE: Final = "RENKOU_MAVEN_REPOSITORY"
"""Address of a Maven repository to use instead of the default one, for networks that only reach a mirror."""

PARALLEL_DOWNLOADS: Final = 8

TIMEOUT_SECONDS: Final = 60
"""For one connection or read; a proxy may have to fetch the file itself first."""

ATTEMPTS: Final = 3

Progress = Callable[[str, int, int], None]
"""Called after each file with its name, the files done and the files there are to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a Maven repository. ``use`` is ``kafka`` (broker and Connect), ``registry`` or ``mariadb`` (a plugin
    of Connect)."""

    use: str
    group: str
    artifact: str
    version: str
    classifier: str
    packaging: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name in the repository, and in the cache when it is a jar."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    def path(self, cache: Path) -> Path:
        """Where it is in the cache: the jar, or the folder that an archive was unpacked into."""
        return cache / (self.file_name if self.packaging == "jar" else f"{self.artifact}-{self.version}")


def locked() -> tuple[Jar, ...]:
    """Return every file that the stack needs, in the order of the class path."""
    jars = []
    for number, line in enumerate(LOCK_FILE.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match line.replace(":", " ").split(" "):
            case [use, group, artifact, version, classifier, packaging, sha256]:
                jars.append(Jar(use, group, artifact, version, classifier, packaging, sha256))
            case _:
                raise StackError(
                    f"{LOCK_FILE}:{number}: not 'use group:artifact:version:classifier:packaging sha256'; "
                    f"restore the file"
                )
    return tuple(jars)


def missing(cache: Path = CACHE_FOLDER) -> tuple[Jar, ...]:
    """Return what is not in the cache. A file is there whole or not at all, so its presence is enough."""
    return tuple(jar for jar in locked() if not jar.path(cache).exists())


def class_path(cache: Path = CACHE_FOLDER) -> str:
    """Return the class path of Kafka and Kafka Connect."""
    return os.pathsep.join(str(jar.path(cache)) for jar in locked() if jar.use == "kafka")


def plugin_jars(use: str, cache: Path = CACHE_FOLDER) -> tuple[Path, ...]:
    """Return the files of a plugin of Connect."""
    return tuple(jar.path(cache) for jar in locked() if jar.use == use)


def registry_folder(cache: Path = CACHE_FOLDER) -> Path:
    """Return the folder that the schema registry was unpacked into."""
    return next(jar.path(cache) for jar in locked() if jar.use == "registry")


def require(cache: Path = CACHE_FOLDER) -> None:
    """Raise StackError when a jar is missing."""
    absent = missing(cache)
    if absent:
        raise StackError(
            f"{len(absent)} jars of the stack are missing in {cache} (first {absent[0].file_name}); "
            f"run '{sys.executable} -m connectors.stack.fetch' once with network access"
        )


def fetch(progress: Progress, cache: Path = CACHE_FOLDER) -> int:
    """Download what is missing and return how many files that were. Raises StackError; blocks for minutes at
    worst."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _exclusive(cache):
            return _fetch_missing(progress, cache)
    except OSError as error:
        raise StackError(
            f"cannot keep the jars in {cache}: {error.strerror}; free space or fix its permissions"
        ) from error


def _fetch_missing(progress: Progress, cache: Path) -> int:
    absent = missing(cache)
    if not absent:
        return 0
    # jgo warns about a missing checksum file; ours is checked against the lock.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as work:
        pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS)
        try:
            # The archive is a hundred times the size of a jar: it goes first.
            order = sorted(absent, key=lambda jar: jar.packaging == "jar")
            downloads = {pool.submit(_fetch_one, jar, Path(work), cache): jar for jar in order}
            for done, download in enumerate(as_completed(downloads), start=1):
                download.result()
                progress(downloads[download].file_name, done, len(downloads))
        finally:
            pool.shutdown(cancel_futures=True)
    return len(absent)


def _fetch_one(jar: Jar, work: Path, cache: Path) -> None:
    """Download, check and put into place in one step."""
    for attempt in range(1, ATTEMPTS + 1):
        scratch = Path(tempfile.mkdtemp(dir=work))
        try:
            downloaded = _download(jar, scratch)
            break
        except _DownloadError as error:
            shutil.rmtree(scratch)
            if attempt == ATTEMPTS:
                raise StackError(
                    f"cannot download {jar.coordinate}: {error}; check the network and the proxy settings "
                    f"(a mirror goes into {MIRROR_VARIABLE}) and run the same command again"
                ) from error
    if jar.packaging == "jar":
        os.replace(downloaded, jar.path(cache))
        return
    folder = scratch / "unpacked"
    with tarfile.open(downloaded) as archive:
        archive.extractall(folder, filter="data")
    os.replace(folder, jar.path(cache))


class _DownloadError(Exception):
    """One try failed; the text says why."""


def _download(jar: Jar, scratch: Path) -> Path:
    from jgo.maven import MavenContext  # the ``local`` extra: only whoever downloads needs it
    from requests import RequestException

    mirror = os.environ.get(MIRROR_VARIABLE)
    context = MavenContext(
        repo_cache=scratch,
        local_repos=[],
        remote_repos={"mirror": mirror} if mirror else None,
        timeout=TIMEOUT_SECONDS,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        path = Path(artifact.artifact(classifier=jar.classifier, packaging=jar.packaging).resolve())
    except (RequestException, RuntimeError) as error:
        # jgo's own texts hold whole addresses; the class says enough.
        raise _DownloadError(
            "not found in the repository" if isinstance(error, RuntimeError) else type(error).__name__
        ) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != jar.sha256:
        raise _DownloadError("the file is not the expected one (SHA-256 differs from jars.lock)")
    return path


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Hold the cache for one downloader: a second one waits and then finds everything there."""
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
