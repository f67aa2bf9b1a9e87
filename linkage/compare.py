"""The score of two nodes: the evidence, element by element, that they are one person.

Two sums are made, against a stranger and against a relative, and the smaller one counts. Scores are symmetric,
exact integers in 1/256 bit, and a function of the two nodes and of what is hot (`linkage.graph`). 0 is where
one person and two are equally likely.

One function makes the engine's score and, when it is asked to tell, the list that explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final, NamedTuple

from linkage.births import BirthLevel, compare_days, day_of
from linkage.features import KIND_MASK, PLACES, Kind
from linkage.id_number import distance
from linkage.names import NameComparer, NameLevel
from linkage.node import Node
from linkage.weights import APART, Weight, Weights

_REGION_AND_BIRTH: Final = 14
_BIRTH: Final = slice(6, 14)
_ONE_NUMBER: Final = ("equal", "earlier", "one_error", "doubtful_equal")
_TWO_NUMBERS: Final = ("near", "same_region", "different")
_NEAR_NUMBERS: Final = 2
"""Characters in which two valid numbers may differ to be one, mistyped: the check character and another."""

# A member of an enumeration costs a look-up each time.
_DOCUMENT: Final = int(Kind.DOCUMENT)
_NAME_AND_BIRTH: Final = int(Kind.NAME_AND_BIRTH)
_OWN: Final = 1 << Kind.TIE | 1 << Kind.DOCUMENT
_PLACES: Final = tuple(map(int, PLACES))
_NARROWER: Final = {int(Kind.STREET): int(Kind.BUILDING), int(Kind.TOWN): int(Kind.STREET)}
_PLACE_MASK: Final = sum([1 << kind for kind in _PLACES])

Tell = Callable[["Item"], None]


class Item(NamedTuple):
    """One element's part of a score: its level, and the evidence against a stranger and a relative, 1/256 bit."""

    element: str
    level: str
    stranger: int
    family: int


def is_comparable(one: Iterable[int], other: Iterable[int], kind: int) -> bool:
    """Say whether sharing a street, or a town, and no more tells something: one of the two says nothing narrower.

    Of others who share their town alone, streets differ, which says as much for two persons as for one who moved.
    """
    narrower = _NARROWER.get(kind)
    if narrower is None:
        return True
    return not (
        any(sign & KIND_MASK == narrower for sign in one)
        and any(sign & KIND_MASK == narrower for sign in other)
    )


class Scorer:
    """Scores pairs by one table of weights. ``hot`` are the tokens that prove nothing, because too many have
    them."""

    def __init__(self, weights: Weights, hot: Container[int]) -> None:
        """Raises WeightsError when the table lacks a weight."""
        self.weights = weights
        self.link = weights["threshold.link"].stranger
        self.review = weights["threshold.review"].stranger
        self.apart = weights["threshold.apart"].stranger
        self.names = NameComparer(weights)
        self._hot = hot
        self._prior = weights["prior.pair"]
        self._births = {
            level: weights[f"birth.{level}"] for level in BirthLevel if level != BirthLevel.UNKNOWN
        }
        self._sex = weights["sex.equal"], weights["sex.different"]
        self._order = weights["order.equal"], weights["order.different"]
        self._number = weights["number.equal"]
        self._doubtful = weights["number.doubtful_equal"], weights["number.doubtful_different"]
        self._earlier = weights["number.earlier"]
        self._one_error = weights["number.one_error"]
        self._near = weights["number.near"]
        self._same_region = weights["number.same_region"]
        self._different = weights["number.different"]
        self._of_kin = weights["number.of_kin"]
        self._certificate = weights["certificate.different"]
        self._tokens = [weights[f"{kind.name.lower()}.equal"] for kind in Kind if kind < Kind.NAME_AND_BIRTH]
        self._most = weights["context.most"]
        self._alone = weights["context.alone"]

    def score(self, one: Node, other: Node, tell: Tell | None = None) -> int:
        """Return the score. ``tell`` is called with each item that it is made of."""
        stranger, family = self._prior
        if tell is not None:
            tell(Item("prior", "pair", stranger, family))
        left, right = one.core, other.core
        number, doubtful = left.number, right.number
        same_number = False
        level: str
        weight: Weight | None
        if number and doubtful:
            if number == doubtful:
                level, weight = "equal", self._number
            elif number in right.earlier or doubtful in left.earlier:
                level, weight = "earlier", self._earlier
            elif one.tied_to(other):
                level, weight = "", None
            elif number[_BIRTH] != doubtful[_BIRTH] and one.birth != other.birth:
                if tell is not None:
                    tell(Item("number", "different", APART, APART))
                return APART
            elif distance(number, doubtful) <= _NEAR_NUMBERS:
                level, weight = "near", self._near
            elif number[:_REGION_AND_BIRTH] == doubtful[:_REGION_AND_BIRTH]:
                level, weight = "same_region", self._same_region
            elif left.birth is not None and left.birth == right.birth:
                level, weight = "different", self._different
            else:
                if tell is not None:
                    tell(Item("number", "different", APART, APART))
                return APART
        else:
            level, weight = self._other_numbers(one, other)
        weight_of_number = weight
        if weight is not None:
            same_number = level in _ONE_NUMBER
            stranger += weight[0]
            family += weight[1]
            if tell is not None:
                tell(Item("number", level, *weight))
        if left.names and right.names:
            name = self.names(left.names, right.names)
            stranger += name[1]
            family += name[2]
            if tell is not None:
                tell(Item("name", *name))
        else:
            name = None
        birth = self._birth(one, other, same_number)
        if birth is not BirthLevel.UNKNOWN:
            weight = self._births[birth]
            stranger += weight[0]
            family += weight[1]
            if tell is not None:
                tell(Item("birth", birth, *weight))
        if one.sex and other.sex and not (same_number and not (left.sex and right.sex)):
            weight = self._sex[one.sex != other.sex]
            stranger += weight[0]
            family += weight[1]
            if tell is not None:
                tell(Item("sex", "equal" if one.sex == other.sex else "different", *weight))
        if left.order and right.order:
            weight = self._order[left.order != right.order]
            stranger += weight[0]
            family += weight[1]
            if tell is not None:
                tell(Item("order", "equal" if left.order == right.order else "different", *weight))
        if left.certificate and right.certificate and left.certificate != right.certificate:
            weight = self._certificate
            stranger += weight[0]
            family += weight[1]
            if tell is not None:
                tell(Item("certificate", "different", *weight))
        own = weight_of_number is not None or name is not None or birth is not BirthLevel.UNKNOWN
        if one.tokens and other.tokens:
            more, most, sure = self._context(one, other, tell)
            stranger += more
            family += most
            own = own or sure
        if not own:
            stranger += self._alone[0]
            family += self._alone[1]
            if tell is not None:
                tell(Item("context", "alone", *self._alone))
        if level in _TWO_NUMBERS and (name is None or name[0] != NameLevel.EQUAL):
            # Only one who is called the same and born the same day can be one person with two numbers.
            if tell is not None:
                tell(Item("number", "different", APART, APART))
            return APART
        return stranger if stranger < family else family

    def _other_numbers(self, one: Node, other: Node) -> tuple[str, Weight | None]:
        """Return what two say of numbers of which not both are their own."""
        left, right = one.core, other.core
        if not (left.number or left.doubtful or left.invalid or left.earlier):
            return "", None
        if not (right.number or right.doubtful or right.invalid or right.earlier):
            return "", None
        mine = {left.number or left.doubtful, *left.earlier} - {""}
        others = {right.number or right.doubtful, *right.earlier} - {""}
        if (left.number and left.number in right.earlier) or (right.number and right.number in left.earlier):
            return "earlier", self._earlier
        if (left.number or left.doubtful) and (left.number or left.doubtful) == (
            right.number or right.doubtful
        ):
            return "doubtful_equal", self._doubtful[0]
        if mine & others:
            return "earlier", self._earlier
        if left.invalid and left.invalid == right.invalid:
            return "one_error", self._one_error
        if not (left.invalid and right.invalid) and set(one.numbers) & set(other.numbers):
            return "one_error", self._one_error
        number, doubtful = left.number or left.doubtful, right.number or right.doubtful
        if number and doubtful:
            if distance(number, doubtful) <= _NEAR_NUMBERS:
                return "one_error", self._one_error
            return "doubtful_different", self._doubtful[1]
        return "", None

    def birth_level(self, one: Node, other: Node) -> BirthLevel:
        """Return how the births of two compare."""
        return self._birth(one, other, one.core.number != "" and one.core.number == other.core.number)

    def _birth(self, one: Node, other: Node, same_number: bool) -> BirthLevel:
        left, right = one.birth, other.birth
        if left is not None and right is not None:
            stated = one.core.birth is not None, other.core.birth is not None
            level = compare_days(left, right)
            if level is BirthLevel.EQUAL:
                if same_number and not all(stated):
                    return BirthLevel.NUMBER_EQUAL if any(stated) else BirthLevel.UNKNOWN
                day = day_of(left)
                if day.month == 1 and day.day == 1:
                    return BirthLevel.DEFAULT_EQUAL
                return level
            if level is not BirthLevel.LUNAR and (left in other.core.lunar or right in one.core.lunar):
                return BirthLevel.LUNAR
            return level
        if one.month and other.month:
            return BirthLevel.MONTH_EQUAL if one.month == other.month else BirthLevel.MONTH_DIFFERENT
        return BirthLevel.UNKNOWN

    def _context(self, one: Node, other: Node, tell: Tell | None) -> tuple[int, int, bool]:
        """Return the evidence of shared tokens, and whether one of them is the person's own."""
        tokens, others = one.tokens, other.tokens
        if len(tokens) > len(others):
            tokens, others = others, tokens
        stranger = family = 0
        sure_stranger = sure_family = 0
        done = 0
        for sign in tokens:
            if sign not in others or sign in self._hot:
                continue
            kind = sign & KIND_MASK
            if kind >= _NAME_AND_BIRTH or done >> kind & 1:
                continue
            done |= 1 << kind
            if _PLACE_MASK >> kind & 1:
                continue
            weight = self._tokens[kind]
            if kind <= _DOCUMENT:
                sure_stranger += weight[0]
                sure_family += weight[1]
            else:
                stranger += weight[0]
                family += weight[1]
            if tell is not None:
                tell(Item(Kind(kind).name.lower(), "equal", *weight))
        if done & _PLACE_MASK:
            place = next(kind for kind in _PLACES if done >> kind & 1)
            if is_comparable(tokens, others, place):
                weight = self._tokens[place]
                stranger += weight[0]
                family += weight[1]
                if tell is not None:
                    tell(Item(Kind(place).name.lower(), "equal", *weight))
        if done:
            most = self._most
            over = min(0, most[0] - stranger), min(0, most[1] - family)
            stranger += over[0]
            family += over[1]
            if tell is not None and (over[0] or over[1]):
                tell(Item("context", "most", *over))
        number, another = one.core.number, other.core.number
        if number != another and ((number and other.is_kin(number)) or (another and one.is_kin(another))):
            sure_stranger += self._of_kin[0]
            sure_family += self._of_kin[1]
            if tell is not None:
                tell(Item("number", "of_kin", *self._of_kin))
        return stranger + sure_stranger, family + sure_family, done & _OWN != 0
