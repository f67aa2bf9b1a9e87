"""The stack of one machine: PostgreSQL, Kafka, Connect with Debezium, the schema registry, and who keeps them
running."""

from __future__ import annotations

from connectors.stack.local import HUB, PUSH, LocalStack, lacks, owner
from connectors.stack.process import GIVES_WAY, ProcessSpec
from connectors.stack.supervisor import Event, State, Status, Supervisor

__all__ = [
    "GIVES_WAY",
    "HUB",
    "PUSH",
    "Event",
    "LocalStack",
    "ProcessSpec",
    "State",
    "Status",
    "Supervisor",
    "lacks",
    "owner",
]
