"""The departments' files on one machine: the invented province's deliveries, handed over to the running hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from connectors.errors import TransientError
from connectors.feeds import Catalog, Feed
from connectors.files.ledger import FOLDER
from connectors.simulate import Population, deliver
from streams.delivered import tell
from streams.load import HubWay, Loader, Options, find_deliveries
from streams.producer import Producer
from streams.settings import Settings

INBOX: Final = "inbox"
"""Folder in the hub's where the deliveries are."""


def delivered_feeds(catalog: Catalog, departments: Sequence[str]) -> tuple[Feed, ...]:
    """Return the feeds of ``departments`` that come as files."""
    return tuple(feed for feed in catalog.feeds if feed.layout is not None and feed.department in departments)


def write_inbox(data: Path, seed: int, people: int) -> Path:
    """Write the deliveries of a population into ``data``'s inbox, where they are not there yet; return the folder.

    The folder has all of them or does not exist. Blocks. Raises TerminalError.
    """
    inbox = data / INBOX
    if not inbox.exists():
        fresh = data / f"{INBOX}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        deliver(fresh, Population(seed, people), 0)
        os.replace(fresh, inbox)
    return inbox


def hand_over(
    options: Settings,
    kafka: str,
    catalog: Catalog,
    feeds: Sequence[Feed],
    inbox: Path,
    say: Callable[[str], None],
) -> dict[str, int]:
    """Load the deliveries of the feeds through the running hub; return, by feed, the records in its files.

    What was loaded before is left as it is. Blocks until all is in Kafka. Raises DeliveryError, ConnectorError.
    """
    records = {feed.id: 0 for feed in feeds}
    chosen = Options(folder=options.data / FOLDER, delete_limit=options.delete_limit)
    with closing(Producer(kafka)) as producer:
        for feed in feeds:
            loader = Loader(feed, HubWay(catalog, producer), chosen)
            for delivery in find_deliveries(feed, sorted(inbox.glob(f"{feed.department}_{feed.type}_*"))):
                say(f"files: {delivery.name}")
                loader.load(delivery)
                complaint = tell(options, feed.id, delivery)
                if complaint:
                    raise TransientError(f"{delivery.name}: {complaint}")
                records[feed.id] += delivery.control.records
    return records
