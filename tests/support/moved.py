"""Recorded signals at other moments: moved to another clock, looked at later, or gone on as they went."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitoring.signals import GroupLag, Signals
from tests.support.recorded import Seen

MICRO = 1_000_000
"""Microseconds in a second."""

Clock = Callable[[int], int]
"""From a recording's moment to that of a play, both microseconds since 1970."""


def shifted(by: int) -> Clock:
    """Return a clock that is ``by`` microseconds ahead."""
    return lambda moment: moment + by


def inserted(at: int, length: int, shift: int) -> Clock:
    """Return a clock on which ``length`` passes at the recording's moment ``at``."""
    return lambda moment: moment + shift + (length if moment > at else 0)


def moved(signals: Signals, clock: Clock) -> Signals:
    """Return signals on another clock: moments are mapped, ages end where the mapped moments are."""
    now = clock(signals.now)

    def age(seconds: float) -> float:
        return (now - clock(signals.now - round(seconds * MICRO))) / MICRO

    return msgspec.structs.replace(
        signals,
        now=now,
        frontiers={stage: clock(moment) for stage, moment in signals.frontiers.items()},
        heartbeat=None if signals.heartbeat is None else clock(signals.heartbeat),
        lags={
            stage: GroupLag(lag.waiting, lag.trend, age(lag.stuck) if lag.stuck else 0.0)
            for stage, lag in signals.lags.items()
        },
        sink_busy=age(signals.sink_busy) if signals.sink_busy else 0.0,
        quiet=None if signals.quiet is None else age(signals.quiet),
        uptime=age(signals.uptime),
    )


def delayed(signals: Signals, wait: int) -> Signals:
    """Return what was seen, judged ``wait`` microseconds later."""
    return msgspec.structs.replace(signals, now=signals.now + wait)


def held(first: Seen, last: Seen, ahead: int) -> Seen:
    """Return what would be seen ``ahead`` microseconds after ``last``, were everything to go on as since ``first``."""
    return Seen({name: _continued(first.signals[name], seen, ahead) for name, seen in last.signals.items()})


def _continued(first: Signals, last: Signals, ahead: int) -> Signals:
    span = max(1, last.now - first.now)
    seconds = ahead / MICRO

    def moment(before: int | None, now: int | None) -> int | None:
        return now if before is None or now is None else now + round((now - before) / span * ahead)

    def age(before: float, now: float) -> float:
        return now + seconds if now - before > 0.8 * span / MICRO else now

    def count(before: int, now: int) -> int:
        return max(0, now + round(max(0, now - before) / span * ahead))

    frontiers = {
        stage: moment(first.frontiers.get(stage), reached) or reached
        for stage, reached in last.frontiers.items()
    }
    lags = {
        stage: GroupLag(
            count(first.lags[stage].waiting, lag.waiting), lag.trend, age(first.lags[stage].stuck, lag.stuck)
        )
        if stage in first.lags
        else lag
        for stage, lag in last.lags.items()
    }
    slot = last.slot
    if slot is not None and first.slot is not None:
        slot = msgspec.structs.replace(slot, retained=count(first.slot.retained, slot.retained))
    return msgspec.structs.replace(
        last,
        now=last.now + ahead,
        frontiers=frontiers,
        heartbeat=moment(first.heartbeat, last.heartbeat),
        lags=lags,
        sink_busy=age(first.sink_busy, last.sink_busy),
        quiet=last.quiet if last.quiet is None or first.quiet is None else age(first.quiet, last.quiet),
        uptime=last.uptime + seconds,
        slot=slot,
    )
