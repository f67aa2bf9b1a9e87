"""Views beside the tables' own: look-ups by value, and aggregates that are right under updates and deletes.

A look-up by anything but the key goes in two steps. The first finds keys in the storage as it is, superseded rows
included, by a skip index; the second reads these keys' live rows and looks at the value again. ``FINAL`` over a whole
table costs many times as much.

Aggregates are computed from the live rows when they are asked for. A counter that is kept beside the rows would have
to be told of every update, delete, merge of persons and redelivery, and could only ever be as right as that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.clickhouse import sql
from connectors.clickhouse.shared import IDENTITIES, MENTIONS, PERSON_HISTORY, PERSONS
from connectors.clickhouse.tables import DATABASE, Table, View

AGE_GROUP_YEARS: Final = 5
"""Width of an age group: the one of population statistics."""

_MENTION_KEY: Final = sql.names(MENTIONS.order_by)
_AGE: Final = "age('year', birth_date, toDate32(today()))"


def _shown(table: Table) -> str:
    return sql.names(column for column in table.column_names if column != "is_deleted")


def _keys(table: Table, column: str) -> str:
    """Return the SELECT of the keys of which some row, superseded or not, has the value."""
    key = sql.names(table.order_by)
    return f"SELECT {key} FROM {table.stored} WHERE {sql.name(column)} = {{value:String}}"


def lookup(name: str, table: Table, column: str, comment: str) -> View:
    """Return a view with the parameter ``value``: the live rows of ``table`` whose ``column`` has it.

    It reads the storage itself: a view in a view costs more to plan than such a query costs to run.
    """
    return View(
        name,
        f"SELECT {_shown(table)} FROM {table.stored} FINAL"
        f" WHERE ({sql.names(table.order_by)}) IN ({_keys(table, column)}) AND {sql.name(column)} = {{value:String}}",
        comment=comment,
    )


LOOKUPS: Final = (
    lookup(
        "persons_by_id_number", PERSONS, "id_number", "persons_by_id_number(value = '…') / 按证件号码查人"
    ),
    lookup("persons_by_name", PERSONS, "name", "persons_by_name(value = '…') / 按姓名查人"),
    lookup(
        "mentions_by_id_number",
        MENTIONS,
        "id_number",
        "mentions_by_id_number(value = '…') / 按证件号码查记录",
    ),
    lookup("mentions_by_name", MENTIONS, "name", "mentions_by_name(value = '…') / 按姓名查记录"),
    lookup(
        "identities_by_person",
        IDENTITIES,
        "person_id",
        "identities_by_person(value = '…') / 按人员编号查归属",
    ),
    View(
        "mentions_by_person",
        f"SELECT {_shown(MENTIONS)} FROM {MENTIONS.stored} FINAL WHERE ({_MENTION_KEY}) IN"
        f" (SELECT {_MENTION_KEY} FROM {IDENTITIES.stored} FINAL"
        f" WHERE ({_MENTION_KEY}) IN ({_keys(IDENTITIES, 'person_id')}) AND person_id = {{value:String}})",
        comment="mentions_by_person(value = '…'): what every record says of a person / 一人的全部来源记录",
    ),
)

RESIDENTS: Final = View(
    "residents",
    f"SELECT *, {_AGE} AS age, intDiv(age, {AGE_GROUP_YEARS}) * {AGE_GROUP_YEARS} AS age_group"
    f" FROM {DATABASE}.persons WHERE state = 'active' AND death_date IS NULL",
    comment="Active persons who are not known to have died, with their age in whole years today / 在册人口",
)

POPULATION: Final = View(
    "population",
    "SELECT hukou_division AS division, sex, age_group, count() AS persons"
    f" FROM {DATABASE}.residents GROUP BY division, sex, age_group",
    comment="Residents by hukou division, sex and age group of five years / 户籍人口金字塔",
)


def records_view(tables: Iterable[tuple[str, str, Table]]) -> View:
    """Return ``records``: how many live rows each feed has, and the newest of them; tables with department and type."""
    parts = [
        f"SELECT {sql.text(department)} AS department, {sql.text(kind)} AS `table`, count() AS rows,"
        " countIf(notEmpty(findings)) AS rows_with_findings, max(source_time) AS newest"
        f" FROM {table.stored} FINAL"
        for department, kind, table in tables
    ]
    return View("records", " UNION ALL ".join(parts), comment="Live rows of every feed / 各数据源记录数")


def person_as_of_view() -> View:
    """Return ``persons_as_of`` with the parameter ``version``: every person as the register had them at it."""
    names = sql.names(column for column in PERSON_HISTORY.column_names if column != "is_deleted")
    return View(
        "persons_as_of",
        f"SELECT {names} FROM {PERSON_HISTORY.stored} FINAL WHERE version <= {{version:UInt128}}"
        " ORDER BY person_id, version DESC LIMIT 1 BY person_id",
        comment="persons_as_of(version = …): persons as they were at a version of person_history / 历史时点人口",
    )


VIEWS: Final = (*LOOKUPS, RESIDENTS, POPULATION, person_as_of_view())
