"""The one way into the parsers: the records of a delivery, whatever its layout."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.errors import DeliveryError
from connectors.feeds.feed import Feed
from connectors.files.csv_file import read_csv, read_csv_record
from connectors.files.delivery import Delivery, open_delivery
from connectors.files.fixed_file import read_fixed, read_fixed_record
from connectors.files.json_file import read_json, read_json_record
from connectors.files.layout import CsvLayout, FixedLayout, JsonLayout, Layout, XmlLayout
from connectors.files.record import FileRecord
from connectors.files.rows import LINE_LIMIT
from connectors.files.xml_file import read_xml, read_xml_record


def layout_of(feed: Feed) -> Layout:
    """Return the feed's layout. Raises DeliveryError when it has none."""
    if feed.layout is None:
        raise DeliveryError(
            f"feed {feed.id} is not delivered as files; `renkou feeds list` names those on topics file.…"
        )
    return feed.layout


def read_records(feed: Feed, delivery: Delivery) -> Iterator[FileRecord]:
    """Yield the records of a delivery in order. Raises DeliveryError at what makes the file no delivery of the feed."""
    layout = layout_of(feed)
    name = str(delivery.path)
    with open_delivery(delivery) as stream:
        match layout:
            case CsvLayout():
                records = read_csv(stream, layout, name, feed.columns)
            case JsonLayout():
                records = read_json(stream, layout, name)
            case XmlLayout():
                records = read_xml(stream, layout, name, delivery.date, delivery.sequence)
            case FixedLayout():
                records = read_fixed(stream, layout, name, delivery.date, delivery.sequence)
        for record in records:
            if record.line >= LINE_LIMIT:
                raise DeliveryError(f"{name}: it has {LINE_LIMIT} lines or more; deliver it in parts")
            yield record


def read_again(feed: Feed, raw: bytes, line: int, columns: tuple[str, ...]) -> FileRecord:
    """Return a record that was set aside, read once more; ``columns`` are those that it came with."""
    layout = layout_of(feed)
    match layout:
        case CsvLayout():
            return read_csv_record(line, raw, layout, columns)
        case JsonLayout():
            return read_json_record(line, raw, layout)
        case XmlLayout():
            return read_xml_record(line, raw, layout)
        case FixedLayout():
            return read_fixed_record(line, raw, layout)
