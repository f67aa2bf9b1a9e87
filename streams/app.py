"""The Faust application of a stage, with the settings that keep it from losing data.

Why each setting is as it is: docs/decisions/0005-faust-settings.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import faust
from mode import CrashingSupervisor

from streams.settings import Settings
from streams.transport import ChunkSchema

BUFFERED_CHUNKS: Final = 8
"""Chunks that wait in a stream's own buffer, in front of those that an agent has taken over: few enough to forget at
a rebalance."""
SESSION_TIMEOUT: Final = 10.0
"""Seconds after which the group gives a killed member's partitions up."""
MAX_POLL_INTERVAL: Final = 24 * 3600.0
"""Seconds a stage may wait for a store or broker that is away without being thrown out of its group."""
FETCH_BYTES: Final = 8 * 1024 * 1024

STAGE_PAUSE: Final = 0.1
"""Seconds between two batches of a stage that writes to Kafka: a flush and an fsync for some changes, not for each."""
LONGEST_PAUSE: Final = 1.0
"""Seconds a change waits at most for company."""

ChunksHandler = Callable[[Sequence[Sequence[Any]]], Awaitable[bool | None]]
"""Handles a batch; True says that it held next to nothing, so that there is nothing to be saved by waiting for more."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How an agent collects chunks: ``messages`` at most in a batch, ``pause`` seconds at least between two starts.

    A stage never pays more than about half of its time for batches that are not full: after one that took t seconds
    the next starts no sooner than 2 t after it did, but a second later at the latest. A stage whose pause is longer
    than others' makes only theirs after a batch that held next to nothing.
    """

    messages: int
    pause: float

    def next_start(self, started: float, ended: float, light: bool = False) -> float:
        """Return when the batch after one that ran from ``started`` to ``ended``, a ``light`` one or not, may start."""
        pause = min(self.pause, STAGE_PAUSE) if light else self.pause
        return started + max(pause, min(2 * (ended - started), LONGEST_PAUSE))


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
        arrivals = _Arrivals(stream.noack().events(), gathering.messages)
        start = 0.0
        try:
            while True:
                events = await arrivals.take(start)
                began = time.monotonic()
                light = await handler([event.value for event in events])
                start = gathering.next_start(began, time.monotonic(), bool(light))
                for event in events:
                    event.ack()
        finally:
            arrivals.close()

    app.agent(source, concurrency=1)(consume)


class _Arrivals:
    """Chunks that wait for the next batch, ``most`` messages of them at least before a stream is left alone.

    They are taken over from the stream while a batch is being handled. What waited further back, in a buffer of a fixed
    number of chunks, would miss the next batch as well: chunks are small when changes come one by one.
    """

    def __init__(self, events: AsyncIterator[Any], most: int) -> None:
        self._events = events
        self._most = most
        self._waiting: deque[Any] = deque()
        self._messages = 0
        self._room = asyncio.Event()
        self._change = asyncio.Event()
        self._pumping = asyncio.ensure_future(self._pump())
        self._pumping.add_done_callback(lambda _: self._change.set())

    async def _pump(self) -> None:
        async for event in self._events:
            self._waiting.append(event)
            self._messages += len(event.value)
            self._change.set()
            while self._messages >= self._most:
                self._room.clear()
                await self._room.wait()

    async def take(self, start: float) -> list[Any]:
        """Return what waits at ``start`` (monotonic seconds), or when a batch is full; at least one chunk.

        Raises what ended the stream when it has ended and nothing waits.
        """
        while not self._waiting:
            await self._changed(None)
        while self._messages < self._most and not self._pumping.done():
            left = start - time.monotonic()
            if left <= 0:
                break
            await self._changed(left)
        taken: list[Any] = []
        size = 0
        while self._waiting and size < self._most:
            event = self._waiting.popleft()
            taken.append(event)
            size += len(event.value)
        self._messages -= size
        self._room.set()
        return taken

    async def _changed(self, timeout: float | None) -> None:
        """Wait until a chunk comes, for ``timeout`` seconds at most."""
        if self._pumping.done() and not self._waiting:
            self._pumping.result()
            raise asyncio.CancelledError
        self._change.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._change.wait(), timeout)

    def close(self) -> None:
        """End the pump."""
        self._pumping.cancel()
