"""The weights by which pairs are scored: Fellegi and Sunter's log-likelihood ratios, read from a versioned
table.

A pair is weighed against two classes of non-matches: strangers, and members of one family (twins among them),
who share surname, household, address and telephone. `Weight` holds both ratios in 1/256 bit, so that sums are
exact and the same in every process and every order.

The table is a CSV with the columns ``element, level, same, stranger, family, note``. ``same``, ``stranger`` and
``family`` are the probabilities of seeing the level in a pair of the class; for names ``stranger`` is a factor
of the name's own probability, which depends on how frequent it is (`linkage.names`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from linkage.errors import WeightsError

UNIT: Final = 256
"""Parts of a bit that a score is counted in."""
APART: Final = -1000 * UNIT
"""The score of two that a constraint keeps apart whatever else is equal: two different valid numbers."""
TOGETHER: Final = 1000 * UNIT
"""The score of two that a steward's decision joins."""

TABLES: Final = Path(__file__).parent / "tables"
DEFAULT: Final = "weights.csv"
_COLUMNS: Final = ("element", "level", "same", "stranger", "family", "note")


class Weight(NamedTuple):
    """The evidence of one level against strangers and against family, in 1/256 bit."""

    stranger: int
    family: int


def bits(ratio: float) -> int:
    """Return a likelihood ratio in 1/256 bit."""
    return round(math.log2(ratio) * UNIT)


class Weights:
    """A table of weights. ``text`` is the CSV that it was read from."""

    def __init__(self, text: str, source: str) -> None:
        """Read the table. Raises WeightsError naming ``source`` and the line."""
        self.text = text
        self.rows = _read(text, source)
        self._source = source

    def __getitem__(self, name: str) -> Weight:
        """Return the weight of ``element.level``. Raises WeightsError when the table lacks it."""
        same, stranger, family = self.probabilities(name)
        return Weight(bits(same / stranger), bits(same / family))

    def probabilities(self, name: str) -> tuple[float, float, float]:
        """Return the probabilities of ``element.level``. Raises WeightsError when the table lacks it."""
        try:
            return self.rows[name]
        except KeyError:
            raise WeightsError(
                f"{self._source}: the weight {name} is missing; add its line, or go back to the table before"
            ) from None


def _read(text: str, source: str) -> Mapping[str, tuple[float, float, float]]:
    reader = csv.DictReader(StringIO(text))
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise WeightsError(f"{source}: line 1 must be {','.join(_COLUMNS)}; mend it")
    rows: dict[str, tuple[float, float, float]] = {}
    for row in reader:
        name = f"{row['element']}.{row['level']}"
        try:
            same, stranger, family = (float(row[column]) for column in ("same", "stranger", "family"))
        except (TypeError, ValueError):
            raise WeightsError(
                f"{source}: line {reader.line_num}: {name} needs three numbers; mend it"
            ) from None
        if not (same > 0 and stranger > 0 and family > 0):
            raise WeightsError(f"{source}: line {reader.line_num}: {name} needs numbers above 0; mend it")
        if name in rows:
            raise WeightsError(f"{source}: line {reader.line_num}: {name} stands twice; remove one")
        rows[name] = same, stranger, family
    return rows


def read_weights(path: Path) -> Weights:
    """Return the table in ``path``. Raises WeightsError."""
    try:
        return Weights(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}; name a table of weights that can be read") from error


@cache
def default_weights() -> Weights:
    """Return the table that comes with the program."""
    return read_weights(TABLES / DEFAULT)


@cache
def tables_digest() -> str:
    """Return a digest of the tables that come with the program: with others the same log links otherwise."""
    digest = blake2b(digest_size=8)
    for path in sorted(TABLES.glob("*.csv")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
