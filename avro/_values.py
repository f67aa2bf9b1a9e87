"""Single values to Avro's bytes: what the functions of `avro._writer` call, and what they say of a misfit."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NoReturn

_CHUNK: Final = 14
CHUNKS: Final = 1 << _CHUNK
"""Variable-length numbers are put together two bytes at a time, from tables of 2 x 0.8 MB."""

MORE: Final = tuple([bytes((n & 127 | 128, n >> 7 | 128)) for n in range(CHUNKS)])
LAST: Final = tuple([bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in range(CHUNKS)])

PREFIX_LIMIT: Final = 4096
"""Lengths of strings whose prefix is looked up, most raw rows among them; longer ones are computed."""

RANGES: Final = {"int": (-(1 << 31), (1 << 31) - 1), "long": (-(1 << 63), (1 << 63) - 1)}


def varint(number: int) -> bytes:
    """Return a number from 0 to 2**64 - 1 in Avro's variable-length form."""
    if number < CHUNKS:
        return LAST[number]
    data = MORE[number & CHUNKS - 1]
    number >>= _CHUNK
    while number >= CHUNKS:
        data += MORE[number & CHUNKS - 1]
        number >>= _CHUNK
    return data + LAST[number]


class High(dict[int, bytes]):
    """What follows the first four bytes of a longer number, remembered by its value, up to a bound: times of the same
    minutes have it in common."""

    def __missing__(self, number: int) -> bytes:
        if len(self) >= CHUNKS:
            self.clear()
        data = self[number] = varint(number)
        return data


@cache
def prefixes(branch: bytes) -> tuple[bytes, ...]:
    """Return, by length, what stands before a string: its branch's index, if it has one, and the length."""
    return tuple([branch + varint(size << 1) for size in range(PREFIX_LIMIT)])


def refuse(path: str, wanted: str, value: object) -> NoReturn:
    """Raise the TypeError for a value of another type; ``path`` is the field."""
    raise TypeError(f"{path}: {wanted} is wanted, not {type(value).__name__}; mend the mapping or the .avsc")


def number(value: Any, path: str, kind: str) -> bytes:
    """Return the bytes of an int or long."""
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(path, kind, value)
    low, high = RANGES[kind]
    if not low <= value <= high:
        raise ValueError(f"{path}: the number is out of the range of {kind}; mend the mapping or the .avsc")
    return varint(value << 1 if value >= 0 else ~(value << 1))


def real(value: Any, path: str, kind: str) -> bytes:
    """Return the bytes of a float or double; an integer is taken when nothing of it is lost."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        refuse(path, kind, value)
    layout = "<f" if kind == "float" else "<d"
    try:
        data = struct.pack(layout, float(value))
    except OverflowError:
        raise ValueError(
            f"{path}: the number is too large for {kind}; mend the mapping or the .avsc"
        ) from None
    if isinstance(value, int) and struct.unpack(layout, data)[0] != value:
        raise ValueError(f"{path}: the integer is too large for {kind}; mend the mapping or the .avsc")
    return data


def octets(value: Any, path: str) -> bytes:
    """Return the bytes of a value of type bytes."""
    if not isinstance(value, (bytes, bytearray)):
        refuse(path, "bytes", value)
    return varint(len(value) << 1) + value


def fixed(value: Any, path: str, size: int) -> bytes:
    """Return the bytes of a fixed."""
    if not isinstance(value, bytes):
        refuse(path, "bytes", value)
    if len(value) != size:
        raise ValueError(f"{path}: {size} bytes are wanted, not {len(value)}; mend the mapping or the .avsc")
    return value


def complete(value: Any, path: str, names: tuple[str, ...], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's fields, defaults filled in. Raises when one is missing or is none of the schema's."""
    if not isinstance(value, Mapping):
        refuse(path, "a mapping", value)
    fields = {**defaults, **value}
    missing = [name for name in names if name not in fields]
    if missing:
        raise ValueError(
            f"{path}: {', '.join(missing)} is missing and has no default; mend the mapping or the .avsc"
        )
    if len(fields) != len(names):
        raise ValueError(f"{path}: there are more fields than the schema has; mend the mapping or the .avsc")
    return fields


def is_integer(value: object, kind: str) -> bool:
    """Say whether a union's value is of its int or long."""
    low, high = RANGES[kind]
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
