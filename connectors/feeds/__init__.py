"""Feeds: which tables are captured, what their columns mean, whom their rows mention. See docs/feeds.md."""

from connectors.feeds.catalog import FEED_FOLDER, Catalog
from connectors.feeds.definition import Department
from connectors.feeds.feed import Feed, Normalized

__all__ = ["FEED_FOLDER", "Catalog", "Department", "Feed", "Normalized"]
