"""Names of renkou's own topics and the consumer groups of its stages."""

from __future__ import annotations

from typing import Final

from connectors.captured import topic_prefix
from connectors.topics import DEAD_LETTERS, DECISIONS, IDENTITIES, PERSON_IDS, PERSONS, RECORDS, REVIEWS

NORMALIZE_GROUP: Final = "renkou-normalize"
LINK_GROUP: Final = "renkou-link"
STORE_GROUP: Final = "renkou-store"

LINKED: Final = {PERSON_IDS: "PersonId", DECISIONS: "DecisionEffect", REVIEWS: "Review"}
"""What the linker says beside identities and persons: topics with the schemas of their values."""

STORED: Final = (RECORDS, IDENTITIES, PERSONS, *LINKED)
"""What the store reads of the hub's own, and is behind while any of it waits."""


def heartbeat(department: str) -> str:
    """Return the topic of a department's Debezium heartbeats."""
    return f"__debezium-heartbeat.{topic_prefix(department)}"


__all__ = [
    "DEAD_LETTERS",
    "DECISIONS",
    "IDENTITIES",
    "LINKED",
    "LINK_GROUP",
    "NORMALIZE_GROUP",
    "PERSONS",
    "PERSON_IDS",
    "RECORDS",
    "REVIEWS",
    "STORED",
    "STORE_GROUP",
    "heartbeat",
]
