"""Flat memory for states of millions: one array of 64-bit words in regions that grow where they are.

Addresses for far more than is ever used are reserved at once; the machine gives memory page by page as they are
written. So nothing is copied when a region grows, and nothing pauses.
"""

from __future__ import annotations

import mmap
from typing import Final

import numpy as np
import numpy.typing as npt

from linkage.errors import LinkageError

Words = npt.NDArray[np.int64]

WORD: Final = 8
_NO_RESERVE: Final = 0x4000
"""MAP_NORESERVE of Linux: addresses do not count as memory until they are written."""


def reserve(words: int) -> Words:
    """Return an array of zeros. Raises LinkageError where the machine does not give so many addresses."""
    size = words * WORD
    try:
        # The array keeps the mapping; both go together.
        mapped = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    except OSError as error:
        raise LinkageError(
            f"{size >> 30} GiB of addresses cannot be reserved ({error.strerror}): lift the limit of the process's "
            "address space (ulimit -v), or let vm.overcommit_memory be 0 or 1, then start link again"
        ) from error
    return np.frombuffer(mapped, np.int64)
