"""The schema registry: Apicurio, with Confluent's REST interface, on a database file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx

from connectors.stack import java, ports
from connectors.stack.jars import registry_folder
from connectors.stack.process import ProcessSpec

HEAP_MB: Final = 256

CONFLUENT_PATH: Final = "/apis/ccompat/v7"


def url(port: int) -> str:
    """Return the base address of Confluent's interface."""
    return f"http://{ports.HOST}:{port}{CONFLUENT_PATH}"


def spec(data: Path, port: int, management_port: int) -> ProcessSpec:
    """Return the process. Its data are in ``data/registry``."""
    folder = data / "registry"
    folder.mkdir(mode=0o700, exist_ok=True)
    return ProcessSpec(
        name="registry",
        argv=java.command(
            registry_folder() / "quarkus-run.jar",
            heap_mb=HEAP_MB,
            folder=folder,
            properties={
                "quarkus.http.host": ports.HOST,
                "quarkus.http.port": str(port),
                # Health and metrics of its own, on every address and port 9000 by default.
                "quarkus.management.host": ports.HOST,
                "quarkus.management.port": str(management_port),
                "quarkus.banner.enabled": "false",
                "quarkus.log.level": "WARN",
                'quarkus.log.category."io.apicurio".level': "WARN",
                "quarkus.http.access-log.enabled": "false",
                "apicurio.storage.kind": "sql",
                "apicurio.storage.sql.kind": "h2",
                # A schema's id is in every message: it must survive a kill, so each commit is written.
                "apicurio.datasource.url": f"jdbc:h2:file:{folder}/schemas;WRITE_DELAY=0",
            },
        ),
        cwd=folder,
        health=lambda: healthy(port),
    )


def healthy(port: int) -> bool:
    """Whether the registry lists its subjects."""
    return httpx.get(f"{url(port)}/subjects", timeout=5).status_code == httpx.codes.OK
