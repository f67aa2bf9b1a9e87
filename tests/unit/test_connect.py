"""Kafka Connect's REST interface, as far as it takes no Connect to see it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors import connect
from connectors.errors import TransientError
from connectors.patterns import literally


class _Config(BaseHTTPRequestHandler):
    rebalances = 0
    """How many answers more are the one that Connect gives in a rebalance."""

    def do_GET(self) -> None:
        if type(self).rebalances:
            type(self).rebalances -= 1
            self._answer(500, {"message": "Request cannot be completed because a rebalance is expected"})
            return
        tables = ",".join(
            [literally("public", "ac01"), literally("public", "odd,name"), literally("a", "b.c")]
        )
        known = self.path == "/connectors/renkou-hrss/config"
        self._answer(200 if known else 404, {"table.include.list": tables} if known else {"error_code": 404})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Config)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "schema", "table", "captured"),
    [
        ("renkou-hrss", "public", "ac01", True),
        ("renkou-hrss", "public", "odd,name", True),
        ("renkou-hrss", "a", "b.c", True),
        ("renkou-hrss", "public", "ac0", False),
        ("renkou-hrss", "public", "name", False),
        ("renkou-hrss", "other", "ac01", False),
        ("renkou-tax", "public", "ac01", False),
    ],
)
def test_a_table_is_captured_when_its_connector_names_it(
    address: str, name: str, schema: str, table: str, captured: bool
) -> None:
    assert connect.captures(address, name, schema, table) is captured


def test_a_rebalance_that_connect_calls_an_error_is_waited_for(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Config, "rebalances", 1)
    assert connect.captures(address, "renkou-hrss", "public", "ac01")
    assert _Config.rebalances == 0


def test_a_rebalance_without_end_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Config, "rebalances", 1000)
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.0)
    with pytest.raises(TransientError, match=r"HTTP 500.*try again"):
        connect.captures(address, "renkou-hrss", "public", "ac01")
