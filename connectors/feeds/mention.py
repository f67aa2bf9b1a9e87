"""What a feed file says of the people whom a row mentions: roles, elements, and the evidence beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from avro.record import EVIDENCE, PERSON_ELEMENTS, Kin, Relation
from connectors.feeds.located import Located, name_of

SELF: Final = "self"
"""The role of the person whom a row is about; the mention is there even when nothing is known of them."""

KIN_PARTS: Final = tuple(part for part in Kin.__struct_fields__ if part != "relation")
"""What can be known of somebody whom a row names beside a mention."""

_TIE: Final = re.compile(r"(?:[a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*")


class KinDefinition(msgspec.Struct, frozen=True):
    """Another person whom a row names beside a mention: ``fields`` maps parts of `Kin` to the feed's fields.
    ``relation`` holds where ``relation_field`` is not given or has no value."""

    relation: Relation
    relation_field: str | None
    fields: Mapping[str, str]
    place: Located


class EachDefinition(msgspec.Struct, frozen=True):
    """Other persons in the JSON array of ``field``: ``paths`` maps parts of `Kin` to where each object has them.
    ``relation`` holds where ``relation_path`` is not given, or has what ``relations`` does not know."""

    field: str
    relation: Relation
    relation_path: str | None
    relations: Mapping[str, Relation]
    paths: Mapping[str, str]
    place: Located


class EvidenceDefinition(msgspec.Struct, frozen=True):
    """What tells who a mention is without describing the person: the feed's fields of it. ``ties`` are pairs of
    ``<department>.<kind>`` and field."""

    household: str | None = None
    ties: tuple[tuple[str, str], ...] = ()
    other_numbers: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    birth_order: str | None = None
    kin: tuple[KinDefinition | EachDefinition, ...] = ()


class MentionDefinition(msgspec.Struct, frozen=True):
    """A person whom a row mentions: which of the feed's fields holds which of the person's elements, and evidence.

    ``needs`` names elements of which at least one must have a value; empty: any will do, and ``self`` needs none.
    """

    role: str
    ordinal: int
    elements: Mapping[str, str]
    needs: tuple[str, ...]
    evidence: EvidenceDefinition
    place: Located


def read_mentions(place: Located, department: str) -> tuple[MentionDefinition, ...]:
    """Return the mentions of a feed. Raises FeedError."""
    mentions = []
    next_ordinal: dict[str, int] = {}
    for item in place.items():
        entries = item.fields(("role", "elements"), ("needs", *EVIDENCE))
        role = name_of(entries["role"])
        # A role that is named again is the next person in it.
        ordinal = next_ordinal.get(role, 0)
        next_ordinal[role] = ordinal + 1
        elements = _elements(entries["elements"])
        needs = _needs(entries["needs"], elements) if "needs" in entries else ()
        evidence = _evidence(entries, department)
        mentions.append(MentionDefinition(role, ordinal, elements, needs, evidence, item))
    if not mentions:
        place.fail("a feed mentions at least one person")
    return tuple(mentions)


def person_element(name: str, place: Located) -> str:
    """Return ``name``, an element of a person. Raises FeedError."""
    if name not in PERSON_ELEMENTS:
        place.fail(f"'{name}' is no element of a person; known are {', '.join(PERSON_ELEMENTS)}")
    return name


def _elements(place: Located) -> dict[str, str]:
    elements: dict[str, str] = {}
    if place.is_mapping:
        for element, key, value in place.entries():
            elements[person_element(element, key)] = name_of(value)
    else:
        for item in place.items():
            element = person_element(item.text(), item)
            if element in elements:
                item.fail(f"'{element}' stands twice in this mention")
            elements[element] = element
    if not elements:
        place.fail("a mention has at least one element")
    return elements


def _needs(place: Located, elements: Mapping[str, str]) -> tuple[str, ...]:
    needs = tuple(name_of(item) for item in place.items())
    for name in needs:
        if name not in elements:
            place.fail(f"'{name}' is not among the elements of this mention")
    return needs or place.fail("at least one element is wanted here")


def _evidence(entries: Mapping[str, Located], department: str) -> EvidenceDefinition:
    def names(entry: str) -> tuple[str, ...]:
        return tuple(name_of(item) for item in entries[entry].items()) if entry in entries else ()

    def one(entry: str) -> str | None:
        return name_of(entries[entry]) if entry in entries else None

    return EvidenceDefinition(
        household=one("household"),
        ties=_ties(entries["ties"], department) if "ties" in entries else (),
        other_numbers=names("other_numbers"),
        other_names=names("other_names"),
        birth_order=one("birth_order"),
        kin=tuple(_kin(item) for item in entries["kin"].items()) if "kin" in entries else (),
    )


def _ties(place: Located, department: str) -> tuple[tuple[str, str], ...]:
    ties = []
    for kind, key, value in place.entries():
        if _TIE.fullmatch(kind) is None:
            key.fail("a kind of number is wanted here, or <department>.<kind> for another department's")
        prefix = kind if "." in kind else f"{department}.{kind}"
        ties += [(prefix, name_of(item)) for item in (value.items() if value.is_list else [value])]
    return tuple(ties)


def _kin(place: Located) -> KinDefinition | EachDefinition:
    entries = place.fields(("relation",), ("each", *KIN_PARTS))
    relation = entries.pop("relation")
    each = entries.pop("each", None)
    if not entries:
        place.fail(f"at least one of {', '.join(KIN_PARTS)} is wanted here")
    if each is None:
        word, field = _relation(relation, "field", ())
        return KinDefinition(
            word,
            name_of(field["field"]) if field else None,
            {part: name_of(value) for part, value in entries.items()},
            place,
        )
    word, found = _relation(relation, "path", ("map",))
    words = found["map"].entries() if "map" in found else ()
    return EachDefinition(
        field=name_of(each),
        relation=word,
        relation_path=found["path"].text() if found else None,
        relations={text: _word(value) for text, _, value in words},
        paths={part: value.text() for part, value in entries.items()},
        place=place,
    )


def _relation(
    place: Located, source: str, optional: tuple[str, ...]
) -> tuple[Relation, Mapping[str, Located]]:
    """Return the relation that holds by default, and where else it is said, if it is."""
    if not place.is_mapping:
        return _word(place), {}
    entries = place.fields((source, "otherwise"), optional)
    return _word(entries.pop("otherwise")), entries


def _word(place: Located) -> Relation:
    text = place.text()
    if text not in set(Relation):
        place.fail(f"'{text}' is no relation; known are {', '.join(Relation)}")
    return Relation(text)
