"""Other persons in a JSON array of objects, as sources keep children, co-tenants or dependants beside a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from avro.normalize.date import normalize_date
from avro.normalize.document import normalize_document
from avro.normalize.issues import Issues
from avro.normalize.name import normalize_name
from avro.normalize.phone import normalize_phone
from avro.normalize.text import squeeze
from avro.record import Kin

Persons = tuple[tuple[Kin, ...], tuple[tuple[str, str], ...]]
"""The persons, and each rule that a value broke with the value."""

PersonReader = Callable[[str], Persons]

_decode: Final = msgspec.json.Decoder().decode


def _number(value: str) -> tuple[Any, Issues]:
    return normalize_document(value, None)


_PARTS: Final[Mapping[str, Callable[[str], tuple[Any, Issues]]]] = {
    "name": normalize_name,
    "id_number": _number,
    "phone": normalize_phone,
    "birth_date": normalize_date,
}


def persons_reader(
    paths: Mapping[str, str], relation: str, relation_path: str | None, relations: Mapping[str, str]
) -> PersonReader:
    """Return the reader of arrays whose objects have the parts of `Kin` at ``paths`` (names, joined by dots).

    The relation is that of ``relations`` for the text at ``relation_path``, else ``relation``. What is no array of
    objects, or no text where one is wanted, breaks ``unreadable_json``; an object that says nothing is no person.
    """
    readers = [(part, path.split("."), _PARTS[part]) for part, path in paths.items()]
    relation_names = relation_path.split(".") if relation_path is not None else None

    def read(text: str) -> Persons:
        try:
            entries = _decode(text)
        except (msgspec.DecodeError, RecursionError):
            return (), (("unreadable_json", text),)
        if entries is None:
            return (), ()
        if not isinstance(entries, list):
            return (), (("unreadable_json", text),)
        found: list[Kin] = []
        broken: list[tuple[str, str]] = []
        for entry in entries:
            values: dict[str, Any] = {}
            for part, names, normalize in readers:
                value = _text_at(entry, names, broken)
                if value is not None:
                    values[part], issues = normalize(value)
                    broken += [(rule, value) for rule in issues]
            word = relation
            if relation_names is not None:
                said = _text_at(entry, relation_names, broken)
                known = None if said is None else relations.get(squeeze(said))
                if said is not None and known is None:
                    broken.append(("unknown_code", said))
                word = known or relation
            if any(value is not None for value in values.values()):
                found.append(Kin(word, **values))
        return tuple(found), tuple(broken)

    return read


def _text_at(entry: object, names: list[str], broken: list[tuple[str, str]]) -> str | None:
    """Return the text that is found by following ``names``, None when nothing is there."""
    value = entry
    for name in names:
        if not isinstance(value, dict):
            broken.append(("unreadable_json", msgspec.json.encode(entry).decode()))
            return None
        value = value.get(name)
        if value is None:
            return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    broken.append(("unreadable_json", msgspec.json.encode(entry).decode()))
    return None
