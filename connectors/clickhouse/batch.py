"""What one write takes: rows collected from the chunks of several topics, in the order they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from avro import version as versions
from avro.codec import DatumCodec, decode_header
from avro.record import DeadLetter, Mark, MarkKind, Record
from connectors.clickhouse.history import noted_bytes
from connectors.clickhouse.shared import DEAD_LETTER, FRONTIER, SOURCE_STATE

_dead_letters: Final = DatumCodec(DEAD_LETTER)
_frontiers: Final = DatumCodec(FRONTIER)
_source_states: Final = DatumCodec(SOURCE_STATE)


@dataclass(frozen=True, slots=True)
class Frontier:
    """How far a department has come at a stage; times in microseconds since 1970."""

    department: str
    stage: str
    frontier: int
    noted: int

    def datum(self) -> bytes:
        """Return the row."""
        return _frontiers.encode(
            {
                "department": self.department,
                "stage": self.stage,
                "frontier": self.frontier,
                "noted": self.noted,
                "version": versions.to_bytes(self.frontier),
            }
        )


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source is doing, since when, and when that was noted; times in microseconds since 1970."""

    department: str
    state: str
    since: int
    noted: int

    def datum(self) -> bytes:
        """Return the row."""
        return _source_states.encode(
            {
                "department": self.department,
                "state": self.state,
                "since": self.since,
                "version": versions.to_bytes(self.noted),
            }
        )


class Row:
    """A record's datum with its header, which is decoded when somebody asks for it: for most rows nobody does.

    ``noted`` is when the register came to know it, in microseconds since 1970. ``has_history`` is set where the store's
    history is known to have it.
    """

    __slots__ = ("_feed", "_record", "datum", "has_history", "noted")

    def __init__(self, feed: str, datum: bytes, noted: int, record: Record | None = None) -> None:
        self.datum = datum
        self.noted = noted
        self.has_history = False
        self._feed = feed
        self._record = record

    @property
    def record(self) -> Record:
        """The header. Raises DecodeError."""
        if self._record is None:
            self._record = decode_header(self._feed, self.datum)
        return self._record


class Batch:
    """Rows for one write. A batch may be written any number of times, in parts or together with others.

    ``noted`` is when the register came to know something, in microseconds since 1970: the time of the message that
    brought it, which is the same in a replay.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.truncations: list[Mark] = []
        self.identities: list[bytes] = []
        self.persons: list[bytes] = []
        self.linked: dict[str, list[bytes]] = {}
        self.dead_letters: list[bytes] = []
        self._frontiers: dict[tuple[str, str], Frontier] = {}
        self._states: dict[str, SourceState] = {}

    @property
    def has_data(self) -> bool:
        """Whether it holds anything beside frontiers and states of sources."""
        return bool(
            self.rows
            or self.truncations
            or self.identities
            or self.persons
            or self.linked
            or self.dead_letters
        )

    def add_record(self, feed: str, datum: bytes, noted: int, record: Record | None = None) -> None:
        """Add a record of ``feed``: its datum as it travels in the log (without the wire format) and its
        header, if somebody has decoded it."""
        row = Row(feed, datum, noted, record)
        rows = self.rows.get(feed)
        if rows is None:
            self.rows[feed] = [row]
        else:
            rows.append(row)

    def add_identity(self, datum: bytes, noted: int) -> None:
        """Add a datum of ``renkou.Identity``: the mention's row and one of its history."""
        self.identities.append(datum + noted_bytes(noted))

    def add_person(self, datum: bytes, noted: int) -> None:
        """Add a datum of ``renkou.Person``: the person's row and one of its history."""
        self.persons.append(datum + noted_bytes(noted))

    def add_linked(self, schema: str, datum: bytes) -> None:
        """Add a datum of one of the linker's other schemas (`connectors.clickhouse.shared.LINKED`)."""
        self.linked.setdefault(schema, []).append(datum)

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Add a dead letter in its state. One that is known in a newer state stays in it."""
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
            "state": letter.state,
            "raw_key": letter.key,
            "raw_value": letter.value,
            "headers": [{"name": name, "value": value} for name, value in letter.headers or []],
            "event_time": letter.timestamp,
            "version": versions.to_bytes(letter.state_version),
        }
        self.dead_letters.append(_dead_letters.encode(values))

    def add_mark(self, mark: Mark) -> None:
        """Add a truncation: every row of the feed below its version goes, those that come later as well."""
        if mark.kind is not MarkKind.TRUNCATE:
            raise ValueError("only truncations are marks of the store; a frontier is added by add_frontier")
        self.truncations.append(mark)

    def add_frontier(self, department: str, stage: str, frontier_us: int, at_us: int) -> None:
        """Add how far a stage has come; times in microseconds since 1970. An older frontier changes
        nothing."""
        known = self._frontiers.get((department, stage))
        if known is None or frontier_us >= known.frontier:
            self._frontiers[department, stage] = Frontier(department, stage, frontier_us, at_us)

    def add_source_state(self, department: str, state: str, since_us: int, noted_us: int) -> None:
        """Add what a source is doing (idle, source down …); the one noted last counts."""
        known = self._states.get(department)
        if known is None or noted_us >= known.noted:
            self._states[department] = SourceState(department, state, since_us, noted_us)

    @property
    def frontiers(self) -> Mapping[tuple[str, str], Frontier]:
        """The frontiers by department and stage."""
        return self._frontiers

    @property
    def source_states(self) -> Mapping[str, SourceState]:
        """The source states by department."""
        return self._states
