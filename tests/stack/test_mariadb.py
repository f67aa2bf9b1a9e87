"""MariaDB in the one-machine stack: a server of its own account, captured with rights on the feeds' columns only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest

from avro.errors import IncompatibleSchemaError
from avro.registry import COMPATIBILITY, ConfluentRegistry
from connectors import mariadb
from connectors.addresses import Address, read_address
from connectors.captured import account
from connectors.stack import LocalStack, State, Supervisor, lacks, ports
from connectors.stack import mariadb as server
from streams.normalize import Outcome, Recorded
from tests.support.pantry import Pantry

pytestmark = [pytest.mark.stack, pytest.mark.skipif(bool(lacks("mariadb")), reason=lacks("mariadb") or "-")]

RECOVER_SECONDS = 120.0


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + RECOVER_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def pantry(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Pantry:
    """A captured department with one row, and a photograph that no feed names."""
    made = Pantry(stack, tmp_path_factory.mktemp("feeds"), "larder_test", "mariadb")
    made.create()
    made.execute(
        "ALTER TABLE shelf ADD COLUMN photo mediumblob",
        "INSERT INTO shelf VALUES (1, '甲', NULL, 'a', 1, x'00ff')",
    )
    made.start_capture()
    made.outcomes(1)
    return made


def recorded(outcome: Outcome) -> Recorded:
    assert isinstance(outcome, Recorded)
    return outcome


def test_what_is_done_to_a_row_is_captured_in_order(pantry: Pantry) -> None:
    pantry.execute(
        "BEGIN; UPDATE shelf SET amount = 2 WHERE id = 1; UPDATE shelf SET amount = 3 WHERE id = 1; COMMIT",
        "INSERT INTO shelf (id, name) VALUES (2, '乙'), (3, '丙')",
        "UPDATE shelf SET id = 20 WHERE id = 2",
        "DELETE FROM shelf WHERE id = 3",
        "TRUNCATE shelf",
        "INSERT INTO shelf (id, name) VALUES (1, '又')",
    )
    # Snapshot; two updates; two inserts; a delete and a create for the key; a delete; the truncation; an insert.
    found = pantry.outcomes(10)
    records = [outcome.record for outcome in found if isinstance(outcome, Recorded)]
    assert [(record.op, record.key) for record in records] == [
        ("r", '{"id":1}'), ("u", '{"id":1}'), ("u", '{"id":1}'), ("c", '{"id":2}'), ("c", '{"id":3}'),
        ("d", '{"id":2}'), ("c", '{"id":20}'), ("d", '{"id":3}'), ("c", '{"id":1}'),
    ]  # fmt: skip
    assert (records[5].next_key, records[6].previous_key) == ('{"id":20}', '{"id":2}')
    own = [record.version for record in records if record.key == '{"id":1}']
    assert own == sorted(set(own))
    versions = [record.version for record in records]
    assert versions == sorted(versions)
    (mark,) = (outcome for outcome in found if not isinstance(outcome, Recorded))
    assert records[7].version < mark.version < records[8].version  # type: ignore[union-attr]
    assert all(b"\x00\xff" not in outcome.datum for outcome in found if isinstance(outcome, Recorded))


def test_the_capture_account_reads_the_feeds_columns_only(pantry: Pantry) -> None:
    there = read_address(pantry.stack.dsn(pantry.name))
    own = Address(
        "mariadb", there.host, there.port, there.database, account(pantry.name, "mariadb"),
        pantry.stack.capture_password,
    ).url()  # fmt: skip
    connection = mariadb.connect(own)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, name FROM shelf")
            for statement in ("SELECT photo FROM shelf", "SELECT * FROM shelf", "DELETE FROM shelf"):
                with pytest.raises(pymysql.MySQLError) as caught:
                    cursor.execute(statement)
                assert caught.value.args[0] in (1142, 1143)
    finally:
        connection.close()


def test_a_killed_server_comes_back_and_the_capture_goes_on(pantry: Pantry) -> None:
    count = len(pantry.outcomes(1))
    before = next(status for status in pantry.stack.status() if status.name == "mariadb")
    assert before.pid is not None
    assert os.stat(f"/proc/{before.pid}").st_uid != 0, "a database server does not run as root"
    os.kill(before.pid, signal.SIGKILL)
    eventually(
        lambda: any(
            status.name == "mariadb" and status.state is State.READY and status.starts > before.starts
            for status in pantry.stack.status()
        )
    )
    pantry.execute("INSERT INTO shelf (id, name) VALUES (77, '后')")
    last = recorded(pantry.outcomes(count + 1)[-1]).record
    assert last.key == '{"id":77}'
    assert last.mentions[0].name == "后"


def test_a_second_start_finds_what_the_first_one_wrote(stack_folder: Path) -> None:
    data = stack_folder / "mariadb-alone"
    data.mkdir(mode=0o711)
    for value in (1, 2):
        port = ports.allocate(data, ["mariadb"])["mariadb"]
        supervisor = Supervisor(data, [server.spec(data, port, "secret")])
        supervisor.start()
        try:
            supervisor.wait_ready(["mariadb"])
            server.ensure_databases(port, "secret", ["kept"])
            dsn = server.dsn(port, "kept", "secret")
            mariadb.run_script(dsn, f"CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES ({value})")
            connection = mariadb.connect(dsn)
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM t")
                assert cursor.fetchall() == ((value,),)
            connection.close()
        finally:
            supervisor.stop()


def test_the_registry_refuses_an_incompatible_edit(stack: LocalStack) -> None:
    fields = [{"name": "a", "type": "string"}]
    schema = {"type": "record", "name": "edited", "namespace": "renkou.test", "fields": fields}
    registry = ConfluentRegistry(stack.endpoints().registry)
    try:
        first = registry.register("renkou.test-edited", schema)
        grown = {
            **schema,
            "fields": [*fields, {"name": "b", "type": ["null", "string"], "default": None}],
        }
        assert registry.register("renkou.test-edited", grown) != first
        assert registry.register("renkou.test-edited", schema) == first
        broken = {**schema, "fields": [{"name": "a", "type": "long"}]}
        with pytest.raises(IncompatibleSchemaError, match="take the edit back"):
            registry.register("renkou.test-edited", broken)
        assert registry.compatibility("renkou.test-edited") == COMPATIBILITY
    finally:
        registry.close()
