"""Rows read from real databases have the values that real Debezium gives them: the envelope suite says which."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
import pytest

from avro.change import Change
from connectors import mariadb
from connectors.captured import SourceKind
from connectors.feeds.feed import Normalized
from connectors.stack import LocalStack
from monitoring.reconcile.source import SourceTable
from streams.verify import OPENERS
from tests.envelope import kitchen, suite

pytestmark = pytest.mark.stack

DATABASE = "verified"
NOT_COMPARED = {
    "postgresql": {
        "floats that are no numbers", "money", "a date before Christ", "a time of day with zone",
        "a timestamp with zone before Christ", "an interval",
        "a point", "bits",
    },
    "mariadb": {
        "zero dates in columns that may be null",
        "a zero date in a column that may not be null is its default",
    },
}  # fmt: skip
"""Cases with values that Debezium gives a form of its own, or none that is faithful."""

ELSEWHERE = {"hstore", "xml", "a date before 1970"}
"""Cases that are not for here: what the wheel's server lacks, and a value that a unit test has."""


@dataclass(frozen=True)
class Whole:
    """A feed that takes its columns as they are."""

    schema: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("id",)
    id: str = "some.feed"
    department: str = "some"
    topic: str = "cdc.some.public.table"

    def normalize(self, change: Change) -> Normalized:
        return Normalized(None, msgspec.json.encode(change.after).decode(), {})  # type: ignore[arg-type]


def cases(kind: SourceKind) -> list[suite.Case]:
    """Return the suite's cases that are one INSERT."""
    every = suite.POSTGRESQL_CASES if kind == "postgresql" else suite.MARIADB_CASES
    return [
        case
        for case in every
        if case.name not in ELSEWHERE
        and case.sql and len(case.sql) == 1 and len(case.expected) == 1 and case.expected[0].op == "c"
        and case.expected[0].after and case.sql[0].startswith("INSERT") and case.table != "toast"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_rows_are_read_as_debezium_gives_them(stack: LocalStack, kind: SourceKind) -> None:
    if kind == "mariadb" and shutil.which("mariadbd") is None:
        pytest.skip("there is no MariaDB here: install mariadb-server")
    stack.ensure_databases([DATABASE], kind)
    dsn = stack.dsn(DATABASE, kind)
    # The wheel's server lacks the extension.
    tables = kitchen.TABLES[kind].replace("CREATE EXTENSION IF NOT EXISTS hstore;", "")
    for part in (", tags hstore", ", ALTER tags SET STORAGE EXTERNAL"):
        tables = tables.replace(part, "")
    run(kind, dsn, tables)
    schema = "public" if kind == "postgresql" else DATABASE
    not_compared = set()
    for number, case in enumerate(cases(kind), start=1):
        after: Mapping[str, Any] = case.expected[0].after or {}
        run(kind, dsn, f"{case.session or 'SELECT 1'}; {case.sql[0].replace('{id}', str(number))}")
        feed = Whole(schema, case.table, tuple(after))
        table: SourceTable = OPENERS[kind](dsn, feed)  # type: ignore[arg-type]
        try:
            key = f'{{"id":{number}}}'
            row = table.by_keys([key, '{"id":-1}'])[key]
            assert table.chunk(None, 1000).rows[key] == row
            if row.normalized is None:
                assert row.unfit == "incomparable"
                not_compared.add(case.name)
                continue
            read = msgspec.json.decode(row.normalized.raw or "")
            for column, value in after.items():
                got = read[column]
                if column in table.instants and value is not None:
                    got, value = got.rstrip("Z").rstrip("0"), value.rstrip("Z").rstrip("0")
                assert got == value, f"{case.name}: {column}"
        finally:
            table.close()
    assert not_compared == NOT_COMPARED[kind], not_compared ^ NOT_COMPARED[kind]


def run(kind: SourceKind, dsn: str, script: str) -> None:
    if kind == "mariadb":
        mariadb.run_script(dsn, script)
        return
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.encode())


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_keys_of_two_columns_are_read_in_chunks_and_named_in_conditions(
    stack: LocalStack, kind: SourceKind
) -> None:
    if kind == "mariadb" and shutil.which("mariadbd") is None:
        pytest.skip("there is no MariaDB here: install mariadb-server")
    name = f"{DATABASE}_keys"
    stack.ensure_databases([name], kind)
    dsn = stack.dsn(name, kind)
    quote = '"' if kind == "postgresql" else "`"
    run(kind, dsn, f"CREATE TABLE t (a varchar(20), {quote}b{quote} int, n int, PRIMARY KEY (a, b))")
    rows = [(a, b) for a in ("甲'", 'x"\\', "y%") for b in range(5)]
    for a, b in rows:
        text = a.replace("\\", "\\\\") if kind == "mariadb" else a
        run(kind, dsn, "INSERT INTO t VALUES ('" + text.replace("'", "''") + f"', {b}, {b})")
    feed = Whole("public" if kind == "postgresql" else name, "t", ("a", "b", "n"), ("a", "b"))
    table: SourceTable = OPENERS[kind](dsn, feed)  # type: ignore[arg-type]
    try:
        found: list[str] = []
        after = None
        while True:
            chunk = table.chunk(after, 4)
            found += chunk.rows
            after = chunk.last
            if after is None:
                break
        assert sorted(found) == sorted(msgspec.json.encode({"a": a, "b": b}).decode() for a, b in rows), (
            "every row once"
        )
        wanted = [found[0], found[7], '{"a":"nowhere","b":1}', '{"other":1}']
        assert table.by_keys(wanted).keys() == set(wanted[:2])
        condition = table.condition(wanted[:2])
        assert count(kind, dsn, condition) == 2
        assert abs(table.now() / 1e6 - time.time()) < 60
    finally:
        table.close()


def count(kind: SourceKind, dsn: str, condition: str) -> int:
    statement = f"SELECT count(*) FROM t WHERE {condition}"
    if kind == "mariadb":
        connection = mariadb.connect(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return int(cursor.fetchall()[0][0])
    with psycopg.connect(dsn) as session:
        return int(session.execute(statement.encode()).fetchall()[0][0])


def test_a_session_can_only_read(stack: LocalStack) -> None:
    stack.ensure_databases([f"{DATABASE}_read"])
    dsn = stack.dsn(f"{DATABASE}_read")
    run("postgresql", dsn, "CREATE TABLE t (id int PRIMARY KEY)")
    table = OPENERS["postgresql"](dsn, Whole("public", "t", ("id",)))  # type: ignore[arg-type]
    try:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            table._connection.execute("INSERT INTO t VALUES (1)")  # type: ignore[attr-defined]
    finally:
        table.close()
