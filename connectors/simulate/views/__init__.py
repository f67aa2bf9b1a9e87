"""How each department has recorded people: one module a department, with its columns, codes, quirks and errors.

A view makes rows from the truth by a random generator of its own, so that departments do not disturb each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import landline, spelled_phone
from connectors.simulate.people import Person

STALE_PHONES: Final = 0.127
"""Share of the phones on file that are no longer the person's."""

BIG_VALUE: Final = 2600
"""Bytes from which a value is certain to be TOASTed: PostgreSQL's limit is 2 kB, for what compression leaves."""


def phone_on_file(rng: Dice, person: Person, missing: float) -> str | None:
    """Return the person's own phone as a department has it, stale in a known share of the cases; None without."""
    if person.phone is None or rng.random() < missing:
        return "" if rng.random() < 0.1 else None
    if rng.random() < STALE_PHONES:
        return landline(rng) if rng.random() < 0.05 else person.stale_phone
    return spelled_phone(rng, person.phone)


def compact(moment: datetime) -> str:
    """Return yyyyMMddHHmmss in Beijing time."""
    return moment.strftime("%Y%m%d%H%M%S")
