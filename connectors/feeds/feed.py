"""A feed at work: from a change to a record, with the functions that its definition names, put together once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from avro.change import Change, Op
from avro.codec import RecordCodec
from avro.normalize import RESIDENT_ID, contradictions, is_valid_resident_id
from avro.normalize.consistency import Consistency
from avro.record import Finding, Mention, Record, Relation
from avro.schema import SCHEMA_FOLDER
from avro.shape import RowShape
from connectors.errors import FeedMismatchError
from connectors.feeds._datum import OPS, DatumWriter, compile_datum, record_of
from connectors.feeds._row import (
    ID_NUMBER,
    ID_TYPE,
    NAME,
    compile_row,
    finding,
    mention_of,
    with_broken,
)
from connectors.feeds.definition import DATABASE_KINDS, Department, FeedDefinition
from connectors.feeds.plan import About, Check, ContextStep, MentionPlan, Step, fits, plan_feed

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode

_TYPE_NAMES: Final = {
    str: "text",
    int: "whole number",
    bool: "boolean",
    list: "array",
    float: "fraction",
    dict: "structure",
}


class Normalized(msgspec.Struct, frozen=True):
    """A change as its feed's record. ``raw`` is the JSON object of the source's columns that the feed names, null in a
    delete. ``elements`` has a value for each of the feed's own fields, null (or an empty array) in a delete."""

    record: Record
    raw: str | None
    elements: dict[str, Any]


def _given_at_times(definition: FeedDefinition) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return, for each mention, its elements whose fields are filled for certain values of another column only."""
    fields = {
        output.field for column in definition.columns for output in column.outputs if output.when is not None
    }
    return {
        (mention.role, mention.ordinal): tuple(
            element for element, field in mention.elements.items() if field in fields
        )
        for mention in definition.mentions
    }


class Feed:
    """One data type of one department.

    ``id`` is ``<department>.<type>``, ``topic`` where its changes are found (captured by Debezium when ``is_captured``,
    else put there by ``renkou load`` or the push channel), ``origin`` its connector, schema and table as a source block
    names them, ``store_table`` its table in the store, ``schemas`` the folder of its Avro schema. ``columns`` and
    ``key`` name the source's columns, in the feed's order. ``roles`` maps each role to how many people a row can
    mention in it. ``unknown_columns`` collects columns that came and that the definition neither names nor excludes;
    they are dropped. ``given_at_times`` are, by role and ordinal, the elements that only some rows give.
    """

    def __init__(
        self, department: Department, definition: FeedDefinition, schemas: Path = SCHEMA_FOLDER
    ) -> None:
        self.definition = definition
        self.department = department.name
        self.type = definition.type
        self.id = f"{department.name}.{definition.type}"
        self.kind = definition.kind
        self.is_captured = definition.kind in DATABASE_KINDS
        self.layout = definition.layout
        self.push = definition.push
        self.schema = department.schema if self.is_captured else definition.kind
        self.generation = definition.generation
        self.table = definition.table
        self.topic = (
            f"cdc.{department.name}.{department.schema}.{definition.table}"
            if self.is_captured
            else f"{definition.kind}.{department.name}.{definition.type}"
        )
        self.origin = (f"cdc.{department.name}", self.schema, definition.table)
        self.store_table = f"{department.name}_{definition.type}"
        self.key = definition.key
        self.columns = tuple(column.name for column in definition.columns)
        self.roles: Mapping[str, int] = {mention.role: mention.ordinal + 1 for mention in definition.mentions}
        self.authority = definition.authority
        self.freshness = definition.freshness
        self.unknown_columns: set[str] = set()
        self.schemas = schemas
        plan = plan_feed(self.id, definition, schemas)
        self._steps: tuple[Step, ...] = plan.steps
        self._context_steps: tuple[ContextStep, ...] = plan.context_steps
        self._mentions: tuple[MentionPlan, ...] = plan.mentions
        self._checks: tuple[Check, ...] = plan.checks
        self._plan = plan
        self._read_row = compile_row(self.id, plan)
        self.shape = RowShape({column.name: column.takes for column in definition.columns}, self.key)
        self.given_at_times = _given_at_times(definition)
        self._consistency = Consistency(
            {(mention.role, mention.ordinal): mention.elements for mention in definition.mentions},
            {
                (mention.role, mention.ordinal): tuple(Relation)
                for mention in definition.mentions
                if mention.evidence.kin
            },
            self.given_at_times,
        )
        self._nothing: Mapping[str, Any] = plan.nothing
        self._fields_of: Mapping[str, tuple[str, ...]] = plan.fields_of
        self._key_set = frozenset(self.key)
        self._known = frozenset((*self.columns, *definition.excluded))

    @cached_property
    def codec(self) -> RecordCodec:
        """The codec of this feed's records."""
        return RecordCodec(self.id, self.schemas)

    @cached_property
    def _write_datum(self) -> DatumWriter:
        return compile_datum(self.id, self.topic, self._plan, self.codec, self.shape, self._consistency)

    def encode(self, change: Change) -> tuple[Record, bytes]:
        """Return the record of a change of this feed, as `normalize` does, and its datum.

        Raises FeedMismatchError as `normalize`, and ValueError or TypeError, naming the field, when a value does not
        fit the feed's schema.
        """
        row = change.row or self._row_of(change)
        if row is not None:
            place = change.place
            written = self.write(
                row, change.op, change.key, change.version, change.source_time, change.captured_time,
                place.topic, place.partition, place.offset, change.previous_key, change.next_key, b"", True,
            )  # fmt: skip
            if written is not None:
                return cast(tuple[Record, bytes], written)
        normalized = self.normalize(change)
        return normalized.record, self.codec.encode(normalized.record, normalized.raw, normalized.elements)

    def write(self, row: msgspec.Struct, *about: object) -> tuple[Record | None, bytes] | None:
        """Return what `connectors.feeds._datum.DatumWriter` gives for a row of the feed's shape; None also when a value
        does not fit the schema, which `encode` says more about."""
        try:
            return self._write_datum(row, *about)
        except (ValueError, TypeError, OverflowError):
            return None

    def _row_of(self, change: Change) -> msgspec.Struct | None:
        """Return the row of a change that was not read into the feed's shape, None when it does not fit."""
        after = change.after
        if after is None or change.unchanged or _decode(change.key).keys() != self._key_set:
            return None
        return self.shape.row(after)

    def normalize(self, change: Change) -> Normalized:
        """Return the record of a change of this feed; not for a truncate, which is about no row.

        Raises FeedMismatchError with one of the rules key_mismatch, missing_column, wrong_type.
        """
        if _decode(change.key).keys() != self._key_set:
            raise FeedMismatchError(
                "key_mismatch",
                f"feed {self.id}: the change's key is not ({', '.join(self.key)}); mend the feed's 'key', "
                "then renkou dead-letters replay",
            )
        if change.op is Op.DELETE:
            return Normalized(self._record(change, (), (), (), ()), None, dict(self._nothing))
        after = change.after if change.row is None else self.shape.columns(change.row)
        assert after is not None, "only a delete has no row after it"
        if not change.unchanged:
            row = self._read_row(after)
            if row is not None:
                if len(after) != len(self.columns):
                    self._notice(after)
                raw_text, elements, mentions, found = row
                return Normalized(self._record(change, (), (), mentions, found), raw_text, elements)
        return self._normalize_unusual(change, after)

    def _normalize_unusual(self, change: Change, after: Mapping[str, Any]) -> Normalized:
        """Do what the compiled reader does, column by column: for a row that it left, to say what is wrong with it."""
        unchanged = self._unchanged(change) if change.unchanged else ()
        raw, elements, findings = self._read(after, unchanged)
        unchanged_elements = tuple(
            dict.fromkeys(field for column in unchanged for field in self._fields_of[column])
        )
        people, found = self._people(elements, unchanged_elements, tuple(findings))
        record = self._record(change, unchanged, unchanged_elements, people, found)
        return Normalized(record, _encode(raw).decode(), elements)

    def _notice(self, after: Mapping[str, Any]) -> None:
        """Remember the columns that the feed does not name, so that they are passed over from now on."""
        self.unknown_columns |= after.keys() - self._known
        self.shape.widen(after)

    def _unchanged(self, change: Change) -> tuple[str, ...]:
        self.unknown_columns.update(column for column in change.unchanged if column not in self._known)
        return tuple(column for column in change.unchanged if column in self._fields_of)

    def _read(
        self, after: Mapping[str, Any], unchanged: tuple[str, ...]
    ) -> tuple[dict[str, Any], dict[str, Any], list[Finding]]:
        raw: dict[str, Any] = {}
        elements = dict(self._nothing)
        findings: list[Finding] = []
        for column, takes, field, normalize, about, when, _ in self._steps:
            try:
                value = after[column]
            except KeyError:
                if column in unchanged:
                    continue
                raise self._missing(column) from None
            if type(value) is not takes and value is not None:
                raise self._wrong_type(column, takes)
            raw[column] = value
            if when is not None and not fits(after.get(when.column), when.values):
                continue
            elements[field], issues = normalize(value)
            if issues:
                findings += [finding(about, rule, value) for rule in issues]
        for column, field, normalize_in, context, about, when in self._context_steps:
            if column in raw and (when is None or fits(after.get(when.column), when.values)):
                elements[field], issues = normalize_in(raw[column], elements[context])
                if issues:
                    findings += [finding(about, rule, raw[column]) for rule in issues]
        if len(after) != len(raw):
            self._notice(after)
        for id_field, is_resident, sex_field, birth_field, sources in self._checks:
            number = elements[id_field]
            if number is None or not (is_resident or is_valid_resident_id(number)):
                continue
            sex = elements[sex_field] if sex_field else None
            birth_date = elements[birth_field] if birth_field else None
            for element in contradictions(number, sex, birth_date):
                column, about = sources[element]
                findings.append(finding(about, "contradicts_id_number", raw[column]))
        return raw, elements, findings

    def _people(
        self, elements: Mapping[str, Any], unchanged: tuple[str, ...], findings: tuple[Finding, ...]
    ) -> tuple[tuple[Mention, ...], tuple[Finding, ...]]:
        people = []
        for plan in self._mentions:
            values = [None if field is None else elements[field] for field in plan.fields]
            kept = tuple(name for name, field in plan.known if field in unchanged) if unchanged else ()
            number = values[ID_NUMBER]
            if plan.is_resident or plan.is_open:
                if number is not None and (plan.is_resident or is_valid_resident_id(number)):
                    values[ID_TYPE] = RESIDENT_ID
                if "id_number" in kept:
                    kept = (*kept, "id_type")
            if plan.needs and not any(
                elements[field] is not None or field in unchanged for field in plan.needs
            ):
                continue
            found, broken = plan.evidence.values(elements, values[NAME], number)
            if broken:
                findings = with_broken(findings, About("kin", plan.role, plan.ordinal), broken)
            for name, fields in plan.evidence_of.items() if unchanged else ():
                # Made of several columns: as long as one of them was not sent, the whole is the stored one.
                if not fields.isdisjoint(unchanged):
                    kept = (*kept, name)
            people.append(mention_of(plan.role, plan.ordinal, *values, *found, kept))
        return tuple(people), findings

    def _record(
        self,
        change: Change,
        unchanged: tuple[str, ...],
        unchanged_elements: tuple[str, ...],
        mentions: tuple[Mention, ...],
        findings: tuple[Finding, ...],
    ) -> Record:
        place = change.place
        op = change.op
        findings += self._consistency.doubts(mentions, change.source_time, findings)
        # In the order of Record's fields.
        return record_of(
            self.id,
            OPS[op],
            change.key,
            change.version,
            op is Op.DELETE,
            op is Op.READ,
            change.source_time,
            change.captured_time,
            place.topic,
            place.partition,
            place.offset,
            change.previous_key,
            change.next_key,
            unchanged,
            unchanged_elements,
            mentions,
            findings,
        )

    def _missing(self, column: str) -> FeedMismatchError:
        return FeedMismatchError(
            "missing_column",
            f"feed {self.id}: column {column} is not in the change; if the source dropped or renamed it, "
            "mend the feed, then renkou dead-letters replay",
        )

    def _wrong_type(self, column: str, takes: type) -> FeedMismatchError:
        return FeedMismatchError(
            "wrong_type",
            f"feed {self.id}: column {column} is not a {_TYPE_NAMES[takes]}; if the source changed its type, name a "
            "rule that takes the new one, then renkou dead-letters replay",
        )
