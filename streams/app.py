"""The Faust application of a stage, with the settings that keep it from losing data.

Why each setting is as it is: docs/decisions/0005-faust-settings.md.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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

STAGE_PAUSE: Final = 0.03
"""Seconds between two batches of a stage that writes to Kafka: a flush and an fsync for some changes, not for each."""
LONGEST_PAUSE: Final = 1.0
"""Seconds a change waits at most for company."""

ChunksHandler = Callable[[Sequence[Sequence[Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Gathering:
    """How an agent collects chunks: ``messages`` at most in a batch, ``pause`` seconds at least between two starts.

    A stage never pays more than about half of its time for batches that are not full: after one that took t seconds
    the next starts no sooner than 2 t after it did, but a second later at the latest.
    """

    messages: int
    pause: float

    def next_start(self, started: float, ended: float) -> float:
        """Return when the batch after one that ran from ``started`` to ``ended`` may start."""
        return started + max(self.pause, min(2 * (ended - started), LONGEST_PAUSE))


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


def chunks_agent(app: faust.App, topics: Sequence[str], handler: ChunksHandler, gathering: Gathering) -> None:
    """Add an agent that hands waiting chunks to ``handler`` and acknowledges them when the handler has returned."""
    source = app.topic(*topics, schema=ChunkSchema())

    async def consume(stream: Any) -> None:
        waiting: asyncio.Queue[Any] = asyncio.Queue(maxsize=BUFFERED_CHUNKS)

        async def pump() -> None:
            async for event in stream.noack().events():
                await waiting.put(event)

        arrivals = _Arrivals(waiting, asyncio.ensure_future(pump()))
        start = 0.0
        try:
            while True:
                events = [await arrivals.next(None)]
                size = len(events[0].value)
                while size < gathering.messages:
                    event = await arrivals.next(start)
                    if event is None:
                        break
                    events.append(event)
                    size += len(event.value)
                began = time.monotonic()
                await handler([event.value for event in events])
                start = gathering.next_start(began, time.monotonic())
                for event in events:
                    event.ack()
        finally:
            arrivals.close()

    app.agent(source, concurrency=1)(consume)


class _Arrivals:
    """The events that a stream's pump puts into a queue; raises what ended the stream when it ends."""

    def __init__(self, waiting: asyncio.Queue[Any], pumping: asyncio.Future[None]) -> None:
        self._waiting = waiting
        self._pumping = pumping
        self._getting: asyncio.Future[Any] | None = None

    async def next(self, deadline: float | None) -> Any:
        """Return the next event; None when there is none by ``deadline`` (monotonic seconds), if one is given."""
        if self._getting is None:
            self._getting = asyncio.ensure_future(self._waiting.get())
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        # The get stays pending over a time-out: cancelling it could lose the event it was about to return.
        done, _ = await asyncio.wait(
            {self._getting, self._pumping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if self._getting in done:
            event = self._getting.result()
            self._getting = None
            return event
        if self._pumping in done:
            self._pumping.result()
            raise asyncio.CancelledError
        return None

    def close(self) -> None:
        """End the pump."""
        self._pumping.cancel()
        if self._getting is not None:
            self._getting.cancel()
