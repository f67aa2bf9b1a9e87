"""The push process: HTTP in, the feeds' own topics out. It keeps nothing: a client sends again what was not accepted.

A process of its own, because it is the one part that outsiders reach: it can be stopped, limited and placed at the edge
without touching what normalizes.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import structlog

from connectors.feeds import Catalog
from monitoring.http import Health, HttpServer, application
from streams.errors import BrokerUnavailableError, TopicMissingError
from streams.process import check_topics
from streams.producer import Producer
from streams.push import Outbox, Tokens, router
from streams.settings import Settings

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
"""Between two looks for a broker or topics that are not there yet."""


async def run(settings: Settings, catalog: Catalog) -> int:
    """Run the process until SIGTERM or SIGINT; return the exit code. Raises SettingError, OSError."""
    tokens = Tokens(settings.push_tokens, catalog)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    producer = Producer(settings.broker)
    outbox = Outbox(producer)
    waiting = "starting"
    health = Health()
    health.checks["topics"] = lambda: waiting
    health.checks["broker"] = lambda: "the broker does not take messages" if producer.waiting else ""
    api = application("renkou push", health)
    api.include_router(router(catalog, tokens, outbox))
    http = HttpServer(api, settings.host, settings.port)
    log.info("push channel", url=http.url)
    topics = [feed.topic for feed in catalog.feeds if feed.push]
    await http.start()
    sending = asyncio.create_task(outbox.run())
    try:
        while waiting and not stop.is_set():
            try:
                await asyncio.to_thread(check_topics, settings.broker, topics)
                waiting = ""
            except (BrokerUnavailableError, TopicMissingError) as error:
                if waiting != str(error):
                    log.warning("waiting", process="push", reason=str(error))
                waiting = str(error)
                await _pause(stop, LOOK_SECONDS)
        stopping = asyncio.create_task(stop.wait())
        # The outbox ends only by a defect: then the process ends, and whoever supervises it starts it again.
        await asyncio.wait({stopping, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        return 0
    finally:
        sending.cancel()
        await http.stop()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
