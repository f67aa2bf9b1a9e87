"""The stages as processes: what each opens, waits for and runs. A module a stage, loaded by who runs it."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any, Final

from connectors.feeds import Catalog
from monitoring import metrics
from streams.settings import Settings

GC_THRESHOLDS: Final = (100_000, 50, 1000)
"""Allocations between collections; with a register in memory a full one stops a stage for seconds."""


async def run(stage: str, settings: Settings) -> int:
    """Run one stage until it is told to stop; return the exit code. Raises SettingError, OSError and feeds' errors."""
    settings.require("broker", "registry")
    metrics.declare_build()
    gc.set_threshold(*GC_THRESHOLDS)
    catalog = Catalog.load(settings.feeds)
    # The engine of the store alone takes a second to load.
    module: Any = import_module(f"streams.stages.{stage}")
    code: int = await module.run(settings, catalog)
    return code
