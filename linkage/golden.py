"""The golden record: of each element the value that survives, and where it comes from (一数一源、多源核验).

Survivorship: the feed with the highest authority for the element, among its records the most recent one by
the source's own time, among equals the first by feed, key, role and ordinal. A function of the live mentions
alone, so a record that is deleted leaves no trace.

Provenance is a JSON object that names each feed and each record once, and refers to them by position::

    {"feeds": ["health.health_record", "police.hj_ryjbxx"],
     "records": [[1, "<key>", 1700000000000000]],
     "elements": {"name": [0, [0], []]}}

``feeds`` are all that mention the person, ``records`` those that a value comes from: feed, key, and the source
time (microseconds since 1970) of the row state that holds the value. An element that has a value has its record,
the other feeds that have the same value, and those that have another, the value's own feed among them when
its records differ.

A record follows from the person's live mentions alone and is made anew whenever one of them changes: the work is done
by compiled code (`linkage.survivorship`) on what the mentions say, where it lies (`linkage.values`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from avro.record import PERSON_ELEMENTS
from linkage import outputs
from linkage.values import Values

if TYPE_CHECKING:
    from linkage.state import MentionState, Origin

_encode: Final = msgspec.json.Encoder().encode
_OPENINGS: Final = [f'"{element}":'.encode() for element in PERSON_ELEMENTS]
_ROOM: Final = 1 << 14
"""Bytes that most golden records fit in; more are made when one does not."""

_decode: Final = msgspec.msgpack.Decoder(tuple[outputs.Values, str, int]).decode


class GoldenRecords:
    """Makes golden records. ``register`` tells it the feeds; the authority for their values is in these."""

    def __init__(self, values: Values) -> None:
        """``values`` has what mentions say."""
        # Loads the compiler: only where records are made.
        from linkage.survivorship import survive

        self._survive = survive
        self._values = values
        self._out = np.empty(_ROOM, np.uint8)
        self._ranks: npt.NDArray[np.int64]
        self._texts: npt.NDArray[np.uint8]
        self._ends: npt.NDArray[np.int64]

    def prepare(self) -> None:
        """Load the compiled code, or compile it: better now than with the first record."""
        nothing = np.frombuffer(b"\0" * 8, np.uint8)[:0]
        fields = np.frombuffer(array("q", [0]), np.int64)[:0]
        ranks = np.empty((0, len(PERSON_ELEMENTS)), np.int64)
        self._survive(self._values.data, fields, ranks, nothing, np.cumsum([0]), self._out)

    def register(self, origins: Iterable[Origin]) -> None:
        """Know these feeds from now on: all that mentions come from."""
        ordered = sorted(origins, key=lambda origin: origin.name)
        for place, origin in enumerate(ordered):
            origin.place = place
        texts = [_encode(origin.name) for origin in ordered] + _OPENINGS
        self._ranks = np.array([origin.ranks for origin in ordered], np.int64)
        self._texts = np.frombuffer(b"".join(texts), np.uint8)
        self._ends = np.cumsum([len(text) for text in texts], dtype=np.int64)

    def make(self, mentions: Sequence[MentionState]) -> bytes:
        """Return the packed golden record of a person's mentions, one at least: the same for the same mentions in
        any order and any process. `unpack_golden` reads it."""
        numbers: list[int] = []
        for mention in mentions:
            row = mention.row
            numbers += (mention.value, row.source_time, row.feed.origin.place)
        fields = np.frombuffer(array("q", numbers), np.int64)
        data = self._values.data
        while (size := self._survive(data, fields, self._ranks, self._texts, self._ends, self._out)) < 0:
            self._out = np.empty(-2 * size, np.uint8)
        return self._out[:size].tobytes()


def unpack_golden(packed: bytes) -> tuple[outputs.Values, str]:
    """Return the values and the provenance of a packed golden record."""
    values, provenance, _ = _decode(packed)
    return values, provenance


def digest_of(packed: bytes) -> bytes:
    """Return a short digest of a packed golden record, the same in every process: of two golden records of one person
    with one digest the second would not be published, which happens once in 2**64."""
    return xxhash.xxh3_64_digest(packed)
