"""A log on a full disk: nobody ends for it, no line comes twice, and how many are missing is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from streams.logs import Lines

CHILD = """
import logging, resource, sys
import structlog
from streams import logs

logs.configure("info")
log = structlog.get_logger()
log.info("before")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), hard))
for number in range(5):
    log.warning("lost", number=number)
    logging.getLogger("library").error("lost as well")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("after", name="名")
"""


def child(log: Path, limit: int) -> tuple[int, list[str]]:
    """Run a process whose log cannot grow beyond ``limit`` bytes for a while; return its exit status and its log."""
    with log.open("ab") as file:
        code = subprocess.run(
            [sys.executable, "-c", CHILD, str(limit)], stderr=file, timeout=120, check=False
        ).returncode
    return code, log.read_text(encoding="utf-8").splitlines()


def test_a_process_outlives_a_log_without_room(tmp_path: Path) -> None:
    code, lines = child(tmp_path / "log", 0)
    events = [json.loads(line) for line in lines]
    assert code == 0
    assert [event["event"] for event in events] == ["before", "log lines could not be written", "after"]
    assert events[1]["lost"] == 10
    assert events[2]["name"] == "名"


def test_a_line_that_was_cut_stays_one_line(tmp_path: Path) -> None:
    room = 150
    code, lines = child(tmp_path / "log", room)
    assert code == 0
    whole: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("}")]
    cut = [line for line in lines if not line.endswith("}")]
    assert len(cut) == 1
    assert len("\n".join(lines[: lines.index(cut[0]) + 1])) == room
    assert [event["event"] for event in whole][-2:] == ["log lines could not be written", "after"]
    assert whole[-2]["lost"] == 10 - (len(whole) - 3)


def test_a_full_pipe_that_must_not_be_waited_for_loses_lines_and_says_so() -> None:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        lines = Lines(writer)
        wrote = 0
        while not lines._lost:
            lines.write("x" * 4095 + "\n")  # a page of the pipe, which leaves no room in it
            wrote += 1
        lines.write("lost\n")
        os.set_blocking(reader, False)
        while True:
            try:
                os.read(reader, 1 << 16)
            except BlockingIOError:
                break
        lines.write("after\n")
        said = os.read(reader, 4096).decode().splitlines()
    finally:
        os.close(reader)
        os.close(writer)
    assert wrote > 1
    assert json.loads(said[-2])["lost"] == 2
    assert said[-1] == "after"
