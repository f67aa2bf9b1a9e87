"""Functions over flat arrays, compiled when they are first called (numba), the same on every machine.

The machine code is kept beside the module, or in the user's cache folder where that cannot be written, so that only the
first process pays for the compiler. Whoever imports a module with such functions loads numba, half a second: only
what links does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Return the function compiled: it must keep to numbers and arrays, and call only what is in its own module,
    because the kept code is renewed when that file changes."""
    made: Callable[_Arguments, _Result]
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError as error:
        _log.warning(
            "compiled code cannot be kept (%s): each start of the linker compiles anew, some seconds; "
            "let NUMBA_CACHE_DIR name a folder that its user may write",
            error,
        )
        made = numba.njit(nogil=True)(function)
    return made
