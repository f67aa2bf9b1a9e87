"""Dead letters as the store has them: which there are, and their bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from avro.record import DISCARDED, OPEN, REPLAYED, DeadLetter
from connectors.clickhouse.access import Access, rows
from connectors.errors import LetterError

PAGE: Final = 500
"""Letters whose bytes are in memory at once; one may have 16 MB."""

_STATES: Final = (OPEN, REPLAYED, DISCARDED)


class LetterId(msgspec.Struct, frozen=True, order=True):
    """Which letter: the place of its event."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> LetterId:
        """Return the id that ``renkou dead-letters list`` printed. Raises LetterError."""
        topic, _, rest = text.partition("/") if text.count("/") == 2 else (text, "", "")
        partition, _, offset = rest.partition("/")
        if not (topic and _is_number(partition) and _is_number(offset)):
            raise LetterError("a letter is named TOPIC/PARTITION/OFFSET; renkou dead-letters list prints it")
        return cls(topic, int(partition), int(offset))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


class Line(msgspec.Struct, frozen=True):
    """A letter without personal data, as it is listed. ``time`` is the event's, in UTC."""

    id: str
    feed: str
    stage: str
    rule: str
    state: str
    time: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters: by id, or all that fit. None fits everything; ``state`` counts only without ids."""

    ids: tuple[LetterId, ...] = ()
    feed: str | None = None
    rule: str | None = None
    state: str | None = OPEN

    def where(self) -> tuple[str, dict[str, str]]:
        """Return a condition and its parameters. Raises LetterError."""
        if self.ids:
            names = ", ".join(
                f"({{t{number}:String}}, {one.partition}, {one.offset})"
                for number, one in enumerate(self.ids)
            )
            topics_of = {f"t{number}": one.topic for number, one in enumerate(self.ids)}
            return f"(topic, partition, `offset`) IN ({names})", topics_of
        if self.state is not None and self.state not in _STATES:
            raise LetterError(f"there is no state '{self.state}'; known are {', '.join(_STATES)}")
        conditions = ["1"]
        parameters: dict[str, str] = {}
        for column, value in (
            ("concat(department, '.', `table`)", self.feed),
            ("rule", self.rule),
            ("state", self.state),
        ):
            if value is not None:
                name = f"p{len(parameters)}"
                conditions.append(f"{column} = {{{name}:String}}")
                parameters[name] = value
        return " AND ".join(conditions), parameters


def count(access: Access, selection: Selection) -> int:
    """Return how many letters fit."""
    where, parameters = selection.where()
    return int(rows(access, f"SELECT count() AS n FROM dead_letters WHERE {where}", parameters)[0]["n"])


def lines(access: Access, selection: Selection, limit: int) -> list[Line]:
    """Return the first ``limit`` letters that fit, in the order of their places."""
    where, parameters = selection.where()
    query = (
        "SELECT concat(topic, '/', toString(partition), '/', toString(`offset`)) AS id,"
        " if(department = '', '', concat(department, '.', `table`)) AS feed, stage, rule, state,"
        " toString(event_time) AS time, error FROM dead_letters"
        f" WHERE {where} ORDER BY topic, partition, `offset` LIMIT {limit}"
    )
    return msgspec.convert(rows(access, query, parameters), list[Line])


def fetch(access: Access, selection: Selection) -> Iterator[list[DeadLetter]]:
    """Yield the letters that fit with their bytes, `PAGE` at a time, in the order of their places."""
    where, parameters = selection.where()
    last: LetterId | None = None
    while True:
        after = ""
        if last is not None:
            parameters = {**parameters, "last": last.topic}
            after = f" AND (topic, partition, `offset`) > ({{last:String}}, {last.partition}, {last.offset})"
        query = (
            "SELECT department, `table`, topic, partition, `offset`, stage, rule, error, state,"
            " toUnixTimestamp64Milli(event_time) AS timestamp, toString(version) AS version,"
            " isNull(raw_key) AS no_key, base64Encode(ifNull(raw_key, '')) AS raw_key,"
            " isNull(raw_value) AS no_value, base64Encode(ifNull(raw_value, '')) AS raw_value,"
            " arrayMap(h -> h.name, headers) AS names,"
            " arrayMap(h -> if(isNull(h.value), '', concat('=', base64Encode(ifNull(h.value, '')))), headers) AS texts"
            f" FROM dead_letters WHERE {where}{after} ORDER BY topic, partition, `offset` LIMIT {PAGE}"
        )
        page = [
            _letter(msgspec.convert(row, _Stored, strict=False)) for row in rows(access, query, parameters)
        ]
        if page:
            yield page
            last = LetterId(page[-1].topic, page[-1].partition, page[-1].offset)
        if len(page) < PAGE:
            return


class _Stored(msgspec.Struct):
    department: str
    table: str
    topic: str
    partition: int
    offset: int
    stage: str
    rule: str
    error: str
    state: str
    timestamp: int
    version: int
    no_key: bool
    raw_key: str
    no_value: bool
    raw_value: str
    names: list[str]
    texts: list[str]


def _letter(stored: _Stored) -> DeadLetter:
    headers = [
        (name, base64.b64decode(text[1:]) if text else None)
        for name, text in zip(stored.names, stored.texts, strict=True)
    ]
    return DeadLetter(
        feed=f"{stored.department}.{stored.table}" if stored.department else "",
        topic=stored.topic,
        partition=stored.partition,
        offset=stored.offset,
        stage=stored.stage,
        rule=stored.rule,
        error=stored.error,
        key=None if stored.no_key else base64.b64decode(stored.raw_key),
        value=None if stored.no_value else base64.b64decode(stored.raw_value),
        headers=headers or None,
        timestamp=stored.timestamp,
        state=stored.state,
        state_version=stored.version,
    )


def named(arguments: Iterable[str]) -> tuple[LetterId, ...]:
    """Return the ids of the command line, each once. Raises LetterError."""
    return tuple(dict.fromkeys(map(LetterId.parse, arguments)))
