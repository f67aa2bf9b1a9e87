"""Where the parts of records' datums are, found without decoding them: for all datums of a batch at once.

The sink hands datums to ClickHouse as they are. Of most of them it only needs where the key, the version, the source
time and each mention stand, so that the rows of ``mentions`` can be cut out of the datums. Field after field of the
header's schema is skipped in all datums together, which costs about a microsecond a record; decoding the header takes
ten and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avro._plan import Node, plan
from avro.errors import SchemaError
from avro.schema import RAW_FIELD, plain, shared_schema
from avro.version import VERSION_BYTES

Positions = NDArray[np.int64]

_SIZES: Final = {"boolean": 1, "float": 4, "double": 8}
_EMPTY: Final = frozenset({"previous_key", "next_key", "unchanged", "unchanged_elements"})
"""Fields that are null or empty in a plain record: their one byte is 0."""

_ORDER: Final = ("key", "version", "is_deleted", "snapshot", "source_time")
"""Fields that follow each other: what a row of ``mentions`` begins with is two slices."""

_LONGEST: Final = 63
"""Shift of the tenth byte of a variable-length number, behind which none may come."""

_PADDING: Final = bytes(16)
"""Behind the last datum, so that one that breaks off can be read a little too far."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """Positions in ``body``, the datums one after the other; an entry a datum unless said otherwise.

    A record is plain when it is no delete and no change of key, and lacks no values; bytes that are no record are not
    plain either: who decodes them is told what is wrong. The others mean something where a datum is a record.
    The key begins at ``key`` (its length comes first), version and ``is_deleted`` follow, up to ``place_end``; ``time``
    and ``time_end`` enclose the source time, ``raw`` and ``raw_end`` the raw row. ``owner``, ``start`` and ``end`` have
    an entry a mention of a plain record: whose it is, and its bounds. ``source_time`` is in microseconds since 1970.
    """

    body: bytes
    plain: NDArray[np.bool_]
    key: Positions
    place_end: Positions
    time: Positions
    time_end: Positions
    source_time: Positions
    raw: Positions
    raw_end: Positions
    snapshot: NDArray[np.bool_]
    owner: Positions
    start: Positions
    end: Positions

    def version(self, index: int) -> int:
        """Return the version of a plain record."""
        end = int(self.place_end[index]) - 1
        return int.from_bytes(self.body[end - VERSION_BYTES : end], "little")


def outlines(datums: Sequence[bytes]) -> Outlines:
    """Return the outlines of these datums of records, of whichever feeds."""
    body = b"".join(datums)
    ends = np.cumsum(np.fromiter(map(len, datums), dtype=np.int64, count=len(datums)))
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1])) if len(datums) else ends
    walk = _Walk(np.frombuffer(body + _PADDING, dtype=np.uint8))
    return _read(walk, body, starts, ends)


def _read(walk: _Walk, body: bytes, starts: Positions, ends: Positions) -> Outlines:
    p = starts
    plain_ones = np.ones(len(starts), dtype=np.bool_)
    found: dict[str, Any] = {}
    for name, node in _header():
        if name == "key":
            found["key"] = p
        elif name == "source_time":
            found["time"] = p
        if name in _EMPTY:
            p = walk.nothing(node, p, ends, plain_ones)
        elif name == "is_deleted":
            plain_ones &= walk.data[p] == 0
            found["place_end"] = p = np.minimum(p + 1, ends)
        elif name == "snapshot":
            found["snapshot"] = walk.data[p] == 1
            p = np.minimum(p + 1, ends)
        elif name == "source_time":
            number, p = walk.number(p, ends)
            found["source_time"] = (number >> 1) ^ -(number & 1)
            found["time_end"] = p
        elif name == "mentions":
            p, mentions = _mentions(walk, node.item, p, ends, plain_ones)
            found.update(zip(("owner", "start", "end"), mentions, strict=True))
        else:
            p = walk.skip(node, p, ends)
    found["raw"] = p
    found["raw_end"] = p = walk.skip(_raw(), p, ends)
    # Every feed has elements behind the raw row: whoever stands at the end has met something that is no record.
    plain_ones &= p < ends
    kept = plain_ones[found["owner"]]
    for name in ("owner", "start", "end"):
        found[name] = found[name][kept]
    return Outlines(body=body, plain=plain_ones, **found)


def _mentions(
    walk: _Walk, node: Node, p: Positions, ends: Positions, plain_ones: NDArray[np.bool_]
) -> tuple[Positions, tuple[Positions, Positions, Positions]]:
    """Return the positions behind the mentions, and owner, start and end of each.

    Records with a mention that lacks values are marked as not plain.
    """
    *fields, last = node.fields
    if last.name != "unchanged":
        raise SchemaError("Mention.avsc: unchanged is not its last field; mend avro.outline")
    owners, begins, stops = [], [], []

    def one(rows: Positions, p: Positions, ends: Positions) -> Positions:
        owners.append(rows)
        begins.append(p)
        for field in fields:
            p = walk.skip(field.node, p, ends)
        complete = np.ones(len(rows), dtype=np.bool_)
        p = walk.nothing(last.node, p, ends, complete)
        plain_ones[rows[~complete]] = False
        stops.append(p)
        return p

    p = walk.items(one, p, ends)
    if not owners:
        nothing = np.zeros(0, dtype=np.int64)
        return p, (nothing, nothing, nothing)
    owner, start, end = (np.concatenate(parts) for parts in (owners, begins, stops))
    order = np.lexsort((start, owner))
    return p, (owner[order], start[order], end[order])


@cache
def _header() -> tuple[tuple[str, Node], ...]:
    """Return the header's fields."""
    fields = plan(plain(shared_schema("RecordHeader"))).fields
    names = [field.name for field in fields]
    first = names.index(_ORDER[0])
    if tuple(names[first : first + len(_ORDER)]) != _ORDER or not set(names) > _EMPTY:
        raise SchemaError(
            "RecordHeader.avsc: fields that the rows of mentions are cut from have moved; mend avro.outline"
        )
    return tuple((field.name, field.node) for field in fields)


@cache
def _raw() -> Node:
    """Return the raw row, which every feed's schema has behind the header."""
    return plan(plain(RAW_FIELD["type"]))


class _Walk:
    """Steps over values in many datums at once. Each step takes positions and the ends of their datums, and returns the
    positions behind the values. What is no value ends at its datum's end."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data

    def number(self, p: Positions, ends: Positions) -> tuple[Positions, Positions]:
        """Return variable-length numbers as they stand in the bytes, zig-zag, and the positions behind them."""
        first = self.data[p]
        value = first.astype(np.int64)
        p = p + 1
        more = np.flatnonzero(first > 127)
        if more.size:
            value[more] &= 127
            shift = 7
            while more.size and shift <= _LONGEST:
                byte = self.data[np.minimum(p[more], ends[more])].astype(np.int64)
                value[more] |= (byte & 127) << shift
                p[more] += 1
                more = more[byte > 127]
                shift += 7
            p[more] = ends[more]
        return value, np.minimum(p, ends)

    def nothing(self, node: Node, p: Positions, ends: Positions, plain_ones: NDArray[np.bool_]) -> Positions:
        """Step over a value of ``node`` that is null or empty in a plain record, else unset ``plain_ones``."""
        rows = np.flatnonzero(self.data[p])
        behind = np.minimum(p + 1, ends)
        if rows.size:
            plain_ones[rows] = False
            behind[rows] = self.skip(node, p[rows], ends[rows])
        return behind

    def skip(self, node: Node, p: Positions, ends: Positions) -> Positions:
        """Step over a value of ``node``."""
        kind = node.kind
        if kind in ("string", "bytes"):
            size, p = self.number(p, ends)
            p = np.minimum(p + (size >> 1), ends)
            negative = (size & 1) == 1
            if negative.any():
                p[negative] = ends[negative]
            return p
        if kind in ("int", "long", "enum"):
            return self.number(p, ends)[1]
        if kind == "fixed" or kind in _SIZES:
            return np.minimum(p + _SIZES.get(kind, node.size), ends)
        if kind == "union":
            return self._union(node, p, ends)
        if kind == "record":
            for field in node.fields:
                p = self.skip(field.node, p, ends)
            return p
        if kind == "array":
            return self.items(lambda rows, p, ends: self.skip(node.item, p, ends), p, ends)
        if kind != "null":
            raise SchemaError(f"a value of type {kind} is not stepped over; mend avro.outline")
        return p

    def _union(self, node: Node, p: Positions, ends: Positions) -> Positions:
        branch = self.data[p]
        p = np.minimum(p + 1, ends)
        for index, inner in enumerate(node.branches):
            if inner.kind != "null":
                rows = np.flatnonzero(branch == index << 1)
                if rows.size:
                    p[rows] = self.skip(inner, p[rows], ends[rows])
        unknown = branch > (len(node.branches) - 1) << 1
        if unknown.any():
            p[unknown] = ends[unknown]
        return p

    def items(self, step: Any, p: Positions, ends: Positions) -> Positions:
        """Step over arrays, each of whose items ``step(rows, p, ends)`` steps over; rows are places in ``p``."""
        number, p = self.number(p, ends)
        rows = np.flatnonzero(number)
        counts = number[rows]
        while rows.size:
            counts = (counts >> 1) ^ -(counts & 1)
            sized = counts < 0  # the block's size in bytes follows
            if sized.any():
                _, p[rows[sized]] = self.number(p[rows[sized]], ends[rows[sized]])
                counts = np.abs(counts)
            # An item has a byte at least: more items than bytes are none.
            broken = counts > ends[rows] - p[rows]
            p[rows[broken]] = ends[rows[broken]]
            rows, counts = rows[~broken], counts[~broken]
            for taken in range(int(counts.max(initial=0))):
                those = rows[counts > taken]
                p[those] = step(those, p[those], ends[those])
            counts, p[rows] = self.number(p[rows], ends[rows])
            rows, counts = rows[counts != 0], counts[counts != 0]
        return p
