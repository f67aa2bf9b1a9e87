"""Settings of the processes: one typed table, each with unit, default and a sentence.

A value comes from the environment, else from the data folder's ``endpoints.json``, else from the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from connectors import endpoints
from streams.errors import SettingError

DEFAULT_DATA = Path(".renkou")
RUNNING = "running"
"""Value of `Settings.sources`: the departments whose databases run on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process of the hub can be told. ``help`` of a field is its documentation, ``env`` its variable."""

    data: Path = field(
        default=DEFAULT_DATA,
        metadata={"env": "RENKOU_DATA", "help": "Folder of the hub's files."},
    )
    broker: str = field(
        default="",
        metadata={
            "env": "RENKOU_BROKER",
            "help": "Kafka's bootstrap servers, host:port separated by commas.",
        },
    )
    registry: str = field(
        default="",
        metadata={"env": "RENKOU_REGISTRY", "help": "Schema registry with Confluent's REST interface."},
    )
    connect: str = field(
        default="",
        metadata={"env": "RENKOU_CONNECT", "help": "Kafka Connect's REST interface."},
    )
    clickhouse: str = field(
        default="",
        metadata={
            "env": "RENKOU_CLICKHOUSE",
            "help": "ClickHouse server to write to; empty for the embedded engine in the data folder.",
        },
    )
    feeds: Path | None = field(
        default=None,
        metadata={"env": "RENKOU_FEEDS", "help": "Folder of feed files; the package's own when empty."},
    )
    host: str = field(
        default="127.0.0.1",
        metadata={"env": "RENKOU_HOST", "help": "Address that the process's HTTP interface listens on."},
    )
    port: int = field(
        default=0,
        metadata={"env": "RENKOU_PORT", "help": "Port of the process's HTTP interface; 0 takes a free one."},
    )
    epoch: int = field(
        default=1,
        metadata={
            "env": "RENKOU_EPOCH",
            "help": "Epoch of the linker's outputs; raised when its state is rebuilt.",
        },
    )
    instance: str = field(
        default="0",
        metadata={
            "env": "RENKOU_INSTANCE",
            "help": "Name of this worker where several run one stage: static membership.",
        },
    )
    commit_interval: float = field(
        default=0.5,
        metadata={
            "env": "RENKOU_COMMIT_INTERVAL",
            "help": "Seconds between commits of input offsets: what is done again after a kill.",
        },
    )
    chunk: int = field(
        default=4000,
        metadata={"env": "RENKOU_CHUNK", "help": "Messages that one fetch hands over at most."},
    )
    batch_rows: int = field(
        default=10000,
        metadata={"env": "RENKOU_BATCH_ROWS", "help": "Messages that the sink writes in one batch at most."},
    )
    push_tokens: str = field(
        default="",
        metadata={
            "env": "RENKOU_PUSH_TOKENS",
            "help": "Who may push changes: FEED:TOKEN pairs separated by commas.",
            "secret": True,
        },
        repr=False,
    )
    delete_limit: float = field(
        default=5.0,
        metadata={
            "env": "RENKOU_DELETE_LIMIT",
            "help": "Percent of a feed's rows that a full file delivery may delete without confirmation.",
        },
    )
    verify_rate: float = field(
        default=100.0,
        metadata={
            "env": "RENKOU_VERIFY_RATE",
            "help": "Rows a second that the store compares with each source in the background; 0 compares none.",
        },
    )
    sources: str = field(
        default="",
        metadata={
            "env": "RENKOU_SOURCES",
            "help": "Departments that must be there, separated by commas; `running` for those of `endpoints.json`; "
            "all that have feeds when empty.",
        },
    )
    alerts: Path | None = field(
        default=None,
        metadata={
            "env": "RENKOU_ALERTS",
            "help": "File of the channels that alerts are sent to; none are sent when empty.",
        },
    )
    calendar: Path | None = field(
        default=None,
        metadata={
            "env": "RENKOU_CALENDAR",
            "help": "File of holidays and worked weekends that goes before the built-in calendar.",
        },
    )
    log_level: str = field(
        default="info",
        metadata={"env": "RENKOU_LOG_LEVEL", "help": "debug, info, warning or error."},
    )

    def require(self, *names: str) -> None:
        """Raise SettingError when one of the named settings is empty."""
        for name in names:
            if not getattr(self, name):
                variable = next(f.metadata["env"] for f in fields(self) if f.name == name)
                raise SettingError(
                    f"{variable} is not set and {self.data} has no running hub; set it, or run renkou up"
                )


def load(data: Path | None = None, environment: Mapping[str, str] = os.environ, **given: Any) -> Settings:
    """Return the settings in force; ``given`` (from the command line) goes before everything. Raises SettingError."""
    folder = data or Path(environment.get("RENKOU_DATA") or DEFAULT_DATA)
    values: dict[str, Any] = {"data": folder}
    running = endpoints.load(folder)
    if running is not None:
        values.update(broker=running.kafka, registry=running.registry, connect=running.connect)
    for item in fields(Settings):
        text = environment.get(item.metadata["env"], "")
        if text and item.name != "data":
            values[item.name] = _parse(item.name, str(item.type), item.metadata["env"], text)
    values.update({name: value for name, value in given.items() if value is not None})
    return Settings(**values)


def _parse(name: str, kind: str, variable: str, text: str) -> Any:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise SettingError(f"{variable}: {text!r} is not a number; mend the setting") from None
    return Path(text) if "Path" in kind else text
