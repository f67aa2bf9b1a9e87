"""The command line. Each module here adds its commands to one application.

Exit codes: 0 done (dead letters included), 1 failed or not found, 2 wrong use.
"""

from __future__ import annotations

import sys

from streams.cli.app import build


def main() -> None:
    """Entry point of the ``renkou`` command."""
    sys.exit(build()())


__all__ = ["main"]
