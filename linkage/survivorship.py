"""Which values of a person's mentions survive, and the golden record's bytes: a function over flat arrays.

See `linkage.golden` for what it makes; this is its compiled part.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from linkage.native import compiled

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

FIELDS: Final = 3
"""Numbers a mention: what refers to its value (`linkage.values`), its row's source time, its feed's place."""
# What compiled code depends on stands in its own file; a test compares these with `linkage.values`.
_UNIT: Final = 32
_LENGTH_BITS: Final = 26
_HEAD: Final = 4

# MessagePack's first bytes.
_NIL: Final = 0xC0
_STR_8: Final = 0xD9
_STR_16: Final = 0xDA
_STR_32: Final = 0xDB
_ARRAY_16: Final = 0xDC

_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_COMMA: Final = 0x2C
_OPEN: Final = 0x5B
_CLOSE: Final = 0x5D
_FEEDS: Final = np.frombuffer(b'{"feeds":[', np.uint8)
_RECORDS: Final = np.frombuffer(b'],"records":[', np.uint8)
_ELEMENTS: Final = np.frombuffer(b'],"elements":{', np.uint8)
_END: Final = np.frombuffer(b"}}", np.uint8)
_SHORT: Final = np.frombuffer(b"btn\0fr", np.uint8)
"""What stands for the control characters 8 to 13 behind a backslash; 11 has none."""
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)

_ESCAPED: Final = 6
_LIST_ITEM: Final = 8
_ROOM: Final = 96


@compiled
def _byte(data: Bytes, place: int) -> int:
    """Return a byte with a sign: differences and shifts of bytes would have none."""
    return int(np.int64(data[place]))


@compiled
def _big_endian(data: Bytes, start: int, size: int) -> int:
    value = 0
    for place in range(start, start + size):
        value = value << 8 | _byte(data, place)
    return value


@compiled
def _text(data: Bytes, start: int) -> tuple[int, int]:
    """Return where the text at ``start`` begins and ends, behind its header."""
    first = _byte(data, start)
    if first == _STR_8:
        begin = start + 2
        return begin, begin + _byte(data, start + 1)
    if first == _STR_16:
        begin = start + 3
        return begin, begin + _big_endian(data, start + 1, 2)
    if first == _STR_32:
        begin = start + 5
        return begin, begin + _big_endian(data, start + 1, 4)
    return start + 1, start + 1 + (first & 0x1F)


@compiled
def _whole(data: Bytes, start: int) -> tuple[int, int]:
    """Return the whole number at ``start``, and where it ends."""
    first = _byte(data, start)
    if first < 0x80:
        return first, start + 1
    if first >= 0xE0:
        return first - 0x100, start + 1
    size = 1 << (first & 3)
    value = _big_endian(data, start + 1, size)
    if first >= 0xD0 and size < 8 and value >> (8 * size - 1):
        value -= 1 << (8 * size)
    return value, start + 1 + size


@compiled
def _end_of(data: Bytes, start: int) -> int:
    """Return where the text, whole number or nil at ``start`` ends."""
    first = _byte(data, start)
    if first == _NIL:
        return start + 1
    if 0xA0 <= first < 0xC0 or _STR_8 <= first <= _STR_32:
        return _text(data, start)[1]
    return _whole(data, start)[1]


@compiled
def _compare(data: Bytes, one: int, one_end: int, other: int, other_end: int) -> int:
    """Compare two texts: below 0, 0 or above. UTF-8 has the order of the characters."""
    size = min(one_end - one, other_end - other)
    for place in range(size):
        difference = _byte(data, one + place) - _byte(data, other + place)
        if difference:
            return difference
    return (one_end - one) - (other_end - other)


@compiled
def _put(out: Bytes, position: int, data: Bytes, start: int, end: int) -> int:
    for place in range(start, end):
        out[position] = data[place]
        position += 1
    return position


@compiled
def _put_number(out: Bytes, position: int, value: int) -> int:
    if value < 0:
        out[position] = 0x2D
        position += 1
        value = -value
    size = 1
    rest = value // 10
    while rest:
        size += 1
        rest //= 10
    for place in range(position + size - 1, position - 1, -1):
        out[place] = 0x30 + value % 10
        value //= 10
    return position + size


@compiled
def _put_json(out: Bytes, position: int, data: Bytes, start: int, end: int) -> int:
    """Write a text as JSON."""
    out[position] = _QUOTE
    position += 1
    for place in range(start, end):
        character = _byte(data, place)
        if character in (_QUOTE, _BACKSLASH):
            out[position] = _BACKSLASH
            out[position + 1] = character
            position += 2
        elif character >= 0x20:
            out[position] = character
            position += 1
        elif 8 <= character <= 13 and character != 11:
            out[position] = _BACKSLASH
            out[position + 1] = _SHORT[character - 8]
            position += 2
        else:
            out[position] = _BACKSLASH
            out[position + 1] = 0x75
            out[position + 2] = out[position + 3] = 0x30
            out[position + 4] = _HEX[character >> 4]
            out[position + 5] = _HEX[character & 15]
            position += 6
    out[position] = _QUOTE
    return position + 1


@compiled
def _put_feeds(out: Bytes, position: int, marked: Numbers, mark: int, but: int, shown: Numbers) -> int:
    """Write the list of the feeds that are ``marked``, without ``but``; ``shown`` are the feeds' numbers."""
    out[position] = _OPEN
    position += 1
    first = True
    for feed in range(marked.size):
        if marked[feed] & mark and feed != but:
            if not first:
                out[position] = _COMMA
                position += 1
            first = False
            position = _put_number(out, position, shown[feed])
    out[position] = _CLOSE
    return position + 1


@compiled
def survive(data: Bytes, fields: Numbers, ranks: Numbers, texts: Bytes, ends: Numbers, out: Bytes) -> int:
    """Write the golden record of mentions to ``out``: MessagePack of values, provenance and number of mentions.

    ``data`` holds what mentions say (MessagePack) and their rows' keys (UTF-8); ``fields`` are `FIELDS` numbers each.
    Feeds are numbered in the order of their names: ``ranks`` has a feed's for each element, ``texts`` the
    feeds' names as JSON, then what opens each element in the provenance; ``ends`` says where each of these ends.

    Returns the bytes written; when ``out`` is too small, the size that suffices, negative.
    """
    count = fields.size // FIELDS
    feeds, elements = ranks.shape
    lengths = said = 0
    for one in range(count):
        start = (fields[one * FIELDS] >> _LENGTH_BITS) * _UNIT
        for place in range(_HEAD):
            lengths += _byte(data, start + place) << 8 * place
        said += fields[one * FIELDS] & ((1 << _LENGTH_BITS) - 1)
    needed: int = (
        said
        + texts.size
        + lengths * _ESCAPED
        + count * _ROOM
        + elements * (_ROOM + 2 * _LIST_ITEM * min(count, feeds))
        + _ROOM
    )
    if out.size < needed:
        return -needed
    starts = np.empty((count, elements), np.int64)
    stops = np.empty((count, elements), np.int64)
    keys = np.empty((count, 2), np.int64)
    roles = np.empty((count, 2), np.int64)
    ordinals = np.empty(count, np.int64)
    shown = np.full(feeds, -1)
    for one in range(count):
        start = (fields[one * FIELDS] >> _LENGTH_BITS) * _UNIT
        length = 0
        for place in range(_HEAD):
            length += _byte(data, start + place) << 8 * place
        keys[one, 1] = start + (fields[one * FIELDS] & ((1 << _LENGTH_BITS) - 1))
        keys[one, 0] = keys[one, 1] - length
        place = start + _HEAD
        first = _byte(data, place)
        place += 1 if first < _NIL else 3 if first == _ARRAY_16 else 5
        roles[one, 0], roles[one, 1] = _text(data, place)
        ordinals[one], place = _whole(data, roles[one, 1])
        for element in range(elements):
            end = _end_of(data, place)
            starts[one, element] = place
            stops[one, element] = place if data[place] == _NIL else end
            place = end
        shown[fields[one * FIELDS + 2]] = 0

    # Elements: who has the value that survives, and which feeds have it (1) or another one (2).
    winners = np.full(elements, -1)
    marked = np.zeros((elements, feeds), np.int64)
    numbers = np.full(count, -1)
    records = np.empty(count, np.int64)
    found = 0
    for element in range(elements):
        best = -1
        for one in range(count):
            if stops[one, element] == starts[one, element]:
                continue
            if best < 0:
                best = one
                continue
            feed, other = fields[one * FIELDS + 2], fields[best * FIELDS + 2]
            rank = ranks[feed, element] - ranks[other, element]
            if rank == 0:
                rank = fields[best * FIELDS + 1] - fields[one * FIELDS + 1]
            if rank == 0:
                rank = feed - other
            if rank == 0:
                rank = _compare(data, keys[one, 0], keys[one, 1], keys[best, 0], keys[best, 1])
            if rank == 0:
                rank = _compare(data, roles[one, 0], roles[one, 1], roles[best, 0], roles[best, 1])
            if rank == 0:
                rank = ordinals[one] - ordinals[best]
            if rank < 0:
                best = one
        if best < 0:
            continue
        winners[element] = best
        start, stop = starts[best, element], stops[best, element]
        for one in range(count):
            begin, end = starts[one, element], stops[one, element]
            if end > begin:
                equal = one == best or _compare(data, begin, end, start, stop) == 0
                marked[element, fields[one * FIELDS + 2]] |= 1 if equal else 2
        if numbers[best] < 0:
            numbers[best] = found
            records[found] = best
            found += 1

    out[0] = 0x93
    out[1] = _ARRAY_16
    out[2] = elements >> 8
    out[3] = elements & 0xFF
    position = 4
    for element in range(elements):
        best = winners[element]
        if best < 0:
            out[position] = _NIL
            position += 1
        else:
            position = _put(out, position, data, starts[best, element], stops[best, element])

    head = position
    position += 5
    begin = position
    position = _put(out, position, _FEEDS, 0, _FEEDS.size)
    known = 0
    for feed in range(feeds):
        if shown[feed] == 0:
            shown[feed] = known
            if known:
                out[position] = _COMMA
                position += 1
            known += 1
            position = _put(out, position, texts, ends[feed - 1] if feed else 0, ends[feed])
    position = _put(out, position, _RECORDS, 0, _RECORDS.size)
    for number in range(found):
        one = records[number]
        if number:
            out[position] = _COMMA
            position += 1
        out[position] = _OPEN
        position = _put_number(out, position + 1, shown[fields[one * FIELDS + 2]])
        out[position] = _COMMA
        position = _put_json(out, position + 1, data, keys[one, 0], keys[one, 1])
        out[position] = _COMMA
        position = _put_number(out, position + 1, fields[one * FIELDS + 1])
        out[position] = _CLOSE
        position += 1
    position = _put(out, position, _ELEMENTS, 0, _ELEMENTS.size)
    first_element = True
    for element in range(elements):
        best = winners[element]
        if best < 0:
            continue
        if not first_element:
            out[position] = _COMMA
            position += 1
        first_element = False
        position = _put(out, position, texts, ends[feeds + element - 1], ends[feeds + element])
        out[position] = _OPEN
        position = _put_number(out, position + 1, numbers[best])
        out[position] = _COMMA
        position = _put_feeds(out, position + 1, marked[element], 1, fields[best * FIELDS + 2], shown)
        out[position] = _COMMA
        position = _put_feeds(out, position + 1, marked[element], 2, -1, shown)
        out[position] = _CLOSE
        position += 1
    position = _put(out, position, _END, 0, _END.size)

    # The provenance's header takes as few bytes as its length needs.
    size = position - begin
    if size < 0x100:
        out[head] = _STR_8
        out[head + 1] = size
        position = _put(out, head + 2, out, begin, position)
    elif size < 0x10000:
        out[head] = _STR_16
        out[head + 1] = size >> 8
        out[head + 2] = size & 0xFF
        position = _put(out, head + 3, out, begin, position)
    else:
        out[head] = _STR_32
        for place in range(4):
            out[head + 1 + place] = size >> (24 - 8 * place) & 0xFF

    if count < 0x80:
        out[position] = count
        return position + 1
    size = 1 if count < 0x100 else 2 if count < 0x10000 else 4
    out[position] = 0xCC if size == 1 else 0xCD if size == 2 else 0xCE
    for place in range(size):
        out[position + 1 + place] = count >> 8 * (size - 1 - place) & 0xFF
    return position + 1 + size
