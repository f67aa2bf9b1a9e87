"""Objectives, calendar, deliveries, what is usual: judged over simulated days."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from connectors.clickhouse import upkeep
from connectors.clickhouse.complaint import Complaint
from connectors.errors import FeedError
from connectors.feeds.located import read_yaml
from connectors.feeds.objectives import Delay, Due, Objectives, Size, read_objectives
from monitoring.alerts import AlertBook, BookState
from monitoring.conditions import Condition, Kind, Severity, of_source, span
from monitoring.deliveries import Delivery, due_moments, late_since, unusual_size
from monitoring.history import MINUTES, Line
from monitoring.lags import LagTracker, Meter
from monitoring.observer import FILE_NAME, WARM_UP, Letters, Look, ObservedFeed, Observer, Verification
from monitoring.signals import GROUPS, GroupLag, Signals, Slot
from monitoring.workdays import HOLIDAY, MAKE_UP, ZONE, Calendar

MICRO = 1_000_000
WEEKLY = Due("week", 5, 18 * 60, "next")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def objectives(tmp_path: Path, text: str) -> Objectives:
    path = tmp_path / "objectives.yaml"
    path.write_text(text)
    return read_objectives(read_yaml(path))


def test_objectives_have_the_defaults_of_the_documents(tmp_path: Path) -> None:
    usual = read_objectives(None)
    assert usual.source_delay == Delay(86_400, 172_800)
    assert usual.hub_delay == Delay(120, 300)
    given = objectives(
        tmp_path,
        'source_delay: {warn: 30s, error: 5m}\ndue: {every: week, day: 5, by: "18:00"}\n'
        "size: {least: 0.8, most: 1.25}\nrate: off\n",
    )
    assert given == Objectives(Delay(30, 300), Delay(120, 300), WEEKLY, Size(0.8, 1.25), False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hub_delay: {warn: 5m, error: 1m}", "longer"),
        ("hub_delay: {warn: 5, error: 1m}", "duration"),
        ('due: {every: week, by: "18:00"}', "day of the week"),
        ('due: {every: day, day: 1, by: "18:00"}', "no 'day'"),
        ('due: {every: month, day: 31, by: "18:00"}', "1 to 28"),
        ('due: {every: year, day: 1, by: "18:00"}', "day, week, month"),
        ("due: {every: day, by: 6pm}", "18:00"),
        ("size: {least: 1.5, most: 2}", "below 1"),
        ("rate: sometimes", "learned, off"),
    ],
)
def test_wrong_objectives_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        objectives(tmp_path, text)


def test_the_calendar_knows_holidays_and_the_weekends_that_make_up_for_them() -> None:
    calendar = Calendar()
    golden = dt.date(2026, 10, 1)
    assert [calendar.is_workday(golden + dt.timedelta(days=day)) for day in range(10)] == [False] * 7 + [
        True
    ] * 3
    assert calendar.kind(golden) == HOLIDAY
    assert calendar.kind(dt.date(2026, 10, 10)) == MAKE_UP
    assert calendar.kind(dt.date(2026, 10, 11)) == 6
    assert calendar.kind(dt.date(2026, 10, 12)) == 0


def test_an_override_goes_before_the_package_and_covers_its_year(tmp_path: Path) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text("holidays: [2099-02-05..2099-02-12]\nworkdays: [2099-02-14]\n")
    calendar = Calendar(path)
    assert not calendar.is_workday(dt.date(2099, 2, 5))
    assert calendar.is_workday(dt.date(2099, 2, 14))
    assert calendar.is_workday(dt.date(2099, 2, 13))
    assert calendar.covers(dt.date(2099, 7, 1))
    assert not calendar.covers(dt.date(2098, 7, 1))
    assert calendar.is_workday(dt.date(2098, 7, 1)) == (dt.date(2098, 7, 1).weekday() < 5)
    for text in ("holidays: [soon]", "holidays: [2027-02-30]", "holidays: [2027-02-05..2027-02-01]",
                 "holidays: [2027-01-01]\nworkdays: [2027-01-01]"):  # fmt: skip
        path.write_text(text)
        with pytest.raises(FeedError, match=str(path)):
            Calendar(path)


def test_an_uncovered_year_is_said_before_it_begins() -> None:
    observer = Observer([], Calendar())
    for day, expected in (("2098-12-10", [Kind.CALENDAR]), ("2026-10-01", [])):
        picture = observer.observe(Look(int(at(f"{day}T00:00:00").timestamp() * MICRO), {}))
        assert [condition.kind for condition in picture.conditions] == expected


def test_due_moments_follow_the_working_days() -> None:
    calendar = Calendar()
    # Friday 2 October 2026 is in the Golden Week; the next working day is Thursday the 8th.
    assert due_moments(WEEKLY, calendar, at("2026-10-07T12:00")) == (
        at("2026-09-18T18:00"),
        at("2026-09-28T18:00"),
        at("2026-10-08T18:00"),
    )
    monthly = Due("month", 1, 9 * 60, "previous")
    assert due_moments(monthly, calendar, at("2026-10-15T12:00"))[1] == at("2026-09-30T09:00")
    daily = Due("day", 0, 8 * 60, "none")
    assert due_moments(daily, calendar, at("2026-10-04T08:00"))[1] == at("2026-10-04T08:00")


def delivery(date: str, records: int = 100, sequence: int = 1) -> Delivery:
    return Delivery("justice.sqjz", date, sequence, records, int(at(f"{date}T12:00").timestamp() * MICRO))


def test_a_file_is_late_from_its_due_moment_until_it_has_come() -> None:
    calendar, watched = Calendar(), at("2026-11-01T00:00")

    def late(now: str, *dates: str) -> dt.datetime | None:
        return late_since(WEEKLY, calendar, [delivery(date) for date in dates], at(now), watched)

    assert late("2026-11-12T12:00", "2026-11-05") is None
    assert late("2026-11-13T17:59", "2026-11-05") is None
    assert late("2026-11-13T18:00", "2026-11-05") == at("2026-11-13T18:00")
    assert late("2026-11-13T18:00", "2026-11-06") == at(
        "2026-11-13T18:00"
    )  # last week's, however late it came
    assert late("2026-11-13T18:00", "2026-11-06", "2026-11-11") is None
    assert late("2026-11-06T18:00") == at("2026-11-06T18:00")
    assert (
        late_since(WEEKLY, calendar, [], at("2026-11-02T00:00"), watched) is None
    )  # due before anybody watched


def test_a_size_is_judged_by_the_feeds_own_history() -> None:
    size = Size(0.5, 2.0)
    usual = [delivery(f"2026-10-{day:02}", 1000) for day in (1, 8, 15)]
    assert unusual_size(size, []) is None
    assert unusual_size(size, [*usual[:2], delivery("2026-10-22", 1)]) is None  # too little is known
    assert unusual_size(size, [*usual, delivery("2026-10-22", 600)]) is None
    assert unusual_size(size, [*usual, delivery("2026-10-22", 400)]) == (400, 1000)
    assert unusual_size(size, [*usual, delivery("2026-10-22", 2001)]) == (2001, 1000)
    assert (
        unusual_size(size, [*usual, delivery("2026-10-22", 9), delivery("2026-10-22", 990, 2)]) is None
    )  # corrected
    small = [delivery(f"2026-10-{day:02}", 6) for day in (1, 8, 15)]
    assert unusual_size(size, [*small, delivery("2026-10-22", 1)]) is None  # chance


FRESH = ("captured", "normalized", "linked", "queryable")


def idle(now: float, **changes: object) -> Signals:
    """A source of which everything is well at ``now`` (seconds since 1970)."""
    moment = int(now * MICRO)
    well = Signals(
        now=moment,
        frontiers=dict.fromkeys(FRESH, moment - MICRO),
        heartbeat=moment - MICRO,
        connector="RUNNING",
        source_reachable=True,
        lags=dict.fromkeys(GROUPS, GroupLag(0)),
        quiet=10.0,
        slot=Slot(active=True, retained=10**6, unconfirmed=0, wal_status="reserved"),
        skew=0.0,
        uptime=100.0,
    )
    return msgspec.structs.replace(well, **changes)


DELAYS = [(Delay(3600, 7200), Delay(60, 300)), (Delay(86_400, 172_800), Delay(120, 600))]


@pytest.mark.parametrize(
    ("captured", "queryable", "expected"),
    [
        (1, 2, []),
        (1, 62, [("consumer-lagging", "warning"), ("hub-delay", "warning")]),
        (1, 302, [("consumer-lagging", "warning"), ("hub-delay", "error")]),
        (3601, 3602, [("source-delay", "warning")]),
        (7201, 7202, [("source-delay", "error")]),
    ],
)
def test_delays_are_judged_by_the_strictest_objective(
    captured: int, queryable: int, expected: list[tuple[str, str]]
) -> None:
    now = 1_790_000_000
    frontiers = dict.fromkeys(FRESH, (now - captured) * MICRO) | {"queryable": (now - queryable) * MICRO}
    lags = {**dict.fromkeys(GROUPS, GroupLag(0)), "store": GroupLag(5)}
    # A heartbeat that arrives now may carry an old time: the connector works something off.
    found = of_source("police", idle(now, frontiers=frontiers, lags=lags), DELAYS)
    assert [(one.kind.value, one.severity.value) for one in found] == expected


def test_what_holds_every_source_up_is_one_alert() -> None:
    now = 1_790_000_000
    found = [
        condition.key
        for department in ("police", "hrss")
        for condition in of_source(department, idle(now, sink_error="no room on the disk"), DELAYS)
    ]
    assert found == ["sink-failing|hub", "sink-failing|hub"]
    looks = Look(now * MICRO, {name: idle(now, sink_error="no room") for name in ("police", "hrss")})
    assert len(Observer([], Calendar()).observe(looks).conditions) == 1


def test_slot_growth_and_clock_skew_are_conditions() -> None:
    now = 1_790_000_000
    slot = Slot(active=False, retained=2**31, unconfirmed=0, wal_status="extended")
    (growth,) = of_source("police", idle(now, slot=slot), DELAYS)
    assert (growth.kind, growth.severity) == (Kind.SLOT_GROWTH, Severity.ERROR)
    assert "max_slot_wal_keep_size" in growth.en
    limited = msgspec.structs.replace(slot, limit=2**31 + 1)
    (growth,) = of_source("police", idle(now, slot=limited), DELAYS)
    assert growth.severity is Severity.WARNING
    (skew,) = of_source("police", idle(now, skew=-7.0), DELAYS)
    assert skew.kind is Kind.CLOCK_SKEW


FEEDS = [
    ObservedFeed("health.birth_certificate", "health", "出生", "births", True, Objectives()),
    ObservedFeed("police.hj_hjxx", "police", "户", "households", True, Objectives()),
    ObservedFeed("transport.kk_txjl", "transport", "卡口", "checkpoints", True, Objectives()),
    ObservedFeed("justice.sqjz", "justice", "矫正", "correction", False, Objectives(due=WEEKLY)),
    ObservedFeed("disabled.cjr", "disabled", "残疾", "disability", False,
                 Objectives(due=Due("day", 0, 20 * 60, "next"))),
]  # fmt: skip
CAPTURED = ("health", "police", "transport")
STEP = 600


class Days:
    """A hub on a simulated clock: offices work on working days, checkpoints never sleep, files come when due."""

    def __init__(self, begin: str, seed: int, step: int = STEP, folder: Path | None = None) -> None:
        self.random = random.Random(seed)
        self.calendar = Calendar()
        self.observer = Observer(FEEDS, self.calendar, folder)
        self.book = AlertBook(BookState(), ["one"])
        self.now = at(begin).timestamp()
        self.step = step
        self.totals = {feed.id: 0 for feed in FEEDS}
        self.silent: set[str] = set()
        self.late: set[str] = set()
        self.down: set[str] = set()

    def rate(self, feed: str, moment: dt.datetime) -> float:
        """Return the changes an hour that the feed really has."""
        if feed in self.silent:
            return 0.0
        if feed == "transport.kk_txjl":
            return 20 + 180 * math.sin(math.pi * moment.hour / 24) ** 2
        worked = self.calendar.is_workday(moment.date()) and 8 <= moment.hour < 18
        return {"health.birth_certificate": 6.0, "police.hj_hjxx": 90.0}[feed] if worked else 0.05

    def run(self, until: str) -> list[tuple[str, str]]:
        """Let it run and return what was told: status and key."""
        end = at(until).timestamp()
        while self.now < end:
            self.now += self.step
            moment = dt.datetime.fromtimestamp(self.now, ZONE)
            for feed in FEEDS:
                if feed.captured:
                    mean = self.rate(feed.id, moment) * self.step / 3600
                    self.totals[feed.id] += self._poisson(mean)
                elif self._comes(feed.id, moment):
                    records = 200 + self.random.randrange(60)
                    self.observer.deliver(
                        Delivery(feed.id, f"{moment:%Y-%m-%d}", 1, records, int(self.now * MICRO))
                    )
            signals = {name: idle(self.now, source_reachable=name not in self.down) for name in CAPTURED} | {
                name: idle(self.now, heartbeats=False, heartbeat=None, frontiers={}, connector=None)
                for name in ("justice", "disabled")
            }
            picture = self.observer.observe(Look(int(self.now * MICRO), signals, {}, dict(self.totals)))
            self.book.update(int(self.now * MICRO), picture.conditions, picture.unknown)
        told = [(one.notification.status, f"{one.notification.kind}|{one.notification.subject}")
                for one in self.book.state.outbox]  # fmt: skip
        self.book.state.outbox = []
        return told

    def _comes(self, feed: str, moment: dt.datetime) -> bool:
        at_eleven = (moment.hour, moment.minute) == (11, 0)
        return feed not in self.late and at_eleven and self.calendar.is_workday(moment.date())

    def _poisson(self, mean: float) -> int:
        count, limit, product = 0, math.exp(-mean), self.random.random()
        while product > limit:
            count += 1
            product *= self.random.random()
        return count


def test_no_false_alarm_in_five_weeks_with_a_golden_week_and_its_working_weekends() -> None:
    """Quiet nights and weekends, the Golden Week of 2026, the working Sunday before it and Saturday after it."""
    days = Days("2026-09-07T00:00", seed=7)
    assert days.run("2026-10-13T00:00") == []
    interval = days.observer._rates.usual("health.birth_certificate", at("2026-10-13T10:00").timestamp())
    assert 0 <= interval.low < 6 < interval.high < 60
    # And no births on a Tuesday are one alarm, told within the working day, and over when they are back.
    days.silent = {"health.birth_certificate"}
    assert days.run("2026-10-13T08:00") == []
    assert days.run("2026-10-13T13:00") == [("firing", "silence|health.birth_certificate")]
    days.silent = set()
    assert days.run("2026-10-13T15:00") == [("resolved", "silence|health.birth_certificate")]
    # A source that is down is not silent as well; it is told again while that goes on.
    assert days.run("2026-10-14T07:00") == []
    days.silent, days.down = {"police.hj_hjxx"}, {"police"}
    assert set(days.run("2026-10-14T17:00")) == {("firing", "source-down|police")}


def test_a_file_that_does_not_come_is_told_when_it_is_due() -> None:
    days = Days("2026-11-02T00:00", seed=9)
    days.late = {"justice.sqjz"}
    assert days.run("2026-11-06T17:40") == []
    assert days.run("2026-11-06T18:10") == [("firing", "delivery-late|justice.sqjz")]
    days.late = set()
    assert days.run("2026-11-09T12:00")[-1] == ("resolved", "delivery-late|justice.sqjz")


def test_no_false_alarm_in_a_day_of_nothing_looked_at_every_minute() -> None:
    """24 idle hours: heartbeats, and not one change."""
    days = Days("2026-11-21T00:00", seed=10, step=60)
    days.silent = {feed.id for feed in FEEDS}
    assert days.run("2026-11-22T00:00") == []


def test_what_was_learned_and_delivered_survives_a_restart(tmp_path: Path) -> None:
    days = Days("2026-09-14T00:00", seed=11, folder=tmp_path)
    days.run("2026-09-15T00:00")
    days.observer.save()
    again = Days("2026-09-15T00:00", seed=11, folder=tmp_path)
    assert again.observer._deliveries.of("justice.sqjz") == days.observer._deliveries.of("justice.sqjz") != ()
    assert again.observer._rates.feeds.keys() == days.observer._rates.feeds.keys()
    assert (tmp_path / FILE_NAME).stat().st_size < 200_000


def test_the_last_verification_is_a_condition_when_it_failed() -> None:
    observer = Observer(FEEDS, Calendar())
    now = int(at("2026-11-02T10:00").timestamp() * MICRO)

    def conditions(differences: int, error: str = "") -> list[Condition]:
        verifications = {"police.hj_hjxx": Verification("police.hj_hjxx", now, differences, error)}
        return list(observer.observe(Look(now, {}, verifications=verifications)).conditions)

    assert conditions(0) == []
    assert [(one.kind, one.severity) for one in conditions(3)] == [(Kind.VERIFICATION, Severity.ERROR)]
    assert [one.severity for one in conditions(0, "no answer")] == [Severity.WARNING]


def test_open_dead_letters_are_told_by_feed_until_none_is_open() -> None:
    observer = Observer(FEEDS, Calendar())
    now = int(at("2026-11-02T10:00").timestamp() * MICRO)

    def told(**counts: int) -> list[Condition]:
        letters = {feed: Letters(feed, count) for feed, count in counts.items()}
        return list(observer.observe(Look(now, {}, letters=letters)).conditions)

    assert told() == []
    known, other = told(**{"police.hj_hjxx": 3, "": 2})
    assert (known.kind, known.subject, known.severity) == (
        Kind.DEAD_LETTERS,
        "police.hj_hjxx",
        Severity.WARNING,
    )
    assert "3 changes" in known.en
    assert "有 3 条死信" in known.zh
    assert other.subject == "hub"
    assert "no feed reads" in other.en
    assert told() == []


def test_a_store_that_needs_attention_is_told_once_after_five_minutes_and_when_it_is_over(
    tmp_path: Path,
) -> None:
    """From the upkeep's complaints to what a channel is told, on the path of every other alert."""
    observer = Observer(FEEDS, Calendar())
    book = AlertBook(BookState(), ["duty"])
    start = int(at("2026-11-02T10:00").timestamp() * MICRO)
    damaged = upkeep.Condition("t", 5, 1, None, ("source_states",)).complaints
    full = upkeep.Condition("t", 5, 1, 0, ("source_states",)).complaints

    def told(seconds: int, complaints: Sequence[Complaint]) -> list[tuple[str, str, str]]:
        now = start + seconds * MICRO
        picture = observer.observe(
            Look(now, {"police": Signals(now=now, uptime=WARM_UP)}, complaints=complaints)
        )
        book.update(
            now, [one for one in picture.conditions if one.kind is Kind.STORE_ATTENTION], picture.unknown
        )
        sent = [one.notification for one in book.state.outbox]
        book.state.outbox.clear()
        return [(one.status, one.subject, one.en) for one in sent]

    assert told(0, damaged) == told(298, damaged) == []
    ((status, subject, sentence),) = told(300, damaged)
    assert (status, subject) == ("firing", "hub")
    assert "CHECK TABLE renkou.`source_states`" in sentence
    assert told(310, full) == [], "one alert, however many complaints"
    ((alert),) = book.active()
    assert "free disk space" in alert.condition.en
    assert "清理磁盘" in alert.condition.zh
    assert alert.condition.severity is Severity.ERROR
    assert told(320, ()) == []
    assert [status for status, _, _ in told(335, ())] == ["resolved"]


def test_lags_trend_and_standstill() -> None:
    tracker = LagTracker()
    a, b = ("a", 0), ("b", 0)
    assert tracker.note(0, [a, b], {a: 10, b: 5}, {a: 10, b: 5}) == GroupLag(0)
    assert tracker.note(10, [a, b], {a: 30, b: 5}, {a: 10, b: 5}) == GroupLag(20, 2.0, 10.0)
    assert tracker.note(20, [a, b], {a: 30, b: 5}, {a: 11, b: 5}) == GroupLag(19, 0.95, 0.0)
    assert tracker.note(50, [a, b], {a: 31, b: 5}, {a: 11, b: 5}).stuck == 30
    assert tracker.note(90, [a], {a: 31}, {}).waiting == 31
    assert tracker.note(91, [a], {}, {}).waiting == 0


def test_a_meter_forgets_a_count_that_has_fallen() -> None:
    meter = Meter()
    assert meter.rate() is None
    for second in range(0, 30, 2):
        meter.note(second, second * 5)
    assert meter.rate() == 5
    meter.note(30, 0)
    assert meter.rate() is None
    meter.note(32, 8)
    assert meter.rate() == 4


def test_a_days_line_keeps_the_worst_of_each_minute_and_shows_gaps() -> None:
    line = Line()
    for second, lag in ((0, 1.0), (30, 9.0), (59, 2.0), (60, 3.0), (240, 4.0), (250, None)):
        line.note(second, lag)
    assert line.points(260) == [(4, 9.0), (3, 3.0), (0, 4.0)]
    line.note(100, 99.0)  # the clock was set back
    assert line.points(260)[-1] == (0, 4.0)
    line.note(60 * 5000, 1.0)
    assert line.points(60 * 5000) == [(0, 1.0)]
    assert len(line.lags) <= MINUTES


def test_spans_are_said_as_people_say_them() -> None:
    assert [span(seconds) for seconds in (5, 119, 300, 7200, 172_800, 604_800)] == [
        "5 s",
        "119 s",
        "5 min",
        "2 h",
        "48 h",
        "7 d",
    ]
    assert [span(seconds, "zh") for seconds in (5, 300, 7200, 604_800)] == [
        "5 秒",
        "5 分钟",
        "2 小时",
        "7 天",
    ]
