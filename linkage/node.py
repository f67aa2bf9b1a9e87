"""A description of a person, as the graph has it and as it is explained, trained on and cut: `linkage.graph` keeps the
same in flat arrays, by which the engine works."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from linkage.births import date_in, day_of
from linkage.features import KIND_MASK, Core, Kind, keys_of, numbers_meant, token

if TYPE_CHECKING:
    from linkage.state import MentionState

_NO_DATE: Final = -(1 << 40)
_CACHE: Final = 1 << 16


class Node:
    """One description of a person, and the mentions that give it.

    ``tokens`` counts the mentions that have each token. ``edges`` are the scores of pairs that may be one
    person or must not. ``birth`` (days since 1970-01-01), ``month`` (yyyyMM) and ``sex`` are stated or in the
    number. ``shared``: further mentions of the same core belong here. ``decided``: a steward's decision is about
    its only mention.
    """

    def __init__(self, core: Core, shared: bool) -> None:
        self.core = core
        self.shared = shared
        self.decided = False
        self.members: list[MentionState] = []
        self.tokens: dict[int, int] = {}
        self._edges: dict[Node, int] | None = {}
        self.numbers = numbers_meant(core)
        self.birth = known_birth(core)
        self.sex = known_sex(core)
        self.month = known_month(core)
        self.keys = tuple(keys_of(core, wide=not core.number))

    @property
    def edges(self) -> dict[Node, int]:
        """The scores of pairs that may be one person or must not."""
        assert self._edges is not None
        return self._edges

    @property
    def order(self) -> tuple[object, ...]:
        """A total order of the nodes that are there at one time, the same whatever came first."""
        core = self.core
        place: tuple[object, ...] = ()
        if not self.shared:
            (mention,) = self.members
            row = mention.row
            place = row.feed.name, row.key, mention.role, mention.ordinal
        birth = _NO_DATE if core.birth is None else core.birth
        return (core[:5], birth, core.month, core.lunar, core.sex, core.order, core.certificate, place)

    def tied_to(self, other: Node) -> bool:
        """Say whether a source calls both one file."""
        mine, others = self.tokens, other.tokens
        if len(mine) > len(others):
            mine, others = others, mine
        return any(sign & KIND_MASK == Kind.TIE and sign in others for sign in mine)

    def is_kin(self, number: str) -> bool:
        """Say whether the mentions give ``number`` to a parent, spouse or child."""
        tokens = self.tokens
        parent, spouse, child = kin_tokens(number)
        return parent in tokens or spouse in tokens or child in tokens


def known_birth(core: Core) -> int | None:
    """Return the day of birth that is stated or in the number."""
    return date_in(core.number) if core.birth is None and core.number else core.birth


def known_month(core: Core) -> int:
    """Return the month of birth (yyyyMM), 0 when nothing tells it."""
    birth = known_birth(core)
    if birth is None or core.month:
        return core.month
    day = day_of(birth)
    return day.year * 100 + day.month


def known_sex(core: Core) -> str:
    """Return the sex that is stated or in the number."""
    if not core.sex and core.number:
        return "1" if int(core.number[16]) % 2 else "2"
    return core.sex


@lru_cache(_CACHE)
def kin_tokens(number: str) -> tuple[int, int, int]:
    """Return the tokens of a number that is a parent's, a spouse's, a child's."""
    return (
        token(Kind.PARENT_NUMBER, number),
        token(Kind.SPOUSE_NUMBER, number),
        token(Kind.CHILD_NUMBER, number),
    )
