"""Person ids for ever: what is known of them outlives the state, and a state that is built anew takes them up.

A rebuild reads the log as compaction has left it: mentions come in another order, and persons pass through states that
they never were in. So that everybody has their id again in the end, each id that is in use has an *anchor*, its oldest
mention by the first log's order: whoever has the anchor among their mentions has the id, and mentions that are anchors
keep the serial that they had. Until the rebuild is through, an id that was merged on the way is given back when its
anchor comes away; ids whose anchors have not come by then are retired.
"""

from __future__ import annotations

import msgspec

from avro.record import MentionPlace
from linkage.errors import IdsError
from linkage.outputs import parse_person_id


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """An id in use: its number, and the serial of its oldest mention."""

    number: int
    serial: int


class KnownIds(msgspec.Struct, frozen=True, array_like=True):
    """What a rebuild takes over. ``until`` is the offset of the log at which it is through."""

    until: int
    next_person: int
    next_serial: int
    merged: dict[int, int]
    split_from: dict[int, int]
    anchors: dict[str, Anchor]


class IdReader:
    """Collects what ``renkou.person-ids`` and ``renkou.identities`` say, in the order of these topics."""

    def __init__(self) -> None:
        self._merged: dict[int, int] = {}
        self._split_from: dict[int, int] = {}
        self._homes: dict[str, tuple[int, int]] = {}
        self._last = 0
        self._last_serial = 0
        self.version = -1
        """The highest version that was read: the rebuild's must be above it."""

    def add_id(self, person_id: str, merged_into: str | None, split_from: str | None, version: int) -> None:
        """Take in an id; a later state of it replaces it."""
        number = _number(person_id)
        self.version = max(self.version, version)
        self._last = max(self._last, number)
        self._merged.pop(number, None)
        if merged_into is not None:
            self._merged[number] = _number(merged_into)
        if split_from is not None:
            self._split_from[number] = _number(split_from)

    def add_identity(
        self, place: MentionPlace, person_id: str, serial: int | None, version: int, *, is_deleted: bool
    ) -> None:
        """Take in an identity; a later state of it replaces it. One without a serial anchors nothing."""
        self.version = max(self.version, version)
        self._homes.pop(anchor_of(place), None)
        if serial is not None:
            self._last_serial = max(self._last_serial, serial)
            if not is_deleted:
                self._homes[anchor_of(place)] = _number(person_id), serial

    def known(self, until: int) -> KnownIds | None:
        """Return what a rebuild up to offset ``until`` takes over, None when no id was ever issued."""
        if not self._last:
            return None
        oldest: dict[int, tuple[int, str]] = {}
        for place, (number, serial) in self._homes.items():
            if number not in oldest or serial < oldest[number][0]:
                oldest[number] = serial, place
        anchors = {place: Anchor(number, serial) for number, (serial, place) in oldest.items()}
        return KnownIds(until, self._last + 1, self._last_serial + 1, self._merged, self._split_from, anchors)


def anchor_of(place: MentionPlace) -> str:
    """Return a mention's place as one text: the key of its identity."""
    return f"{place.department}|{place.table}|{place.key}|{place.role}|{place.ordinal}"


def _number(person_id: str) -> int:
    number = parse_person_id(person_id)
    if number is None:
        raise IdsError(
            "what is told of person ids holds one that is none; did something else write to the topic? "
            "restore it from a copy"
        )
    return number
