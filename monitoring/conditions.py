"""Conditions: what is wrong at this moment, each with its severity, measured value and a sentence in both languages.

Pure: from values to values. What a condition's lasting, coming and going leads to is `monitoring.alerts`' part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from connectors.clickhouse.complaint import Complaint
from connectors.feeds.objectives import Delay
from monitoring.signals import Signals
from monitoring.status import (
    SKEW_LIMIT,
    State,
    Verdict,
    decide,
    hub_delay,
    slot_growth,
    source_delay,
)
from monitoring.texts import Cause

HUB: Final = "hub"
"""The subject of what concerns no single source."""

MEGABYTE: Final = 1024**2


class Severity(StrEnum):
    """How soon somebody must act: today, or now."""

    WARNING = "warning"
    ERROR = "error"


class Kind(StrEnum):
    """What a condition is about; docs/operating.md has a section for each."""

    SOURCE_DOWN = "source-down"
    CONNECTOR_STALLED = "connector-stalled"
    CONSUMER_LAGGING = "consumer-lagging"
    SINK_FAILING = "sink-failing"
    SOURCE_DELAY = "source-delay"
    HUB_DELAY = "hub-delay"
    SLOT_GROWTH = "slot-growth"
    CLOCK_SKEW = "clock-skew"
    DELIVERY_LATE = "delivery-late"
    DELIVERY_SIZE = "delivery-size"
    SILENCE = "silence"
    VERIFICATION = "verification"
    DEAD_LETTERS = "dead-letters"
    CALENDAR = "calendar"
    STORE_ATTENTION = "store-attention"
    TEST = "test"


HOLD_SECONDS: Final = {
    Kind.SOURCE_DOWN: 15.0,
    Kind.CONNECTOR_STALLED: 15.0,
    Kind.CONSUMER_LAGGING: 15.0,
    Kind.SINK_FAILING: 15.0,
    Kind.CLOCK_SKEW: 60.0,
    Kind.STORE_ATTENTION: 300.0,
}
"""How long a condition must last before somebody is told: a restart of a part is over by then. Others are told at once,
their thresholds are times themselves."""

RUNBOOK: Final = "docs/operating.md#"


class Condition(msgspec.Struct, frozen=True):
    """Something that is wrong. ``subject`` is a department, a feed or `HUB`."""

    kind: Kind
    subject: str
    severity: Severity
    zh: str
    en: str

    @property
    def key(self) -> str:
        """What makes two conditions the same alert."""
        return f"{self.kind}|{self.subject}"

    @property
    def runbook(self) -> str:
        """Where docs/operating.md says what to do."""
        return RUNBOOK + self.kind


_STATES: Final = {
    State.SOURCE_DOWN: (Kind.SOURCE_DOWN, Severity.ERROR),
    State.CONNECTOR_STALLED: (Kind.CONNECTOR_STALLED, Severity.ERROR),
    State.CONSUMER_LAGGING: (Kind.CONSUMER_LAGGING, Severity.WARNING),
    State.SINK_FAILING: (Kind.SINK_FAILING, Severity.ERROR),
}

_ONE_FOR_ALL: Final = frozenset(
    {Cause.SINK_ERROR, Cause.SINK_HANGS, Cause.BROKER_AWAY, Cause.LINK, Cause.STORE}
)
"""Causes that are the hub's: one alert, however many sources they hold up."""


def of_source(
    department: str, signals: Signals, delays: Sequence[tuple[Delay, Delay]]
) -> Iterator[Condition]:
    """Yield what is wrong with a source; ``delays`` are its feeds' objectives for source delay and hub delay."""
    verdict = decide(signals)
    state = _state(department, verdict)
    if state is not None:
        yield state
    if delays and signals.heartbeats:
        yield from _delays(department, signals, delays)
    growth = slot_growth(signals)
    if growth is not None:
        yield _growth(department, *growth, unlimited=signals.slot is not None and signals.slot.limit is None)
    if signals.skew is not None and abs(signals.skew) > SKEW_LIMIT:
        yield Condition(
            Kind.CLOCK_SKEW,
            department,
            Severity.WARNING,
            f"{department} 数据源时钟与枢纽相差 {signals.skew:+.0f} 秒，请检查双方的 NTP。",
            f"the clock of {department} differs from the hub's by {signals.skew:+.0f} s; see NTP on both",
        )


def of_store(complaints: Sequence[Complaint]) -> Iterator[Condition]:
    """Yield one condition for all that the store's upkeep has found; none when that is nothing."""
    if complaints:
        yield Condition(
            Kind.STORE_ATTENTION,
            HUB,
            Severity.ERROR,
            "存储需要处理：" + "；".join(complaint.zh for complaint in complaints) + "。",
            "the store needs attention: " + "; ".join(complaint.en for complaint in complaints),
        )


def _state(department: str, verdict: Verdict) -> Condition | None:
    found = _STATES.get(verdict.state)
    if found is None:
        return None
    kind, severity = found
    subject = HUB if verdict.cause in _ONE_FOR_ALL else department
    if verdict.cause is Cause.BROKER_AWAY:
        severity = Severity.ERROR
    zh, en = f"{subject}：{verdict.reason('zh')}", f"{subject}: {verdict.reason('en')}"
    return Condition(kind, subject, severity, zh, en)


def _delays(department: str, signals: Signals, delays: Sequence[tuple[Delay, Delay]]) -> Iterator[Condition]:
    measured = (
        (
            Kind.SOURCE_DELAY,
            source_delay(signals),
            [source for source, _ in delays],
            "数据源延迟",
            "source delay",
        ),
        (Kind.HUB_DELAY, hub_delay(signals), [hub for _, hub in delays], "枢纽延迟", "hub delay"),
    )
    for kind, seconds, objectives, zh, en in measured:
        if seconds is None:
            continue
        error = min(objective.error for objective in objectives)
        warn = min(objective.warn for objective in objectives)
        if seconds <= warn:
            continue
        severity, limit = (Severity.ERROR, error) if seconds > error else (Severity.WARNING, warn)
        over = sum(seconds > (o.error if severity is Severity.ERROR else o.warn) for o in objectives)
        yield Condition(
            kind,
            department,
            severity,
            f"{department} {zh}超过目标 {span(limit, 'zh')}，涉及 {over} 类数据。",
            f"{department}: {en} is over its objective of {span(limit)}, for {over} feeds",
        )


def _growth(department: str, retained: int, threshold: int, *, unlimited: bool) -> Condition:
    size, limit = f"{retained / MEGABYTE:.0f} MB", f"{threshold / MEGABYTE:.0f} MB"
    zh = (
        f"{department} 的复制槽保留了 {size} 日志（阈值 {limit}），请恢复连接器，或由管理员删除废弃的复制槽。"
    )
    en = (
        f"{department}: the replication slot keeps {size} of WAL, threshold {limit}; "
        "bring the connector back, or have the administrator drop a forgotten slot"
    )
    if unlimited:
        zh += "服务器未设置 max_slot_wal_keep_size，磁盘可能被写满。"
        en += "; the server has no max_slot_wal_keep_size, its disk can fill up"
    return Condition(Kind.SLOT_GROWTH, department, Severity.ERROR if unlimited else Severity.WARNING, zh, en)


_UNITS: Final = {
    "zh": (("天", 86_400, 3), ("小时", 3600, 2), ("分钟", 60, 2), ("秒", 1, 0)),
    "en": (("d", 86_400, 3), ("h", 3600, 2), ("min", 60, 2), ("s", 1, 0)),
}
"""A unit, its seconds, and from how many of it on a duration is said in it."""


def span(seconds: float, language: str = "en") -> str:
    """Return a duration as a person says it: ``90 s``, ``5 min``, ``48 h``, ``14 d``; ``5 分钟``."""
    unit, size = next((unit, size) for unit, size, least in _UNITS[language] if seconds >= size * least)
    return f"{seconds / size:.0f} {unit}"
