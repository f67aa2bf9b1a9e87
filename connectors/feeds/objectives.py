"""What a department promises of a feed: how old its data may be, when its files are due, how large they are."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from connectors.feeds.located import Located

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]*)([smhd])")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SHARE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?")

Every = Literal["day", "week", "month"]
Shift = Literal["next", "previous", "none"]

LAST_DAY: Final = 28
"""The last day that every month has."""


class Delay(msgspec.Struct, frozen=True):
    """How late data may be before somebody is warned, and before it is an error; seconds."""

    warn: int
    error: int


class Due(msgspec.Struct, frozen=True):
    """When a feed's next file must have been delivered, its ``.ok`` included.

    ``day`` is the weekday (1 is Monday) or the day of the month; ``minute`` counts from midnight of the register's
    clock. Where the day is no working day, ``shift`` says which one counts instead.
    """

    every: Every
    day: int
    minute: int
    shift: Shift


class Size(msgspec.Struct, frozen=True):
    """Shares of the usual number of records below and above which a delivery is suspicious."""

    least: float
    most: float


class Objectives(msgspec.Struct, frozen=True):
    """A feed's objectives. ``source_delay`` is from the commit in the source to its capture, ``hub_delay`` from the
    capture to being queryable. ``due`` and ``size`` are for feeds that come as files. ``rate`` tells whether silence
    is judged by what is usual at this hour of the week."""

    source_delay: Delay = Delay(24 * 3600, 48 * 3600)
    hub_delay: Delay = Delay(120, 300)
    due: Due | None = None
    size: Size = Size(0.5, 2.0)
    rate: bool = True


def read_objectives(place: Located | None) -> Objectives:
    """Return the objectives that a feed file states, the defaults for what it leaves out. Raises FeedError."""
    if place is None:
        return Objectives()
    entries = place.fields((), ("source_delay", "hub_delay", "due", "size", "rate"))
    usual = Objectives()
    return Objectives(
        source_delay=_delay(entries.get("source_delay"), usual.source_delay),
        hub_delay=_delay(entries.get("hub_delay"), usual.hub_delay),
        due=_due(entries["due"]) if "due" in entries else None,
        size=_size(entries["size"]) if "size" in entries else usual.size,
        rate=_choice(entries["rate"], ("learned", "off")) == "learned" if "rate" in entries else usual.rate,
    )


def _delay(place: Located | None, usual: Delay) -> Delay:
    if place is None:
        return usual
    entries = place.fields(("warn", "error"))
    delay = Delay(_duration(entries["warn"]), _duration(entries["error"]))
    if delay.warn > delay.error:
        place.fail("'warn' comes before 'error': it must not be longer")
    return delay


def _duration(place: Located) -> int:
    found = _DURATION.fullmatch(place.text())
    if found is None:
        place.fail("a duration such as 30s, 5m, 36h or 2d is wanted here")
    return int(found[1]) * _SECONDS[found[2]]


def _due(place: Located) -> Due:
    entries = place.fields(("every", "by"), ("day", "shift"))
    every = _choice(entries["every"], ("day", "week", "month"))
    if every == "day":
        if "day" in entries:
            entries["day"].fail("a file of every day has no 'day'; remove it")
        day = 0
    elif "day" not in entries:
        place.fail(f"'day' is missing here: the day of the {every}")
    else:
        day = entries["day"].integer(1, 7 if every == "week" else LAST_DAY)
    clock = _CLOCK.fullmatch(entries["by"].text())
    if clock is None:
        entries["by"].fail("a time such as 18:00 is wanted here")
    shift = _choice(entries["shift"], ("next", "previous", "none")) if "shift" in entries else "next"
    return Due(every, day, int(clock[1]) * 60 + int(clock[2]), shift)  # type: ignore[arg-type]


def _size(place: Located) -> Size:
    entries = place.fields(("least", "most"))
    size = Size(_share(entries["least"]), _share(entries["most"]))
    if not size.least < 1 < size.most:
        place.fail("'least' is below 1 and 'most' above: both are shares of the usual size")
    return size


def _share(place: Located) -> float:
    text = place.text()
    if _SHARE.fullmatch(text) is None:
        place.fail("a share such as 0.5 or 2 is wanted here")
    return float(text)


def _choice(place: Located, known: tuple[str, ...]) -> str:
    text = place.text()
    if text not in known:
        place.fail(f"'{text}' is not known here; known are {', '.join(known)}")
    return text
