"""The HTTP interface that every process of the hub has: liveness, readiness, metrics.

``/livez`` answers while the process runs; ``/readyz`` says 503 and why while it cannot do its work; ``/healthz`` is an
alias of ``/readyz``; ``/metrics`` is in the OpenMetrics format when the client asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

GRACE_SECONDS: Final = 3
"""How long requests under way may take at the end: a live page's stream would never end by itself."""

Check = Callable[[], str]


@dataclass(slots=True)
class Health:
    """Why a process is not ready: each check returns a sentence, empty when all is well."""

    checks: dict[str, Check] = field(default_factory=dict)

    def reasons(self) -> dict[str, str]:
        """Return the checks that fail and why."""
        return {name: reason for name, check in self.checks.items() if (reason := check())}


def application(title: str, health: Health) -> FastAPI:
    """Return an application with the health and metrics routes."""
    # The interactive documentation would load its scripts from elsewhere.
    app = FastAPI(title=title, docs_url=None, redoc_url=None)

    @app.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    @app.get("/healthz", include_in_schema=False)
    def readyz(response: Response) -> dict[str, object]:
        reasons = health.reasons()
        if reasons:
            response.status_code = 503
        return {"status": "not ready" if reasons else "ok", "reasons": reasons}

    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), media_type=content_type)

    return app


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has its own signal handling."""
        yield


class HttpServer:
    """Serves an application on a socket of its own until `stop`."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Bind at once, so that a port in use is an error at start. Raises OSError."""
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise OSError(
                error.errno, f"{host}:{port}: {error.strerror}; choose another with --port or RENKOU_PORT"
            ) from error
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve in the running loop."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        """Finish the requests under way and close the socket."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
