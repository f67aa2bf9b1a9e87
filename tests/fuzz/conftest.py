"""Says at the end how many inputs were really run."""

from __future__ import annotations

from collections import Counter

import pytest

INPUTS = "fuzzed inputs of "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the inputs of all tests that passed, by what they were fed to."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, count in getattr(report, "user_properties", ()):
            if name.startswith(INPUTS):
                counts[name.removeprefix(INPUTS)] += int(str(count))
    for name, count in counts.items():
        terminalreporter.write_line(f"{count:,} inputs given to {name}, all answered as they should be")
