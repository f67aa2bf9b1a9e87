"""Sends what the alert book has to tell, off the watch's thread, and keeps its state on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

from monitoring import files, metrics
from monitoring.alerts import Alert, AlertBook, BookState, Mute, Pending
from monitoring.channels import Channel, ChannelError
from monitoring.conditions import Condition

log = structlog.get_logger()

LOOK_SECONDS: Final = 0.5
"""Between two looks at the outbox."""
FILE_NAME: Final = "alerts.json"


class Notifier:
    """The alert book with its file, its channels and its thread. Safe to use from any thread."""

    def __init__(
        self,
        folder: Path,
        channels: Sequence[Channel],
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """``clock`` gives microseconds since 1970. Raises OSError when the folder cannot be read."""
        self._path = folder / FILE_NAME
        self._channels = {channel.name: channel for channel in channels}
        self._clock = clock
        self._book = AlertBook(files.load(self._path, BookState), list(self._channels))
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin to send, with what an earlier process left."""
        self._thread.start()

    def stop(self) -> None:
        """End after the message that is being sent; the others stay in the file."""
        self._stop = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._save()

    def update(self, conditions: Iterable[Condition], unknown: Collection[str] = ()) -> None:
        """Take what is wrong now; see `AlertBook.update`."""
        with self._lock:
            self._book.update(self._clock(), conditions, unknown)
            self._save()

    def test(self) -> str:
        """Send a test notification; return its id."""
        with self._lock:
            name = self._book.test(self._clock())
            self._save()
        return name

    def waiting(self, notification: str) -> dict[str, str]:
        """Return the channels that have not taken a notification yet, and why not."""
        with self._lock:
            return self._book.waiting(notification)

    def mute(self, subject: str, until: int, reason: str) -> Mute:
        """See `AlertBook.mute`. Raises ValueError."""
        with self._lock:
            mute = self._book.mute(subject, until, reason, self._clock())
            self._save()
        return mute

    def unmute(self, subject: str) -> bool:
        """See `AlertBook.unmute`."""
        with self._lock:
            found = self._book.unmute(subject)
            self._save()
        return found

    def active(self) -> list[tuple[Alert, bool]]:
        """Return the alerts that go on, the newest first, each with whether it is muted."""
        with self._lock:
            now = self._clock()
            return [(alert, self._book.muted(alert.condition.subject, now)) for alert in self._book.active()]

    def mutes(self) -> list[Mute]:
        """Return the mutes in force."""
        with self._lock:
            return list(self._book.state.mutes)

    @property
    def channels(self) -> list[str]:
        """The channels' names."""
        return list(self._channels)

    def _save(self) -> None:
        if not self._book.changed:
            return
        try:
            files.save(self._path, self._book.state)
        except OSError as error:
            # A full disk is what somebody must be told about: it goes on from memory, and is saved when there is room.
            log.error("alerts cannot be saved", file=str(self._path), reason=error.strerror)
            return
        self._book.changed = False
        self._wake.set()

    def _run(self) -> None:
        while not self._stop:
            with self._lock:
                due = self._book.due(self._clock())
            for pending in due:
                if not self._stop:
                    self._send(pending)
            if not due:
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()

    def _send(self, pending: Pending) -> None:
        name = pending.notification.id
        try:
            self._channels[pending.channel].send(pending.notification)
        except ChannelError as error:
            metrics.NOTIFICATIONS.labels(pending.channel, "failed").inc()
            log.warning("a notification was not taken", channel=pending.channel, id=name, reason=str(error))
            with self._lock:
                if self._book.refused(pending, self._clock(), str(error)):
                    log.error("a notification is given up", channel=pending.channel, id=name)
                self._save()
            return
        metrics.NOTIFICATIONS.labels(pending.channel, "taken").inc()
        with self._lock:
            self._book.taken(pending)
            self._save()
