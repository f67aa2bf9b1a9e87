"""The simulator on real PostgreSQL databases: what it writes, and that kills leave no trace in it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from connectors.errors import TerminalError
from connectors.simulate import Pace, Simulator, schema
from connectors.simulate.columns import MARIADB
from connectors.simulate.tables import DEPARTMENTS as SIMULATED
from connectors.simulate.tables import TABLES
from connectors.simulate.truth import MENTIONS, PERSONS
from connectors.stack import ports, postgresql, process
from tests.support.undisturbed import reference

pytestmark = pytest.mark.stack

DEPARTMENTS = ("police", "health", "hrss")
"""Three of the eight: a database costs a second. All of them are in one test."""
ALL_DEPARTMENTS = tuple(department for department in SIMULATED if department not in MARIADB)
PEOPLE = 400
SEED = 11
PASSWORD = "simulated"


class Server:
    """A PostgreSQL of this module's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = ports.allocate(folder, ["postgresql"])["postgresql"]
        spec = postgresql.spec(folder, self._port, PASSWORD)
        # Processes are killed here, not the machine: what was written survives without waiting for the disk.
        self._spec = replace(spec, argv=(*spec.argv, "-c", "fsync=off"))
        self._spec.prepare()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.start()

    def start(self) -> None:
        self._process = process.spawn(self._spec, self._folder / "postgresql.pid", self._folder / "log")
        deadline = time.monotonic() + 60
        while True:
            try:
                if self._spec.health():
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        assert self._process is not None
        # Its children notice the end of a killed parent by themselves.
        self._process.send_signal(number)
        self._process.wait(60)

    def empty(self, departments: Sequence[str] = DEPARTMENTS) -> dict[str, str]:
        """Return the addresses of new databases, by department."""
        self._databases += 1
        names = {department: f"{department}{self._databases}" for department in departments}
        postgresql.ensure_databases(self._port, PASSWORD, list(names.values()))
        return {department: postgresql.dsn(self._port, name, PASSWORD) for department, name in names.items()}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not below pytest's folder: under root the server has another account, and each pytest closes that folder again.
    with TemporaryDirectory(prefix="renkou-simulate-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = Server(folder)
        try:
            yield running
        finally:
            running.stop(signal.SIGQUIT)


def contents(dsns: dict[str, str]) -> dict[str, list[str]]:
    """Return all rows of all tables as text, in the order of their keys."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        if table.department not in dsns:
            continue
        with psycopg.connect(dsns[table.department], options="-c timezone=UTC") as connection:
            order = ", ".join(map(table.column, table.key))
            rows = connection.execute(f"SELECT t::text FROM {table.name} t ORDER BY {order}")
            found[table.name] = [text for (text,) in rows]
    return found


def assert_same(dsns: dict[str, str], truth: Path, other: dict[str, str], other_truth: Path) -> None:
    for (name, ours), theirs in zip(contents(dsns).items(), contents(other).values(), strict=True):
        assert ours == theirs, f"{name} differs"
    for name in (PERSONS, MENTIONS):
        assert (truth / name).read_bytes() == (other_truth / name).read_bytes(), f"{name} differs"


def run(simulator: Simulator, rows: int, rate: float = 2000) -> Pace:
    stop = threading.Event()

    def enough(pace: Pace) -> None:
        if pace.rows >= rows:
            stop.set()

    return simulator.run(rate, 60, stop, enough)


def test_tables_and_truth_hold_the_population(server: Server, tmp_path: Path) -> None:
    dsns = server.empty()
    filled = Simulator(dsns, PEOPLE, SEED, tmp_path).load()
    assert filled is not None
    assert filled.people == PEOPLE
    found = contents(dsns)
    assert {name.partition(".")[2]: rows for name, rows in filled.rows.items()} == {
        name: len(rows) for name, rows in found.items()
    }
    mentions = (tmp_path / MENTIONS).read_bytes().count(b"\n")
    certificates = len(found["birth_certificate"])
    assert mentions > sum(map(len, found.values())) + certificates
    assert Simulator(dsns, PEOPLE, SEED, tmp_path).load() is None


def test_all_departments_take_their_rows_and_changes(server: Server, tmp_path: Path) -> None:
    dsns = server.empty(ALL_DEPARTMENTS)
    simulator = Simulator(dsns, PEOPLE, SEED, tmp_path)
    filled = simulator.load()
    assert filled is not None
    assert {name.partition(".")[0] for name, rows in filled.rows.items() if rows} == set(ALL_DEPARTMENTS)
    pace = run(simulator, 1500)
    assert all(pace.by_department.values())
    again = Simulator(dsns, PEOPLE, SEED, tmp_path)
    assert again.load() is None
    assert run(again, 50).rows >= 50


def test_the_same_seed_makes_the_same_bytes(server: Server, tmp_path: Path) -> None:
    ours, theirs = server.empty(), server.empty()
    simulator = Simulator(ours, PEOPLE, SEED, tmp_path / "a")
    simulator.load()
    pace = run(simulator, 1500)
    assert pace.rows >= 1500
    reference(theirs, tmp_path / "b", simulator.transaction, PEOPLE, SEED, DEPARTMENTS)
    assert_same(ours, tmp_path / "a", theirs, tmp_path / "b")


def test_big_values_are_stored_out_of_line(server: Server, tmp_path: Path) -> None:
    dsns = server.empty()
    Simulator(dsns, PEOPLE, SEED, tmp_path).load()
    for department, table in (("police", "hj_ryjbxx"), ("police", "ldrk_jzz"), ("health", "health_record")):
        with psycopg.connect(dsns[department]) as connection:
            row = connection.execute(
                "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = %s", [table]
            ).fetchone()
            assert row is not None
            assert row[0] > 0, table


def test_two_transactions_interleave_in_the_log(server: Server, tmp_path: Path) -> None:
    """A transaction that begins to write first commits last: the log has its rows on both sides of the other's."""
    dsns = server.empty()
    simulator = Simulator(dsns, PEOPLE, SEED, tmp_path)
    simulator.load()
    with psycopg.connect(dsns["police"], autocommit=True) as connection:
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        connection.execute("SELECT pg_create_logical_replication_slot('simulate', 'pgoutput')")
        try:
            run(simulator, 1500)
            events = connection.execute(
                "SELECT lsn - '0/0'::pg_lsn, xid::text, data FROM pg_logical_slot_get_binary_changes("
                "'simulate', NULL, NULL, 'proto_version', '1', 'publication_names', 'everything')"
            ).fetchall()
        finally:
            connection.execute("SELECT pg_drop_replication_slot('simulate')")
    written: dict[str, int] = {}  # by transaction in the order of commits, where its first row is in the log
    for lsn, xid, message in events:
        if message[:1] in b"IUD":
            written.setdefault(xid, lsn)
    assert any(later < earlier for earlier, later in pairwise(written.values()))
    assert any(message[:1] == b"U" and has_unchanged_value(message) for _, _, message in events)


def has_unchanged_value(update: bytes) -> bool:
    """Whether an update of the pgoutput protocol, without an old row, leaves out a value that did not change."""
    if update[5:6] != b"N":
        return False
    columns, place = int.from_bytes(update[6:8]), 8
    for _ in range(columns):
        kind = update[place : place + 1]
        if kind == b"u":
            return True
        place += 5 + int.from_bytes(update[place + 1 : place + 5]) if kind == b"t" else 1
    return False


def test_killed_simulators_leave_no_trace(server: Server, tmp_path: Path) -> None:
    dsns, other = server.empty(), server.empty()
    truth = tmp_path / "truth"
    rng = random.Random(SEED)
    kills = 0
    for attempt in range(5):
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                CHILD,
                str(PEOPLE),
                str(SEED),
                str(truth),
                *(f"{d}={a}" for d, a in dsns.items()),
            ],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        with child.stdout:
            # The first one dies while it fills the tables, the others while they change them.
            assert child.stdout.readline() == b"filling\n"
            if attempt == 0:
                time.sleep(rng.uniform(0.0, 0.1))
            else:
                assert child.stdout.readline() == b"changing\n"
                time.sleep(rng.uniform(0.05, 0.6))
            child.kill()
        kills += child.wait(30) == -signal.SIGKILL
    assert kills == 5
    simulator = Simulator(dsns, PEOPLE, SEED, truth)
    simulator.load()
    before = simulator.transaction
    run(simulator, 200)
    assert before > 0
    reference(other, tmp_path / "reference", simulator.transaction, PEOPLE, SEED, DEPARTMENTS)
    assert_same(dsns, truth, other, tmp_path / "reference")


CHILD = """
import sys, threading
from pathlib import Path
from tempfile import TemporaryDirectory
from connectors.simulate import Simulator

people, seed, truth, *dsns = sys.argv[1:]
simulator = Simulator(dict(item.split("=", 1) for item in dsns), int(people), int(seed), Path(truth))
print("filling", flush=True)
simulator.load()
changing = []
simulator.run(3000, None, threading.Event(), lambda pace: changing or changing.append(print("changing", flush=True)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_database_that_goes_away_is_waited_for(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    dsns, other = server.empty(), server.empty()
    simulator = Simulator(dsns, PEOPLE, SEED, tmp_path / "truth")
    simulator.load()
    stop, paces, errors = threading.Event(), [], []

    def change() -> None:
        try:
            paces.append(simulator.run(2000, 60, stop))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    wait_until(lambda: bool(errors) or simulator.transaction > 100)
    server.stop(number)
    time.sleep(0.3)
    server.start()
    reached = simulator.transaction
    wait_until(lambda: bool(errors) or simulator.transaction > reached + 100)
    stop.set()
    thread.join(30)
    assert not errors
    assert paces[0].reconnects > 0
    reference(other, tmp_path / "reference", simulator.transaction, PEOPLE, SEED, DEPARTMENTS)
    assert_same(dsns, tmp_path / "truth", other, tmp_path / "reference")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing goes on"
        time.sleep(0.02)


def test_a_rate_is_kept_without_drift(server: Server, tmp_path: Path) -> None:
    simulator = Simulator(server.empty(), PEOPLE, SEED, tmp_path)
    simulator.load()
    pace = simulator.run(100, 3, threading.Event())
    assert 250 <= pace.rows <= pace.due + 20


def test_tables_of_somebody_else_are_left_alone(server: Server, tmp_path: Path) -> None:
    dsns = server.empty()
    Simulator(dsns, PEOPLE, SEED, tmp_path / "ours").load()
    before = contents(dsns)
    with pytest.raises(TerminalError, match="rows that are not this simulator's"):
        Simulator(dsns, PEOPLE, SEED + 1, tmp_path / "theirs").load()
    assert contents(dsns) == before


def test_a_table_that_somebody_else_changed_is_noticed(server: Server, tmp_path: Path) -> None:
    dsns = server.empty()
    simulator = Simulator(dsns, PEOPLE, SEED, tmp_path)
    simulator.load()
    with psycopg.connect(dsns["hrss"]) as connection:
        connection.execute("DELETE FROM ac01")
    with pytest.raises(TerminalError, match="somebody else"):
        run(Simulator(dsns, PEOPLE, SEED, tmp_path), 3000)


def test_half_a_schema_is_refused(server: Server) -> None:
    dsns = server.empty()
    for department in DEPARTMENTS:
        schema.create(dsns[department], department)
        schema.create(dsns[department], department)
    with psycopg.connect(dsns["police"]) as connection:
        connection.execute("DROP TABLE ldrk_jzz")
    with pytest.raises(TerminalError, match="but not ldrk_jzz"):
        schema.create(dsns["police"], "police")


def test_the_command_fills_changes_and_ends_on_ctrl_c(server: Server, tmp_path: Path) -> None:
    given = [f"--dsn={department}={dsn}" for department, dsn in server.empty().items()]
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "simulate",
        "--people",
        "300",
        "--json",
        f"--data={tmp_path}",
        *given,
    ]
    running = subprocess.Popen(
        [*command, "--rate=200"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    progress = tmp_path / "truth" / "progress.json"
    wait_until(lambda: progress.exists() and b'"transaction":0' not in progress.read_bytes())
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert running.returncode == 0, errors.decode()
    assert output.count(b"\n") == 1
    assert b'"was_interrupted":true' in output
    again = subprocess.run([*command, "--rate=0"], capture_output=True, timeout=60, check=True)
    assert b'"filled_rows":{}' in again.stdout
    wrong = subprocess.run([*command, "--seed=2"], capture_output=True, timeout=60, check=False)
    assert wrong.returncode == 1
    assert b"seed 1, not 2" in wrong.stderr
