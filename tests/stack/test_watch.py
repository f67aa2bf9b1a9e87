"""A source of a running hub breaks and heals: who is told, by the hub itself and by the real Prometheus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.debezium import connector_name
from tests.support import hooks, prometheus
from tests.support.hooks import Hook
from tests.support.running import RunningHub, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.long]

WAIT = 180.0
"""Seconds: thresholds of 30 s and less, several rounds of scraping and evaluating, on a machine with other work."""
BROKEN = "hrss"


def until(what: str, check: Callable[[], Any], seconds: float = WAIT) -> Any:
    """Return the first true answer of ``check``; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = check()
        if answer:
            return answer
        time.sleep(0.5)
    pytest.fail(f"{what}: not within {seconds:.0f} s")


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with hooks.listening() as found:
        yield found


@pytest.fixture(scope="module")
def hub(stack_folder: Path, hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    channels = tmp_path_factory.mktemp("channels") / "channels.yaml"
    channels.write_text(f'channels: [{{name: own, kind: webhook, url: "{hook.url}/own"}}]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RENKOU_ALERTS", str(channels))
        with running_hub(stack_folder / "watch") as running:
            yield running


def sources(hub: RunningHub) -> dict[str, Any]:
    """Return every source's status; nothing while the store process is busy."""
    try:
        answer = httpx.get(f"{hub.endpoints.console}/v1/status", timeout=20).json()
    except httpx.HTTPError:
        return {}
    return {source["department"]: source for source in answer["sources"]}


def all_idle(hub: RunningHub) -> bool:
    found = sources(hub)
    return found.keys() == hub.endpoints.sources.keys() and all(s["state"] == "idle" for s in found.values())


def renkou(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments, "--data", str(data)],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip


def test_every_source_is_idle_with_evidence_from_all_sides(hub: RunningHub) -> None:
    until("all sources idle", lambda: all_idle(hub))
    for source in sources(hub).values():
        names = {item["name"] for item in source["evidence"]}
        assert {"heartbeat", "connector", "source", "normalize", "link", "store", "sink"} <= names, source
        assert all(item["good"] for item in source["evidence"]), source
        assert source["reason_zh"]
    page = httpx.get(f"{hub.endpoints.console}/console?lang=en", timeout=20).text
    assert all(f'id="source-{department}"' in page for department in hub.endpoints.sources)
    front = httpx.get(hub.endpoints.console, headers={"Accept": "text/html"}, timeout=20)
    assert front.headers["location"] == "/console"
    assert hub.query("SELECT 1 AS n") == [{"n": 1}]


def test_a_test_alert_arrives_and_a_mute_is_listed(hub: RunningHub, hook: Hook) -> None:
    answer = renkou("alerts", "test", data=hub.stack.data)
    assert answer.returncode == 0, answer.stderr
    assert "own: taken" in answer.stdout
    assert [body["status"] for body in hook.bodies("/own")] == ["test"]
    assert renkou("alerts", "mute", "police.hj_hjxx", "--until", "1h", data=hub.stack.data).returncode == 0
    listed = json.loads(renkou("alerts", "list", "--json", data=hub.stack.data).stdout)
    assert [mute["subject"] for mute in listed["mutes"]] == ["police.hj_hjxx"]
    assert "police.hj_hjxx" in renkou("alerts", "list", data=hub.stack.data).stdout
    assert renkou("alerts", "unmute", "police.hj_hjxx", data=hub.stack.data).returncode == 0
    assert renkou("alerts", "mute", "nobody", "--until", "1h", data=hub.stack.data).returncode == 1


@pytest.mark.skipif(
    not prometheus.available(), reason="install the Debian packages prometheus and prometheus-alertmanager"
)
def test_a_broken_source_is_told_and_its_healing_too(hub: RunningHub, hook: Hook, tmp_path: Path) -> None:
    until("all sources idle", lambda: all_idle(hub))
    connect = f"{hub.endpoints.connect}/connectors/{connector_name(BROKEN)}"

    def own(status: str) -> list[Any]:
        return [
            body for body in hook.bodies("/own")
            if (body["status"], body["kind"], body["subject"]) == (status, "connector-stalled", BROKEN)
        ]  # fmt: skip

    def alertmanagers(status: str) -> list[Any]:
        return [
            alert
            for body in hook.bodies("/duty")
            for alert in body["alerts"]
            if alert["status"] == status
            and alert["labels"]["alertname"] == "RenkouConnectorStalled"
            and alert["labels"]["department"] == BROKEN
        ]

    endpoints = hub.endpoints
    with prometheus.running(
        tmp_path, endpoints.metrics.values(), endpoints.sources.keys(), hook.url
    ) as address:
        until("the watchdog", lambda: hook.bodies("/watchdog"))
        httpx.put(f"{connect}/pause", timeout=30).raise_for_status()
        try:
            until("the state", lambda: sources(hub).get(BROKEN, {}).get("state") == "connector stalled")
            assert sources(hub)[BROKEN]["cause"] == "connector_paused"
            until("the hub's own notification", lambda: own("firing"))
            until("Alertmanager's notification", lambda: alertmanagers("firing"))
        finally:
            httpx.put(f"{connect}/resume", timeout=30).raise_for_status()
        until("the state is over", lambda: all_idle(hub))
        until("the hub's own resolution", lambda: own("resolved"))
        until("Alertmanager's resolution", lambda: alertmanagers("resolved"))
        assert len(own("firing")) == len(own("resolved")) == 1
        answer = httpx.get(
            f"{address}/api/v1/query", params={"query": "renkou:source_delay:seconds"}, timeout=30
        )
        delays = {one["metric"]["department"] for one in answer.json()["data"]["result"]}
        assert delays == endpoints.sources.keys()
