"""The store process's watch over the sources: looks, judges, tells; served as ``/v1/status`` and to the page."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Final

import structlog

from connectors.clickhouse.store import Store
from connectors.feeds import Catalog
from monitoring.api import Api
from monitoring.channels import read_channels
from monitoring.notifier import Notifier
from monitoring.observer import ObservedFeed, Observer, Picture
from monitoring.publish import publish, publish_objectives
from monitoring.workdays import Calendar
from streams.logs import describe
from streams.look import Looker
from streams.settings import Settings
from streams.sink import SourceBoard
from streams.stored import letters, verifications

log = structlog.get_logger()

INTERVAL: Final = 2.0
"""Seconds between two looks: half of what an operator notices, a fifteenth of the shortest threshold."""
FOLDER: Final = "monitoring"


class Watch:
    """Looks at every source again and again, and tells who is to be told."""

    def __init__(self, settings: Settings, catalog: Catalog, shared: SourceBoard, store: Store) -> None:
        """Read calendar, channels and state. Raises FeedError for their files, OSError for the state's folder."""
        folder = settings.data / FOLDER
        feeds = [
            ObservedFeed(
                feed.id,
                feed.department,
                feed.definition.zh,
                feed.definition.en,
                feed.is_captured,
                feed.definition.objectives,
            )
            for feed in catalog.feeds
        ]
        self._shared = shared
        self._observer = Observer(feeds, Calendar(settings.calendar), folder)
        self._notifier = Notifier(folder, read_channels(settings.alerts))
        self._looker = Looker(settings, catalog, shared)
        self._verifications, self._letters = verifications(store), letters(store)
        self._looking = threading.Lock()
        titles = {department.name: (department.zh, department.en) for department in catalog.departments}
        self._api = Api(titles, feeds, self._observer, self._notifier)
        self.router = self._api.router
        publish_objectives(self._observer.delays)

    async def run(self) -> None:
        """Look until cancelled, then save."""
        self._notifier.start()
        try:
            while True:
                began = time.monotonic()
                try:
                    self._api.show(await asyncio.to_thread(self._gather))
                except Exception as error:
                    # Whatever it was, the sources must be looked at again; meanwhile the watch's own time stands still,
                    # and whoever reads it is told.
                    log.error("a look at the sources failed, trying again", error=describe(error))
                await asyncio.sleep(max(0.1, INTERVAL - (time.monotonic() - began)))
        finally:
            await asyncio.shield(asyncio.to_thread(self._close))

    def _gather(self) -> Picture:
        with self._looking:
            return self._look()

    def _look(self) -> Picture:
        picture = self._observer.observe(
            self._looker.look(self._verifications.newest(), self._letters.newest())
        )
        self._notifier.update(picture.conditions, picture.unknown)
        publish(picture, self._observer, [alert for alert, _ in self._notifier.active()])
        for source in picture.sources:
            self._shared.states[source.department] = (source.state.value, source.since, picture.now)
        return picture

    def _close(self) -> None:
        with self._looking:  # a look that is under way ends first: it holds what is closed here
            self._end()

    def _end(self) -> None:
        self._notifier.stop()
        try:
            self._observer.save()
        except OSError as error:
            log.error("what is usual cannot be saved", reason=error.strerror)
        self._looker.close()
