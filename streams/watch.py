"""The store process's view of the sources: evidence gathered every few seconds, served as ``/v1/status``."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from fastapi import APIRouter, Response

from connectors import debezium, endpoints
from connectors.errors import ConnectorError
from monitoring.status import Evidence, SourceStatus, StatusBoard
from streams.settings import Settings
from streams.sink import SourceBoard

log = structlog.get_logger()

INTERVAL: Final = 2.0
CONNECT_SECONDS: Final = 2.0


class Watch:
    """Gathers evidence for each department and keeps the board of states."""

    def __init__(self, settings: Settings, departments: Sequence[str], shared: SourceBoard) -> None:
        self._settings = settings
        self._departments = departments
        self._shared = shared
        self._board = StatusBoard()
        self._expected: frozenset[str] = frozenset()
        self.router = APIRouter()
        self.router.add_api_route(
            "/v1/status", self._answer, methods=["GET"], summary="State of every source"
        )

    def _answer(self) -> Response:
        return Response(msgspec.json.encode({"sources": self._sources()}), media_type="application/json")

    def _sources(self) -> list[SourceStatus]:
        return [source for source in self._board.sources() if source.department in self._expected]

    async def run(self) -> None:
        """Gather until cancelled."""
        while True:
            await asyncio.to_thread(self._gather)
            await asyncio.sleep(INTERVAL)

    def _gather(self) -> None:
        connectors = self._connectors()
        running = endpoints.load(self._settings.data)
        sources = running.sources if running is not None else {}
        # On one machine it is known which sources run; elsewhere every captured department is expected to.
        self._expected = frozenset(name for name in self._departments if not sources or name in sources)
        for department in self._expected:
            state = None if connectors is None else connectors.get(department, "missing")
            self._board.update(
                department,
                Evidence(
                    now=time.time_ns() // 1000,
                    frontiers=dict(self._shared.frontiers.get(department, {})),
                    connector=state,
                    source_reachable=_reachable(sources[department]) if department in sources else None,
                    sink_error=self._shared.sink_error,
                ),
            )
        noted = time.time_ns() // 1000
        for source in self._sources():
            self._shared.states[source.department] = (source.state.value, source.since, noted)

    def _connectors(self) -> dict[str, str] | None:
        """Return each department's connector state, None when no Connect is configured."""
        if not self._settings.connect:
            return None
        try:
            known = {connector.name: connector for connector in debezium.status(self._settings.connect)}
        except ConnectorError:
            return dict.fromkeys(self._departments, "unreachable")
        states: dict[str, str] = {}
        for department in self._departments:
            connector = known.get(debezium.connector_name(department))
            if connector is not None:
                unwell = [task for task in connector.tasks if task != "RUNNING"]
                states[department] = unwell[0] if unwell else connector.state
        return states


def _reachable(dsn: str) -> bool:
    """Return whether something accepts connections at the DSN's address."""
    address = urlsplit(dsn)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
