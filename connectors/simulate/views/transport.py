"""transport 交通: driver licences, and the checkpoints' events, which come late and out of order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.simulate import names
from connectors.simulate.areas import any_grain
from connectors.simulate.dice import Dice
from connectors.simulate.identifiers import IdHabits, certain_id
from connectors.simulate.people import BASE_TIME, BEIJING, Family, Kind, Person, past_time
from connectors.simulate.rows.transport import JsrJszxx, KkTxjl
from connectors.simulate.tables import JSR_JSZXX, KK_TXJL, Entry, Named
from connectors.simulate.views import birth_on_file, name_on_file, papers, phone_on_file, wall
from connectors.simulate.views.police import has_photo

DRIVERS: Final = 0.48
"""Of those from 18 to 70."""
SECOND_FILE: Final = 0.15
"""Drivers with a file of the place that first licensed them."""
PASSES: Final = 0.40
"""Passes a person and day."""
TOLL: Final = 0.18
LATE: Final = 0.1

_IDS: Final = IdHabits(missing=0, fifteen=0.02, lower_x=0.2, full_width=0.003, blanks=0.003, mistyped=0.008)
_SNOWFLAKE: Final = datetime(2026, 5, 1, tzinfo=BEIJING)
_SERIAL_BITS: Final = 30
_PASSES_BITS: Final = 7


def rows(family: Family, rng: Dice) -> list[Entry]:
    """Return the family's licences, and where its members passed on the last day."""
    entries: list[Entry] = []
    for person in family.persons:
        if 18 <= person.age() < 70 and rng.random() < DRIVERS:
            moment = past_time(rng, 2014)
            entries.append(licence(family, person, rng, moment))
            if rng.random() < SECOND_FILE:
                earlier = licence(family, person, rng, moment - timedelta(days=rng.between(300, 3000)))
                assert isinstance(earlier.row, JsrJszxx)
                earlier.row.zt = rng.one("GE")
                if person.former_name and rng.random() < 0.6:
                    earlier.row.xm = person.former_name
                entries.append(earlier)
    for person in family.persons:
        if person.age() >= 3 and not person.died and rng.random() < PASSES:
            at = BASE_TIME - timedelta(seconds=rng.between(1, 86_400))
            entries.append(passage(family, person, rng, at))
    return entries


def licence(family: Family, person: Person, rng: Dice, moment: datetime) -> Entry:
    """Return a licence; its birth date is a time, as it was in Oracle."""
    birth = birth_on_file(rng, person, 0.006, 0.004)
    begin = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    row = JsrJszxx(
        dabh=f"3{family.serial('jsr_jszxx'):011d}",
        sfzmmc=papers(person, ("A", "C", "D", "D")),
        sfzmhm=person.id_number
        if person.is_foreign
        else certain_id(rng, person.id_number, person.birth, _IDS),
        xm=name_on_file(rng, person, 0.008),
        xb=str(person.sex) if rng.random() < 0.98 else None,
        csrq=f"{birth} 00:00:00" if birth else None,
        gj="156" if person.ethnicity != names.FOREIGN else "528",
        zjcx=rng.one(("C1", "C1", "C1", "C2", "B2", "A2D", "C1E")),
        cclzrq=wall(begin - timedelta(days=rng.between(0, 3000))),
        yxqs=wall(begin),
        yxqz=wall(begin.replace(day=1, year=begin.year + 10)),
        ljjf=rng.one((0, 0, 0, 3, 6)),
        zt=rng.one(("A", "A", "A", "A", "B", "AB")) if not person.died else "G",
        djzsxxdz=family.address.spelled(any_grain(rng)),
        lxzsxxdz=person.home.spelled(any_grain(rng)) if rng.random() < 0.9 else None,
        sjhm=phone_on_file(rng, person, 0.05),
        zp=rng.randbytes(rng.between(2600, 3600)) if has_photo(family) else None,
        gxsj=wall(moment),
    )
    return Entry(JSR_JSZXX, row, (Named("self", person),))


def passage(
    family: Family, person: Person, rng: Dice, at: datetime, received: datetime | None = None
) -> Entry:
    """Return a checkpoint's event; nobody is named at a toll. ``received``: seconds later, a tenth minutes, if None."""
    is_toll = rng.random() < TOLL
    usual = at + timedelta(seconds=rng.between(60, 1500) if rng.random() < LATE else rng.between(0, 3))
    draw = rng.random()
    name = None if is_toll or draw < 0.35 else names.masked(person.name) if draw < 0.8 else person.name
    county = person.home.county
    row = KkTxjl(
        event_id=_snowflake(family, at),
        device_id=f"KK{county.code}{rng.between(1, 40):03d}",
        device_ip=f"10.{int(county.code[2:4])}.{rng.below(250)}.{rng.between(2, 250)}",
        pass_time=at.isoformat(),
        recv_time=(usual if received is None else received).isoformat(),
        station=f"{county.city}{rng.one(('站', '东站', '客运站', '北收费站', '码头'))}",
        direction=rng.one((1, 2)),
        kind="toll" if is_toll else rng.one(("train", "train", "coach", "ferry")),
        xm=name,
        zjhm=None if is_toll else person.id_number,
        plate_no=f"江A{rng.below(10**5):05d}" if is_toll else None,
        face_score=None if is_toll or rng.random() < 0.5 else rng.between(80, 100) / 100,
        lon=round(rng.between(1_100_000, 1_120_000) / 10_000, 4),
        lat=round(rng.between(280_000, 300_000) / 10_000, 4),
        raw=None,
    )
    return Entry(KK_TXJL, row, () if is_toll else (Named("self", person),))


def _snowflake(family: Family, at: datetime) -> int:
    """Return a number that sorts by time: milliseconds, then what is unique in the province."""
    kind = 0 if family.kind is Kind.HUKOU else 1 << (_SERIAL_BITS - 1)
    serial = family.index << _PASSES_BITS | family.number("kk_txjl")
    milliseconds = int((at - _SNOWFLAKE).total_seconds() * 1000)
    return milliseconds << _SERIAL_BITS | kind | serial % (1 << (_SERIAL_BITS - 1))
