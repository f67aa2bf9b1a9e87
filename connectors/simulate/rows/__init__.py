"""Rows of the captured tables and files: one module a department, one struct a table.

Values are what psycopg sends as they are: text (also for dates, times, numerics, arrays, json and uuid, which
PostgreSQL reads from their literals), int, bool, float, bytes.
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct):
    """A row of some table."""
