"""The push channel: who may send what, what becomes of each line, and that it says so when it cannot keep up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from avro.change import Place, RawEvent
from avro.envelope import EnvelopeDecoder
from avro.version import POSITION_LIMIT, push_version
from connectors.feeds import Catalog
from streams import push
from streams.cli.app import build
from streams.errors import BrokerUnavailableError, SettingError
from streams.normalize import Normalizer, Recorded
from streams.push import Outbox, Tokens, router
from tests.support import file_feeds

TOKEN = "a-token-of-the-gates"
URL = "/v1/feeds/works.gate/changes"
NOON = "2026-11-23T12:00:00+08:00"
DEADLINE = 30.0

Message = tuple[str, bytes | None, bytes | None, Any]


class Broker:
    """A producer that keeps what it is given. While ``stuck`` is set a flush waits; ``refuses`` makes it fail."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.free = threading.Event()
        self.free.set()
        self.refuses = False

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None) -> None:
        self.sent.append((topic, key, value, headers))

    def flush(self) -> None:
        assert self.free.wait(DEADLINE)
        if self.refuses:
            raise BrokerUnavailableError("the broker refused a message; see its log")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return file_feeds.catalog(tmp_path_factory.mktemp("feeds"))


def line(position: int, number: str = "1", op: str = "c", **changed: Any) -> dict[str, Any]:
    row = {"event_id": number, "name": "王芳", "number": None}
    return {"op": op, "position": position, "time": NOON, "row": row, **changed}


def body(*lines: Any) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)


def ask(
    catalog: Catalog, broker: Broker, talk: Callable[[httpx.AsyncClient], Awaitable[None]], most: int = 100
) -> None:
    """Serve the channel while ``talk`` runs."""

    async def run() -> None:
        outbox = Outbox(broker, most)  # type: ignore[arg-type]
        app = FastAPI()
        app.include_router(router(catalog, Tokens(f"works.gate:{TOKEN}", catalog), outbox))
        sending = asyncio.create_task(outbox.run())
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            async with (
                asyncio.timeout(DEADLINE),
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://push", headers=headers
                ) as client,
            ):
                await talk(client)
        finally:
            broker.free.set()
            sending.cancel()

    asyncio.run(run())


def post(catalog: Catalog, content: bytes, url: str = URL, **headers: str) -> tuple[httpx.Response, Broker]:
    broker = Broker()
    answers: list[httpx.Response] = []

    async def talk(client: httpx.AsyncClient) -> None:
        answers.append(await client.post(url, content=content, headers=headers))

    ask(catalog, broker, talk)
    return answers[0], broker


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(one) for one in response.text.splitlines()]


def process(catalog: Catalog, message: Message) -> Recorded:
    topic, key, value, headers = message
    event = RawEvent(Place(topic, 0, 4), key, value, headers)
    (outcome,) = Normalizer(catalog, EnvelopeDecoder(None)).process(event)
    assert isinstance(outcome, Recorded)
    return outcome


def test_a_pushed_change_is_a_record_with_the_clients_position(catalog: Catalog) -> None:
    response, broker = post(catalog, body(line(7), b"", line(8, op="u", previous_key={"event_id": "0"})))
    assert answers(response) == [{"line": 1, "status": "accepted"}, {"line": 3, "status": "accepted"}]
    first, left, moved = (process(catalog, message).record for message in broker.sent)
    assert (first.feed, first.key, first.op) == ("works.gate", '{"event_id":"1"}', "c")
    assert first.version == push_version(1, 7)
    assert first.source_time == 1_795_406_400_000_000
    assert first.topic == "push.works.gate"
    assert first.mentions[0].name == "王芳"
    assert (left.key, left.is_deleted, left.next_key) == ('{"event_id":"0"}', True, first.key)
    assert (moved.key, moved.previous_key, moved.version) == (first.key, left.key, left.version)


def test_sent_again_it_has_the_same_version_and_late_ones_the_lower(catalog: Catalog) -> None:
    _, broker = post(catalog, body(line(9), line(3), line(9)))
    versions = [process(catalog, message).record.version for message in broker.sent]
    assert versions[0] == versions[2] > versions[1]


def test_a_delete_has_a_key(catalog: Catalog) -> None:
    gone = {"op": "d", "position": 5, "time": NOON, "key": {"event_id": "1"}}
    _, broker = post(catalog, body(gone))
    record = process(catalog, broker.sent[0]).record
    assert record.is_deleted
    assert record.version == push_version(1, 5)


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (b"{", "not_json"),
        (b'{"op":"c","row":{"a":' + b"[" * 100_000, "not_json"),
        (b"[]", "wrong_type"),
        (b'{"op":"c"}', "wrong_type"),
        (line(1, op="t"), "wrong_type"),
        (line(1, extra=1), "wrong_type"),
        (line(-1), "missing_position"),
        (line(POSITION_LIMIT), "missing_position"),
        (line(1, time="2026-11-23T12:00:00"), "missing_time"),
        (line(1, time="yesterday"), "wrong_type"),
        (line(1, row=None), "wrong_type"),
        (line(1, key={"event_id": "1"}), "wrong_type"),
        (line(1, op="d"), "wrong_type"),
        (line(1, op="d", row=None, key={"event_id": ""}), "missing_key"),
        (line(1, op="d", row=None, key={"event_id": "1", "more": 1}), "missing_key"),
        (line(1, previous_key={"x": 1}), "missing_key"),
        (line(1, row={"name": "王芳", "number": None}), "missing_key"),
        (line(1, row={"event_id": "1", "name": "王芳"}), "missing_column"),
        (line(1, row={"event_id": "1", "name": 7, "number": None}), "wrong_type"),
        (line(1, row={"event_id": "x" * (1 << 20), "name": None, "number": None}), "too_long"),
    ],
)
def test_a_line_that_does_not_fit_is_rejected_alone(catalog: Catalog, sent: Any, rule: str) -> None:
    response, broker = post(catalog, body(sent, line(2)))
    bad, good = answers(response)
    assert (bad["status"], bad["rule"], good["status"]) == ("rejected", rule, "accepted")
    assert "王芳" not in bad["error"]
    assert len(broker.sent) == 1


@pytest.mark.parametrize(
    "given", ["", "Bearer", f"Basic {TOKEN}", "Bearer wrong-token-of-gates", "Bearer " + "x" * 9000]
)
def test_without_the_token_nothing_is_taken(catalog: Catalog, given: str) -> None:
    response, broker = post(catalog, body(line(1)), Authorization=given)
    assert (response.status_code, broker.sent) == (401, [])


def test_a_token_is_for_its_feed(catalog: Catalog) -> None:
    for feed in ("works.roll", "works.none", "police.hj_ryjbxx"):
        response, _ = post(catalog, body(line(1)), f"/v1/feeds/{feed}/changes")
        assert response.status_code == 401


def test_too_much_at_once_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    response, broker = post(catalog, b"x" * (push.MOST_BYTES + 1))
    assert (response.status_code, broker.sent) == (413, [])
    monkeypatch.setattr(push, "MOST_LINES", 3)
    response, broker = post(catalog, body(*(line(number) for number in range(5))))
    assert [one["status"] for one in answers(response)] == ["accepted"] * 3 + ["rejected"]
    assert len(broker.sent) == 3


def test_a_broker_that_is_behind_is_told_by_429_and_503(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "ACK_SECONDS", 0.3)
    broker = Broker()
    broker.free.clear()

    async def talk(client: httpx.AsyncClient) -> None:
        three = body(line(1), line(2), line(3))
        slow = await client.post(URL, content=three)
        assert (slow.status_code, slow.headers["retry-after"]) == (503, "1")
        full = await client.post(URL, content=three)
        assert (full.status_code, full.headers["retry-after"]) == (429, "1")
        broker.free.set()
        async with asyncio.timeout(DEADLINE):
            while (await client.post(URL, content=three)).status_code != 200:
                await asyncio.sleep(0.02)
        broker.refuses = True
        assert (await client.post(URL, content=body(line(1)))).status_code == 503
        broker.refuses = False
        assert (await client.post(URL, content=body(line(1)))).status_code == 200

    ask(catalog, broker, talk, most=5)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("", "is not set"),
        ("works.gate", "FEED:TOKEN pairs"),
        ("works.gate:short", "FEED:TOKEN pairs"),
        ("works.none:" + TOKEN, "there is no feed"),
        ("works.roll:" + TOKEN, "push: true"),
    ],
)
def test_what_is_wrong_with_the_tokens_is_said_without_them(
    catalog: Catalog, setting: str, text: str
) -> None:
    with pytest.raises(SettingError, match="RENKOU_PUSH_TOKENS") as caught:
        Tokens(setting, catalog)
    assert text in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_the_tokens_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RENKOU_PUSH_TOKENS", f"works.gate:{TOKEN}")
    shown = CliRunner().invoke(build(), ["config", "--data", str(tmp_path)]).output
    assert "RENKOU_PUSH_TOKENS=(set)" in shown
    assert TOKEN not in shown


def test_a_feed_of_renkous_own_takes_pushes() -> None:
    catalog = Catalog.load()
    assert [feed.id for feed in catalog.feeds if feed.push] == ["transport.kk_txjl"]
    assert catalog.by_id("transport.kk_txjl").is_captured
