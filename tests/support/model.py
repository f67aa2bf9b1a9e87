"""A model of the sources in plain Python, and a seeded workload that changes the real ones and the model alike.

The model says what the store must hold. When a database is killed in the middle of a commit nobody knows whether the
transaction happened; then the rows it touched are read back, and the model takes what the source has.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from connectors.feeds import Feed
from tests.support.values import Row, Table, key_of, read_source

BIG = 6000
"""Characters of a text that PostgreSQL keeps outside of the row (TOAST), as random digits do not compress away."""


@dataclass
class ModelTable:
    """One table as it must be."""

    feed: Feed
    dsn: str
    rows: Table = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One row change. ``before`` and ``after`` are whole rows of the feed's columns; None where there is none."""

    table: ModelTable
    before: Row | None
    after: Row | None

    def run(self, connection: psycopg.Connection) -> None:
        feed = self.table.feed
        name = sql.Identifier(feed.schema, feed.table)
        if self.after is None:
            assert self.before is not None
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(name, _where(feed)), _keys(feed, self.before)
            )
        elif self.before is None:
            columns = sql.SQL(", ").join(map(sql.Identifier, self.after))
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(self.after))
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(name, columns, marks),
                list(self.after.values()),
            )
        else:
            # Only what changes is set: an unchanged long text stays unsent.
            changed = {c: v for c, v in self.after.items() if v != self.before[c]}
            if changed:
                settings = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(c)) for c in changed)
                connection.execute(
                    sql.SQL("UPDATE {} SET {} WHERE {}").format(name, settings, _where(feed)),
                    [*changed.values(), *_keys(feed, self.before)],
                )

    def apply(self) -> None:
        """Do to the model what ``run`` did to the source."""
        if self.before is not None:
            self.table.rows.pop(key_of(self.table.feed, self.before), None)
        if self.after is not None:
            self.table.rows[key_of(self.table.feed, self.after)] = self.after


def _where(feed: Feed) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in feed.key)


def _keys(feed: Feed, row: Mapping[str, Any]) -> list[Any]:
    return [row[column] for column in feed.key]


class Workload:
    """Seeded changes to a few tables: inserts, updates, deletes, changed keys, long texts, transactions."""

    def __init__(self, sources: Mapping[str, str], feeds: Mapping[str, Feed], seed: int) -> None:
        self._random = random.Random(seed)
        self._connections: dict[str, psycopg.Connection] = {}
        self.tables = [ModelTable(feed, sources[feed.department]) for feed in feeds.values()]
        for table in self.tables:
            table.rows = read_source(table.dsn, table.feed)
        self._next = 10_000_000 + seed * 100_000
        self.transactions = 0
        self.unknown = 0

    def run(self, rate: float, stop: threading.Event) -> None:
        """Commit about ``rate`` transactions a second until told to stop, reconnecting for ever."""
        started = time.monotonic()
        count = 0
        while not stop.is_set():
            self.step()
            count += 1
            stop.wait(max(0.0, started + count / rate - time.monotonic()))

    def step(self) -> None:
        """One transaction, in the source and in the model."""
        table = self._random.choice(self.tables)
        statements = self._statements(table)
        try:
            connection = self._connection(table)
            with connection.transaction():
                for statement in statements:
                    statement.run(connection)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self._connections.pop(table.feed.department, None)
            self._read_back(table)
        else:
            for statement in statements:
                statement.apply()
        self.transactions += 1

    def truncate(self, table: ModelTable) -> None:
        """Empty a table in the source and in the model."""
        name = sql.Identifier(table.feed.schema, table.feed.table)
        self._connection(table).execute(sql.SQL("TRUNCATE {}").format(name))
        table.rows.clear()

    def _read_back(self, table: ModelTable) -> None:
        """Take the source's word after a commit whose outcome is unknown."""
        self.unknown += 1
        while True:
            try:
                table.rows = read_source(table.dsn, table.feed)
                return
            except psycopg.OperationalError:
                time.sleep(0.2)

    def _connection(self, table: ModelTable) -> psycopg.Connection:
        department = table.feed.department
        if department not in self._connections:
            self._connections[department] = psycopg.connect(table.dsn, autocommit=True, connect_timeout=5)
        return self._connections[department]

    def disagreements(self) -> list[str]:
        """Return where the model and the sources differ, as sentences: the harness's own check."""
        found = []
        for table in self.tables:
            actual = read_source(table.dsn, table.feed)
            found += [
                f"{table.feed.id} {key}: only in the model" for key in table.rows.keys() - actual.keys()
            ]
            found += [f"{table.feed.id} {key}: not in the model" for key in actual.keys() - table.rows.keys()]
            for key in table.rows.keys() & actual.keys():
                wrong = [column for column, value in table.rows[key].items() if actual[key][column] != value]
                found += [f"{table.feed.id} {key}: {column} differs from the model" for column in wrong]
        return found

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def _statements(self, table: ModelTable) -> list[Statement]:
        """Return one to four changes of different rows of a table."""
        chosen: dict[str, Statement] = {}
        for _ in range(self._random.choice((1, 1, 2, 4))):
            statement = self._statement(table)
            row = statement.before or statement.after
            assert row is not None
            chosen.setdefault(key_of(table.feed, row), statement)
        return list(chosen.values())

    def _statement(self, table: ModelTable) -> Statement:
        kinds = MAKERS[table.feed.id]
        roll = self._random.random()
        if not table.rows or roll < 0.35:
            return Statement(table, None, kinds.new(self._random, self._number()))
        before = table.rows[self._random.choice(list(table.rows))]
        if roll < 0.5:
            return Statement(table, before, None)
        if roll < 0.6 and kinds.rekey is not None:
            return Statement(table, before, kinds.rekey(before, self._number()))
        return Statement(table, before, kinds.change(self._random, before))

    def _number(self) -> int:
        self._next += 1
        return self._next


@dataclass(frozen=True)
class Maker:
    """How rows of a table are made and changed. ``rekey`` is None where the key never changes."""

    new: Callable[[random.Random, int], Row]
    change: Callable[[random.Random, Row], Row]
    rekey: Callable[[Row, int], Row] | None = None


def _stamp(rng: random.Random) -> str:
    return f"2025{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.randint(0, 23):02}0000"


def _long(rng: random.Random) -> str:
    return "".join(rng.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=BIG))


def resident_id(number: int) -> str:
    """Return a valid number of the invented county 390102 for a person number."""
    day = dt.date(1950, 1, 1) + dt.timedelta(days=number % 20000)
    body = f"390102{day:%Y%m%d}{number % 1000:03}"
    weights = [2 ** (17 - position) % 11 for position in range(17)]
    total = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))
    return body + "10X98765432"[total % 11]


def _new_person(rng: random.Random, number: int) -> Row:
    id_number = resident_id(rng.randrange(3000))
    return {
        "RYNBID": number, "HH": "390100001", "YHZGX": "01", "GMSFHM": id_number, "XM": f"试{number % 7}人", "XB": "1",
        "MZ": "01", "CSRQ": id_number[6:14], "HYZK": "10", "HJDZ": f"江岚省云州市青禾区{number % 90}号",
        "LXDH": "13900000000",
        "RYZT": "0", "BZ": _long(rng) if number % 3 == 0 else None, "GXSJ": _stamp(rng),
    }  # fmt: skip


def _change_person(rng: random.Random, row: Row) -> Row:
    changed = {**row, "GXSJ": _stamp(rng)}
    match rng.randrange(3):
        case 0:
            changed["LXDH"] = f"139{rng.randrange(10**8):08}"
        case 1:
            changed["GMSFHM"] = resident_id(rng.randrange(3000))
        case _:
            changed["BZ"] = _long(rng) if rng.random() < 0.3 else row["BZ"]
    return changed


def _new_household(rng: random.Random, number: int) -> Row:
    return {
        "HH": f"{number:09}", "HLX": "1", "HZXM": f"户{number % 50}主", "HZGMSFHM": resident_id(rng.randrange(3000)),
        "SSXQ": "390102", "MLXZ": f"青禾区{number % 90}号", "ZTBZ": "0", "GXSJ": _stamp(rng),
    }  # fmt: skip


def _change_household(rng: random.Random, row: Row) -> Row:
    return {**row, "MLXZ": f"青禾区{rng.randrange(900)}号", "GXSJ": _stamp(rng)}


def _new_enrolment(rng: random.Random, number: int) -> Row:
    id_number = resident_id(rng.randrange(3000))
    return {
        "aac001": Decimal(number), "aac058": "01", "aac002": id_number, "aac003": f"试{number % 7}人", "aac004": "1",
        "aac006": int(id_number[6:14]), "aac017": "5", "aac008": "1", "aae005": "13900000001",
        "aae036": 1_700_000_000_000 + number,
    }  # fmt: skip


def _change_enrolment(rng: random.Random, row: Row) -> Row:
    return {**row, "aae005": f"138{rng.randrange(10**8):08}", "aac017": str(rng.choice((1, 2, 5)))}


MAKERS: Mapping[str, Maker] = {
    "police.hj_ryjbxx": Maker(_new_person, _change_person, lambda row, number: {**row, "RYNBID": number}),
    "police.hj_hjxx": Maker(
        _new_household, _change_household, lambda row, number: {**row, "HH": f"{number:09}"}
    ),
    "hrss.ac01": Maker(_new_enrolment, _change_enrolment),
}
"""The workload's tables: TOAST without REPLICA IDENTITY FULL, natural keys with FULL, numeric keys elsewhere."""
