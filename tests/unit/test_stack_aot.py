"""The start-up caches: made once, found by what they depend on, never needed. Real Java, a small program."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from connectors.errors import StackError
from connectors.stack import aot, java
from connectors.stack.process import ProcessSpec


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """An empty jar: the program itself, Java's own web server, is in Java."""
    path = tmp_path / "empty.jar"
    shutil.make_archive(str(tmp_path / "empty"), "zip", root_dir=tmp_path, base_dir=".")
    (tmp_path / "empty.zip").rename(path)
    return path


def program(folder: Path, jar: Path, port: int) -> ProcessSpec:
    argv = java.command(
        "sun.net.httpserver.simpleserver.Main", "-p", str(port), "-b", "127.0.0.1",
        heap_mb=64, folder=folder, class_path=str(jar), options=(java.QUICK_COMPILER,),
    )  # fmt: skip
    return ProcessSpec(name="web", argv=argv, health=lambda: answers(port), cwd=folder)


def started(argv: Sequence[str], folder: Path) -> str:
    """Java's own words on a start that ends at once, which must succeed."""
    options = ("-Xlog:aot,cds", "-version")
    run = subprocess.run(
        (argv[0], *argv[1 : argv.index("-cp")], *argv[argv.index("-cp") : argv.index("-cp") + 2], *options),
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0
    return run.stdout + run.stderr


def test_a_cache_is_made_once_used_and_ignored_when_it_is_damaged(tmp_path: Path, jar: Path) -> None:
    caches = tmp_path / "caches"
    port = free_port()
    exercised: list[bool] = []

    def specs(work: Path) -> list[ProcessSpec]:
        return [program(work, jar, port)]

    plain = program(tmp_path, jar, port).argv
    assert aot.use("web", plain, caches) == plain
    (caches / f"{aot.WORK_PREFIX}left").mkdir(parents=True)
    (caches / "old-0000.aot").touch()
    assert aot.train(specs, lambda: exercised.append(answers(port)), folder=caches) == 1
    cache = aot.path("web", plain, caches)
    assert sorted(path.name for path in caches.iterdir()) == [".lock", cache.name]
    assert exercised == [True]

    cached = aot.use("web", plain, caches)
    assert cached[1] == f"-XX:AOTCache={cache}"
    opened = f"Opened AOT cache {cache}"
    assert opened in started(cached, tmp_path)
    assert opened not in started(plain, tmp_path)
    assert aot.train(specs, lambda: exercised.append(True), folder=caches) == 0
    assert exercised == [True]

    content = cache.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"x" * 4096):
        cache.write_bytes(damaged)
        started(cached, tmp_path)


def test_a_cache_belongs_to_its_jars_and_options(tmp_path: Path, jar: Path) -> None:
    argv = program(tmp_path, jar, 1).argv
    first = aot.path("web", argv, tmp_path)
    assert aot.path("web", program(tmp_path / "other", jar, 2).argv, tmp_path) == first
    assert aot.path("other", argv, tmp_path) != first
    assert aot.path("web", (argv[0], "-XX:+UseG1GC", *argv[1:]), tmp_path) != first
    os.utime(jar, (1, 1))
    assert aot.path("web", argv, tmp_path) != first


def test_a_training_that_fails_leaves_no_cache_and_says_so(tmp_path: Path, jar: Path) -> None:
    caches = tmp_path / "caches"

    def specs(work: Path) -> list[ProcessSpec]:
        spec = program(work, jar, 1)
        return [ProcessSpec(name="web", argv=(*spec.argv[:-4], "--nonsense"), health=lambda: False, cwd=work)]

    with pytest.raises(StackError, match="web ended with exit code"):
        aot.train(specs, lambda: None, folder=caches)
    assert [path.name for path in caches.iterdir()] == [".lock"]
