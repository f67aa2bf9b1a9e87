"""Names of renkou's own topics and the consumer groups of its stages."""

from __future__ import annotations

from typing import Final

RECORDS: Final = "renkou.records"
IDENTITIES: Final = "renkou.identities"
PERSONS: Final = "renkou.persons"
DEAD_LETTERS: Final = "renkou.dead-letters"

NORMALIZE_GROUP: Final = "renkou-normalize"
LINK_GROUP: Final = "renkou-link"
STORE_GROUP: Final = "renkou-store"


def heartbeat(department: str) -> str:
    """Return the topic of a department's Debezium heartbeats."""
    return f"__debezium-heartbeat.cdc.{department}"


def signals(department: str) -> str:
    """Return the topic through which a department's connector is asked for incremental snapshots."""
    return f"renkou.signals.{department}"
