"""The offline files, read back by the parsers that `renkou load` uses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connectors.errors import TerminalError
from connectors.feeds import Catalog
from connectors.files.delivery import find_delivery, verify
from connectors.files.parse import read_records
from connectors.files.rows import flatten
from connectors.simulate import Population, deliver
from connectors.simulate.capture import file_record
from connectors.simulate.tables import FILES, HJ_LSDA

PEOPLE = 500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "delivered"
    deliver(folder, Population(11, PEOPLE), 600)
    return folder


def test_files_hold_the_records_that_were_written(folder: Path) -> None:
    families = list(Population(11, PEOPLE).everybody())
    catalog = Catalog.load()
    for table in FILES:
        written = [
            flatten(msgspec.to_builtins(file_record(table, entry.row)))
            for family in families
            for entry in family.entries
            if entry.table is table
        ]
        (path,) = folder.glob(f"{table.department}_{table.name}_20260601_001.[!o]*[!k]")
        delivery = find_delivery(path, table.department, table.name)
        verify(delivery)
        read = [record.fields for record in read_records(catalog.by_id(table.id), delivery)]
        assert len(read) == len(written)
        for ours, theirs in zip(written, read, strict=True):
            assert theirs is not None
            for name, value in ours.items():
                if table is HJ_LSDA and not str(value).strip("0"):
                    value = None
                assert (theirs.get(name) or None) == (value or None), (table.id, name)
        if table is HJ_LSDA:
            assert path.stat().st_size == 256 * (len(written) + 2)


def test_a_second_delivery_has_the_regraded(folder: Path) -> None:
    (path,) = folder.glob("disabled_cjr_20260602_001.jsonl")
    delivery = find_delivery(path, "disabled", "cjr")
    verify(delivery)
    records = [record.fields or {} for record in read_records(Catalog.load().by_id("disabled.cjr"), delivery)]
    removed = [fields["cjrzh"] for fields in records if fields["op"] == "D"]
    assert removed
    assert removed == [fields["yzh"] for fields in records if fields["op"] == "A"]
    with pytest.raises(TerminalError, match="not empty"):
        deliver(folder, Population(11, PEOPLE), 0)
