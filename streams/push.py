"""The push channel: changes that a client sends over HTTP, each with the position that the client gives it.

``POST /v1/feeds/{feed}/changes`` takes JSON lines and answers with one JSON line for each, once the broker has taken
what was accepted. The position is the version: sending a change again changes nothing, and changes may come in any
order. What does not fit the feed is rejected and stays the client's; nothing rejected is kept here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import structlog
from fastapi import APIRouter, Request, Response

from avro.change import Place, RawEvent
from avro.debezium_keys import NEW_KEY_HEADER, OLD_KEY_HEADER
from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter
from avro.version import POSITION_LIMIT
from connectors.envelopes import envelope_bytes
from connectors.errors import FeedError
from connectors.feeds import Catalog, Feed
from monitoring import metrics
from streams.errors import BrokerUnavailableError, SettingError
from streams.normalize import Normalizer
from streams.producer import Producer

log = structlog.get_logger()

CONNECTOR: Final = "renkou-push"

MOST_BYTES: Final = 8 << 20
"""Of a request's body."""
MOST_LINE_BYTES: Final = 1 << 20
MOST_LINES: Final = 10_000
MOST_PENDING: Final = 50_000
"""Changes that wait for the broker; more are refused with 429. With their keys and headers about 100 MB."""
ACK_SECONDS: Final = 10.0
"""How long a request waits for the broker before it is answered with 503."""
RETRY_AFTER: Final = "1"
"""Seconds that a client should wait after 429 and 503."""

_MICROSECONDS: Final = 1_000_000
_NDJSON: Final = "application/x-ndjson"

_encode: Final = msgspec.json.Encoder().encode


class Pushed(msgspec.Struct, forbid_unknown_fields=True):
    """A line. ``row`` has every column that the feed names, as Debezium's JSON has them; a delete has ``key`` instead.
    ``time`` is when it happened, ISO 8601 with an offset. ``previous_key`` is the key that the row had before."""

    op: Literal["c", "u", "d"]
    position: int
    time: datetime
    row: dict[str, Any] | None = None
    key: dict[str, Any] | None = None
    previous_key: dict[str, Any] | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """What became of a line: ``status`` is accepted or rejected."""

    line: int
    status: str
    rule: str = ""
    error: str = ""


_decode: Final = msgspec.json.Decoder(Pushed).decode


class BusyError(Exception):
    """Too many changes wait for the broker."""


def rejected(line: int, rule: str, error: str) -> Answer:
    """Return the answer to a line that is not taken."""
    return Answer(line, "rejected", rule, error)


class Intake:
    """From lines to events that fit their feed. Pure."""

    def __init__(self, catalog: Catalog) -> None:
        self._normalizer = Normalizer(catalog, EnvelopeDecoder(None))

    def read(self, feed: Feed, body: bytes, now: int) -> tuple[list[RawEvent], list[Answer]]:
        """Return the events of a body and the answers to its lines, blank ones left out; ``now`` in microseconds."""
        events: list[RawEvent] = []
        answers: list[Answer] = []
        for number, line in enumerate(body.split(b"\n"), start=1):
            if not line.strip():
                continue
            if len(answers) >= MOST_LINES:
                answers.append(rejected(number, "too_many_lines", f"send at most {MOST_LINES} lines at once"))
                break
            read = self._line(feed, line, number, now)
            if isinstance(read, Answer):
                answers.append(read)
            else:
                events += read
                answers.append(Answer(number, "accepted"))
        return events, answers

    def _line(self, feed: Feed, line: bytes, number: int, now: int) -> list[RawEvent] | Answer:
        if len(line) > MOST_LINE_BYTES:
            return rejected(number, "too_long", f"a line has at most {MOST_LINE_BYTES} bytes")
        try:
            pushed = _decode(line)
        except msgspec.ValidationError as error:
            return rejected(number, "wrong_type", f"{error}; see docs/push.md")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return rejected(number, "not_json", "the line is not JSON; see docs/push.md")
        if not 0 <= pushed.position < POSITION_LIMIT:
            return rejected(number, "missing_position", f"a position is from 0 to {POSITION_LIMIT - 1}")
        if pushed.time.tzinfo is None:
            return rejected(number, "missing_time", "'time' has no offset; write +08:00 behind it")
        if (pushed.op == "d") == (pushed.row is not None) or (pushed.op == "d") != (pushed.key is not None):
            return rejected(number, "wrong_type", "a delete has a 'key', every other change a 'row'")
        events = _events(feed, pushed, now)
        if events is None:
            return rejected(number, "missing_key", f"the key is ({', '.join(feed.key)}); all of it is wanted")
        for event in events:
            outcome = self._normalizer.process(event)[0]
            if isinstance(outcome, DeadLetter):
                return rejected(number, outcome.rule, outcome.error)
        return events


def _events(feed: Feed, pushed: Pushed, now: int) -> list[RawEvent] | None:
    """Return the events of a line, None where a part of a key is missing.

    A change of key is two, as in a database: a delete and a create that name each other and have one position.
    """
    is_delete = pushed.op == "d"
    key = _key(feed, pushed.key if is_delete else pushed.row)
    if key is None or (pushed.key is not None and len(pushed.key) != len(key)):
        return None
    if pushed.previous_key is None:
        return [_event(feed, pushed, now, pushed.op, key, None)]
    previous = _key(feed, pushed.previous_key)
    if previous is None or is_delete:
        return None
    if previous == key:
        return [_event(feed, pushed, now, pushed.op, key, None)]
    return [
        _event(feed, pushed, now, "d", previous, (NEW_KEY_HEADER, _encode(key))),
        _event(feed, pushed, now, "c", key, (OLD_KEY_HEADER, _encode(previous))),
    ]


def _event(
    feed: Feed, pushed: Pushed, now: int, op: str, key: dict[str, Any], header: tuple[str, bytes] | None
) -> RawEvent:
    value = envelope_bytes(
        feed,
        CONNECTOR,
        op,
        before=key if op == "d" else None,
        after=None if op == "d" else pushed.row,
        source_time=round(pushed.time.timestamp() * _MICROSECONDS),
        captured_time=now,
        position={"pushed": pushed.position},
    )
    return RawEvent(Place(feed.topic, 0, 0), _encode(key), value, [header] if header is not None else None)


def _key(feed: Feed, values: dict[str, Any] | None) -> dict[str, Any] | None:
    key = {column: (values or {}).get(column) for column in feed.key}
    return None if any(value is None or value == "" for value in key.values()) else key


class Outbox:
    """Hands events to the broker, many requests' at once, and bounds what waits."""

    def __init__(self, producer: Producer, most_pending: int = MOST_PENDING) -> None:
        self._producer = producer
        self._most = most_pending
        self._pending = 0
        self._waiting: asyncio.Queue[tuple[Sequence[RawEvent], asyncio.Future[None]]] = asyncio.Queue()

    async def send(self, events: Sequence[RawEvent]) -> None:
        """Return when the broker has taken the events.

        Raises BusyError at once when too many wait, TimeoutError when the broker is slow (they may still be taken), and
        BrokerUnavailableError.
        """
        if not events:
            return
        if self._pending + len(events) > self._most:
            raise BusyError
        self._pending += len(events)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((events, done))
        # Shielded: the events are on their way, whether or not anybody still waits for the answer.
        await asyncio.wait_for(asyncio.shield(done), ACK_SECONDS)

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            error: BrokerUnavailableError | None = None
            try:
                await asyncio.to_thread(self._flush, [event for events, _ in batch for event in events])
            except BrokerUnavailableError as refused:
                error = refused
            for events, done in batch:
                self._pending -= len(events)
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
                    done.exception()  # the client may have gone: nobody else looks at it

    def _flush(self, events: Sequence[RawEvent]) -> None:
        for event in events:
            self._producer.send(event.place.topic, event.key, event.value, event.headers)
        self._producer.flush()


class Tokens:
    """Who may push into which feed."""

    def __init__(self, setting: str, catalog: Catalog) -> None:
        """``setting`` is ``feed:token`` pairs separated by commas. Raises SettingError."""
        self._hashes: dict[str, list[bytes]] = {}
        for pair in filter(None, (part.strip() for part in setting.split(","))):
            feed, colon, token = pair.partition(":")
            if not colon or len(token) < 16:
                raise SettingError(
                    "RENKOU_PUSH_TOKENS: FEED:TOKEN pairs are wanted, tokens of 16 characters or more"
                )
            try:
                takes = catalog.by_id(feed).push
            except FeedError as error:
                raise SettingError(f"RENKOU_PUSH_TOKENS: {error}") from error
            if not takes:
                raise SettingError(
                    f"RENKOU_PUSH_TOKENS: feed {feed} takes no pushed changes; write 'push: true' into its feed file"
                )
            self._hashes.setdefault(feed, []).append(_hash(token))
        if not self._hashes:
            raise SettingError("RENKOU_PUSH_TOKENS is not set; set FEED:TOKEN pairs, see docs/push.md")

    def allow(self, feed: str, authorization: str) -> bool:
        """Return whether the value of the Authorization header lets its sender push into the feed."""
        scheme, _, token = authorization.partition(" ")
        given = _hash(token.strip())
        # All are compared, and hashes of one length: the time says nothing.
        found = [hmac.compare_digest(given, known) for known in self._hashes.get(feed, [_hash("")])]
        return scheme.lower() == "bearer" and bool(token.strip()) and any(found)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def router(catalog: Catalog, tokens: Tokens, outbox: Outbox) -> APIRouter:
    """Return the channel's route."""
    routes = APIRouter()
    intake = Intake(catalog)

    @routes.post("/v1/feeds/{feed}/changes")
    async def changes(feed: str, request: Request) -> Response:
        if not tokens.allow(feed, request.headers.get("authorization", "")):
            return _refused(401, "a bearer token for this feed is wanted", {"WWW-Authenticate": "Bearer"})
        body = await _body(request.stream())
        if body is None:
            return _refused(413, f"a request has at most {MOST_BYTES} bytes; send less at once")
        events, answers = await asyncio.to_thread(
            intake.read, catalog.by_id(feed), body, time.time_ns() // 1000
        )
        try:
            await outbox.send(events)
        except BusyError:
            return _refused(429, "too many changes wait for the broker; send this again later", _LATER)
        except (TimeoutError, BrokerUnavailableError):
            return _refused(503, "the broker does not answer; send this again later", _LATER)
        for status in ("accepted", "rejected"):
            count = sum(answer.status == status for answer in answers)
            metrics.CHANGES.labels("push", feed, status).inc(count)
        return Response(b"".join(_encode(answer) + b"\n" for answer in answers), media_type=_NDJSON)

    return routes


_LATER: Final = {"Retry-After": RETRY_AFTER}


async def _body(stream: AsyncIterator[bytes]) -> bytes | None:
    """Return the body, None when it is too large."""
    body = bytearray()
    async for part in stream:
        body += part
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


def _refused(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode({"error": error}), status, headers, "application/json")
