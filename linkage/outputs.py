"""What the linker says: identities, persons, marks passed on, and what became of each record.

Each output has the version (epoch, offset of the log entry that caused it), so that it is the same whenever
and in whatever batches the log is read. `to_avro` gives the fields of ``Identity.avsc`` and ``Person.avsc``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from avro.record import PERSON_ELEMENTS, Decision, Mark, MentionPlace
from avro.version import to_bytes

Value = str | int | None
"""The value of an element of a person: text, or days since 1970-01-01."""

Values = tuple[Value, ...]
"""One value for each of `PERSON_ELEMENTS`, in that order."""

NO_VALUES: Final[Values] = (None,) * len(PERSON_ELEMENTS)


class PersonState(StrEnum):
    """``merged``: the person goes on under ``merged_into``. ``retired``: no record mentions the person any
    more."""

    ACTIVE = "active"
    MERGED = "merged"
    RETIRED = "retired"


class Outcome(StrEnum):
    """What became of a record. ``superseded``: an equal or newer state of its key was there before."""

    APPLIED = "applied"
    DELETED = "deleted"
    SUPERSEDED = "superseded"


class IdentityChange(msgspec.Struct, frozen=True, gc=False):
    """Which person a mention belongs to from now on; with ``is_deleted``, that the mention is gone.

    ``serial`` counts mentions in the order of the log: a rebuild finds by it whose id an id is.
    """

    department: str
    table: str
    key: str
    role: str
    ordinal: int
    person_id: str
    rule: str
    version: int
    is_deleted: bool
    serial: int

    def to_avro(self) -> dict[str, Any]:
        """Return the fields of ``Identity.avsc``."""
        return {
            "department": self.department,
            "table": self.table,
            "key": self.key,
            "role": self.role,
            "ordinal": self.ordinal,
            "person_id": self.person_id,
            "rule": self.rule,
            "version": to_bytes(self.version),
            "is_deleted": 1 if self.is_deleted else 0,
            "serial": self.serial,
        }


class PersonChange(msgspec.Struct, frozen=True, gc=False):
    """A person's golden record as it is from now on. Without a mention (merged, retired) it has no values.

    ``provenance`` is JSON as `linkage.golden` describes it.
    """

    person_id: str
    state: str
    merged_into: str | None
    split_from: str | None
    elements: Values
    provenance: str
    mention_count: int
    version: int

    def to_avro(self) -> dict[str, Any]:
        """Return the fields of ``Person.avsc``. A person is never deleted: an id once issued resolves for
        ever."""
        fields: dict[str, Any] = dict(zip(PERSON_ELEMENTS, self.elements, strict=True))
        fields["person_id"] = self.person_id
        fields["state"] = self.state
        fields["merged_into"] = self.merged_into
        fields["split_from"] = self.split_from
        fields["provenance"] = self.provenance
        fields["mention_count"] = self.mention_count
        fields["version"] = to_bytes(self.version)
        fields["is_deleted"] = 0
        return fields


class PersonIdChange(msgspec.Struct, frozen=True, gc=False):
    """What has become of a person id: issued, merged or retired. Without any personal data."""

    person_id: str
    state: str
    merged_into: str | None
    split_from: str | None
    version: int

    def to_avro(self) -> dict[str, Any]:
        """Return the fields of ``PersonId.avsc``."""
        return {
            "person_id": self.person_id,
            "state": self.state,
            "merged_into": self.merged_into,
            "split_from": self.split_from,
            "version": to_bytes(self.version),
        }


class DecisionChange(msgspec.Struct, frozen=True, gc=False):
    """What a steward's decision has led to. ``left`` and ``right`` are where the two mentions stand now.

    ``conflict`` says why it is contradicted (`linkage.decisions.Conflict`), ``contradicts`` by which decision.
    """

    decision: Decision
    state: str
    conflict: str
    contradicts: str | None
    left: MentionPlace
    right: MentionPlace
    version: int

    def to_avro(self) -> dict[str, Any]:
        """Return the fields of ``DecisionEffect.avsc``."""
        decision = self.decision
        return {
            "decision_id": decision.decision_id,
            "kind": decision.kind,
            "left": place_fields(self.left),
            "right": place_fields(self.right),
            "state": self.state,
            "conflict": self.conflict,
            "contradicts": self.contradicts,
            "author": decision.author,
            "reason": decision.reason,
            "decided_at": decision.decided_at,
            "overrides": list(decision.overrides),
            "revoked_by": decision.revoked_by,
            "revoke_reason": decision.revoke_reason,
            "revoked_at": decision.revoked_at,
            "version": to_bytes(self.version),
        }


class ReviewChange(msgspec.Struct, frozen=True, gc=False):
    """A pair for a human to decide, or that there is nothing left to decide (`linkage.reviews`)."""

    review_id: str
    left: MentionPlace
    right: MentionPlace
    left_person: str
    right_person: str
    score: float
    harm: float
    reason: str
    state: str
    version: int

    def to_avro(self) -> dict[str, Any]:
        """Return the fields of ``Review.avsc``."""
        return {
            "review_id": self.review_id,
            "left": place_fields(self.left),
            "right": place_fields(self.right),
            "left_person": self.left_person,
            "right_person": self.right_person,
            "score": self.score,
            "harm": self.harm,
            "reason": self.reason,
            "state": self.state,
            "version": to_bytes(self.version),
        }


def place_fields(place: MentionPlace) -> dict[str, Any]:
    """Return the fields of ``MentionPlace.avsc``."""
    return {name: getattr(place, name) for name in place.__struct_fields__}


class PassedMark(msgspec.Struct, frozen=True):
    """A mark of the log, after everything before it has had its effect."""

    mark: Mark


class Disposition(msgspec.Struct, frozen=True, gc=False):
    """What became of the record, or decision, at ``offset`` of the log: for counting."""

    offset: int
    feed: str
    outcome: str


Output = (
    IdentityChange | PersonChange | PersonIdChange | DecisionChange | ReviewChange | PassedMark | Disposition
)


def format_person_id(number: int) -> str:
    """Return the public form of a person's number: ``P`` and ten digits, or more when ten do not suffice."""
    return f"P{number:010d}"


def parse_person_id(person_id: str) -> int | None:
    """Return the number of a person id, None when it has not the form of one."""
    digits = person_id[1:]
    if not person_id.startswith("P") or len(digits) < 10 or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)
