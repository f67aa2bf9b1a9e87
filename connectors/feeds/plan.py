"""Puts a feed's definition together with its Avro schema: checks that they fit, and makes the functions to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from avro.elements import Element, ElementType, element_of, elements
from avro.errors import SchemaError
from avro.normalize import ContextRule, Issues
from avro.normalize.issues import NONE
from avro.normalize.rules import ContextNormalizer, Normalizer
from avro.record import EVIDENCE, PERSON_ELEMENTS
from avro.schema import record_schema
from connectors.feeds.definition import KIN_PARTS, FeedDefinition, MentionDefinition, Output
from connectors.feeds.located import Located

_OWN: Final = "raw"  # the last of the fields that every record has


class About(NamedTuple):
    """What a finding is about: an element, and the mention it describes (role empty: the row)."""

    element: str
    role: str
    ordinal: int


class Step(NamedTuple):
    """A field and the column that fills it: the type of the column's value, and the function."""

    column: str
    takes: type
    field: str
    normalize: Normalizer
    about: About


class ContextStep(NamedTuple):
    """A field whose function needs the value of another field, ``context``, as well: it runs after the plain ones."""

    column: str
    field: str
    normalize: ContextNormalizer
    context: str
    about: About


class KinPlan(NamedTuple):
    """Another person beside a mention: the feed's field, or None, for each of KIN_PARTS."""

    relation: str
    fields: tuple[str | None, ...]


class EvidencePlan(NamedTuple):
    """A mention's evidence: fields of the feed, each with the text that goes in front of its value where one does."""

    household: tuple[str, str] | None
    ties: tuple[tuple[str, str], ...]
    other_numbers: tuple[str, ...]
    other_names: tuple[str, ...]
    birth_order: str | None
    kin: tuple[KinPlan, ...]

    def fields_of(self, name: str) -> frozenset[str]:
        """Return the feed's fields that one of EVIDENCE is made of."""
        match name:
            case "household":
                return frozenset(() if self.household is None else (self.household[1],))
            case "ties":
                return frozenset(field for _, field in self.ties)
            case "kin":
                return frozenset(field for kin in self.kin for field in kin.fields if field is not None)
            case "birth_order":
                return frozenset(() if self.birth_order is None else (self.birth_order,))
        return frozenset(self.other_numbers if name == "other_numbers" else self.other_names)


class MentionPlan(NamedTuple):
    """A mention: ``fields`` has the feed's field, or None, for each of PERSON_ELEMENTS; ``known`` those that have one;
    ``evidence_of`` the fields behind each of EVIDENCE that the feed declares.
    ``is_resident``: the number can only be a resident ID, and no field says the document's type."""

    role: str
    ordinal: int
    fields: tuple[str | None, ...]
    known: tuple[tuple[str, str], ...]
    evidence: EvidencePlan
    evidence_of: Mapping[str, frozenset[str]]
    is_resident: bool


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
        fields_of={
            column.name: tuple(output.field for output in column.outputs) for column in definition.columns
        },
    )


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
    for column in definition.columns:
        for output in column.outputs:
            about = abouts[output.field]
            normalize: Normalizer = _later
            if isinstance(output.rule, ContextRule):
                context = getattr(output.parameters, output.rule.context)
                if context not in outputs or isinstance(outputs[context].rule, ContextRule):
                    output.place.fail(
                        f"{output.rule.context}: '{context}' is no field that a plain rule fills"
                    )
                context_steps.append(
                    ContextStep(column.name, output.field, output.rule.normalize, context, about)
                )
            else:
                try:
                    normalize = output.rule.build(output.parameters)
                except ValueError as error:
                    output.place.fail(f"rule {output.rule_name}: {error}")
            steps.append(Step(column.name, column.takes, output.field, normalize, about))
    return tuple(steps), tuple(context_steps)


def _later(value: object) -> tuple[None, Issues]:
    """Stand in a plain step for a context step, which follows."""
    return None, NONE


def _mention(
    mention: MentionDefinition, outputs: Mapping[str, Output], fields: Mapping[str, Element], department: str
) -> MentionPlan:
    number = mention.elements.get("id_number")
    evidence = _evidence(mention, fields, department)
    declared = {name: evidence.fields_of(name) for name in EVIDENCE}
    return MentionPlan(
        role=mention.role,
        ordinal=mention.ordinal,
        fields=tuple(mention.elements.get(element) for element in PERSON_ELEMENTS),
        known=tuple(mention.elements.items()),
        evidence=evidence,
        evidence_of={name: used for name, used in declared.items() if used},
        is_resident=number is not None
        and "id_type" not in mention.elements
        and outputs[number].rule_name == "resident_id",
    )


# What the element of a field must be for the field to be this kind of evidence. Numbers that a source gives to a
# person's file are of many elements: any text is one.
_NAMES: Final = frozenset(("name", "former_name"))
_EVIDENCE_ELEMENTS: Final[Mapping[str, frozenset[str]]] = {
    "household": frozenset(("household_number",)),
    "other_names": _NAMES,
    "birth_order": frozenset(("birth_order",)),
}
_KIN_ELEMENTS: Final[Mapping[str, frozenset[str]]] = {
    "name": _NAMES,
    **{part: frozenset((part,)) for part in KIN_PARTS if part != "name"},
}


def _evidence(mention: MentionDefinition, fields: Mapping[str, Element], department: str) -> EvidencePlan:
    given = mention.evidence

    def fit(name: str, field: str, wanted: frozenset[str] | None, place: Located) -> str:
        element = fields.get(field)
        if element is None:
            place.fail(f"{name}: field '{field}' is not in the feed's Avro schema")
        if element.type is not ElementType.STRING if wanted is None else element.name not in wanted:
            needs = "a text" if wanted is None else " or ".join(sorted(wanted))
            place.fail(
                f"{name} cannot be field '{field}', whose element is '{element.name}': {needs} is wanted"
            )
        return field

    def fitting(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(fit(name, field, _EVIDENCE_ELEMENTS.get(name), mention.place) for field in names)

    return EvidencePlan(
        household=(f"{department}|", fitting("household", (given.household,))[0])
        if given.household
        else None,
        ties=tuple((f"{kind}|", fit("ties", field, None, mention.place)) for kind, field in given.ties),
        other_numbers=fitting("other_numbers", given.other_numbers),
        other_names=fitting("other_names", given.other_names),
        birth_order=fitting("birth_order", (given.birth_order,))[0] if given.birth_order else None,
        kin=tuple(
            KinPlan(
                kin.relation.value,
                tuple(
                    fit(f"kin {part}", kin.fields[part], _KIN_ELEMENTS[part], kin.place)
                    if part in kin.fields
                    else None
                    for part in KIN_PARTS
                ),
            )
            for kin in given.kin
        ),
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
