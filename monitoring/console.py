"""The first page in the browser: the flow, every source with its evidence, the last day, the alerts. Live.

The server renders; a stream of server-sent events carries each new picture as HTML, and htmx puts it in place. htmx
comes out of a package, the rest is here: nothing is loaded from elsewhere, and no personal data are on it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from monitoring.alerts import Alert
from monitoring.conditions import span
from monitoring.observer import Picture, shown
from monitoring.page_texts import LABELS
from monitoring.signals import STAGES
from monitoring.status import State, hub_delay, source_delay
from monitoring.texts import LANGUAGES
from monitoring.workdays import ZONE

PATH: Final = "/console"
COOKIE: Final = "renkou_lang"
KEEP_ALIVE: Final = 15.0
"""Seconds without a new picture after which a comment keeps the stream open; proxies close what is silent."""
STALE_SECONDS: Final = 15
"""Seconds without a new picture after which the page says that what it shows is old."""
MICRO: Final = 1_000_000

WIDTH, HEIGHT = 288, 48
"""Of a day's line: a unit is five minutes."""
LEAST_TOP: Final = 60.0
"""Seconds at the top of the line at least, so that a quiet day looks quiet."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

ASSETS: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
HTMX: Final = "htmx.js"

SIGNS: Final = {
    State.IDLE: "✓",
    State.INITIALISING: "…",
    State.SOURCE_DOWN: "✕",
    State.CONNECTOR_STALLED: "‖",
    State.CONSUMER_LAGGING: "▲",
    State.SINK_FAILING: "■",
}
"""A sign beside each state's colour and name: colour is never the only one."""


class Console:
    """The page's routes and the picture it shows."""

    def __init__(self, titles: Mapping[str, tuple[str, str]]) -> None:
        """``titles`` maps a department to its Chinese and English title."""
        self._titles = titles
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("monitoring", "pages"), autoescape=True, undefined=jinja2.StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {"span": span, "clock": clock, "number": number}
        self._htmx = _htmx()
        self._picture: Picture | None = None
        self._alerts: Sequence[tuple[Alert, bool]] = ()
        self._version = 0
        self._rendered: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.router = APIRouter()
        self.router.add_api_route(PATH, self._page, methods=["GET"], include_in_schema=False)
        self.router.add_api_route(f"{PATH}/events", self._events, methods=["GET"], include_in_schema=False)
        self.router.add_api_route(
            f"{PATH}/assets/{{name}}", self._asset, methods=["GET"], include_in_schema=False
        )

    def show(self, picture: Picture, alerts: Sequence[tuple[Alert, bool]]) -> None:
        """Show this picture from now on, to everybody who looks. Called in the event loop."""
        self._picture, self._alerts = picture, alerts
        self._version += 1
        self._rendered.clear()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _page(self, request: Request) -> Response:
        language = _language(request)
        page = self._templates.get_template("page.html").render(
            language=language,
            t=LABELS[language],
            picture=self._render(language),
            path=PATH,
            stale=STALE_SECONDS,
        )
        response = HTMLResponse(page, headers=HEADERS)
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(COOKIE, language, max_age=365 * 86_400, samesite="strict", httponly=True)
        return response

    def _asset(self, name: str) -> Response:
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
        if name == HTMX:
            return Response(self._htmx, media_type="text/javascript; charset=utf-8", headers=headers)
        if name not in ASSETS:
            raise HTTPException(404, "there is no such asset")
        return Response(_own(name), media_type=ASSETS[name], headers=headers)

    def _events(self, request: Request) -> Response:
        return StreamingResponse(
            self._stream(_language(request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _stream(self, language: str) -> AsyncGenerator[str, None]:
        """Yield the present picture and every later one; one who comes again gets the newest, not what was missed."""
        sent = -1
        while True:
            changed = self._changed
            if sent != self._version:
                sent = self._version
                yield event(sent, self._render(language))
            try:
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield ": still here\n\n"

    def _render(self, language: str) -> str:
        text = self._rendered.get(language)
        if text is None:
            template = self._templates.get_template("picture.html")
            text = self._rendered[language] = template.render(**self._values(language))
        return text

    def _values(self, language: str) -> dict[str, Any]:
        picture = self._picture
        index = LANGUAGES.index(language)
        values: dict[str, Any] = {
            "language": language,
            "t": LABELS[language],
            "picture": picture,
            "signs": SIGNS,
            "stages": STAGES,
            "titles": {department: titles[index] for department, titles in self._titles.items()},
            "alerts": [
                (alert.condition, alert.since, muted, getattr(alert.condition, language))
                for alert, muted in self._alerts
            ],
            "shown": shown,
            "micro": MICRO,
        }
        if picture is not None:
            values["flow"] = {stage: _flow(picture, stage) for stage in STAGES}
            values["lines"] = {
                name: line(day.points(picture.now / MICRO)) for name, day in picture.lines.items()
            }
            values["delays"] = {name: hub_delay(signals) for name, signals in picture.signals.items()}
            values["ages"] = {name: source_delay(signals) for name, signals in picture.signals.items()}
            values["objectives"] = {
                department: (
                    min(feed.feed.objectives.hub_delay.error for feed in feeds),
                    min(feed.feed.objectives.source_delay.error for feed in feeds),
                )
                for department in self._titles
                if (feeds := [feed for feed in picture.feeds if feed.feed.department == department])
            }
        return values


def _flow(picture: Picture, stage: str) -> float | None:
    """Return the hub's changes a second through a stage, None before they are known."""
    rates = [source.stages[stage].rate for source in picture.sources]
    known = [rate for rate in rates if rate is not None]
    if not known:
        return None
    # Linking has one rate, which each source shows.
    return max(known) if stage == "linked" else sum(known)


def event(number: int, html: str) -> str:
    """Return a server-sent event with a picture."""
    data = "".join(f"data: {row}\n" for row in html.splitlines())
    return f"id: {number}\nevent: picture\n{data}\n"


def line(points: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """Return a day's lag as the points of an SVG polyline, five minutes a unit and the worst of each, logarithmic.

    ``top`` is the lag in seconds at the upper edge, ``worst`` the day's worst; ``parts`` are broken where nobody
    looked.
    """
    worst: dict[int, float] = {}
    for minutes, lag in points:
        place = WIDTH - 1 - minutes // 5
        worst[place] = max(lag, worst.get(place, 0.0))
    top = max([LEAST_TOP, *worst.values()])
    parts: list[list[str]] = []
    before = None
    for place in sorted(worst):
        if before is None or place - before > 1:
            parts.append([])
        height = HEIGHT - (HEIGHT - 2) * math.log1p(worst[place]) / math.log1p(top)
        parts[-1].append(f"{place},{height:.1f}")
        before = place
    # A single point is no line.
    drawn = [" ".join(part if len(part) > 1 else [part[0], part[0].replace(",", ".9,")]) for part in parts]
    return {"parts": drawn, "top": top, "worst": max(worst.values(), default=None)}


def clock(moment: int | None) -> str:
    """Return a moment (microseconds since 1970) on the register's clock."""
    return (
        "–" if moment is None else dt.datetime.fromtimestamp(moment / MICRO, ZONE).strftime("%m-%d %H:%M:%S")
    )


def number(value: float | None) -> str:
    """Return a rate or a lag with as many digits as say something."""
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _language(request: Request) -> str:
    """Return ``zh`` or ``en``: as asked, as asked before, as the browser prefers."""
    wanted = request.query_params.get("lang") or request.cookies.get(COOKIE)
    if wanted in LANGUAGES:
        return wanted
    preferred = request.headers.get("accept-language", "zh").lower()
    return "en" if preferred.startswith("en") else "zh"


def _own(name: str) -> bytes:
    return (resources.files("monitoring") / "pages" / name).read_bytes()


def _htmx() -> bytes:
    """Return htmx out of the package that carries it; looked up and not imported, since it is made for Django."""
    found = find_spec("js_lib_htmx")
    folder = next(iter(found.submodule_search_locations or ()), None) if found is not None else None
    if folder is None:
        raise ModuleNotFoundError(
            "the package django-js-lib-htmx is missing: install renkou with its requirements"
        )
    return (Path(folder) / "static" / "htmx" / "htmx.min.js").read_bytes()


class _FrontDoor(Route):
    """``/`` for a browser; the other requests for it are ClickHouse's."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
            if b"text/html" in accept:
                return super().matches(scope)
        return Match.NONE, {}


def front_door() -> Route:
    """Return the route that sends a browser from ``/`` to the page. It must stand before ClickHouse's."""
    return _FrontDoor("/", lambda request: RedirectResponse(PATH), include_in_schema=False)
