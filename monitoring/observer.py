"""The observer: from looks at the sources to states, conditions and the picture of them all.

It holds what a look alone does not tell: since when, what is usual, what was delivered, the last day. It knows neither
Kafka nor a clock of its own, so a simulated day runs through it in a second.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from connectors.clickhouse.complaint import Complaint
from connectors.feeds.objectives import Delay, Objectives
from monitoring import files
from monitoring.conditions import HUB, Condition, Kind, Severity, of_source, of_store, span
from monitoring.deliveries import Delivery, DeliveryBook, due_moments, late_since, unusual_size
from monitoring.expectation import FeedRates, Interval, RateBook
from monitoring.history import Line
from monitoring.signals import Signals
from monitoring.status import SourceStatus, State, StatusBoard
from monitoring.workdays import ZONE, Calendar

log = structlog.get_logger()

FILE_NAME: Final = "observer.json"
SAVE_SECONDS: Final = 300.0
"""Between two saves: what a kill forgets of the day's line and the hour's count."""
WARM_UP: Final = 20.0
"""Seconds after the start in which nothing counts as over: not everything has been heard yet."""
CALENDAR_AHEAD: Final = dt.timedelta(days=14)
"""How long before a year without known holidays somebody is told."""
MICRO: Final = 1_000_000


class ObservedFeed(msgspec.Struct, frozen=True):
    """What the observer needs to know of a feed; ``captured`` is false for files and the push channel."""

    id: str
    department: str
    zh: str
    en: str
    captured: bool
    objectives: Objectives


class Verification(msgspec.Struct, frozen=True):
    """The last reconciliation of a feed: its end in microseconds, rows that differed, what kept it from its end."""

    feed: str
    finished: int
    differences: int
    error: str = ""


class Letters(msgspec.Struct, frozen=True):
    """How many changes of a feed are open dead letters; ``feed`` is empty for those of topics that no feed reads."""

    feed: str
    open: int


class Look(msgspec.Struct, frozen=True):
    """One look at everything. ``now`` is microseconds since 1970; ``rates`` maps department and stage to changes a
    second, ``totals`` a feed to its changes so far; ``complaints`` are what the store's upkeep has found."""

    now: int
    signals: Mapping[str, Signals]
    rates: Mapping[str, dict[str, float]] = {}
    totals: Mapping[str, int] = {}
    verifications: Mapping[str, Verification] = {}
    letters: Mapping[str, Letters] = {}
    complaints: Sequence[Complaint] = ()


class FeedPicture(msgspec.Struct, frozen=True):
    """A feed as the page shows it. ``usual`` is None where the rate is not judged, ``count`` the changes of this hour;
    ``due`` and ``delivered`` are the next due moment and the last delivery, microseconds since 1970."""

    feed: ObservedFeed
    count: int
    usual: Interval | None
    due: int | None
    delivered: int | None
    verification: Verification | None


class Picture(msgspec.Struct, frozen=True):
    """Everything the page shows of one moment."""

    now: int
    sources: Sequence[SourceStatus]
    signals: Mapping[str, Signals]
    feeds: Sequence[FeedPicture]
    lines: Mapping[str, Line]
    conditions: Sequence[Condition]
    unknown: Sequence[str]


class ObserverState(msgspec.Struct):
    """What is saved. ``watched`` is since when each feed is known, seconds since 1970."""

    rates: dict[str, FeedRates] = {}
    deliveries: list[Delivery] = []
    watched: dict[str, float] = {}
    lines: dict[str, Line] = {}


class Observer:
    """See the module. One thread at a time."""

    def __init__(self, feeds: Sequence[ObservedFeed], calendar: Calendar, folder: Path | None = None) -> None:
        """``folder`` is where the state is kept; nowhere when None. Raises OSError when it cannot be read."""
        self._feeds = tuple(feeds)
        self._calendar = calendar
        self._path = None if folder is None else folder / FILE_NAME
        state = ObserverState() if self._path is None else files.load(self._path, ObserverState)
        self._rates = RateBook(calendar, state.rates)
        self._deliveries = DeliveryBook(state.deliveries)
        self._watched = state.watched
        self._lines = state.lines
        self._board = StatusBoard()
        self._saved: float | None = None
        self.delays: dict[str, list[tuple[Delay, Delay]]] = {}
        """By department, its captured feeds' objectives for source delay and hub delay."""
        for feed in self._feeds:
            if feed.captured:
                objectives = feed.objectives
                self.delays.setdefault(feed.department, []).append(
                    (objectives.source_delay, objectives.hub_delay)
                )

    def deliver(self, delivery: Delivery) -> bool:
        """Take note of a file that was accepted, durably; return whether it was new. Raises OSError."""
        new = self._deliveries.note(delivery)
        if new:
            self.save()
        return new

    def observe(self, look: Look) -> Picture:
        """Take a look and return the picture of this moment."""
        now = look.now / MICRO
        conditions: list[Condition] = []
        for department, signals in look.signals.items():
            status = self._board.update(department, signals, look.rates.get(department))
            self._lines.setdefault(department, Line()).note(now, status.stages["queryable"].lag_seconds)
            conditions += of_source(department, signals, self.delays.get(department, ()))
        sources = [source for source in self._board.sources() if source.department in look.signals]
        states = {source.department: source.state for source in sources}
        for feed in self._feeds:
            self._watched.setdefault(feed.id, now)
            if feed.captured and feed.id in look.totals:
                well = (
                    states.get(feed.department) is State.IDLE and not look.signals[feed.department].snapshot
                )
                self._rates.note(feed.id, now, look.totals[feed.id], well)
            conditions += self._of_feed(feed, look)
        conditions += self._of_letters(look.letters)
        conditions += self._of_calendar(now)
        conditions += of_store(look.complaints)
        warming = any(signals.uptime < WARM_UP for signals in look.signals.values())
        unknown = [
            department for department, state in states.items() if warming or state is State.INITIALISING
        ]
        if warming or not look.signals:
            unknown.append(HUB)
        if self._saved is None or now - self._saved >= SAVE_SECONDS:
            if self._saved is not None:
                self._try_to_save()
            self._saved = now
        return Picture(
            look.now,
            sources,
            look.signals,
            [self._picture(feed, look) for feed in self._feeds if feed.department in look.signals],
            {
                name: Line(line.minute, line.lags.copy())
                for name, line in self._lines.items()
                if name in look.signals
            },
            # One of a kind for one subject: what holds all sources up is said of the hub once.
            list({condition.key: condition for condition in conditions}.values()),
            unknown,
        )

    def _of_feed(self, feed: ObservedFeed, look: Look) -> Iterator[Condition]:
        moment = dt.datetime.fromtimestamp(look.now / MICRO, ZONE)
        delivered = self._deliveries.of(feed.id)
        # A department that is not here (a part of the register on one machine) owes nothing.
        if feed.objectives.due is not None and (feed.department in look.signals or delivered):
            watched = dt.datetime.fromtimestamp(self._watched[feed.id], ZONE)
            late = late_since(feed.objectives.due, self._calendar, delivered, moment, watched)
            if late is not None:
                yield Condition(
                    Kind.DELIVERY_LATE,
                    feed.id,
                    Severity.ERROR,
                    f"{feed.zh}（{feed.id}）的文件应于 {late:%Y-%m-%d %H:%M} 前送达，尚未收到 .ok，请联系该部门。",
                    f"{feed.id}: the file due by {late:%Y-%m-%d %H:%M} has not come with its .ok; ask the department",
                )
        strange = unusual_size(feed.objectives.size, delivered)
        if strange is not None:
            yield Condition(
                Kind.DELIVERY_SIZE,
                feed.id,
                Severity.WARNING,
                f"{feed.zh}（{feed.id}）最近一次交付 {strange[0]} 条，通常约 {strange[1]:.0f} 条，请与该部门核对。",
                f"{feed.id}: the newest delivery has {strange[0]} records, usual are {strange[1]:.0f}; "
                "ask the department whether it is complete",
            )
        silent = self._rates.silent(feed.id) if feed.objectives.rate else None
        if silent is not None:
            yield Condition(
                Kind.SILENCE,
                feed.id,
                Severity.WARNING,
                f"{feed.zh}（{feed.id}）异常静默：按往常此时应已有约 {silent:.0f} 条变更，请与该部门核对业务系统。",
                f"{feed.id} is unusually silent: about {silent:.0f} changes would be usual by now; "
                "ask the department about its system",
            )
        verification = look.verifications.get(feed.id)
        if verification is not None and (verification.differences or verification.error):
            reason = verification.error or f"{verification.differences} rows differ"
            cause = verification.error or f"{verification.differences} 行不一致"
            yield Condition(
                Kind.VERIFICATION,
                feed.id,
                Severity.ERROR if verification.differences else Severity.WARNING,
                f"{feed.zh}（{feed.id}）对账未通过：{cause}。请运行 renkou verify --feed {feed.id} --repair。",
                f"{feed.id}: the last reconciliation failed: {reason}; run renkou verify --feed {feed.id} --repair",
            )

    def _of_letters(self, letters: Mapping[str, Letters]) -> Iterator[Condition]:
        titles = {feed.id: f"{feed.zh}（{feed.id}）" for feed in self._feeds}
        for feed, found in letters.items():
            title = titles.get(feed, feed or "无人读取的主题")
            yield Condition(
                Kind.DEAD_LETTERS,
                feed or HUB,
                Severity.WARNING,
                f"{title}有 {found.open} 条死信待处理，请运行 renkou dead-letters list。",
                f"{feed or 'topics that no feed reads'}: {found.open} changes are open dead letters; "
                "run renkou dead-letters list",
            )

    def _of_calendar(self, now: float) -> Iterator[Condition]:
        day = dt.datetime.fromtimestamp(now, ZONE).date() + CALENDAR_AHEAD
        if not self._calendar.covers(day):
            yield Condition(
                Kind.CALENDAR,
                HUB,
                Severity.WARNING,
                f"尚无 {day.year} 年的节假日安排，请在 RENKOU_CALENDAR 指定的文件中补充。",
                f"the holidays of {day.year} are not known; add them to the file of RENKOU_CALENDAR",
            )

    def _picture(self, feed: ObservedFeed, look: Look) -> FeedPicture:
        judged = feed.captured and feed.objectives.rate
        rates = self._rates.feeds.get(feed.id)
        delivered = self._deliveries.of(feed.id)
        due = None
        if feed.objectives.due is not None:
            moment = dt.datetime.fromtimestamp(look.now / MICRO, ZONE)
            due = int(due_moments(feed.objectives.due, self._calendar, moment)[2].timestamp() * MICRO)
        return FeedPicture(
            feed=feed,
            count=rates.count if rates is not None else 0,
            usual=self._rates.usual(feed.id, look.now / MICRO) if judged else None,
            due=due,
            delivered=max((one.arrived for one in delivered), default=None),
            verification=look.verifications.get(feed.id),
        )

    def missed(self, feed: str) -> float:
        """Return how many changes would have been usual since the feed's last one."""
        rates = self._rates.feeds.get(feed)
        return 0.0 if rates is None else rates.missed

    def save(self) -> None:
        """Write the state. Raises OSError."""
        if self._path is not None:
            files.save(
                self._path,
                ObserverState(self._rates.feeds, self._deliveries.all(), self._watched, self._lines),
            )

    def _try_to_save(self) -> None:
        try:
            self.save()
        except OSError as error:
            log.error("what is usual cannot be saved", file=str(self._path), reason=error.strerror)


def shown(interval: Interval) -> str:
    """Return what is usual as text: ``12–40``, or ``–`` while nothing has been learned."""
    return "–" if math.isinf(interval.high) else f"{interval.low:.0f}–{interval.high:.0f}"


__all__ = [
    "FeedPicture",
    "Look",
    "ObservedFeed",
    "Observer",
    "Picture",
    "Verification",
    "shown",
    "span",
]
