"""The examples of docs/queries.md, run on a small register whose answers are known."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.clickhouse import sql
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import Store, open_store
from connectors.feeds import Catalog
from tests.unit.clickhouse_source import ask, rows_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "queries.md"
QUERIES = dict(
    re.findall(r"^## (.+?)\n.*?```sql\n(.+?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.M)
)


def insert(store: Store, into: str, /, **values: Any) -> None:
    texts = [sql.text(value) if isinstance(value, str) else str(value) for value in values.values()]
    store.side.command(f"INSERT INTO renkou.{into}_all ({sql.names(values)}) VALUES ({', '.join(texts)})")


def born(age: int) -> str:
    """Return a birth date of somebody of this age, whichever day of the year it is."""
    return f"{dt.datetime.now(dt.UTC).year - age}-01-01"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    feeds = Catalog.load(None).feeds
    opened = open_store(
        tmp_path_factory.mktemp("queries") / "store",
        "",
        [FeedTable(feed.id, feed.codec.schema, feed.roles) for feed in feeds],
    )
    people = [
        ("P0000000001", "李安", "1", born(33), "390102"),
        ("P0000000002", "李安", "2", born(31), "390102"),
        ("P0000000003", "赵敏", "2", born(2), "390102"),
        ("P0000000004", "钱宁", "1", born(2), "390103"),
    ]
    for version, (person, name, sex, birth, division) in enumerate(people, start=10):
        golden = {
            "state": "active",
            "name": name,
            "sex": sex,
            "birth_date": birth,
            "hukou_division": division,
        }
        for table in ("persons", "person_history"):
            later = {"noted": "2025-06-01"} if table == "person_history" else {}
            insert(
                opened,
                table,
                person_id=person,
                **golden,
                mention_count=1,
                version=version,
                is_deleted=0,
                **later,
            )
    # The first has another phone since; the last died, and an older row says that he did not.
    for table in ("persons", "person_history"):
        changed = {
            "state": "active",
            "name": "李安",
            "sex": "1",
            "birth_date": born(33),
            "hukou_division": "390102",
        }
        later = {"noted": "2025-06-02"} if table == "person_history" else {}
        insert(
            opened, table, person_id="P0000000001", **changed, phone="139", version=20, is_deleted=0, **later
        )
    last = {"state": "active", "name": "钱宁", "sex": "1", "birth_date": born(2), "death_date": "2025-01-01"}
    insert(
        opened, "persons", person_id="P0000000004", **last, hukou_division="390103", version=21, is_deleted=0
    )
    links = [
        ("police", "hj_ryjbxx", "self", "P0000000001"),
        ("hrss", "ac01", "self", "P0000000001"),
        ("hrss", "ac01", "self", "P0000000002"),
        ("police", "ldrk_jzz", "self", "P0000000002"),
        ("health", "birth_certificate", "baby", "P0000000003"),
        ("health", "vaccination_record", "self", "P0000000003"),
        ("health", "birth_certificate", "baby", "P0000000004"),
    ]
    for number, (department, table, role, person) in enumerate(links):
        slot = {
            "department": department,
            "table": table,
            "key": f'{{"id":{number}}}',
            "role": role,
            "ordinal": 0,
        }
        for kept in ("identities", "identity_history") if number else ("identities",):  # see known()
            insert(opened, kept, **slot, person_id=person, rule="exact", version=5, is_deleted=0)
        insert(opened, "mentions", **slot, name=person, source_time="2025-01-01", version=5, is_deleted=0)
    insert(
        opened,
        "police_ldrk_jzz",
        key='{"id":3}',
        permit_number="J1",
        hukou_division="160102",
        version=5,
        is_deleted=0,
    )
    known(opened)
    yield opened
    opened.close()


def known(store: Store) -> None:
    """Write what was known when: a phone since March, and a mention that was another person's before."""
    person = {
        "person_id": "P0000000001",
        "state": "active",
        "name": "李安",
        "mention_count": 1,
        "is_deleted": 0,
    }
    slot = {"department": "police", "table": "hj_ryjbxx", "key": '{"id":0}'}
    mention = {**slot, "role": "self", "ordinal": 0, "rule": "exact", "is_deleted": 0}
    for moment, phone, owner in (("2025-01-01", "137", "P0000000002"), ("2025-03-02", "138", "P0000000001")):
        version = 1 if owner == "P0000000002" else 4
        insert(store, "person_history", **person, phone=phone, version=version, noted=moment)
        insert(store, "identity_history", **mention, person_id=owner, version=version, noted=moment)
        raw = f'{{"XM":"李安{version}"}}'
        times = {"source_time": moment, "noted": moment}
        insert(store, "record_history", **slot, raw=raw, version=version, is_deleted=0, **times)


EXPECTED: dict[str, list[dict[str, Any]]] = {
    "Age pyramid of a district": [
        {"age_group": 0, "male": 0, "female": 1},
        {"age_group": 30, "male": 1, "female": 1},
    ],
    "Births against vaccinations": [{"births": 2, "vaccinated": 1}],
    "Insured without hukou": [{"person_id": "P0000000002", "name": "李安", "residence_address": None}],
    "Residents by permit": [{"province": "16", "with_permit": 1, "without_permit": 0}],
    "One person's sources": [
        {"department": "hrss", "table": "ac01", "role": "self"},
        {"department": "police", "table": "hj_ryjbxx", "role": "self"},
    ],
    "Persons of one name": [{"person_id": "P0000000001"}, {"person_id": "P0000000002"}],
    "A person before the last change": [
        {"person_id": "P0000000001", "state": "active", "name": "李安", "phone": None}
    ],
    "A person at a moment": [{"person_id": "P0000000001", "name": "李安", "phone": "137"}],
    "Whose records they were at a moment": [
        {"department": "hrss", "table": "ac01", "role": "self"},
        {"department": "police", "table": "hj_ryjbxx", "role": "self"},
        {"department": "police", "table": "ldrk_jzz", "role": "self"},
    ],
    "A row of a source at a moment": [{"source_time": "2025-01-01 00:00:00.000000", "name": "李安1"}],
    "How old every source is": [],
    "What was compared with the sources, and when": [],
    "One person's family": [],
    "Where records of one person disagree": [],
    "What humans are asked": [],
    "Decisions that have no effect, and why": [],
}


def test_every_example_is_tested() -> None:
    assert QUERIES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("title", EXPECTED)
def test_example(store: Store, title: str) -> None:
    found = rows_of(store.readers, QUERIES[title])
    wanted = EXPECTED[title]
    assert [{name: row[name] for name in one} for one, row in zip(wanted, found, strict=True)] == wanted


def test_aggregates_follow_updates_and_deletes(store: Store) -> None:
    def count() -> int:
        return sum(row["persons"] for row in rows_of(store.readers, "SELECT * FROM population"))

    before = count()
    row = {
        "person_id": "P9",
        "state": "active",
        "sex": "1",
        "birth_date": "1990-01-01",
        "version": 1,
        "is_deleted": 0,
    }
    insert(store, "persons", **row)
    insert(store, "persons", **row)  # the same again
    assert count() == before + 1
    insert(store, "persons", **(row | {"sex": "2", "version": 2}))
    assert count() == before + 1
    insert(store, "persons", **(row | {"state": "merged", "version": 3}))
    assert count() == before


def test_results_go_out_as_parquet_and_arrow(store: Store) -> None:
    query = "SELECT person_id, birth_date FROM persons ORDER BY person_id LIMIT 2"
    parquet = pq.read_table(io.BytesIO(ask(store.readers, query, "Parquet"))).to_pylist()
    arrow = pa.ipc.open_file(io.BytesIO(ask(store.readers, query, "Arrow"))).read_all().to_pylist()
    wanted = [row["person_id"] for row in rows_of(store.readers, query)]
    for table in (parquet, arrow):
        assert [row["person_id"] for row in table] in (wanted, [name.encode() for name in wanted])
