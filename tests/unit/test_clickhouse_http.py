"""ClickHouse's HTTP interface of the embedded store, used by a real clickhouse-connect client and by plain
HTTP."""

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
import uvicorn
from clickhouse_connect.driver.exceptions import DatabaseError
from fastapi import FastAPI

from connectors.clickhouse.access import _Remote
from connectors.clickhouse.guard import RefusedError, check
from connectors.clickhouse.readers import READERS
from connectors.clickhouse.store import Store, open_store
from connectors.clickhouse.wire import QueryError
from tests.unit.clickhouse_source import Person, Source, feed_table, shown, write_schema


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("http")
    source = Source(write_schema(folder / "schemas"))
    for number in range(100):
        source.change(number, Person(f"人{number}", "甲'路\\\t\n号"))
    opened = open_store(folder / "store", "", [feed_table(source.codec)])
    opened.writer.write(source.batch(source.log))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    app = FastAPI()
    app.include_router(store.router)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    opened = clickhouse_connect.get_client(host="127.0.0.1", port=int(url.rpartition(":")[2]))
    yield opened
    opened.close()


def test_client_reads_typed_values_by_parameter(client: Any) -> None:
    result = client.query(
        "SELECT key, name, note, born, version FROM police_people WHERE key = {k:String}",
        parameters={"k": '{"ID":7}'},
    )
    assert result.result_rows == [('{"ID":7}', "人7", "甲'路\\\t\n号", datetime.date(1915, 4, 7), 1016)]
    note = client.query(
        "SELECT count() FROM police_people WHERE note = {n:String}", parameters={"n": "甲'路\\\t\n号"}
    )
    assert note.result_rows == [(100,)]


def test_client_streams_more_than_a_block(client: Any) -> None:
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(200000)") as stream:
        assert sum(len(block) for block in stream) == 200_000


def test_client_setting_reaches_the_engine(client: Any) -> None:
    answer = client.query("SELECT getSetting('max_block_size')", settings={"max_block_size": 4711})
    assert answer.result_rows == [(4711,)]
    for _ in range(READERS):  # and it holds for that query alone
        assert client.query("SELECT getSetting('max_block_size')").result_rows != [(4711,)]


def test_error_in_the_middle_reaches_the_client(client: Any) -> None:
    with (
        pytest.raises(DatabaseError, match="395"),
        client.query_row_block_stream("SELECT throwIf(number = 150000) FROM numbers(200000)") as stream,
    ):
        for _ in stream:
            pass


def test_error_in_the_middle_reaches_our_own_reader(url: str) -> None:
    remote = _Remote(url)
    got: list[bytes] = []
    try:
        with pytest.raises(QueryError, match=r"^Code: 395") as caught:
            got.extend(remote.blocks("SELECT number, throwIf(number = 150000) FROM numbers(200000)", "CSV"))
    finally:
        remote.close()
    assert caught.value.code == 395
    lines = b"".join(got).splitlines()
    assert lines == [b"%d,0" % number for number in range(len(lines))]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DROP TABLE mentions_all", 164),
        ("INSERT INTO marks_all (feed) VALUES ('x')", 164),
        ("SET readonly = 0", 164),
        ("CREATE TEMPORARY TABLE t (a String) ENGINE = File(LineAsString, '/etc/passwd')", 164),
        ("SELECT * FROM file('/etc/passwd', LineAsString)", 164),
        ("SELECT * FROM `FILE` ('/etc/passwd', LineAsString)", 164),
        ("SELECT 1 WHERE 1 IN (SELECT * FROM/**/url('http://127.0.0.1:1/', CSV, 'a Int8'))", 164),
        ("DESCRIBE TABLE file('/etc/passwd', LineAsString)", 164),
        ("SELECT file('/etc/passwd')", 164),
        ("SELECT 1 INTO/**/OUTFILE '/tmp/renkou-must-not-exist' FORMAT CSV", 164),
        ("SELECT 1; DROP TABLE mentions_all", 62),
        ("SELEKT 1", 62),
        ("SELECT nothing FROM mentions", 47),
        ("SELECT * FROM nowhere", 60),
        ("SELECT 1 FORMAT Nonsense", 73),
    ],
)
def test_refusals_carry_clickhouses_code(url: str, query: str, code: int) -> None:
    response = httpx.post(url, content=query.encode())
    assert response.status_code >= 400
    assert response.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert response.text.startswith(f"Code: {code}. DB::Exception:")
    assert not Path("/tmp/renkou-must-not-exist").exists()


def test_words_inside_texts_are_no_reason_to_refuse(url: str) -> None:
    query = "SELECT 'INTO OUTFILE file(\\'x\\') '' url(1)' AS `into` FORMAT TSV"
    assert httpx.get(url, params={"query": query}).text == "INTO OUTFILE file(\\'x\\') \\' url(1)\n"


def test_plain_http(url: str) -> None:
    assert httpx.get(f"{url}/ping").text == "Ok.\n"
    query = "SELECT {a:Int8} AS a, {b:String} AS b"
    arguments = {"query": query, "param_a": "5", "param_b": "x'y", "default_format": "JSONEachRow"}
    response = httpx.get(url, params=arguments)
    assert response.json() == {"a": 5, "b": "x'y"}
    assert response.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert httpx.post(url, params={"query": "SELECT 1", "database": "renkou"}).text == "1\n"
    assert httpx.get(url, params={"query": "SHOW TABLES LIKE 'mentions'"}).text == "mentions\n"
    parquet = httpx.get(url, params={"query": "SELECT * FROM mentions", "default_format": "parquet"}).content
    assert parquet[:4] == parquet[-4:] == b"PAR1"
    assert httpx.get(url, params={"query": "SELECT 1", "database": "other"}).status_code == 404


def test_slow_query_does_not_hold_up_a_quick_one(url: str) -> None:
    done: list[float] = []

    def slow() -> None:
        httpx.get(
            url,
            params={"query": "SELECT sleepEachRow(0.5) FROM numbers(4) SETTINGS max_block_size = 1"},
            timeout=30,
        )
        done.append(time.monotonic())

    thread = threading.Thread(target=slow)
    thread.start()
    time.sleep(0.2)
    assert httpx.get(url, params={"query": "SELECT 1"}).text == "1\n"
    quick = time.monotonic()
    thread.join()
    assert quick < done[0]


def test_reader_that_goes_away_gives_its_handle_back(url: str, store: Store) -> None:
    for _ in range(6):  # twice as many as there are handles
        with httpx.stream("GET", url, params={"query": "SELECT number FROM numbers(100000000)"}) as response:
            next(response.iter_raw())
    assert httpx.get(url, params={"query": "SELECT 2"}, timeout=20).text == "2\n"
    assert len(shown(store.readers)[0]) == 100


def test_a_statement_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RefusedError, match="SYSTEM changes something"):
        check("SYSTEM SHUTDOWN", lambda name: False)
