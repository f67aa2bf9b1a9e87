"""The three ways in which Connect writes an event: JSON, JSON with its schema, and Avro behind a registry's id.

Whatever the way, the same change gives the same values: those of Debezium's plain JSON. Each message says itself
what it is, so a topic may change its format in the middle, as it does when a connector's converter is replaced.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from math import isfinite, isnan
from struct import Struct
from typing import Any, Final

import msgspec
import orjson

from avro.codec import DatumCodec
from avro.errors import DecodeError, SchemaError
from avro.registry import WIRE_HEADER, Registry, schema_id_of
from avro.schema import Schema, inline

Row = dict[str, Any]

AVRO_MAGIC: Final = 0
"""First byte of Confluent's wire format; JSON text never begins with it."""

_NULL: Final = b"null"

# Types that both JSON parsers give alike, as arrays of them are. Floats and what is nested deeper are left to the
# exact one: orjson is quicker, but turns an integer beyond 64 bits into a float.
_ALIKE: Final = frozenset((str, int, bool, type(None)))


class Delivered(msgspec.Struct, frozen=True):
    """Where a row stands in a file: ``date`` (yyyymmdd) and ``sequence`` of the delivery, and its ``line``."""

    date: int
    sequence: int
    line: int


class Source(msgspec.Struct, frozen=True, gc=False):
    """The fields of Debezium's ``source`` block that renkou reads: ``schema``, ``sequence`` and ``lsn`` are
    PostgreSQL's, ``file``, ``pos`` and ``row`` MariaDB's, whose ``db`` stands for the schema.

    Not Debezium's are ``delivered``, of a row from a file, and ``pushed``, the client's position of a pushed one.
    """

    name: str | None = None
    connector: str | None = None
    db: str | None = None
    schema: str | None = None
    table: str | None = None
    snapshot: str | None = None
    sequence: str | None = None
    lsn: int | None = None
    file: str | None = None
    pos: int | None = None
    row: int | None = None
    ts_us: int | None = None
    ts_ms: int | None = None
    delivered: Delivered | None = None
    pushed: int | None = None


class Envelope(msgspec.Struct):
    """One message's value. ``after`` and ``before`` are None when null or absent; ``status`` is only in the
    connector's transaction messages."""

    op: str | None
    before: Row | None
    after: Row | None
    source: Source | None
    ts_us: int | None
    ts_ms: int | None
    status: str | None


class _JsonEnvelope(msgspec.Struct):
    op: str | None = None
    before: msgspec.Raw = msgspec.Raw()
    after: msgspec.Raw = msgspec.Raw()
    source: Source | None = None
    ts_us: int | None = None
    ts_ms: int | None = None
    status: str | None = None
    payload: msgspec.Raw = msgspec.Raw()


_json_envelope: Final = msgspec.json.Decoder(_JsonEnvelope)
_json_value: Final = msgspec.json.Decoder()


class WireReader:
    """Reads keys and values of captured topics. ``registry`` is None where no Avro is expected."""

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry
        self._datums: dict[int, _AvroReader] = {}

    def envelope(self, value: bytes) -> Envelope | None:
        """Return the envelope, None when the value is a wrapped null (a tombstone).

        Raises DecodeError, and RegistryUnavailableError when a schema must be asked for and nobody answers.
        """
        if _is_avro(value):
            return _avro_envelope(self._avro(value))
        document = _decode_envelope(value)
        if document.payload and document.op is None:
            if bytes(document.payload) == b"null":
                return None
            document = _decode_envelope(document.payload)
        # By position: a struct's keyword arguments cost twice as much.
        return Envelope(
            document.op,
            _row(document.before, "before"),
            _row(document.after, "after"),
            document.source,
            document.ts_us,
            document.ts_ms,
            document.status,
        )

    def key(self, data: bytes) -> Row:
        """Return the columns of a message key, or of a header that holds one. Raises as `envelope` does."""
        if _is_avro(data):
            values = self._avro(data)
        else:
            values = self._json(data, "key")
            if values.keys() == {"schema", "payload"} and isinstance(values["schema"], dict):
                values = values["payload"]
        if not isinstance(values, dict) or not values:
            raise DecodeError(
                "wrong_type", "the key is not an object of columns; look at the connector's converters"
            )
        return values

    def document(self, data: bytes) -> Row:
        """Return a message that is not a change, such as a heartbeat, as its fields. Raises as `envelope` does."""
        if _is_avro(data):
            return self._avro(data)
        values = self._json(data, "value")
        payload = values.get("payload")
        return payload if isinstance(payload, dict) else values

    def _json(self, data: bytes, part: str) -> Row:
        try:
            values = _json_value.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _not_json(part) from error
        if not isinstance(values, dict):
            raise DecodeError(
                "wrong_type", f"the {part} is JSON, but not an object; look at what writes this topic"
            )
        return values

    def _avro(self, message: bytes) -> Row:
        schema_id = schema_id_of(message)
        if schema_id is None:
            raise DecodeError(
                "malformed_avro", "the message begins like Avro but is too short; look at its producer"
            )
        reader = self._datums.get(schema_id)
        if reader is None:
            reader = self._datums[schema_id] = self._reader(schema_id)
        return reader.read(message[WIRE_HEADER:])

    def _reader(self, schema_id: int) -> _AvroReader:
        if self._registry is None:
            raise DecodeError(
                "no_registry", "the message is Avro and no registry is set; set RENKOU_REGISTRY"
            )
        try:
            return _AvroReader(self._registry.schema(schema_id))
        except SchemaError as error:
            raise DecodeError(
                "unknown_schema",
                f"schema {schema_id} is not in the registry; is it the connector's registry?",
            ) from error


class _AvroReader:
    """Datums of one writer's schema, with values as JSON has them: bytes are base64 text, say."""

    def __init__(self, schema: Schema) -> None:
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise SchemaError(
                "a key or value whose schema is no record cannot be read; look at the converters"
            )
        try:
            self._codec = DatumCodec(inline(schema))
        except Exception as error:  # fastavro raises whatever a malformed schema runs into
            raise SchemaError(
                f"a registered schema cannot be used: {type(error).__name__}; look at it"
            ) from error
        self._jsonify = _converter(schema, {})

    def read(self, datum: bytes) -> Row:
        values: Row = self._codec.decode(datum)
        if self._jsonify is not None:
            values = self._jsonify(values)
        return values


def _is_avro(message: bytes) -> bool:
    return len(message) > 0 and message[0] == AVRO_MAGIC


def _decode_envelope(data: bytes | msgspec.Raw) -> _JsonEnvelope:
    try:
        return _json_envelope.decode(data)
    except msgspec.ValidationError as error:
        # The text names a type and a path, never a value.
        raise DecodeError(
            "wrong_type", f"the value is no Debezium envelope: {error}; look at its producer"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_json("value") from error


def _not_json(part: str) -> DecodeError:
    return DecodeError("not_json", f"the {part} is neither JSON nor Avro; look at what writes this topic")


def _is_alike(row: Row) -> bool:
    for value in row.values():
        kind = type(value)
        if kind not in _ALIKE and not (kind is list and _ALIKE.issuperset(map(type, value))):
            return False
    return True


def _row(raw: msgspec.Raw, part: str) -> Row | None:
    if not raw or (len(raw) == len(_NULL) and bytes(raw) == _NULL):
        return None
    try:
        row = orjson.loads(memoryview(raw))
        if isinstance(row, dict) and not _ALIKE.issuperset(map(type, row.values())) and not _is_alike(row):
            row = _json_value.decode(raw)
    except (orjson.JSONDecodeError, msgspec.DecodeError) as error:
        raise _not_json("value") from error
    if not isinstance(row, dict):
        raise DecodeError("wrong_type", f"'{part}' is not an object of columns; is it a flattened topic?")
    return row


def _avro_envelope(values: Row) -> Envelope:
    try:
        return msgspec.convert({**_ABSENT, **values}, Envelope)
    except msgspec.ValidationError as error:
        raise DecodeError(
            "wrong_type", f"the value is no Debezium envelope: {error}; look at its producer"
        ) from error


_ABSENT: Final[Mapping[str, None]] = dict.fromkeys(Envelope.__struct_fields__)


_Convert = Callable[[Any], Any]


def _converter(node: Any, names: dict[str, _Convert | None], space: str = "") -> _Convert | None:
    """Return what makes a value of this schema the one that Debezium's plain JSON has, None when it already is.

    ``names`` holds the converters of the named types that were met, ``space`` is the enclosing namespace.
    """
    if isinstance(node, str):
        return names.get(node if "." in node else f"{space}.{node}") or _PRIMITIVES.get(node)
    if isinstance(node, list):
        return _union([_converter(branch, names, space) for branch in node if branch != "null"])
    kind = node["type"]
    if kind == "array":
        return _all(_converter(node["items"], names, space))
    if kind == "map":
        return _values(_converter(node["values"], names, space))
    if kind not in ("record", "fixed"):
        return _converter(kind, names, space) if kind != "enum" else None
    space = node.get("namespace", space)
    convert: _Convert | None = _base64
    if kind == "record":
        fields = {field["name"]: _converter(field["type"], names, space) for field in node["fields"]}
        convert = _fields({name: field for name, field in fields.items() if field is not None})
    names[f"{space}.{node['name']}"] = convert
    return convert


def _union(branches: list[_Convert | None]) -> _Convert | None:
    """Connect's converter writes unions of null and one type only; of more, each tells bytes from the rest."""
    needed = [branch for branch in branches if branch is not None]
    if not needed:
        return None
    if len(branches) > 1:
        return lambda value: _base64(value) if isinstance(value, bytes) else value
    convert = needed[0]
    return lambda value: None if value is None else convert(value)


def _all(convert: _Convert | None) -> _Convert | None:
    return None if convert is None else lambda values: [convert(value) for value in values]


def _values(convert: _Convert | None) -> _Convert | None:
    return None if convert is None else lambda values: {k: convert(value) for k, value in values.items()}


def _fields(needed: dict[str, _Convert]) -> _Convert | None:
    def convert(row: Row) -> Row:
        for name, field in needed.items():
            row[name] = field(row[name])
        return row

    return convert if needed else None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _double(value: float) -> float | str:
    """JSON has no numbers for these three: Connect writes their names."""
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _single(value: float) -> float | str:
    """A number of 32 bits is in JSON the shortest decimal that names it, 1.1 and not 1.100000023841858."""
    if isfinite(value):
        for digits in range(_FEWEST_DIGITS, _MOST_DIGITS + 1):
            shorter = float(f"{value:.{digits}g}")
            if _FLOAT.unpack(_FLOAT.pack(shorter))[0] == value:
                return shorter
    return _double(value)


_FLOAT: Final = Struct("<f")
_FEWEST_DIGITS: Final = 6  # every decimal of so many digits survives 32 bits
_MOST_DIGITS: Final = 9  # so many tell all numbers of 32 bits apart

_PRIMITIVES: Final[Mapping[str, _Convert]] = {"bytes": _base64, "float": _single, "double": _double}
