"""What one write takes: rows collected from the chunks of several topics, in the order they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avro import version as versions
from avro.codec import DatumCodec
from avro.record import DeadLetter, Mark, MarkKind, Record
from connectors.clickhouse.shared import DEAD_LETTER, FRONTIER, SOURCE_STATE

_dead_letters: Final = DatumCodec(DEAD_LETTER)
_frontiers: Final = DatumCodec(FRONTIER)
_source_states: Final = DatumCodec(SOURCE_STATE)

_OPEN_VERSION: Final = versions.to_bytes(0)
"""A dead letter that comes again does not reopen one that was replayed or discarded: their versions are
higher."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record's datum with its header."""

    datum: bytes
    record: Record


class Batch:
    """Rows for one write. A batch may be written any number of times, in parts or together with others."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.truncations: dict[str, Mark] = {}
        self.identities: list[bytes] = []
        self.persons: list[bytes] = []
        self.dead_letters: list[bytes] = []
        self._frontiers: dict[tuple[str, str], tuple[int, int]] = {}
        self._states: dict[str, tuple[str, int, int]] = {}

    def add_record(self, feed: str, datum: bytes, record: Record) -> None:
        """Add a record of ``feed``: its datum as it travels in the log (without the wire format) and its
        header."""
        self.rows.setdefault(feed, []).append(Row(datum, record))

    def add_identity(self, datum: bytes) -> None:
        """Add a datum of ``renkou.Identity``."""
        self.identities.append(datum)

    def add_person(self, datum: bytes) -> None:
        """Add a datum of ``renkou.Person``: the person's row and one of its history."""
        self.persons.append(datum)

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Add a dead letter, open. One that is known already stays in the state it has."""
        department, _, table = letter.feed.partition(".")
        values = {
            "department": department,
            "table": table,
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "key": None if letter.key is None else letter.key.decode("utf-8", "backslashreplace"),
            "stage": letter.stage,
            "rule": letter.rule,
            "error": letter.error,
            "state": "open",
            "raw_key": letter.key,
            "raw_value": letter.value,
            "headers": [{"name": name, "value": value} for name, value in letter.headers or []],
            "event_time": letter.timestamp,
            "version": _OPEN_VERSION,
        }
        self.dead_letters.append(_dead_letters.encode(values))

    def add_mark(self, mark: Mark) -> None:
        """Add a truncation: every row of the feed below its version goes, those that come later as well."""
        if mark.kind is not MarkKind.TRUNCATE:
            raise ValueError("only truncations are marks of the store; a frontier is added by add_frontier")
        known = self.truncations.get(mark.feed)
        if known is None or known.version < mark.version:
            self.truncations[mark.feed] = mark

    def add_frontier(self, department: str, stage: str, frontier_us: int, at_us: int) -> None:
        """Add how far a stage has come; times in microseconds since 1970. An older frontier changes
        nothing."""
        key = (department, stage)
        if frontier_us >= self._frontiers.get(key, (0, 0))[0]:
            self._frontiers[key] = (frontier_us, at_us)

    def add_source_state(self, department: str, state: str, since_us: int, noted_us: int) -> None:
        """Add what a source is doing (idle, source down …); the one noted last counts."""
        if noted_us >= self._states.get(department, ("", 0, 0))[2]:
            self._states[department] = (state, since_us, noted_us)

    @property
    def frontiers(self) -> list[bytes]:
        """The frontiers' datums."""
        return [
            _frontiers.encode(
                {
                    "department": department,
                    "stage": stage,
                    "frontier": frontier,
                    "noted": noted,
                    "version": versions.to_bytes(frontier),
                }
            )
            for (department, stage), (frontier, noted) in self._frontiers.items()
        ]

    @property
    def source_states(self) -> list[bytes]:
        """The source states' datums."""
        return [
            _source_states.encode(
                {
                    "department": department,
                    "state": state,
                    "since": since,
                    "version": versions.to_bytes(noted),
                }
            )
            for department, (state, since, noted) in self._states.items()
        ]
