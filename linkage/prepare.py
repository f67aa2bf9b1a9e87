"""Has all compiled code ready: ``python -m linkage.prepare`` after an installation, so that no linker waits for it."""

from __future__ import annotations

from linkage.state import LinkState


def prepare() -> None:
    """Load the compiled code, or compile it, which takes half a minute. A second call costs some milliseconds."""
    state = LinkState({})
    state.golden.prepare()
    state.graph.prepare()


if __name__ == "__main__":
    prepare()
