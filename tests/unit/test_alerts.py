"""Alerts over time, their way to every channel, and what a restart in between changes: nothing."""

from __future__ import annotations

import email
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from connectors.errors import FeedError
from monitoring import files
from monitoring.alerts import GIVE_UP, AlertBook, BookState, Notification
from monitoring.channels import ChannelError, Mail, Webhook, WeCom, read_channels
from monitoring.conditions import Condition, Kind, Severity
from monitoring.notifier import FILE_NAME, Notifier

SECOND = 1_000_000
HOUR = 3600 * SECOND


def condition(
    kind: Kind = Kind.HUB_DELAY, subject: str = "police", severity: Severity = Severity.WARNING
) -> Condition:
    return Condition(kind, subject, severity, "中文", "English")


def told(book: AlertBook) -> list[tuple[str, str, str]]:
    """Return what has been told since the last call."""
    found = [
        (one.notification.status, one.notification.kind, one.notification.severity)
        for one in book.state.outbox
    ]
    book.state.outbox = []
    return found


def test_an_alert_is_told_once_again_when_worse_and_when_it_is_over() -> None:
    book = AlertBook(BookState(), ["one"])
    for second in range(1, 100):
        book.update(second * SECOND, [condition()])
    assert told(book) == [("firing", "hub-delay", "warning")]
    for second in range(100, 200):
        book.update(second * SECOND, [condition(severity=Severity.ERROR)])
    assert told(book) == [("firing", "hub-delay", "error")]
    for second in range(200, 300):
        book.update(second * SECOND, [condition()])
    assert told(book) == []
    for second in range(300, 400):
        book.update(second * SECOND, [])
    assert told(book) == [("resolved", "hub-delay", "warning")]
    assert book.active() == []


def test_a_state_must_last_before_it_is_told_and_what_flaps_is_one_alert() -> None:
    book = AlertBook(BookState(), ["one"])
    down = condition(Kind.SOURCE_DOWN, severity=Severity.ERROR)
    book.update(0, [down])
    book.update(14 * SECOND, [down])
    book.update(16 * SECOND, [])
    assert told(book) == []
    for second in range(20, 100):
        book.update(second * SECOND, [down] if second % 10 < 8 else [])
    assert told(book) == []  # never fifteen seconds in one piece
    for second in range(100, 300):
        book.update(second * SECOND, [down] if second < 120 or second % 10 < 5 else [])
    assert told(book) == [("firing", "source-down", "error")]


def test_it_is_told_again_after_hours() -> None:
    book = AlertBook(BookState(), ["one"])
    bad = condition(severity=Severity.ERROR)
    for hour in range(10):
        book.update(hour * HOUR, [bad])
    assert len(told(book)) == 3


def test_nothing_of_an_unknown_subject_is_over() -> None:
    book = AlertBook(BookState(), ["one"])
    book.update(SECOND, [condition(), condition(subject="hrss.ac01")])
    told(book)
    for second in range(2, 60):
        book.update(second * SECOND, [], unknown=["police", "hrss"])
    assert told(book) == []
    assert len(book.active()) == 2


def test_a_mute_has_an_end_and_what_goes_on_then_is_told() -> None:
    book = AlertBook(BookState(), ["one"])
    book.mute("police", 100 * SECOND, "repair", 0)
    assert book.muted("police", 0)
    assert book.muted("police.hj_hjxx", 99 * SECOND)
    assert not book.muted("policeman", 0)
    assert not book.muted("police", 100 * SECOND)
    for second in range(100):
        book.update(second * SECOND, [condition()])
    assert told(book) == []
    book.update(101 * SECOND, [condition()])
    assert told(book) == [("firing", "hub-delay", "warning")]
    assert book.state.mutes == []
    for until in (0, 31 * 24 * HOUR):
        with pytest.raises(ValueError, match="--until"):
            book.mute("police", until, "", 0)
    book.mute("police", HOUR, "", 0)
    assert book.unmute("police")
    assert not book.unmute("police")


def test_a_resolution_is_told_through_a_mute_to_who_was_told_of_the_alert() -> None:
    book = AlertBook(BookState(), ["one"])
    book.update(SECOND, [condition(), condition(subject="hrss")])
    told(book)
    book.mute("police", HOUR, "", SECOND)
    for second in range(2, 40):
        book.update(second * SECOND, [condition(subject="hrss")])
    assert told(book) == [("resolved", "hub-delay", "warning")]


def test_a_channel_hears_things_in_order_and_a_refusal_is_retried_ever_slower() -> None:
    book = AlertBook(BookState(), ["one", "two"])
    book.test(0)
    book.update(1, [condition()])
    first, other = book.due(2)
    assert {first.channel, other.channel} == {"one", "two"}
    assert first.notification.status == other.notification.status == "test"
    pauses = []
    now = 2
    for _ in range(12):
        assert not book.refused(first, now, "away")
        pauses.append((first.due - now) // SECOND)
        now = first.due
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == 600
    book.taken(other)
    (following,) = [one for one in book.due(3) if one.channel == "two"]
    assert following.notification.status == "firing"
    assert book.waiting(first.notification.id) == {"one": "away"}
    assert book.refused(first, int(GIVE_UP + 1) * SECOND, "away")
    assert book.waiting(first.notification.id) == {}


def test_the_state_survives_and_is_not_told_twice(tmp_path: Path) -> None:
    notifier = Notifier(tmp_path, [Webhook("hook", "http://127.0.0.1:9/none")], clock=lambda: 5 * SECOND)
    notifier.update([condition()])
    notifier.mute("hrss", HOUR, "repair")
    state = files.load(tmp_path / FILE_NAME, BookState)
    (pending,) = state.outbox
    again = Notifier(tmp_path, [Webhook("hook", "http://127.0.0.1:9/none")], clock=lambda: 9 * SECOND)
    again.update([condition()])
    state = files.load(tmp_path / FILE_NAME, BookState)
    assert [one.notification.id for one in state.outbox] == [pending.notification.id]
    assert [mute.subject for mute in again.mutes()] == ["hrss"]
    gone = Notifier(tmp_path, [], clock=lambda: 10 * SECOND)
    gone.update([])
    assert files.load(tmp_path / FILE_NAME, BookState).outbox == []


def test_a_broken_state_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{half")
    assert Notifier(tmp_path, []).active() == []
    assert (tmp_path / f"{FILE_NAME}.broken").read_text() == "{half"


class Receiver(BaseHTTPRequestHandler):
    """Takes what is posted; refuses while ``refusals`` are left."""

    bodies: list[Any]
    keys: list[str]
    refusals: int
    answer: bytes

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if type(self).refusals:
            type(self).refusals -= 1
            self.send_response(503)
            self.end_headers()
            return
        type(self).bodies.append(body)
        type(self).keys.append(self.headers["Idempotency-Key"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(type(self).answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        return


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("One", (Receiver,), {"bodies": [], "keys": [], "refusals": 0, "answer": b'{"errcode": 0}'})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", handler
    server.shutdown()
    thread.join()
    server.server_close()


def until(check: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def test_the_notifier_retries_and_a_restart_sends_what_was_left(
    tmp_path: Path, receiver: tuple[str, type[Receiver]]
) -> None:
    url, handler = receiver
    handler.refusals = 2
    now = [SECOND]
    first = Notifier(tmp_path, [Webhook("hook", url)], clock=lambda: now[0])
    first.start()
    first.update([condition(severity=Severity.ERROR)])
    until(lambda: handler.refusals == 1)
    first.stop()
    assert handler.bodies == []
    now[0] = 60 * SECOND
    second = Notifier(tmp_path, [Webhook("hook", url)], clock=lambda: now[0])
    second.start()
    until(lambda: handler.refusals == 0)
    until(lambda: files.load(tmp_path / FILE_NAME, BookState).outbox[0].attempts == 2)
    now[0] = 120 * SECOND
    until(lambda: len(handler.bodies) == 1)
    second.update([])
    now[0] = 180 * SECOND
    second.update([])
    until(lambda: len(handler.bodies) == 2)
    second.stop()
    assert [body["status"] for body in handler.bodies] == ["firing", "resolved"]
    assert handler.bodies[0]["id"] == handler.keys[0] != handler.keys[1]
    assert files.load(tmp_path / FILE_NAME, BookState).outbox == []


NOTE = Notification(
    "id-1", "firing", "hub-delay", "police", "error", 0, 0, "延迟", "late", "docs/operating.md#hub-delay"
)


def test_wecom_takes_markdown_and_its_own_refusal_counts(receiver: tuple[str, type[Receiver]]) -> None:
    url, handler = receiver
    WeCom("robot", url).send(NOTE)
    (body,) = handler.bodies
    assert body["msgtype"] == "markdown"
    assert "延迟" in body["markdown"]["content"]
    assert "late" in body["markdown"]["content"]
    handler.answer = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
    with pytest.raises(ChannelError, match="93000"):
        WeCom("robot", url).send(NOTE)
    handler.answer = b"<html>"
    with pytest.raises(ChannelError, match="address"):
        WeCom("robot", url).send(NOTE)


def test_an_error_of_a_channel_names_no_address() -> None:
    with pytest.raises(ChannelError) as caught:
        Webhook("hook", "http://127.0.0.1:9/secret-token").send(NOTE)
    assert "secret-token" not in str(caught.value)


class Inbox:
    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 OK"


def test_mail_is_sent_with_an_id_of_its_own() -> None:
    inbox = Inbox()
    # Port 0 lets the system choose; the controller's own check would then connect to port 0.
    controller = Controller(inbox, hostname="127.0.0.1", port=_free_port(), ready_timeout=60)
    controller.start()
    try:
        Mail(
            "mail", "127.0.0.1", controller.port, "none", "renkou@example.org", ["a@example.org"], "", ""
        ).send(NOTE)
    finally:
        controller.stop()
    (raw,) = inbox.mails
    mail = email.message_from_bytes(raw)
    assert mail["Message-ID"] == "<id-1@renkou>"
    assert b"late" in mail.get_payload(decode=True)
    with pytest.raises(ChannelError, match="mail server"):
        Mail("mail", "127.0.0.1", controller.port, "none", "r@example.org", ["a@example.org"], "", "").send(
            NOTE
        )


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


CHANNELS = """
channels:
  - {name: hook, kind: webhook, url: env:HOOK}
  - {name: robot, kind: wecom, url: "https://example.org/robot"}
  - name: mail
    kind: mail
    host: mail.example.org
    port: 587
    from: renkou@example.org
    to: [duty@example.org]
    user: renkou
    password: file:PASSWORD
"""


def test_channels_are_read_with_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("geheim\n")
    path = tmp_path / "channels.yaml"
    path.write_text(CHANNELS.replace("PASSWORD", str(tmp_path / "password")))
    names = [channel.name for channel in read_channels(path, {"HOOK": "http://127.0.0.1/x"})]
    assert names == ["hook", "robot", "mail"]
    assert read_channels(None) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("channels: [{name: a, kind: pigeon}]", "webhook, wecom, mail"),
        ("channels: [{name: a, kind: webhook, url: ftp://x}]", "http://"),
        ("channels: [{name: a, kind: webhook, url: env:NONE}]", "NONE"),
        ("channels: [{name: a, kind: webhook, url: file:/none/such}]", "cannot be read"),
        (
            "channels: [{name: a, kind: webhook, url: http://x}, {name: a, kind: wecom, url: http://x}]",
            "twice",
        ),
        ("channels: [{name: a, kind: mail, host: h, from: f, to: []}]", "at least one"),
        ("channels: [{name: a, kind: mail, host: h, from: f, to: [t], security: ssl}]", "starttls"),
    ],
)
def test_a_wrong_channel_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    with pytest.raises(FeedError, match=message) as caught:
        read_channels(path, {})
    assert f"{path}:1:" in str(caught.value)
