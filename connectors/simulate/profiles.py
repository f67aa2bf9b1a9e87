"""Kinds of provinces: how carefully their clerks work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import missing_id
from connectors.simulate.tables import Entry


@dataclass(frozen=True, slots=True)
class Profile:
    """``noise`` multiplies how often clerks err; ``placeholders`` is the share of records with a birth date and a
    phone that many share, half of them without an ID number.
    """

    name: str
    noise: float = 1.0
    placeholders: float = 0.0


PROFILES: Final = {
    profile.name: profile
    for profile in (Profile("small"), Profile("province"), Profile("hostile", noise=4.0, placeholders=0.05))
}
"""By name. ``small`` and ``province`` err alike: the figures that are published hold in both."""
SMALL: Final = PROFILES["small"]

_PHONES: Final = ("16800000000", "16888888888", "16812345678")
"""What is typed where a form insists on a phone; of the right form and nobody's, as all phones here."""


def leave_placeholder(entry: Entry, dice: Dice) -> None:
    """Overwrite birth date and phone of a record by what a clerk types who has no time, and some ID numbers."""
    blank, row = entry.table.blank, entry.row
    if blank.birth:
        setattr(row, blank.birth, blank.day)
    if blank.phone:
        setattr(row, blank.phone, dice.one(_PHONES))
    number = entry.table.numbers.get("self")
    if number is not None and blank.birth and dice.random() < 0.5 and _may_be_missing(entry, number):
        setattr(row, number, missing_id(dice) or "")


def _may_be_missing(entry: Entry, name: str) -> bool:
    table = entry.table
    return name not in table.key and table.columns[table.fields.index(name)].is_nullable
