"""Views of how things were: a person, an identity, a feed's row, or all of them, at a moment.

A moment is one of the register: a state counts from when the register came to know it (``noted``), until it knew a
newer one. What was known before such times were written down counts as known from the beginning. Each view has a form
for all, which reads the whole history, and one for a single person or row, which reads what is of that one.
"""

from __future__ import annotations

from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.shared import IDENTITIES, IDENTITY_HISTORY, PERSON_HISTORY, RECORD_HISTORY
from connectors.clickhouse.tables import Table, View

_PLACE: Final = sql.names(IDENTITIES.order_by)
_ROW: Final = "department, `table`, key"
_BY_THEN: Final = "(noted IS NULL OR noted <= parseDateTime64BestEffort({time:String}, 6, 'UTC'))"
"""The moment is text, so that a date, a time with or without zone and a number of seconds can be given."""


def _columns(table: Table) -> str:
    return sql.names(column for column in table.column_names if column != "is_deleted")


def _last(table: Table, key: str, condition: str) -> str:
    """Return the SELECT of the newest state of each key among those that meet the condition; no deleted ones."""
    newest = f"SELECT * FROM {table.stored} FINAL WHERE {condition} ORDER BY version DESC LIMIT 1 BY {key}"
    return f"SELECT {_columns(table)} FROM ({newest}) WHERE is_deleted = 0"


_ONE_PERSON: Final = "person_id = {person:String}"
_ONE_ROW: Final = "department = {department:String} AND `table` = {table:String} AND key = {key:String}"
_EVER_THEIRS: Final = f"({_PLACE}) IN (SELECT {_PLACE} FROM {IDENTITY_HISTORY.stored} WHERE {_ONE_PERSON})"

AS_OF: Final = (
    View(
        "persons_as_of",
        _last(PERSON_HISTORY, "person_id", "version <= {version:UInt128}"),
        comment="persons_as_of(version = …): persons as they were at a version of person_history / 历史版本人口",
    ),
    View(
        "persons_at",
        _last(PERSON_HISTORY, "person_id", _BY_THEN),
        comment="persons_at(time = '…'): all persons as the register had them at a moment / 历史时点人口",
    ),
    View(
        "person_at",
        _last(PERSON_HISTORY, "person_id", f"{_ONE_PERSON} AND {_BY_THEN}"),
        comment="person_at(person = '…', time = '…'): a person at a moment / 历史时点某人",
    ),
    View(
        "identities_at",
        _last(IDENTITY_HISTORY, _PLACE, _BY_THEN),
        comment="identities_at(time = '…'): whose the mentions were at a moment / 历史时点身份归属",
    ),
    View(
        "identities_of_person_at",
        f"SELECT * FROM ({_last(IDENTITY_HISTORY, _PLACE, f'{_EVER_THEIRS} AND {_BY_THEN}')}) WHERE {_ONE_PERSON}",
        comment="identities_of_person_at(person = '…', time = '…'): a person's mentions then / 历史时点某人身份归属",
    ),
    View(
        "records_at",
        _last(RECORD_HISTORY, _ROW, _BY_THEN),
        comment="records_at(time = '…'): every feed's rows at a moment / 历史时点源数据",
    ),
    View(
        "record_at",
        _last(RECORD_HISTORY, _ROW, f"{_ONE_ROW} AND {_BY_THEN}"),
        comment="record_at(department = '…', table = '…', key = '…', time = '…'): a row at a moment / 历史时点某行",
    ),
)
