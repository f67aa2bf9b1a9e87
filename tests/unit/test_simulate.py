"""The invented population and its changes, without a database."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import TerminalError
from connectors.simulate import Simulator, crew
from connectors.simulate import population as population_module
from connectors.simulate import sheets as sheets_module
from connectors.simulate.areas import COUNTY
from connectors.simulate.changer import Changer
from connectors.simulate.life import birth
from connectors.simulate.people import Family, Kind, Person
from connectors.simulate.population import Population
from connectors.simulate.province import Province
from connectors.simulate.sheets import copy_line, sheet_of
from connectors.simulate.tables import (
    AC01,
    BIRTH_CERTIFICATE,
    CJR,
    DBJT_CY,
    DEATH_CERTIFICATE,
    E_LEREP,
    FILES,
    GLJT,
    HEALTH_RECORD,
    HJ_HJXX,
    HJ_RYJBXX,
    HJ_SWZX,
    HYDJ_LH,
    JS_JSXX,
    KK_TXJL,
    LDRK_JZZ,
    SY_DJB,
    TABLES,
    VACCINATION,
    XS_XJXX,
    ZLBA,
    Entry,
    Key,
    Stamp,
    Table,
)
from connectors.simulate.transactions import Draft, Transaction, Verb
from connectors.simulate.truth import Truth
from tests.support.statistics import Statistics

PEOPLE = 1000


@pytest.fixture(scope="module")
def everything() -> tuple[Population, list[Family]]:
    population = Population(5, PEOPLE)
    return population, list(population.everybody())


@pytest.fixture(scope="module")
def population(everything: tuple[Population, list[Family]]) -> Population:
    return everything[0]


@pytest.fixture(scope="module")
def families(everything: tuple[Population, list[Family]]) -> list[Family]:
    return everything[1]


@pytest.fixture(scope="module")
def transactions(population: Population) -> list[Transaction]:
    changer = Changer(population)
    return [transaction for _ in range(3000) for transaction in changer.next()]


def entries(families: list[Family], table: Table) -> list[Entry]:
    return [entry for family in families for entry in family.entries if entry.table is table]


def rows(families: list[Family], table: Table) -> list[Any]:
    return [entry.row for entry in entries(families, table)]


def persons(families: list[Family]) -> list[Person]:
    return [person for family in families for person in (*family.persons, *family.others)]


def test_every_id_number_is_valid_invented_and_somebodys_alone(families: list[Family]) -> None:
    everybody = persons(families)
    for person in everybody:
        number = person.id_number
        if person.is_foreign:
            assert re.fullmatch("[A-Z]?[0-9]{8}", number)
            continue
        digits = [10 if character == "X" else int(character) for character in number]
        # ISO 7064 MOD 11-2 in its definition: powers of two from the right, remainder 1
        assert sum(digit << (17 - place) for place, digit in enumerate(digits)) % 11 == 1
        assert number[:6] in COUNTY
        assert number[6:14] == person.birth.strftime("%Y%m%d")
        assert int(number[16]) % 2 == person.sex % 2
    assert len({person.id_number for person in everybody}) == len(everybody)
    assert len({person.ident for person in everybody}) == len(everybody)
    assert any(person.id_number.endswith("X") for person in everybody)


def test_the_number_of_people_is_the_one_asked_for(families: list[Family]) -> None:
    files = entries(families, HJ_RYJBXX)
    assert len({entry.named[0].person.ident for entry in files}) == PEOPLE


def test_keys_are_unique(families: list[Family]) -> None:
    for table in (*TABLES, *FILES):
        keys = Counter(entry.key for entry in entries(families, table))
        assert keys.most_common(1)[0][1] == 1


def test_a_family_is_remade_as_it_was(population: Population, families: list[Family]) -> None:
    last = {kind: population.census.count(kind) - 1 for kind in Kind}
    chosen = [family for family in families if family.index % 25 == 3 or family.index == last[family.kind]]
    assert len(chosen) > 15
    for family in chosen:
        again = population.family(family.kind, family.index)
        assert [entry.row for entry in again.entries] == [entry.row for entry in family.entries]


def test_another_seed_is_another_population(families: list[Family]) -> None:
    ours = {person.id_number for person in persons(families)}
    other = {
        person.id_number
        for family in islice(Population(6, 500).everybody(), 100)
        for person in family.persons
    }
    assert len(ours & other) <= 2


def test_published_statistics(families: list[Family]) -> None:
    statistics = Statistics()
    for family in families:
        statistics.add(family)
    statistics.check()


@pytest.mark.long
def test_published_statistics_of_a_hundred_thousand() -> None:
    statistics = Statistics()
    for family in Population(2, 100_000).everybody():
        statistics.add(family)
    statistics.check()
    statistics.check_rows()


def test_the_registers_quirks_occur(families: list[Family]) -> None:
    numbers = {
        value
        for family in families
        for entry in family.entries
        for field in ("gmsfhm", "zjhm", "id_no", "aac002")
        if hasattr(entry.row, field)
        for value in [getattr(entry.row, field)]
    }
    assert {None, "", "无", "0", "0" * 18} <= numbers
    written = [number for number in numbers if number]
    assert any(re.fullmatch(r"\d{15}", number) for number in written)
    assert any(re.fullmatch(r"\d{17}x", number) for number in written)
    assert any(re.search("[０-９]", number) for number in written)
    names = {
        getattr(e.row, f)
        for f in ("xm", "name", "aac003")
        for fam in families
        for e in fam.entries
        if hasattr(e.row, f)
    }
    assert any("·" in name for name in names)
    assert any(dot in name for name in names for dot in "•‧・．")
    assert any(ord(character) > 0xFFFF for name in names for character in name)
    assert "5" in {row.aac017 for row in rows(families, AC01)}
    babies = {row.baby_name for row in rows(families, BIRTH_CERTIFICATE)}
    assert None in babies
    assert any(name and name.endswith(("之子", "之女")) for name in babies)


def test_the_stream_of_changes_is_the_same_again(
    transactions: list[Transaction], population: Population
) -> None:
    changer = Changer(population)
    again = [transaction for _ in range(500) for transaction in changer.next()]
    for ours, theirs in zip(again, transactions[: len(again)], strict=True):
        assert ours.operations == theirs.operations
        assert ours.facts == theirs.facts
        assert ours.persons == theirs.persons
        assert ours.opened_before_previous == theirs.opened_before_previous
    assert [transaction.number for transaction in transactions] == list(range(1, len(transactions) + 1))


def test_changes_fit_the_rows_they_change(transactions: list[Transaction], families: list[Family]) -> None:
    stamps: dict[tuple[str, Key], Stamp] = {
        (entry.table.name, entry.key): entry.table.stamp_of(entry.row)
        for family in families
        for entry in family.entries
    }
    for transaction in transactions:
        for operation in transaction.operations:
            assert operation.table.channel == transaction.department
            for effect in operation.effects:
                place = (effect.table.name, effect.key)
                assert stamps.pop(place, None) == effect.before
                assert effect.before != effect.after or operation.table.is_file
                if effect.after is not None:
                    stamps[place] = effect.after


def test_the_truth_follows_the_rows(transactions: list[Transaction], families: list[Family]) -> None:
    keys = {(entry.table, entry.key) for family in families for entry in family.entries}
    told = {(entry.table, entry.key) for family in families for entry in family.entries if entry.named}
    assert {table for table, _ in keys - told} == {KK_TXJL}  # nobody is known at a toll
    keys &= told
    for transaction in transactions:
        for operation in transaction.operations:
            for effect in operation.effects:
                place = (effect.table, effect.key)
                if effect.after is None:
                    keys.discard(place)
                elif operation.named:
                    keys.add(place)
        for fact in transaction.facts:
            place = (fact.table, fact.key)
            if fact.previous_key is not None:
                told.discard((fact.table, fact.previous_key))
            told.discard(place) if fact.op == "d" else told.add(place)
        if transaction.number % 100 == 0:
            assert keys == told
    assert keys == told


SELDOM = {GLJT, DEATH_CERTIFICATE, DBJT_CY, HJ_SWZX, HYDJ_LH, JS_JSXX, SY_DJB, ZLBA, E_LEREP, VACCINATION}
"""What few families have, and nobody writes again before long."""


def test_everything_that_a_hub_must_get_right_happens(transactions: list[Transaction]) -> None:
    operations = [operation for transaction in transactions for operation in transaction.operations]
    verbs = Counter((operation.table.name, operation.verb) for operation in operations)
    for table in TABLES:
        assert verbs[table.name, Verb.UPDATE] or table in SELDOM, table.name
        assert verbs[table.name, Verb.INSERT], table.name
    assert verbs[KK_TXJL.name, Verb.DELETE]
    assert all(verbs[table.name, Verb.DELETE] for table in (HJ_RYJBXX, LDRK_JZZ, HEALTH_RECORD, AC01))
    rekeyed = [operation for operation in operations if len(operation.effects) == 2]
    assert {operation.table for operation in rekeyed} == {HJ_HJXX, VACCINATION, DBJT_CY, XS_XJXX, E_LEREP}
    assert verbs[CJR.name, Verb.DELETE] == verbs[CJR.name, Verb.INSERT] > 0
    touched = [operation for operation in operations if operation.fields == (operation.table.stamp,)]
    assert {operation.table for operation in touched} >= set(TABLES) - SELDOM
    assert any(len({o.table for o in t.operations}) > 1 for t in transactions)
    assert {transaction.department for transaction in transactions} == {
        *(table.department for table in TABLES),
        "file.disabled",
    }
    assert any("zp" in operation.fields and operation.verb is Verb.UPDATE for operation in operations)


def test_unchanged_big_values_are_not_written(
    population: Population, transactions: list[Transaction]
) -> None:
    big = {
        (entry.table, entry.key)
        for index in range(population.census.hukou_families)
        if index % 25 == 1 or index % 20 == 3
        for entry in population.family(Kind.HUKOU, index).entries
        if entry.table in (HJ_RYJBXX, HEALTH_RECORD)
        and len(getattr(entry.row, "zp", None) or getattr(entry.row, "medical_summary", None) or "") > 1000
    }
    assert {table for table, _ in big} == {HJ_RYJBXX, HEALTH_RECORD}
    untouched = [
        operation
        for transaction in transactions
        for operation in transaction.operations
        if operation.verb is Verb.UPDATE
        and (operation.table, operation.key) in big
        and not {"zp", "medical_summary"} & set(operation.fields)
    ]
    assert len(untouched) > 20


def test_interleaved_transactions_touch_different_rows(transactions: list[Transaction]) -> None:
    pairs = [(a, b) for a, b in pairwise(transactions) if b.opened_before_previous]
    assert len(pairs) > 30
    assert any(len(later.operations) > 1 for _, later in pairs)
    for previous, later in pairs:
        assert previous.department == later.department
        touched = {(e.table, e.key) for o in previous.operations for e in o.effects}
        assert not touched & {(e.table, e.key) for o in later.operations for e in o.effects}


def test_newcomers_have_numbers_of_their_own(transactions: list[Transaction], families: list[Family]) -> None:
    numbers = {person.ident: person.id_number for person in persons(families)}
    newcomers: dict[str, str] = {}
    for transaction in transactions:
        for person in transaction.persons:
            if person.person not in numbers:
                assert newcomers.setdefault(person.person, person.id_number) == person.id_number
            else:
                assert numbers[person.person] == person.id_number
    assert len(newcomers) > 100
    everybody = [*numbers.values(), *newcomers.values()]
    assert len(set(everybody)) == len(everybody)


class Taken(set[str]):
    """All numbers there are."""

    def __contains__(self, number: object) -> bool:
        return True


@pytest.mark.parametrize("taken", [set[str](), Taken()])
def test_nobody_is_born_where_no_number_is_left_for_the_day(population: Population, taken: set[str]) -> None:
    province = Province(population)
    province._late_numbers = taken
    drafts = [Draft(number) for number in range(300)]
    for draft in drafts:
        birth(province, draft)
    assert all(draft.is_empty for draft in drafts) == isinstance(taken, Taken)


def test_the_truth_goes_on_where_it_was_cut(tmp_path: Path, transactions: list[Transaction]) -> None:
    departments = ("police", "health", "hrss")
    with Truth(tmp_path / "whole", 5, PEOPLE, departments) as truth:
        truth.committed(transactions[:200])
    with Truth(tmp_path / "cut", 5, PEOPLE, departments) as truth:
        truth.committed(transactions[:120])
    with (tmp_path / "cut" / "mentions.jsonl").open("ab") as file:
        file.write(b'{"op":"c","department":"pol')
    with Truth(tmp_path / "cut", 5, PEOPLE, departments) as truth:
        assert truth.progress.transaction == transactions[119].number
        truth.committed(transactions[120:200])
    for name in ("persons.jsonl", "mentions.jsonl", "progress.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = (tmp_path / "cut" / "mentions.jsonl").read_text(encoding="utf-8").splitlines()
    keys = [json.loads(json.loads(line)["key"]) for line in lines]
    assert all(keys)


def test_a_decimal_key_is_text_as_in_debeziums_json() -> None:
    assert AC01.key_json((39100000000000,)) == '{"aac001":"39100000000000"}'
    assert HJ_RYJBXX.key_json((390000000001,)) == '{"RYNBID":390000000001}'
    assert HJ_HJXX.key_json(("550000000000",)) == '{"HH":"550000000000"}'
    assert VACCINATION.key_json(("390102000000000001", "0101", 1)) == (
        '{"child_code":"390102000000000001","vaccine_code":"0101","dose_no":1}'
    )


@pytest.mark.parametrize(
    ("dsns", "people", "seed", "words"),
    [
        ({"edu": "postgresql://"}, 2000, 5, "edu"),
        ({}, 2000, 5, "no department"),
        ({"police": "postgresql://"}, 5, 5, "people is 5"),
        ({"police": "postgresql://"}, 2000, 6, "seed 5, not 6"),
        ({"police": "postgresql://"}, 2001, 5, "people 2000, not 2001"),
        ({"health": "postgresql://"}, 2000, 5, "departments"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, dsns: dict[str, str], people: int, seed: int, words: str) -> None:
    with Truth(tmp_path, 5, 2000, ("police",)) as truth:
        truth.begin()
    with pytest.raises(TerminalError, match=words):
        Simulator(dsns, people, seed, tmp_path)


@pytest.mark.parametrize("alone", [True, False])
def test_a_crew_makes_the_same_sheets_in_the_same_order(monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    """By one process or several, where ID numbers collide, landlords change with them, and the last family is cut."""
    departments = ("police", "health", "hrss", "housing")
    monkeypatch.setattr(crew, "ALONE", 10_000 if alone else 1)
    one, other = Population(5, 400), Population(5, 400)
    expected = [sheet_of(family, one.landlord, departments, {1}) for family in one.everybody()]
    with crew.sheets(other, departments, {1}) as made:
        found = list(made)
    assert found == expected
    assert other.census == one.census
    assert len({sheet.landlord for sheet in found}) > 10
    assert any(sheet.seen for sheet in found)


def test_a_crew_draws_again_who_has_a_number_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(family: Family) -> list[int | str]:
        return [zlib.crc32(person.id_number.encode()) % 8_000 for person in family.persons]

    monkeypatch.setattr(population_module, "numbers_of", few)
    monkeypatch.setattr(sheets_module, "numbers_of", few)
    one, other = Population(6, 700), Population(6, 700)
    departments = {table.department for table in TABLES}
    expected = [sheet_of(family, one.landlord, departments, ()) for family in one.everybody()]
    with crew.sheets(other, departments, ()) as made:
        assert list(made) == expected
    assert other.census == one.census
    assert len(one.census.salts) > 20
    landlords = {f"{Kind.HUKOU}{sheet.landlord}" for sheet in expected}
    assert landlords & one.census.salts.keys(), "nobody rents from a family that was drawn again"


def test_rows_are_written_as_copy_reads_them() -> None:
    line = copy_line(("a\\b\tc\nd\re", None, "", True, False, 7, 1.5, b"\x00\xff"))
    assert line == "a\\\\b\\tc\\nd\\re\t\\N\t\tt\tf\t7\t1.5\t\\\\x00ff\n"
    with pytest.raises(TerminalError, match="NUL"):
        copy_line(("a\0b",))
