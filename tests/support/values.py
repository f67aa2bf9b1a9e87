"""Source rows and stored rows as comparable values.

The store's ``raw`` holds values as Debezium's JSON has them; a source row read by SQL holds Python values. Both are
turned into one form, so that instants are compared and not their spelling.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from psycopg import sql

from connectors import tls
from connectors.feeds import Feed

EPOCH_DAY = dt.date(1970, 1, 1)
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock without a zone

Row = dict[str, Any]
Table = dict[str, Row]


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def from_source(value: Any) -> Any:
    """Return a value that psycopg read, in the form of Debezium's JSON with exact numbers and instants."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return _plain(value)
        case dt.datetime() if value.tzinfo is not None:
            return (
                "instant",
                (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1),
            )
        case dt.datetime():
            return (value - EPOCH) // dt.timedelta(microseconds=1)
        case dt.date():
            return (value - EPOCH_DAY).days
        case uuid.UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [from_source(item) for item in value]
        case dict():
            return ("json", json.dumps(value, sort_keys=True, ensure_ascii=False))
    raise TypeError(f"a source value of type {type(value).__name__} has no comparable form")


def from_raw(stored: Any, source: Any) -> Any:
    """Return a value of ``raw`` in the form that ``from_source`` gives ``source``'s type."""
    match source:
        case Decimal() if isinstance(stored, str):
            return _plain(Decimal(stored))
        case dt.datetime() if source.tzinfo is not None and isinstance(stored, str):
            moment = dt.datetime.fromisoformat(stored)
            return (
                "instant",
                (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1),
            )
        case dict() if isinstance(stored, str):
            return ("json", json.dumps(json.loads(stored), sort_keys=True, ensure_ascii=False))
    return stored


def key_of(feed: Feed, row: Mapping[str, Any]) -> str:
    """Return the row's key as the store has it."""
    values = {column: from_source(row[column]) for column in feed.key}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def read_source(dsn: str, feed: Feed) -> Table:
    """Return every row of the feed's table, by key, with the columns that the feed names."""
    columns = list(dict.fromkeys([*feed.key, *feed.columns]))
    statement = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(feed.schema, feed.table)
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(statement).fetchall()
        coarse = {
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
                " AND data_type = 'timestamp without time zone' AND datetime_precision <= 3",
                (feed.schema, feed.table),
            )
        }
    result = {}
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        for column in coarse & row.keys():
            if row[column] is not None:  # Debezium's own unit for them, its "adaptive" one
                row[column] = (row[column] - EPOCH) // dt.timedelta(milliseconds=1)
        result[key_of(feed, row)] = row
    return result


def query(clickhouse: str, statement: str, timeout: float = 30.0) -> list[Row]:
    """Return the rows of a query through the store's loopback interface."""
    answer = httpx.post(
        clickhouse,
        params={"default_format": "JSON", "output_format_json_quote_64bit_integers": "0"},
        content=statement.encode(),
        timeout=timeout,
        verify=tls.trusted(),
    )
    if answer.is_error:  # with what the store says: rows of tests are invented
        raise httpx.HTTPStatusError(answer.text[:500], request=answer.request, response=answer)
    rows: list[Row] = answer.json()["data"]
    return rows


def read_store(clickhouse: str, feed: Feed) -> Table:
    """Return ``raw`` of every live row of the feed, by key."""
    rows = query(clickhouse, f"SELECT key, raw FROM {feed.store_table}")
    result = {row["key"]: json.loads(row["raw"]) for row in rows}
    assert len(result) == len(rows), f"{feed.id}: the view shows a key twice"
    return result


def differences(feed: Feed, source: Table, stored: Table, limit: int = 20) -> list[str]:
    """Return sentences about rows that differ, at most ``limit``; empty when the two are equal by value."""
    found = [f"{feed.id} {key}: missing in the store" for key in source.keys() - stored.keys()]
    found += [f"{feed.id} {key}: in the store, not in the source" for key in stored.keys() - source.keys()]
    for key in source.keys() & stored.keys():
        for column, value in source[key].items():
            if column not in stored[key]:
                found.append(f"{feed.id} {key}: raw has no {column}")
            elif from_raw(stored[key][column], value) != from_source(value):
                found.append(
                    f"{feed.id} {key}: {column} is {stored[key][column]!r}, the source has {value!r}"
                )
    return found[:limit]


def compare(sources: Mapping[str, str], clickhouse: str, feeds: Sequence[Feed]) -> list[str]:
    """Return how sources and store differ by value."""
    found: list[str] = []
    for feed in feeds:
        found += differences(feed, read_source(sources[feed.department], feed), read_store(clickhouse, feed))
    return found


def inconsistencies(clickhouse: str) -> list[str]:
    """Return what must never hold between the store's own tables, as sentences."""
    checks = {
        "live mentions without an identity": (
            "SELECT count() AS n FROM mentions LEFT ANTI JOIN identities USING (department, table, key, role, ordinal)"
        ),
        "identities without a live mention": (
            "SELECT count() AS n FROM identities LEFT ANTI JOIN mentions USING (department, table, key, role, ordinal)"
        ),
        "identities of a person who is not active": (
            "SELECT count() AS n FROM identities LEFT ANTI JOIN "
            "(SELECT person_id FROM persons WHERE state = 'active') AS p USING (person_id)"
        ),
        "active persons whose number of mentions is wrong": (
            "SELECT count() AS n FROM (SELECT person_id, mention_count FROM persons WHERE state = 'active') AS p "
            "LEFT JOIN (SELECT person_id, count() AS c FROM identities GROUP BY person_id) AS i USING (person_id) "
            "WHERE p.mention_count != i.c"
        ),
    }
    return [
        f"{count} {what}"
        for what, statement in checks.items()
        if (count := query(clickhouse, statement)[0]["n"])
    ]
