"""What the watch answers and is asked over loopback HTTP: shapes alone, for who serves them and for who asks."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from monitoring.alerts import Mute
from monitoring.signals import Signals
from monitoring.status import SourceStatus


class SignalsAnswer(msgspec.Struct):
    """``/v1/signals``: what the states are decided from, by department."""

    signals: Mapping[str, Signals]


class AlertEntry(msgspec.Struct):
    """An alert that goes on. Moments are microseconds since 1970."""

    kind: str
    subject: str
    severity: str
    since: int
    fired: int
    muted: bool
    zh: str
    en: str
    runbook: str


class FeedStatus(msgspec.Struct):
    """A feed. Moments are microseconds since 1970, null when there is none.

    ``count`` are the changes of this hour and ``usual`` the interval that is usual at it; both are null where a feed's
    rate is not judged, the interval also while nothing has been learned. ``verified`` is the end of the last
    reconciliation, ``differences`` the rows that it left different, ``error`` what kept it from its end.
    """

    feed: str
    zh: str
    en: str
    count: int | None
    usual: tuple[float, float] | None
    due: int | None
    delivered: int | None
    verified: int | None
    differences: int
    error: str


class StatusAnswer(msgspec.Struct):
    """``/v1/status``: what ``renkou status --json`` prints. ``now`` is when the watch last looked, 0 before that,
    microseconds since 1970; ``alerts`` are those that go on."""

    sources: list[SourceStatus]
    now: int = 0
    feeds: list[FeedStatus] = []
    alerts: list[AlertEntry] = []


class AlertsAnswer(msgspec.Struct):
    """``/v1/alerts``."""

    alerts: list[AlertEntry]
    mutes: list[Mute]
    channels: list[str]


class TestAnswer(msgspec.Struct):
    """``/v1/alerts/test``: the notification's id; and by id: the channels that wait, each with why."""

    id: str
    waiting: dict[str, str]
    channels: list[str]


class MuteRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /v1/alerts/mutes``. ``until`` is microseconds since 1970."""

    subject: str
    until: int
    reason: str = ""
