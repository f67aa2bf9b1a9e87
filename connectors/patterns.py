"""Names in Debezium's lists of tables and columns, which are lists of Java's regular expressions."""

from __future__ import annotations

import re


def literally(*parts: str) -> str:
    """Return a Java pattern for the name ``a.b.c`` only; a comma would separate in Debezium's lists."""
    return r"\.".join(re.sub(r"([\\.\[\]{}()*+\-?^$|,])", r"\\\1", part) for part in parts)
