"""Files of every layout, control files, packed files, and files that mean harm."""

from __future__ import annotations

import gzip
import hashlib
import io
import resource
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import DeliveryError
from connectors.feeds import Catalog, Feed
from connectors.files.delivery import find_delivery, open_delivery, verify
from connectors.files.layout import MOST_RECORD_BYTES
from connectors.files.parse import read_again, read_records
from connectors.files.record import FileRecord
from tests.support import deliveries, file_feeds

ID = "390102198503121235"
ROWS = [("0000000001", "王建国", ID), ("0000000002", "李·四", "")]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return file_feeds.catalog(tmp_path_factory.mktemp("feeds"))


def read(catalog: Catalog, path: Path) -> list[FileRecord]:
    feed = feed_of(catalog, path)
    delivery = find_delivery(path, feed.department, feed.type)
    verify(delivery)
    return list(read_records(feed, delivery))


def feed_of(catalog: Catalog, path: Path) -> Feed:
    return catalog.by_id(f"works.{path.name.split('_')[1]}")


def fields(records: list[FileRecord]) -> list[dict[str, object] | None]:
    return [record.fields for record in records]


def take(feed: Feed, path: Path) -> None:
    """Read a delivery and keep nothing of it."""
    delivery = find_delivery(path, feed.department, feed.type)
    verify(delivery)
    for _ in read_records(feed, delivery):
        pass


def refused(catalog: Catalog, path: Path) -> str:
    with pytest.raises(DeliveryError) as caught:
        take(feed_of(catalog, path), path)
    assert str(path.parent) in str(caught.value)
    return str(caught.value)


def test_csv_in_gb18030(catalog: Catalog, tmp_path: Path) -> None:
    records = read(catalog, deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2))
    assert fields(records) == [
        {"编号": "0000000001", "备注": "甲,乙", "姓名": "王建国", "身份证号": ID},
        {"编号": "0000000002", "备注": "甲,乙", "姓名": "李·四", "身份证号": ""},
    ]
    assert [record.line for record in records] == [2, 3]


def test_a_stray_quote_spoils_its_own_line_only(catalog: Catalog, tmp_path: Path) -> None:
    lines = [
        "编号,姓名,身份证号",
        '1,"王',
        "2,李四,",
        '3,"赵"六,',
        '4,"两\r\n行","x ""y"""',
        "5,a",
        "",
        "6,钱七,",
    ]
    content = "\r\n".join(lines).encode("gb18030")
    records = read(catalog, deliveries.deliver(tmp_path, "roll", content, 6))
    read_fields = [record.fields and record.fields["编号"] for record in records]
    assert read_fields == [None, "2", None, "4", None, "6"]
    assert [record.line for record in records] == [2, 3, 4, 5, 7, 9]
    assert records[3].fields == {"编号": "4", "姓名": "两\r\n行", "身份证号": 'x "y"'}
    for record in records:
        if record.fields is None:
            assert record.rule == "unreadable_line"
            assert "王" not in record.error
            again = read_again(catalog.by_id("works.roll"), record.raw, record.line, record.columns)
            assert again.fields is None
    mended = read_again(catalog.by_id("works.roll"), b"5,a,b\r\n", 7, records[4].columns)
    assert mended.fields == {"编号": "5", "姓名": "a", "身份证号": "b"}


def test_json_lines_with_a_byte_order_mark(catalog: Catalog, tmp_path: Path) -> None:
    content = deliveries.grants([{"op": "A", "no": "1", "who": {"name": "王建国", "number": None}}])
    content += b"{\n[1]\n\n" + b"[" * 100_000 + b'\n{"op": "D", "no": "1"}'
    records = read(catalog, deliveries.deliver(tmp_path, "grants", content, 5))
    assert [record.rule for record in records] == ["", "not_json", "wrong_type", "not_json", ""]
    assert records[0].fields == {"op": "A", "no": "1", "who.name": "王建国", "who.number": None}
    assert [record.line for record in records] == [1, 2, 3, 5, 6]


def test_xml_in_gb18030_with_namespaces(catalog: Catalog, tmp_path: Path) -> None:
    rows = [*ROWS, ("3", "𠮷&<", "")]
    records = read(catalog, deliveries.deliver(tmp_path, "accounts", deliveries.accounts(rows), 3))
    assert fields(records) == [
        {"no": "0000000001", "name": "王建国", "who.number": ID},
        {"no": "0000000002", "name": "李·四", "who": None},
        {"no": "3", "name": "𠮷&<", "who": None},
    ]
    assert [record.line for record in records] == [1, 2, 3]
    feed = catalog.by_id("works.accounts")
    for record in records:
        assert record.raw.startswith(b"<w:entry ")
        assert record.raw.endswith(b"</w:entry>")
        assert read_again(feed, record.raw, record.line, ()).fields == record.fields


def test_an_xml_field_that_stands_twice_is_not_chosen_from(catalog: Catalog, tmp_path: Path) -> None:
    content = deliveries.accounts(ROWS).replace(b"<name>", b"<name>x</name><name>", 1)
    records = read(catalog, deliveries.deliver(tmp_path, "accounts", content, 2))
    assert [record.rule for record in records] == ["repeated_field", ""]


def test_fixed_width_with_characters_cut_in_half(catalog: Catalog, tmp_path: Path) -> None:
    rows = [*ROWS, ("3", "阿卜杜热西提", ""), ("4", "一二三四𠮷", "")]
    records = read(catalog, deliveries.deliver(tmp_path, "archive", deliveries.archive(rows), 4))
    assert fields(records) == [
        {"NO": "0000000001", "NAME": "王建国", "ID": ID, "HEIGHT": "168.5"},
        {"NO": "0000000002", "NAME": "李·四", "ID": None, "HEIGHT": "168.5"},
        {"NO": "0000000003", "NAME": "阿卜杜热西\ufffd", "ID": None, "HEIGHT": "168.5"},
        {"NO": "0000000004", "NAME": "一二三四\ufffd", "ID": None, "HEIGHT": "168.5"},
    ]
    assert [record.line for record in records] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("zoned", "value"),
    [
        ("0168E", "168.5"), ("0000{", "0.0"), ("0001}", "-1.0"), ("0123J", "-123.1"), ("00005", "0.5"),
        ("     ", None), ("01?8E", "01?8E"), ("0168Z", "0168Z"),
    ],
)  # fmt: skip
def test_zoned_numbers(catalog: Catalog, tmp_path: Path, zoned: str, value: str | None) -> None:
    content = deliveries.archive(ROWS[:1], height=zoned)
    (record,) = read(catalog, deliveries.deliver(tmp_path, "archive", content, 1))
    assert record.fields is not None
    assert record.fields["HEIGHT"] == value


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[:-10], "is cut short"),
        (lambda data: data[:-64], "trailer is missing"),
        (lambda data: data + data[-64:], "more behind the trailer"),
        (lambda data: data.replace(b"T0000000002", b"T0000000003"), "trailer counts 3"),
        (lambda data: data.replace(b"000000000003 ", b"000000000009 "), "trailer sums up 9"),
        (lambda data: data.replace(b"H20240131", b"H20240130"), "header is of date 20240130"),
        (lambda data: data.replace(b"20240131001", b"20240131002"), "sequence number 2"),
        (lambda data: b"X" + data[1:], "does not begin with a header"),
        (lambda data: b"", "the trailer is missing"),
    ],
)
def test_a_fixed_width_file_that_contradicts_itself_is_refused(
    catalog: Catalog, tmp_path: Path, change: object, text: str
) -> None:
    content = change(deliveries.archive(ROWS))  # type: ignore[operator]
    assert text in refused(catalog, deliveries.deliver(tmp_path, "archive", content, 2))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (deliveries.accounts(ROWS, date="20240130"), "attribute rq"),
        (deliveries.accounts(ROWS, sequence=2), "attribute xh"),
        (deliveries.accounts(ROWS, count=3), "attribute sl"),
        (deliveries.accounts(ROWS).replace(b"urn:works:1", b"urn:works:2"), "outermost element"),
        (deliveries.accounts(ROWS).replace(b"GB18030", b"UTF-8"), "another encoding"),
        (deliveries.accounts(ROWS)[:-9], "not well-formed"),
        (b"", "not well-formed"),
        (
            deliveries.accounts(ROWS).replace(
                b"<w:batch", b'<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><w:batch'
            ),
            "document type",
        ),
        (
            deliveries.accounts(ROWS).replace(b"<w:batch", b'<!DOCTYPE b SYSTEM "file:///etc/hostname"><w:batch'),
            "document type",
        ),
        (deliveries.accounts(ROWS).replace(b"<name>", b"<a>" * 40), "nested deeper"),
        (
            deliveries.accounts(ROWS).replace(b"<name>", b"<name>" + b"x" * (MOST_RECORD_BYTES + 1), 1),
            "record is too long",
        ),
        (
            deliveries.accounts(ROWS).replace(b"no=", b'x="' + b"y" * (4 * MOST_RECORD_BYTES) + b'" no=', 1),
            "too long",
        ),
        (
            deliveries.accounts(ROWS).replace(
                b"<name>", b"<!--" + b"y" * (4 * MOST_RECORD_BYTES) + b"--><name>", 1
            ),
            "too long",
        ),
    ],
    ids=[
        "date", "sequence", "count", "namespace", "encoding", "cut", "empty", "entities", "external", "deep", "text",
        "attribute", "comment",
    ],
)  # fmt: skip
def test_xml_that_is_not_the_feeds_is_refused(
    catalog: Catalog, tmp_path: Path, content: bytes, text: str
) -> None:
    assert text in refused(catalog, deliveries.deliver(tmp_path, "accounts", content, 2))


def test_a_csv_of_other_columns_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    other = deliveries.deliver(tmp_path, "roll", "编号,姓名\r\n1,x\r\n".encode("gb18030"), 1)
    assert "lacks 身份证号" in refused(catalog, other)
    foreign = deliveries.deliver(tmp_path, "roll", "编号,姓名,身份证号\r\n".encode(), 0)
    assert "is it gb18030?" in refused(catalog, foreign)


def test_without_its_control_file_nothing_is_taken(catalog: Catalog, tmp_path: Path) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2)
    line = path.with_name(path.name + ".ok")
    good = line.read_text()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for text, reason in [
        (good.replace(",2,", ",2;"), "not one line"),
        (good.replace("001.dat", "002.dat"), "of another file"),
        (good.replace(digest, "0" * 64), "sha256"),
        (good.replace(f",{path.stat().st_size},", ",7,"), "more than 7"),
        (good.replace(f",{path.stat().st_size},", f",{path.stat().st_size + 1},"), "bytes"),
        (good + "x" * 10_000, "not one line"),
    ]:
        line.write_text(text)
        with pytest.raises(DeliveryError, match=reason):
            read(catalog, path)
    line.write_text("\ufeff" + good.upper().replace("WORKS_ROLL", "works_roll").replace(".DAT", ".dat"))
    assert len(read(catalog, path)) == 2
    line.unlink()
    assert "no control file" in refused(catalog, path)


@pytest.mark.parametrize(
    "name",
    ["roll.csv", "works_roll_20240131_001", "works_roll_20241331_001.csv", "works_grants_20240131_001.csv"],
)
def test_a_file_under_another_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DeliveryError, match=r"name is not|is no date"):
        find_delivery(tmp_path / name, "works", "roll")


def test_a_folder_or_a_missing_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "works_roll_20240131_001.csv"
    with pytest.raises(DeliveryError, match="is the path right"):
        find_delivery(path, "works", "roll")
    path.mkdir()
    with pytest.raises(DeliveryError, match="this is no file"):
        find_delivery(path, "works", "roll")


def test_packed_deliveries(catalog: Catalog, tmp_path: Path) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2)
    plain = fields(read(catalog, path))
    assert fields(read(catalog, deliveries.zipped(path))) == plain
    assert fields(read(catalog, deliveries.gzipped(path, 2))) == plain


def test_an_archive_holds_the_file_of_its_name_and_nothing_else(catalog: Catalog, tmp_path: Path) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2)
    for member in (f"../{path.name}", f"/etc/{path.name}", "other.dat", f"a\\{path.name}"):
        assert "is not named" in refused(catalog, deliveries.zipped(path, member))
    packed = deliveries.zipped(path)
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr("second", b"")
    assert "does not hold one file" in refused(catalog, packed)
    with zipfile.ZipFile(packed, "w") as file:
        for number in range(1000):
            file.writestr(f"{number}", b"")
    assert "does not hold one file" in refused(catalog, packed)


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_damaged_archives_are_refused(catalog: Catalog, tmp_path: Path, ending: str) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS * 500), 1000)
    packed = deliveries.zipped(path) if ending == ".zip" else deliveries.gzipped(path, 1000)
    good = packed.read_bytes()
    for data in (b"", b"PK", good[: len(good) // 2], good[:60] + b"\xff" * 40 + good[100:]):
        packed.write_bytes(data)
        deliveries.control(packed, 1000)
        assert refused(catalog, packed)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_random_bytes_are_read_or_refused_and_nothing_else(
    catalog: Catalog, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(("roll", "grants", "accounts", "archive")))
    good = {
        "roll": deliveries.roll(ROWS),
        "grants": deliveries.grants([{"op": "A", "no": "1"}]),
        "accounts": deliveries.accounts(ROWS),
        "archive": deliveries.archive(ROWS),
    }[kind]
    place = data.draw(st.integers(0, len(good)))
    content = data.draw(
        st.one_of(
            st.binary(max_size=300),
            st.binary(max_size=20).map(lambda noise: good[:place] + noise + good[place:]),
            st.binary(max_size=20).map(lambda noise: good[:place] + noise + good[place + len(noise) :]),
        )
    )
    ending = data.draw(st.sampled_from(("", ".gz", ".zip")))
    folder = tmp_path_factory.mktemp("noise", numbered=True)
    packed = content if ending != ".gz" or data.draw(st.booleans()) else gzip.compress(content)
    path = folder / f"works_{kind}_20240131_001.dat{ending}"
    path.write_bytes(packed)
    deliveries.control(path, 2)
    try:
        for record in read(catalog, path):
            assert (record.fields is None) == bool(record.rule)
            read_again(feed_of(catalog, path), record.raw, record.line, record.columns)
    except DeliveryError:
        pass


MOST_GROWTH = 64 << 20
"""Of the process while a hostile file of a gigabyte is refused, bytes."""


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bomb(path: Path, mebibytes: int) -> Path:
    """Write a gzip of zeros: a kilobyte for each mebibyte."""
    member = gzip.compress(b"\0" * (1 << 20))
    path.write_bytes(member * mebibytes)
    return path


def test_bombs_and_endless_lines_are_refused_within_bounded_memory(catalog: Catalog, tmp_path: Path) -> None:
    before = peak()
    packed = bomb(tmp_path / "works_roll_20240131_001.dat.gz", 1024)
    deliveries.control(packed, 1)
    assert "line 1 is longer than" in refused(catalog, packed)
    inner = tmp_path / "works_archive_20240131_001.dat"
    archive = inner.with_name(inner.name + ".zip")
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file,
        file.open(inner.name, "w", force_zip64=True) as member,
    ):
        member.write(deliveries.archive(ROWS)[:64])
        for _ in range(64):
            member.write(b"X" * (1 << 20))
    deliveries.control(archive, 1)
    assert "unpacks to more than 200 times" in refused(catalog, archive)
    line = tmp_path / "works_grants_20240131_001.dat"
    with line.open("wb") as sparse:
        sparse.truncate(1 << 30)
    feed = catalog.by_id("works.grants")
    line.with_name(line.name + ".ok").write_text(f"{line.name},1,{1 << 30},{'0' * 64}\n")
    with pytest.raises(DeliveryError, match="line 1 is longer than"):
        next(read_records(feed, find_delivery(line, "works", "grants")))
    assert peak() - before < MOST_GROWTH


def test_a_zip_that_lies_about_its_directory_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2)
    packed = deliveries.zipped(path)
    data = packed.read_bytes()
    end = data.rindex(b"PK\5\6")
    huge = bytearray(data)
    struct.pack_into("<H", huge, end + 10, 60_000)
    packed.write_bytes(bytes(huge))
    assert "does not hold one file" in refused(catalog, packed)
    # Behind a zip64 locator: the 32-bit end says one entry, the 64-bit one four billion.
    zip64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 32, 1 << 32, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    packed.write_bytes(data[:end] + zip64 + locator + data[end:])
    assert "does not hold one file" in refused(catalog, packed)


def test_a_file_is_unpacked_as_a_stream(catalog: Catalog, tmp_path: Path) -> None:
    path = deliveries.deliver(tmp_path, "roll", deliveries.roll(ROWS), 2)
    packed = deliveries.gzipped(path, 2)
    with open_delivery(find_delivery(packed, "works", "roll")) as stream:
        assert stream.readline() == deliveries.roll([])
        assert io.BytesIO(stream.read(3)).getvalue() == b"000"
