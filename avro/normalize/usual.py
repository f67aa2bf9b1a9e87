"""The usual form of a column's values, as expressions for generated code: what most values look like, and what they
become then.

A normalizer is asked about everything else. These say the same as it does, without a call: that is half of what a usual
value costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from avro.normalize import resident_id, time
from avro.normalize.address import USUAL_ADDRESS, normalize_address
from avro.normalize.date import FIRST_DAY, LAST_DAY, normalize_days
from avro.normalize.name import USUAL_NAME, normalize_name
from avro.normalize.phone import USUAL_PHONE, normalize_phone
from avro.normalize.place import county_of, normalize_division_of_address
from avro.normalize.plain import normalize_boolean
from avro.normalize.rules import Normalizer, normalize_serial
from avro.normalize.text import USUAL_LABEL, normalize_label, normalize_text


class Usual(NamedTuple):
    """``test`` says of a value that it is usual, ``becomes`` what it becomes, then without a finding; ``v`` stands for
    the value, which is not null. Without a test every value is usual. Where ``may_miss``, a KeyError of either says
    that it is not. ``names`` are what the expressions name."""

    test: str
    becomes: str = "v"
    may_miss: bool = False
    names: Mapping[str, Any] = {}


USUAL: Final[Mapping[Normalizer, Usual]] = {
    normalize_text: Usual("", "v.strip() or None"),
    normalize_serial: Usual("", "str(v)"),
    normalize_boolean: Usual(""),
    normalize_days: Usual(f"{FIRST_DAY} <= v <= {LAST_DAY}"),
    normalize_name: Usual("is_name(v)", names={"is_name": USUAL_NAME.fullmatch}),
    normalize_label: Usual("is_label(v)", names={"is_label": USUAL_LABEL.fullmatch}),
    normalize_phone: Usual("is_phone(v)", names={"is_phone": USUAL_PHONE.fullmatch}),
    normalize_address: Usual("is_address(v)", names={"is_address": USUAL_ADDRESS.fullmatch}),
    normalize_division_of_address: Usual("", "county_of(v)", names={"county_of": county_of}),
    resident_id.normalize_resident_id: Usual(
        "not (id_regions[v[:6]] + id_dates[v[6:14]] + id_endings[v[14:]]) % 11",
        may_miss=True,
        names={
            "id_regions": resident_id.KNOWN_REGIONS,
            "id_dates": resident_id.DATES,
            "id_endings": resident_id.ENDINGS,
        },
    ),
    time.normalize_compact_time: Usual(
        "",
        "compact_days[v[:8]] + clock[v[8:12]] + seconds[v[12:]]",
        may_miss=True,
        names={"compact_days": time.COMPACT_DAYS, "clock": time.CLOCK, "seconds": time.SECONDS},
    ),
    time.normalize_iso_instant: Usual(
        "",
        "iso_days[v[:10]] + iso_hours[v[10:14]] + iso_minutes[v[14:17]] + iso_seconds[v[17:]]",
        may_miss=True,
        names={
            "iso_days": time.ISO_DAYS,
            "iso_hours": time.ISO_HOURS,
            "iso_minutes": time.ISO_MINUTES,
            "iso_seconds": time.ISO_SECONDS,
        },
    ),
}
"""Normalizer → the usual form of its values."""
