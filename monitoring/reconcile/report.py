"""What a verification found."""

from __future__ import annotations

import msgspec

from monitoring.reconcile.difference import Difference, Kind


class FeedReport(msgspec.Struct):
    """One feed, source against store.

    ``source_rows`` and ``stored_rows`` were compared. ``differences`` were confirmed: found twice in a row while the
    source's row stayed as it was and the store had come past it. ``undecided`` rows changed too often to be sure of,
    or the store did not come so far in time; ``unfit`` ones cannot become records (they are dead letters) or have a
    value that cannot be compared; ``unchecked`` are suspects beyond the limit. ``repaired`` rows differed and do not
    any more. Times are microseconds since 1970; ``position`` is the source time that the comparison is about.
    ``error`` says why the feed could not be compared to its end.
    """

    feed: str
    verification: str = ""
    started: int = 0
    finished: int = 0
    position: int = 0
    source_rows: int = 0
    stored_rows: int = 0
    suspects: int = 0
    differences: list[Difference] = []
    undecided: int = 0
    unfit: int = 0
    unchecked: int = 0
    repaired: int = 0
    error: str = ""

    def count(self, kind: Kind) -> int:
        """Return the confirmed differences of a kind."""
        return sum(difference.kind is kind for difference in self.differences)

    @property
    def is_clean(self) -> bool:
        """Whether source and store are known to be equal."""
        return not (self.differences or self.undecided or self.unchecked or self.error)
