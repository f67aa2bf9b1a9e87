"""Rows of a source, read as they are and put into the form that Debezium gives them.

Reading is all that happens here: read-only transactions of one statement each, by the primary key's index, with a
time limit, and by a role that needs no more than the capture's own rights (``renkou connect sql``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from avro.change import Change, Op, Place
from connectors.errors import FeedMismatchError
from connectors.feeds.feed import Feed, Normalized

STATEMENT_SECONDS: Final = 60
"""What one read may take in the source before it is given up: a guest does not hold a snapshot for long."""

APPLICATION: Final = "renkou verify"
"""How the source's administrator finds these sessions."""

INCOMPARABLE: Final = object()
"""Stands for a value that Debezium cannot write faithfully (an infinite date, a zero date): its row is not compared."""


class SourceRow(NamedTuple):
    """A row as its feed's record says it. ``unfit`` is the rule of the dead letter that the row would become, and then
    there is no ``normalized``."""

    normalized: Normalized | None
    unfit: str = ""


class Chunk(NamedTuple):
    """A key range of one snapshot: rows by the store's key, and the last row's key columns, None at the end."""

    rows: Mapping[str, SourceRow]
    last: tuple[Any, ...] | None


class SourceTable(Protocol):
    """A feed's table in its source. Calls block and raise TransientError when the source does not answer.

    ``instants`` names the columns whose text is a moment with a zone.
    """

    instants: frozenset[str]

    def chunk(self, after: tuple[Any, ...] | None, size: int) -> Chunk:
        """Return the next ``size`` rows behind the key ``after``, in the primary key's order."""
        ...

    def by_keys(self, keys: Sequence[str]) -> dict[str, SourceRow]:
        """Return the rows that are there of these keys; keys are texts as the store has them."""
        ...

    def condition(self, keys: Sequence[str]) -> str:
        """Return the SQL condition that these rows, and no others, meet."""
        ...

    def now(self) -> int:
        """Return the source's clock, microseconds since 1970: what was read before was committed before."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


def normalized(feed: Feed, key: str, row: dict[str, Any]) -> SourceRow:
    """Return what the normalizer makes of a row in Debezium's form: the hub's own code, as of a snapshot."""
    change = Change(
        place=Place(feed.topic, 0, 0),
        department=feed.department,
        schema=feed.schema,
        table=feed.table,
        op=Op.READ,
        key=key,
        version=0,
        source_time=0,
        captured_time=0,
        after=row,
    )
    try:
        return SourceRow(feed.normalize(change))
    except FeedMismatchError as error:
        return SourceRow(None, error.rule)
