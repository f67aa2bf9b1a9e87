"""The suite's cases: what is done in a source, and what the events of it must say.

Each case has rows of its own, by its key, so that its events are those with that key; ``{id}`` stands for it. What is
expected of a value was written by hand from what the statement says, in the words of Debezium's plain JSON: it does not
come from the capture.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.captured import SourceKind

LONG: Final = 9000
"""Characters that PostgreSQL keeps out of line, uncompressed."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One event of a case: a change with its operation, or ``ignored`` with the reason.

    ``after`` holds the columns that are compared, ``gone`` those that must not be there.
    """

    op: str = ""
    after: Mapping[str, Any] | None = None
    key: str | None = None
    before: Mapping[str, Any] | None = None
    gone: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    snapshot: str | None = None
    previous_key: str | None = None
    next_key: str | None = None
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """``before`` is executed before the connectors start: its rows come with their snapshot. ``modes`` are further
    modes' values of the same columns; ``key`` is the key's object where it is not ``{"id": …}``."""

    source: SourceKind
    name: str
    table: str
    expected: tuple[Expected, ...]
    sql: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    session: str = ""
    modes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


AVRO_NAMES: Final = {"__": "姓名"}
"""What the Avro converter makes of a column's name that Avro does not allow → the name. Two such names may become one:
`connectors.debezium` refuses to capture them as Avro."""

TOMBSTONE: Final = Expected(ignored="tombstone")


def _pg(
    name: str, table: str, columns: str, values: str, after: Mapping[str, Any], **modes: Mapping[str, Any]
) -> Case:
    statement = f"INSERT INTO {table} (id, {columns}) VALUES ({{id}}, {values})"
    return Case("postgresql", name, table, (Expected("c", after),), (statement,), modes=modes)


def _my(
    name: str, table: str, columns: str, values: str, after: Mapping[str, Any], **modes: Mapping[str, Any]
) -> Case:
    statement = f"INSERT INTO {table} (id, {columns}) VALUES ({{id}}, {values})"
    return Case("mariadb", name, table, (Expected("c", after),), (statement,), modes=modes)


def _toast(name: str, column: str, value: str) -> Case:
    """A large value that an update of another column leaves alone."""
    return Case(
        "postgresql", name, "toast",
        (Expected("c"), Expected("u", {"n": 2}, gone=(column,), unchanged=(column,))),
        (
            f"INSERT INTO toast (id, n, {column}) VALUES ({{id}}, 1, {value})",
            "UPDATE toast SET n = 2 WHERE id = {id}",
        ),
    )  # fmt: skip


def unscaled(number: int) -> str:
    """Return a decimal's digits as Java's BigInteger writes them, in base64."""
    size = (number + (number < 0)).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(size, "big", signed=True)).decode()


_UUIDS: Final = f"ARRAY(SELECT lpad(to_hex(i), 32, '0')::uuid FROM generate_series(1, {LONG // 16}) i)"

_FILLER: Final = f"(SELECT string_agg(md5(i::text), '') FROM generate_series(1, {LONG // 32}) i)"

POSTGRESQL_CASES: Final = (
    # Rows
    Case(
        "postgresql", "the only row of a snapshot is its last", "rows",
        (Expected("r", {"name": "甲", "n": 1}, snapshot="last"),), before=("INSERT INTO rows VALUES ({id}, '甲', 1)",),
    ),
    Case(
        "postgresql", "an insert has a row after it", "rows", (Expected("c", {"name": "乙", "n": 7, "at": None}),),
        ("INSERT INTO rows (id, name) VALUES ({id}, '乙')",),
    ),
    Case(
        "postgresql", "an update without the whole row before it", "rows",
        (Expected("c", {"n": 1}), Expected("u", {"name": "丙", "n": 2})),
        ("INSERT INTO rows VALUES ({id}, '丙', 1)", "UPDATE rows SET n = 2 WHERE id = {id}"),
    ),
    Case(
        "postgresql", "an update to the same values is a change", "rows",
        (Expected("c", {"n": 1}), Expected("u", {"n": 1})),
        ("INSERT INTO rows VALUES ({id}, '丙', 1)", "UPDATE rows SET n = 1 WHERE id = {id}"),
    ),
    Case(
        "postgresql", "a delete's row before it holds defaults for what it does not know", "rows",
        (Expected("c"), Expected("d", before={"name": "", "at": None}), TOMBSTONE),
        ("INSERT INTO rows VALUES ({id}, '丁', 5)", "DELETE FROM rows WHERE id = {id}"),
    ),
    Case(
        "postgresql", "a delete with full identity has the row before it", "keyed",
        (Expected("c"), Expected("d", before={"note": "甲"}), TOMBSTONE),
        ("INSERT INTO keyed VALUES ('k{id}', {id}, '甲')", "DELETE FROM keyed WHERE b = {id}"),
    ),
    Case(
        "postgresql", "a row that is deleted and comes again in one transaction", "rows",
        (Expected("c", {"n": 1}), Expected("d"), TOMBSTONE, Expected("c", {"n": 2})),
        (
            "BEGIN; INSERT INTO rows VALUES ({id}, '戊', 1); DELETE FROM rows WHERE id = {id}; "
            "INSERT INTO rows VALUES ({id}, '戊', 2); COMMIT",
        ),
    ),
    Case(
        "postgresql", "three updates of one row in one transaction are in order", "rows",
        (Expected("c", {"n": 0}), Expected("u", {"n": 1}), Expected("u", {"n": 2}), Expected("u", {"n": 3})),
        (
            "INSERT INTO rows VALUES ({id}, '己', 0)",
            "BEGIN; UPDATE rows SET n = 1 WHERE id = {id}; UPDATE rows SET n = 2 WHERE id = {id}; "
            "UPDATE rows SET n = 3 WHERE id = {id}; COMMIT",
        ),
    ),
    Case(
        "postgresql", "a rolled back change is no event", "rows", (Expected("c", {"n": 1}),),
        ("INSERT INTO rows VALUES ({id}, '庚', 1)", "BEGIN; UPDATE rows SET n = 2 WHERE id = {id}; ROLLBACK"),
    ),
    Case(
        "postgresql", "a changed primary key is a delete, a tombstone and a create", "rows",
        (
            Expected("c", {"name": "辛"}), Expected("d", next_key='{"id":{id}000}'), TOMBSTONE,
            Expected("c", {"name": "辛"}, key='{"id":{id}000}', previous_key='{"id":{id}}'),
        ),
        ("INSERT INTO rows VALUES ({id}, '辛', 1)", "UPDATE rows SET id = {id}000 WHERE id = {id}"),
    ),
    Case(
        "postgresql", "a changed key of text and number keeps its quotes", "keyed",
        (
            Expected("c", {"note": "n"}, key='{"a":"“a,b=c}\\" ","b":{id}}'),
            Expected("d", key='{"a":"“a,b=c}\\" ","b":{id}}', next_key='{"a":"a=b,b=1","b":{id}}'), TOMBSTONE,
            Expected("c", key='{"a":"a=b,b=1","b":{id}}', previous_key='{"a":"“a,b=c}\\" ","b":{id}}'),
        ),
        (
            "INSERT INTO keyed VALUES ('“a,b=c}\" ', {id}, 'n')",
            "UPDATE keyed SET a = 'a=b,b=1' WHERE b = {id}",
        ),
    ),
    Case(
        "postgresql", "a truncate has no key", "emptied",
        (Expected("c", {"name": "甲"}), Expected("t", key="")),
        ("INSERT INTO emptied VALUES ({id}, '甲')", "TRUNCATE emptied"),
    ),
    Case(
        "postgresql", "a logical message is about no row", "message", (Expected(ignored="message"),),
        ("SELECT pg_logical_emit_message(true, 'renkou', 'hello')",),
    ),
    Case("postgresql", "transaction metadata are about no row", "transaction", (Expected(ignored="transaction"),)),
    Case("postgresql", "a heartbeat has a time", "heartbeat", ()),
    Case(
        "postgresql", "an incremental snapshot reads the row again", "again",
        (Expected("c", {"n": 1}), Expected("r", {"n": 1}, snapshot="incremental")),
        ("INSERT INTO again VALUES ({id}, 1)", "SIGNAL"),
    ),
    # Numbers
    _pg("whole numbers to their limits", "numbers", "small, big", "-32768, 9223372036854775807",
        {"small": -32768, "big": 9223372036854775807}),
    _pg("the lowest 64-bit number", "numbers", "small, big", "32767, -9223372036854775808",
        {"small": 32767, "big": -9223372036854775808}),
    _pg("numeric with scale keeps its digits", "numbers", "exact", "1234567890123456.7800",
        {"exact": "1234567890123456.7800"}, precise={"exact": unscaled(12345678901234567800)}),
    _pg("a negative numeric", "numbers", "exact", "-0.0001", {"exact": "-0.0001"},
        precise={"exact": "/w=="}, double={"exact": -0.0001}),
    _pg("a numeric of scale zero, 20 digits", "numbers", "whole", "99999999999999999999",
        {"whole": "99999999999999999999"}, precise={"whole": "BWvHXi1jD///"}),
    _pg("a numeric without scale", "numbers", "free", "123456789012345678901234567890.000000000012345",
        {"free": "123456789012345678901234567890.000000000012345"},
        precise={"free": {"scale": 15, "value": unscaled(123456789012345678901234567890000000000012345)}}),
    _pg("a numeric without scale, small exponent", "numbers", "free", "1e-7", {"free": "0.0000001"},
        precise={"free": {"scale": 7, "value": "AQ=="}}, double={"free": 1e-07}),
    _pg("a numeric that is not a number", "numbers", "free", "'NaN'", {"free": "NAN"}),
    _pg("floats of 32 and 64 bits", "numbers", "single, dbl", "1.1, 0.1", {"single": 1.1, "dbl": 0.1}),
    _pg("floats that are no numbers", "numbers", "single, dbl", "'Infinity', 'NaN'", {"single": "Infinity", "dbl": "NaN"}),
    _pg("money", "numbers", "price", "'-1234.50'", {"price": "-1234.50"}, double={"price": -1234.5}),
    _pg("booleans", "numbers", "flag", "true", {"flag": True}),
    _pg("nulls in every column of numbers", "numbers", "small", "NULL",
        dict.fromkeys(("small", "big", "exact", "whole", "free", "single", "dbl", "price", "flag"))),
    # Times
    _pg("a date", "times", "day", "'2024-02-29'", {"day": 19782}, double={"day": "2024-02-29Z"}),
    _pg("a date before 1970", "times", "day", "'1949-10-01'", {"day": -7397}),
    _pg("a date before Christ", "times", "day", "'0044-03-15 BC'", {"day": -735160}),
    _pg("a time of day", "times", "clock", "'23:59:59.999999'", {"clock": 86399999999}, precise={"clock": 86399999},
        double={"clock": "23:59:59.999999Z"}, adaptive_time={"clock": 86399999999}, nanoseconds={"clock": 86399999999000}),
    _pg("a time of day with zone", "times", "clock_zone", "'08:30:00+08'", {"clock_zone": "00:30:00Z"}),
    _pg("a timestamp of milliseconds", "times", "local3", "'2024-02-29 13:14:15.678'", {"local3": 1709212455678},
        precise={"local3": 1709212455678}, double={"local3": "2024-02-29T13:14:15.678Z"},
        microseconds={"local3": 1709212455678000}, nanoseconds={"local3": 1709212455678000000}),
    _pg("a timestamp of microseconds", "times", "local6", "'2024-02-29 13:14:15.678901'", {"local6": 1709212455678901},
        precise={"local6": 1709212455678}, double={"local6": "2024-02-29T13:14:15.678901Z"},
        nanoseconds={"local6": 1709212455678901000}),
    _pg("a timestamp with zone is in UTC", "times", "zoned", "'2024-02-29 13:14:15.6789+08'",
        {"zoned": "2024-02-29T05:14:15.678900Z"}),
    _pg("an infinite timestamp with zone", "times", "zoned", "'infinity'", {"zoned": "infinity"}),
    _pg("a timestamp with zone before Christ", "times", "zoned", "'0044-03-15 12:00:00+00 BC'", {"zoned": "-0043-03-15T12:00:00.000000Z"}),
    _pg("an interval", "times", "span", "'1 year 2 months 3 days 04:05:06.7'", {"span": 37091106700000},
        double={"span": "P1Y2M3DT4H5M6.7S"}),
    Case(
        "postgresql", "infinite dates are numbers far outside any calendar", "times",
        (Expected("c", {"clock": None}),), ("INSERT INTO times (id, day, local6) VALUES ({id}, 'infinity', '-infinity')",),
    ),
    # Texts
    _pg("char(n) keeps its blanks", "texts", "padded", "'390102'", {"padded": "390102  "}),
    _pg("characters beyond the basic plane and dots", "texts", "name", "'𠮷·買買提•艾山‧・．'", {"name": "𠮷·買買提•艾山‧・．"}),
    _pg("an empty text is no null", "texts", "name, long", "'', NULL", {"name": "", "long": None}),
    _pg("control characters and quotes", "texts", "long", "E'a\\tb\\nc\"d\\\\e'", {"long": 'a\tb\nc"d\\e'}),
    _pg("a text that only looks like the placeholder", "texts", "long", "'__debezium_unavailable_value!'",
        {"long": "__debezium_unavailable_value!"}),
    _pg("a uuid", "texts", "code", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", {"code": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
    _pg("an enum", "texts", "kind", "'休学'", {"kind": "休学"}),
    _pg("json as it was written", "texts", "doc", "'{\"b\": 1,  \"a\":[1.10]}'", {"doc": '{"b": 1,  "a":[1.10]}'}),
    _pg("jsonb in PostgreSQL's own spelling", "texts", "docb", "'{\"b\": 1,  \"a\":[1.10]}'", {"docb": '{"a": [1.10], "b": 1}'}),
    _pg("a column with a Chinese name", "texts", '"姓名"', "'甲'", {"姓名": "甲"}),
    # Things
    _pg("addresses of a network", "things", "address, net, mac", "'10.1.2.3/8', '10.1.0.0/16', '08:00:2b:01:02:03'",
        {"address": "10.1.2.3/8", "net": "10.1.0.0/16", "mac": "08:00:2b:01:02:03"}),
    _pg("ranges", "things", "period, counts", "'[2024-01-01,2024-12-31]', '(1,5]'",
        {"period": "[2024-01-01,2025-01-01)", "counts": "[2,6)"}),
    _pg("a range of instants, open to one side", "things", "moments", "'[2024-01-01 00:00:00+00,)'",
        {"moments": '["2024-01-01 00:00:00+00",)'}),
    _pg("a point", "things", "spot", "'(1.5,-2)'", {"spot": {"x": 1.5, "y": -2.0, "wkb": "AQEAAAAAAAAAAAD4PwAAAAAAAADA", "srid": None}}),
    _pg("bytes are base64", "things", "raw", "'\\xfffe00'", {"raw": "//4A"}, double={"raw": "fffe00"}),
    _pg("bits", "things", "one, five, many", "B'1', B'10110', B'101'", {"one": True, "five": "Fg==", "many": "BQ=="}),
    _pg("an array of texts with null and blanks", "arrays", "names", "ARRAY['甲', NULL, '']", {"names": ["甲", None, ""]}),
    _pg("an empty array", "arrays", "names, counts", "'{}', NULL", {"names": [], "counts": None}),
    _pg("arrays of numbers", "arrays", "counts, amounts", "ARRAY[1, -2], ARRAY[1.10, 2]", {"counts": [1, -2], "amounts": ["1.10", "2.00"]}),
    _pg("an array of dates", "arrays", "days", "ARRAY['1970-01-02'::date]", {"days": [1]}),
    _pg("an array of uuids", "arrays", "codes", "ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]", {"codes": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]}),
    _pg("an array of booleans", "arrays", "flags", "ARRAY[true, false, NULL]", {"flags": [True, False, None]}),
    _pg("an array of timestamps", "arrays", "moments", "ARRAY['1970-01-01 00:00:01'::timestamp]", {"moments": [1000000]}),
    # Columns that an update did not touch
    _toast("an untouched long text", "long", _FILLER),
    _toast("untouched bytes", "raw", f"decode({_FILLER}, 'hex')"),
    _toast("an untouched json", "doc", f"to_json({_FILLER})"),
    _toast("an untouched jsonb", "docb", f"to_jsonb({_FILLER})"),
    _toast("an untouched array of texts", "names", f"ARRAY[{_FILLER}]"),
    _toast("an untouched array of numbers", "counts", f"ARRAY(SELECT i FROM generate_series(1, {LONG}) i)"),
    _toast("an untouched array of uuids", "codes", _UUIDS),
    Case(
        "postgresql", "an untouched long text of a table with full identity is sent", "toast_full",
        (Expected("c"), Expected("u", {"n": 2, "long": "x" * LONG})),
        (
            f"INSERT INTO toast_full VALUES ({{id}}, 1, repeat('x', {LONG}))",
            "UPDATE toast_full SET n = 2 WHERE id = {id}",
        ),
    ),
    Case(
        "postgresql", "an untouched long text through a change of the primary key", "toast",
        (
            Expected("c"), Expected("d", next_key='{"id":{id}000}'), TOMBSTONE,
            Expected("c", {"n": 1}, key='{"id":{id}000}', previous_key='{"id":{id}}', gone=("long",), unchanged=("long",)),
        ),
        (
            f"INSERT INTO toast (id, n, long) VALUES ({{id}}, 1, {_FILLER})",
            "UPDATE toast SET id = {id}000 WHERE id = {id}",
        ),
    ),
    # A table that changes: the last cases, since what they do stays.
    Case(
        "postgresql", "an added column comes with the next row", "altered",
        (Expected("c", {"name": "甲"}, gone=("novel",)), Expected("u", {"name": "甲", "novel": "新"})),
        (
            "INSERT INTO altered VALUES ({id}, '甲', 'g', 1)", "ALTER TABLE altered ADD COLUMN novel text",
            "UPDATE altered SET novel = '新' WHERE id = {id}",
        ),
    ),
    Case(
        "postgresql", "a dropped column is no longer there", "altered",
        (Expected("c", {"gone": "g"}), Expected("u", {"amount": 2}, gone=("gone",))),
        (
            "INSERT INTO altered (id, gone, amount) VALUES ({id}, 'g', 1)", "ALTER TABLE altered DROP COLUMN gone",
            "UPDATE altered SET amount = 2 WHERE id = {id}",
        ),
    ),
    Case(
        "postgresql", "a renamed column has its new name", "altered",
        (Expected("c", {"name": "甲"}), Expected("u", {"full_name": "甲", "amount": 2}, gone=("name",))),
        (
            "INSERT INTO altered (id, name, amount) VALUES ({id}, '甲', 1)",
            "ALTER TABLE altered RENAME COLUMN name TO full_name", "UPDATE altered SET amount = 2 WHERE id = {id}",
        ),
    ),
    Case(
        "postgresql", "a re-typed column has its new type", "altered",
        (Expected("c", {"amount": 1}), Expected("u", {"amount": "2.50"})),
        (
            "INSERT INTO altered (id, amount) VALUES ({id}, 1)", "ALTER TABLE altered ALTER amount TYPE numeric(10,2)",
            "UPDATE altered SET amount = 2.5 WHERE id = {id}",
        ),
    ),
)  # fmt: skip

MARIADB_CASES: Final = (
    Case(
        "mariadb", "a snapshot row of MariaDB", "rows_", (Expected("r", {"name": "甲", "n": 1, "at": 1709212455000}),),
        before=("INSERT INTO rows_ VALUES ({id}, '甲', 1, '2024-02-29 13:14:15')",),
    ),
    Case(
        "mariadb", "an update has the whole row before it", "rows_",
        (Expected("c", {"n": 7}), Expected("u", {"n": 2}, before={"name": "乙", "n": 7})),
        ("INSERT INTO rows_ (id, name) VALUES ({id}, '乙')", "UPDATE rows_ SET n = 2 WHERE id = {id}"),
    ),
    Case(
        "mariadb", "a delete has the whole row before it", "rows_",
        (Expected("c"), Expected("d", before={"name": "丁", "n": 5}), TOMBSTONE),
        ("INSERT INTO rows_ VALUES ({id}, '丁', 5, NULL)", "DELETE FROM rows_ WHERE id = {id}"),
    ),
    Case(
        "mariadb", "updates of one row in one transaction are in order", "rows_",
        (Expected("c", {"n": 0}), Expected("u", {"n": 1}), Expected("u", {"n": 2})),
        (
            "INSERT INTO rows_ VALUES ({id}, '己', 0, NULL)",
            "BEGIN; UPDATE rows_ SET n = 1 WHERE id = {id}; UPDATE rows_ SET n = 2 WHERE id = {id}; COMMIT",
        ),
    ),
    Case(
        "mariadb", "a row that is replaced", "rows_",
        (Expected("c", {"n": 1}), Expected("u", {"n": 2, "name": "新"})),
        ("INSERT INTO rows_ VALUES ({id}, '旧', 1, NULL)", "REPLACE INTO rows_ VALUES ({id}, '新', 2, NULL)"),
    ),
    Case(
        "mariadb", "a changed primary key in MariaDB", "keyed",
        (
            Expected("c", {"note": "n"}, key='{"a":"L{id}","b":{id}}'),
            Expected("d", key='{"a":"L{id}","b":{id}}', next_key='{"a":"G{id}","b":{id}}'), TOMBSTONE,
            Expected("c", key='{"a":"G{id}","b":{id}}', previous_key='{"a":"L{id}","b":{id}}'),
        ),
        ("INSERT INTO keyed VALUES ('L{id}', {id}, 'n')", "UPDATE keyed SET a = 'G{id}' WHERE b = {id}"),
    ),
    Case(
        "mariadb", "a truncate in MariaDB", "emptied", (Expected("c", {"name": "甲"}), Expected("t", key="")),
        ("INSERT INTO emptied VALUES ({id}, '甲')", "TRUNCATE emptied"),
    ),
    Case("mariadb", "a heartbeat of MariaDB has a time", "heartbeat", ()),
    Case(
        "mariadb", "an incremental snapshot of MariaDB", "rows_",
        (Expected("c", {"n": 1}), Expected("r", {"n": 1}, snapshot="incremental")),
        ("INSERT INTO rows_ VALUES ({id}, '壬', 1, NULL)", "SIGNAL"),
    ),
    _my("small whole numbers", "numbers", "tiny, yes, small, medium", "-128, 1, 65535, -8388608",
        {"tiny": -128, "yes": 1, "small": 65535, "medium": -8388608}),
    _my("64-bit numbers", "numbers", "big", "-9223372036854775808", {"big": -9223372036854775808}),
    _my("an unsigned 64-bit number beyond the signed ones", "numbers", "huge", "18446744073709551615",
        {"huge": -1}, precise={"huge": "AP//////////"}),
    _my("decimals", "numbers", "exact, whole", "-1234567890123456.7800, 99999999999999999999",
        {"exact": "-1234567890123456.7800", "whole": "99999999999999999999"}, precise={"whole": "BWvHXi1jD///"}),
    _my("floats", "numbers", "single, dbl", "1.1, 0.1", {"single": 1.1, "dbl": 0.1}),
    _my("bits of MariaDB", "numbers", "one, nine", "b'1', b'100000010'", {"one": True, "nine": "AgE="}),
    _my("a year", "numbers", "born", "1949", {"born": 1949}),
    _my("a date of MariaDB", "times", "day", "'2024-02-29'", {"day": 19782}, double={"day": "2024-02-29Z"}),
    _my("times of day of MariaDB", "times", "clock, clock6", "'23:59:59', '-01:30:00.5'",
        {"clock": 86399000000, "clock6": -5400500000}),
    _my("datetimes of each precision", "times", "local0, local3, local6",
        "'2024-02-29 13:14:15', '2024-02-29 13:14:15.678', '2024-02-29 13:14:15.678901'",
        {"local0": 1709212455000, "local3": 1709212455678, "local6": 1709212455678901}),
    _my("a timestamp of MariaDB is in UTC", "times", "zoned", "'2024-02-29 13:14:15.678901'",
        {"zoned": "2024-02-29T13:14:15.678901Z"}),
    Case(
        "mariadb", "zero dates in columns that may be null", "times", (Expected("c", {"day": None, "local0": None}),),
        ("INSERT INTO times (id, day, local0) VALUES ({id}, '0000-00-00', '0000-00-00 00:00:00')",),
        session="SET sql_mode = ''",
    ),
    Case(
        "mariadb", "a zero date in a column that may not be null is its default", "times", (Expected("c", {"sure": 10957}),),
        ("INSERT INTO times (id, sure) VALUES ({id}, '0000-00-00')",), session="SET sql_mode = ''",
    ),
    _my("texts of MariaDB", "texts", "fixed, name, long_text", "'ab', '𠮷·買', repeat('长', 100)",
        {"fixed": "ab", "name": "𠮷·買", "long_text": "长" * 100}),
    _my("an enum and a set", "texts", "sex, talents", "'女', '音乐,体育'", {"sex": "女", "talents": "体育,音乐"}),
    _my("an empty set", "texts", "talents", "''", {"talents": ""}),
    Case(
        "mariadb", "an invalid enum of a lenient session", "texts", (Expected("c", {"sex": ""}),),
        ("INSERT INTO texts (id, sex) VALUES ({id}, '不详')",), session="SET sql_mode = ''",
    ),
    _my("json of MariaDB is text", "texts", "doc", "'{\"b\": 1,  \"a\":[1.10]}'", {"doc": '{"b": 1,  "a":[1.10]}'}),
    _my("a uuid of MariaDB", "texts", "code", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        {"code": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
    _my("bytes of MariaDB are base64", "texts", "raw, bits", "x'fffe00', x'00'", {"raw": "//4A", "bits": "AA=="}),
    Case(
        "mariadb", "utf8mb3 has a question mark for what it cannot hold", "old", (Expected("c", {"name": "?田"}),),
        ("INSERT INTO old VALUES ({id}, '𠮷田')",), session="SET sql_mode = ''",
    ),
    Case(
        "mariadb", "a table in GBK is read as characters", "older", (Expected("c", {"name": "张三"}),),
        ("INSERT INTO older VALUES ({id}, '张三')",),
    ),
    Case(
        "mariadb", "a column added in MariaDB", "altered",
        (Expected("c", {"name": "甲"}, gone=("novel",)), Expected("u", {"name": "甲", "novel": "新"})),
        (
            "INSERT INTO altered VALUES ({id}, '甲', 'g', 1)", "ALTER TABLE altered ADD COLUMN novel varchar(9)",
            "UPDATE altered SET novel = '新' WHERE id = {id}",
        ),
    ),
    Case(
        "mariadb", "columns dropped, renamed and re-typed in MariaDB", "altered",
        (
            Expected("c", {"gone": "g", "name": "甲", "amount": 1}),
            Expected("u", {"full_name": "甲", "amount": "2.50"}, gone=("gone", "name")),
        ),
        (
            "INSERT INTO altered (id, name, gone, amount) VALUES ({id}, '甲', 'g', 1)",
            "ALTER TABLE altered DROP COLUMN gone, CHANGE name full_name varchar(80), MODIFY amount decimal(10,2)",
            "UPDATE altered SET amount = 2.5 WHERE id = {id}",
        ),
    ),
)  # fmt: skip

CASES: Final = (*POSTGRESQL_CASES, *MARIADB_CASES)


def key_of(case: Case) -> int:
    """Return the number that stands for ``{id}`` in a case: its place among its source's, from 101."""
    return 101 + [other.name for other in CASES if other.source == case.source].index(case.name)


def filled(case: Case, text: str) -> str:
    """Return a statement or a key of a case with its number in it."""
    return text.replace("{id}", str(key_of(case)))
