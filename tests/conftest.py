"""One stack for all tests that need one: real PostgreSQL, Kafka, Connect and registry, started when first asked for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.stack import LocalStack


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can reach; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="renkou-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stack(stack_folder: Path) -> Iterator[LocalStack]:
    """The infrastructure, running; tests use databases and topics of their own."""
    with LocalStack(stack_folder / "shared") as running:
        running.start()
        yield running
