"""How a file feed's deliveries look: what a feed's ``layout`` says, as typed values. See docs/files.md.

A delivery is a file ``<department>_<type>_<yyyymmdd>_<nnn>.<any>`` with a control file beside it. A ``full`` delivery
has every row that the source has, so that what it lacks is gone; one of ``changes`` says nothing of the rows it lacks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from connectors.feeds.located import Located

MOST_RECORD_BYTES: Final = 1 << 20
"""The longest record that any layout may have: more is an attack or a lost line end."""

_FIELD: Final = re.compile(
    r"([1-9][0-9]{0,6}) (?:X|(9)|S9\(([1-9][0-9]?)\)V9(?:\(([1-9])\))?)(?:\(([1-9][0-9]{0,5})\))?"
)
_MOST_COUNT: Final = 10**18


class Completeness(StrEnum):
    """What a delivery says of rows that it does not name: ``full``, that they are gone; ``changes``, nothing."""

    FULL = "full"
    CHANGES = "changes"


class CsvLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Comma-separated values (RFC 4180) whose first line names the columns."""

    encoding: str
    delivery: Completeness
    delimiter: str


class Operation(msgspec.Struct, frozen=True):
    """Where a JSON line says what happened to the row: in ``field``, by these letters."""

    field: str
    create: str
    update: str
    delete: str


class JsonLayout(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON object a line. A nested field is named by its path, joined by dots. ``previous_key`` names the field
    that holds the key that the row had before, where the key is one column."""

    encoding: str
    delivery: Completeness
    operation: Operation | None
    previous_key: str | None


class XmlLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Elements ``record`` within the element ``root``, both as ``{namespace}name`` or ``name``. A record's attributes
    and its children are fields; what is nested deeper is named by its path. ``date``, ``sequence`` and ``count`` name
    attributes of the root that must agree with the file's name and its number of records."""

    encoding: str
    delivery: Completeness
    root: str
    record: str
    date: str | None
    sequence: str | None
    count: str | None


class FixedField(msgspec.Struct, frozen=True):
    """A field of a record of fixed width: ``start`` counts bytes from 0. ``digits`` is true for picture 9; ``scale``
    is the number of implied decimals of a zoned, signed number, None for other pictures."""

    name: str
    start: int
    length: int
    digits: bool
    scale: int | None


class FixedHeader(msgspec.Struct, frozen=True):
    """The first record: begins with ``mark``; date and sequence number must be those of the file's name."""

    mark: str
    date: FixedField | None
    sequence: FixedField | None


class FixedTrailer(msgspec.Struct, frozen=True):
    """The last record: begins with ``mark``; ``count`` is the number of details, ``hash`` the sum of the detail's
    number ``of`` modulo ``modulo``."""

    mark: str
    count: FixedField | None
    hash: FixedField | None
    of: FixedField | None
    modulo: int


class FixedLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Records of ``size`` bytes, back to back. A detail begins with ``detail``."""

    encoding: str
    delivery: Completeness
    size: int
    detail: str
    fields: tuple[FixedField, ...]
    header: FixedHeader | None
    trailer: FixedTrailer | None


Layout = CsvLayout | JsonLayout | XmlLayout | FixedLayout


def field_names(layout: Layout) -> tuple[str, ...] | None:
    """Return the fields that the layout itself names, None where the file does."""
    return tuple(field.name for field in layout.fields) if isinstance(layout, FixedLayout) else None


def read_layout(place: Located) -> Layout:
    """Return the layout that a feed file describes. Raises FeedError."""
    kinds: dict[str, Callable[[Located], Layout]] = {
        "csv": _csv,
        "jsonl": _jsonl,
        "xml": _xml,
        "fixed": _fixed,
    }
    kind = next((value for name, _, value in place.entries() if name == "kind"), None)
    if kind is None:
        place.fail("'kind' is missing here")
    read = kinds.get(kind.text())
    if read is None:
        kind.fail(f"'{kind.text()}' is no kind of file; known are {', '.join(kinds)}")
    return read(place)


_COMMON: Final = ("kind", "encoding", "delivery")


def _common(entries: dict[str, Located]) -> tuple[str, Completeness]:
    encoding = entries["encoding"].text()
    try:
        # Records are cut out of the bytes: plain signs must be the bytes that ASCII has for them.
        is_usable = 'a,"\n'.encode(encoding) == b'a,"\n'
    except LookupError:
        is_usable = False
    if not is_usable:
        entries["encoding"].fail(
            f"'{encoding}' is no encoding that can be read here; GB18030 and UTF-8 are usual"
        )
    name = codecs.lookup(encoding).name
    delivery = entries["delivery"].text()
    if delivery not in set(Completeness):
        entries["delivery"].fail(f"'{delivery}' is no kind of delivery; known are {', '.join(Completeness)}")
    return name, Completeness(delivery)


def _optional(entries: dict[str, Located], name: str) -> str | None:
    return entries[name].text() if name in entries else None


def _csv(place: Located) -> CsvLayout:
    entries = place.fields(_COMMON, ("delimiter",))
    encoding, delivery = _common(entries)
    delimiter = entries["delimiter"].text() if "delimiter" in entries else ","
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        entries["delimiter"].fail("a delimiter is one ASCII sign, and neither a quote nor a line end")
    return CsvLayout(encoding=encoding, delivery=delivery, delimiter=delimiter)


def _jsonl(place: Located) -> JsonLayout:
    entries = place.fields(_COMMON, ("operation", "previous_key"))
    encoding, delivery = _common(entries)
    operation = None
    if "operation" in entries:
        texts = {
            name: value.text()
            for name, value in entries["operation"].fields(("field", "create", "update", "delete")).items()
        }
        operation = Operation(texts["field"], texts["create"], texts["update"], texts["delete"])
    return JsonLayout(
        encoding=encoding,
        delivery=delivery,
        operation=operation,
        previous_key=_optional(entries, "previous_key"),
    )


def _xml(place: Located) -> XmlLayout:
    entries = place.fields((*_COMMON, "root", "record"), ("date", "sequence", "count"))
    encoding, delivery = _common(entries)
    return XmlLayout(
        encoding=encoding,
        delivery=delivery,
        root=entries["root"].text(),
        record=entries["record"].text(),
        date=_optional(entries, "date"),
        sequence=_optional(entries, "sequence"),
        count=_optional(entries, "count"),
    )


def _fixed(place: Located) -> FixedLayout:
    entries = place.fields((*_COMMON, "size", "detail", "fields"), ("header", "trailer"))
    encoding, delivery = _common(entries)
    size = entries["size"].integer(1, MOST_RECORD_BYTES)
    fields = {name: _field(name, value, size) for name, _, value in entries["fields"].entries()}
    return FixedLayout(
        encoding=encoding,
        delivery=delivery,
        size=size,
        detail=_mark(entries["detail"]),
        fields=tuple(fields.values()),
        header=_header(entries["header"], size) if "header" in entries else None,
        trailer=_trailer(entries["trailer"], size, fields) if "trailer" in entries else None,
    )


def _field(name: str, place: Located, size: int) -> FixedField:
    match = _FIELD.fullmatch(place.text())
    if match is None:
        place.fail(
            "a first byte (from 1) and a picture are wanted here: '2 9(10)', '27 X(20)' or '225 S9(4)V9'"
        )
    start, is_digits, whole, decimals, repeat = match.groups()
    if whole is not None and repeat is not None:
        place.fail("a signed number is 'S9(4)V9' or 'S9(4)V9(2)'")
    scale = int(decimals or "1") if whole is not None else None
    length = int(whole) + scale if whole is not None and scale is not None else int(repeat or "1")
    first = int(start) - 1
    if first + length > size:
        place.fail(f"field '{name}' ends at byte {first + length}, and a record has {size}")
    return FixedField(name, first, length, is_digits is not None, scale)


def _header(place: Located, size: int) -> FixedHeader:
    entries = place.fields(("mark",), ("date", "sequence"))
    date, sequence = (
        _field(name, entries[name], size) if name in entries else None for name in ("date", "sequence")
    )
    return FixedHeader(_mark(entries["mark"]), date, sequence)


def _trailer(place: Located, size: int, details: dict[str, FixedField]) -> FixedTrailer:
    entries = place.fields(("mark",), ("count", "hash"))
    count = _field("count", entries["count"], size) if "count" in entries else None
    mark = _mark(entries["mark"])
    if "hash" not in entries:
        return FixedTrailer(mark, count, None, None, 1)
    parts = entries["hash"].fields(("field", "of", "modulo"))
    of = details.get(parts["of"].text())
    if of is None or not of.digits:
        parts["of"].fail(f"'{parts['of'].text()}' is no number (picture 9) of the detail record")
    modulo = parts["modulo"].integer(2, _MOST_COUNT)
    return FixedTrailer(mark, count, _field("hash", parts["field"], size), of, modulo)


def _mark(place: Located) -> str:
    mark = place.text()
    return mark if mark.isascii() else place.fail("the mark of a record is ASCII")
