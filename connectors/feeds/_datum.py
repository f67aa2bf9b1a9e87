"""A feed's plan and its Avro schema as one Python function: from the row of a change to its record and datum.

Most changes are rows of the feed's shape, and this is their way: nothing is looked up by name, a value that stands in
the datum more than once (as the feed's element, as the person's, as kin) is encoded once, and what becomes of a value
of which there are few is remembered together with its bytes. Whatever is unusual about a row is left to
`Feed.normalize` and the feed's codec, which give the same record and the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

import msgspec

from avro._plan import Node
from avro._values import varint
from avro.change import Change, Op
from avro.codec import NATIVES, RecordCodec
from avro.compiled import Writer, compile_writer
from avro.normalize import RESIDENT_ID
from avro.normalize.consistency import Consistency
from avro.normalize.date import REMEMBERED_DAYS
from avro.normalize.issues import Issues
from avro.normalize.rules import Normalizer
from avro.record import EVIDENCE, PERSON_ELEMENTS, Record
from avro.shape import RowShape
from avro.version import to_bytes
from connectors.feeds._row import ID_TYPE, RowSource, Said
from connectors.feeds.evidence import EvidencePlan
from connectors.feeds.plan import Plan, Step

DatumWriter = Callable[[Change, msgspec.Struct], tuple[Record, bytes] | None]
"""From a change and its row of the feed's shape to record and datum; None when a value of the row is not of its type.
Raises TypeError, ValueError or OverflowError when a value does not fit the schema."""

# By position: a struct's keyword arguments cost twice as much.
record_of: Final = cast(Callable[..., Record], Record)
OPS: Final = {op: op.value for op in Op}

_STRING: Final = Node("string")
_END: Final = b"\0"
"""Behind an array's blocks, and all of an empty array."""


class Answers(dict[Any, tuple[Any, Issues, bytes]]):
    """What a column's value becomes, which rules it breaks, and the bytes of what it becomes: remembered, up to a
    bound."""

    def __init__(self, normalize: Normalizer, write: Writer) -> None:
        super().__init__()
        self._normalize = normalize
        self._write = write

    def __missing__(self, value: Any) -> tuple[Any, Issues, bytes]:
        found, issues = self._normalize(value)
        answer = found, issues, self._write(found)
        if len(self) >= REMEMBERED_DAYS:
            self.clear()
        self[value] = answer
        return answer


@cache
def _answers(normalize: Normalizer, node: Node) -> Answers:
    """Return the answers of a rule; feeds that use the same one share them."""
    return Answers(normalize, _writer(node))


@cache
def _writer(node: Node) -> Writer:
    return compile_writer(node)


def compile_datum(
    feed: str, topic: str, plan: Plan, codec: RecordCodec, shape: RowShape, consistency: Consistency
) -> DatumWriter:
    """Return the function of a feed."""
    source = _DatumSource(feed, topic, plan, codec, shape, consistency)
    return cast(DatumWriter, source.compile(f"datums of {feed}", "write"))


class _DatumSource(RowSource):
    """The function's text: first the values, then the record, then the pieces of the datum."""

    def __init__(
        self,
        feed: str,
        topic: str,
        plan: Plan,
        codec: RecordCodec,
        shape: RowShape,
        consistency: Consistency,
    ) -> None:
        super().__init__(plan, NATIVES)
        self.add_constants(
            {
                "doubts": consistency.doubts,
                "record_of": record_of,
                "OPS": OPS,
                "READ": Op.READ,
                "columns": shape.columns,
                "version_bytes": to_bytes,
            }
        )
        self._topic = topic
        self._header = {field.name: field.node for field in codec.header}
        self._mention_fields = self._header["mentions"].item.fields
        kin = next(field.node for field in self._mention_fields if field.name == "kin")
        self._kin_fields = kin.item.fields
        self._elements = {field.name: field.node for field in codec.elements}
        self._pieces: dict[str, list[str]] = {}
        """Of fields of the feed: the expressions of their bytes."""
        self._write_kin = self.function(kin.item, kin.item.name)
        write_findings = self.function(self._header["findings"], "findings")
        with self.block("def write(c, row):"):
            for number, value in enumerate(self.columns.values()):
                self.add(f"{value} = row.c{number}")
            self.read_columns("columns(row)")
            self.read_mentions()
            self._make_record(feed)
            header = self._header_pieces()
            for field, node in self._elements.items():
                if field not in self._pieces:
                    self._pieces[field] = self.value(node, self.fields[field], f"{feed}.{field}")
            self.add(f"o = [{', '.join(header)}]")
            self._mentions()
            self.add(f"o.append({write_findings}(f) if f else {_END!r})")
            self._raw(codec.raw)
            self._out([piece for field in self._elements for piece in self._pieces[field]])
            self.add("return r, b''.join(o)")

    def _column(self, column: str, steps: list[Step], later: set[str]) -> None:
        # In the order of the plan, or findings would come in another: all of a column's steps, or none.
        if all(step.is_remembered and step.when is None for step in steps):
            for step in steps:
                self._remembered(step, self.columns[column])
        else:
            super()._column(column, steps, later)

    def _remembered(self, step: Step, value: str) -> None:
        field, piece = self.fields[step.field], self.fresh("p")
        answers = _answers(step.normalize, self._elements[step.field])
        self.add(f"{field}, i, {piece} = {self.constant(answers)}[{value}]")
        self.doubt(step.about, value)
        self._pieces[step.field] = [piece]

    def _make_record(self, feed: str) -> None:
        self.add("l = c.place")
        self.add("d = c.op")
        for name, value in (
            ("op", "OPS[d]"),
            ("key", "c.key"),
            ("version", "c.version"),
            ("source_time", "c.source_time"),
            ("captured_time", "c.captured_time"),
            ("topic", "l.topic"),
            ("partition", "l.partition"),
            ("offset", "l.offset"),
            ("previous_key", "c.previous_key"),
            ("next_key", "c.next_key"),
        ):
            self.add(f"h_{name} = {value}")
        self.add("s = d is READ")
        self.add("f += doubts(m, h_source_time, f)")
        self.add(
            f"r = record_of({feed!r}, h_op, h_key, h_version, False, s, h_source_time, h_captured_time, "
            "h_topic, h_partition, h_offset, h_previous_key, h_next_key, (), (), tuple(m), f)"
        )

    def _header_pieces(self) -> list[str]:
        """Return the expressions of the header's fields before the mentions."""
        ops = {op: _writer(self._header["op"])(op.value) for op in (Op.READ, Op.CREATE, Op.UPDATE)}
        topic = _writer(self._header["topic"])
        given = {
            "op": f"{self.constant(ops)}[d]",
            "version": "version_bytes(h_version)",
            "is_deleted": repr(_writer(self._header["is_deleted"])(0)),
            "snapshot": "(b'\\1' if s else b'\\0')",
            "topic": f"({topic(self._topic)!r} if h_topic == {self._topic!r} else {self.constant(topic)}(h_topic))",
            "unchanged": repr(_END),
            "unchanged_elements": repr(_END),
        }
        pieces: list[str] = []
        for name, node in self._header.items():
            if name == "mentions":
                break
            pieces += [given[name]] if name in given else self.value(node, f"h_{name}", name)
        return pieces

    def _out(self, pieces: list[str]) -> None:
        """Add what puts pieces behind the datum's so far."""
        self.add(f"o += ({', '.join(pieces)},)")

    def _mentions(self) -> None:
        self._count("m")
        for said in self.said:
            with self.block(f"if {said.needs}:" if said.needs else "if True:"):
                self._mention_pieces(said)
        self._out([repr(_END)])

    def _count(self, items: str) -> None:
        """Add the head of an array's block."""
        with self.block(f"if {items}:"):
            self.add(f"o.append(varint(len({items}) << 1))")

    def _mention_pieces(self, said: Said) -> None:
        plan = said.plan
        fields: dict[str, str | None] = dict(zip(PERSON_ELEMENTS, plan.fields, strict=True))
        values = dict(zip(PERSON_ELEMENTS, said.values, strict=True))
        values |= dict(zip(EVIDENCE, said.evidence, strict=True)) if said.evidence else {}
        constants: dict[str, Any] = {"role": plan.role, "ordinal": plan.ordinal}
        pieces: list[str] = []
        for field in self._mention_fields:
            name, node = field.name, field.node
            if name == "kin":
                self._out(pieces)
                pieces = []
                self._kin_pieces(plan.evidence, values.get("kin", "()"), said.each)
            elif name in constants or name == "unchanged":
                pieces.append(repr(_writer(node)(constants.get(name, ()))))
            elif (expression := values.get(name, "")) in ("", "None", "()"):
                pieces.append(repr(_writer(node)(() if node.kind == "array" else None)))
            elif name == PERSON_ELEMENTS[ID_TYPE] and fields[name] is None:
                resident, nothing = _writer(node)(RESIDENT_ID), _writer(node)(None)
                pieces.append(f"({nothing!r} if {expression} is None else {resident!r})")
            else:
                pieces += self._shared(fields.get(name), node, expression, f"mention.{name}")
        self._out(pieces)

    def _kin_pieces(self, evidence: EvidencePlan, kin: str, each: str) -> None:
        if kin == "()":
            self._out([repr(_END)])
            return
        self._count(kin)
        for other in evidence.kin:
            with self.block(f"if not ({self.nobody(other)}):"):
                pieces: list[str] = []
                relation, *parts = self._kin_fields
                if other.relation_field is None:
                    pieces.append(repr(_writer(relation.node)(other.relation)))
                else:
                    name = self.fresh("n")
                    self.add(f"{name} = {self.said_relation(other)}")
                    pieces += self.value(relation.node, name, "kin.relation")
                for part, field in zip(parts, other.fields, strict=True):
                    if field is None:
                        pieces.append(repr(_writer(part.node)(None)))
                    else:
                        pieces += self._shared(field, part.node, self.fields[field], f"kin.{part.name}")
                self._out(pieces)
        if each:
            with self.block(f"for x in {each}:"):
                self.add(f"o.append({self._write_kin}(x))")
        self._out([repr(_END)])

    def _shared(self, field: str | None, node: Node, variable: str, path: str) -> list[str]:
        """Return the expressions of a value's bytes: those of the feed's field, where it is written in the same way."""
        if field is not None and self._elements[field] == node:
            return self._pieces[field]
        return self.value(node, variable, path)

    def _raw(self, node: Node) -> None:
        branch = varint(node.branches.index(_STRING) << 1)
        self.add("w = encode(row)")
        self.prefix("q", "w", branch)
        self._out(["q", "w"])
