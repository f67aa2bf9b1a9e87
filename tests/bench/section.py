"""Where the tables of single measurements lie for the next ``make bench``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streams.bench.figures import Section


def write_section(out: Path | None, section: Section) -> None:
    """Write the table to ``out``; nothing without."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(msgspec.json.encode(section))
