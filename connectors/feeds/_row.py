"""A feed's plan as one Python function: the quick way for a row that has all columns, each of its type.

Most rows are so, and a loop over the plan costs them two to three times as much. Whatever is unusual about a row is
left to `Feed`, which walks through the plan and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec

from avro._writer import WriterSource
from avro.native import Native
from avro.normalize import RESIDENT_ID, contradictions, finding_rules, is_valid_resident_id
from avro.record import PERSON_ELEMENTS, Finding, Mention
from connectors.feeds.definition import Condition
from connectors.feeds.evidence import EvidencePlan, KinPlan, kin_of
from connectors.feeds.plan import About, MentionPlan, Plan, Step, fits

Row = tuple[str, dict[str, Any], tuple[Mention, ...], tuple[Finding, ...]]
"""A row's raw JSON, elements, mentions and findings."""

RowReader = Callable[[Mapping[str, Any]], Row | None]
"""From the row after a change to what it says; None when a column is missing or of another type."""

_encode: Final = msgspec.json.Encoder().encode

# By position: a struct's keyword arguments cost twice as much. The order is PERSON_ELEMENTS'.
mention_of: Final = cast(Callable[..., Mention], Mention)
NAME: Final = PERSON_ELEMENTS.index("name")
ID_TYPE: Final = PERSON_ELEMENTS.index("id_type")
ID_NUMBER: Final = PERSON_ELEMENTS.index("id_number")


def finding(about: About, rule: str, value: Any) -> Finding:
    """Return the finding that ``value`` broke ``rule``."""
    original = value if isinstance(value, str) else _encode(value).decode()
    return Finding(
        about.element, rule, finding_rules()[rule].severity.value, original, about.role, about.ordinal
    )


def _with_issues(
    findings: tuple[Finding, ...], about: About, rules: tuple[str, ...], value: Any
) -> tuple[Finding, ...]:
    return (*findings, *(finding(about, rule, value) for rule in rules))


def with_broken(
    findings: tuple[Finding, ...], about: About, broken: tuple[tuple[str, str], ...]
) -> tuple[Finding, ...]:
    """Return the findings with those of rules that values within a column broke."""
    return (*findings, *(finding(about, rule, value) for rule, value in broken))


def _with_contradictions(
    findings: tuple[Finding, ...],
    found: tuple[str, ...],
    sources: Mapping[str, tuple[str, About]],
    row: Mapping[str, Any],
) -> tuple[Finding, ...]:
    added = []
    for element in found:
        column, about = sources[element]
        added.append(finding(about, "contradicts_id_number", row[column]))
    return (*findings, *added)


_CONSTANTS: Final = {
    "encode": _encode,
    "mention": mention_of,
    "kin": kin_of,
    "fits": fits,
    "contradictions": contradictions,
    "is_valid": is_valid_resident_id,
    "RESIDENT_ID": RESIDENT_ID,
    "with_issues": _with_issues,
    "with_contradictions": _with_contradictions,
    "with_broken": with_broken,
}


def compile_row(feed: str, plan: Plan) -> RowReader:
    """Return the function of a feed's plan; ``feed`` stands for the file in tracebacks."""
    return cast(RowReader, _Reader(plan).compile(f"rows of {feed}", "read"))


class RowSource(WriterSource):
    """Text that reads a row's values, findings and mentions into variables. Names of columns and fields stand in it as
    literals, never as code."""

    def __init__(self, plan: Plan, natives: Mapping[str, Native] = MappingProxyType({})) -> None:
        super().__init__(natives)
        self.add_constants(_CONSTANTS)
        self.plan = plan
        self.fields = {field: self.fresh("e") for field in plan.nothing}
        self.columns = {column: self.fresh("v") for column in plan.fields_of}

    def read_columns(self, row: str) -> None:
        """Add what puts the fields into their variables and the findings into ``f``; ``row`` is the expression of the
        row as a mapping."""
        plan = self.plan
        self.add("f = ()")
        later = {step.field for step in plan.context_steps}
        for column, steps in groupby(plan.steps, key=lambda step: step.column):
            self._column(column, list(steps), later)
        self._context()
        self._checks(row)

    def read_mentions(self) -> None:
        """Add what puts the mentions into the list ``m``."""
        self.add("m = []")
        for mention in self.plan.mentions:
            self._mention(mention)

    def _column(self, column: str, steps: list[Step], later: set[str]) -> None:
        value = self.columns[column]
        with self.block(f"if {value} is None:"):
            for step in steps:
                self.add(f"{self.fields[step.field]} = {self.plan.nothing[step.field]!r}")
        with self.block(f"elif type({value}) is not {self.constant(steps[0].takes)}:"):
            self.add("return None")
        with self.block("else:"):
            for step in steps:
                self.step(step, value, later)

    def step(self, step: Step, value: str, later: set[str]) -> None:
        """Add what puts a field of a column that has a value into its variable."""
        field = self.fields[step.field]
        if step.field in later:
            self.add(f"{field} = None")
            return
        call = f"{self.constant(step.normalize)}({value})"
        if step.when is None:
            self._apply(call, field, step.about, value)
            return
        with self.block(f"if {self._holds(step.when)}:"):
            self._apply(call, field, step.about, value)
        with self.block("else:"):
            self.add(f"{field} = {self.plan.nothing[step.field]!r}")

    def _holds(self, when: Condition) -> str:
        return f"fits({self.columns[when.column]}, {self.constant(when.values)})"

    def _apply(self, call: str, field: str, about: About, value: str) -> None:
        self.add(f"{field}, i = {call}")
        self.doubt(about, value)

    def doubt(self, about: About, value: str) -> None:
        """Add what makes findings of the rules in ``i``."""
        with self.block("if i:"):
            self.add(f"f = with_issues(f, {self.constant(about)}, i, {value})")

    def _context(self) -> None:
        for step in self.plan.context_steps:
            value = self.columns[step.column]
            holds = "" if step.when is None else f" and {self._holds(step.when)}"
            with self.block(f"if {value} is not None{holds}:"):
                call = f"{self.constant(step.normalize)}({value}, {self.fields[step.context]})"
                self._apply(call, self.fields[step.field], step.about, value)

    def _checks(self, row: str) -> None:
        for check in self.plan.checks:
            number = self.fields[check.id_field]
            valid = "" if check.is_resident else f" and is_valid({number})"
            sex, birth_date = self.variable(check.sex_field), self.variable(check.birth_field)
            first = self.check(number, sex, birth_date)
            first = f" and ({first})" if first else ""
            with self.block(f"if {number} is not None{first}{valid}:"):
                self.add(f"i = contradictions({number}, {sex}, {birth_date})")
                with self.block("if i:"):
                    self.add(f"f = with_contradictions(f, i, {self.constant(check.sources)}, {row})")

    def check(self, number: str, sex: str, birth_date: str) -> str:
        """Return a condition that holds at least where a number contradicts sex or birth date, empty for always."""
        return ""

    def needs(self, plan: MentionPlan) -> str:
        """Return the condition under which a mention is there, empty for always."""
        return " or ".join(f"{self.variable(field)} is not None" for field in plan.needs)

    def _mention(self, plan: MentionPlan) -> None:
        values = [self.variable(field) for field in plan.fields]
        number = values[ID_NUMBER]
        needs = self.needs(plan)
        with self.block(f"if {needs}:" if needs else "if True:"):
            if plan.is_resident:
                values[ID_TYPE] = self._named(f"None if {number} is None else RESIDENT_ID")
            elif plan.is_open:
                valid = f"{number} is not None and is_valid({number})"
                values[ID_TYPE] = self._named(f"RESIDENT_ID if {valid} else None")
            evidence: list[str] = []
            each = ""
            if plan.evidence_of:  # the usual defaults cost nothing
                each = self._each(plan)
                evidence = self._evidence(plan.evidence, values[NAME], number, each)
            given = ", ".join((*values, *evidence))
            self.add(f"m.append(mention({plan.role!r}, {plan.ordinal}, {given}))")

    def _named(self, expression: str) -> str:
        if expression in ("None", "()"):
            return expression
        name = self.fresh("n")
        self.add(f"{name} = {expression}")
        return name

    def _evidence(self, evidence: EvidencePlan, name: str, number: str, each: str) -> list[str]:
        """Return the expressions of EVIDENCE, in that order."""
        household = "None"
        if evidence.household is not None:
            prefix, field = evidence.household
            household = f"None if {self.variable(field)} is None else {prefix!r} + {self.variable(field)}"
        ties = [(self.variable(field), "None", f"{prefix!r} + ") for prefix, field in evidence.ties]
        numbers = [(self.variable(field), number, "") for field in evidence.other_numbers]
        names = [(self.variable(field), name, "") for field in evidence.other_names]
        return [
            self._named(household),
            *(self._named(self._present(values)) for values in (ties, numbers, names)),
            self.variable(evidence.birth_order),
            self._named(self._kin(evidence.kin) + (f" + {each}" if each else "")),
        ]

    def _each(self, plan: MentionPlan) -> str:
        """Add the reading of persons within JSON columns, and return the variable that has them."""
        if not plan.evidence.each:
            return ""
        kin = self.fresh("k")
        self.add(f"{kin} = ()")
        about = self.constant(About("kin", plan.role, plan.ordinal))
        for each in plan.evidence.each:
            value = self.variable(each.field)
            with self.block(f"if {value} is not None:"):
                self.add(f"i, j = {self.constant(each.read)}({value})")
                self.add(f"{kin} += i")
                with self.block("if j:"):
                    self.add(f"f = with_broken(f, {about}, j)")
        return kin

    def _present(self, values: list[tuple[str, str, str]]) -> str:
        """Return the expression of a tuple of those values that there are and that are not another, with prefixes."""
        terms = []
        for value, other, prefix in values:
            unlike = "" if other == "None" else f" or {value} == {other}"
            terms.append(f"(() if {value} is None{unlike} else ({prefix}{value},))")
        return " + ".join(terms) or "()"

    def _kin(self, kin: tuple[KinPlan, ...]) -> str:
        terms = []
        for other in kin:
            values = [self.variable(field) for field in other.fields]
            said = self.said_relation(other)
            terms.append(f"(() if {self.nobody(other)} else (kin({said}, {', '.join(values)}),))")
        return " + ".join(terms) or "()"

    def said_relation(self, kin: KinPlan) -> str:
        """Return the expression of what another is to the person."""
        said = "" if kin.relation_field is None else f"{self.variable(kin.relation_field)} or "
        return f"{said}{kin.relation!r}"

    def nobody(self, kin: KinPlan) -> str:
        """Return the condition under which nothing is said of another person."""
        values = [self.variable(field) for field in kin.fields if field is not None]
        return " and ".join(f"{value} is None" for value in values)

    def variable(self, field: str | None) -> str:
        """Return the variable of a field, None's name where there is none."""
        return "None" if field is None else self.fields[field]


class _Reader(RowSource):
    """The function of `compile_row`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        with self.block("def read(row):"):
            with self.block("try:"):
                for column, value in self.columns.items():
                    self.add(f"{value} = row[{column!r}]")
            with self.block("except KeyError:"):
                self.add("return None")
            self.read_columns("row")
            self.read_mentions()
            raw = ", ".join(f"{column!r}: {value}" for column, value in self.columns.items())
            elements = ", ".join(f"{field!r}: {value}" for field, value in self.fields.items())
            self.add(f"return encode({{{raw}}}).decode(), {{{elements}}}, tuple(m), f")
