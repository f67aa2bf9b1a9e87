"""The last day of each source's lag, a value a minute: the worst of the minute, since averages hide what hurts."""

from __future__ import annotations

from typing import Final

import msgspec

MINUTES: Final = 24 * 60


class Line(msgspec.Struct):
    """Lags in seconds, one a minute, the newest last; ``minute`` is the newest's (since 1970). None where nobody
    looked."""

    minute: int = 0
    lags: list[float | None] = []

    def note(self, now: float, lag: float | None) -> None:
        """The lag is ``lag`` at ``now`` (seconds since 1970)."""
        minute = int(now // 60)
        if minute < self.minute:  # the clock was set back
            return
        if self.lags:
            self.lags += [None] * min(minute - self.minute, MINUTES)
        else:
            self.lags = [None]
        self.minute = minute
        if lag is not None:
            self.lags[-1] = round(max(lag, self.lags[-1] or 0.0), 3)
        del self.lags[:-MINUTES]

    def points(self, now: float) -> list[tuple[int, float]]:
        """Return (minutes ago, lag) of the last day, the oldest first."""
        ago = max(0, int(now // 60) - self.minute)
        count = len(self.lags)
        found = [(ago + count - 1 - index, lag) for index, lag in enumerate(self.lags) if lag is not None]
        return [(minutes, lag) for minutes, lag in found if minutes < MINUTES]
