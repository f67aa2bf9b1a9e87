"""``renkou sql`` and ``renkou person``, on a store that nobody has open and on one whose owner runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from avro import version as versions
from avro.codec import DatumCodec
from avro.record import PERSON_ELEMENTS
from avro.schema import shared_schema
from connectors import endpoints
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import open_store
from streams.cli.query import register
from tests.unit.clickhouse_source import Person, Source, feed_table, key_of, write_schema

NUMBER = "390000195504010017"


APP = typer.Typer()
register(APP)


def renkou(data: Path, *arguments: str) -> Result:
    """Run a command in this process, on a folder."""
    return CliRunner().invoke(APP, arguments, env={"RENKOU_DATA": str(data), "COLUMNS": "160"})


def person_datum(
    codec: DatumCodec, person_id: str, version: int, state: str = "active", **values: Any
) -> bytes:
    fields: dict[str, Any] = dict.fromkeys(PERSON_ELEMENTS)
    fields |= {
        "person_id": person_id,
        "state": state,
        "merged_into": None,
        "split_from": None,
        "provenance": "{}",
    }
    fields |= {
        "mention_count": 1,
        "version": versions.to_bytes(versions.log_version(1, version)),
        "is_deleted": 0,
    }
    return codec.encode(fields | values)


def fill(folder: Path) -> FeedTable:
    """Make a store of two persons, the second merged into the first."""
    source = Source(write_schema(folder / "schemas"))
    source.change(1, Person("李安", "甲路"))
    source.change(2, Person("李安", "乙路"))
    feed = feed_table(source.codec)
    batch = source.batch(source.log)
    persons = DatumCodec(shared_schema("Person"))
    provenance = json.dumps(
        {
            "feeds": ["health.visits", "police.people"],
            "records": [[1, key_of(2), 1_700_000_000_000_000]],
            "elements": {"name": [0, [0], []], "id_number": [0, [], [0, 1]]},
        }
    )
    batch.add_person(person_datum(persons, "P1", 1, name="李安"), 1)
    batch.add_person(person_datum(persons, "P2", 2, name="李安"), 2)
    golden: dict[str, Any] = {
        "name": "李安",
        "id_number": NUMBER,
        "birth_date": -5024,
        "provenance": provenance,
        "mention_count": 2,
    }
    batch.add_person(person_datum(persons, "P1", 3, **golden), 3)
    batch.add_person(person_datum(persons, "P2", 3, state="merged", merged_into="P1"), 3)
    batch.add_person(person_datum(persons, "P3", 4, id_number="390000195504010025"), 4)
    batch.add_person(person_datum(persons, "P4", 5, id_number="390000195504010025"), 5)
    identities = DatumCodec(shared_schema("Identity"))
    for number, rule in ((1, "first"), (2, "id_number")):
        batch.add_identity(
            identities.encode(
                {
                    "department": "police",
                    "table": "people",
                    "key": key_of(number),
                    "role": "self",
                    "ordinal": 0,
                    "person_id": "P1",
                    "rule": rule,
                    "version": versions.to_bytes(versions.log_version(1, 3)),
                    "is_deleted": 0,
                }
            ),
            3,
        )
    store = open_store(folder / "data" / "store", "", [feed])
    try:
        store.writer.write(batch)
    finally:
        store.close()
    return feed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query")
    fill(folder)
    return folder / "data"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A store that this process has open and serves."""
    store = open_store(tmp_path / "data" / "store", "", [fill(tmp_path)])
    app = FastAPI()
    app.include_router(store.router)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    endpoints.save(tmp_path / "data", endpoints.Endpoints(clickhouse=address))
    yield tmp_path / "data"
    server.should_exit = True
    thread.join()
    listener.close()
    store.close()


def test_sql_into_a_pipe_is_tsv_with_names(data: Path) -> None:
    program = (
        "import typer; from streams.cli.query import register; app = typer.Typer(); register(app); app()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "sql", "SELECT key, name FROM police_people ORDER BY key"],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "RENKOU_DATA": str(data)},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == 'key\tname\n{"ID":1}\t李安\n{"ID":2}\t李安\n'


@pytest.mark.parametrize(
    ("query", "output", "expected"),
    [
        ("SELECT 1 AS a", "CSV", b"1\n"),
        ("SELECT 1 AS a FORMAT JSONEachRow", "CSV", b'{"a":1}\n'),
        ("SELECT 1 AS a", "prettycompact", "   ┌─a─┐\n1. │ 1 │\n   └───┘\n".encode()),
    ],
)
def test_sql_formats(data: Path, query: str, output: str, expected: bytes) -> None:
    assert renkou(data, "sql", query, "--format", output).stdout_bytes == expected


@pytest.mark.parametrize(
    "query", ["SELEKT", "DROP TABLE mentions_all", "SELECT * FROM nowhere", "SELECT 1; SELECT 2"]
)
def test_sql_errors_are_not_data(data: Path, query: str) -> None:
    done = renkou(data, "sql", query)
    assert (done.exit_code, done.stdout_bytes) == (1, b"")
    assert done.stderr_bytes.startswith(b"renkou: Code: ")


@pytest.mark.parametrize("command", [("sql", "SELECT 1"), ("person", "P1")])
def test_folder_without_a_store(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = renkou(tmp_path / "data", *command)
    assert (done.exit_code, done.stdout_bytes) == (1, b"")
    assert b"there is no store; name its folder with --data" in done.stderr_bytes
    assert not (tmp_path / "data").exists()


def test_person_as_json_follows_the_merge(data: Path) -> None:
    person = json.loads(renkou(data, "person", "P2", "--json").stdout_bytes)
    source = {"department": "police", "table": "people", "key": key_of(2), "since": 1_700_000_000_000_000}
    assert person["provenance"] == {
        "name": source | {"agree": ["health.visits"], "disagree": []},
        "id_number": source | {"agree": [], "disagree": ["health.visits", "police.people"]},
    }
    assert set(person) >= {"person_id", "state", "merged_into", "elements", "mentions", "links", "history"}
    assert (person["person_id"], person["state"], person["merged_into"]) == ("P2", "merged", "P1")
    assert person["current_id"] == "P1"
    assert {name: value for name, value in person["elements"].items() if value} == {
        "name": "李安",
        "id_number": NUMBER,
        "birth_date": "1956-03-31",
    }
    assert [mention["key"] for mention in person["mentions"]] == ['{"ID":1}', '{"ID":2}']
    assert [link["rule"] for link in person["links"]] == ["first", "id_number"]
    assert [state["state"] for state in person["history"]] == ["active", "merged"]


def test_person_by_id_number(data: Path) -> None:
    person = json.loads(renkou(data, "person", "--id-number", NUMBER, "--json").stdout_bytes)
    assert (person["person_id"], person["state"]) == ("P1", "active")


def test_person_for_people(data: Path) -> None:
    text = renkou(data, "person", "P1").stdout_bytes.decode()
    for expected in ("P1", "李安", NUMBER, "police", '{"ID":2}', "id_number", "History"):
        assert expected in text


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("P9",), 1, b"no person of this id"),
        (("--id-number", "390000195504019999"), 1, b"no person has this ID number"),
        (("--id-number", "390000195504010025"), 1, b"2 persons have this ID number: P3, P4; ask for one"),
        ((), 2, b"one of them"),
        (("P1", "--id-number", NUMBER), 2, b"one of them"),
    ],
)
def test_person_not_found(data: Path, arguments: tuple[str, ...], code: int, complaint: bytes) -> None:
    done = renkou(data, "person", *arguments)
    assert (done.exit_code, done.stdout_bytes) == (code, b"")
    assert complaint in done.stderr_bytes


def test_store_of_a_running_hub_is_read_through_its_owner(running: Path) -> None:
    done = renkou(running, "sql", "SELECT count() FROM persons", "--format", "CSV")
    assert (done.exit_code, done.stdout_bytes, done.stderr_bytes) == (0, b"4\n", b"")
    assert json.loads(renkou(running, "person", "P1", "--json").stdout_bytes)["state"] == "active"
    done = renkou(running, "sql", "SELECT nothing")
    assert (done.exit_code, done.stdout_bytes) == (1, b"")


def test_owner_that_is_silent_is_named(running: Path) -> None:
    endpoints.save(running, endpoints.Endpoints(clickhouse="http://127.0.0.1:1"))
    done = renkou(running, "sql", "SELECT 1")
    assert (done.exit_code, done.stdout_bytes) == (1, b"")
    assert f"process {os.getpid()} has the store open".encode() in done.stderr_bytes


def test_queries_are_audited_without_personal_data(tmp_path: Path) -> None:
    fill(tmp_path)
    data = tmp_path / "data"
    renkou(data, "person", "--id-number", NUMBER, "--json")
    renkou(data, "sql", f"SELECT '{NUMBER}'")
    trail = (data / "logs" / "audit.jsonl").read_bytes()
    lines = [json.loads(line) for line in trail.splitlines()]
    assert [line["command"] for line in lines] == ["person", "sql"]
    assert all(line["uid"] == os.getuid() and line["user"] and line["time"] for line in lines)
    assert all(line["what"].startswith("hmac-sha256:") for line in lines)
    assert lines[0]["what"] != lines[1]["what"]
    assert NUMBER.encode() not in trail


def test_batch_without_rows_writes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", "", [feed_table(write_schema(tmp_path / "schemas"))])
    try:
        assert store.writer.write(Batch()).rows == {}
    finally:
        store.close()
