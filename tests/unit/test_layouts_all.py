"""The five offline types as files, byte for byte as their departments write them, become the rows of `CASES`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avro.change import Change, Op
from avro.record import Mention
from connectors.feeds import Catalog
from connectors.files.delivery import find_delivery, verify
from connectors.files.parse import read_records
from connectors.files.rows import Position, change_of, place_at
from tests.support.deliveries import control
from tests.unit.feed_rows import CASES

CATALOG = Catalog.load()
DATE, SEQUENCE = "20240131", 2


def archive(row: dict[str, Any]) -> bytes:
    """police_hj_lsda: records of 256 bytes without line ends, fields cut at the byte."""
    # Name, position from 1, length; digits are padded with zeros, text with blanks.
    layout = (
        ("DAH", 10), ("SFZH", 15), ("XM", 20), ("XB", 2), ("MZ", 6), ("CSRQ", 6), ("CSLB", 1), ("YHZGX", 8), ("HH", 9),
        ("HZXM", 20), ("FQXM", 20), ("MQXM", 20), ("ZZ", 80), ("LRRQ", 6), ("SG", 5), ("ZT", 1),
    )  # fmt: skip
    values = {**row, "SG": "0168E"}
    detail = b"D" + b"".join(
        (values[name] or "").encode("gb18030")[:size].ljust(size) for name, size in layout
    )
    header = f"HPOLICE-HJ {DATE}{SEQUENCE:03}".encode()
    trailer = f"T{1:010}{int(row['DAH']):012}".encode()
    return b"".join(record.ljust(256) for record in (header, detail, trailer))


def accounts(row: dict[str, Any]) -> bytes:
    """housing_gjj_grzh: XML in GB18030 with a namespace on its outer elements; empty and absent are unknown."""
    children = "".join(
        f"<{name}>{value}</{name}>" for name, value in row.items() if name != "grzh" and value is not None
    )
    return (
        '<?xml version="1.0" encoding="GB18030"?>\n'
        f'<gjj:batch xmlns:gjj="urn:jianglan:gjj:1" rq="{DATE}" xh="{SEQUENCE:03}" sl="1">\n'
        f'  <gjj:zh grzh="{row["grzh"]}"><!-- one account -->{children}<sjhm/></gjj:zh>\n</gjj:batch>\n'
    ).encode("gb18030")


def certificates(row: dict[str, Any]) -> bytes:
    """disabled_cjr: JSON lines behind a byte order mark."""
    line: dict[str, Any] = {"op": "A", "cj": {"lb": [3], "dj": 2, "pdrq": "2019-04-01"}}
    for name, value in row.items():
        part, _, field = name.partition(".")
        if field:
            line.setdefault(part, {})[field] = value
        else:
            line[name] = value
    return b"\xef\xbb\xbf" + json.dumps(line, ensure_ascii=False).encode() + b"\n"


def table(row: dict[str, Any]) -> bytes:
    """justice_*: CSV in GB18030, its columns named in the first line, CRLF."""
    return f"{','.join(row)}\r\n{','.join(row.values())}\r\n".encode("gb18030")


WRITERS = {
    "police.hj_lsda": archive,
    "housing.gjj_grzh": accounts,
    "disabled.cjr": certificates,
    "justice.sqjz": table,
    "justice.sygz": table,
}


def delivered(folder: Path, feed_id: str, row: dict[str, Any]) -> tuple[Mention, ...]:
    """Return whom the one record of a delivery mentions."""
    feed = CATALOG.by_id(feed_id)
    path = folder / f"{feed.department}_{feed.type}_{DATE}_{SEQUENCE:03}.dat"
    path.write_bytes(WRITERS[feed_id](row))
    delivery = find_delivery(control(path, 1), feed.department, feed.type)
    verify(delivery)
    (record,) = read_records(feed, delivery)
    assert record.fields is not None, (record.rule, record.error)
    change = change_of(feed, record.fields)
    assert change.key == {name: row[name] for name in feed.key}, "text, with its leading zeros"
    key = json.dumps(change.key, ensure_ascii=False, separators=(",", ":"))
    place = place_at(feed, Position(int(DATE), SEQUENCE, record.line))
    return feed.normalize(
        Change(place, feed.department, feed.schema, feed.table, Op.CREATE, key, 9, 5, 6, after=change.row)
    ).record.mentions


@pytest.mark.parametrize("feed", WRITERS)
def test_a_delivery_says_what_its_row_says(feed: str, tmp_path: Path) -> None:
    assert delivered(tmp_path, feed, CASES[feed].row) == CASES[feed].mentions


def test_a_name_that_was_cut_within_a_character_is_no_name(tmp_path: Path) -> None:
    row = {**CASES["police.hj_lsda"].row, "XM": "阿不都热依木·买买\U0002cb4e"}
    (person,) = delivered(tmp_path, "police.hj_lsda", row)
    assert (person.name, person.other_names) == (None, ("阿不都热依木·买买\ufffd",))
    row = {**row, "XM": "买买提"}
    assert delivered(tmp_path, "police.hj_lsda", row)[0].name == "买买提"
