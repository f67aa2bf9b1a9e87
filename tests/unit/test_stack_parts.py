"""The parts of the one-machine stack that need no service: ports, jars, logs, passwords, the folder's lock."""

from __future__ import annotations

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors import endpoints
from connectors.errors import StackError
from connectors.stack import Event, State, connect, jars, java, local, logs, ports, secrets


def test_ports_are_distinct_remembered_and_outside_the_ephemeral_range(tmp_path: Path) -> None:
    names = ("kafka", "connect", "store")
    first = ports.allocate(tmp_path, names)
    assert len(set(first.values())) == len(names)
    assert ports.allocate(tmp_path, names) == first
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if ephemeral > ports.LOWEST + 1000:
        assert all(ports.LOWEST <= port < ephemeral for port in first.values())


def test_a_port_that_somebody_took_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    first = ports.allocate(tmp_path, ("kafka", "connect"))
    with socket.create_server((ports.HOST, first["kafka"])):
        second = ports.allocate(tmp_path, ("kafka", "connect"))
    assert second["kafka"] != first["kafka"]
    assert second["connect"] == first["connect"]


def test_a_damaged_port_file_names_itself(tmp_path: Path) -> None:
    (tmp_path / ports.FILE_NAME).write_text("{")
    with pytest.raises(StackError, match=r"ports\.json.*remove the file"):
        ports.allocate(tmp_path, ("kafka",))


def test_the_lock_names_every_jar_once_with_its_digest() -> None:
    locked = jars.locked()
    assert len({jar.file_name for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert {jar.use for jar in locked} == {"kafka", "mariadb", "registry"}


def test_missing_jars_are_an_error_that_says_how_to_get_them(tmp_path: Path) -> None:
    for jar in jars.locked()[1:]:
        jar.path(tmp_path).touch()
    assert [jar.file_name for jar in jars.missing(tmp_path)] == [jars.locked()[0].file_name]
    with pytest.raises(StackError, match=r"1 jars .* connectors\.stack\.fetch"):
        jars.require(tmp_path)


def test_a_fetch_that_finds_everything_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jars.MIRROR_VARIABLE, "http://127.0.0.1:1")
    for jar in jars.locked():
        jar.path(tmp_path).touch()
    assert jars.fetch(lambda *_: None, tmp_path) == 0


def test_a_fetch_without_network_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(jars.MIRROR_VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setattr(jars, "ATTEMPTS", 1)
    with pytest.raises(StackError, match=r"cannot download .*ConnectionError.*check the network"):
        jars.fetch(lambda *_: None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_file_that_is_not_the_locked_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"other")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(jars.MIRROR_VARIABLE, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(jars, "ATTEMPTS", 1)
    try:
        with pytest.raises(StackError, match="SHA-256 differs"):
            jars.fetch(lambda *_: None, tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert not list(tmp_path.glob("*.jar"))


def test_a_log_past_its_limit_is_moved_aside_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LIMIT_BYTES", 100)
    log = tmp_path / "kafka.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        logs.bound(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "kafka.log.1").read_bytes() == b"x" * 101


def test_the_cause_of_a_failure_is_taken_from_this_start_only(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("java.net.BindException: Address already in use\n")
    assert "port was taken" in logs.cause(log, 0)
    assert logs.cause(log, logs.size(log)) == ""
    assert logs.cause(tmp_path / "none.log", 0) == ""


def test_passwords_are_made_once_and_shown_to_nobody(tmp_path: Path) -> None:
    made = secrets.load(tmp_path)
    assert secrets.load(tmp_path) == made
    path = tmp_path / secrets.FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.administrator not in repr(made)
    assert made.capture not in repr(made)


def test_one_hub_a_folder(tmp_path: Path) -> None:
    assert local.owner(tmp_path) is None
    lock = local.acquire(tmp_path)
    try:
        running = local.owner(tmp_path)
        assert running is not None
        assert running.pid == os.getpid()
        with pytest.raises(StackError, match="already running on"):
            local.acquire(tmp_path)
    finally:
        os.close(lock)
    assert local.owner(tmp_path) is None
    os.close(local.acquire(tmp_path))


def test_properties_survive_java_s_syntax() -> None:
    text = java.property_file({"path": "C:\\x", "blank": " x", "lines": "a\nb"})
    assert text == "path=C:\\\\x\nblank=\\ x\nlines=a\\nb\n"


def test_the_plugin_path_holds_what_the_connectors_need(tmp_path: Path) -> None:
    connect.link_plugins(tmp_path / "plugins")
    linked = [path for path in (tmp_path / "plugins").rglob("*.jar") if path.is_symlink()]
    locked = sum(jar.use in connect.LOCKED.values() for jar in jars.locked())
    assert len(linked) == sum(len(names) for names in connect.PLUGINS.values()) + locked
    assert all(path.resolve().is_file() for path in linked)
    connect.link_plugins(tmp_path / "plugins")
    assert len(list((tmp_path / "plugins").rglob("*.jar"))) == len(linked) + len(connect.MANIFESTS)


def test_the_caller_and_a_restart_may_publish_at_the_same_time(tmp_path: Path) -> None:
    stack = local.LocalStack(tmp_path)
    stack.ports = dict.fromkeys(local.PORTS, 1)
    stack.publish()

    def restarts() -> None:
        for _ in range(50):
            stack._record(Event(0.0, "store", State.READY))

    with ThreadPoolExecutor(2) as pool:
        keeper = pool.submit(restarts)
        for _ in range(50):
            stack.publish()
        keeper.result()
    assert endpoints.load(tmp_path) == stack.endpoints()
