"""The normalize process: captured topics in, ``renkou.records`` and frontier marks out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import faust

from avro.envelope import EnvelopeDecoder
from avro.registry import ConfluentRegistry
from connectors.feeds import Catalog
from monitoring import metrics
from monitoring.http import Health, HttpServer, application
from streams import app as faust_app
from streams import topics
from streams.app import STAGE_PAUSE, Gathering
from streams.frontiers import Frontiers, now
from streams.normalize import NormalizeAgent, Normalizer, heartbeat_time
from streams.process import Process, check_topics
from streams.producer import Producer
from streams.schemas import TopicSchemas, department_names, input_topics
from streams.settings import Settings

FRONTIER_SECONDS: Final = 0.1
"""Between two notes of where topics end that change: what a frontier is exact to under load, beside an instant."""
MILLI: Final = 1000


async def run(settings: Settings, catalog: Catalog) -> int:
    """Run the stage; return the exit code."""
    health = Health()
    http = HttpServer(application("renkou normalize", health), settings.host, settings.port)
    process = Process("normalize", http, health)
    producer = Producer(settings.broker)
    health.checks["broker"] = lambda: "the broker does not take messages" if producer.waiting else ""
    inputs = input_topics(catalog)
    departments = {topics.heartbeat(department): department for department in department_names(catalog)}

    async def start() -> faust.App:
        check_topics(settings.broker, [*inputs, topics.RECORDS, topics.DEAD_LETTERS])
        registry = ConfluentRegistry(settings.registry)
        schemas = await asyncio.to_thread(TopicSchemas, registry, catalog)
        decoder = EnvelopeDecoder(registry)
        normalizer = Normalizer(catalog, decoder)
        agent = NormalizeAgent(normalizer, schemas, producer)
        frontiers = Frontiers(settings.broker, catalog, agent)
        app = faust_app.build("normalize", topics.NORMALIZE_GROUP, settings, str(settings.data / "faust"))

        async def handle(chunks: Sequence[Sequence[Any]]) -> None:
            read = now()
            captured = [chunk for chunk in chunks if chunk[0].topic not in departments]
            heard: dict[str, tuple[int, int]] = {}
            for chunk in chunks:
                department = departments.get(chunk[0].topic)
                beat = heartbeat_time(decoder, chunk) if department is not None else None
                if department is not None and beat is not None:
                    heard[department] = beat, chunk[-1].timestamp * MILLI
            work = []
            if captured:
                frontiers.begin(captured, read)
                work.append(asyncio.to_thread(normalize, captured, read))
            if heard:
                work.append(asyncio.to_thread(frontiers.on_heartbeats, heard))
            await asyncio.gather(*work)

        def normalize(chunks: Sequence[Sequence[Any]], read: int) -> None:
            with metrics.BATCH_SECONDS.labels("normalize").time():
                agent.process(chunks, partial(frontiers.on_sent, chunks, read))

        faust_app.chunks_agent(app, inputs, handle, Gathering(settings.chunk, STAGE_PAUSE))

        @app.task
        async def advance() -> None:
            while not app.should_stop:
                await asyncio.sleep(FRONTIER_SECONDS)
                if frontiers.is_wanted():
                    await asyncio.to_thread(frontiers.advance)

        return app

    return await process.run(start)
