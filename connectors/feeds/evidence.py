"""The evidence beside a mention's elements, put together with a feed's schema: what is read from which fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from avro.elements import Element, ElementType
from avro.normalize.persons import PersonReader, persons_reader
from avro.record import Kin
from connectors.feeds.located import Located
from connectors.feeds.mention import KIN_PARTS, EachDefinition, KinDefinition, MentionDefinition

# By position: a struct's keyword arguments cost twice as much.
kin_of: Final = cast(Callable[..., Kin], Kin)

# What the element of a field must be for the field to be this kind of evidence. Numbers that a source gives to a
# person's file are of many elements: any text is one.
_NAMES: Final = frozenset(("name", "former_name"))
_ELEMENTS: Final[Mapping[str, frozenset[str]]] = {
    "household": frozenset(("household_number",)),
    "other_names": _NAMES,
    "birth_order": frozenset(("birth_order",)),
    "relation": frozenset(("kin_relation",)),
    "kin name": _NAMES,
    **{f"kin {part}": frozenset((part,)) for part in KIN_PARTS if part != "name"},
}


class KinPlan(NamedTuple):
    """Another person beside a mention: the feed's field, or None, for each of KIN_PARTS. ``relation`` holds where
    ``relation_field`` is None or has no value."""

    relation: str
    relation_field: str | None
    fields: tuple[str | None, ...]


class EachPlan(NamedTuple):
    """Other persons in the JSON text of a field."""

    field: str
    read: PersonReader


class EvidencePlan(NamedTuple):
    """A mention's evidence: fields of the feed, each with the text that goes in front of its value where one does."""

    household: tuple[str, str] | None
    ties: tuple[tuple[str, str], ...]
    other_numbers: tuple[str, ...]
    other_names: tuple[str, ...]
    birth_order: str | None
    kin: tuple[KinPlan, ...]
    each: tuple[EachPlan, ...]

    def fields_of(self, name: str) -> frozenset[str]:
        """Return the feed's fields that one of EVIDENCE is made of."""
        match name:
            case "household":
                return frozenset(() if self.household is None else (self.household[1],))
            case "ties":
                return frozenset(field for _, field in self.ties)
            case "kin":
                fields = [field for kin in self.kin for field in (kin.relation_field, *kin.fields)]
                fields += [each.field for each in self.each]
                return frozenset(field for field in fields if field is not None)
            case "birth_order":
                return frozenset(() if self.birth_order is None else (self.birth_order,))
        return frozenset(self.other_numbers if name == "other_numbers" else self.other_names)

    def values(
        self, elements: Mapping[str, Any], name: str | None, number: str | None
    ) -> tuple[list[Any], tuple[tuple[str, str], ...]]:
        """Return EVIDENCE of a mention that has this name and ID number, as the compiled reader makes it, and each
        rule that a value in JSON broke with the value."""

        def present(pairs: tuple[tuple[str, str], ...], other: str | None) -> tuple[str, ...]:
            values = [(prefix, elements[field]) for prefix, field in pairs]
            return tuple(prefix + value for prefix, value in values if value is not None and value != other)

        households = present((self.household,) if self.household else (), None)
        kin: list[Kin] = []
        for other in self.kin:
            values = [None if field is None else elements[field] for field in other.fields]
            if any(value is not None for value in values):
                said = None if other.relation_field is None else elements[other.relation_field]
                kin.append(kin_of(said or other.relation, *values))
        broken: tuple[tuple[str, str], ...] = ()
        for each in self.each:
            text = elements[each.field]
            if text is not None:
                persons, issues = each.read(text)
                kin += persons
                broken += issues
        return [
            households[0] if households else None,
            present(self.ties, None),
            present(tuple([("", field) for field in self.other_numbers]), number),
            present(tuple([("", field) for field in self.other_names]), name),
            None if self.birth_order is None else elements[self.birth_order],
            tuple(kin),
        ], broken


def plan_evidence(mention: MentionDefinition, fields: Mapping[str, Element], department: str) -> EvidencePlan:
    """Return the plan of a mention's evidence. Raises FeedError where it does not fit the feed's schema."""
    given = mention.evidence

    def fitting(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_fit(name, field, fields, mention.place) for field in names)

    birth_order = fitting("birth_order", (given.birth_order,)) if given.birth_order else ()
    return EvidencePlan(
        household=(f"{department}|", _fit("household", given.household, fields, mention.place))
        if given.household
        else None,
        ties=tuple((f"{kind}|", _fit("ties", field, fields, mention.place)) for kind, field in given.ties),
        other_numbers=fitting("other_numbers", given.other_numbers),
        other_names=fitting("other_names", given.other_names),
        birth_order=birth_order[0] if birth_order else None,
        kin=tuple(_kin(kin, fields) for kin in given.kin if isinstance(kin, KinDefinition)),
        each=tuple(_each(kin, fields) for kin in given.kin if isinstance(kin, EachDefinition)),
    )


def _kin(kin: KinDefinition, fields: Mapping[str, Element]) -> KinPlan:
    parts = (kin.fields.get(part) for part in KIN_PARTS)
    return KinPlan(
        kin.relation.value,
        None if kin.relation_field is None else _fit("relation", kin.relation_field, fields, kin.place),
        tuple(
            None if field is None else _fit(f"kin {part}", field, fields, kin.place)
            for part, field in zip(KIN_PARTS, parts, strict=True)
        ),
    )


def _each(kin: EachDefinition, fields: Mapping[str, Element]) -> EachPlan:
    relations = {text: relation.value for text, relation in kin.relations.items()}
    return EachPlan(
        _fit("each", kin.field, fields, kin.place),
        persons_reader(kin.paths, kin.relation.value, kin.relation_path, relations),
    )


def _fit(name: str, field: str, fields: Mapping[str, Element], place: Located) -> str:
    element = fields.get(field)
    if element is None:
        place.fail(f"{name}: field '{field}' is not in the feed's Avro schema")
    wanted = _ELEMENTS.get(name)
    if element.type is not ElementType.STRING if wanted is None else element.name not in wanted:
        needs = "a text" if wanted is None else " or ".join(sorted(wanted))
        place.fail(f"{name} cannot be field '{field}', whose element is '{element.name}': {needs} is wanted")
    return field
