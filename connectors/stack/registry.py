"""The schema registry: Apicurio, with Confluent's REST interface, on a database file of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import httpx

from connectors import tls
from connectors.stack import aot, java, ports
from connectors.stack.jars import registry_folder
from connectors.stack.process import ProcessSpec

HEAP_MB: Final = 256

MAIN: Final = "io.quarkus.runner.GeneratedMain"
"""What ``quarkus-run.jar`` calls in the end. That goes through a class loader of its own, whose classes no start-up
cache holds; so it is called directly, with what the jar's manifest and entry point would have set."""

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
        argv=aot.use(
            "registry",
            java.command(
                MAIN,
                class_path=_class_path(registry_folder()),
                heap_mb=HEAP_MB,
                folder=folder,
                options=(java.QUICK_COMPILER, "--add-opens=java.base/java.lang=ALL-UNNAMED"),
                properties={
                    "java.util.logging.manager": "org.jboss.logmanager.LogManager",
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
        ),
        cwd=folder,
        health=lambda: healthy(port),
    )


def healthy(port: int) -> bool:
    """Whether the registry lists its subjects."""
    return httpx.get(f"{url(port)}/subjects", timeout=5, verify=tls.trusted()).status_code == httpx.codes.OK


def _class_path(folder: Path) -> str:
    """Return the application's jars; Quarkus's rewritten classes hide the original ones, so they come first."""
    rewritten = [folder / "quarkus" / f"{name}-bytecode.jar" for name in ("transformed", "generated")]
    found = [
        path for name in ("app", "lib/boot", "lib/main") for path in sorted((folder / name).glob("*.jar"))
    ]
    return os.pathsep.join(str(path) for path in (*rewritten, *found))
