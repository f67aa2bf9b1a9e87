"""The thresholds that quality is measured against, as data: ``codes/threshold.csv``. What they measure is counted
elsewhere; this is the one place that says what is good enough."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import msgspec

from avro.codes import rows
from avro.errors import SchemaError


class Comparison(StrEnum):
    """On which side of its limit a measure should be; the limit itself is good."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"


class Unit(StrEnum):
    """``share``: of one, between 0 and 1."""

    SHARE = "share"
    SECONDS = "seconds"


class Threshold(msgspec.Struct, frozen=True):
    """What a measure should be. ``elements`` are those that it is measured for, empty where it is for the whole."""

    code: str
    comparison: Comparison
    limit: float
    unit: Unit
    elements: tuple[str, ...]
    zh: str
    en: str
    standard: str

    def is_kept(self, measured: float) -> bool:
        """Return whether a measured value is good enough."""
        return measured <= self.limit if self.comparison is Comparison.AT_MOST else measured >= self.limit


@cache
def thresholds() -> dict[str, Threshold]:
    """Return all thresholds, code → threshold. Raises SchemaError naming the row that is wrong."""
    found: dict[str, Threshold] = {}
    for row in rows("threshold"):
        try:
            threshold = Threshold(
                code=row["code"],
                comparison=Comparison(row["comparison"]),
                limit=float(row["limit"]),
                unit=Unit(row["unit"]),
                elements=tuple(filter(None, row["elements"].split("|"))),
                zh=row["zh"],
                en=row["en"],
                standard=row["standard"],
            )
        except ValueError as error:
            raise SchemaError(f"threshold {row['code']}: {error}; mend codes/threshold.csv") from None
        found[threshold.code] = threshold
    return found
