"""A whole hub on a temporary folder: the real stack and the real processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from connectors.debezium import Capture
from connectors.endpoints import Endpoints
from connectors.feeds import Catalog, Feed
from connectors.stack import LocalStack
from streams import hub
from tests.support import values

DRAIN = 90.0
"""Seconds after which a store that still differs is wrong: a killed member's session fits in several times."""


class RunningHub:
    """What a test needs of a running hub."""

    def __init__(self, stack: LocalStack, catalog: Catalog) -> None:
        self.stack = stack
        self.catalog = catalog

    @property
    def endpoints(self) -> Endpoints:
        return self.stack.endpoints()

    def dsn(self, department: str) -> str:
        return self.stack.dsn(department)

    def query(self, statement: str) -> list[values.Row]:
        return values.query(self.endpoints.clickhouse, statement)

    def pid(self, name: str) -> int | None:
        """Return the process id of a process of the stack or the hub, None while it is restarting."""
        return next((status.pid for status in self.stack.status() if status.name == name), None)

    def differences(self) -> list[str]:
        """Return how sources and store differ, and how the store's tables contradict each other."""
        endpoints = self.endpoints
        found = values.compare(endpoints.sources, endpoints.clickhouse, self.catalog.feeds)
        return found or values.inconsistencies(endpoints.clickhouse)

    def dead_letters(self) -> int:
        """Return how many changes could not become records."""
        return int(self.query("SELECT count() AS n FROM dead_letters")[0]["n"])

    def settle(self, seconds: float = DRAIN) -> list[str]:
        """Wait until sources and store are equal by value; return what differs when the time is over.

        While it waits it asks for one feed that still differs and no other: reading all tables over and over
        would take the processor from those who are to be waited for.
        """
        deadline = time.monotonic() + seconds
        feeds = deque(self.catalog.feeds)
        found = ["not compared yet"]
        while found and time.monotonic() < deadline:
            try:
                while feeds and not (found := self._differences_of(feeds[0])):
                    feeds.popleft()
                if not feeds and (found := self.differences()):  # all of them at one moment
                    feeds.extend(self.catalog.feeds)
            except httpx.HTTPError as error:
                found = [f"the store does not answer: {type(error).__name__} {error}"]
            if found:
                time.sleep(0.5)
        return found

    def _differences_of(self, feed: Feed) -> list[str]:
        endpoints = self.endpoints
        return values.compare(endpoints.sources, endpoints.clickhouse, [feed])


@contextmanager
def running_hub(data: Path, capture: Capture = Capture.JSON) -> Iterator[RunningHub]:
    """Start everything on ``data`` and stop it at the end."""
    catalog = Catalog.load(None)
    with LocalStack(data) as stack:
        stack.start()
        hub.prepare(stack, catalog, capture)
        stack.add(hub.hub_specs(data, stack.ports))
        stack.publish()
        yield RunningHub(stack, hub.on_this_machine(catalog))
