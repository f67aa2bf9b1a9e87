"""Puts a feed's definition together with its Avro schema: checks that they fit, and makes the functions to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from avro.elements import Element, ElementType, element_of, elements
from avro.errors import SchemaError
from avro.normalize import ContextRule, Issues
from avro.normalize.issues import NONE
from avro.normalize.rules import ContextNormalizer, Normalizer, Rule
from avro.record import EVIDENCE, PERSON_ELEMENTS
from avro.schema import record_schema
from connectors.feeds.definition import Condition, FeedDefinition, Output, Part
from connectors.feeds.evidence import EvidencePlan, plan_evidence
from connectors.feeds.mention import SELF, MentionDefinition

_OWN: Final = "raw"  # the last of the fields that every record has


class About(NamedTuple):
    """What a finding is about: an element, and the mention it describes (role empty: the row)."""

    element: str
    role: str
    ordinal: int


class Step(NamedTuple):
    """A field and the column that fills it: the type of the column's value, and the function. ``is_remembered`` as in
    `avro.normalize.rules.Rule`."""

    column: str
    takes: type
    field: str
    normalize: Normalizer
    about: About
    when: Condition | None
    is_remembered: bool


class ContextStep(NamedTuple):
    """A field whose function needs the value of another field, ``context``, as well: it runs after the plain ones."""

    column: str
    field: str
    normalize: ContextNormalizer
    context: str
    about: About
    when: Condition | None


class MentionPlan(NamedTuple):
    """A mention: ``fields`` has the feed's field, or None, for each of PERSON_ELEMENTS; ``known`` those that have one;
    ``evidence_of`` the fields behind each of EVIDENCE that the feed declares. ``needs`` are the fields of which one
    must have a value for the mention to be there, empty where none must.
    No field says the document's type where ``is_resident`` (the number can only be a resident ID) or ``is_open`` (it is
    one if it is a valid one)."""

    role: str
    ordinal: int
    fields: tuple[str | None, ...]
    known: tuple[tuple[str, str], ...]
    evidence: EvidencePlan
    evidence_of: Mapping[str, frozenset[str]]
    needs: tuple[str, ...]
    is_resident: bool
    is_open: bool


class Check(NamedTuple):
    """Fields of one mention that must agree with its ID number. ``is_resident`` as in `MentionPlan`; ``sources``:
    element → its column and finding place."""

    id_field: str
    is_resident: bool
    sex_field: str | None
    birth_field: str | None
    sources: Mapping[str, tuple[str, About]]


class Plan(msgspec.Struct, frozen=True):
    """Everything that a feed needs at work. ``nothing`` maps each field to its value when nothing is known;
    ``fields_of`` each column to the fields that it fills."""

    steps: tuple[Step, ...]
    context_steps: tuple[ContextStep, ...]
    mentions: tuple[MentionPlan, ...]
    checks: tuple[Check, ...]
    nothing: Mapping[str, Any]
    fields_of: Mapping[str, tuple[str, ...]]


def plan_feed(feed: str, definition: FeedDefinition, schemas: Path) -> Plan:
    """Return the plan of a feed. Raises FeedError where definition, schema and standard do not fit each other."""
    fields = _schema_elements(feed, definition, schemas)
    outputs = _outputs_by_field(definition, fields, feed)
    columns = {output.field: column.name for column in definition.columns for output in column.outputs}
    abouts = _abouts(definition, fields)
    steps, context_steps = _steps(definition, abouts, outputs)
    mentions = tuple(
        _mention(mention, outputs, fields, definition.department) for mention in definition.mentions
    )
    return Plan(
        steps=steps,
        context_steps=context_steps,
        mentions=mentions,
        checks=tuple(filter(None, (_check(plan, columns) for plan in mentions))),
        nothing={
            name: [] if element.type is ElementType.STRINGS else None for name, element in fields.items()
        },
        fields_of=_fields_of(definition),
    )


def _fields_of(definition: FeedDefinition) -> dict[str, tuple[str, ...]]:
    """Return the fields that need a column: those that it fills, and those filled when it has certain values."""
    outputs = [(column.name, output) for column in definition.columns for output in column.outputs]
    return {
        column.name: tuple(
            output.field
            for source, output in outputs
            if source == column.name or (output.when is not None and output.when.column == column.name)
        )
        for column in definition.columns
    }


def _schema_elements(feed: str, definition: FeedDefinition, schemas: Path) -> dict[str, Element]:
    try:
        schema = record_schema(feed, schemas)
        names = [field["name"] for field in schema["fields"]]
        own = schema["fields"][names.index(_OWN) + 1 :]
        return {field["name"]: element_of(field) for field in own}
    except SchemaError as error:
        definition.place.fail(f"feed {feed}: its Avro schema does not fit: {error}")


def _outputs_by_field(
    definition: FeedDefinition, fields: Mapping[str, Element], feed: str
) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for column in definition.columns:
        for output in column.outputs:
            element = fields.get(output.field)
            if element is None:
                output.place.fail(
                    f"field '{output.field}' is not in the feed's Avro schema ({feed}); add it there"
                )
            if output.field in outputs:
                line = outputs[output.field].place.line
                output.place.fail(f"field '{output.field}' is filled here and in line {line}; remove one")
            if output.rule.gives != element.type.value:
                output.place.fail(
                    f"rule {output.rule_name} gives {output.rule.gives}, but field '{output.field}' is {element.type}"
                )
            _check_codes(output, element)
            outputs[output.field] = output
    for name in fields:
        if name not in outputs:
            definition.place.fail(
                f"no column fills field '{name}' of the feed's Avro schema; name one or remove it"
            )
    return outputs


def _check_codes(output: Output, element: Element) -> None:
    given, wanted = output.parameters.list, element.codes
    if output.rule_name == "code" and (wanted is None or given != wanted.name):
        output.place.fail(
            f"code list '{given}' is not that of element '{element.name}'"
            + (f", which is '{wanted.name}'" if wanted else ", which has none")
        )


def _abouts(definition: FeedDefinition, fields: Mapping[str, Element]) -> dict[str, About]:
    abouts = {name: About(name, "", 0) for name in fields}
    for mention in reversed(definition.mentions):  # where two mentions share a field, the first is named
        for person_element, field in mention.elements.items():
            element = fields.get(field)
            if element is None:
                mention.place.fail(f"field '{field}' is not in the feed's Avro schema")
            if element.name != person_element:
                mention.place.fail(
                    f"'{person_element}' of a mention cannot be field '{field}', whose element is '{element.name}'"
                )
            assert person_element in elements(), "Mention.avsc is of the standard"
            abouts[field] = About(person_element, mention.role, mention.ordinal)
    return abouts


def _steps(
    definition: FeedDefinition, abouts: Mapping[str, About], outputs: Mapping[str, Output]
) -> tuple[tuple[Step, ...], tuple[ContextStep, ...]]:
    steps = []
    context_steps = []
    names = {column.name for column in definition.columns}
    for column in definition.columns:
        for output in column.outputs:
            about = abouts[output.field]
            normalize: Normalizer = _later
            if output.when is not None and output.when.column not in names:
                output.place.fail(f"when: column '{output.when.column}' is not among the feed's columns")
            if isinstance(output.rule, ContextRule):
                context = getattr(output.parameters, output.rule.context)
                if context is None:
                    normalize = _parted(_without_context(output.rule.normalize), output.part)
                    steps.append(
                        Step(column.name, column.takes, output.field, normalize, about, output.when, False)
                    )
                    continue
                if context not in outputs or isinstance(outputs[context].rule, ContextRule):
                    output.place.fail(
                        f"{output.rule.context}: '{context}' is no field that a plain rule fills"
                    )
                context_steps.append(
                    ContextStep(
                        column.name,
                        output.field,
                        _parted(output.rule.normalize, output.part),
                        context,
                        about,
                        output.when,
                    )
                )
            else:
                try:
                    normalize = _parted(output.rule.build(output.parameters), output.part)
                except ValueError as error:
                    output.place.fail(f"rule {output.rule_name}: {error}")
            is_remembered = isinstance(output.rule, Rule) and output.rule.is_remembered
            steps.append(
                Step(column.name, column.takes, output.field, normalize, about, output.when, is_remembered)
            )
    return tuple(steps), tuple(context_steps)


def fits(value: object, values: frozenset[str]) -> bool:
    """Say whether a column's value is one of those of a condition."""
    return value is not None and str(value).strip() in values


def _without_context(normalize: ContextNormalizer) -> Normalizer:
    return lambda value: normalize(value, None)


def _parted(
    normalize: Callable[..., tuple[Any, Issues]], part: Part | None
) -> Callable[..., tuple[Any, Issues]]:
    """Return the normalizer of one part of a text; the last one notes that there are more."""
    if part is None:
        return normalize
    by, index, of = part.by, part.number - 1, part.of

    def read(value: str | None, *context: Any) -> tuple[Any, Issues]:
        parts = value.split(by) if value is not None else []
        found, issues = normalize(parts[index] if index < len(parts) else None, *context)
        return found, (*issues, "too_many_parts") if index == of - 1 and len(parts) > of else issues

    return read


def _later(value: object) -> tuple[None, Issues]:
    """Stand in a plain step for a context step, which follows."""
    return None, NONE


def _mention(
    mention: MentionDefinition, outputs: Mapping[str, Output], fields: Mapping[str, Element], department: str
) -> MentionPlan:
    number = mention.elements.get("id_number")
    evidence = plan_evidence(mention, fields, department)
    untyped = number is not None and "id_type" not in mention.elements
    rule_name = outputs[number].rule_name if number is not None else ""
    wanted = mention.needs or (() if mention.role == SELF else tuple(mention.elements))
    declared = {name: evidence.fields_of(name) for name in EVIDENCE}
    return MentionPlan(
        role=mention.role,
        ordinal=mention.ordinal,
        fields=tuple(mention.elements.get(element) for element in PERSON_ELEMENTS),
        known=tuple(mention.elements.items()),
        evidence=evidence,
        evidence_of={name: used for name, used in declared.items() if used},
        needs=tuple(mention.elements[element] for element in wanted),
        is_resident=untyped and rule_name == "resident_id",
        is_open=untyped and rule_name == "document_number",
    )


def _check(plan: MentionPlan, columns: Mapping[str, str]) -> Check | None:
    of = dict(plan.known)
    if "id_number" not in of or not ("sex" in of or "birth_date" in of):
        return None
    sources: dict[str, tuple[str, About]] = {
        element: (columns[of[element]], About(element, plan.role, plan.ordinal))
        for element in ("sex", "birth_date")
        if element in of
    }
    return Check(of["id_number"], plan.is_resident, of.get("sex"), of.get("birth_date"), sources)
