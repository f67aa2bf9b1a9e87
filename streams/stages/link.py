"""The link process: ``renkou.records`` in, identities and persons out, its own state in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import faust

from avro.registry import ConfluentRegistry
from connectors.feeds import Catalog
from linkage.durable import DurableLinker
from monitoring import metrics
from monitoring.http import Health, HttpServer, application
from streams import app as faust_app
from streams import groups, ids, topics
from streams.app import STAGE_PAUSE, Gathering
from streams.link import LinkAgent
from streams.process import Process, check_topics
from streams.producer import Producer
from streams.schemas import TopicSchemas
from streams.settings import Settings
from streams.why import Why


async def run(settings: Settings, catalog: Catalog) -> int:
    """Run the stage; return the exit code. Raises LinkageError when the state cannot be opened."""
    health = Health()
    linker = DurableLinker(
        settings.data / "link",
        epoch=settings.epoch,
        authority=catalog.authority(),
        known=ids.reader(settings.broker, ConfluentRegistry(settings.registry), settings.epoch),
    )
    recovered = linker.open()
    api = application("renkou link", health)
    why = Why(linker)
    api.include_router(why.router)
    http = HttpServer(api, settings.host, settings.port)
    process = Process("link", http, health)
    producer = Producer(settings.broker)
    health.checks["broker"] = lambda: "the broker does not take messages" if producer.waiting else ""

    async def start() -> faust.App:
        check_topics(settings.broker, [topics.RECORDS, topics.IDENTITIES, topics.PERSONS, *topics.LINKED])
        schemas = await asyncio.to_thread(TopicSchemas, ConfluentRegistry(settings.registry), catalog)
        agent = LinkAgent(linker, schemas, producer)
        why.lock = agent.lock
        await asyncio.to_thread(agent.republish, recovered)
        # The state, not Kafka, says how far the log is linked.
        await asyncio.to_thread(
            groups.set_back, settings.broker, topics.LINK_GROUP, topics.RECORDS, linker.offset
        )
        app = faust_app.build("link", topics.LINK_GROUP, settings, str(settings.data / "faust"))

        async def handle(chunks: Sequence[Sequence[Any]]) -> None:
            with metrics.BATCH_SECONDS.labels("link").time():
                await asyncio.to_thread(agent.process, chunks)

        faust_app.chunks_agent(app, [topics.RECORDS], handle, Gathering(settings.chunk, STAGE_PAUSE))
        return app

    try:
        return await process.run(start)
    finally:
        linker.close()
