"""The writer against a ClickHouse server (here a test double of its HTTP interface), and against its faults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from avro.codec import RecordCodec
from connectors.clickhouse import engine
from connectors.clickhouse.access import open_access, rows
from connectors.clickhouse.readers import Readers
from connectors.clickhouse.store import Store, open_store
from connectors.clickhouse.writer import Writer
from connectors.errors import StoreError, StoreUnavailableError
from tests.support.clickhouse_double import Double
from tests.unit.clickhouse_source import Person, Source, everything, feed_table, shown, write_schema
from tests.unit.test_clickhouse_writer import (
    LI,
    test_a_role_that_is_absent_goes_away,
    test_dead_letter_keeps_its_bytes,
    test_deleted_row_keeps_no_values,
    test_equal_and_older_versions_change_nothing,
    test_frontiers_never_go_back,
    test_poison_is_found_and_named,
    test_row_has_the_records_values,
    test_row_of_the_marks_own_version_stays,
    test_truncation_takes_older_rows_whenever_they_come,
    test_unchanged_column_keeps_value_and_findings,
    test_value_that_was_never_seen_is_null_with_a_finding,
)

__all__ = [  # the same tests as against the embedded engine, with the fixture of this module
    "test_a_role_that_is_absent_goes_away",
    "test_dead_letter_keeps_its_bytes",
    "test_deleted_row_keeps_no_values",
    "test_equal_and_older_versions_change_nothing",
    "test_frontiers_never_go_back",
    "test_poison_is_found_and_named",
    "test_row_has_the_records_values",
    "test_row_of_the_marks_own_version_stays",
    "test_truncation_takes_older_rows_whenever_they_come",
    "test_unchanged_column_keeps_value_and_findings",
    "test_value_that_was_never_seen_is_null_with_a_finding",
]

CALL_SECONDS = 2
ATTEMPTS = 5


class ServerReaders:
    """The tests' way of reading, over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def query(self, query: str, *, default_format: str) -> Iterator[list[bytes]]:
        if " FORMAT " not in query:
            query += f" FORMAT {default_format}"
        answer = httpx.post(self._url, params={"database": "renkou"}, content=query.encode(), timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        yield [answer.content]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    double = Double(tmp_path_factory.mktemp("server"))
    double.start()
    yield double
    double.close()


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> RecordCodec:
    return write_schema(tmp_path_factory.mktemp("schemas"))


@pytest.fixture
def source(codec: RecordCodec) -> Source:
    return Source(codec)


@pytest.fixture(scope="module")
def opened(server: Double, codec: RecordCodec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("unused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALL_SECONDS", CALL_SECONDS)
        store = open_store(folder / "store", server.url, [feed_table(codec)])
        assert store.readers is None
        assert not (folder / "store").exists()
        store.readers = cast(Readers, ServerReaders(server.url))
        yield store
        store.close()


@pytest.fixture
def store(opened: Store, server: Double, source: Source) -> Store:
    renew(opened, server, source)
    return opened


def renew(store: Store, server: Double, source: Source) -> None:
    """Leave nothing of the test before in the server's tables, and none of its memory in the writer."""
    query = b"SELECT DISTINCT table FROM system.parts WHERE active AND database = 'renkou' FORMAT TSV"
    for name in httpx.post(server.url, content=query).text.split():
        httpx.post(server.url, content=f"TRUNCATE TABLE renkou.{name}".encode()).raise_for_status()
    store.writer = Writer(store.side, [feed_table(source.codec)])


def write_until_done(store: Store, batch: Any) -> int:
    """Write as the sink does: the same batch, until it is in the store. Return how many attempts failed."""
    for failed in range(ATTEMPTS):
        try:
            store.writer.write(batch)
        except StoreUnavailableError:
            continue
        return failed
    pytest.fail(f"not written after {ATTEMPTS} attempts")


@pytest.mark.parametrize(
    ("fault", "fails"),
    [
        ("hang_after_commit", True),
        ("reset_after_commit", None),  # the client itself may send the statement again
        ("reset_mid_insert", None),
        ("error_500", True),
        ("too_many_parts", True),
        ("slow", False),
    ],
)
def test_a_fault_loses_and_doubles_nothing(
    server: Double, store: Store, source: Source, fault: str, fails: bool | None
) -> None:
    for number in range(20):
        source.change(number, LI)
    source.change(3, None)
    before = server.inserts()
    server.arm(fault)
    failed = write_until_done(store, source.batch(source.log))
    assert fails is None or (failed > 0) is fails
    assert server.inserts()["came"] > before["came"]
    assert shown(store.readers) == source.expected()
    assert everything(store.readers).count(b"cdc.police") == 19


def test_a_server_that_restarts_is_waited_for(server: Double, store: Store, source: Source) -> None:
    source.change(1, LI)
    store.writer.write(source.batch(source.log))
    source.change(2, LI)
    server.kill()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        store.writer.write(source.batch(source.log))
    server.start()
    write_until_done(store, source.batch(source.log))
    assert shown(store.readers) == source.expected()


def test_faults_at_random_end_like_none(server: Double, store: Store, source: Source) -> None:
    rng = random.Random(5)
    source.live(120, rng)
    seen = []
    for disturbed in (True, False):
        place = 0
        while place < len(source.log):
            end = place + rng.randint(10, 40)
            if disturbed and rng.random() < 0.7:
                server.arm(
                    rng.choice(("reset_after_commit", "reset_mid_insert", "error_500")), rng.randint(1, 3)
                )
            write_until_done(store, source.batch(source.log[place:end]))
            place = end
        assert shown(store.readers) == source.expected()
        seen.append(everything(store.readers))
        renew(store, server, source)
    assert seen[0] == seen[1]


def test_a_server_is_read_through_the_same_face(server: Double, store: Store, source: Source) -> None:
    source.change(1, Person("李安", "甲路"))
    store.writer.write(source.batch(source.log))
    access = open_access(Path("/nowhere"), server.url)
    try:
        found = rows(access, "SELECT name FROM police_people WHERE note = {note:String}", {"note": "甲路"})
        assert found == [{"name": "李安"}]
    finally:
        access.close()


def test_an_address_that_is_none_and_a_server_that_is_not_there_are_told(
    tmp_path: Path, source: Source
) -> None:
    feeds = [feed_table(source.codec)]
    with pytest.raises(StoreError, match="RENKOU_CLICKHOUSE is not an http"):
        open_store(tmp_path, "clickhouse:8123", feeds)
    with pytest.raises(StoreUnavailableError, match="is it running, is RENKOU_CLICKHOUSE right"):
        open_store(tmp_path, "http://127.0.0.1:9", feeds)
