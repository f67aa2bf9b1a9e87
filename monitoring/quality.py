"""The four measures that the standard's thresholds are about (`avro.quality`), as the store has them now.

* ``missing_key_fields``: mentions without a key element, of those whose feed gives it, by feed, role and element. What
  a row gives for certain values of another column only does not count.
* ``id_checks``: resident ID numbers that passed, of those that were given, by feed and role. What was refused is a
  finding of severity error beside a null; a region that no list knows is a note, and passed.
* ``duplicates``: files of one kind (`Mention.ties`: a source's own numbers of a person's file) beyond the first that
  one person has, of all files of the kind.
* ``timeliness``: how far behind what can be queried is, by department, in seconds.

A measure of nothing is not taken: a feed that is empty keeps and breaks no threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from avro.quality import thresholds
from connectors.clickhouse.access import Access, rows
from connectors.feeds import Feed

MISSING: Final = "missing_key_fields"
ID_CHECKS: Final = "id_checks"
DUPLICATES: Final = "duplicates"
TIMELINESS: Final = "timeliness"


class Measure(msgspec.Struct, frozen=True):
    """A measure of what ``what`` names (a feed with its role, a kind of file, a department), over ``of`` mentions or
    files (0: of a time). ``value`` and ``limit`` are shares of one, or seconds."""

    threshold: str
    what: str
    element: str
    of: int
    value: float
    limit: float
    is_kept: bool


def measure(access: Access, feeds: Sequence[Feed]) -> list[Measure]:
    """Return every measure, in the order of the thresholds. Raises QueryError, StoreError."""
    return [
        *_missing(access, feeds),
        *_id_checks(access),
        *_duplicates(access),
        *_timeliness(access),
    ]


def _judged(threshold: str, what: str, element: str, of: int, value: float) -> Measure:
    limit = thresholds()[threshold]
    return Measure(threshold, what, element, of, round(value, 6), limit.limit, limit.is_kept(value))


def _missing(access: Access, feeds: Sequence[Feed]) -> Iterator[Measure]:
    elements = thresholds()[MISSING].elements
    counts = ", ".join(f"countIf(isNull({element})) AS {element}" for element in elements)
    query = "SELECT department, table, role, ordinal, count() AS mentions, %s FROM mentions GROUP BY ALL"
    found = {
        (row["department"], row["table"], row["role"], int(row["ordinal"])): row
        for row in rows(access, query % counts)
    }
    for feed in feeds:
        for mention in feed.definition.mentions:
            row = found.get((feed.department, feed.type, mention.role, mention.ordinal))
            at_times = feed.given_at_times[mention.role, mention.ordinal]
            for element in elements:
                if row is not None and element in mention.elements and element not in at_times:
                    of = int(row["mentions"])
                    share = int(row[element]) / of
                    yield _judged(MISSING, f"{feed.id} {mention.role}", element, of, share)


def _id_checks(access: Access) -> Iterator[Measure]:
    """The numbers that passed are those that stand in a mention as a resident's."""
    passed = {
        (row["department"], row["table"], row["role"]): int(row["numbers"])
        for row in rows(
            access,
            "SELECT department, table, role, count() AS numbers FROM mentions "
            "WHERE id_type = '111' AND isNotNull(id_number) GROUP BY department, table, role",
        )
    }
    refused = {
        (row["department"], row["table"], row["role"]): int(row["numbers"])
        for row in rows(
            access,
            "SELECT department, table, role, uniqExact(key, ordinal) AS numbers FROM findings "
            "WHERE element = 'id_number' AND severity = 'error' AND startsWith(rule, 'id_') "
            "GROUP BY department, table, role",
        )
    }
    for place in sorted(passed.keys() | refused.keys()):
        department, table, role = place
        given = passed.get(place, 0) + refused.get(place, 0)
        share = passed.get(place, 0) / given
        yield _judged(ID_CHECKS, f"{department}.{table} {role}".rstrip(), "id_number", given, share)


def _duplicates(access: Access) -> Iterator[Measure]:
    found = rows(
        access,
        "SELECT kind, count() AS files, uniqExact(person) AS persons FROM (SELECT splitByChar('|', tie)[1] AS kind, "
        "tie, any(person_id) AS person FROM (SELECT department, table, key, role, ordinal, arrayJoin(ties) AS tie "
        "FROM mentions) AS said INNER JOIN identities USING (department, table, key, role, ordinal) "
        "GROUP BY tie) GROUP BY kind ORDER BY kind",
    )
    for row in found:
        files = int(row["files"])
        share = (files - int(row["persons"])) / files
        yield _judged(DUPLICATES, row["kind"], "", files, share)


def _timeliness(access: Access) -> Iterator[Measure]:
    found = rows(
        access,
        "SELECT department, max(lag_seconds) AS lag FROM frontiers "
        "WHERE stage = 'queryable' AND isNotNull(lag_seconds) GROUP BY department ORDER BY department",
    )
    for row in found:
        yield _judged(TIMELINESS, row["department"], "", 0, float(row["lag"]))
