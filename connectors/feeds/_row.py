"""A feed's plan as one Python function: the quick way for a row that has all columns, each of its type.

Most rows are so, and a loop over the plan costs them two to three times as much. Whatever is unusual about a row is
left to `Feed`, which walks through the plan and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any, Final, cast

import msgspec

from avro._source import Source
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

_CONSTANTS: Final = {
    "encode": _encode,
    "mention": mention_of,
    "kin": kin_of,
    "fits": fits,
    "contradictions": contradictions,
    "is_valid": is_valid_resident_id,
    "RESIDENT_ID": RESIDENT_ID,
}


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


def compile_row(feed: str, plan: Plan) -> RowReader:
    """Return the function of a feed's plan; ``feed`` stands for the file in tracebacks."""
    return cast(RowReader, _RowSource(plan).compile(f"rows of {feed}", "read"))


class _RowSource(Source):
    """The function's text. Names of columns and fields stand in it as literals, never as code."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(
            {
                **_CONSTANTS,
                "with_issues": _with_issues,
                "with_contradictions": _with_contradictions,
                "with_broken": with_broken,
            }
        )
        self._fields = {field: self.fresh("e") for field in plan.nothing}
        self._columns = {column: self.fresh("v") for column in plan.fields_of}
        with self.block("def read(row):"):
            self._take()
            self.add("f = ()")
            later = {step.field for step in plan.context_steps}
            for column, steps in groupby(plan.steps, key=lambda step: step.column):
                self._column(column, list(steps), plan.nothing, later)
            self._context(plan)
            self._checks(plan)
            self.add("m = []")
            for mention in plan.mentions:
                self._mention(mention)
            raw = ", ".join(f"{column!r}: {value}" for column, value in self._columns.items())
            elements = ", ".join(f"{field!r}: {value}" for field, value in self._fields.items())
            self.add(f"return encode({{{raw}}}).decode(), {{{elements}}}, tuple(m), f")

    def _take(self) -> None:
        with self.block("try:"):
            for column, value in self._columns.items():
                self.add(f"{value} = row[{column!r}]")
        with self.block("except KeyError:"):
            self.add("return None")

    def _column(self, column: str, steps: list[Step], nothing: Mapping[str, Any], later: set[str]) -> None:
        value = self._columns[column]
        with self.block(f"if {value} is None:"):
            for step in steps:
                self.add(f"{self._fields[step.field]} = {nothing[step.field]!r}")
        with self.block(f"elif type({value}) is not {self.constant(steps[0].takes)}:"):
            self.add("return None")
        with self.block("else:"):
            for step in steps:
                field = self._fields[step.field]
                if step.field in later:
                    self.add(f"{field} = None")
                    continue
                call = f"{self.constant(step.normalize)}({value})"
                if step.when is None:
                    self._apply(call, field, step.about, value)
                    continue
                with self.block(f"if {self._holds(step.when)}:"):
                    self._apply(call, field, step.about, value)
                with self.block("else:"):
                    self.add(f"{field} = {nothing[step.field]!r}")

    def _holds(self, when: Condition) -> str:
        return f"fits({self._columns[when.column]}, {self.constant(when.values)})"

    def _apply(self, call: str, field: str, about: About, value: str) -> None:
        self.add(f"{field}, i = {call}")
        with self.block("if i:"):
            self.add(f"f = with_issues(f, {self.constant(about)}, i, {value})")

    def _context(self, plan: Plan) -> None:
        for step in plan.context_steps:
            value = self._columns[step.column]
            holds = "" if step.when is None else f" and {self._holds(step.when)}"
            with self.block(f"if {value} is not None{holds}:"):
                call = f"{self.constant(step.normalize)}({value}, {self._fields[step.context]})"
                self._apply(call, self._fields[step.field], step.about, value)

    def _checks(self, plan: Plan) -> None:
        for check in plan.checks:
            number = self._fields[check.id_field]
            valid = "" if check.is_resident else f" and is_valid({number})"
            with self.block(f"if {number} is not None{valid}:"):
                sex, birth_date = self._value(check.sex_field), self._value(check.birth_field)
                self.add(f"i = contradictions({number}, {sex}, {birth_date})")
                with self.block("if i:"):
                    self.add(f"f = with_contradictions(f, i, {self.constant(check.sources)}, row)")

    def _mention(self, plan: MentionPlan) -> None:
        values = [self._value(field) for field in plan.fields]
        number = values[ID_NUMBER]
        if plan.is_resident:
            values[ID_TYPE] = f"None if {number} is None else RESIDENT_ID"
        elif plan.is_open:
            values[ID_TYPE] = f"RESIDENT_ID if {number} is not None and is_valid({number}) else None"
        if not plan.needs:
            self._append(plan, values)
            return
        with self.block(f"if {' or '.join(f'{self._value(field)} is not None' for field in plan.needs)}:"):
            self._append(plan, values)

    def _append(self, plan: MentionPlan, values: list[str]) -> None:
        if plan.evidence_of:  # the usual defaults cost nothing
            self._each(plan)
            values = [*values, *self._evidence(plan.evidence, values[NAME], values[ID_NUMBER])]
        self.add(f"m.append(mention({plan.role!r}, {plan.ordinal}, {', '.join(values)}))")

    def _evidence(self, evidence: EvidencePlan, name: str, number: str) -> list[str]:
        """Return the expressions of EVIDENCE, in that order."""
        household = "None"
        if evidence.household is not None:
            prefix, field = evidence.household
            household = f"None if {self._value(field)} is None else {prefix!r} + {self._value(field)}"
        ties = [(self._value(field), "None", f"{prefix!r} + ") for prefix, field in evidence.ties]
        numbers = [(self._value(field), number, "") for field in evidence.other_numbers]
        names = [(self._value(field), name, "") for field in evidence.other_names]
        return [
            household,
            *(self._present(values) for values in (ties, numbers, names)),
            self._value(evidence.birth_order),
            self._kin(evidence.kin) + (" + k" if evidence.each else ""),
        ]

    def _each(self, plan: MentionPlan) -> None:
        """Add the reading of persons within JSON columns into ``k``."""
        if plan.evidence.each:
            self.add("k = ()")
        about = self.constant(About("kin", plan.role, plan.ordinal))
        for each in plan.evidence.each:
            value = self._value(each.field)
            with self.block(f"if {value} is not None:"):
                self.add(f"i, j = {self.constant(each.read)}({value})")
                self.add("k += i")
                with self.block("if j:"):
                    self.add(f"f = with_broken(f, {about}, j)")

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
            values = [self._value(field) for field in other.fields]
            nobody = " and ".join(f"{value} is None" for value in values if value != "None")
            said = "" if other.relation_field is None else f"{self._value(other.relation_field)} or "
            terms.append(f"(() if {nobody} else (kin({said}{other.relation!r}, {', '.join(values)}),))")
        return " + ".join(terms) or "()"

    def _value(self, field: str | None) -> str:
        return "None" if field is None else self._fields[field]
