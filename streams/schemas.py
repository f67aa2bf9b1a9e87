"""The schemas of renkou's topics: registered once at start, then found by the id that a message carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import fastavro

from avro.codec import DatumCodec, DecisionCodec, MarkCodec, RecordCodec, SwitchCodec, decode_header
from avro.errors import DecodeError, SchemaError
from avro.record import Decision, Mark, Record, TableSwitch
from avro.registry import WIRE_HEADER, Registry, frame, schema_id_of, subject
from avro.schema import Schema, full_name, plain, shared_schema
from connectors.feeds import Catalog
from streams import topics


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of the log with its datum, from which the sink makes the row."""

    record: Record
    datum: bytes


class LogDatum(NamedTuple):
    """A record of the log as it travels: nothing of it is decoded. There is one for each message of a catch-up."""

    feed: str
    datum: bytes


class Evolved:
    """Records of an older schema of a feed, made records of its present one by Avro's schema resolution."""

    def __init__(self, codec: RecordCodec, older: Schema) -> None:
        self.codec = codec
        self._present = DatumCodec(codec.schema)
        self._schemas = (fastavro.parse_schema(plain(older)), fastavro.parse_schema(plain(codec.schema)))

    def renew(self, datum: bytes) -> bytes:
        """Return the datum in the present schema; new fields have their defaults. Raises DecodeError."""
        try:
            values = fastavro.schemaless_reader(BytesIO(datum), *self._schemas)
        except Exception as error:  # fastavro raises whatever the broken bytes run into
            raise DecodeError(
                "malformed_avro", f"the record does not resolve to the present schema: {type(error).__name__}"
            ) from None
        return self._present.encode(values)


class TopicSchemas:
    """Framing and unframing of what travels between the stages."""

    def __init__(self, registry: Registry, catalog: Catalog) -> None:
        """Register every schema. Raises RegistryUnavailableError, SchemaError."""
        self._registry = registry
        self._by_name = {full_name(feed.codec.schema): feed.codec for feed in catalog.feeds}
        self._older: dict[int, Evolved] = {}
        self._feeds: dict[bytes, str] = {}
        self._feed_ids: dict[str, int] = {}
        for feed in catalog.feeds:
            schema_id = registry.register(subject(topics.RECORDS, feed.codec.schema), feed.codec.schema)
            self._feed_ids[feed.id] = schema_id
            self._feeds[frame(schema_id, b"")] = feed.id
        self._marks = MarkCodec()
        self._mark_id = registry.register(subject(topics.RECORDS, self._marks.schema), self._marks.schema)
        self._decisions = DecisionCodec()
        decision = self._decisions.schema
        self._decision_id = registry.register(subject(topics.RECORDS, decision), decision)
        self._switches = SwitchCodec()
        switch = self._switches.schema
        self._switch_id = registry.register(subject(topics.RECORDS, switch), switch)
        self._linked: dict[str, tuple[DatumCodec, int]] = {}
        for topic, name in topics.LINKED.items():
            schema = shared_schema(name)
            self._linked[topic] = DatumCodec(schema), registry.register(subject(topic, schema), schema)
        self.identity = DatumCodec(shared_schema("Identity"))
        self.person = DatumCodec(shared_schema("Person"))
        self._identity_id = registry.register(
            subject(topics.IDENTITIES, self.identity.schema), self.identity.schema
        )
        self._person_id = registry.register(subject(topics.PERSONS, self.person.schema), self.person.schema)

    def frame_record(self, feed: str, datum: bytes) -> bytes:
        """Return the value of a record in ``renkou.records``."""
        return frame(self._feed_ids[feed], datum)

    def frame_mark(self, mark: Mark) -> bytes:
        """Return the value of a mark."""
        return frame(self._mark_id, self._marks.encode(mark))

    def frame_decision(self, decision: Decision) -> bytes:
        """Return the value of a decision in ``renkou.records``."""
        return frame(self._decision_id, self._decisions.encode(decision))

    def frame_switch(self, switch: TableSwitch) -> bytes:
        """Return the value of a switch in ``renkou.records``."""
        return frame(self._switch_id, self._switches.encode(switch))

    def frame_linked(self, topic: str, fields: Mapping[str, object]) -> bytes:
        """Return a value of one of `streams.topics.LINKED`."""
        codec, schema_id = self._linked[topic]
        return frame(schema_id, codec.encode(fields))

    def frame_identity(self, datum: bytes) -> bytes:
        """Return the value of an identity in ``renkou.identities``."""
        return frame(self._identity_id, datum)

    def frame_person(self, datum: bytes) -> bytes:
        """Return the value of a person in ``renkou.persons``."""
        return frame(self._person_id, datum)

    def read_log(self, message: bytes) -> LogRecord | Mark | Decision | TableSwitch:
        """Return an entry of ``renkou.records``. Raises DecodeError, SchemaError."""
        entry = self.read_datum(message)
        if not isinstance(entry, LogDatum):
            return entry
        return LogRecord(decode_header(entry.feed, entry.datum), entry.datum)

    def read_datum(self, message: bytes) -> LogDatum | Mark | Decision | TableSwitch:
        """Return an entry of ``renkou.records``, a record without decoding it. Raises DecodeError, SchemaError."""
        feed = self._feeds.get(message[:WIRE_HEADER])
        if feed is not None:
            return LogDatum(feed, message[WIRE_HEADER:])
        schema_id = self._id(message)
        if schema_id == self._mark_id:
            return self._marks.decode(message[WIRE_HEADER:])
        if schema_id == self._decision_id:
            return self._decisions.decode(message[WIRE_HEADER:])
        if schema_id == self._switch_id:
            return self._switches.decode(message[WIRE_HEADER:])
        older = self._older.get(schema_id)
        if older is None:
            older = self._older[schema_id] = self._evolved(schema_id)
        return LogDatum(older.codec.feed, older.renew(message[WIRE_HEADER:]))

    def _evolved(self, schema_id: int) -> Evolved:
        """Return how to read records that an older version of a feed's schema wrote."""
        schema = self._registry.schema(schema_id)
        codec = self._by_name.get(full_name(schema))
        if codec is None:
            raise SchemaError(
                f"{topics.RECORDS} holds schema {schema_id}, which no feed has; restore the feed or its .avsc"
            )
        return Evolved(codec, schema)

    def read_identity(self, message: bytes) -> bytes | Mark:
        """Return the datum of an identity, or a mark that the linker passed on."""
        schema_id = self._id(message)
        if schema_id == self._mark_id:
            return self._marks.decode(message[WIRE_HEADER:])
        return self._expect(schema_id, self._identity_id, message, topics.IDENTITIES)

    def read_person(self, message: bytes) -> bytes | Mark:
        """Return the datum of a person, or a frontier that the linker passed on."""
        schema_id = self._id(message)
        if schema_id == self._mark_id:
            return self._marks.decode(message[WIRE_HEADER:])
        return self._expect(schema_id, self._person_id, message, topics.PERSONS)

    def read_linked(self, topic: str, message: bytes) -> bytes:
        """Return the datum of a value of one of `streams.topics.LINKED`."""
        return self._expect(self._id(message), self._linked[topic][1], message, topic)

    @staticmethod
    def _id(message: bytes) -> int:
        schema_id = schema_id_of(message)
        if schema_id is None:
            raise SchemaError(
                "a message of ours is not in the wire format; did something else write to the topic?"
            )
        return schema_id

    @staticmethod
    def _expect(schema_id: int, wanted: int, message: bytes, topic: str) -> bytes:
        if schema_id != wanted:
            raise SchemaError(
                f"{topic} holds schema {schema_id}, this version of renkou writes {wanted}; upgrade all"
            )
        return message[WIRE_HEADER:]


def department_names(catalog: Catalog) -> tuple[str, ...]:
    """Return the departments that have feeds."""
    return tuple(department.name for department in catalog.departments)


def captured_departments(catalog: Catalog) -> tuple[str, ...]:
    """Return the departments that have a database: at least one of their feeds is captured from it."""
    return tuple(dict.fromkeys(feed.department for feed in catalog.feeds if feed.is_captured))


def input_topics(catalog: Catalog) -> list[str]:
    """Return what the normalizer reads: every feed's topic and every department's heartbeats."""
    return [*_unique(feed.topic for feed in catalog.feeds), *map(topics.heartbeat, department_names(catalog))]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
