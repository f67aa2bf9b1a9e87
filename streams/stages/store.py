"""The store process: everything into ClickHouse, and the way in for readers."""

from __future__ import annotations

import asyncio
from typing import Final

import faust
import structlog

from avro.envelope import EnvelopeDecoder
from avro.registry import ConfluentRegistry
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from monitoring.console import front_door
from monitoring.http import Health, HttpServer, application
from streams import app as faust_app
from streams import topics
from streams.app import Gathering
from streams.caretaker import Caretaker
from streams.process import Process, check_topics
from streams.schemas import TopicSchemas, department_names
from streams.settings import Settings
from streams.sink import SinkAgent, SourceBoard, feed_tables
from streams.watch import Watch

log = structlog.get_logger()

STORE_PAUSE: Final = 0.25
"""Seconds between two batches with data, where each table costs an insert."""


async def run(settings: Settings, catalog: Catalog) -> int:
    """Run the stage; return the exit code. Raises StoreError when the store cannot be opened."""
    health = Health()
    api = application("renkou store", health)
    http = HttpServer(api, settings.host, settings.port)
    store = open_store(settings.data / "store", settings.clickhouse, feed_tables(catalog))
    for change in store.changes:
        log.info("store changed", change=change)
    board = SourceBoard()
    watch = Watch(settings, catalog, board, store)
    api.router.routes.append(front_door())
    api.include_router(watch.router)
    api.include_router(store.router)
    process = Process("store", http, health)
    health.checks["store"] = lambda: board.sink_error
    heartbeats = {topics.heartbeat(department): department for department in department_names(catalog)}
    linked = [topics.IDENTITIES, topics.PERSONS, *topics.LINKED]
    inputs = [topics.RECORDS, *linked, topics.DEAD_LETTERS, *heartbeats]

    async def start() -> faust.App:
        check_topics(settings.broker, inputs)
        registry = ConfluentRegistry(settings.registry)
        schemas = await asyncio.to_thread(TopicSchemas, registry, catalog)
        agent = SinkAgent(store.writer, schemas, EnvelopeDecoder(registry), heartbeats, board)
        app = faust_app.build("store", topics.STORE_GROUP, settings, str(settings.data / "faust"))
        faust_app.chunks_agent(
            app, inputs, agent.write_until_done, Gathering(settings.batch_rows, STORE_PAUSE)
        )
        return app

    watching = asyncio.create_task(watch.run())
    caretaker = Caretaker(settings, catalog, store, board)
    caretaker.start()
    try:
        return await process.run(start)
    finally:
        watching.cancel()
        await caretaker.stop()
        await asyncio.gather(watching, return_exceptions=True)
        store.close()
