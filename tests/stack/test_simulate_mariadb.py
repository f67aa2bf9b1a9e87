"""The simulator on real MariaDB databases: neither its own death nor the server's leaves a trace in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from connectors import mariadb
from connectors.errors import TerminalError
from connectors.simulate import Pace, Simulator, columns, schema
from connectors.simulate.session_mariadb import open_pair
from connectors.simulate.tables import TABLES
from connectors.simulate.truth import MENTIONS, PERSONS
from connectors.stack import State, Supervisor, lacks, ports
from connectors.stack import mariadb as stacked
from tests.support.undisturbed import reference

pytestmark = [pytest.mark.stack, pytest.mark.skipif(bool(lacks("mariadb")), reason=lacks("mariadb") or "-")]

DEPARTMENTS = ("edu", "medins")
PEOPLE = 200
SEED = 12
PASSWORD = "simulated"
PATIENCE = 300.0
"""Seconds for what takes one or two on a machine that has nothing else to do."""


class Server:
    """A MariaDB of this module's own, started again when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._port = ports.allocate(folder, ["mariadb"])["mariadb"]
        self.supervisor = Supervisor(folder, [stacked.spec(folder, self._port, PASSWORD)])
        self.supervisor.start()
        self.supervisor.wait_ready(["mariadb"])
        self._databases = 0

    def empty(self) -> dict[str, str]:
        """Return the addresses of new databases, by department."""
        self._databases += 1
        names = {department: f"{department}{self._databases}" for department in DEPARTMENTS}
        stacked.ensure_databases(self._port, PASSWORD, list(names.values()))
        return {department: stacked.dsn(self._port, name, PASSWORD) for department, name in names.items()}

    def kill(self) -> None:
        """Kill it, and return when another one serves."""
        (before,) = self.supervisor.status()
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)

        def is_back() -> bool:
            (now,) = self.supervisor.status()
            return now.state is State.READY and now.starts > before.starts

        wait_until(is_back)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Under root the server has another account, to which pytest's own folders are closed.
    with TemporaryDirectory(prefix="renkou-simulate-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        running = Server(folder)
        try:
            yield running
        finally:
            running.supervisor.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing goes on"
        time.sleep(0.02)


def contents(dsns: dict[str, str]) -> dict[str, object]:
    """Return all rows of all tables in the order of their keys."""
    found: dict[str, object] = {}
    for table in TABLES:
        if table.department in dsns:
            with (
                closing(mariadb.connect(dsns[table.department])) as connection,
                connection.cursor() as cursor,
            ):
                order = ", ".join(f"`{name}`" for name in table.key)
                cursor.execute(f"SELECT * FROM {table.name} ORDER BY {order}")
                found[table.name] = cursor.fetchall()
    return found


def assert_undisturbed(server: Server, dsns: dict[str, str], folder: Path, transactions: int) -> None:
    """Compare tables and truth with those of a simulator that nothing disturbs, up to a transaction."""
    other, truth_folder = server.empty(), folder / "reference"
    reference(other, truth_folder, transactions, PEOPLE, SEED, DEPARTMENTS)
    assert contents(dsns) == contents(other)
    for name in (PERSONS, MENTIONS):
        assert (folder / "truth" / name).read_bytes() == (truth_folder / name).read_bytes(), name


CHILD = """
import sys, threading
from pathlib import Path
from connectors.simulate import Simulator

people, seed, truth, *dsns = sys.argv[1:]
simulator = Simulator(dict(item.split("=", 1) for item in dsns), int(people), int(seed), Path(truth))
print("filling", flush=True)
simulator.load()
told = []
simulator.run(500, None, threading.Event(), lambda pace: told or told.append(print("changing", flush=True)))
"""


def test_neither_its_own_death_nor_the_servers_leaves_a_trace(server: Server, tmp_path: Path) -> None:
    dsns, truth = server.empty(), tmp_path / "truth"
    addresses = [f"{department}={dsn}" for department, dsn in dsns.items()]
    for said in (b"filling\n", b"changing\n"):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(PEOPLE), str(SEED), str(truth), *addresses],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        with child.stdout:
            while child.stdout.readline() != said:
                assert child.poll() is None, "it ended by itself"
            child.kill()
        assert child.wait(PATIENCE) == -signal.SIGKILL
    simulator = Simulator(dsns, PEOPLE, SEED, truth)
    simulator.load()
    stop = threading.Event()
    paces: list[Pace] = []
    errors: list[BaseException] = []

    def change() -> None:
        try:
            paces.append(simulator.run(500, None, stop))
        except BaseException as error:
            errors.append(error)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        begun = simulator.transaction
        wait_until(lambda: bool(errors) or simulator.transaction > begun + 50)
        server.kill()
        reached = simulator.transaction
        wait_until(lambda: bool(errors) or simulator.transaction > reached + 50)
    finally:
        stop.set()
        changing.join(PATIENCE)
    assert not errors
    assert paces[0].reconnects > 0
    assert all(paces[0].by_department.values())
    assert_undisturbed(server, dsns, tmp_path, simulator.transaction)


def test_another_simulators_database_is_left_alone(server: Server, tmp_path: Path) -> None:
    dsns = server.empty()
    Simulator(dsns, PEOPLE, SEED, tmp_path / "ours").load()
    before = contents(dsns)
    assert before["xs_xjxx"]
    assert before["psn_info_b"]
    with pytest.raises(TerminalError, match="rows that are not this simulator's"):
        Simulator(dsns, PEOPLE, SEED + 1, tmp_path / "theirs").load()
    assert contents(dsns) == before


def test_two_simulators_do_not_change_one_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.simulate.session_mariadb.OTHERS_END", 0.1)
    address = server.empty()["edu"]
    first = open_pair(address, "edu")
    try:
        with pytest.raises(TerminalError, match="another simulator"):
            open_pair(address, "edu")
    finally:
        for session in first:
            session.close()
    monkeypatch.setattr("connectors.simulate.session_mariadb.OTHERS_END", PATIENCE)
    for session in open_pair(address, "edu"):
        session.close()


def test_tables_that_an_interrupted_start_left_out_are_made(server: Server) -> None:
    address = server.empty()["medins"]
    mariadb.run_script(address, columns.statements("medins")["psn_info_b"])
    schema.create(address, "medins")
    schema.create(address, "medins")
    mariadb.run_script(address, "DROP TABLE psn_info_b")
    with pytest.raises(TerminalError, match="but not psn_info_b"):
        schema.create(address, "medins")
