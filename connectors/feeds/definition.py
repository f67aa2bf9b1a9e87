"""What a feed file says, as typed values: read and checked in itself, not yet against schemas. See docs/feeds.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from avro.normalize import RULES, ContextRule, Parameters, Rule
from avro.quality import thresholds
from avro.record import PERSON_ELEMENTS
from avro.version import GENERATION_LIMIT
from connectors.captured import SourceKind
from connectors.feeds.located import Located, name_of, read_yaml
from connectors.feeds.mention import MentionDefinition, person_element, read_mentions
from connectors.feeds.objectives import Objectives, read_objectives
from connectors.files.layout import Layout, field_names, read_layout

DATABASE_KINDS: Final[tuple[SourceKind, ...]] = ("postgresql", "mariadb")
"""Kinds of source whose tables Debezium captures."""

FILE: Final = "file"
"""The kind of source that delivers files; docs/files.md."""

PUSH: Final = "push"
"""The kind of source that sends its changes over HTTP; docs/push.md."""

SOURCE_KINDS: Final[tuple[str, ...]] = (*DATABASE_KINDS, FILE, PUSH)
"""Kinds of source that a department can have. A feed of a department with a database can be of the last two."""

LOWEST_RANK: Final = 99
MOST_SECONDS: Final = int(thresholds()["timeliness"].limit)
"""The loosest freshness objective: the standard's seven days."""

MOST_PARTS: Final = 9
"""Values that one column may hold."""

_RETENTION: Final = re.compile(r"permanent|[1-9][0-9]* (?:days|years)(?: after [a-z ]+)?")
_PARAMETERS: Final = frozenset(Parameters.__struct_fields__)


class Condition(msgspec.Struct, frozen=True):
    """Another column must have one of these values, compared as text without outer blanks."""

    column: str
    values: frozenset[str]


class Part(msgspec.Struct, frozen=True):
    """A column holds up to ``of`` values with ``by`` between them; this is the one of that ``number``, from 1."""

    by: str
    number: int
    of: int


class Output(msgspec.Struct, frozen=True):
    """One field that a column fills: with which rule and parameters, ``when`` another column has certain values, and
    from which ``part`` of the value. ``place`` is where the file says so."""

    field: str
    rule_name: str
    rule: Rule | ContextRule
    parameters: Parameters
    when: Condition | None
    part: Part | None
    place: Located


class Column(msgspec.Struct, frozen=True):
    """A column that the feed names. ``takes`` is the type of its value in Debezium's JSON."""

    name: str
    takes: type
    outputs: tuple[Output, ...]
    place: Located


class FeedDefinition(msgspec.Struct, frozen=True):
    """One entry of ``feeds``. ``freshness`` is in seconds; ``authority`` ranks this feed's word for an element of a
    person among all feeds, 1 first; ``excluded`` maps columns that are not collected to the reason. ``kind`` and
    ``generation`` are the department's unless the feed has a source of its own; ``layout`` is that of a file feed;
    ``push`` says that changes may be pushed as well."""

    department: str
    type: str
    zh: str
    en: str
    table: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    excluded: Mapping[str, str]
    mentions: tuple[MentionDefinition, ...]
    authority: Mapping[str, int]
    freshness: int
    retention: str
    place: Located
    kind: str
    generation: int
    layout: Layout | None
    push: bool
    objectives: Objectives = Objectives()


class Department(msgspec.Struct, frozen=True):
    """One feed file: a department, its source, its feeds. ``generation`` is raised by hand when the source is
    restored; ``schema`` is the database schema of its tables, empty where the source is no database."""

    name: str
    zh: str
    en: str
    kind: str
    schema: str
    generation: int
    feeds: tuple[FeedDefinition, ...]


def read_department(path: Path) -> Department:
    """Return the department of a feed file. Raises FeedError."""
    entries = read_yaml(path).fields(("department", "title", "source", "feeds"))
    name = name_of(entries["department"])
    source = entries["source"].fields(("kind", "generation"), ("schema",))
    kind = _kind(source["kind"], SOURCE_KINDS)
    if (kind in DATABASE_KINDS) != ("schema" in source):
        entries["source"].fail("a database has the 'schema' of its tables, and nothing else has one")
    generation = source["generation"].integer(0, GENERATION_LIMIT - 1)
    zh, en = _title(entries["title"])
    feeds = [_feed(name, kind, generation, item) for item in entries["feeds"].items()]
    if not feeds:
        entries["feeds"].fail("a department has at least one feed")
    return Department(
        name=name,
        zh=zh,
        en=en,
        kind=kind,
        schema=source["schema"].text() if "schema" in source else "",
        generation=generation,
        feeds=tuple(feeds),
    )


def _kind(place: Located, known: tuple[str, ...]) -> str:
    kind = place.text()
    if kind not in known:
        place.fail(f"'{kind}' is no kind of source here; known are {', '.join(known)}")
    return kind


def _feed(department: str, source_kind: str, source_generation: int, place: Located) -> FeedDefinition:
    entries = place.fields(
        ("type", "title", "key", "freshness", "retention", "authority", "columns", "mentions"),
        ("table", "excluded", "source", "layout", "push", "objectives"),
    )
    kind = name_of(entries["type"])
    if "source" in entries:
        own = entries["source"].fields(("kind", "generation"))
        source_kind = _kind(own["kind"], (FILE, PUSH))
        source_generation = own["generation"].integer(0, GENERATION_LIMIT - 1)
    columns = tuple(_column(name, key, value) for name, key, value in entries["columns"].entries())
    names = {column.name for column in columns}
    key = tuple(_key_column(item, names) for item in entries["key"].items())
    if not key:
        entries["key"].fail(
            "the table's primary key is wanted: a feed without one cannot tell its rows apart"
        )
    if len(set(key)) != len(key):
        entries["key"].fail("a column stands twice in the key")
    retention = entries["retention"].text()
    if _RETENTION.fullmatch(retention) is None:
        entries["retention"].fail("'permanent', '10 years' or '10 years after leaving' is wanted")
    zh, en = _title(entries["title"])
    return FeedDefinition(
        department=department,
        type=kind,
        zh=zh,
        en=en,
        table=entries["table"].text() if "table" in entries else kind,
        key=key,
        columns=columns,
        excluded=_excluded(entries.get("excluded"), names),
        mentions=read_mentions(entries["mentions"], department),
        authority=_authority(entries["authority"]),
        freshness=entries["freshness"].integer(1, MOST_SECONDS),
        retention=retention,
        place=place,
        kind=source_kind,
        generation=source_generation,
        layout=_layout(entries.get("layout"), source_kind, names, place),
        push=source_kind == PUSH or ("push" in entries and _flag(entries["push"])),
        objectives=read_objectives(entries.get("objectives")),
    )


def _layout(place: Located | None, source_kind: str, names: set[str], feed: Located) -> Layout | None:
    if place is None:
        return feed.fail("a file feed has a 'layout'; it is missing here") if source_kind == FILE else None
    if source_kind != FILE:
        place.fail("only a feed whose source is of kind 'file' has a layout")
    layout = read_layout(place)
    fields = field_names(layout)
    if fields is not None and (unknown := names - set(fields)):
        place.fail(f"columns that the layout lacks: {', '.join(sorted(unknown))}; add them to its fields")
    return layout


def _flag(place: Located) -> bool:
    text = place.text()
    return text == "true" if text in ("true", "false") else place.fail("true or false is wanted here")


def _column(name: str, key: Located, value: Located) -> Column:
    outputs = tuple(_output(item) for item in (value.items() if value.is_list else [value]))
    if not outputs:
        value.fail("a column fills at least one field; a column that fills none belongs under 'excluded'")
    takes = outputs[0].rule.takes
    for output in outputs[1:]:
        if output.rule.takes is not takes:
            output.place.fail(
                f"rule {output.rule_name} takes another type than rule {outputs[0].rule_name} above"
            )
    if all(output.rule.is_companion for output in outputs):
        value.fail(
            f"rule {outputs[0].rule_name} is silent about what it cannot read; name another rule for the column as well"
        )
    return Column(name, takes, outputs, key)


def _output(place: Located) -> Output:
    entries = place.fields(("field", "rule"), (*sorted(_PARAMETERS), "when", "part"))
    rule_name = entries["rule"].text()
    rule = RULES.get(rule_name)
    if rule is None:
        entries["rule"].fail(f"there is no rule '{rule_name}'; known are {', '.join(RULES)}")
    given = entries.keys() & _PARAMETERS
    for name in sorted(given - rule.required - rule.optional):
        entries[name].fail(f"rule {rule_name} has no parameter '{name}'")
    for name in sorted(rule.required - given):
        place.fail(f"rule {rule_name} wants the parameter '{name}'")
    parameters = Parameters(
        map=_texts(entries["map"]) if "map" in given else None,
        findings=_whole_texts(entries["findings"]) if "findings" in given else None,
        **{name: entries[name].text() for name in given - {"map", "findings"}},
    )
    return Output(
        field=name_of(entries["field"]),
        rule_name=rule_name,
        rule=rule,
        parameters=parameters,
        when=_when(entries["when"]) if "when" in entries else None,
        part=_part(entries["part"], rule) if "part" in entries else None,
        place=place,
    )


def _when(place: Located) -> Condition:
    conditions = list(place.entries())
    if len(conditions) != 1:
        place.fail("one column with the values that it must have is wanted here")
    column, _, values = conditions[0]
    texts = [item.text() for item in (values.items() if values.is_list else [values])]
    return Condition(column, frozenset(texts))


def _part(place: Located, rule: Rule | ContextRule) -> Part:
    if rule.takes is not str or rule.gives == "strings":
        place.fail("only a rule that reads one value from a text can read a part of it")
    entries = place.fields(("by", "number", "of"))
    of = entries["of"].integer(2, MOST_PARTS)
    return Part(entries["by"].text(), entries["number"].integer(1, of), of)


def _authority(place: Located) -> dict[str, int]:
    entries = {name: (key, value.integer(1, LOWEST_RANK)) for name, key, value in place.entries()}
    default = entries.pop("default", None)
    if default is None:
        place.fail("'default' is missing here: the rank of this feed for the elements that are not named")
    ranks = dict.fromkeys(PERSON_ELEMENTS, default[1])
    for name, (key, rank) in entries.items():
        ranks[person_element(name, key)] = rank
    return ranks


def _excluded(place: Located | None, named: set[str]) -> dict[str, str]:
    excluded: dict[str, str] = {}
    if place is not None:
        for name, key, value in place.entries():
            if name in named:
                key.fail(f"column '{name}' is named above and excluded here; remove one")
            excluded[name] = value.text()
    return excluded


def _key_column(place: Located, columns: set[str]) -> str:
    name = place.text()
    if name not in columns:
        place.fail(f"key column '{name}' is not among the feed's columns; name it there as well")
    return name


def _title(place: Located) -> tuple[str, str]:
    entries = place.fields(("zh", "en"))
    return entries["zh"].text(), entries["en"].text()


def _texts(place: Located) -> dict[str, str | None]:
    return {name: value.text_or_null() for name, _, value in place.entries()}


def _whole_texts(place: Located) -> dict[str, str]:
    return {name: value.text() for name, _, value in place.entries()}
