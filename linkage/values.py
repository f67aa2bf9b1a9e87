"""What mentions say, on the disk: a file that the process maps, keeps to itself and needs no more when it ends.

Values are looked at when a golden record is made or a mention changes; between that the machine may use their memory
for something else. Nothing here is durable: the log and the snapshots are, and recovery writes the file anew. Room is
asked for before a batch is logged (`make_room`), so that a full disk stops nothing half way.

A value is the length of the row's key, what the mention says (`linkage.state.pack`), and the key. It is referred to by
one number: where it lies, in units of `UNIT` bytes, and how long it is. Freed room is used again by values that need as
many units.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from linkage.memory import WORD, reserve

UNIT: Final = 32
LENGTH_BITS: Final = 26
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
HEAD: Final = 4
"""Bytes of the key's length."""

_SIZE: Final = 1 << 36
"""Bytes that are mapped: 64 GiB, room for two hundred million mentions; the file takes what it needs of it."""
_STEP: Final = 16 << 20
"""Bytes by which the file grows."""
_NAME: Final = "values"


class Values:
    """The values of one linker. Without a folder they are in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises OSError when the folder takes no file, LinkageError when the machine gives no addresses."""
        self._descriptor: int | None = None
        self._free: dict[int, list[int]] = {}
        self._held: list[int] | None = None
        self._end = 1
        self._room = _SIZE
        if folder is None:
            self.data: npt.NDArray[np.uint8] = reserve(_SIZE // WORD).view(np.uint8)
            self._view = memoryview(self.data.data)
            return
        path = folder / _NAME
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            # No other process needs it, and none is to find what a crash left.
            path.unlink()
            os.ftruncate(self._descriptor, _SIZE)
            mapped = mmap.mmap(self._descriptor, _SIZE)
            self._room = 0
            self.make_room()
        except BaseException:
            os.close(self._descriptor)
            self._descriptor = None
            raise
        self.data = np.frombuffer(mapped, np.uint8)
        self._view = memoryview(mapped)

    def close(self) -> None:
        """Free the file. Nothing may be read afterwards."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def make_room(self) -> None:
        """Have the disk give room for half a `_STEP` more: for a batch. Raises OSError when it has none."""
        while self._end * UNIT + _STEP // 2 > self._room:
            if self._descriptor is None:
                raise MemoryError("the linker's values take more than can be mapped")
            os.posix_fallocate(self._descriptor, self._room, _STEP)
            self._room += _STEP

    def put(self, said: bytes, key: str) -> int:
        """Keep a value; return what refers to it."""
        encoded = key.encode()
        value = len(encoded).to_bytes(HEAD, "little") + said + encoded
        size = len(value)
        units = (size + UNIT - 1) // UNIT
        free = self._free.get(units)
        if free:
            place = free.pop()
        else:
            place = self._end
            self._end += units
            if self._end * UNIT > self._room:
                self.make_room()
        start = place * UNIT
        self._view[start : start + size] = value
        return place << LENGTH_BITS | size

    def free(self, reference: int) -> None:
        """Give up a value."""
        if self._held is not None:
            self._held.append(reference)
            return
        units = ((reference & LENGTH_MASK) + UNIT - 1) // UNIT
        self._free.setdefault(units, []).append(reference >> LENGTH_BITS)

    def hold(self) -> None:
        """From now on leave what is given up as it is: a copy of the process reads it."""
        self._held = []

    def release(self) -> None:
        """Nobody reads what was given up since `hold` any more."""
        held, self._held = self._held, None
        for reference in held or ():
            self.free(reference)

    def said(self, reference: int) -> bytes:
        """Return what the mention says, as it was put."""
        view = self._view
        start = (reference >> LENGTH_BITS) * UNIT
        key = int.from_bytes(view[start : start + HEAD], "little")
        return bytes(view[start + HEAD : start + (reference & LENGTH_MASK) - key])
