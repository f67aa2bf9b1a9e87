"""XML through expat, hardened: no document type (and so no entities), bounded depth, bounded record, nothing fetched.

expat knows no GB18030: the text is decoded here and given to it as UTF-8. What the file declares as its encoding must
be the layout's.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, Final, NoReturn
from xml.parsers import expat

from connectors.errors import DeliveryError
from connectors.files.delivery import Stream
from connectors.files.layout import MOST_RECORD_BYTES, XmlLayout
from connectors.files.record import FileRecord, unreadable

CHUNK: Final = 1 << 16
MOST_DEPTH: Final = 16

_REPEATED: Final = "repeated_field"


def read_xml(stream: Stream, layout: XmlLayout, name: str, date: int, sequence: int) -> Iterator[FileRecord]:
    """Yield the records. Raises DeliveryError, for what the root says of their number at the end."""
    reader = _Reader(layout, name)
    # Strict: with a replaced byte a tag could be another.
    decoder = codecs.getincrementaldecoder(layout.encoding)("replace")
    while data := stream.read(CHUNK):
        reader.feed(decoder.decode(data), final=False)
        yield from reader.take()
    reader.feed(decoder.decode(b"", True), final=True)
    yield from reader.take()
    reader.check(date, sequence)


def read_xml_record(line: int, raw: bytes, layout: XmlLayout) -> FileRecord:
    """Return one record of a file; ``raw`` is its element in UTF-8, whose namespace is declared elsewhere."""
    reader = _Reader(layout, "the record", alone=True)
    try:
        reader.feed(raw.decode(errors="replace"), final=True)
        (record,) = reader.take()
    except (DeliveryError, ValueError):
        return unreadable(line, raw, "unreadable_line", "the record is not well-formed XML; mend it")
    return FileRecord(line, raw, record.fields, record.rule, record.error)


class _Reader:
    """Collects records from expat's events. ``alone``: the record is the root, and prefixes have no meaning."""

    def __init__(self, layout: XmlLayout, name: str, *, alone: bool = False) -> None:
        self._layout = layout
        self._name = name
        self._alone = alone
        self._parser = expat.ParserCreate("utf-8", None if alone else "}")
        self._parser.buffer_text = False  # a text of any length comes in pieces
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._root: dict[str, str] | None = None
        self._fields: dict[str, str | None] | None = None
        self._pieces: list[str] = []
        self._size = 0
        self._repeated = False
        self._window = bytearray()  # what was fed, from `_base` on
        self._base = 0
        self._begin = 0
        self._count = 0
        self._ready: list[FileRecord] = []

    def feed(self, text: str, *, final: bool) -> None:
        """Take in a piece of the document."""
        data = text.encode("utf-8", "replace")
        self._window += data
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            raise DeliveryError(
                f"{self._name}: not well-formed XML in line {error.lineno}: {expat.ErrorString(error.code)}; "
                "ask for the file again"
            ) from error
        fed = self._base + len(self._window)
        keep = self._begin if self._fields is not None else max(self._base, self._parser.CurrentByteIndex)
        if fed - keep > MOST_RECORD_BYTES + CHUNK * 4:
            self._refuse("a record or tag is too long")
        del self._window[: keep - self._base]
        self._base = keep

    def take(self) -> list[FileRecord]:
        """Return the records that are complete."""
        ready, self._ready = self._ready, []
        return ready

    def check(self, date: int, sequence: int) -> None:
        """Compare the root's attributes with the file's name and with what was read."""
        root = self._root or {}
        for attribute, wanted, what in (
            (self._layout.date, date, "date"),
            (self._layout.sequence, sequence, "sequence number"),
            (self._layout.count, self._count, "number of records"),
        ):
            said = root.get(attribute, "") if attribute is not None else str(wanted)
            if not (said.isascii() and said.isdigit() and int(said[:20]) == wanted):
                self._refuse(f"attribute {attribute} of the root is not its {what}, {wanted}")

    def _refuse(self, reason: str) -> NoReturn:
        raise DeliveryError(f"{self._name}: {reason}; is it the file of this feed? ask for it again")

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is None:
            return
        try:
            same = codecs.lookup(encoding).name == self._layout.encoding
        except LookupError:
            same = False
        if not same:
            self._refuse(f"it declares another encoding than the feed's layout, {self._layout.encoding}")

    def _doctype(self, *_: object) -> None:
        self._refuse("it has a document type, which can hold entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MOST_DEPTH:
            self._refuse(f"elements are nested deeper than {MOST_DEPTH}")
        full = name if "}" not in name else "{" + name
        self._path.append(full)
        depth = len(self._path)
        if depth == (1 if self._alone else 2) and (self._alone or full == self._layout.record):
            self._fields = {}
            self._size = 0
            self._repeated = False
            self._begin = self._parser.CurrentByteIndex
            for attribute, value in attributes.items():
                self._put(attribute, value)
        elif depth == 1:
            if full != self._layout.root:
                self._refuse("the outermost element is not the layout's root")
            self._root = attributes
        elif self._fields is not None:
            prefix = self._field()
            for attribute, value in attributes.items():
                self._put(f"{prefix}.{attribute}", value)
        self._pieces = []

    def _field(self) -> str:
        """Return the name of the field at the present place: the path within the record, without namespaces."""
        inside = self._path[1 if self._alone else 2 :]
        return ".".join(part.rpartition("}")[2].rpartition(":")[2] for part in inside)

    def _put(self, name: str, value: str) -> None:
        assert self._fields is not None, "only within a record"
        self._size += len(name) + len(value)
        if self._size > MOST_RECORD_BYTES:
            self._refuse("a record is too long")
        if name in self._fields:
            self._repeated = True
        self._fields[name] = value or None

    def _text(self, text: str) -> None:
        if self._fields is None:
            return
        self._size += len(text)
        if self._size > MOST_RECORD_BYTES:
            self._refuse("a record is too long")
        self._pieces.append(text)

    def _end(self, _name: str) -> None:
        text = "".join(self._pieces).strip()
        self._pieces = []
        field = self._field() if self._fields is not None else ""
        self._path.pop()
        if self._fields is None:
            return
        if field:
            has_parts = any(name.startswith(f"{field}.") for name in self._fields)
            if text or not has_parts:
                self._put(field, text)
            return
        self._count += 1
        fields: dict[str, Any] = dict(self._fields)
        self._fields = None
        raw = self._raw()
        self._ready.append(
            unreadable(self._count, raw, _REPEATED, "a field stands twice in the record; mend it")
            if self._repeated
            else FileRecord(self._count, raw, fields)
        )

    def _raw(self) -> bytes:
        """Return the bytes of the record that ends here: expat stands at the beginning of its last tag."""
        end = self._window.find(b">", self._parser.CurrentByteIndex - self._base)
        return bytes(self._window[self._begin - self._base : end + 1])
