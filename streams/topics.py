"""Names of renkou's own topics and the consumer groups of its stages."""

from __future__ import annotations

from typing import Final

from connectors.captured import topic_prefix
from connectors.topics import DEAD_LETTERS, IDENTITIES, PERSONS, RECORDS

NORMALIZE_GROUP: Final = "renkou-normalize"
LINK_GROUP: Final = "renkou-link"
STORE_GROUP: Final = "renkou-store"


def heartbeat(department: str) -> str:
    """Return the topic of a department's Debezium heartbeats."""
    return f"__debezium-heartbeat.{topic_prefix(department)}"


__all__ = [
    "DEAD_LETTERS",
    "IDENTITIES",
    "LINK_GROUP",
    "NORMALIZE_GROUP",
    "PERSONS",
    "RECORDS",
    "STORE_GROUP",
    "heartbeat",
]
