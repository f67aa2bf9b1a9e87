"""The batch transport: Faust agents that receive chunks instead of single messages.

Stock Faust makes four tasks a message. Here each fetched run of messages of one partition travels through Faust as one
message whose value is the tuple of the consumer records and whose offset is the last one's: one delivery, one
acknowledgement. It is registered as the transport ``batch`` (``batch://host:port``) by an entry point.

Two things differ from stock on purpose, because both lose data there:

* The commit follows a queue of delivered chunks and never passes one that is not acknowledged. Stock infers it from
  gaps between numbers and, before the first commit, can jump over a hole.
* Chunks that were delivered but not processed when partitions are revoked are forgotten and fetched again.

This relies on internals of faust-streaming 0.15 (``_drain_messages``, ``_new_offset``, ``_wait_next_records``) and of
aiokafka 0.12 to 0.14 (``_fetch_min_bytes``, ``_fetch_max_wait_ms``); both are pinned and
``tests/unit/test_transport.py`` holds the contract.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, cast

from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from faust.types.tuples import ConsumerMessage

FETCH_TIMEOUT: Final = 1.0
"""Seconds one fetch waits for data; bounds how long a stop takes."""
FETCH_BYTES: Final = 64 * 1024
FETCH_WAIT_MS: Final = 100
"""A broker answers a fetch when it has so many bytes, or so late. Changes come one by one: answered at once, each would
cost a request that names every partition, and a stage would spend more on asking than on its work. It is an upper
bound as well: a partition whose data lie waiting is not asked for, and the next request waits for this one's answer."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches, with patience; faust-streaming has no settings for it."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        made = super()._create_worker_consumer(transport)
        made._fetch_min_bytes = FETCH_BYTES
        made._fetch_max_wait_ms = FETCH_WAIT_MS
        return made


class Consumer(driver.Consumer):
    """A consumer that delivers chunks."""

    _delivered: dict[TP, deque[Any]]

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _reset_state(self) -> None:
        super()._reset_state()
        self._delivered = {}

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped = self._stopped.is_set
        fetcher_stopped = fetcher._stopped.is_set
        try:
            while not (stopped() or fetcher_stopped()):
                generation = self.app.consumer_generation_id
                records, active = await self._wait_next_records(FETCH_TIMEOUT)
                if not records:
                    # A fetch that returns at once must still let the others run.
                    await asyncio.sleep(0)
                    continue
                for tp, run in records.items():
                    if not self.flow_active or self.app.consumer_generation_id != generation:
                        break  # a rebalance began: what is left is fetched again from the committed offset
                    if run and (active is None or tp in active):
                        await self._deliver(tp, run)
                if not self.flow_active:
                    await self.perform_seek()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _deliver(self, tp: TP, run: list[Any]) -> None:
        last = run[-1]
        message = ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=last.timestamp_type,
            headers=[],
            key=None,
            value=tuple(run),
            checksum=None,
            tp=tp,
            # Streams drop messages of another generation than the current one.
            generation_id=self.app.consumer_generation_id,
        )
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        self._delivered.setdefault(tp, deque()).append(message)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        self._read_offset[tp] = last.offset

    async def perform_seek(self) -> None:
        # Everything from the committed offset on is fetched again, also what streams have dropped meanwhile.
        self._delivered.clear()
        await super().perform_seek()

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: behind the last chunk that is acknowledged together with all before it."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        queue = self._delivered.get(tp)
        offset: int | None = None
        while queue and queue[0].acked:
            offset = queue.popleft().offset + 1
        return offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # What is acknowledged is durable: committing it now saves doing it again elsewhere.
        await self.commit(revoked)
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._delivered.pop(tp, None)

    async def _seek(self, partition: TP, offset: int) -> None:
        self._delivered.pop(partition, None)
        await super()._seek(partition, offset)

    async def seek_wait(self, partitions: Any) -> None:
        for tp in partitions:
            self._delivered.pop(tp, None)
        await super().seek_wait(partitions)


class Transport(driver.Transport):
    """Kafka through aiokafka, in chunks."""

    Consumer = Consumer


class ChunkSchema(Schema):
    """Hands chunks to the agents as they are: decoding is ours, because a decode error in Faust acknowledges first."""

    def loads_key(self, app: AppT, message: Any, **kwargs: Any) -> Any:
        return None

    def loads_value(self, app: AppT, message: Any, **kwargs: Any) -> Any:
        return cast(tuple[Any, ...], message.value)
