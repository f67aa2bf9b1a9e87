"""The broker: one Kafka node in KRaft mode."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.errors import StackError
from connectors.stack import aot, java, ports
from connectors.stack.jars import class_path
from connectors.stack.process import ProcessSpec

HEAP_MB: Final = 512

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""The largest message: a row with long texts, before and after. Kafka's own limit of 1 MB stops a connector
at such a row."""

OFFSETS_KEPT_MINUTES: Final = 366 * 24 * 60
"""Kafka forgets a group that was off for a week; ours must then not read everything again, or nothing."""

SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "auto.create.topics.enable": "false",  # renkou creates every topic, with settings
    "message.max.bytes": str(MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(MESSAGE_BYTES),
    "offsets.retention.minutes": str(OFFSETS_KEPT_MINUTES),
    # One node: every replication factor is 1, and few partitions, each of which costs files and recovery
    # time.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # our groups have known members: waiting for more only delays the start
    "group.initial.rebalance.delay.ms": "0",
    "log.segment.bytes": str(128 * 1024 * 1024),  # a crash re-reads the active segments
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": str(
        32 * 1024 * 1024
    ),  # of a small heap; enough for 1.3 million keys a pass
}


def bootstrap(port: int) -> str:
    """Return the address for clients."""
    return f"{ports.HOST}:{port}"


def spec(data: Path, port: int, controller_port: int) -> ProcessSpec:
    """Return the process. Its data are in ``data/kafka/log``."""
    folder = data / "kafka"
    folder.mkdir(mode=0o700, exist_ok=True)
    log = folder / "log"
    properties = folder / "server.properties"

    def prepare() -> None:
        _write_properties(properties, log, port, controller_port)
        (folder / "log4j2.properties").write_text(java.LOGGING, encoding="utf-8")
        if not log.exists():
            _format(folder, log, port, controller_port)

    return ProcessSpec(
        name="kafka",
        argv=aot.use(
            "kafka",
            java.command(
                "kafka.Kafka",
                str(properties),
                class_path=class_path(),
                heap_mb=HEAP_MB,
                folder=folder,
                options=(java.QUICK_COMPILER,),
                properties={"log4j2.configurationFile": str(folder / "log4j2.properties")},
            ),
        ),
        cwd=folder,
        prepare=prepare,
        health=lambda: healthy(port),
        start_seconds=300,  # after a crash it reads its active segments
        stop_seconds=30,
    )


def healthy(port: int) -> bool:
    """Whether the broker answers a request for its metadata."""
    if not ports.answers(port):
        return False  # cheaper than a client, which would log that nobody is there
    client = AdminClient({"bootstrap.servers": bootstrap(port), "socket.timeout.ms": 2000, "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _write_properties(path: Path, log: Path, port: int, controller_port: int) -> None:
    listeners = f"BROKER://{ports.HOST}:{port},CONTROLLER://{ports.HOST}:{controller_port}"
    path.write_text(
        java.property_file(
            {
                **SETTINGS,
                "listeners": listeners,
                "advertised.listeners": f"BROKER://{ports.HOST}:{port}",
                "controller.quorum.voters": f"1@{ports.HOST}:{controller_port}",
                "log.dirs": str(log),
            }
        ),
        encoding="utf-8",
    )


def _format(folder: Path, log: Path, port: int, controller_port: int) -> None:
    """Make the data folder beside its place and move it there: an interrupted one is never taken for a whole
    one."""
    fresh = folder / "log.new"
    shutil.rmtree(fresh, ignore_errors=True)
    properties = folder / "format.properties"
    _write_properties(properties, fresh, port, controller_port)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    if cluster.startswith("-"):  # the tool would take it for an option
        cluster = f"A{cluster[1:]}"
    # The broker's own options: it is the broker's cache.
    command = aot.use("kafka", java.command(
        "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties),
        class_path=class_path(), heap_mb=128, folder=folder, options=(java.QUICK_COMPILER,),
        properties={"log4j2.configurationFile": str(folder / "log4j2.properties")},
    ))  # fmt: skip
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        (folder / "format.log").write_text(run.stdout + run.stderr, encoding="utf-8")
        raise StackError(
            f"Kafka's data folder {log} cannot be made; the reason is in {folder / 'format.log'}"
        )
    properties.unlink()
    os.replace(fresh, log)
