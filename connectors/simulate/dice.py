"""The random generator of the simulator: Python's, with draws that are cheaper than its exact ones.

Making a person takes about a hundred draws, which is most of the time that filling the province takes.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: lists of Chinese words are easier to read that way."""
    return tuple(text.split())


class Dice(Random):
    """A seeded generator. The bias of its bounded draws is below 2**-30: nothing here comes near noticing it.

    ``noise`` multiplies how often a department errs: 1 in an ordinary province.
    """

    noise = 1.0

    def chance(self, share: float) -> bool:
        """Return true in a share of the cases."""
        return self.random() < share

    def errs(self, share: float) -> bool:
        """Return true where a clerk errs who does so in a share of the cases, in an ordinary province."""
        return self.random() < share * self.noise

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        return int(self.random() * limit)

    def between(self, first: int, limit: int) -> int:
        """Return a number from ``first`` to ``limit`` - 1."""
        return first + int(self.random() * (limit - first))

    def one(self, values: Sequence[T]) -> T:
        """Return one of the values, each as likely as the others."""
        return values[int(self.random() * len(values))]


class Weighted(Generic[T]):
    """Values with weights."""

    __slots__ = ("_cumulative", "_total", "values")

    def __init__(self, values: Sequence[T], weights: Sequence[float]) -> None:
        if len(values) != len(weights):
            raise ValueError(f"{len(values)} values have {len(weights)} weights")
        self.values = tuple(values)
        self._cumulative = list(accumulate(weights))
        self._total = float(self._cumulative[-1])

    def draw(self, dice: Dice) -> T:
        """Return one of the values, as often as its weight says."""
        return self.values[bisect(self._cumulative, dice.random() * self._total)]
