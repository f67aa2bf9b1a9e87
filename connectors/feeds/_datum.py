"""A feed's plan and its Avro schema as one Python function: from the row of a change to its datum and its record.

Most changes are rows of the feed's shape, and this is their way: nothing is looked up by name, a usual value is told
without a call (`avro.normalize.usual`), one that stands in the datum more than once (as the feed's element, as the
person's, as kin) is encoded once, and what becomes of a value of which there are few is remembered together with its
bytes. Mentions are made only where somebody wants the record or a rule between elements may be broken
(`connectors.feeds._doubts`). Whatever is unusual about a row is left to `Feed.normalize` and the feed's codec, which
give the same record and the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

from avro import _values as values
from avro._plan import Node
from avro.change import Op
from avro.codec import NATIVES, RecordCodec
from avro.compiled import Writer, compile_writer
from avro.normalize import RESIDENT_ID
from avro.normalize.consistency import Consistency
from avro.normalize.date import REMEMBERED_DAYS
from avro.normalize.issues import Issues
from avro.normalize.rules import Normalizer
from avro.normalize.usual import USUAL, Usual
from avro.record import EVIDENCE, PERSON_ELEMENTS, Record
from avro.shape import STRICT, RowShape
from avro.version import VERSION_BYTES
from connectors.feeds import _doubts
from connectors.feeds._doubts import Someone, doubts_about, doubts_between
from connectors.feeds._row import ID_TYPE, RowSource
from connectors.feeds.evidence import EvidencePlan, KinPlan
from connectors.feeds.plan import MentionPlan, Plan, Step

DatumWriter = Callable[..., tuple[Record | None, bytes] | None]
"""Takes, by position, a row of the feed's shape; the change's op, key, version, source time, captured time, topic,
partition, offset, previous key and next key; the bytes to put in front of the datum; and whether the record is wanted.
Returns the record, if it is, and the bytes; None when a value of the row is not of its type.
Raises TypeError, ValueError or OverflowError when a value does not fit the schema."""

_PARAMETERS: Final = (
    "row, op, h_key, h_version, h_source_time, h_captured_time, h_topic, h_partition, h_offset, h_previous_key, "
    "h_next_key, front, wanted"
)

# By position: a struct's keyword arguments cost twice as much.
record_of: Final = cast(Callable[..., Record], Record)
OPS: Final = {op: op.value for op in Op}

_NULL: Final = Node("null")
_STRING: Final = Node("string")
_END: Final = b"\0"
"""Behind an array's blocks, and all of an empty array."""

_BLOCK: Final = 1 << 27
"""The least number that takes more than four bytes, and an eighth of the range that five to eight hold."""
_LARGE: Final = 1 << 55
_VALUE: Final = re.compile(r"\bv\b")

Piece = bytes | str
"""A part of the datum: bytes that are always the same, or the expression of others."""


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
    """The function's text: the values and their bytes, then what may be doubtful, the record, and the whole datum."""

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
                "join": b"".join,
                "more": values.MORE,
                "high": values.High(),
                **_doubts.NAMES,
            }
        )
        self._rules = consistency.rules
        self._header = {field.name: field.node for field in codec.header}
        self._mention_fields = self._header["mentions"].item.fields
        kin = next(field.node for field in self._mention_fields if field.name == "kin")
        self._kin_fields = kin.item.fields
        self._elements = {field.name: field.node for field in codec.elements}
        self._paths = {field: f"{feed}.{field}" for field in self._elements}
        self._pieces: dict[str, str] = {}
        """Of fields of the feed: the variables of their bytes."""
        self._bodies: dict[str, str] = {}
        """Of fields of the feed that are texts: the variables of these, encoded; unset where there is none."""
        self._each_of: dict[int, str] = {}
        """By number of the mention: the variable of the kin out of JSON columns."""
        self._write_kin = self.function(kin.item, kin.item.name)
        write_findings = self.function(self._header["findings"], "findings")
        with self.block(f"def write({_PARAMETERS}):"):
            for number, value in enumerate(self.columns.values()):
                self.add(f"{value} = row.c{number}")
            self.read_columns("columns(row)")
            for field in self._elements:
                if field not in self._pieces:
                    self._encode_field(field)
            for number, mention in enumerate(plan.mentions):
                self._read_each(number, mention)
            self._doubt_all()
            self._make_record(feed)
            pieces: list[Piece] = ["front", *self._header_pieces(topic), *self._mentions()]
            pieces.append(f"({write_findings}(f) if f else {_END!r})")
            pieces += self._raw(codec.raw)
            pieces += [self._pieces[field] for field in self._elements]
            self.add(f"return r, join(({', '.join(_merged(pieces))},))")

    # Columns

    def _column(self, column: str, steps: list[Step], later: set[str]) -> None:
        value = self.columns[column]
        # In the order of the plan, or findings would come in another: all of a column's steps, or none.
        if all(step.is_remembered and step.when is None for step in steps):
            for step in steps:
                self._remembered(step, value)
            return
        with self.block(f"if {value} is None:"):
            for step in steps:
                nothing = self.plan.nothing[step.field]
                self.add(f"{self.fields[step.field]} = {nothing!r}")
                if step.field not in later:
                    self.add(f"{self._piece(step.field)} = {_writer(self._elements[step.field])(nothing)!r}")
        if steps[0].takes not in STRICT:  # others the shape has seen to
            with self.block(f"elif type({value}) is not {self.constant(steps[0].takes)}:"):
                self.add("return None")
        with self.block("else:"):
            for step in steps:
                self.step(step, value, later)
                if step.field not in later:
                    self._encode_field(step.field)

    def _remembered(self, step: Step, value: str) -> None:
        answers = _answers(step.normalize, self._elements[step.field])
        self.add(
            f"{self.fields[step.field]}, i, {self._piece(step.field)} = {self.constant(answers)}[{value}]"
        )
        self.doubt(step.about, value)

    def step(self, step: Step, value: str, later: set[str]) -> None:
        usual = USUAL.get(step.normalize)
        if usual is None or step.field in later or step.when is not None:
            super().step(step, value, later)
            return
        self.add_constants(usual.names)
        self._usual(step, usual, value)

    def _usual(self, step: Step, usual: Usual, value: str) -> None:
        """Add what becomes of a usual value, and the call for any other."""
        becomes = f"{self.fields[step.field]} = {_VALUE.sub(value, usual.becomes)}"
        test = _VALUE.sub(value, usual.test)
        call = f"{self.constant(step.normalize)}({value})"
        if usual.may_miss:
            with self.block("try:"):
                self.add(f"i = {test}" if test else becomes)
            with self.block("except KeyError:"):
                if test:
                    self.add("i = False")
                else:
                    self._apply(call, self.fields[step.field], step.about, value)
            test = test and "i"
        elif not test:
            self.add(becomes)
        if test:
            with self.block(f"if {test}:"):
                self.add(becomes)
            with self.block("else:"):
                self._apply(call, self.fields[step.field], step.about, value)

    def check(self, number: str, sex: str, birth_date: str) -> str:
        # A contradiction is rare, and nearly all of the call's time can be saved.
        doubts = []
        if sex != "None":
            digit = f"('1' if {number}[16:17] in '13579' else '2')"
            doubts.append(f"{sex} is not None and {sex} != {digit}")
        if birth_date != "None":
            doubts.append(f"{birth_date} is not None and {birth_date} != birth_day({number}[6:14])")
        return " or ".join(doubts)

    # Bytes of values

    def _piece(self, field: str) -> str:
        """Return the variable of a field's bytes."""
        return self._pieces.setdefault(field, self.fresh("q"))

    def _encode_field(self, field: str) -> None:
        """Add what puts a field's bytes into its variable."""
        body = self._bodies.setdefault(field, self.fresh("b"))
        self._encode(self._elements[field], self.fields[field], self._piece(field), self._paths[field], body)

    def _encode(self, node: Node, variable: str, piece: str, path: str, body: str = "b") -> None:
        """Add what puts the bytes of a variable's value into ``piece``, and those of a text itself into ``body``."""
        if node.kind == "union" and len(node.branches) == 2 and _NULL in node.branches:
            null = node.branches.index(_NULL)
            inner = node.branches[1 - null]
            if inner.kind in ("string", *values.RANGES):
                with self.block(f"if {variable} is None:"):
                    self.add(f"{piece} = {values.varint(null << 1)!r}")
                with self.block("else:"):
                    self._plain(inner, variable, piece, path, body, values.varint(1 - null << 1))
                return
        if node.kind in ("string", *values.RANGES):
            self._plain(node, variable, piece, path, body, b"")
            return
        self.add(f"{piece} = {' + '.join(self.value(node, variable, path))}")

    def _plain(self, node: Node, variable: str, piece: str, path: str, body: str, branch: bytes) -> None:
        if node.kind == "string":
            self.add(f"{body} = {variable}.encode()")
            self._text(piece, body, branch)
            return
        front = f"{branch!r} + " if branch else ""
        with self.block(f"if {_BLOCK} <= {variable} < {_LARGE}:"):
            self.add(f"a = {variable} << 1")
            chunks = f"more[a & {values.CHUNKS - 1}] + more[a >> 14 & {values.CHUNKS - 1}] + high[a >> 28]"
            self.add(f"{piece} = {front}{chunks}")
        with self.block(f"elif 0 <= {variable} < {values.CHUNKS >> 1}:"):
            self.add(f"{piece} = {front}last[{variable} << 1]")
        with self.block("else:"):
            self.add(f"{piece} = {front}number({variable}, {path!r}, {node.kind!r})")

    def _text(self, piece: str, body: str, branch: bytes, before: bytes = b"") -> None:
        """Add what puts a string into ``piece``: the text ``before`` and that in ``body``."""
        front = f"{branch!r} + " if branch else ""
        size = f"len({body}) + {len(before)}" if before else f"len({body})"
        text = f"{before!r} + {body}" if before else body
        with self.block("try:"):
            self.add(f"{piece} = {self.constant(values.prefixes(branch))}[{size}] + {text}")
        with self.block("except IndexError:"):
            self.add(f"{piece} = {front}varint({size} << 1) + {text}")

    def _body(self, field: str) -> str:
        """Return the variable of a field's encoded text, which is there."""
        if field in self._bodies and self._elements[field] in (_STRING, _nullable(self._elements[field])):
            return self._bodies[field]
        self.add(f"b = {self.fields[field]}.encode()")
        return "b"

    # The record

    def _doubt_all(self) -> None:
        """Add what sets ``x`` where a rule between elements may be broken."""
        self.add("x = False")
        self.add(f"z = {_doubts.latest_day('h_source_time')}")
        people = [self._someone(mention) for mention in self.plan.mentions]
        for number, mention in enumerate(self.plan.mentions):
            rules = self._rules[mention.role, mention.ordinal]
            variables = dict(zip(PERSON_ELEMENTS, map(self.variable, mention.fields), strict=True))
            conditions = list(doubts_about(rules, variables, "z"))
            if rules.of_kin and self._each_of[number]:
                conditions.append(self._each_of[number])
            for kin in mention.evidence.kin:
                conditions += self._kin_doubts(rules.of_kin, people[number], kin)
            for other, person in zip(self.plan.mentions, people, strict=True):
                between = rules.of_roles.get(other.role, ())
                conditions += doubts_between(between, people[number], person)
            if conditions:
                needs = self.needs(mention)
                whole = " or ".join(f"({condition})" for condition in conditions)
                with self.block(f"if ({needs}) and ({whole}):" if needs else f"if {whole}:"):
                    self.add("x = True")

    def _kin_doubts(self, of_kin: Any, person: Someone, kin: KinPlan) -> list[str]:
        fields = dict(zip(_KIN_FIELDS, map(self.variable, kin.fields), strict=True))
        other = Someone(fields["name"], fields["id_number"], "None", fields["birth_date"])
        if kin.relation_field is None:
            return list(doubts_between(of_kin.get(kin.relation, ()), person, other))
        # Whatever the row says that they are.
        return [f"{known} is not None" for known in (other.id_number, other.birth_date) if known != "None"]

    def _someone(self, mention: MentionPlan) -> Someone:
        fields = dict(zip(PERSON_ELEMENTS, map(self.variable, mention.fields), strict=True))
        return Someone(fields["name"], fields["id_number"], fields["sex"], fields["birth_date"])

    def _read_each(self, number: int, mention: MentionPlan) -> None:
        """Add the reading of kin out of JSON columns, which may make findings as well."""
        self._each_of[number] = ""
        if mention.evidence.each:
            with self.block(f"if {self.needs(mention) or 'True'}:"):
                self._each_of[number] = super()._each(mention)

    def _each(self, plan: MentionPlan) -> str:
        return self._each_of[self.plan.mentions.index(plan)]

    def _make_record(self, feed: str) -> None:
        self.add("s = op is READ")
        with self.block("if wanted or x:"):
            self.read_mentions()
            with self.block("if x:"):
                self.add("f += doubts(m, h_source_time, f)")
        self.add(
            f"r = record_of({feed!r}, OPS[op], h_key, h_version, False, s, h_source_time, h_captured_time, h_topic, "
            "h_partition, h_offset, h_previous_key, h_next_key, (), (), tuple(m), f) if wanted else None"
        )

    # The datum

    def _header_pieces(self, topic: str) -> list[Piece]:
        """Return the pieces of the header's fields before the mentions."""
        ops = {op: _writer(self._header["op"])(op.value) for op in (Op.READ, Op.CREATE, Op.UPDATE)}
        write_topic = _writer(self._header["topic"])
        given: dict[str, Piece] = {
            "op": f"{self.constant(ops)}[op]",
            "version": f"h_version.to_bytes({VERSION_BYTES}, 'little')",
            "is_deleted": _writer(self._header["is_deleted"])(0),
            "snapshot": "(b'\\1' if s else b'\\0')",
            "topic": f"({write_topic(topic)!r} if h_topic == {topic!r} else {self.constant(write_topic)}(h_topic))",
            "unchanged": _END,
            "unchanged_elements": _END,
        }
        pieces: list[Piece] = []
        for name, node in self._header.items():
            if name == "mentions":
                break
            if name not in given:
                given[name] = self.fresh("q")
                self._encode(node, f"h_{name}", str(given[name]), name)
            pieces.append(given[name])
        return pieces

    def _mentions(self) -> list[Piece]:
        """Return the pieces of the array of mentions."""
        always = sum(not self.needs(mention) for mention in self.plan.mentions)
        pieces: list[Piece] = []
        at_times = always < len(self.plan.mentions)
        if at_times:
            self.add(f"n = {always}")
        for mention in self.plan.mentions:
            needs = self.needs(mention)
            if not needs:
                pieces += self._mention_pieces(mention)
                continue
            whole = self.fresh("q")
            with self.block(f"if {needs}:"):
                self.add("n += 1")
                self.add(f"{whole} = join(({', '.join(_merged(self._mention_pieces(mention)))},))")
            with self.block("else:"):
                self.add(f"{whole} = b''")
            pieces.append(whole)
        if at_times:
            return ["(varint(n << 1) if n else b'')", *pieces, _END]
        return [values.varint(always << 1) if always else b"", *pieces, _END]

    def _mention_pieces(self, plan: MentionPlan) -> list[Piece]:
        fields: dict[str, str | None] = dict(zip(PERSON_ELEMENTS, plan.fields, strict=True))
        constants: dict[str, Any] = {"role": plan.role, "ordinal": plan.ordinal, "unchanged": ()}
        number = self.variable(fields["id_number"])
        pieces: list[Piece] = []
        for field in self._mention_fields:
            name, node = field.name, field.node
            if name in constants:
                pieces.append(_writer(node)(constants[name]))
            elif name in EVIDENCE:
                pieces.append(self._evidence_piece(name, node, plan, number))
            elif name == PERSON_ELEMENTS[ID_TYPE] and (plan.is_resident or plan.is_open):
                valid = "" if plan.is_resident else f" and is_valid({number})"
                resident, nothing = _writer(node)(RESIDENT_ID), _writer(node)(None)
                pieces.append(f"({resident!r} if {number} is not None{valid} else {nothing!r})")
            else:
                pieces.append(self._shared(fields[name], node, f"mention.{name}"))
        return pieces

    def _evidence_piece(self, name: str, node: Node, plan: MentionPlan, number: str) -> Piece:
        evidence = plan.evidence
        person = dict(zip(PERSON_ELEMENTS, map(self.variable, plan.fields), strict=True))
        match name:
            case "household":
                return self._household(node, evidence)
            case "ties":
                return self._texts([(field, "None", prefix) for prefix, field in evidence.ties])
            case "other_numbers":
                return self._texts([(field, number, "") for field in evidence.other_numbers])
            case "other_names":
                return self._texts([(field, person["name"], "") for field in evidence.other_names])
            case "birth_order":
                return self._shared(evidence.birth_order, node, "mention.birth_order")
        return self._kin_piece(evidence, self._each(plan))

    def _household(self, node: Node, evidence: EvidencePlan) -> Piece:
        nothing = _writer(node)(None)
        if evidence.household is None:
            return nothing
        prefix, field = evidence.household
        piece = self.fresh("q")
        with self.block(f"if {self.fields[field]} is None:"):
            self.add(f"{piece} = {nothing!r}")
        with self.block("else:"):
            branch = values.varint(node.branches.index(_STRING) << 1)
            self._text(piece, self._body(field), branch, prefix.encode())
        return piece

    def _texts(self, given: list[tuple[str, str, str]]) -> Piece:
        """Return the piece of an array of those fields' texts that there are and that are not another, with
        prefixes."""
        if not given:
            return _END
        piece = self.fresh("q")
        self.add("k = 0")
        self.add(f"{piece} = b''")
        for field, other, prefix in given:
            value = self.fields[field]
            unlike = "" if other == "None" else f" and {value} != {other}"
            with self.block(f"if {value} is not None{unlike}:"):
                self.add("k += 1")
                self._text("a", self._body(field), b"", prefix.encode())
                self.add(f"{piece} += a")
        self.add(f"{piece} = varint(k << 1) + {piece} + {_END!r} if k else {_END!r}")
        return piece

    def _kin_piece(self, evidence: EvidencePlan, each: str) -> Piece:
        if not evidence.kin and not each:
            return _END
        piece = self.fresh("q")
        self.add("k = 0")
        self.add(f"{piece} = b''")
        relation, *parts = self._kin_fields
        for other in evidence.kin:
            with self.block(f"if not ({self.nobody(other)}):"):
                pieces: list[Piece] = []
                if other.relation_field is None:
                    pieces.append(_writer(relation.node)(other.relation))
                else:
                    said = f"({self.said_relation(other)})"
                    pieces += self.value(relation.node, self._named(said), "kin.relation")
                pieces += [
                    self._shared(field, part.node, f"kin.{part.name}")
                    for part, field in zip(parts, other.fields, strict=True)
                ]
                self.add("k += 1")
                self.add(f"{piece} += {' + '.join(_merged(pieces))}")
        if each:
            with self.block(f"for a in {each}:"):
                self.add("k += 1")
                self.add(f"{piece} += {self._write_kin}(a)")
        self.add(f"{piece} = varint(k << 1) + {piece} + {_END!r} if k else {_END!r}")
        return piece

    def _shared(self, field: str | None, node: Node, path: str) -> Piece:
        """Return the piece of a field's value in another place: the field's own, where it is written in the same
        way."""
        if field is None:
            return _writer(node)(None)
        if self._elements[field] == node:
            return self._pieces[field]
        piece = self.fresh("q")
        self._encode(node, self.fields[field], piece, path)
        return piece

    def _raw(self, node: Node) -> list[Piece]:
        self.add("w = encode(row)")
        branch = values.varint(node.branches.index(_STRING) << 1)
        self.prefix("q", "w", branch)
        return ["q", "w"]


_KIN_FIELDS: Final = ("name", "id_number", "phone", "birth_date")


def _nullable(node: Node) -> Node | None:
    """Return ``node`` where it is a nullable string."""
    is_nullable = node.kind == "union" and len(node.branches) == 2 and _NULL in node.branches
    return node if is_nullable and _STRING in node.branches else None


def _merged(pieces: list[Piece]) -> list[str]:
    """Return the expressions of pieces, those that are always the same and follow each other in one."""
    found: list[Piece] = []
    for piece in pieces:
        if found and isinstance(piece, bytes) and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return [repr(piece) if isinstance(piece, bytes) else piece for piece in found]
