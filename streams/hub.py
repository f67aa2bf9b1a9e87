"""The hub on one machine: what makes the stack's servers ready for it, and its own processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx
import psycopg
import pymysql
from psycopg import sql

from connectors import debezium, mariadb, tls, topics
from connectors.captured import Capture, CapturedTable, Source, SourceKind, account
from connectors.errors import FeedError, TransientError
from connectors.feeds import Catalog, Feed
from connectors.feeds.definition import DATABASE_KINDS
from connectors.simulate import schema as simulated
from connectors.simulate.tables import FILES, TABLES
from connectors.stack import GIVES_WAY, HUB, PUSH, LocalStack, ProcessSpec, lacks
from connectors.stack import connect as connect_process
from streams.errors import SettingError
from streams.schemas import captured_departments, department_names
from streams.settings import RUNNING

DEPARTMENTS: Final = ("police", "health", "hrss")
"""The departments that this machine plays unless told otherwise: each is a database and a connector of its own, and
there are two cores."""

ALL: Final = "all"

HEALTH_SECONDS: Final = 3.0

Say = Callable[[str], None]


def departments_of(text: str) -> tuple[str, ...]:
    """Return the departments that a setting names: ``all``, or names separated by commas. Raises SettingError."""
    captured = dict.fromkeys(table.department for table in TABLES)
    known = tuple(captured | dict.fromkeys(table.department for table in FILES))
    names = known if text == ALL else tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    unknown = [name for name in names if name not in known]
    if unknown or captured.keys().isdisjoint(names):
        reason = f"there is no department {unknown[0]!r}" if unknown else "none with a database is named"
        raise SettingError(f"--departments: {reason}; give {ALL}, or some of {','.join(known)}")
    return names


def plays_files(departments: Sequence[str], asked: bool | None) -> bool:
    """Say whether the departments' files are delivered: as was asked, else where one of them has nothing but files."""
    if asked is not None:
        return asked
    return not {table.department for table in TABLES}.issuperset(departments)


def on_this_machine(catalog: Catalog, departments: Sequence[str] = DEPARTMENTS) -> Catalog:
    """Return the catalogue of the feeds whose tables the databases of this machine have: those of ``departments``, in
    servers that it has."""
    here = {(table.department, table.name) for table in TABLES if table.department in departments}
    return catalog.only(
        lambda feed: feed.is_captured and (feed.department, feed.table) in here and not lacks(feed.kind)
    )


def captured_tables(catalog: Catalog, department: str) -> tuple[CapturedTable, ...]:
    """Return the tables of a department's captured feeds as its connector reads them."""
    return tuple(
        _captured(feed) for feed in catalog.feeds if feed.department == department and feed.is_captured
    )


def _captured(feed: Feed) -> CapturedTable:
    return CapturedTable(feed.schema, feed.table, tuple(feed.columns), tuple(feed.key))


def prepare(
    stack: LocalStack,
    catalog: Catalog,
    capture: Capture = Capture.JSON,
    say: Say = lambda _: None,
    departments: Sequence[str] = DEPARTMENTS,
) -> None:
    """Create databases, tables, topics and connectors of ``departments`` where they are missing.

    Raises ConnectorError. Blocks.
    """
    here = on_this_machine(catalog, departments)
    say("databases")
    ensure_databases(stack, here)
    create_tables(stack, here)
    say("topics")
    create_topics(stack, catalog)
    say("connectors")
    capture_departments(stack, here, captured_departments(here), capture)


def missing_departments(catalog: Catalog, departments: Sequence[str]) -> list[str]:
    """Return, for each of ``departments`` whose database server is not on this machine, why and what to do."""
    return [
        f"without {name}: {reason}"
        for name in captured_departments(catalog)
        if name in departments and (reason := lacks(database_kind(catalog, name)))
    ]


def database_kind(catalog: Catalog, department: str) -> SourceKind:
    """Return the kind of a department's database. Raises FeedError when it has none."""
    given = catalog.department(department).kind
    for kind in DATABASE_KINDS:
        if kind == given:
            return kind
    raise FeedError(f"department {department} has no database: its source is of kind {given}")


def ensure_databases(stack: LocalStack, catalog: Catalog) -> None:
    """Create the departments' databases where they are missing. Raises StackError."""
    departments = captured_departments(catalog)
    for kind in DATABASE_KINDS:
        stack.ensure_databases([name for name in departments if database_kind(catalog, name) == kind], kind)


def create_topics(stack: LocalStack, catalog: Catalog) -> None:
    """Create the hub's topics and those of every feed. Raises ConnectorError."""
    wanted = [*topics.hub_topics(), *delivered_topics(catalog)]
    databases = captured_departments(catalog)
    for department in department_names(catalog):
        tables = captured_tables(catalog, department)
        kind = database_kind(catalog, department) if department in databases else "postgresql"
        wanted += topics.capture_topics(department, tables, kind)
    topics.ensure_topics(stack.endpoints().kafka, wanted, replication=1)


def delivered_topics(catalog: Catalog) -> tuple[topics.TopicSpec, ...]:
    """Return the topics of the feeds that no connector captures."""
    return topics.delivered_topics(feed.topic for feed in catalog.feeds if not feed.is_captured)


def capture_departments(
    stack: LocalStack, catalog: Catalog, departments: Sequence[str], capture: Capture = Capture.JSON
) -> None:
    """Set the departments' databases up and register their connectors; returns when these run.

    Raises ConnectorError.
    """
    endpoints = stack.endpoints()
    for department in departments:
        _administer(stack, catalog, department)
    connectors = [
        debezium.connector(
            _source(stack, department, database_kind(catalog, department)),
            captured_tables(catalog, department),
            capture=capture,
            kafka=endpoints.kafka,
            registry=endpoints.registry,
        )
        for department in departments
    ]
    debezium.apply(endpoints.connect, connectors)
    debezium.wait_running(endpoints.connect, [connector.name for connector in connectors])


def create_tables(stack: LocalStack, catalog: Catalog) -> None:
    """Create the departments' tables where they are missing. Raises ConnectorError."""
    for department in captured_departments(catalog):
        simulated.create(stack.dsn(department), department)


def count_rows(stack: LocalStack, catalog: Catalog) -> dict[str, int]:
    """Return the rows of each captured feed's table in its source. Raises psycopg.Error, pymysql.MySQLError."""
    counts: dict[str, int] = {}
    for feed in catalog.feeds:
        if not feed.is_captured:
            continue
        if feed.kind == "mariadb":
            counts[feed.id] = _count_mariadb(stack.dsn(feed.department), feed)
            continue
        with psycopg.connect(stack.dsn(feed.department), autocommit=True) as connection:
            statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(feed.schema, feed.table))
            counts[feed.id] = connection.execute(statement).fetchall()[0][0]
    return counts


def _count_mariadb(dsn: str, feed: Feed) -> int:
    connection = mariadb.connect(dsn, f"the database of {feed.department}")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM `{feed.table}`")  # noqa: S608 (a table of our own)
            (row,) = cursor.fetchall()
            return int(row[0])
    finally:
        connection.close()


def _administer(stack: LocalStack, catalog: Catalog, department: str) -> None:
    """Be the source's administrator: run what ``renkou connect sql`` prints, and set the role's password."""
    tables = captured_tables(catalog, department)
    kind = database_kind(catalog, department)
    script = debezium.source_sql(department, tables, kind=kind)
    if kind == "mariadb":
        login = f"'{account(department, kind)}'@'%'"
        # Passwords of the stack are made of characters that need no quoting.
        script += f"SET PASSWORD FOR {login} = PASSWORD('{stack.capture_password}');\n"
        try:
            mariadb.run_script(stack.dsn(department), script, f"the database of {department}")
        except pymysql.MySQLError as error:
            raise TransientError(
                f"the database of {department} refuses its set-up (MariaDB error {error.args[0]}); "
                "see DIR/logs/mariadb.log"
            ) from None
        return
    try:
        with psycopg.connect(stack.dsn(department), autocommit=True) as connection:
            connection.execute(script.encode())
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(debezium.ROLE), stack.capture_password
                )
            )
    except psycopg.OperationalError as error:
        raise TransientError(
            f"the database of {department} does not answer; see DIR/logs/postgresql.log"
        ) from error


def _source(stack: LocalStack, department: str, kind: SourceKind) -> Source:
    reference = f"${{file:{connect_process.secrets_file(stack.data)}:password}}"
    user = account(department, kind)
    return Source(department, "127.0.0.1", stack.ports[kind], department, user, reference, kind)


def hub_specs(data: Path, ports: Mapping[str, int], *, push: bool = False) -> list[ProcessSpec]:
    """Return the hub's processes, with ``push`` also the one that takes pushed changes.

    They are healthy when ready: partitions assigned, store and broker reachable.
    """
    return [
        ProcessSpec(
            name=stage,
            argv=(
                sys.executable,
                "-m",
                "streams.cli",
                "run",
                stage,
                "--data",
                str(data),
                "--port",
                str(ports[stage]),
            ),
            health=_ready(ports[stage]),
            env={"PYTHONUNBUFFERED": "1", "RENKOU_SOURCES": RUNNING},
            depends_on=("kafka", "registry"),  # and ended before them, so that their last commit is taken
            niceness=0 if stage == "store" else GIVES_WAY,
        )
        for stage in (*HUB, *((PUSH,) if push else ()))
    ]


def _ready(port: int) -> Callable[[], bool]:
    def ready() -> bool:
        address = f"http://127.0.0.1:{port}/readyz"
        return httpx.get(address, timeout=HEALTH_SECONDS, verify=tls.trusted()).is_success

    return ready


__all__ = [
    "capture_departments",
    "captured_tables",
    "count_rows",
    "create_tables",
    "create_topics",
    "database_kind",
    "delivered_topics",
    "departments_of",
    "ensure_databases",
    "hub_specs",
    "missing_departments",
    "on_this_machine",
    "plays_files",
    "prepare",
]
