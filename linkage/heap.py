"""What the garbage collector is to make of a state of millions of objects: nothing.

The engine leaves no cycles behind: what an entry replaces or removes goes with its last reference. Still the collector
would walk over the whole state again and again, seconds at a time where it is large. So whoever runs an engine in a
process of its own puts the state out of the collector's sight now and then.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

EVERY: Final = 2_000
"""Log entries after which `rest` is due again: some ten thousand objects, a few milliseconds."""

_YOUNG: Final = 10_000
_ROUNDS: Final = 20


def begin() -> None:
    """Collect what starting left behind, and look at young objects less often from now on."""
    gc.set_threshold(_YOUNG, _ROUNDS, _ROUNDS)
    gc.collect()
    gc.freeze()


def rest() -> None:
    """Put all that is there now out of the collector's sight. Costs what came since the last time."""
    gc.collect()
    gc.freeze()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector off while a state is built: all that is made is there to stay."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
