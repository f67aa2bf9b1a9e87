"""A webhook's other side: takes notifications and keeps them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """What was posted, by path, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._bodies: dict[str, list[Any]] = {}

    def add(self, path: str, body: Any) -> None:
        with self._lock:
            self._bodies.setdefault(path, []).append(body)

    def bodies(self, path: str) -> list[Any]:
        with self._lock:
            return list(self._bodies.get(path, []))


@contextmanager
def listening() -> Iterator[Hook]:
    """Take posts on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.add(self.path, json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
