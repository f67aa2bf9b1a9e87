"""One process of the hub: its HTTP interface first, then what it waits for, then its Faust application.

The process ends with 0 on SIGTERM or SIGINT and with 1 when the application crashed; whoever supervises it starts it
again, and it continues from the committed offset.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import faust
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from faust.exceptions import ConsumerNotStarted

from avro.errors import RegistryUnavailableError
from monitoring.http import Health, HttpServer
from streams.errors import BrokerUnavailableError, TopicMissingError
from streams.logs import describe

log = structlog.get_logger()

RETRY_SECONDS: Final = 1.0
"""Between two looks for a broker or registry that is away."""
ADMIN_TIMEOUT: Final = 5.0
STOP_SECONDS: Final = 15.0
"""How long a stopping application may take to commit before it is left behind."""


def check_topics(bootstrap: str, wanted: Sequence[str]) -> None:
    """Raise TopicMissingError or BrokerUnavailableError unless every topic exists."""
    try:
        existing = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=ADMIN_TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailableError(
            f"Kafka at {bootstrap} does not answer; is it running, is RENKOU_BROKER right?"
        ) from error
    missing = [topic for topic in wanted if topic not in existing]
    if missing:
        raise TopicMissingError(
            f"topics do not exist: {', '.join(missing)}; create them with renkou connect apply"
        )


class Process:
    """Runs one stage."""

    def __init__(self, name: str, http: HttpServer, health: Health) -> None:
        self._name = name
        self._http = http
        self._waiting = "starting"
        self._app: faust.App | None = None
        self._stop = asyncio.Event()
        health.checks["stage"] = lambda: self._waiting
        health.checks["partitions"] = self._assignment

    def _assignment(self) -> str:
        app = self._app
        try:
            assigned = app is not None and not app.rebalancing and bool(app.consumer.assignment())
        except ConsumerNotStarted:
            assigned = False
        return "" if assigned else "no partitions assigned yet"

    async def run(self, start: Callable[[], Awaitable[faust.App]]) -> int:
        """Serve, build the application with ``start`` (repeated while it raises for what is away), run it.

        Returns the exit code.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        await self._http.start()
        try:
            app = await self._build(start)
            if app is None:
                return 0
            return await self._run_app(app)
        finally:
            await self._http.stop()

    async def _build(self, start: Callable[[], Awaitable[faust.App]]) -> faust.App | None:
        while not self._stop.is_set():
            try:
                return await start()
            except (BrokerUnavailableError, RegistryUnavailableError, TopicMissingError) as error:
                if self._waiting != str(error):
                    log.warning("waiting", process=self._name, reason=str(error))
                self._waiting = str(error)
                await _wait(self._stop, RETRY_SECONDS)
        return None

    async def _run_app(self, app: faust.App) -> int:
        self._app = app
        await app.start()
        self._waiting = ""
        log.info("running", process=self._name, url=self._http.url)
        ends = [asyncio.ensure_future(event.wait()) for event in (self._stop, app._crashed, app._stopped)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        crash = app.crash_reason
        if crash is not None:
            log.error("crashed", process=self._name, error=describe(crash))
        try:
            await asyncio.wait_for(app.stop(), STOP_SECONDS)
        except TimeoutError:
            log.warning("did not stop in time; what was not committed is done again", process=self._name)
        return 1 if crash is not None or not self._stop.is_set() else 0


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
