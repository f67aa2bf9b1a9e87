"""The rules that a feed can name for a column: what they take, what they give, which parameters they have.

What a rule takes is the column's type: a value of another type is no value of that column, and its change cannot be
a record. What a rule gives must fit the field's type in the feed's Avro schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from avro.codes import code_list
from avro.errors import SchemaError
from avro.normalize.address import normalize_address
from avro.normalize.amount import measure_reader, money_reader
from avro.normalize.code import coder, division_coder
from avro.normalize.date import (
    REMEMBERED_DAYS,
    Day,
    normalize_date,
    normalize_date_number,
    normalize_days,
    normalize_lunar_text,
    normalize_month,
    normalize_month_of_date,
    normalize_serial_date,
    normalize_short_date,
    normalize_short_lunar,
)
from avro.normalize.document import normalize_certificate, normalize_document, normalize_mothers_number
from avro.normalize.issues import NONE, Issues, finding_rules, remembering
from avro.normalize.name import normalize_damaged_name, normalize_mothers_name, normalize_name
from avro.normalize.organisation import normalize_credit_code
from avro.normalize.phone import normalize_phone, normalize_phones
from avro.normalize.place import (
    normalize_community_of_address,
    normalize_division_of_address,
    normalize_street_of_address,
)
from avro.normalize.plain import normalize_boolean, normalize_decimal, normalize_integer, normalize_texts
from avro.normalize.range import normalize_first_day, normalize_last_day
from avro.normalize.resident_id import inner_resident_id, normalize_resident_id
from avro.normalize.text import normalize_digits, normalize_label, normalize_text
from avro.normalize.time import (
    BEIJING,
    UNITS,
    beijing_day,
    normalize_compact_time,
    normalize_day_of_instant,
    normalize_instant,
    normalize_iso_instant,
)
from avro.normalize.wire import (
    MOST_SCALE,
    normalize_bits,
    normalize_decimal_bytes,
    normalize_decimal_number,
    normalize_iso_day,
    normalize_iso_local,
    normalize_nanoseconds,
    normalize_scaled_decimal,
    normalize_unsigned,
)

Normalizer = Callable[[Any], tuple[Any, Issues]]
ContextNormalizer = Callable[[Any, Any], tuple[Any, Issues]]


class Parameters(msgspec.Struct, frozen=True):
    """What a feed may say beside a rule's name; a rule knows some of them.

    ``list``: a code list. ``map``: source value → code, or an empty text for unknown. ``findings``: source value →
    finding rule that it leaves. ``document``: the feed's field with the document's type. ``unit``: of a count of time,
    of money or of a measure. ``zone``: Beijing or UTC. ``newborn``: names of babies. ``calendar``: the feed's field
    with the date's calendar. ``scale``: digits behind a decimal's point. ``bound``: first or last day of a period.
    ``after``: what stands before a number within another.
    """

    list: str | None = None
    map: Mapping[str, str | None] | None = None
    findings: Mapping[str, str] | None = None
    document: str | None = None
    unit: str | None = None
    zone: str | None = None
    newborn: str | None = None
    calendar: str | None = None
    scale: str | None = None
    bound: str | None = None
    after: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """A rule. ``takes`` is the type of the column's JSON value, ``gives`` the Avro type: string, date, timestamp,
    long, boolean or strings. ``build`` makes the normalizer and raises ValueError about a parameter; ``required`` and
    ``optional`` name the parameters. ``is_companion``: it says nothing of what it cannot read, because another rule
    reads the same column."""

    takes: type
    gives: str
    build: Callable[[Parameters], Normalizer]
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    is_companion: bool = False
    is_remembered: bool = False


class ContextRule(msgspec.Struct, frozen=True):
    """A rule that needs the normalized value of another field, which ``context`` of the parameters names."""

    takes: type
    gives: str
    normalize: ContextNormalizer
    context: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    is_companion: bool = False


def _always(normalizer: Normalizer) -> Callable[[Parameters], Normalizer]:
    return lambda parameters: normalizer


def _code(parameters: Parameters) -> Normalizer:
    try:
        codes = code_list(parameters.list or "")
    except SchemaError as error:
        raise ValueError(str(error)) from None
    for value, code in (parameters.map or {}).items():
        if code is not None and code not in codes:
            raise ValueError(f"map: '{value}' becomes '{code}', which is not in code list {codes.name}")
    for value, rule in (parameters.findings or {}).items():
        if rule not in finding_rules():
            raise ValueError(f"findings: there is no rule '{rule}'; add it to avro/codes/finding_rule.csv")
        if parameters.map is None or value not in parameters.map:
            raise ValueError(f"findings: '{value}' is not in map; say there what it becomes")
    return coder(codes, parameters.map, parameters.findings)


def _division(parameters: Parameters) -> Normalizer:
    return division_coder()


def _name(parameters: Parameters) -> Normalizer:
    newborn = _flag("newborn", parameters.newborn)
    return (lambda value: normalize_name(value, newborn=True)) if newborn else normalize_name


def _decimal_bytes(parameters: Parameters) -> Normalizer:
    text = parameters.scale or ""
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_SCALE):
        raise ValueError(f"scale: a whole number from 0 to {MOST_SCALE} is wanted")
    scale = int(text)
    return lambda value: normalize_decimal_bytes(value, scale)


def _iso_local(parameters: Parameters) -> Normalizer:
    ahead = _ahead(parameters.zone)
    return lambda value: normalize_iso_local(value, ahead)


def _epoch(parameters: Parameters) -> Normalizer:
    if parameters.unit == "nanoseconds":
        clock = _ahead(parameters.zone)
        return lambda value: normalize_nanoseconds(value, clock)
    unit = UNITS.get(parameters.unit or "")
    if unit is None:
        raise ValueError(f"unit: one of {', '.join(UNITS)}, nanoseconds is wanted")
    ahead = _ahead(parameters.zone)
    return lambda value: normalize_instant(value, unit, ahead)


def _day_of_epoch(parameters: Parameters) -> Normalizer:
    read = _epoch(parameters)

    def normalize(value: int | None) -> Day:
        instant, issues = read(value)
        return (None, issues) if instant is None else beijing_day(instant)

    return remembering(normalize, REMEMBERED_DAYS)


def _daterange(parameters: Parameters) -> Normalizer:
    bounds: dict[str, Normalizer] = {"first": normalize_first_day, "last": normalize_last_day}
    normalize = bounds.get(parameters.bound or "")
    if normalize is None:
        raise ValueError("bound: first or last is wanted")
    return normalize


def normalize_serial(value: int | None) -> tuple[str | None, Issues]:
    """Numbers that only name something are text: sources give them as numbers, as text or as UUIDs."""
    return None if value is None else str(value), NONE


def _ahead(zone: str | None) -> int:
    if zone == "Beijing":
        return BEIJING
    if zone == "UTC":
        return 0
    raise ValueError("zone: Beijing or UTC is wanted")


def _flag(name: str, text: str | None) -> bool:
    if text in (None, "false"):
        return False
    if text == "true":
        return True
    raise ValueError(f"{name}: true or false is wanted")


RULES: Final[Mapping[str, Rule | ContextRule]] = {
    "text": Rule(str, "string", _always(normalize_text)),
    "digits": Rule(str, "string", _always(normalize_digits)),
    "name": Rule(str, "string", _name, optional=frozenset(("newborn",))),
    "damaged_name": Rule(str, "string", _always(normalize_damaged_name), is_companion=True),
    "resident_id": Rule(str, "string", _always(normalize_resident_id)),
    "mothers_name": Rule(str, "string", _always(normalize_mothers_name), is_companion=True),
    "inner_id": Rule(
        str,
        "string",
        lambda parameters: inner_resident_id(parameters.after or ""),
        optional=frozenset(("after",)),
        is_companion=True,
    ),
    "document_number": ContextRule(
        str, "string", normalize_document, "document", optional=frozenset(("document",))
    ),
    "birth_certificate": Rule(str, "string", _always(normalize_certificate), is_companion=True),
    "mothers_number": Rule(str, "string", _always(normalize_mothers_number), is_companion=True),
    "code": Rule(
        str, "string", _code, frozenset(("list",)), frozenset(("map", "findings")), is_remembered=True
    ),
    "division": Rule(str, "string", _division, is_remembered=True),
    "phone": Rule(str, "string", _always(normalize_phone)),
    "phones": Rule(list, "string", _always(normalize_phones)),
    "label": Rule(str, "string", _always(normalize_label)),
    "address": Rule(str, "string", _always(normalize_address)),
    "division_of_address": Rule(str, "string", _always(normalize_division_of_address), is_companion=True),
    "street_of_address": Rule(str, "string", _always(normalize_street_of_address), is_companion=True),
    "community_of_address": Rule(str, "string", _always(normalize_community_of_address), is_companion=True),
    "date": Rule(str, "date", _always(remembering(normalize_date, REMEMBERED_DAYS)), is_remembered=True),
    "day_number": Rule(
        str, "date", _always(remembering(normalize_serial_date, REMEMBERED_DAYS)), is_remembered=True
    ),
    "yymmdd": ContextRule(str, "date", normalize_short_date, "calendar", required=frozenset(("calendar",))),
    "yymmdd_lunar": ContextRule(
        str, "string", normalize_short_lunar, "calendar", required=frozenset(("calendar",)), is_companion=True
    ),
    "yymmdd_solar": Rule(
        str, "date", _always(remembering(normalize_short_date, REMEMBERED_DAYS)), is_remembered=True
    ),
    "lunar_text": Rule(str, "string", _always(normalize_lunar_text), is_companion=True),
    "month": Rule(str, "string", _always(remembering(normalize_month)), is_remembered=True),
    "month_of_date": Rule(str, "string", _always(normalize_month_of_date), is_companion=True),
    "daterange": Rule(str, "date", _daterange, frozenset(("bound",))),
    "date_number": Rule(int, "date", _always(normalize_date_number)),
    "days": Rule(int, "date", _always(normalize_days)),
    "time": Rule(str, "timestamp", _always(normalize_compact_time)),
    "instant": Rule(str, "timestamp", _always(normalize_iso_instant)),
    "day_of_instant": Rule(str, "date", _always(normalize_day_of_instant)),
    "epoch": Rule(int, "timestamp", _epoch, frozenset(("unit", "zone"))),
    "day_of_epoch": Rule(int, "date", _day_of_epoch, frozenset(("unit", "zone")), is_remembered=True),
    "credit_code": Rule(str, "string", _always(normalize_credit_code)),
    "serial": Rule(int, "string", _always(normalize_serial)),
    "integer": Rule(int, "long", _always(normalize_integer)),
    "decimal": Rule(str, "string", _always(normalize_decimal)),
    "money": Rule(
        str, "string", lambda parameters: money_reader(parameters.unit or ""), frozenset(("unit",))
    ),
    "measure": Rule(
        str, "string", lambda parameters: measure_reader(parameters.unit or ""), frozenset(("unit",))
    ),
    "decimal_bytes": Rule(str, "string", _decimal_bytes, frozenset(("scale",))),
    "scaled_decimal": Rule(dict, "string", _always(normalize_scaled_decimal)),
    "decimal_number": Rule(float, "string", _always(normalize_decimal_number)),
    "unsigned": Rule(int, "string", _always(normalize_unsigned)),
    "bits": Rule(str, "long", _always(normalize_bits)),
    "iso_day": Rule(str, "date", _always(normalize_iso_day)),
    "iso_local": Rule(str, "timestamp", _iso_local, frozenset(("zone",))),
    "boolean": Rule(bool, "boolean", _always(normalize_boolean)),
    "texts": Rule(list, "strings", _always(normalize_texts)),
    "json": Rule(str, "string", _always(normalize_text)),
}
"""Every rule by its name in a feed."""
