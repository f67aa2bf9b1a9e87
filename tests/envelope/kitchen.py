"""Two databases with something of everything: the tables that the envelope suite's cases are captured from.

All data are invented. Column and case names are the suite's own; nothing here is the register's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.captured import CapturedTable, SourceKind

POSTGRESQL: Final = "kitchen"
MARIADB: Final = "larder"
DEPARTMENTS: Final[Mapping[SourceKind, str]] = {"postgresql": POSTGRESQL, "mariadb": MARIADB}

_POSTGRESQL_TABLES: Final = """
CREATE TYPE kind AS ENUM ('在读', '休学');
CREATE TABLE numbers (id int PRIMARY KEY, small smallint, big bigint, exact numeric(20,4), whole numeric(20,0),
  free numeric, single real, dbl float8, price money, flag boolean);
CREATE TABLE times (id int PRIMARY KEY, day date, clock time, clock_zone timetz, local3 timestamp(3),
  local6 timestamp, zoned timestamptz, span interval);
CREATE TABLE texts (id int PRIMARY KEY, padded char(8), name varchar(50), long text, code uuid, kind kind, doc json,
  docb jsonb, "姓名" text);
CREATE TABLE things (id int PRIMARY KEY, address inet, net cidr, mac macaddr, period daterange, moments tstzrange,
  counts int4range, spot point, raw bytea, one bit(1), five bit(5), many varbit(20));
CREATE TABLE arrays (id int PRIMARY KEY, names text[], counts int[], amounts numeric(10,2)[], days date[],
  codes uuid[], flags boolean[], moments timestamp[]);
CREATE TABLE toast (id int PRIMARY KEY, n int, long text, doc json, docb jsonb, raw bytea, names text[], counts int[],
  codes uuid[]);
ALTER TABLE toast ALTER long SET STORAGE EXTERNAL, ALTER doc SET STORAGE EXTERNAL, ALTER docb SET STORAGE EXTERNAL,
  ALTER raw SET STORAGE EXTERNAL, ALTER names SET STORAGE EXTERNAL, ALTER counts SET STORAGE EXTERNAL,
  ALTER codes SET STORAGE EXTERNAL;
CREATE TABLE toast_full (id int PRIMARY KEY, n int, long text);
ALTER TABLE toast_full ALTER long SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
CREATE TABLE rows (id int PRIMARY KEY, name text NOT NULL DEFAULT '', n int NOT NULL DEFAULT 7, at timestamp);
CREATE TABLE keyed (a text, b int, note text, PRIMARY KEY (a, b));
ALTER TABLE keyed REPLICA IDENTITY FULL;
CREATE TABLE emptied (id int PRIMARY KEY, name text);
CREATE TABLE again (id int PRIMARY KEY, n int);
CREATE TABLE altered (id int PRIMARY KEY, name varchar(20), gone text, amount int);
"""

_MARIADB_TABLES: Final = """
CREATE TABLE numbers (id int PRIMARY KEY, tiny tinyint, yes tinyint(1), small smallint unsigned, medium mediumint,
  big bigint, huge bigint unsigned, exact decimal(20,4), whole decimal(20,0), single float, dbl double, one bit(1),
  nine bit(9), born year);
CREATE TABLE times (id int PRIMARY KEY, day date, clock time, clock6 time(6), local0 datetime, local3 datetime(3),
  local6 datetime(6), zoned timestamp(6) NULL, sure date NOT NULL DEFAULT '2000-01-01');
CREATE TABLE texts (id int PRIMARY KEY, fixed char(8), name varchar(50), long_text mediumtext, sex enum('男','女'),
  talents set('体育','美术','音乐'), doc json, code uuid, raw varbinary(20), bits blob);
CREATE TABLE old (id int PRIMARY KEY, name varchar(40)) CHARSET utf8mb3;
CREATE TABLE older (id int PRIMARY KEY, name varchar(40)) CHARSET gbk;
CREATE TABLE rows_ (id int PRIMARY KEY, name varchar(40) NOT NULL DEFAULT '', n int NOT NULL DEFAULT 7, at datetime);
CREATE TABLE keyed (a varchar(20), b int, note text, PRIMARY KEY (a, b));
CREATE TABLE emptied (id int PRIMARY KEY, name varchar(40));
CREATE TABLE altered (id int PRIMARY KEY, name varchar(20), gone text, amount int);
"""

TABLES: Final[Mapping[SourceKind, str]] = {"postgresql": _POSTGRESQL_TABLES, "mariadb": _MARIADB_TABLES}

_KEYS: Final = {"keyed": ("a", "b")}

_NAMES: Final[Mapping[SourceKind, Sequence[str]]] = {
    "postgresql": (
        "numbers", "times", "texts", "things", "arrays", "toast", "toast_full", "rows", "keyed", "again", "emptied",
        "altered",
    ),
    "mariadb": ("numbers", "times", "texts", "old", "older", "rows_", "keyed", "emptied", "altered"),
}  # fmt: skip


def captured(kind: SourceKind) -> tuple[CapturedTable, ...]:
    """Return the tables of a source. No columns are named: the suite takes all, whatever a case adds to a table."""
    schema = "public" if kind == "postgresql" else MARIADB
    return tuple(CapturedTable(schema, name, (), _KEYS.get(name, ("id",))) for name in _NAMES[kind])


DEFAULT: Final = "default"
"""The mode that renkou's connectors have: decimals as text, times adaptive."""

MODES: Final[Mapping[SourceKind, Mapping[str, Mapping[str, str]]]] = {
    "postgresql": {
        DEFAULT: {},
        "precise": {
            "decimal.handling.mode": "precise",
            "time.precision.mode": "connect",
            "binary.handling.mode": "base64",
        },
        "double": {
            "decimal.handling.mode": "double",
            "time.precision.mode": "isostring",
            "interval.handling.mode": "string",
            "binary.handling.mode": "hex",
        },
        "adaptive_time": {"time.precision.mode": "adaptive_time_microseconds"},
        "microseconds": {"time.precision.mode": "microseconds"},
        "nanoseconds": {"time.precision.mode": "nanoseconds"},
    },
    "mariadb": {
        DEFAULT: {},
        "precise": {
            "decimal.handling.mode": "precise",
            "time.precision.mode": "connect",
            "bigint.unsigned.handling.mode": "precise",
            "binary.handling.mode": "base64",
        },
        "double": {
            "decimal.handling.mode": "double",
            "time.precision.mode": "isostring",
            "binary.handling.mode": "hex",
        },
    },
}
"""Name of a mode → what the connector is told beside renkou's own settings."""

NARROW: Final = frozenset(("numbers", "times", "things"))
"""The tables whose values depend on the mode: only these are captured in the others."""
