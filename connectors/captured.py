"""What is captured and from where: the words that the connectors' modules share."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from avro.envelope import SourceKind

ROLE: Final = "renkou"
"""The capture role's usual name."""


class Capture(enum.Enum):
    """How changes are written into Kafka."""

    JSON = "json"
    JSON_SCHEMAS = "json-schemas"
    AVRO = "avro"


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table that a feed names: the columns that the register needs, and its primary key's. ``schema`` is the
    database's name in MariaDB."""

    schema: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def captured(self) -> tuple[str, ...]:
        """The key's columns and the named ones, each once."""
        return tuple(dict.fromkeys((*self.key, *self.columns)))


@dataclass(frozen=True, slots=True)
class Source:
    """A department's database as the connector reaches it.

    ``password`` may be a reference that Connect resolves, such as
    ``${file:/etc/renkou/police.properties:password}`` or ``${env:POLICE_PASSWORD}``: then neither its status
    nor its topics show it.
    """

    department: str
    host: str
    port: int
    database: str
    user: str
    password: str
    kind: SourceKind = "postgresql"

    def __repr__(self) -> str:
        return f"Source({self.department}, {self.kind} at {self.host}:{self.port}/{self.database})"


def account(department: str, kind: SourceKind, role: str = ROLE) -> str:
    """Return the name that the capture of a department logs in with.

    MariaDB has no roles within a database: two departments on one server need an account each, or the SQL for one
    would take the other's rights away.
    """
    return role if kind == "postgresql" else f"{role}_{department}"


def topic_prefix(department: str) -> str:
    """Return the beginning of all capture topics of a department."""
    return f"cdc.{department}"


def signal_topic(department: str) -> str:
    """Return the topic through which a connector is asked for incremental snapshots; the key is its topic
    prefix."""
    return f"renkou.signals.{department}"


def schema_history_topic(department: str) -> str:
    """Return the topic in which a MariaDB connector keeps the tables' definitions: Debezium's own, never expires."""
    return f"renkou.schema-history.{department}"


__all__ = [
    "ROLE",
    "Capture",
    "CapturedTable",
    "Source",
    "SourceKind",
    "account",
    "schema_history_topic",
    "signal_topic",
    "topic_prefix",
]
