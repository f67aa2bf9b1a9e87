"""Stewards' decisions on their way into the log: read, checked against what stands, and sent.

Whoever enters a decision is told at once what speaks against it. The linker checks again with everything that it knows,
and its answer is in ``decisions``: between the check and the entry others may have decided.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from avro.change import RawEvent
from avro.record import (
    DeadLetter,
    Decision,
    DecisionKind,
    MentionPlace,
    TableSwitch,
    decision_key,
    switch_key,
)
from connectors.clickhouse.access import Access, rows
from linkage.decisions import DIFFERENT_NUMBERS, OVERRIDES, DecisionBook
from linkage.errors import DecisionError
from linkage.id_number import is_valid_id_number
from streams import topics
from streams.producer import Producer
from streams.schemas import TopicSchemas

DECIDE_STAGE: Final = "decide"
"""Where a dead letter stopped that should have been a decision."""
MALFORMED: Final = "malformed_decision"
_decode: Final = msgspec.json.Decoder(Decision).decode
_PLACE: Final = re.compile(r"([a-z0-9_]+)\.([a-z0-9_]+)\|(.+)\|([a-z0-9_]+)\|([0-9]{1,6})", re.DOTALL)


def decision_in(event: RawEvent) -> Decision | DeadLetter:
    """Return the decision of an event: its value is the JSON object of a `Decision`. A dead letter when it is none."""
    try:
        decision = _decode(event.value or b"")
        check_form(decision)
    except (msgspec.DecodeError, UnicodeDecodeError, DecisionError) as error:
        kind = str(error) if isinstance(error, DecisionError) else "it is no JSON object of one"
        return DeadLetter(
            feed="",
            topic=event.place.topic,
            partition=event.place.partition,
            offset=event.place.offset,
            stage=DECIDE_STAGE,
            rule=MALFORMED,
            error=f"not a decision: {kind}",
            key=event.key,
            value=event.value,
            headers=event.headers,
            timestamp=event.timestamp,
        )
    return decision


def check_form(decision: Decision) -> None:
    """Raise DecisionError unless the decision says who, why and about which two."""
    if not decision.decision_id or not decision.author.strip() or not decision.reason.strip():
        raise DecisionError("a decision has an id, an author and a reason; give all three")
    if decision.left == decision.right:
        raise DecisionError("a decision is about two mentions, and this names one twice; name the other")
    strange = set(decision.overrides) - set(OVERRIDES)
    if strange:
        raise DecisionError(f"the constraints that can be set aside are {', '.join(OVERRIDES)}; name these")
    revoked = (decision.revoked_at is not None, decision.revoked_by is not None, bool(decision.revoke_reason))
    if any(revoked) and not all(revoked):
        raise DecisionError("a revocation says who, why and when; give all three")


def read_place(text: str) -> MentionPlace:
    """Return the place that ``department.table|key|role|ordinal`` names. Raises DecisionError."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise DecisionError(
            "a mention is written department.table|key|role|ordinal, as renkou reviews prints it; write it so"
        )
    department, table, key, role, ordinal = found.groups()
    return MentionPlace(department, table, key, role, int(ordinal))


def show_place(place: MentionPlace) -> str:
    """Return a place as `read_place` reads it: personal data, since the key can hold an ID number."""
    return f"{place.feed}|{place.key}|{place.role}|{place.ordinal}"


def stored_decisions(access: Access) -> list[Decision]:
    """Return all decisions that the store knows, at the places where their mentions are now."""
    found = rows(access, "SELECT * EXCEPT (version) FROM decisions ORDER BY decided_at, decision_id")
    return [decision_of(row) for row in found]


def decision_of(row: dict[str, Any]) -> Decision:
    """Return the decision of a row of ``decisions``."""
    return Decision(
        decision_id=row["decision_id"],
        kind=DecisionKind(row["kind"]),
        left=place_of(row["left"]),
        right=place_of(row["right"]),
        author=row["author"],
        reason=row["reason"],
        decided_at=_micros(row["decided_at"]),
        overrides=tuple(row["overrides"]),
        revoked_by=row["revoked_by"],
        revoke_reason=row["revoke_reason"],
        revoked_at=None if row["revoked_at"] is None else _micros(row["revoked_at"]),
    )


def place_of(value: dict[str, Any]) -> MentionPlace:
    """Return the place that a tuple of the store holds."""
    return msgspec.convert({**value, "ordinal": int(value["ordinal"])}, MentionPlace)


def _micros(text: str) -> int:
    """Return a time as ClickHouse writes it, ``2026-01-31 12:00:00.000000``, in microseconds since 1970."""
    whole = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    since = whole - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def check(access: Access, decision: Decision) -> None:
    """Raise DecisionError when something speaks against the decision; the message names what, and no person."""
    check_form(decision)
    book = DecisionBook()
    for known in stored_decisions(access):
        book.put(known)
    opposite = book.contradiction(decision)
    if opposite is not None:
        raise DecisionError(
            f"decision {opposite} says the opposite; revoke it first (renkou decide --revoke {opposite}), or leave it"
        )
    numbers = [_number(access, place) for place in (decision.left, decision.right)]
    if decision.kind is DecisionKind.MUST_LINK and DIFFERENT_NUMBERS not in decision.overrides:
        one, other = numbers
        if one and other and one != other and is_valid_id_number(one) and is_valid_id_number(other):
            raise DecisionError(
                f"the two have different valid ID numbers ({DIFFERENT_NUMBERS}); if they are one person all the same, "
                f"say so with --despite {DIFFERENT_NUMBERS}"
            )


def _number(access: Access, place: MentionPlace) -> str:
    """Return a live mention's ID number, empty when it has none. Raises DecisionError when it is not there."""
    found = rows(
        access,
        "SELECT id_number FROM mentions WHERE department = {department:String} AND table = {table:String}"
        " AND key = {key:String} AND role = {role:String} AND ordinal = {ordinal:Int32}",
        {name: str(getattr(place, name)) for name in place.__struct_fields__},
    )
    if not found:
        raise DecisionError(
            f"a mention of {place.feed} that the decision names is not in the register; "
            "look at the key and role (renkou person shows them)"
        )
    return str(found[0]["id_number"] or "")


class HubEntry:
    """Enters decisions and switches into the log of a hub."""

    def __init__(self, producer: Producer, schemas: TopicSchemas) -> None:
        self._producer = producer
        self._schemas = schemas

    def enter(self, entry: Decision | TableSwitch) -> None:
        """Enter it; returns when it is durable."""
        if isinstance(entry, Decision):
            key, value = decision_key(entry.decision_id), self._schemas.frame_decision(entry)
        else:
            key, value = switch_key(entry), self._schemas.frame_switch(entry)
        self._producer.send(topics.RECORDS, key, value)
        self._producer.flush()
