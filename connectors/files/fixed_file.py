"""Records of fixed width in bytes, as COBOL programs write them (pictures X, 9 and zoned S9(n)V9).

Text is cut at a byte, so the last character of a full field may be a half. A zoned number carries its sign in the zone
of its last digit: ``{`` and ``A`` to ``I`` are +0 to +9, ``}`` and ``J`` to ``R`` are -0 to -9.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectors.errors import DeliveryError
from connectors.files.delivery import Stream
from connectors.files.layout import FixedField, FixedLayout
from connectors.files.record import FileRecord, decode_cut, unreadable

_ZONES: Final = {
    **{sign: ("", str(digit)) for digit, sign in enumerate("{ABCDEFGHI")},
    **{sign: ("-", str(digit)) for digit, sign in enumerate("}JKLMNOPQR")},
    **{str(digit): ("", str(digit)) for digit in range(10)},
}
_BLANK: Final = b" \0"


def read_fixed(
    stream: Stream, layout: FixedLayout, name: str, date: int, sequence: int
) -> Iterator[FileRecord]:
    """Yield the details; header and trailer are compared with the file's name and with them.

    Raises DeliveryError, for what the trailer says at the end.
    """
    number = details = total = 0
    ended = False
    trailer = layout.trailer
    while raw := _exactly(stream, layout.size):
        number += 1
        if len(raw) < layout.size:
            raise DeliveryError(f"{name}: record {number} is cut short; ask for the file again")
        if ended:
            raise DeliveryError(f"{name}: there is more behind the trailer; ask for the file again")
        if number == 1 and layout.header is not None:
            _check_header(raw, layout, name, date, sequence)
        elif trailer is not None and _begins(raw, trailer.mark):
            ended = True
            _expect(raw, trailer.count, details, name, "trailer counts")
            _expect(raw, trailer.hash, total % trailer.modulo, name, "trailer sums up")
        else:
            details += 1
            if trailer is not None and trailer.of is not None:
                total += _digits(raw, trailer.of) or 0
            yield read_fixed_record(number, raw, layout)
    if trailer is not None and not ended:
        raise DeliveryError(f"{name}: the trailer is missing; ask for the file again")
    if number == 0 and layout.header is not None:
        raise DeliveryError(f"{name}: the file is empty; ask for it again")


def read_fixed_record(number: int, raw: bytes, layout: FixedLayout) -> FileRecord:
    """Return one detail. Blank fields are null, and numbers of zeros alone."""
    if not _begins(raw, layout.detail):
        return unreadable(
            number, raw, "unreadable_line", f"the record does not begin with {layout.detail}; mend the record"
        )
    return FileRecord(
        number, raw, {field.name: _value(raw, field, layout.encoding) for field in layout.fields}
    )


def _exactly(stream: Stream, size: int) -> bytes:
    """Return the next ``size`` bytes, fewer at the end: a stream may give less than was asked for."""
    data = stream.read(size)
    while 0 < len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _begins(raw: bytes, mark: str) -> bool:
    return raw.startswith(mark.encode("ascii"))


def _value(raw: bytes, field: FixedField, encoding: str) -> Any:
    data = raw[field.start : field.start + field.length]
    if not data.strip(_BLANK):
        return None
    if field.scale is not None:
        return _zoned(data, field.scale)
    text = decode_cut(data, encoding).rstrip(" \0")
    return None if field.digits and not text.strip("0") else text


def _zoned(data: bytes, scale: int) -> str:
    """Return the number as decimal text; what is no number stays as it is, for the normalizer to say so."""
    text = data.decode("ascii", "replace")
    sign, last = _ZONES.get(text[-1], ("", ""))
    digits = text[:-1] + last
    if not last or not digits.isascii() or not digits.isdigit():
        return text
    whole = digits[:-scale].lstrip("0") or "0"
    return f"{sign}{whole}.{digits[-scale:]}"


def _digits(raw: bytes, field: FixedField) -> int | None:
    data = raw[field.start : field.start + field.length]
    return int(data) if data.isdigit() else None


def _check_header(raw: bytes, layout: FixedLayout, name: str, date: int, sequence: int) -> None:
    header = layout.header
    assert header is not None, "the caller looked"
    if not _begins(raw, header.mark):
        raise DeliveryError(f"{name}: it does not begin with a header {header.mark}; ask for the file again")
    _expect(raw, header.date, date, name, "header is of date")
    _expect(raw, header.sequence, sequence, name, "header has sequence number")


def _expect(raw: bytes, field: FixedField | None, wanted: int, name: str, what: str) -> None:
    if field is None:
        return
    found = _digits(raw, field)
    if found != wanted:
        said = "nothing" if found is None else str(found)
        raise DeliveryError(f"{name}: the {what} {said}, and it should be {wanted}; ask for the file again")
