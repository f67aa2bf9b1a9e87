"""What was before: rows of the tables that keep every state of a record, of an identity and of a person.

A row of the other tables is the newest state of its key. Here the version is part of the key, and ``noted`` says when
the register came to know the state: the time of the message that brought it, so that a replay says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from avro.compiled import compile_writer
from avro.outline import Outlines
from avro.record import Mark
from connectors.clickhouse import sql
from connectors.clickhouse.engine import Engine
from connectors.clickhouse.shared import RECORD_HISTORY
from connectors.clickhouse.tables import Table

_write_text: Final = compile_writer("string")
_write_noted: Final = compile_writer(["null", "long"])

DELETED: Final = b"\x02"
"""``is_deleted`` of a row that is: Avro's 1."""
_NULL: Final = compile_writer(["null", "string"])(None)


@lru_cache(maxsize=4096)
def noted_bytes(moment: int) -> bytes:
    """Return the field ``noted`` of a moment in microseconds since 1970; a datum is extended by it at its end.

    Many messages have one time, by the millisecond.
    """
    return _write_noted(moment)


def newest_noted(engine: Engine) -> int:
    """Return when the register came to know the last row, in microseconds since 1970; 0 when it knows none."""
    ((moment,),) = engine.rows(
        f"SELECT ifNull(max(toUnixTimestamp64Micro(noted)), 0) FROM {RECORD_HISTORY.stored}"
    )
    return int(moment)


class RecordHistory:
    """Makes the rows of ``record_history`` of one feed: cut out of the records' datums, as mentions are."""

    def __init__(self, department: str, table: str) -> None:
        self._department = department
        self._table = table
        self._origin = _write_text(department) + _write_text(table)

    def cut(self, outlines: Outlines, places: Sequence[int], noted: Sequence[int]) -> Iterator[bytes]:
        """Yield the row of each datum at ``places``, which are records; ``noted`` has an entry for each of these."""
        body, origin = outlines.body, self._origin
        part = np.asarray(places, dtype=np.int64)
        for key, place_end, time, time_end, raw, raw_end, moment in zip(
            outlines.key[part].tolist(),
            outlines.place_end[part].tolist(),
            outlines.time[part].tolist(),
            outlines.time_end[part].tolist(),
            outlines.raw[part].tolist(),
            outlines.raw_end[part].tolist(),
            noted,
            strict=True,
        ):
            # The tombstone of a key change may keep values; the state that it stands for has none.
            row = _NULL if body[place_end - 1 : place_end] == DELETED else body[raw:raw_end]
            yield b"".join((origin, body[key:place_end], body[time:time_end], row, noted_bytes(moment)))

    def truncation(self, mark: Mark, stored: Table) -> str:
        """Return the INSERT of the deletes that a truncation means for the live rows of ``stored`` below its version.

        The register knows of them since the truncation was committed in the source.
        """
        time = f"fromUnixTimestamp64Micro(toInt64({mark.source_time}), 'UTC')"
        return (
            f"INSERT INTO {RECORD_HISTORY.stored}"
            " (department, `table`, key, version, is_deleted, source_time, noted)"
            f" SELECT {sql.text(self._department)}, {sql.text(self._table)}, key,"
            f" toUInt128({sql.text(str(mark.version - 1))}), 1, {time}, {time} FROM {stored.stored} FINAL"
            f" WHERE version < toUInt128({sql.text(str(mark.version))})"
        )
