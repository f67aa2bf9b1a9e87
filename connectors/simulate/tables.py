"""The captured tables: one struct a table, whose fields are the columns in table order.

Values are what psycopg sends as they are: text (also for dates, times, numerics, arrays, json and uuid, which
PostgreSQL reads from their literals), int, bool, bytes. `Entry` is a row together with the people it is about,
which only the truth knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from connectors.simulate.people import Person

Value: TypeAlias = str | int | bool | bytes | None


class HjHjxx(msgspec.Struct):
    """police.hj_hjxx: hukou household."""

    hh: str
    hlx: str
    hzxm: str | None
    hzgmsfhm: str | None
    ssxq: str
    xzjd: str | None
    jcwh: str | None
    jlx: str | None
    mlph: str | None
    mlxz: str | None
    pcs: str
    hrs: int
    lhrq: str | None
    xhrq: str | None
    ztbz: str
    gxsj: str


class HjRyjbxx(msgspec.Struct):
    """police.hj_ryjbxx: one file of a hukou person."""

    rynbid: int
    hh: str
    yhzgx: str | None
    gmsfhm: str | None
    xm: str
    cym: str | None
    xb: str
    mz: str | None
    csrq: str | None
    csdssx: str | None
    jgssx: str | None
    whcd: str | None
    hyzk: str | None
    byzk: str | None
    zjxy: str | None
    sg: str | None
    xx: str | None
    fwcs: str | None
    hkxz: str | None
    hjdz: str | None
    lxdh: str | None
    fqxm: str | None
    fqgmsfhm: str | None
    mqxm: str | None
    mqgmsfhm: str | None
    poxm: str | None
    pogmsfhm: str | None
    jhrxm: str | None
    qrrq: str | None
    ryzt: str
    zp: str | None
    bz: str | None
    gxsj: str


class LdrkJzz(msgspec.Struct):
    """police.ldrk_jzz: one stay of a migrant."""

    djbh: int
    jzzbh: str | None
    zjlx: str
    zjhm: str | None
    xm: str
    xb: str | None
    mz: str | None
    csrq: str | None
    hjd_xzqh: str | None
    hjdz: str | None
    xzdz: str | None
    jzsy: str | None
    lxdh: str | None
    fwcs: str | None
    djrq: str
    fzrq: str | None
    yxqz: str | None
    zt: str
    tbr_xm: str | None
    zp: bytes | None
    cjsj: str
    gxsj: str


class BirthCertificate(msgspec.Struct):
    """health.birth_certificate: a baby, its mother, its father."""

    cert_no: str
    baby_name: str | None
    baby_sex: str
    birth_time: str
    gestation_weeks: str | None
    birth_weight_g: int | None
    birth_length_cm: str | None
    plurality: int
    birth_order: int
    apgar: str | None
    facility_code: str | None
    facility_name: str | None
    mother_name: str
    mother_id_type: str
    mother_id_no: str | None
    mother_birth_date: str | None
    mother_ethnicity: str | None
    mother_address: str | None
    mother_phone: str | None
    father_name: str | None
    father_id_type: str | None
    father_id_no: str | None
    father_birth_date: str | None
    father_ethnicity: str | None
    father_phone: str | None
    previous_cert_no: str | None
    status: str
    remark: str | None
    issued_at: str
    updated_at: str


class HealthRecord(msgspec.Struct):
    """health.health_record: electronic health record."""

    record_id: str
    archive_no: str
    name: str
    sex: str
    birth_date: str | None
    id_type: str
    id_no: str | None
    ethnicity: str | None
    phone: str | None
    contact_name: str | None
    contact_phone: str | None
    hukou_address: str | None
    current_address: str | None
    marital_status: str | None
    blood_group: str | None
    chronic_diseases: str | None
    allergies: str | None
    height_cm: str | None
    weight_kg: str | None
    last_exam: str | None
    medical_summary: str | None
    deceased: bool
    created_at: str
    updated_at: str


class Ac01(msgspec.Struct):
    """hrss.ac01: social insurance enrolment."""

    aac001: int
    aac058: str
    aac002: str | None
    aac003: str
    aac004: str | None
    aac005: str | None
    aac006: int | None
    aac007: int | None
    aac009: str | None
    aac010: str | None
    aac017: str | None
    aac008: str
    aae005: str | None
    aae006: str | None
    aab001: int | None
    aab004: str | None
    aae140: str | None
    aac040: str | None
    aac049: int | None
    aae013: str | None
    aae036: int


Row: TypeAlias = HjHjxx | HjRyjbxx | LdrkJzz | BirthCertificate | HealthRecord | Ac01


class Clock(Enum):
    """How a table writes its update time."""

    COMPACT = auto()
    """char(14): yyyyMMddHHmmss, Beijing time."""
    INSTANT = auto()
    """timestamptz."""
    MILLISECONDS = auto()
    """bigint: since 1970."""


Stamp: TypeAlias = str | int | datetime


@dataclass(frozen=True, slots=True)
class Table:
    """How a row struct is stored. ``key`` and ``stamp`` are field names; ``stamp`` is the table's update time, which
    every change moves forward. ``decimal_key``: the key is a numeric, which Debezium's JSON writes as text.
    """

    department: str
    name: str
    row: type[Row]
    key: str
    stamp: str
    clock: Clock
    upper_case: bool = False
    decimal_key: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    def time(self, moment: datetime) -> str | int:
        """Return the moment as the update time of a row."""
        if self.clock is Clock.COMPACT:
            return moment.strftime("%Y%m%d%H%M%S")
        return moment.isoformat() if self.clock is Clock.INSTANT else int(moment.timestamp()) * 1000

    def stamp_of(self, row: Row) -> Stamp:
        """Return the row's update time, equal to what psycopg reads from the table."""
        value: str | int = getattr(row, self.stamp)
        return (
            datetime.fromisoformat(value) if self.clock is Clock.INSTANT and isinstance(value, str) else value
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The row's fields in table order."""
        return self.row.__struct_fields__

    def column(self, field: str) -> str:
        """Return the SQL identifier of a field, quoted."""
        return f'"{field.upper() if self.upper_case else field}"'

    def key_of(self, row: Row) -> str | int:
        """Return the value of the row's primary key."""
        key: str | int = getattr(row, self.key)
        return key

    def key_json(self, key: str | int) -> str:
        """Return the key as the compact JSON object that Debezium's JSON key is."""
        value = str(key) if self.decimal_key else key
        name = self.key.upper() if self.upper_case else self.key
        return msgspec.json.encode({name: value}).decode()


HJ_HJXX: Final = Table("police", "hj_hjxx", HjHjxx, "hh", "gxsj", Clock.COMPACT, upper_case=True)
HJ_RYJBXX: Final = Table("police", "hj_ryjbxx", HjRyjbxx, "rynbid", "gxsj", Clock.COMPACT, upper_case=True)
LDRK_JZZ: Final = Table("police", "ldrk_jzz", LdrkJzz, "djbh", "gxsj", Clock.INSTANT)
BIRTH_CERTIFICATE: Final = Table(
    "health", "birth_certificate", BirthCertificate, "cert_no", "updated_at", Clock.INSTANT
)
HEALTH_RECORD: Final = Table(
    "health", "health_record", HealthRecord, "record_id", "updated_at", Clock.INSTANT
)
AC01: Final = Table("hrss", "ac01", Ac01, "aac001", "aae036", Clock.MILLISECONDS, decimal_key=True)

TABLES: Final = (HJ_HJXX, HJ_RYJBXX, LDRK_JZZ, BIRTH_CERTIFICATE, HEALTH_RECORD, AC01)
DEPARTMENTS: Final = tuple(dict.fromkeys(table.department for table in TABLES))
"""The departments that are simulated, in the order in which they are filled."""


@dataclass(frozen=True, slots=True)
class Named:
    """A person in a role of a row."""

    role: str
    person: Person
    ordinal: int = 0


@dataclass(slots=True, eq=False)
class Entry:
    """A row of a table, and whom it is about."""

    table: Table
    row: Row
    named: tuple[Named, ...]

    @property
    def key(self) -> str | int:
        """The row's present primary key."""
        return self.table.key_of(self.row)
