"""Messages as ``kcat -J`` prints them: one JSON object a line, key and payload as text, headers as names and values in
turn.

A key, payload or header that is no UTF-8 text cannot be written so. Such a message has all three in ``base64`` instead,
which kcat does not know: ``{"key": …, "payload": …, "headers": [[name, value], …]}``, each text in Base64 or null.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from avro.change import Place, RawEvent
from avro.errors import DecodeError

MALFORMED: Final = "malformed_line"

Headers = list[tuple[str, bytes | None]]


class _Binary(msgspec.Struct):
    key: str | None
    payload: str | None
    headers: list[tuple[str, str | None]]


class _Line(msgspec.Struct, kw_only=True):
    topic: str
    partition: int
    offset: int
    ts: int = 0
    headers: list[str | None] | None = None
    key: str | None = None
    payload: str | None = None
    base64: _Binary | None = None


_decode: Final = msgspec.json.Decoder(_Line).decode
_encode: Final = msgspec.json.Encoder().encode


def read_line(line: bytes) -> RawEvent:
    """Return the event of a line. Raises DecodeError with the rule malformed_line."""
    try:
        message = _decode(line)
        place = Place(message.topic, message.partition, message.offset)
        if message.base64 is not None:
            binary = message.base64
            headers: Headers = [(name, _bytes(value)) for name, value in binary.headers]
            return RawEvent(place, _bytes(binary.key), _bytes(binary.payload), headers or None, message.ts)
        parts = message.headers or []
        if len(parts) % 2:
            raise msgspec.ValidationError("headers are not names and values in turn")
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, RecursionError) as error:
        raise DecodeError(MALFORMED, f"the line is not a kcat -J message: {type(error).__name__}") from error
    headers = [
        (name or "", None if value is None else value.encode())
        for name, value in zip(parts[::2], parts[1::2], strict=True)
    ]
    key, payload = message.key, message.payload
    return RawEvent(
        place,
        None if key is None else key.encode(),
        None if payload is None else payload.encode(),
        headers or None,
        message.ts,
    )


def write_line(event: RawEvent) -> bytes:
    """Return the line of an event, with its end."""
    place = event.place
    values: dict[str, Any] = {
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "tstype": "create",
        "ts": event.timestamp,
    }
    headers = event.headers or []
    try:
        if headers:
            values["headers"] = [part for name, value in headers for part in (name, _text(value))]
        values["key"], values["payload"] = _text(event.key), _text(event.value)
    except UnicodeDecodeError:
        values.pop("headers", None)
        values.pop("key", None)
        values["base64"] = _Binary(
            _base64(event.key), _base64(event.value), [(name, _base64(value)) for name, value in headers]
        )
    return _encode(values) + b"\n"


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
