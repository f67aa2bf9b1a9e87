"""What the watch knows, over loopback HTTP: status, signals, alerts, mutes, deliveries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response

from monitoring.answers import (
    AlertEntry,
    AlertsAnswer,
    FeedStatus,
    MuteRequest,
    SignalsAnswer,
    StatusAnswer,
    TestAnswer,
)
from monitoring.conditions import HUB
from monitoring.console import Console
from monitoring.deliveries import Delivery
from monitoring.notifier import Notifier
from monitoring.observer import FeedPicture, ObservedFeed, Observer, Picture

T = TypeVar("T")

JSON = "application/json"


class Api:
    """The routes, and the picture they show."""

    def __init__(
        self,
        titles: Mapping[str, tuple[str, str]],
        feeds: Sequence[ObservedFeed],
        observer: Observer,
        notifier: Notifier,
    ) -> None:
        """``titles`` maps a department to its Chinese and English title."""
        self._subjects = {HUB, *titles, *(feed.id for feed in feeds)}
        self._files = {feed.id for feed in feeds if not feed.captured}
        self._observer = observer
        self._notifier = notifier
        self._picture: Picture | None = None
        self._console = Console(titles)
        self.router = APIRouter()
        add = self.router.add_api_route
        add("/v1/status", self._status, methods=["GET"], summary="State of every source")
        add("/v1/signals", self._signals, methods=["GET"], summary="What the states are decided from")
        add("/v1/alerts", self._alerts, methods=["GET"], summary="Alerts that go on, mutes, channels")
        add("/v1/alerts/test", self._test, methods=["POST"], summary="Send a test alert")
        add("/v1/alerts/test/{name}", self._tested, methods=["GET"], summary="Who has not taken it yet")
        add("/v1/alerts/mutes", self._mute, methods=["POST"], summary="Silence a subject until a moment")
        add("/v1/alerts/mutes/{subject}", self._unmute, methods=["DELETE"], summary="End a mute")
        add("/v1/deliveries", self._deliver, methods=["POST"], summary="Take note of an accepted file")
        self.router.include_router(self._console.router)

    def show(self, picture: Picture) -> None:
        """Serve this picture from now on. Called in the event loop."""
        self._picture = picture
        self._console.show(picture, self._notifier.active())

    def _status(self) -> Response:
        if self._picture is None:
            return _json(StatusAnswer([], alerts=self._going_on()))
        feeds = [_feed(one) for one in self._picture.feeds]
        return _json(StatusAnswer(list(self._picture.sources), self._picture.now, feeds, self._going_on()))

    def _signals(self) -> Response:
        return _json(SignalsAnswer(self._picture.signals if self._picture is not None else {}))

    def _alerts(self) -> Response:
        return _json(AlertsAnswer(self._going_on(), self._notifier.mutes(), self._notifier.channels))

    def _going_on(self) -> list[AlertEntry]:
        return [
            AlertEntry(
                kind=alert.condition.kind.value,
                subject=alert.condition.subject,
                severity=alert.condition.severity.value,
                since=alert.since,
                fired=alert.fired,
                muted=muted,
                zh=alert.condition.zh,
                en=alert.condition.en,
                runbook=alert.condition.runbook,
            )
            for alert, muted in self._notifier.active()
        ]

    async def _test(self, request: Request) -> Response:
        _only_json(request)
        name = self._notifier.test()
        return _json(TestAnswer(name, self._notifier.waiting(name), self._notifier.channels))

    def _tested(self, name: str) -> Response:
        return _json(TestAnswer(name, self._notifier.waiting(name), self._notifier.channels))

    async def _mute(self, request: Request) -> Response:
        wanted = await _body(request, MuteRequest)
        if wanted.subject not in self._subjects:
            raise HTTPException(404, f"there is no feed or source {wanted.subject!r}; see renkou feeds list")
        try:
            return _json(self._notifier.mute(wanted.subject, wanted.until, wanted.reason))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    def _unmute(self, subject: str) -> Response:
        if not self._notifier.unmute(subject):
            raise HTTPException(404, f"{subject!r} is not muted; see renkou alerts list")
        return Response(status_code=204)

    async def _deliver(self, request: Request) -> Response:
        delivery = await _body(request, Delivery)
        if delivery.feed not in self._files:
            raise HTTPException(404, f"there is no feed of files {delivery.feed!r}; see renkou feeds list")
        try:
            delivery.day  # noqa: B018 - asked whether it is a day
        except ValueError:
            raise HTTPException(422, "'date' is no day; write it as YYYY-MM-DD") from None
        return Response(status_code=201 if self._observer.deliver(delivery) else 200)


def _feed(picture: FeedPicture) -> FeedStatus:
    usual, last = picture.usual, picture.verification
    return FeedStatus(
        feed=picture.feed.id,
        zh=picture.feed.zh,
        en=picture.feed.en,
        count=None if usual is None else picture.count,
        usual=None if usual is None or math.isinf(usual.high) else (usual.low, usual.high),
        due=picture.due,
        delivered=picture.delivered,
        verified=None if last is None else last.finished,
        differences=0 if last is None else last.differences,
        error="" if last is None else last.error,
    )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)


def _only_json(request: Request) -> None:
    # A page of somebody else's can post to loopback, but not with this type unless it is asked first.
    if request.headers.get("content-type", "").partition(";")[0].strip() != JSON:
        raise HTTPException(415, f"the body is to be {JSON}")


async def _body(request: Request, kind: type[T]) -> T:
    _only_json(request)
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise HTTPException(422, f"the body is not as wanted: {error}") from None
