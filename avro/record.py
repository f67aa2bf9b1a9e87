"""A record: a change normalized against its feed's Avro schema, and what else travels in ``renkou.records``.

The log carries four kinds of entries: records, marks, stewards' decisions and switches of tables. The linker needs
a record's header and mentions only; they are the first fields of every feed's Avro schema, so that a reader can stop
after them (`avro.codec`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Severity(StrEnum):
    """How much a finding matters: a note informs, a warning doubts, an error means that the value was refused."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A quality rule that a value broke. ``original`` is the value as the source has it: personal data.

    ``role`` and ``ordinal`` are empty and 0 where the finding concerns the row and not one mention.
    """

    element: str
    rule: str
    severity: str
    original: str | None = None
    role: str = ""
    ordinal: int = 0


class Relation(StrEnum):
    """What somebody else is to the person whom a mention names. ``kin`` is a relative of another or unstated kind."""

    MOTHER = "mother"
    FATHER = "father"
    SPOUSE = "spouse"
    CHILD = "child"
    GUARDIAN = "guardian"
    HOUSEHOLDER = "householder"
    CONTACT = "contact"
    DECLARANT = "declarant"
    KIN = "kin"


class Kin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another person whom a record names beside the mention's: evidence for who the mention is, and no role.

    ``relation`` is one of `Relation`, ``birth_date`` days since 1970-01-01. At least one of the others has a value.
    """

    relation: str
    name: str | None = None
    id_number: str | None = None
    phone: str | None = None
    birth_date: int | None = None


class Mention(msgspec.Struct, array_like=True, gc=False):
    """A person as a record names them, in a role: first the elements that describe the person, then evidence that
    helps to tell who it is and is no part of a golden record.

    ``birth_date`` and ``death_date`` are days since 1970-01-01, ``birth_month`` is yyyyMM where only that is known,
    ``lunar_birth_date`` yyyy-MM-dd of the lunar calendar. ``household`` is ``<department>|<number>``. ``ties`` are the
    source's own numbers of the person's file, ``<department>.<kind>|<value>``: equal ties say "the same person".
    ``other_numbers`` are further document numbers of the person (a previous one, a passport, a permit),
    ``other_names`` earlier or other names. ``birth_order`` is the place among twins, None where there are none.
    ``unchanged`` names the elements and the evidence whose value the source did not send: whoever keeps the mention
    keeps the value it has.
    """

    role: str
    ordinal: int = 0
    name: str | None = None
    former_name: str | None = None
    id_type: str | None = None
    id_number: str | None = None
    sex: str | None = None
    birth_date: int | None = None
    ethnicity: str | None = None
    marital_status: str | None = None
    phone: str | None = None
    hukou_division: str | None = None
    hukou_address: str | None = None
    residence_division: str | None = None
    residence_address: str | None = None
    workplace: str | None = None
    certificate_number: str | None = None
    death_date: int | None = None
    birth_month: str | None = None
    lunar_birth_date: str | None = None
    household: str | None = None
    ties: tuple[str, ...] = ()
    other_numbers: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    birth_order: int | None = None
    kin: tuple[Kin, ...] = ()
    unchanged: tuple[str, ...] = ()


EVIDENCE: Final = ("household", "ties", "other_numbers", "other_names", "birth_order", "kin")
"""What a mention has beside a person's elements: columns of ``mentions`` only."""

PERSON_ELEMENTS: Final[tuple[str, ...]] = tuple(
    field for field in Mention.__struct_fields__ if field not in ("role", "ordinal", *EVIDENCE, "unchanged")
)
"""The elements that describe a person, in the order of the schema: columns of ``mentions`` and ``persons``."""


class Record(msgspec.Struct, gc=False):
    """The part of a record that every feed has: header, mentions, findings.

    ``feed`` is ``<department>.<type>``. ``version`` is as in `avro.version`; times are microseconds since 1970.
    ``is_deleted`` is true for a delete, whose mentions then only name roles. ``unchanged`` names source columns
    that were not sent, ``unchanged_elements`` the elements of the feed that depend on them.
    """

    feed: str
    op: str
    key: str
    version: int
    is_deleted: bool
    snapshot: bool
    source_time: int
    captured_time: int
    topic: str
    partition: int
    offset: int
    previous_key: str | None = None
    next_key: str | None = None
    unchanged: tuple[str, ...] = ()
    unchanged_elements: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    findings: tuple[Finding, ...] = ()


class MarkKind(StrEnum):
    """``frontier``: all changes of the department up to ``source_time`` have passed. ``truncate``: every row of
    the feed with a version below the mark's is gone (a TRUNCATE, or a snapshot that superseded an interrupted one).
    """

    FRONTIER = "frontier"
    TRUNCATE = "truncate"


class Mark(msgspec.Struct, frozen=True):
    """An entry of the log that is not about one row. ``feed`` is empty for a frontier."""

    kind: MarkKind
    department: str
    feed: str
    version: int
    source_time: int


class MentionPlace(msgspec.Struct, frozen=True, order=True):
    """Where a mention stands: the row, the role in it, and which of several in that role."""

    department: str
    table: str
    key: str
    role: str
    ordinal: int = 0

    @property
    def feed(self) -> str:
        """``<department>.<table>``."""
        return f"{self.department}.{self.table}"


class DecisionKind(StrEnum):
    """What a steward says of two mentions: they are one person, or they are not."""

    MUST_LINK = "must_link"
    CANNOT_LINK = "cannot_link"


class Decision(msgspec.Struct, frozen=True):
    """A steward's answer about two mentions, an entry of the log. The same id again replaces it, when newer.

    ``overrides`` names the constraints that the author knows of and sets aside (`linkage.decisions.OVERRIDES`).
    ``decided_at`` and ``revoked_at`` are microseconds since 1970; a decision that is revoked has no effect.
    """

    decision_id: str
    kind: DecisionKind
    left: MentionPlace
    right: MentionPlace
    author: str
    reason: str
    decided_at: int
    overrides: tuple[str, ...] = ()
    revoked_by: str | None = None
    revoke_reason: str | None = None
    revoked_at: int | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Orders the states of one decision: what is revoked stays so until it is decided anew, later."""
        return max(self.decided_at, self.revoked_at or 0), 0 if self.revoked_at is None else 1


class TableName(StrEnum):
    """The tables that linking goes by and that can be switched while it runs."""

    WEIGHTS = "weights"
    GENERIC = "generic"


class TableSwitch(msgspec.Struct, frozen=True):
    """From this entry of the log on linking goes by another table. ``text`` is the whole table, as CSV.

    ``author`` switched it at ``switched_at`` (microseconds since 1970), for ``reason``. The newest one counts.
    """

    table: TableName
    text: str
    author: str
    reason: str
    switched_at: int


LogValue = Record | Mark | Decision | TableSwitch
"""What an entry of ``renkou.records`` holds."""

OPEN: Final = "open"
REPLAYED: Final = "replayed"
DISCARDED: Final = "discarded"


class DeadLetter(msgspec.Struct):
    """A change that could not become a record. ``key`` and ``value`` are the original bytes: personal data.

    ``error`` is a sentence without any value of the event. ``stage`` is where it stopped (``normalize`` …). ``state``
    is open, replayed or discarded; the one with the highest ``state_version`` counts. The first time it is 0, so that
    a redelivery reopens nothing; see `avro.record.letter_version`.
    """

    feed: str
    topic: str
    partition: int
    offset: int
    stage: str
    rule: str
    error: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] | None = None
    timestamp: int = 0
    state: str = OPEN
    state_version: int = 0


def letter_version(decided: int, *, failed: bool) -> int:
    """Return the version of a letter's state: ``decided`` at that time (microseconds since 1970), or ``failed`` once
    more after it was sent again then. 0 and not failed: never decided."""
    return 2 * decided + (failed and decided > 0)


def log_key(feed: str, key: str) -> bytes:
    """Return the key of a record in the compacted ``renkou.records``."""
    return f"{feed}|{key}".encode()


def mark_key(mark: Mark) -> bytes:
    """Return the key of a mark; the newest mark of a kind is the one that compaction keeps."""
    return f"mark|{mark.kind}|{mark.feed or mark.department}".encode()


def decision_key(decision_id: str) -> bytes:
    """Return the key of a decision: its newest state is the one that compaction keeps."""
    return f"decision|{decision_id}".encode()


def switch_key(switch: TableSwitch) -> bytes:
    """Return the key of a switch: the newest table is the one that compaction keeps."""
    return f"table|{switch.table}".encode()
