"""What a stage's next batch holds: everything that came while the last one was handled, in chunks of whatever size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streams.app import LONGEST_PAUSE, STAGE_PAUSE, Gathering, _Arrivals


class Chunk:
    """An event of a stream: ``count`` messages."""

    def __init__(self, count: int) -> None:
        self.value = ("message",) * count


def run(steps: Callable[[asyncio.Queue[Any], _Arrivals], Any], most: int) -> Any:
    """Run ``steps`` with a stream that gives what is put into the queue; an exception in it ends the stream."""

    async def main() -> Any:
        source: asyncio.Queue[Any] = asyncio.Queue()

        async def events() -> AsyncIterator[Any]:
            while True:
                item = await source.get()
                if isinstance(item, Exception):
                    raise item
                yield item

        arrivals = _Arrivals(events(), most)
        try:
            return await steps(source, arrivals)
        finally:
            arrivals.close()

    return asyncio.run(main())


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(1000):
        await asyncio.sleep(0)


def test_all_small_chunks_that_came_meanwhile_are_in_the_next_batch() -> None:
    async def steps(source: asyncio.Queue[Any], arrivals: _Arrivals) -> tuple[int, int]:
        source.put_nowait(Chunk(1))
        first = await arrivals.take(0.0)
        for _ in range(200):
            source.put_nowait(Chunk(1))
        await settled()  # a batch is being handled
        return len(first), len(await arrivals.take(0.0))

    assert run(steps, most=10_000) == (1, 200)


def test_a_stream_is_left_alone_when_a_whole_batch_waits() -> None:
    async def steps(source: asyncio.Queue[Any], arrivals: _Arrivals) -> list[int]:
        for _ in range(30):
            source.put_nowait(Chunk(40))
        await settled()
        left = [source.qsize()]
        while source.qsize() or len(left) < 2:
            batch = await arrivals.take(time.monotonic() + 60.0)
            assert sum(len(chunk.value) for chunk in batch) == 120
            await settled()
            left.append(source.qsize())
        return left

    # Chunks are whole: three of 40 messages fill a batch of 100.
    assert run(steps, most=100) == [27, 24, 21, 18, 15, 12, 9, 6, 3, 0]


def test_a_batch_that_is_not_full_starts_at_its_time() -> None:
    async def steps(source: asyncio.Queue[Any], arrivals: _Arrivals) -> tuple[int, float]:
        source.put_nowait(Chunk(1))
        started = time.monotonic()
        asyncio.get_running_loop().call_later(0.05, source.put_nowait, Chunk(1))
        batch = await arrivals.take(started + 0.3)
        return len(batch), time.monotonic() - started

    count, waited = run(steps, most=10)
    assert count == 2
    assert waited >= 0.3


def test_what_ends_a_stream_comes_after_what_it_gave() -> None:
    async def steps(source: asyncio.Queue[Any], arrivals: _Arrivals) -> None:
        source.put_nowait(Chunk(1))
        source.put_nowait(OSError("the stream is broken"))
        await settled()
        assert len(await arrivals.take(time.monotonic() + 60.0)) == 1
        with pytest.raises(OSError, match="the stream is broken"):
            await arrivals.take(0.0)

    run(steps, most=10)


def test_half_of_the_time_is_left_to_others_but_no_change_waits_longer_than_the_pause() -> None:
    gathering = Gathering(100, 0.25)
    assert gathering.next_start(10.0, 10.01) == 10.25
    assert gathering.next_start(10.0, 10.4) == pytest.approx(10.8)
    assert gathering.next_start(10.0, 13.0) == 10.0 + LONGEST_PAUSE


def test_a_batch_that_held_next_to_nothing_delays_the_next_by_no_more_than_any_stage() -> None:
    assert Gathering(100, 0.25).next_start(10.0, 10.01, light=True) == 10.0 + STAGE_PAUSE
    assert Gathering(100, 0.25).next_start(10.0, 10.4, light=True) == pytest.approx(10.8)
    assert Gathering(100, 0.05).next_start(10.0, 10.01, light=True) == 10.05
