"""The picture as metrics. A value that is not known is no series: a gauge must not show what it was once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import Gauge

from connectors.feeds.objectives import Delay
from monitoring import metrics
from monitoring.alerts import Alert
from monitoring.conditions import HUB, Kind, Severity
from monitoring.observer import Observer, Picture
from monitoring.signals import Signals
from monitoring.status import State, hub_delay

MICRO: Final = 1_000_000


def publish(picture: Picture, observer: Observer, alerts: Iterable[Alert]) -> None:
    """Set every gauge of the watch."""
    for source in picture.sources:
        for state in State:
            metrics.STATE.labels(source.department, state.value).set(source.state is state)
        _signals(source.department, picture.signals[source.department])
    late = {condition.subject for condition in picture.conditions if condition.kind is Kind.DELIVERY_LATE}
    for feed in picture.feeds:
        name = feed.feed.id
        if feed.due is not None:
            metrics.DELIVERY_LATE.labels(name).set(name in late)
        if feed.usual is not None:
            metrics.SILENT.labels(name).set(observer.missed(name))
    _alerts(alerts)
    metrics.WATCHED.set(picture.now / MICRO)


def publish_objectives(delays: Mapping[str, Sequence[tuple[Delay, Delay]]]) -> None:
    """Set each source's strictest objectives; ``delays`` holds its feeds' for source delay and hub delay."""
    for department, objectives in delays.items():
        for index, delay in enumerate(("source", "hub")):
            warn = min(pair[index].warn for pair in objectives)
            error = min(pair[index].error for pair in objectives)
            metrics.OBJECTIVE.labels(department, delay, Severity.WARNING.value).set(warn)
            metrics.OBJECTIVE.labels(department, delay, Severity.ERROR.value).set(error)


def _signals(department: str, signals: Signals) -> None:
    captured = signals.frontiers.get("captured")
    _set(metrics.HEARTBEAT, department, None if signals.heartbeat is None else signals.heartbeat / MICRO)
    _set(metrics.CAPTURED, department, None if captured is None else captured / MICRO)
    _set(metrics.HUB_DELAY, department, hub_delay(signals))
    _set(metrics.SKEW, department, signals.skew)
    slot = signals.slot
    _set(metrics.SLOT, department, None if slot is None else slot.retained)
    _set(metrics.SLOT_LIMIT, department, None if slot is None else slot.limit)
    for stage, lag in signals.lags.items():
        metrics.WAITING.labels(stage, department if stage == "normalize" else HUB).set(lag.waiting)


def _set(gauge: Gauge, label: str, value: float | None) -> None:
    if value is not None:
        gauge.labels(label).set(value)
    else:
        with contextlib.suppress(KeyError):  # newer versions of the client say nothing
            gauge.remove(label)


def _alerts(alerts: Iterable[Alert]) -> None:
    going_on = [(alert.condition.kind, alert.condition.severity) for alert in alerts]
    for kind in Kind:
        for severity in Severity:
            metrics.ALERTS.labels(kind.value, severity.value).set(going_on.count((kind, severity)))
