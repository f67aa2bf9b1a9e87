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

from avro.record import PERSON_ELEMENTS
from connectors.clickhouse import sql
from connectors.clickhouse.as_of import AS_OF
from connectors.clickhouse.shared import IDENTITIES, IDENTITY_HISTORY, MENTIONS, PERSONS
from connectors.clickhouse.tables import DATABASE, Table, View

AGE_GROUP_YEARS: Final = 5
"""Width of an age group: the one of population statistics."""

_MENTION_KEY: Final = sql.names(MENTIONS.order_by)
_EVER_OF_PERSON: Final = (
    f"SELECT {_MENTION_KEY} FROM {IDENTITY_HISTORY.stored} WHERE person_id = {{value:String}}"
)
"""Mentions that were a person's at any time; ordered by person, so that they are found without an index."""
_OF_PERSON: Final = (
    f"{IDENTITIES.stored} FINAL WHERE ({_MENTION_KEY}) IN ({_EVER_OF_PERSON})"
    " AND person_id = {value:String}"
)
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
    View(
        "identities_by_person",
        f"SELECT {_shown(IDENTITIES)} FROM {_OF_PERSON}",
        comment="identities_by_person(value = '…') / 按人员编号查归属",
    ),
    View(
        "mentions_by_person",
        f"SELECT {_shown(MENTIONS)} FROM {MENTIONS.stored} FINAL WHERE ({_MENTION_KEY}) IN"
        f" (SELECT {_MENTION_KEY} FROM {_OF_PERSON})",
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


_PAIRED: Final = {
    ("self", "mother"): "mother",
    ("self", "father"): "father",
    ("self", "spouse"): "spouse",
    ("baby", "mother"): "mother",
    ("baby", "father"): "father",
    ("husband", "wife"): "spouse",
}
"""Roles of one record that say what the second is to the first."""
_SPOUSE: Final = "spouse"


def relations_view() -> View:
    """Return ``relations``: family ties between persons, each with the record that states it.

    A record either names both as mentions, or the other only beside the mention (``kin``): then it is the one active
    person with that ID number, or nobody. Spouses and the parents' side are told in both directions.
    """
    place = "department, `table`, key"
    people = f"SELECT {place}, role, ordinal, person_id FROM {IDENTITIES.stored} FINAL"
    roles = ", ".join(
        f"({sql.text(one)}, {sql.text(other)}, {sql.text(relation)}), "
        f"({sql.text(other)}, {sql.text(one)}, {sql.text(_SPOUSE if relation == _SPOUSE else 'child')})"
        for (one, other), relation in _PAIRED.items()
    )
    numbered = (
        f"SELECT id_number, any(person_id) AS person_id FROM {PERSONS.stored} FINAL"
        " WHERE state = 'active' AND id_number IS NOT NULL GROUP BY id_number HAVING count() = 1"
    )
    return View(
        "relations",
        "SELECT a.person_id AS person_id, r.3 AS relation, b.person_id AS other_person_id, NULL AS other_name,"
        " a.department AS department, a.`table` AS `table`, a.key AS key, a.role AS role, a.ordinal AS ordinal"
        f" FROM (SELECT *, arrayJoin([{roles}]) AS r FROM ({people}) WHERE r.1 = role) AS a"
        f" INNER JOIN ({people}) AS b ON a.department = b.department AND a.`table` = b.`table` AND a.key = b.key"
        " AND a.r.2 = b.role WHERE a.person_id != b.person_id"
        " UNION ALL"
        " SELECT i.person_id AS person_id, k.relation AS relation,"
        " nullIf(p.person_id, '') AS other_person_id, k.name AS other_name,"
        " m.department AS department, m.`table` AS `table`, m.key AS key, m.role AS role, m.ordinal AS ordinal"
        f" FROM (SELECT {place}, role, ordinal, arrayJoin(kin) AS k FROM {MENTIONS.stored} FINAL) AS m"
        f" INNER JOIN ({people}) AS i ON m.department = i.department AND m.`table` = i.`table` AND m.key = i.key"
        " AND m.role = i.role AND m.ordinal = i.ordinal"
        f" LEFT JOIN ({numbered}) AS p ON p.id_number = m.k.id_number"
        " WHERE ifNull(p.person_id, '') != i.person_id",
        comment="Family ties between persons, with the record that states each / 亲属关系",
    )


def discrepancies_view() -> View:
    """Return ``discrepancies``: where records of one person disagree, a row an element and record that says another.

    ``value`` is the one that survives, from the record at ``department, table, key``; ``agree`` and ``disagree`` are
    the other feeds by what they say, ``other_value`` is what the record at ``other_department, other_table, other_key``
    says. It follows from persons and mentions as they are: a merge, split or delete changes it as it changes them.
    """
    place = "department, `table`, key, role, ordinal"
    values = ", ".join(
        f"{sql.text(element)}, ifNull(toString({sql.name(element)}), '')" for element in PERSON_ELEMENTS
    )
    feeds = "JSONExtract(provenance, 'feeds', 'Array(String)') AS feeds"
    source = "JSONExtract(provenance, 'records', 'Array(Tuple(UInt32, String, Int64))') AS records"
    entries = "JSONExtractKeysAndValuesRaw(provenance, 'elements')"
    persons = (
        f"SELECT person_id, map({values}) AS own, {feeds}, {source}, arrayJoin({entries}) AS entry,"
        " JSONExtract(entry.2, 'Tuple(UInt32, Array(UInt32), Array(UInt32))') AS told"
        f" FROM {PERSONS.stored} FINAL WHERE state = 'active'"
    )
    telling = (
        "SELECT person_id, entry.1 AS element, own[element] AS value, records[told.1 + 1] AS origin,"
        " splitByChar('.', feeds[origin.1 + 1]) AS feed, origin.2 AS key, fromUnixTimestamp64Micro(origin.3) AS since,"
        " arrayMap(one -> feeds[one + 1], told.2) AS agree, arrayMap(one -> feeds[one + 1], told.3) AS disagree"
        f" FROM ({persons}) WHERE notEmpty(told.3)"
    )
    said = f"SELECT {place}, arrayJoin(map({values})) AS entry FROM {MENTIONS.stored} FINAL"
    people = f"SELECT {place}, person_id FROM {IDENTITIES.stored} FINAL"
    return View(
        "discrepancies",
        "SELECT p.person_id AS person_id, p.element AS element, p.value AS value, p.feed[1] AS department,"
        " p.feed[2] AS `table`, p.key AS key, p.since AS since, p.agree AS agree, p.disagree AS disagree,"
        " m.entry.2 AS other_value, m.department AS other_department, m.`table` AS other_table, m.key AS other_key"
        f" FROM ({telling}) AS p INNER JOIN ({people}) AS i ON p.person_id = i.person_id"
        f" INNER JOIN ({said}) AS m ON i.department = m.department AND i.`table` = m.`table` AND i.key = m.key"
        " AND i.role = m.role AND i.ordinal = m.ordinal AND p.element = m.entry.1"
        " WHERE m.entry.2 != '' AND m.entry.2 != p.value",
        comment="Where records of one person disagree, with each record's value / 多源不一致",
    )


VIEWS: Final = (*LOOKUPS, RESIDENTS, POPULATION, *AS_OF, relations_view(), discrepancies_view())
