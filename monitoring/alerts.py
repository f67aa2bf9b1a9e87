"""Alerts: conditions over time. Who is told what and when, once, also across restarts.

A condition that has lasted becomes an alert and is told to every channel; told again when it becomes worse, when it has
gone on for long, and when it is over. What is to be told stands in an outbox that is saved before anything is sent, and
is struck out after it was taken: a crash in between sends a message twice, with one id, and loses none.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from monitoring.conditions import HOLD_SECONDS, RUNBOOK, Condition, Kind, Severity

MICRO: Final = 1_000_000
CLEAR_SECONDS: Final = 15.0
"""How long a condition must be away before it counts as over: one that comes and goes is one alert."""
REPEAT_SECONDS: Final = {Severity.WARNING: 24 * 3600.0, Severity.ERROR: 4 * 3600.0}
"""When an alert that goes on is told again."""
RETRY_FIRST: Final = 5.0
RETRY_LAST: Final = 600.0
"""Seconds between attempts to reach a channel: doubled each time."""
GIVE_UP: Final = 7 * 86_400.0
"""Seconds after which a message that a channel would not take is of no use any more."""
LONGEST_MUTE: Final = 30 * 86_400
"""Seconds. A mute is for a known repair; one without an end hides the next fault."""

_NAMESPACE: Final = uuid.UUID("3c0f6c9a-6f3b-5b2c-9d55-0a1b8f6a7e10")


class Alert(msgspec.Struct):
    """A condition that lasts. Moments are microseconds since 1970, 0 when not yet.

    ``since`` is when it was first seen, ``fired`` when it became an alert, ``told`` when it was last put into the
    outbox, ``cleared`` since when it is away, ``worst`` the severity that was told.
    """

    condition: Condition
    since: int
    fired: int = 0
    told: int = 0
    cleared: int = 0
    worst: Severity | None = None


class Mute(msgspec.Struct, frozen=True):
    """Nobody is told about ``subject`` (a feed, a department, or ``hub``) before ``until``, microseconds since 1970."""

    subject: str
    until: int
    reason: str
    made: int

    def covers(self, subject: str) -> bool:
        """Return whether it silences a subject; one of a department silences its feeds."""
        return subject == self.subject or subject.startswith(f"{self.subject}.")


class Notification(msgspec.Struct, frozen=True):
    """What is told. ``id`` is the same when it is sent again; ``status`` is firing, resolved or test."""

    id: str
    status: str
    kind: str
    subject: str
    severity: str
    since: int
    at: int
    zh: str
    en: str
    runbook: str


class Pending(msgspec.Struct):
    """A notification on its way to one channel. ``attempts`` have failed, the next may be made at ``due``."""

    channel: str
    notification: Notification
    attempts: int = 0
    due: int = 0
    error: str = ""


class BookState(msgspec.Struct):
    """What is saved."""

    alerts: dict[str, Alert] = {}
    mutes: list[Mute] = []
    outbox: list[Pending] = []


class AlertBook:
    """The rules over `BookState`; whoever calls saves the state when `changed` says so. One thread at a time."""

    def __init__(self, state: BookState, channels: Sequence[str]) -> None:
        self.state = state
        self._channels = tuple(channels)
        # A channel that is no longer configured takes nothing.
        state.outbox = [one for one in state.outbox if one.channel in self._channels]
        self.changed = False

    def update(self, now: int, conditions: Iterable[Condition], unknown: Collection[str] = ()) -> None:
        """Take what is wrong at ``now``; of ``unknown`` subjects nothing can be said, so nothing of them is over."""
        present = {condition.key: condition for condition in conditions}
        for key, condition in present.items():
            alert = self.state.alerts.get(key)
            if alert is None:
                alert = self.state.alerts[key] = Alert(condition, now)
                self.changed = True
            alert.condition, alert.cleared = condition, 0
            self._fire(alert, now)
        for key, alert in list(self.state.alerts.items()):
            if key not in present and not _is_unknown(alert.condition.subject, unknown):
                self._clear(key, alert, now)
        ended = [mute for mute in self.state.mutes if mute.until <= now]
        if ended:
            self.state.mutes = [mute for mute in self.state.mutes if mute.until > now]
            self.changed = True

    def _fire(self, alert: Alert, now: int) -> None:
        condition = alert.condition
        if not alert.fired:
            if now - alert.since < HOLD_SECONDS.get(condition.kind, 0.0) * MICRO:
                return
            alert.fired = now
            self.changed = True
        if self.muted(condition.subject, now):
            return
        worse = alert.worst is Severity.WARNING and condition.severity is Severity.ERROR
        again = now - alert.told >= REPEAT_SECONDS[condition.severity] * MICRO
        if alert.worst is None or worse or again:
            alert.told, alert.worst = now, condition.severity
            self._tell("firing", condition, alert.since, now)

    def _clear(self, key: str, alert: Alert, now: int) -> None:
        if not alert.fired:
            del self.state.alerts[key]
        elif not alert.cleared:
            alert.cleared = now
        elif now - alert.cleared >= CLEAR_SECONDS * MICRO:
            # Who was told that it began is told that it is over, muted meanwhile or not.
            if alert.worst is not None:
                self._tell("resolved", alert.condition, alert.since, now)
            del self.state.alerts[key]
        else:
            return
        self.changed = True

    def _tell(self, status: str, condition: Condition, since: int, now: int) -> str:
        name = f"{condition.key}|{since}|{status}|{now}"
        notification = Notification(
            id=str(uuid.uuid5(_NAMESPACE, name)),
            status=status,
            kind=condition.kind.value,
            subject=condition.subject,
            severity=condition.severity.value,
            since=since,
            at=now,
            zh=condition.zh,
            en=condition.en,
            runbook=RUNBOOK + condition.kind.value,
        )
        self.state.outbox += [Pending(channel, notification, due=now) for channel in self._channels]
        self.changed = True
        return notification.id

    def test(self, now: int) -> str:
        """Put a test notification on the way of every real one; return its id."""
        condition = Condition(
            Kind.TEST,
            "hub",
            Severity.WARNING,
            "这是一条测试告警，通道工作正常，无需处理。",
            "this is a test alert: the channel works, nothing is to be done",
        )
        return self._tell("test", condition, now, now)

    def mute(self, subject: str, until: int, reason: str, now: int) -> Mute:
        """Silence a subject; a second mute of it replaces the first. Raises ValueError for a wrong end."""
        if not now < until <= now + LONGEST_MUTE * MICRO:
            raise ValueError(
                f"a mute ends in the future and within {LONGEST_MUTE // 86_400} days; give such a moment with --until"
            )
        mute = Mute(subject, until, reason, now)
        self.state.mutes = [one for one in self.state.mutes if one.subject != subject] + [mute]
        self.changed = True
        return mute

    def unmute(self, subject: str) -> bool:
        """End a mute; return whether there was one."""
        kept = [one for one in self.state.mutes if one.subject != subject]
        found = len(kept) != len(self.state.mutes)
        self.state.mutes = kept
        self.changed |= found
        return found

    def muted(self, subject: str, now: int) -> bool:
        """Return whether nobody is to be told about the subject at ``now``."""
        return any(mute.covers(subject) and now < mute.until for mute in self.state.mutes)

    def active(self) -> list[Alert]:
        """Return the alerts that have fired and are not over, the newest first."""
        return sorted(
            (alert for alert in self.state.alerts.values() if alert.fired), key=lambda one: -one.fired
        )

    def due(self, now: int) -> list[Pending]:
        """Return, for each channel, what it should be told next, if that may be tried at ``now``.

        A channel hears things in their order: the first that it has not taken holds the others back.
        """
        first: dict[str, Pending] = {}
        for pending in self.state.outbox:
            first.setdefault(pending.channel, pending)
        return [pending for pending in first.values() if pending.due <= now]

    def taken(self, pending: Pending) -> None:
        """The channel has taken it."""
        self.state.outbox = [one for one in self.state.outbox if one is not pending]
        self.changed = True

    def refused(self, pending: Pending, now: int, error: str) -> bool:
        """The channel has not taken it; return whether it is given up. It is tried again after a pause."""
        pending.attempts += 1
        pending.error = error
        pause = min(RETRY_FIRST * 2 ** min(pending.attempts - 1, 16), RETRY_LAST)
        pending.due = now + int(pause * MICRO)
        self.changed = True
        if now - pending.notification.at > GIVE_UP * MICRO:
            self.state.outbox = [one for one in self.state.outbox if one is not pending]
            return True
        return False

    def waiting(self, notification: str) -> dict[str, str]:
        """Return the channels that have not taken a notification yet, and why not."""
        return {one.channel: one.error for one in self.state.outbox if one.notification.id == notification}


def _is_unknown(subject: str, unknown: Collection[str]) -> bool:
    return subject in unknown or subject.partition(".")[0] in unknown
