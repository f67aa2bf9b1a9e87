"""Between the stages: is everything that went into one to be found behind it?

What a log holds is folded to the newest entry of each key, as compaction does. A stage behind it may be ahead of where
the log was read to, and never behind: so every key must be there with that version or a newer one. That holds while
everything runs, and needs no moment at which nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import msgspec


class Entry(NamedTuple):
    """The newest state of a key: versions order the states, ``is_live`` is false for a delete."""

    version: int
    is_live: bool


@dataclass(slots=True)
class Fold:
    """The newest entry of each key."""

    entries: dict[str, Entry] = field(default_factory=dict)
    read: int = 0

    def add(self, key: str, version: int, *, is_live: bool) -> None:
        """Take an entry in; an older one changes nothing."""
        self.read += 1
        known = self.entries.get(key)
        if known is None or version >= known.version:
            self.entries[key] = Entry(version, is_live)

    def add_all(self, entries: Iterable[tuple[str, int, bool]]) -> None:
        """Take entries in: key, version, whether it is live."""
        for key, version, is_live in entries:
            self.add(key, version, is_live=is_live)

    def truncate(self, version: int) -> None:
        """Every entry below ``version`` is gone, and it does not matter whether what follows ever had it."""
        self.entries = {key: entry for key, entry in self.entries.items() if entry.version >= version}

    @property
    def live(self) -> int:
        """How many keys are live."""
        return sum(entry.is_live for entry in self.entries.values())

    @property
    def checksum(self) -> int:
        """The sum of the live keys' and versions' CRC-32 (ISO 3309): equal for equal contents in any order."""
        return sum(
            crc32(f"{key} {entry.version}".encode()) for key, entry in self.entries.items() if entry.is_live
        )


class StageReport(msgspec.Struct):
    """Two places that must agree: how many live keys each has, their checksums (equal when nothing changed between the
    two readings), and how many keys are behind: ``lost`` of the first are missing or older in the second, ``unknown``
    of the second are live there and were never in the first."""

    feed: str
    stage: str
    live_in: int
    live_out: int
    checksum_in: int
    checksum_out: int
    lost: int
    unknown: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing is behind."""
        return not (self.lost or self.unknown)


def compare_stages(
    feed: str, stage: str, before: Fold, behind: Fold, tail: Mapping[str, object]
) -> StageReport:
    """Return how what is behind a stage agrees with what is before it. ``tail`` has the keys that came before the
    stage since ``before`` was read."""
    lost = 0
    for key, entry in before.entries.items():
        there = behind.entries.get(key)
        if there is None:
            # A key that was only ever deleted need not have left a trace.
            lost += entry.is_live
        elif there.version < entry.version or (
            there.version == entry.version and there.is_live is not entry.is_live
        ):
            lost += 1
    unknown = sum(
        entry.is_live and key not in before.entries and key not in tail
        for key, entry in behind.entries.items()
    )
    return StageReport(feed, stage, before.live, behind.live, before.checksum, behind.checksum, lost, unknown)
