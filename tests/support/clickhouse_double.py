"""A TEST DOUBLE of a ClickHouse server: its HTTP interface, as far as the writer needs it, over the embedded engine.

It is no server: no users, no progress, no asynchronous inserts, one query at a time. It exists for what cannot be had
on one machine otherwise: the faults of `FAULTS`, each of which strikes the next INSERTs only.

Usage: python -m tests.support.clickhouse_double FOLDER PORT. Prints ``ready`` when it listens. ``POST
/fault?name=…&count=…`` arms a fault; ``GET /inserts`` tells how many INSERTs have come and how many were done.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

FAULTS = (
    "hang_after_commit",  # it is done, and no answer comes: the client's time-out
    "reset_after_commit",  # it is done, and the connection is reset before the answer
    "reset_mid_insert",  # half of the body is read, then the connection is reset
    "error_500",  # nothing is done
    "too_many_parts",  # an exception of ClickHouse's own that passes
    "slow",  # it is done, a second later
)
HANG_SECONDS = 30.0
SLOW_SECONDS = 1.0
_OWN = (
    "query",
    "database",
    "wait_end_of_query",
    "session_id",
    "query_id",
    "buffer_size",
    "default_format",
    "readonly",
)
_READY = 60.0


class _Server:
    """The engine behind the interface, and what is to go wrong."""

    def __init__(self, folder: Path) -> None:
        import chdb

        self.connection = chdb.connect(str(folder / "engine"))
        self.body = folder / "body"
        self.lock = threading.Lock()
        self.fault, self.count = "", 0
        self.came, self.done = 0, 0

    def take_fault(self) -> str:
        with self.lock:
            if self.count == 0:
                return ""
            self.count -= 1
            return self.fault

    def run(
        self,
        text: str,
        settings: dict[str, str],
        parameters: dict[str, str],
        database: str,
        body: bytes | None,
    ) -> bytes:
        with self.lock:
            for name, value in settings.items():
                self.connection.query(f"SET {name} = '{value}'")
            if database:
                self.connection.query(f"USE {database}")
            if body is None:
                return self.connection.query(text, "TabSeparated", params=parameters).bytes() or b""
            self.body.write_bytes(body)
            head, _, output = text.rpartition(" FORMAT ")
            self.connection.query(f"{head} FROM INFILE '{self.body}' FORMAT {output}")
            self.done += 1
            return b""


def _handler(server: _Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.serve()

        def do_POST(self) -> None:
            self.serve()

        def serve(self) -> None:
            address = urlsplit(self.path)
            arguments = {name: values[-1] for name, values in parse_qs(address.query).items()}
            if address.path == "/ping":
                self.answer(200, b"Ok.\n")
            elif address.path == "/fault":
                server.fault, server.count = arguments["name"], int(arguments["count"])
                self.answer(200, b"")
            elif address.path == "/inserts":
                self.answer(200, json.dumps({"came": server.came, "done": server.done}).encode())
            else:
                self.query(arguments)

        def query(self, arguments: dict[str, str]) -> None:
            text = arguments.get("query", "")
            is_insert = text.startswith("INSERT") and " FORMAT " in text
            fault = ""
            if is_insert:
                server.came += 1
                fault = server.take_fault()
            if fault == "reset_mid_insert":
                self.rfile.read(int(self.headers.get("Content-Length", "2")) // 2)
                return self.reset()
            if fault == "error_500":
                self.content()
                return self.answer(500, b"overloaded\n")
            if fault == "too_many_parts":
                self.content()
                return self.answer(
                    500, b"Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)\n", code="252"
                )
            body = self.content()
            if fault == "slow":
                time.sleep(SLOW_SECONDS)
            if not is_insert:
                text, body = "\n".join(filter(None, (text, body.decode()))), b""
            settings = {
                name: value
                for name, value in arguments.items()
                if name not in _OWN and not name.startswith("param_")
            }
            parameters = {
                name.removeprefix("param_"): value
                for name, value in arguments.items()
                if name.startswith("param_")
            }
            output = arguments.get("default_format")
            if output and not is_insert and " FORMAT " not in text:
                text += f" FORMAT {output}"
            try:
                result = server.run(
                    text, settings, parameters, arguments.get("database", ""), body if is_insert else None
                )
            except RuntimeError as error:
                message = str(error)
                code = message.partition("Code: ")[2].partition(".")[0] or "1001"
                return self.answer(500, message.encode(), code=code)
            if fault == "hang_after_commit":
                time.sleep(HANG_SECONDS)
                return self.reset()
            if fault == "reset_after_commit":
                return self.reset()
            return self.answer(200, result)

        def content(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))

        def answer(self, status: int, body: bytes, code: str = "") -> None:
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-ClickHouse-Summary", "{}")
                self.send_header("X-ClickHouse-Timezone", "UTC")
                if code:
                    self.send_header("X-ClickHouse-Exception-Code", code)
                self.end_headers()
                self.wfile.write(body)

        def reset(self) -> None:
            # A lingering time of zero makes close() a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            self.rfile = self.wfile = open(os.devnull, "rb+")  # noqa: SIM115 - the handler closes it

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Double:
    """The double as a process of its own: one process can have one engine. ``url`` is what a client is told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on what it has; returns when it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.clickhouse_double", str(self._folder), str(self.port)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._process = None

    def arm(self, fault: str, count: int = 1) -> None:
        """Let the next ``count`` INSERTs run into a fault."""
        assert fault in FAULTS
        query = urlencode({"name": fault, "count": count})
        with urlopen(Request(f"{self.url}/fault?{query}", data=b""), timeout=_READY):
            pass

    def inserts(self) -> dict[str, int]:
        """Return how many INSERTs have come and how many were done."""
        with urlopen(f"{self.url}/inserts", timeout=_READY) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def close(self) -> None:
        """Stop it."""
        if self._process is not None:
            self.kill()


def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(_Server(folder)))
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
