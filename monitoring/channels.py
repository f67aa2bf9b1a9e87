"""Channels: where notifications go. Webhook, e-mail and WeCom, from one YAML file. See docs/operating.md.

Addresses and passwords may be secrets: ``env:NAME`` takes a value from the environment, ``file:PATH`` from a file. No
message of an error holds one.
"""

from __future__ import annotations

import datetime as dt
import os
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Protocol

import httpx
import msgspec

from connectors import tls
from connectors.feeds.located import Located, read_yaml
from monitoring.alerts import Notification
from monitoring.workdays import ZONE

TIMEOUT: Final = 10.0
MAIL_PORT: Final = 25
_MARKS: Final = {"firing": "🔴 告警 ALERT", "resolved": "🟢 恢复 RESOLVED", "test": "🔵 测试 TEST"}


class ChannelError(Exception):
    """A channel has not taken a notification; the message says why, without address or password."""


class Channel(Protocol):
    """Somewhere that a notification can be sent to. ``name`` is unique among the channels."""

    name: str

    def send(self, notification: Notification) -> None:
        """Return when it was taken. Blocks for seconds at most. Raises ChannelError."""
        ...


class Webhook:
    """Posts a notification as JSON, with its id as ``Idempotency-Key``."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url

    def send(self, notification: Notification) -> None:
        """Raises ChannelError."""
        _post(self._url, msgspec.json.encode(notification), notification.id)


class WeCom:
    """Posts to a WeCom (企业微信) group robot, which answers 200 with an error code of its own."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url

    def send(self, notification: Notification) -> None:
        """Raises ChannelError."""
        lines = [f"**{subject_line(notification)}**", *body_lines(notification)]
        body = {"msgtype": "markdown", "markdown": {"content": "\n".join(lines)}}
        answer = _post(self._url, msgspec.json.encode(body), notification.id)
        try:
            code = msgspec.json.decode(answer, type=_WeComAnswer).errcode
        except msgspec.DecodeError:
            raise ChannelError("the answer is not WeCom's; see the address") from None
        if code:
            raise ChannelError(f"WeCom refuses with errcode {code}; see the robot's settings")


class _WeComAnswer(msgspec.Struct):
    errcode: int


class Mail:
    """Sends an e-mail through an SMTP server; ``security`` is none, starttls or tls."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        security: str,
        sender: str,
        to: Sequence[str],
        user: str,
        password: str,
    ) -> None:
        self.name = name
        self._host, self._port, self._security = host, port, security
        self._sender, self._to = sender, tuple(to)
        self._user, self._password = user, password

    def send(self, notification: Notification) -> None:
        """Raises ChannelError."""
        message = EmailMessage()
        message["Subject"] = subject_line(notification)
        message["From"] = self._sender
        message["To"] = ", ".join(self._to)
        message["Message-ID"] = f"<{notification.id}@renkou>"
        message.set_content("\n".join(body_lines(notification)) + "\n")
        try:
            with self._server() as server:
                if self._security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelError(
                f"the mail server: {type(error).__name__}; see its address and log-in"
            ) from None

    def _server(self) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(
                self._host, self._port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        return smtplib.SMTP(self._host, self._port, timeout=TIMEOUT)


def subject_line(notification: Notification) -> str:
    """Return the one line that says it: status, kind, subject."""
    return f"{_MARKS[notification.status]} {notification.kind} {notification.subject}"


def body_lines(notification: Notification) -> list[str]:
    """Return what is told in words, in both languages."""
    since = dt.datetime.fromtimestamp(notification.since / 1e6, ZONE).strftime("%Y-%m-%d %H:%M:%S %z")
    return [
        notification.zh,
        notification.en,
        f"级别 severity: {notification.severity}",
        f"开始 since: {since}",
        f"处置 runbook: {notification.runbook}",
    ]


def _post(url: str, body: bytes, key: str) -> bytes:
    try:
        response = httpx.post(
            url,
            content=body,
            timeout=TIMEOUT,
            verify=tls.trusted(),
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ChannelError(
            f"{type(error).__name__}; is the other side running, is the address right?"
        ) from None
    if not response.is_success:
        raise ChannelError(f"HTTP {response.status_code}; see the other side's log")
    return response.content


def read_channels(path: Path | None, environment: Mapping[str, str] = os.environ) -> list[Channel]:
    """Return the channels of a file, none when there is no file. Raises FeedError, naming file and line."""
    if path is None:
        return []
    channels: list[Channel] = []
    names: set[str] = set()
    for place in read_yaml(path).fields(("channels",))["channels"].items():
        channel = _channel(place, environment)
        if channel.name in names:
            place.fail(f"the name '{channel.name}' stands twice; give each channel its own")
        names.add(channel.name)
        channels.append(channel)
    return channels


def _channel(place: Located, environment: Mapping[str, str]) -> Channel:
    kind = next((value.text() for name, _, value in place.entries() if name == "kind"), "")
    if kind in ("webhook", "wecom"):
        entries = place.fields(("name", "kind", "url"))
        url = _secret(entries["url"], environment)
        if not url.startswith(("http://", "https://")):
            entries["url"].fail("an address that begins with http:// or https:// is wanted here")
        return (
            Webhook(entries["name"].text(), url) if kind == "webhook" else WeCom(entries["name"].text(), url)
        )
    if kind == "mail":
        return _mail(place, environment)
    return place.fail("'kind' is missing or not known here; known are webhook, wecom, mail")


def _mail(place: Located, environment: Mapping[str, str]) -> Mail:
    entries = place.fields(("name", "kind", "host", "from", "to"), ("port", "security", "user", "password"))
    security = entries["security"].text() if "security" in entries else "starttls"
    if security not in ("none", "starttls", "tls"):
        entries["security"].fail("known are none, starttls, tls")
    to = [item.text() for item in entries["to"].items()]
    if not to:
        entries["to"].fail("at least one address is wanted here")
    return Mail(
        name=entries["name"].text(),
        host=entries["host"].text(),
        port=entries["port"].integer(1, 65535) if "port" in entries else MAIL_PORT,
        security=security,
        sender=entries["from"].text(),
        to=to,
        user=entries["user"].text() if "user" in entries else "",
        password=_secret(entries["password"], environment) if "password" in entries else "",
    )


def _secret(place: Located, environment: Mapping[str, str]) -> str:
    text = place.text()
    kind, _, name = text.partition(":")
    if kind == "env":
        value = environment.get(name, "")
        return value or place.fail(f"the environment has no {name}; set it")
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as error:
            place.fail(f"the secret's file cannot be read: {error.strerror}")
    return text
