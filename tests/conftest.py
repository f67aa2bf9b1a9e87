"""One stack for all tests that need one: real PostgreSQL, Kafka, Connect and registry, started when first asked for.

`make test` runs three workers side by side on two cores, a module in one of them. The modules that share the stack are
one piece of work, so that it is started once. Two workers begin with what starts services, what takes longest first;
the third begins with all the rest, in the processor time that the other two spend waiting.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from connectors.stack import LocalStack

LOG_LINES = 25
LONGEST_FIRST = ("tests/stack/test_main_job.py", "tests/stack/", "tests/faults/", "tests/browser/")
"""Prefixes of the modules that start services, in the order they begin in; all others follow."""
SERVING = 2
"""How many workers begin with these: each runs a stack of its own, which is most of the memory and of two cores."""
SHARED = ("tests/stack/test_evolution", "tests/stack/test_feeds", "tests/stack/test_mariadb",
          "tests/stack/test_reconcile_source", "tests/stack/test_stack")  # fmt: skip
"""The modules that use the shared stack."""
SHARED_SCOPE = "tests/stack/shared"

# How long a busy machine takes to make an example says nothing about the code. `make test` tries the same examples
# each time, so that it is red for a change and not by chance; the long targets search on (profile "search").
settings.register_profile(
    "renkou", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("renkou")


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the services' logs with a failed test: they are gone with the stack's folder."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("stack_folder")
    if report.failed and folder is not None:
        for log in sorted(folder.glob("*/logs/*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            report.sections.append((f"{log.parent.parent.name}/{log.name}", "\n".join(lines)))
    return report


class OneStack(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker a module at a time, and all that share the stack to one worker."""

    def _assign_work_unit(self, node: Any) -> None:
        if self.nodes.index(node) >= SERVING:
            quiet = (scope for scope in self.workqueue if rank(scope) == len(LONGEST_FIRST))
            if (first := next(quiet, None)) is not None:
                self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return SHARED_SCOPE if nodeid.startswith(SHARED) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStack:
    """Make `--dist loadscope` mean a module, not a class, and one scope of all that share the stack."""
    return OneStack(config, log)


def rank(nodeid: str) -> int:
    """Return the place of a test's module in `LONGEST_FIRST`, its length for a module that is not in it."""
    fits = (number for number, prefix in enumerate(LONGEST_FIRST) if nodeid.startswith(prefix))
    return next(fits, len(LONGEST_FIRST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the order within a module stays."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of each later garbage collection: it is half a million objects."""
    gc.collect()
    gc.freeze()
