"""What a source looked like while something was done to it on a real stack: `Signals` look by look, as a file of lines.

`tests/faults/test_states.py` writes such files, `tests.support.player` plays variations of them. No personal data:
signals have none.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from monitoring.signals import Signals
from monitoring.status import State


class Injection(msgspec.Struct, frozen=True, tag="injection"):
    """What was done, and the state that is right from ``onset`` to ``undone``.

    Moments are microseconds since 1970; from ``begun`` to ``onset`` one source after the other was hit. ``faults`` and
    ``states`` are by department, each of those that were running.
    """

    faults: dict[str, str]
    states: dict[str, State]
    begun: int
    onset: int
    undone: int


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """One look: what the state of each department was decided from."""

    signals: dict[str, Signals]

    @property
    def now(self) -> int:
        """When the look was, microseconds since 1970."""
        return max(signals.now for signals in self.signals.values())


class Round(msgspec.Struct, frozen=True):
    """An injection with the looks from some time before it to when everything was well again."""

    injection: Injection
    looks: Sequence[Seen]


_lines = msgspec.json.Decoder(Injection | Seen)


def write(path: Path, rounds: Iterable[Round]) -> None:
    """Write rounds, compressed: a line for each injection, followed by a line for each look."""
    values = (value for one in rounds for value in (one.injection, *one.looks))
    path.write_bytes(lzma.compress(b"".join(msgspec.json.encode(value) + b"\n" for value in values)))


def read(path: Path) -> list[Round]:
    """Return a file's rounds."""
    found: list[tuple[Injection, list[Seen]]] = []
    for line in lzma.decompress(path.read_bytes()).splitlines():
        value = _lines.decode(line)
        if isinstance(value, Injection):
            found.append((value, []))
        else:
            found[-1][1].append(value)
    return [Round(injection, looks) for injection, looks in found]
