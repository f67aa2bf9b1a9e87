"""The files of the invented province, handed over to a hub: what is loaded, and that it is loaded once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer as KafkaProducer

from connectors.feeds import Catalog
from streams import handover, hub, settings
from streams.load import HubWay

CATALOG = Catalog.load()


def test_every_record_of_every_file_is_sent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = handover.delivered_feeds(CATALOG, hub.departments_of("all"))
    assert {feed.id for feed in feeds} == {
        "police.hj_lsda", "housing.gjj_grzh", "disabled.cjr", "justice.sqjz", "justice.sygz"
    }  # fmt: skip
    assert [feed.id for feed in handover.delivered_feeds(CATALOG, ("police", "tax"))] == ["police.hj_lsda"]
    # What a start that was killed had begun to write is written again, whole.
    (tmp_path / "inbox.new").mkdir()
    (tmp_path / "inbox.new" / "police_hj_lsda_20260101_001.dat").write_bytes(b"half")
    inbox = handover.write_inbox(tmp_path, 4, 300)
    before = {path.name: path.read_bytes() for path in inbox.iterdir()}
    assert len(before) == 10, "five files, each with its control file"
    assert not (tmp_path / "inbox.new").exists()

    outcomes: Counter[str] = Counter()
    send = HubWay.send

    def counted(self: HubWay, *arguments: object) -> object:
        summary = send(self, *arguments)  # type: ignore[arg-type]
        outcomes.update(records=summary.records, dead_letters=summary.dead_letters)
        return summary

    monkeypatch.setattr(HubWay, "send", counted)
    # librdkafka's own double of a broker: real producers send to it.
    double = KafkaProducer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    kafka = ",".join(f"{one.host}:{one.port}" for one in double.list_topics(timeout=60).brokers.values())
    options = replace(settings.load(tmp_path), data=tmp_path)
    said: list[str] = []
    records = handover.hand_over(options, kafka, CATALOG, feeds, inbox, said.append)
    assert records.keys() == {feed.id for feed in feeds}
    assert records["police.hj_lsda"] > 0
    assert outcomes == {"records": sum(records.values()), "dead_letters": 0}
    assert len(said) == 5
    assert handover.hand_over(options, kafka, CATALOG, feeds, inbox, said.append) == records
    assert outcomes["records"] == sum(records.values()), "nothing is sent again"
    assert handover.write_inbox(tmp_path, 4, 300) == inbox
    assert {path.name: path.read_bytes() for path in inbox.iterdir()} == before
