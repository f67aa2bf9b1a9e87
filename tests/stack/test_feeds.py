"""The feeds against the tables that they are about, in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from connectors.errors import TransientError
from connectors.feeds import Catalog
from connectors.feeds.source_check import check_source
from connectors.simulate import schema
from connectors.stack import LocalStack
from streams.hub import on_this_machine

pytestmark = pytest.mark.stack

CATALOG = on_this_machine(Catalog.load())


@pytest.fixture(params=[department.name for department in CATALOG.departments])
def department(request: pytest.FixtureRequest, stack: LocalStack) -> Iterator[tuple[str, str]]:
    """A department and the address of a database of its own with its tables."""
    name: str = request.param
    database = f"feeds_{name}"
    address = stack.dsn("postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    dsn = urlsplit(address)._replace(path=f"/{database}").geturl()
    schema.create(dsn, name)
    yield name, dsn
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


def test_every_column_of_the_live_tables_is_named_or_excluded_with_its_type(
    department: tuple[str, str],
) -> None:
    name, dsn = department
    assert check_source(CATALOG.feeds_of(name), dsn) == []


def test_what_changed_in_a_live_table_is_told(department: tuple[str, str]) -> None:
    name, dsn = department
    feed = CATALOG.feeds_of(name)[0]
    dropped, retyped = [column for column in feed.columns if column not in feed.key][:2]
    with psycopg.connect(dsn, autocommit=True) as connection:
        table = feed.table
        connection.execute(f'ALTER TABLE {table} DROP COLUMN "{dropped}"'.encode())
        connection.execute(
            f'ALTER TABLE {table} DROP COLUMN "{retyped}", ADD COLUMN "{retyped}" float8'.encode()
        )
        connection.execute(f"ALTER TABLE {table} ADD COLUMN novel text".encode())
    found = {(difference.error, difference.text.split(",")[0]) for difference in check_source([feed], dsn)}
    assert found == {
        (True, f"column {dropped} is not in the table"),
        (True, f"column {retyped} is float8"),
        (False, "column novel is neither named nor excluded: it is not collected"),
    }


def test_a_database_that_is_away_is_told_without_its_address() -> None:
    with pytest.raises(TransientError) as caught:
        check_source(CATALOG.feeds, "postgresql://renkou:secret@127.0.0.1:1/police")
    assert "secret" not in str(caught.value)
