"""What a normalizer answers: a value or null, and the codes of the rules that the original broke."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

import msgspec

from avro.codes import rows
from avro.record import Severity

T = TypeVar("T")
S = TypeVar("S", bound=Hashable)

Issues = tuple[str, ...]
"""Codes of `finding_rules`."""

NONE: Final[Issues] = ()

# Codes and dates repeat; a column of free text that is read as one must not fill the memory.
_REMEMBERED: Final = 4096


def remembering(
    read: Callable[[S], tuple[T | None, Issues]], bound: int = _REMEMBERED
) -> Callable[[S | None], tuple[T | None, Issues]]:
    """Return a normalizer that answers null for null, asks ``read`` otherwise, and remembers its latest answers,
    ``bound`` of them at most."""
    seen: dict[S | None, tuple[T | None, Issues]] = {None: (None, NONE)}

    def normalize(value: S | None) -> tuple[T | None, Issues]:
        try:
            return seen[value]
        except KeyError:
            if len(seen) >= bound:
                seen.clear()
                seen[None] = (None, NONE)
            assert value is not None
            outcome = seen[value] = read(value)
            return outcome

    return normalize


class RuleKind(StrEnum):
    """What a rule is about: that something is there, that it is what it should be, that it fits the rest, or that it
    was taken for something that it does not say outright."""

    COMPLETENESS = "completeness"
    VALIDITY = "validity"
    CONSISTENCY = "consistency"
    CONVERSION = "conversion"


class FindingRule(msgspec.Struct, frozen=True):
    """A rule that a value can break, with its text in both languages."""

    code: str
    kind: RuleKind
    severity: Severity
    zh: str
    en: str


@cache
def finding_rules() -> dict[str, FindingRule]:
    """Return every rule, code → rule."""
    return {
        row["code"]: FindingRule(
            row["code"], RuleKind(row["kind"]), Severity(row["severity"]), row["zh"], row["en"]
        )
        for row in rows("finding_rule")
    }
