"""Normalizers: pure functions from a source's value to the standard's value, or null, and the rules it broke.

None of them raises for a value of its type, knows the clock, or replaces what it cannot read by a default. A value
that is not blank, not a documented spelling of nothing, and becomes null, always leaves a finding.
"""

from avro.normalize.consistency import contradictions
from avro.normalize.document import RESIDENT_ID
from avro.normalize.issues import Issues, finding_rules
from avro.normalize.resident_id import is_valid as is_valid_resident_id
from avro.normalize.rules import RULES, ContextRule, Parameters, Rule

__all__ = [
    "RESIDENT_ID",
    "RULES",
    "ContextRule",
    "Issues",
    "Parameters",
    "Rule",
    "contradictions",
    "finding_rules",
    "is_valid_resident_id",
]
