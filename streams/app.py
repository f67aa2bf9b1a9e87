"""The Faust application of a stage, with the settings that keep it from losing data.

Why each setting is as it is: docs/decisions/0005-faust-settings.md.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import faust
from mode import CrashingSupervisor

from streams.settings import Settings
from streams.transport import ChunkSchema

BUFFERED_CHUNKS: Final = 8
"""Chunks that wait in front of an agent: enough to keep it busy, few enough to forget at a rebalance."""
SESSION_TIMEOUT: Final = 10.0
"""Seconds after which the group gives a killed member's partitions up."""
MAX_POLL_INTERVAL: Final = 24 * 3600.0
"""Seconds a stage may wait for a store or broker that is away without being thrown out of its group."""
FETCH_BYTES: Final = 8 * 1024 * 1024

GATHER_SECONDS: Final = 0.2
"""Least time between the starts of two batches: small batches cost the store more than they gain in latency."""

ChunkHandler = Callable[[Sequence[Any]], Awaitable[None]]
BatchHandler = Callable[[Sequence[Sequence[Any]]], Awaitable[None]]


def build(name: str, group: str, settings: Settings, datadir: str) -> faust.App:
    """Return the application of one stage; ``group`` is its consumer group."""
    return faust.App(
        group,
        broker=[f"batch://{server}" for server in settings.broker.split(",")],
        broker_max_poll_records=settings.chunk,
        broker_max_poll_interval=MAX_POLL_INTERVAL,
        broker_session_timeout=SESSION_TIMEOUT,
        broker_heartbeat_interval=SESSION_TIMEOUT / 4,
        broker_commit_interval=settings.commit_interval,
        broker_client_id=f"renkou-{name}",
        consumer_group_instance_id=f"renkou-{name}-{socket.gethostname()}-{settings.instance}",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        agent_supervisor=CrashingSupervisor,
        stream_buffer_maxsize=BUFFERED_CHUNKS,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        datadir=datadir,
        autodiscover=False,
    )


def chunk_agent(app: faust.App, topics: Sequence[str], handler: ChunkHandler) -> None:
    """Add an agent that hands each chunk to ``handler`` and acknowledges it when the handler has returned."""
    source = app.topic(*topics, schema=ChunkSchema())

    async def consume(stream: Any) -> None:
        async for event in stream.noack().events():
            await handler(event.value)
            event.ack()

    app.agent(source, concurrency=1)(consume)


def batch_agent(app: faust.App, topics: Sequence[str], handler: BatchHandler, limit: int) -> None:
    """Add an agent that hands all waiting chunks, about ``limit`` messages at most, to ``handler`` at once."""
    source = app.topic(*topics, schema=ChunkSchema())

    async def consume(stream: Any) -> None:
        waiting: asyncio.Queue[Any] = asyncio.Queue(maxsize=BUFFERED_CHUNKS)

        async def pump() -> None:
            async for event in stream.noack().events():
                await waiting.put(event)

        pumping = asyncio.ensure_future(pump())
        started = 0.0
        try:
            while True:
                events = [await _next(waiting, pumping)]
                await asyncio.sleep(started + GATHER_SECONDS - time.monotonic())
                started = time.monotonic()
                size = len(events[0].value)
                while size < limit and not waiting.empty():
                    events.append(waiting.get_nowait())
                    size += len(events[-1].value)
                await handler([event.value for event in events])
                for event in events:
                    event.ack()
        finally:
            pumping.cancel()

    app.agent(source, name="batches", concurrency=1)(consume)


async def _next(waiting: asyncio.Queue[Any], pumping: asyncio.Future[None]) -> Any:
    """Return the next event; raises what ended the stream when it ends."""
    getting = asyncio.ensure_future(waiting.get())
    done, _ = await asyncio.wait({getting, pumping}, return_when=asyncio.FIRST_COMPLETED)
    if getting in done:
        return getting.result()
    getting.cancel()
    pumping.result()
    raise asyncio.CancelledError
