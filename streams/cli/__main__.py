"""``python -m streams.cli`` is ``renkou``."""

from streams.cli import main

main()
