"""Family ties: what records say of two persons, and of persons who are only named beside one."""

from __future__ import annotations

import json
from pathlib import Path

from avro.codec import DatumCodec
from avro.record import Kin, Mention, MentionPlace, Record
from avro.schema import shared_schema
from avro.version import log_version, to_bytes
from connectors.clickhouse.access import Local, rows
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import open_store
from connectors.feeds import Catalog
from linkage.engine import Engine, LogEntry
from linkage.outputs import IdentityChange, PersonChange
from tests.unit.linkage_world import AUTHORITY, NUMBERS

FEED = "police.hj_ryjbxx"


def test_ties_of_records_and_of_kin(tmp_path: Path) -> None:
    feed = Catalog.load().by_id(FEED)
    parent = Mention("self", name="李兰", id_number=NUMBERS[0], birth_date=3652)
    child = Mention(
        "self", name="王小芳", id_number=NUMBERS[2], birth_date=16616,
        kin=(Kin("mother", "李兰", NUMBERS[0]), Kin("father", "王大山")),
    )  # fmt: skip
    moved = Mention("self", name="李兰", id_number=NUMBERS[0], birth_date=3652, phone="13900000002")
    parent.phone = "13900000001"
    log = [_record(key, mention) for key, mention in (("1", parent), ("2", child), ("3", moved))]
    store = open_store(tmp_path, "", [FeedTable(FEED, feed.codec.schema, feed.roles)])
    batch = Batch()
    codecs = {name: DatumCodec(shared_schema(name)) for name in ("Identity", "Person")}
    names = [field["name"] for field in feed.codec.schema["fields"]]
    own = {
        field["name"]: field.get("default") for field in feed.codec.schema["fields"][names.index("raw") + 1 :]
    }
    for one in log:
        batch.add_record(FEED, feed.codec.encode(one, "{}", own), 0, one)
    for output in Engine(1, AUTHORITY).apply([LogEntry(*entry) for entry in enumerate(log)]):
        if isinstance(output, IdentityChange):
            batch.add_identity(codecs["Identity"].encode(output.to_avro()), 0)
        elif isinstance(output, PersonChange):
            batch.add_person(codecs["Person"].encode(output.to_avro()), 0)
    # A certificate that names both as mentions.
    for role, person in (("baby", "P0000000002"), ("mother", "P0000000001")):
        place = MentionPlace("health", "birth_certificate", "K1", role)
        fields = {name: getattr(place, name) for name in place.__struct_fields__}
        more = {
            "person_id": person,
            "rule": "evidence",
            "is_deleted": 0,
            "version": to_bytes(log_version(1, 9)),
        }
        batch.add_identity(codecs["Identity"].encode({**fields, **more}), 0)
    store.writer.write(batch)
    assert store.readers is not None
    access = Local(store.readers)
    found = rows(
        access, "SELECT person_id, relation, other_person_id, other_name, key FROM relations ORDER BY ALL"
    )
    disagreeing = rows(
        access,
        "SELECT person_id, element, value, key, agree, disagree, other_value, other_table, other_key"
        " FROM discrepancies",
    )
    store.close()
    assert [tuple(row.values()) for row in disagreeing] == [
        ("P0000000001", "phone", "13900000001", "1", [], [FEED], "13900000002", "hj_ryjbxx", "3")
    ]
    assert sorted([json.dumps(row, ensure_ascii=False, sort_keys=True) for row in found]) == sorted(
        [
            json.dumps(dict(zip(_COLUMNS, row, strict=True)), ensure_ascii=False, sort_keys=True)
            for row in (
                ("P0000000001", "child", "P0000000002", None, "K1"),
                ("P0000000002", "mother", "P0000000001", None, "K1"),
                ("P0000000002", "mother", "P0000000001", "李兰", "2"),
                ("P0000000002", "father", None, "王大山", "2"),
            )
        ]
    )


_COLUMNS = ("person_id", "relation", "other_person_id", "other_name", "key")


def _record(key: str, mention: Mention) -> Record:
    return Record(
        feed=FEED, op="c", key=key, version=1, is_deleted=False, snapshot=False, source_time=1, captured_time=2,
        topic="t", partition=0, offset=1, mentions=(mention,),
    )  # fmt: skip
