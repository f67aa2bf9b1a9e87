"""The one-machine stack: capture in every format, kills of every part, clean ends, second starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from avro.registry import ConfluentRegistry, schema_id_of
from avro.schema import full_name
from connectors import connect, debezium, endpoints, topics
from connectors.connect import Outcome
from connectors.debezium import Capture, CapturedTable
from connectors.errors import ConnectorError, StackError
from connectors.stack import LocalStack, State, lacks, owner
from connectors.stack.process import Identity, read_identity
from connectors.topics import TopicSpec
from tests.support.capture import TABLE, Department, Message, read

pytestmark = pytest.mark.stack

PARTS = ("postgresql", "kafka", "registry", "connect")

RECOVER_SECONDS = 90.0


def eventually(condition: Callable[[], bool], seconds: float = RECOVER_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def values(messages: list[Message]) -> list[dict[str, object]]:
    return [json.loads(message.value) for message in messages if message.value is not None]


def names(messages: list[Message]) -> list[str]:
    """The names after each change of JSON messages, in order."""
    return [value["after"]["XM"] for value in values(messages) if value["after"]]  # type: ignore[index]


@pytest.fixture(scope="module")
def department(stack: LocalStack) -> Department:
    """A captured department with one row."""
    made = Department(stack, "police")
    made.create()
    made.execute("INSERT INTO hj VALUES (1, 'first', NULL, '\\x00')")
    made.start_capture()
    return made


@pytest.mark.parametrize("capture", list(Capture))
def test_every_change_is_captured(stack: LocalStack, capture: Capture) -> None:
    source = Department(stack, f"formats_{capture.value.replace('-', '_')}", capture)
    source.create()
    source.execute("INSERT INTO hj VALUES (1, 'a', 'x', '\\x00')")
    source.start_capture()
    source.messages(lambda found: len(found) == 1)
    for statement in (
        'UPDATE hj SET "XM" = \'b\' WHERE "HH" = 1',
        'UPDATE hj SET "HH" = 2 WHERE "HH" = 1',
        'DELETE FROM hj WHERE "HH" = 2',
        "TRUNCATE hj",
    ):
        source.execute(statement)
    found = source.messages(lambda found: bool(found) and found[-1].key is None)
    # Snapshot, update; delete, tombstone and create of the changed key; delete, tombstone; truncation without a key.
    assert [message.value is None for message in found] == [
        False,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]
    assert json.loads(found[2].headers["__debezium.newkey"]) == {"HH": 2}
    assert json.loads(found[4].headers["__debezium.oldkey"]) == {"HH": 1}
    if capture is Capture.JSON:
        assert [value["op"] for value in values(found)] == ["r", "u", "d", "c", "d", "t"]
        assert values(found)[1]["after"] == {"HH": 1, "XM": "b", "note": "x"}
    elif capture is Capture.JSON_SCHEMAS:
        assert values(found)[1]["payload"]["after"] == {"HH": 1, "XM": "b", "note": "x"}  # type: ignore[index]
    else:
        assert all(value is None or value[0] == 0 for value in (message.value for message in found))
        number = schema_id_of(found[0].value or b"")
        assert number is not None
        schema = ConfluentRegistry(stack.endpoints().registry).schema(number)
        assert full_name(schema).endswith(".hj.Envelope")


def test_an_idle_source_sends_heartbeats(department: Department) -> None:
    kafka = department.stack.endpoints().kafka
    beats = read(kafka, "__debezium-heartbeat.cdc.police", lambda found: len(found) >= 3)
    times = [int(json.loads(beat.value or b"")["ts_ms"]) for beat in beats]
    assert times == sorted(times)


def test_applying_again_changes_nothing_and_a_difference_is_named(department: Department) -> None:
    address = department.stack.endpoints().connect
    wanted = department.connector()
    assert [one.outcome for one in debezium.apply(address, [wanted])] == [Outcome.UNCHANGED]
    longer = str(debezium.POLL_MS + 1)
    changed = connect.Connector(wanted.name, {**wanted.config, "poll.interval.ms": longer})
    (applied,) = debezium.apply(address, [changed])
    assert (applied.outcome, applied.settings) == (Outcome.CHANGED, ("poll.interval.ms",))
    debezium.apply(address, [wanted])
    debezium.wait_running(address, [wanted.name])


def test_the_password_is_not_in_what_connect_shows(department: Department) -> None:
    shown = httpx.get(f"{department.stack.endpoints().connect}/connectors?expand=info&expand=status").text
    assert "renkou-police" in shown
    assert department.stack.capture_password not in shown
    log = department.stack.data / "logs"
    assert not [
        path for path in log.iterdir() if department.stack.capture_password.encode() in path.read_bytes()
    ]


def test_the_administrators_sql_may_be_repeated_and_follows_the_feeds(department: Department) -> None:
    other = CapturedTable("public", "hj_other", ("id",), ("id",))
    department.execute("CREATE TABLE IF NOT EXISTS hj_other (id int PRIMARY KEY)")
    department.administer([TABLE, other])
    with department.connect(debezium.ROLE) as connection:
        connection.execute("SELECT id FROM hj_other")
    department.administer()
    with department.connect(debezium.ROLE) as connection:
        assert connection.execute('SELECT "HH", "XM", note FROM hj').fetchone() is not None
        for refused in ('SELECT "XP" FROM hj', "SELECT id FROM hj_other", "DELETE FROM hj"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())
    with department.connect() as connection:
        published = connection.execute("SELECT pubname, tablename FROM pg_publication_tables").fetchall()
        assert published == [("renkou_police", "hj")]
        ours = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        assert ours == [("hj",), ("hj_other",)]


def test_mistakes_of_the_source_are_named(stack: LocalStack) -> None:
    source = Department(stack, "mistakes")
    stack.ensure_databases([source.name])
    address = stack.endpoints().connect
    with pytest.raises(ConnectorError, match="the source refuses the password"):
        debezium.apply(address, [source.connector(password="wrong")])
    missing = connect.Connector(
        "renkou-missing", {"connector.class": "org.example.Missing", "tasks.max": "1"}
    )
    with pytest.raises(ConnectorError, match="Connect lacks Debezium"):
        debezium.apply(address, [missing])
    assert not [one for one in debezium.status(address) if one.name == "renkou-missing"]


def test_topics_are_created_once_and_compared(stack: LocalStack) -> None:
    kafka = stack.endpoints().kafka
    spec = TopicSpec("test.topics", settings={"retention.ms": "1000"})
    assert topics.ensure_topics(kafka, [spec]).created == ("test.topics",)
    again = topics.ensure_topics(kafka, [spec])
    assert (again.created, again.differences) == ((), ())
    other = TopicSpec("test.topics", partitions=2, settings={"retention.ms": "2000"})
    assert [str(one) for one in topics.ensure_topics(kafka, [other]).differences] == [
        "topic test.topics: partitions is 1, should be 2",
        "topic test.topics: retention.ms is 1000, should be 2000",
    ]
    refused = TopicSpec("test.bad", settings={"cleanup.policy": "sometimes"})
    with pytest.raises(ConnectorError, match="INVALID_CONFIG"):
        topics.ensure_topics(kafka, [refused])


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back_and_no_change_is_lost(department: Department, part: str) -> None:
    stack = department.stack
    before = {status.name: status for status in stack.status()}
    killed = before[part].pid
    assert killed is not None
    ids = ConfluentRegistry(stack.endpoints().registry)
    schema = {"type": "record", "name": f"Kill{part}", "fields": []}
    number = ids.register(f"kill-{part}", schema)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: state(stack, part) is State.READY and pid(stack, part) != killed)
    stayed = [name for name in PARTS if name != part]
    assert [pid(stack, name) for name in stayed] == [before[name].pid for name in stayed]
    department.execute(f'UPDATE hj SET "XM" = \'after {part}\' WHERE "HH" = 1')
    found = department.messages(lambda found: f"after {part}" in names(found))
    assert names(found)[0] == "first"
    assert ConfluentRegistry(stack.endpoints().registry).register(f"kill-{part}", schema) == number


def state(stack: LocalStack, name: str) -> State:
    return next(status.state for status in stack.status() if status.name == name)


def pid(stack: LocalStack, name: str) -> int | None:
    return next(status.pid for status in stack.status() if status.name == name)


def test_a_failed_task_is_restarted_without_a_hand(department: Department) -> None:
    address = department.stack.endpoints().connect
    with department.connect() as connection:
        connection.execute("ALTER PUBLICATION renkou_police RENAME TO hidden")
        connection.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
    try:
        department.execute('UPDATE hj SET "XM" = \'while hidden\' WHERE "HH" = 1')
        eventually(
            lambda: not all(one.running for one in debezium.status(address) if one.name == "renkou-police")
        )
    finally:
        department.execute("ALTER PUBLICATION hidden RENAME TO renkou_police")
    debezium.wait_running(address, ["renkou-police"], RECOVER_SECONDS)


def test_a_second_hub_on_the_folder_is_refused(stack: LocalStack) -> None:
    with pytest.raises(StackError, match="already running on"):
        LocalStack(stack.data).start()
    assert all(status.state is State.READY for status in stack.status())


PROGRAM = """
import sys
from pathlib import Path
from connectors.stack import LocalStack
with LocalStack(Path(sys.argv[1])) as stack:
    stack.start()
    stack.ensure_databases(["police"])
    stack.publish()
    print("ready", flush=True)
    stack.run_until_signal()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


def snapshot_is_done(source: Department) -> bool:
    """Whether Connect has stored a position after the snapshot; before that a new worker begins it again."""
    answer = httpx.get(f"{source.stack.endpoints().connect}/connectors/renkou-{source.name}/offsets").json()
    return any("lsn" in one["offset"] and "snapshot" not in one["offset"] for one in answer["offsets"])


def running(folder: Path) -> list[Identity]:
    found = [read_identity(path) for path in (folder / "run").glob("*.pid")]
    return [one for one in found if one is not None and one.alive()]


class Attached(LocalStack):
    """Reads and changes a stack that another process runs."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        from connectors.stack import ports, secrets
        from connectors.stack.local import PORTS

        self._secrets = secrets.load(data)
        self.ports = json.loads((data / ports.FILE_NAME).read_bytes())
        assert set(self.ports) == set(PORTS)


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_continues(stack_folder: Path) -> None:
    folder = stack_folder / "second"
    program = start(folder)
    try:
        source = Department(Attached(folder), "police")
        source.create()
        source.execute("INSERT INTO hj VALUES (1, 'before', NULL, NULL)")
        source.start_capture()
        source.messages(lambda found: len(found) == 1)
        eventually(lambda: snapshot_is_done(source))
        processes = running(folder)
        assert len(processes) == len(PARTS) + (not lacks("mariadb"))  # where the machine has it
        program.kill()
        program.wait()
        eventually(lambda: not any(one.alive() for one in processes), 10)
        assert owner(folder) is None

        first = endpoints.load(folder)
        program = start(folder)
        second = endpoints.load(folder)
        assert first is not None
        assert second is not None
        assert second.kafka == first.kafka
        assert second.sources == first.sources
        source.execute('UPDATE hj SET "XM" = \'after\' WHERE "HH" = 1')
        found = source.messages(lambda found: "after" in names(found))
        assert [value["op"] for value in values(found)] == ["r", "u"]

        processes = running(folder)
        os.killpg(program.pid, signal.SIGINT)  # what Ctrl-C does in a terminal
        assert program.wait(RECOVER_SECONDS) == 0
        assert not any(one.alive() for one in processes)
        assert endpoints.load(folder) is None
        assert not list((folder / "run").glob("*.pid"))
    finally:
        program.kill()
        program.wait()
