"""The page and the interface behind it, without a browser."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import pytest
import typer
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from connectors import endpoints
from connectors.files.delivery import Control
from connectors.files.delivery import Delivery as FileDelivery
from monitoring.api import Api
from monitoring.conditions import Condition, Kind, Severity
from monitoring.console import SIGNS, event, front_door, line
from monitoring.http import HttpServer
from monitoring.notifier import Notifier
from monitoring.observer import Observer, Picture
from monitoring.page_texts import LABELS
from monitoring.status import State
from monitoring.workdays import Calendar
from streams.cli import status
from streams.delivered import tell
from streams.settings import Settings
from tests.support.pictures import FEEDS, TITLES, picture_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(TITLES, FEEDS, Observer(FEEDS, Calendar(), tmp_path), Notifier(tmp_path, []))


@pytest.fixture
def client(api: Api) -> TestClient:
    app = FastAPI()
    app.router.routes.append(front_door())
    app.include_router(api.router)
    app.add_api_route("/", lambda: "clickhouse", methods=["GET", "POST"])
    return TestClient(app)


def test_both_languages_have_the_same_words() -> None:
    zh, en = LABELS["zh"], LABELS["en"]
    assert zh.keys() == en.keys()
    assert {state.value for state in State} <= zh.keys()
    assert set(SIGNS) == set(State)
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_a_browser_is_led_to_the_page_and_others_to_clickhouse(client: TestClient) -> None:
    answer = client.get("/", headers={"Accept": "text/html,*/*"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/console")
    assert client.get("/").json() == "clickhouse"
    assert client.get("/?query=SELECT", headers={"Accept": "text/html"}).json() == "clickhouse"
    assert client.post("/", headers={"Accept": "text/html"}).json() == "clickhouse"


def test_the_page_is_there_before_the_first_look(client: TestClient) -> None:
    assert LABELS["zh"]["waiting"] in client.get("/console").text


def test_the_page_shows_every_source_in_both_languages(client: TestClient, api: Api) -> None:
    asyncio.run(_show(api, picture_of()))
    zh, en = (client.get(f"/console?lang={language}").text for language in ("zh", "en"))
    for name, titles in TITLES.items():
        assert titles[0] in zh
        assert titles[1] in en
        assert f'id="source-{name}"' in zh
    for state in (State.IDLE, State.SOURCE_DOWN, State.CONSUMER_LAGGING):
        assert LABELS["zh"][state.value] in zh
        assert SIGNS[state] in en
    assert 'lang="zh-CN"' in zh
    assert client.get("/console").text.count('lang="en"') == 1  # the choice is remembered
    assert client.get("/console", headers={"Cookie": "", "Accept-Language": "en-GB"}).status_code == 200


async def _show(api: Api, picture: Picture) -> None:
    api.show(picture)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline(client: TestClient, api: Api) -> None:
    asyncio.run(_show(api, picture_of()))
    answer = client.get("/console?lang=en")
    addresses = re.findall(r'(?:src|href|data-events)="([^"]+)"', answer.text)
    assert addresses
    for address in addresses:
        assert address.startswith(("/console", "?lang=", "data:,")), address
        if address.startswith("/console/assets/"):
            assert client.get(address).status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.findall(r"<script>|<style|\son\w+=|\sstyle=", answer.text)
    assert client.get("/console/assets/page.html").status_code == 404
    assert client.get("/console/assets/htmx.js").text.startswith("var htmx=")


def test_what_a_source_says_cannot_be_markup(client: TestClient, api: Api) -> None:
    asyncio.run(_show(api, picture_of(sink_error="<script>alert(1)</script>")))
    text = client.get("/console?lang=en").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_stream_sends_the_present_picture_and_each_new_one(api: Api) -> None:
    async def read() -> list[str]:
        stream = api._console._stream("en")
        api.show(picture_of())
        first = await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        api.show(picture_of())
        second = await asyncio.wait_for(waiting, 5)
        await stream.aclose()
        return [first, second]

    first, second = asyncio.run(read())
    assert first.startswith("id: 1\nevent: picture\ndata: ")
    assert second.startswith("id: 2\n")
    assert first.endswith("\n\n")
    assert "\n\n" not in first.rstrip("\n")


def test_an_event_keeps_its_lines() -> None:
    assert event(3, "a\n\nb") == "id: 3\nevent: picture\ndata: a\ndata: \ndata: b\n\n"


def test_a_days_line_is_broken_where_nobody_looked() -> None:
    drawn = line([(1000, 5.0), (995, 700.0), (20, 1.0), (0, 2.0)])
    assert len(drawn["parts"]) == 3
    assert drawn["worst"] == drawn["top"] == 700.0
    assert line([])["worst"] is None


def test_status_and_signals(client: TestClient, api: Api) -> None:
    nothing = client.get("/v1/status").json()
    assert nothing == {"sources": [], "now": 0, "feeds": [], "alerts": []}
    asyncio.run(_show(api, picture_of()))
    sources = {one["department"]: one for one in client.get("/v1/status").json()["sources"]}
    assert sources["police"]["state"] == "idle"
    assert sources["police"]["stages"].keys() == {"captured", "normalized", "linked", "queryable"}
    assert sources["hrss"]["state"] == "source down"
    assert client.get("/v1/signals").json()["signals"]["hrss"]["source_reachable"] is False


def test_mutes_through_the_interface(client: TestClient) -> None:
    until = int((time.time() + 3600) * 1e6)
    body = {"subject": "police", "until": until, "reason": "repair"}
    assert client.post("/v1/alerts/mutes", json=body).status_code == 200
    assert client.get("/v1/alerts").json()["mutes"][0]["subject"] == "police"
    assert client.delete("/v1/alerts/mutes/police").status_code == 204
    assert client.delete("/v1/alerts/mutes/police").status_code == 404
    assert client.post("/v1/alerts/mutes", json={**body, "subject": "nobody"}).status_code == 404
    assert client.post("/v1/alerts/mutes", json={**body, "until": 5}).status_code == 422
    assert client.post("/v1/alerts/mutes", json={"subject": "police"}).status_code == 422
    # What another site's page can send without asking first is not taken.
    assert (
        client.post("/v1/alerts/mutes", content=b"{}", headers={"Content-Type": "text/plain"}).status_code
        == 415
    )
    assert client.post("/v1/alerts/test").status_code == 415
    assert client.post("/v1/alerts/test", headers=JSON).json()["channels"] == []


def test_deliveries_through_the_interface(client: TestClient) -> None:
    body = {"feed": "justice.sqjz", "date": "2026-11-20", "sequence": 1, "records": 5, "arrived": 1}
    assert client.post("/v1/deliveries", json=body).status_code == 201
    assert client.post("/v1/deliveries", json=body).status_code == 200
    assert client.post("/v1/deliveries", json={**body, "feed": "police.hj_hjxx"}).status_code == 404
    assert client.post("/v1/deliveries", json={**body, "date": "soon"}).status_code == 422


def test_a_loaded_delivery_is_told_to_the_watch(api: Api, tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(api.router)
    server = HttpServer(app, "127.0.0.1", 0)
    control = Control(120, 9, "0" * 64, packed=False)
    delivery = FileDelivery(tmp_path / "x", "justice_sqjz_20261120_001.csv", 20261120, 1, control)
    options = Settings(data=tmp_path)

    async def run() -> list[str]:
        found = [await asyncio.to_thread(tell, options, "justice.sqjz", delivery)]
        endpoints.save(tmp_path, endpoints.Endpoints(console=server.url))
        await server.start()
        found += [
            await asyncio.to_thread(tell, options, feed, delivery) for feed in ("justice.sqjz", "nobody.x")
        ]
        await server.stop()
        return [*found, await asyncio.to_thread(tell, options, "justice.sqjz", delivery)]

    nowhere, told, unknown, away = asyncio.run(run())
    assert nowhere == told == ""
    assert "HTTP 404" in unknown
    assert "again" in away
    (noted,) = api._observer._deliveries.of("justice.sqjz")
    assert (noted.date, noted.records) == ("2026-11-20", 120)


def test_the_command_shows_what_the_page_shows(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources with the evidence of what is wrong, feeds with their last reconciliation, the alerts."""
    monkeypatch.setenv("COLUMNS", "250")
    app = FastAPI()
    app.include_router(api.router)
    server = HttpServer(app, "127.0.0.1", 0)
    endpoints.save(tmp_path, endpoints.Endpoints(console=server.url, pids={"store": 4711}))
    picture = picture_of()
    failed = Condition(Kind.VERIFICATION, "hrss.ac01", Severity.ERROR, "对账未通过", "rows differ")
    api._notifier.update([failed])
    command = typer.Typer()
    status.register(command)

    async def run(*options: str) -> Result:
        arguments = ["--data", str(tmp_path), *options]
        return await asyncio.to_thread(lambda: CliRunner().invoke(command, arguments))

    async def both() -> list[Result]:
        api.show(picture)
        await server.start()
        found = [await run(), await run("--json")]
        await server.stop()
        return [*found, await run()]

    shown, machine, away = asyncio.run(both())
    assert shown.exit_code == 0, shown.output
    for text in ("source down", "✕ database down", "hrss.ac01", "✕ 3 differ, 2 h ago", "✓ equal", "4711",
                 "alerts 告警 (1)", "verification", "rows differ", "社区矫正 justice.sqjz"):  # fmt: skip
        assert text in shown.output, text
    answer = json.loads(machine.output)
    assert {one["department"]: one["state"] for one in answer["sources"]}["hrss"] == "source down"
    assert answer["now"] == picture.now
    assert {one["feed"]: one["differences"] for one in answer["feeds"]}["hrss.ac01"] == 3
    assert [one["kind"] for one in answer["alerts"]] == ["verification"]
    assert away.exit_code == 1
