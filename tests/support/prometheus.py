"""The real Prometheus and Alertmanager with the project's own configuration, on free ports."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

CONFIGURATION = Path(__file__).parents[2] / "docker"
START_SECONDS = 60.0


def available() -> bool:
    return all(map(shutil.which, ("prometheus", "prometheus-alertmanager")))


@contextmanager
def running(folder: Path, metrics: Collection[str], departments: Collection[str], hook: str) -> Iterator[str]:
    """Run both until the end; yield Prometheus's address.

    ``metrics`` are the addresses of the hub's ``/metrics``, ``departments`` those that must be there, ``hook`` is where
    Alertmanager's receivers are. Only addresses are changed, and how long Alertmanager waits for company.
    """
    shutil.copytree(CONFIGURATION / "prometheus", folder / "prometheus")
    _keep_expected(folder / "prometheus" / "rules" / "expected.yml", departments)
    web, alertmanager = _free_port(), _free_port()
    targets = folder / "prometheus" / "targets"
    targets.mkdir()
    addresses = [urlsplit(address).netloc for address in metrics]
    (targets / "renkou.json").write_text(json.dumps([{"targets": addresses}]))
    (targets / "alertmanager.json").write_text(json.dumps([{"targets": [f"127.0.0.1:{alertmanager}"]}]))
    text = (CONFIGURATION / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    text = text.replace("http://127.0.0.1:9099", hook).replace("group_wait: 5s", "group_wait: 1s")
    (folder / "alertmanager.yml").write_text(text.replace("group_interval: 1m", "group_interval: 2s"))
    commands = {
        f"http://127.0.0.1:{alertmanager}/-/ready": [
            "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
        f"http://127.0.0.1:{web}/-/ready": [
            "prometheus", f"--config.file={folder / 'prometheus' / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{web}",
        ],
    }  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []
    try:
        for ready, command in commands.items():
            log = (folder / f"{command[0]}.log").open("wb")
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder / "prometheus"))
            log.close()
            _wait(ready, started[-1])
        yield f"http://127.0.0.1:{web}"
    finally:
        _end(started)


def _keep_expected(path: Path, departments: Collection[str]) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group in document["groups"]:
        group["rules"] = [
            rule
            for rule in group["rules"]
            if (found := re.search(r'department="(\w+)"', rule["expr"])) and found[1] in departments
        ]
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump(document, file, allow_unicode=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(ready: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        try:
            if httpx.get(ready, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{ready} is not ready after {START_SECONDS:.0f} s")


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
