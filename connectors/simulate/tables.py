"""The captured tables and files: how a row struct is stored, and what in it names a person.

`Entry` is a row together with the people it is about, which only the truth knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from functools import cache, partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from connectors.simulate import columns
from connectors.simulate.columns import Column
from connectors.simulate.rows import Row, civil, edu, files, health, housing, hrss, market, medins, police
from connectors.simulate.rows import tax as tax_rows
from connectors.simulate.rows import transport as transport_rows

if TYPE_CHECKING:
    from connectors.simulate.people import Person

Value: TypeAlias = str | int | float | bool | bytes | msgspec.Struct | list[str] | None
_encode: Final = msgspec.json.Encoder().encode

Key: TypeAlias = tuple[str | int, ...]
"""The values of a primary key, in table order."""


class Clock(Enum):
    """How a table writes its update time."""

    COMPACT = auto()
    """char(14): yyyyMMddHHmmss, Beijing time."""
    INSTANT = auto()
    """timestamptz."""
    WALL = auto()
    """timestamp, or datetime: Beijing time without a zone."""
    UTC = auto()
    """MariaDB's timestamp, in a session whose zone is UTC."""
    MILLISECONDS = auto()
    """bigint: since 1970."""
    NONE = auto()
    """Files: a delivery has a date, its records have none that every change moves."""


Stamp: TypeAlias = str | int | datetime


@dataclass(frozen=True, slots=True)
class Blank:
    """Where a careless clerk leaves placeholders: the fields of birth date and phone of the record's first person,
    and how the first of January 1970 is written there.
    """

    birth: str = ""
    day: str | int = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """How a row struct is stored. ``key`` and ``stamp`` are field names; ``stamp`` is the table's update time, which
    every change moves forward, empty for files. ``numbers`` are the fields with the ID number of each role.
    """

    department: str
    name: str
    row: type[Row]
    key: tuple[str, ...]
    stamp: str
    clock: Clock
    columns: tuple[Column, ...]
    is_full: bool = True
    numbers: Mapping[str, str] = field(default_factory=dict)
    blank: Blank = Blank()

    @property
    def is_file(self) -> bool:
        """Whether it is delivered as a file, and not captured from a database."""
        return self.clock is Clock.NONE

    @property
    def channel(self) -> str:
        """What carries its changes: the department for a database, ``file.<department>`` for files."""
        return f"file.{self.department}" if self.is_file else self.department

    @property
    def id(self) -> str:
        """``<department>.<name>``."""
        return f"{self.department}.{self.name}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The row's fields in table order."""
        return self.row.__struct_fields__

    def time(self, moment: datetime) -> str | int:
        """Return the moment as the update time of a row."""
        match self.clock:
            case Clock.COMPACT:
                return moment.strftime("%Y%m%d%H%M%S")
            case Clock.WALL:
                return moment.strftime("%Y-%m-%d %H:%M:%S")
            case Clock.UTC:
                return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
            case Clock.MILLISECONDS:
                return int(moment.timestamp()) * 1000
            case _:
                return moment.isoformat()

    def stamp_of(self, row: Row) -> Stamp:
        """Return the row's update time, equal to what psycopg reads from the table."""
        if not self.stamp:
            return ""
        value: str | int = getattr(row, self.stamp)
        if self.clock in (Clock.INSTANT, Clock.WALL, Clock.UTC) and isinstance(value, str):
            return datetime.fromisoformat(value)
        return value

    def column(self, name: str) -> str:
        """Return the SQL identifier of a field, quoted."""
        return f'"{self.columns[self.fields.index(name)].name}"'

    def key_of(self, row: Row) -> Key:
        """Return the values of the row's primary key."""
        return tuple(getattr(row, name) for name in self.key)

    def key_json(self, key: Key) -> str:
        """Return the key as the compact JSON object that Debezium's JSON key is."""
        return _encode(
            {name: convert(value) for (name, convert), value in zip(_key_of(self), key, strict=True)}
        ).decode()


@cache
def _key_of(table: Table) -> tuple[tuple[str, Callable[[str | int], str | int]], ...]:
    """Return the key's columns with what makes of a value Debezium's: a numeric is text, a char(n) has its blanks."""
    found: list[tuple[str, Callable[[str | int], str | int]]] = []
    for name in table.key:
        column = table.columns[table.fields.index(name)]
        if column.type.startswith("numeric"):
            found.append((column.name, str))
        elif column.type.startswith("char(") and table.department not in columns.MARIADB:
            found.append((column.name, partial(_padded, int(column.type[5:-1]))))
        else:
            found.append((column.name, _same))
    return tuple(found)


def _padded(width: int, value: str | int) -> str | int:
    return str(value).ljust(width)


def _same(value: str | int) -> str | int:
    return value


def _table(
    department: str,
    name: str,
    row: type[Row],
    stamp: str,
    clock: Clock,
    numbers: Mapping[str, str] | str | None = None,
    blank: Blank | None = None,
) -> Table:
    layout = columns.layouts(department)[name]
    key = tuple(column.lower() for column in layout.key)
    roles = {"self": numbers} if isinstance(numbers, str) else dict(numbers or {})
    return Table(
        department, name, row, key, stamp, clock, layout.columns, layout.is_full, roles, blank or Blank()
    )


def _file(
    department: str, name: str, row: type[Row], names: str, numbers: Mapping[str, str], key: str = ""
) -> Table:
    titles = names.split(",")
    layout = tuple(Column(title, "text", True) for title in titles)
    place = titles.index(key) if key else 0
    return Table(
        department, name, row, (row.__struct_fields__[place],), "", Clock.NONE, layout, True, dict(numbers)
    )


_D8, _ISO, _WALL = "19700101", "1970-01-01", "1970-01-01 00:00:00"

HJ_HJXX: Final = _table(
    "police", "hj_hjxx", police.HjHjxx, "gxsj", Clock.COMPACT, {"householder": "hzgmsfhm"}
)
HJ_RYJBXX: Final = _table(
    "police", "hj_ryjbxx", police.HjRyjbxx, "gxsj", Clock.COMPACT, "gmsfhm", Blank("csrq", _D8, "lxdh")
)
HJ_BGXX: Final = _table("police", "hj_bgxx", police.HjBgxx, "gxsj", Clock.COMPACT, "gmsfhm")
LDRK_JZZ: Final = _table(
    "police", "ldrk_jzz", police.LdrkJzz, "gxsj", Clock.INSTANT, "zjhm", Blank("csrq", _D8, "lxdh")
)
SFZ_ZZXX: Final = _table("police", "sfz_zzxx", police.SfzZzxx, "gxsj", Clock.COMPACT, "gmsfhm")
HJ_SWZX: Final = _table(
    "police", "hj_swzx", police.HjSwzx, "gxsj", Clock.COMPACT, "gmsfhm", Blank("csrq", _D8)
)
BIRTH_CERTIFICATE: Final = _table(
    "health",
    "birth_certificate",
    health.BirthCertificate,
    "updated_at",
    Clock.INSTANT,
    {"mother": "mother_id_no", "father": "father_id_no"},
)
VACCINATION: Final = _table(
    "health",
    "vaccination_record",
    health.VaccinationRecord,
    "vaccinated_at",
    Clock.INSTANT,
    "child_id_no",
    Blank("child_birth_date", _ISO, "guardian_phone"),
)
HEALTH_RECORD: Final = _table(
    "health",
    "health_record",
    health.HealthRecord,
    "updated_at",
    Clock.INSTANT,
    "id_no",
    Blank("birth_date", _ISO, "phone"),
)
DEATH_CERTIFICATE: Final = _table(
    "health",
    "death_certificate",
    health.DeathCertificate,
    "issued_at",
    Clock.INSTANT,
    "id_no",
    Blank("birth_date", _ISO, "family_phone"),
)
AC01: Final = _table(
    "hrss", "ac01", hrss.Ac01, "aae036", Clock.MILLISECONDS, "aac002", Blank("aac006", 19700101, "aae005")
)
JY_DJB: Final = _table(
    "hrss", "jy_djb", hrss.JyDjb, "updtime", Clock.MILLISECONDS, "idcard", Blank("birth", _ISO, "mobile")
)
SY_DJB: Final = _table(
    "hrss", "sy_djb", hrss.SyDjb, "jbsj", Clock.WALL, "sfzhm", Blank("csny", "197001", "lxdh")
)
HYDJ_JH: Final = _table(
    "civil", "hydj_jh", civil.HydjJh, "lrsj", Clock.WALL, {"husband": "nan_zjhm", "wife": "nv_zjhm"}
)
HYDJ_LH: Final = _table(
    "civil", "hydj_lh", civil.HydjLh, "lrsj", Clock.WALL, {"husband": "nan_zjhm", "wife": "nv_zjhm"}
)
DBJT_CY: Final = _table(
    "civil", "dbjt_cy", civil.DbjtCy, "gxsj", Clock.INSTANT, "sfzh", Blank("csrq", _ISO, "lxdh")
)
GLJT: Final = _table("civil", "gljt", civil.Gljt, "gxsj", Clock.INSTANT, "sfzh", Blank("csrq", _ISO, "lxdh"))
XS_XJXX: Final = _table(
    "edu", "xs_xjxx", edu.XsXjxx, "gxsj", Clock.WALL, "sfzjh", Blank("csrq", _ISO, "lxdh")
)
JS_JSXX: Final = _table("edu", "js_jsxx", edu.JsJsxx, "gxsj", Clock.UTC, "sfzh", Blank("csrq", _ISO, "lxdh"))
PSN_INFO_B: Final = _table(
    "medins", "psn_info_b", medins.PsnInfoB, "updt_time", Clock.WALL, "certno", Blank("brdy", _ISO, "tel")
)
SETL_D: Final = _table(
    "medins", "setl_d", medins.SetlD, "setl_time", Clock.WALL, "certno", Blank("brdy", _ISO)
)
FW_QLR: Final = _table(
    "housing",
    "fw_qlr",
    housing.FwQlr,
    "djsj",
    Clock.WALL,
    {"self": "qlrzjh", "spouse": "qlrzjh"},
    Blank(phone="dh"),
)
ZLBA: Final = _table(
    "housing",
    "zlba",
    housing.Zlba,
    "updated_at",
    Clock.INSTANT,
    {"landlord": "czr_zjhm", "tenant": "chzr_zjhm"},
)
ZRR_DJXX: Final = _table(
    "tax", "zrr_djxx", tax_rows.ZrrDjxx, "xgrq", Clock.WALL, "zjhm", Blank("csrq", _ISO, "sjhm")
)
E_LEREP: Final = _table(
    "market",
    "e_lerep",
    market.ELerep,
    "s_ext_timestamp",
    Clock.INSTANT,
    "lerep_cerno",
    Blank("lerep_natdate", _ISO, "tel"),
)
JSR_JSZXX: Final = _table(
    "transport",
    "jsr_jszxx",
    transport_rows.JsrJszxx,
    "gxsj",
    Clock.WALL,
    "sfzmhm",
    Blank("csrq", _WALL, "sjhm"),
)
KK_TXJL: Final = _table("transport", "kk_txjl", transport_rows.KkTxjl, "recv_time", Clock.INSTANT, "zjhm")

HJ_LSDA: Final = _file(
    "police",
    "hj_lsda",
    files.HjLsda,
    "DAH,SFZH,XM,XB,MZ,CSRQ,CSLB,YHZGX,HH,HZXM,FQXM,MQXM,ZZ,LRRQ,SG,ZT",
    {"self": "sfzh"},
)
GJJ_GRZH: Final = _file(
    "housing",
    "gjj_grzh",
    files.GjjGrzh,
    "grzh,xm,zjlx,zjhm,xb,csny,hyzk,sjhm,jtzz,dwmc,dwzh,ye,zt,poxm,pozjhm",
    {"self": "zjhm"},
)
CJR: Final = _file(
    "disabled",
    "cjr",
    files.Cjr,
    "op,cjrzh,gxsj,yzh,xm,sfzh,xb,csrq,mz,cj,hk,xzz,dh,jhr,hyzk,fzrq",
    {"self": "sfzh"},
    key="cjrzh",
)
SQJZ: Final = _file(
    "justice",
    "sqjz",
    files.Sqjz,
    "矫正编号,姓名,曾用名,性别,身份证号,出生日期,民族,婚姻状况,户籍地址,居住地址,联系电话,矫正类别,起始日期,结束日期,司法所,状态",
    {"self": "id_number"},
)
SYGZ: Final = _file(
    "justice",
    "sygz",
    files.Sygz,
    "公证书编号,公证日期,被收养人姓名,被收养人原姓名,被收养人性别,被收养人出生日期,被收养人身份证号,"
    "养父姓名,养父身份证号,养母姓名,养母身份证号,收养后住址,联系电话,公证处",
    {"self": "child_id_number", "father": "father_id_number", "mother": "mother_id_number"},
)

TABLES: Final = (
    HJ_HJXX, HJ_RYJBXX, HJ_BGXX, LDRK_JZZ, SFZ_ZZXX, HJ_SWZX,
    BIRTH_CERTIFICATE, VACCINATION, HEALTH_RECORD, DEATH_CERTIFICATE, AC01, JY_DJB, SY_DJB,
    HYDJ_JH, HYDJ_LH, DBJT_CY, GLJT, XS_XJXX, JS_JSXX, PSN_INFO_B, SETL_D, FW_QLR, ZLBA, ZRR_DJXX, E_LEREP,
    JSR_JSZXX, KK_TXJL,
)  # fmt: skip
"""The captured tables: departments in the order in which they are filled."""
FILES: Final = (HJ_LSDA, GJJ_GRZH, CJR, SQJZ, SYGZ)
"""What comes as files."""
DEPARTMENTS: Final = tuple(dict.fromkeys(table.department for table in TABLES))
"""The departments whose databases are filled."""


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
    def key(self) -> Key:
        """The row's present primary key."""
        return self.table.key_of(self.row)
