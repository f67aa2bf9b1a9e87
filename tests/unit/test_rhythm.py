"""The province's hours and seasons: how much happens, what, and when the files come."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulate import Courier, Course, Population, write_events
from connectors.simulate.changer import Changer
from connectors.simulate.courier import due_between
from connectors.simulate.people import BASE_TIME, BEIJING
from connectors.simulate.rhythm import is_open, is_workday, share
from connectors.simulate.tables import CJR, GJJ_GRZH, KK_TXJL, SQJZ, SYGZ, XS_XJXX
from connectors.simulate.transactions import Transaction

MONDAY = datetime(2026, 6, 1, tzinfo=BEIJING)
BEGIN = MONDAY.replace(hour=8)
DAILY = 2400.0
PEOPLE = 400


def test_an_ordinary_week_has_the_mean_rate_but_for_its_quiet_sunday_night() -> None:
    hours = [share(MONDAY + timedelta(hours=hour)) for hour in range(7 * 24)]
    assert 0.97 < sum(hours) / len(hours) <= 1.0
    assert share(MONDAY.replace(hour=10)) > 20 * share(MONDAY.replace(hour=3))
    sunday = MONDAY + timedelta(days=6)
    assert share(sunday.replace(hour=22)) < share(sunday.replace(hour=15)) / 5
    assert share(sunday.replace(hour=10)) < share(MONDAY.replace(hour=10)) / 5


def test_when_the_school_year_begins_offices_have_twice_as_much_to_do() -> None:
    ordinary, first = MONDAY.replace(hour=10), datetime(2026, 9, 1, 10, tzinfo=BEIJING)
    assert share(first) == 2 * share(ordinary)
    assert share(first.replace(hour=22)) == share(ordinary.replace(hour=22))


def test_holidays_are_off_and_their_weekends_are_worked() -> None:
    assert not is_workday(date(2026, 10, 1))
    assert is_workday(date(2026, 10, 10))
    assert [is_workday(date(2199, 6, day)) for day in range(1, 8)].count(True) == 5
    assert is_open(MONDAY.replace(hour=10))
    assert not is_open(MONDAY.replace(hour=20))
    assert not is_open(datetime(2026, 10, 1, 10, tzinfo=BEIJING))


@given(st.floats(1, 1e6), st.integers(0, 365 * 24 * 60), st.integers(1, 2000))
def test_a_course_says_when_and_how_many_alike(daily: float, minutes: int, number: int) -> None:
    course = Course(BEGIN + timedelta(minutes=minutes), daily)
    moment = course.at(number)
    assert course.start <= moment <= course.at(number + 1)
    assert course.until(moment + timedelta(milliseconds=1)) - number in (0, 1, int(daily * 0.0001))
    assert Course(course.start, daily).at(number) == moment, "whatever was asked before"


def test_a_week_passes_as_a_week() -> None:
    course = Course(BEGIN, DAILY)
    assert course.until(BEGIN + timedelta(days=7)) == pytest.approx(7 * DAILY, rel=0.03)
    with pytest.raises(ValueError, match="begins"):
        Course(MONDAY - timedelta(days=1), DAILY)


def made(start: datetime, transactions: int) -> list[Transaction]:
    population = Population(3, PEOPLE)
    for _ in population.everybody():
        pass
    changer = Changer(population, Course(start, DAILY))
    found: list[Transaction] = []
    while changer.number < transactions:
        found += changer.next()
    return found


@pytest.fixture(scope="module")
def summer() -> list[Transaction]:
    """More than a day of June."""
    return made(BEGIN, 3000)


def by_hours(transactions: list[Transaction], *, are_open: bool) -> Counter[str]:
    return Counter(one.department for one in transactions if is_open(one.moment) is are_open)


def test_at_night_offices_are_closed_and_gates_are_not(summer: list[Transaction]) -> None:
    day, night = (by_hours(summer, are_open=are_open) for are_open in (True, False))
    assert min(day["civil"], day["market"], day["housing"]) > 0
    offices = {"civil", "market", "housing", "edu"}
    in_day = sum(day[name] for name in offices) / day.total()
    assert sum(night[name] for name in offices) / night.total() < in_day / 2
    assert night["transport"] / night.total() > day["transport"] / day.total()


def test_pupils_are_enrolled_and_moved_up_in_september() -> None:
    def pupils(start: datetime) -> int:
        return sum(operation.table is XS_XJXX for one in made(start, 1500) for operation in one.operations)

    assert pupils(datetime(2026, 9, 1, 8, tzinfo=BEIJING)) > 4 * pupils(BEGIN)


def test_passes_come_late_and_out_of_order(summer: list[Transaction]) -> None:
    passes = [
        (getattr(operation.after, "pass_time"), one)  # noqa: B009 rows are of many types
        for one in summer
        for operation in one.operations
        if operation.table is KK_TXJL and operation.before is None
    ]
    times = [datetime.fromisoformat(at) for at, _ in passes]
    assert all(at <= one.moment for at, (_, one) in zip(times, passes, strict=True))
    late = [one.moment - at for at, (_, one) in zip(times, passes, strict=True)]
    assert max(late) > timedelta(hours=2), "a gate was without a line"
    assert any(timedelta(minutes=1) < one < timedelta(minutes=25) for one in late)
    assert any(one > other for one, other in pairwise(times))
    stored = Counter(id(one) for _, one in passes)
    assert max(stored.values()) > 3, "what it had stored came at once"


def test_every_change_moves_the_rows_update_time_though_many_happen_in_a_second() -> None:
    population = Population(3, PEOPLE)
    for _ in population.everybody():
        pass
    changer = Changer(population, Course(BEGIN, 80_000_000.0))
    while changer.number < 1500:
        for one in changer.next():
            for operation in one.operations:
                for effect in operation.effects:
                    assert effect.before != effect.after


def test_files_are_due_on_their_dates() -> None:
    found = due_between(datetime(2026, 9, 30, 23, tzinfo=BEIJING), datetime(2026, 10, 10, 23, tzinfo=BEIJING))
    days = {
        tables: [moment.date().isoformat() for moment, other in found if other == tables]
        for _, tables in found
    }
    assert days[GJJ_GRZH,] == ["2026-10-08"], "the fifth is in the holidays"
    assert days[SQJZ, SYGZ] == ["2026-10-02", "2026-10-09"]
    assert len(days[CJR,]) == 10
    assert due_between(found[0][0], found[0][0]) == []


def test_a_courier_delivers_what_has_become_due(tmp_path: Path, summer: list[Transaction]) -> None:
    with Courier(tmp_path, Population(3, PEOPLE)) as courier:
        courier.notice(BEGIN, ())
        courier.notice(BEGIN + timedelta(days=1), summer)
        courier.notice(BEGIN + timedelta(days=7), ())
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".ok")
    assert names == [
        *(f"disabled_cjr_2026060{day}_001.jsonl" for day in range(1, 8)),
        "housing_gjj_grzh_20260605_001.xml",
        "justice_sqjz_20260605_001.csv",
        "justice_sygz_20260605_001.csv",
    ]
    changed = sum(operation.table is CJR for one in summer for operation in one.operations)
    assert courier.delivered.records["disabled_cjr_20260601_001.jsonl"] == changed > 0
    assert courier.delivered.records["disabled_cjr_20260602_001.jsonl"] == 0
    accounts = sum(
        entry.table is GJJ_GRZH for family in Population(3, PEOPLE).everybody() for entry in family.entries
    )
    assert courier.delivered.records["housing_gjj_grzh_20260605_001.xml"] == accounts > 0
    assert all((tmp_path / f"{name}.ok").exists() for name in names)


def test_events_on_a_course_carry_its_times(tmp_path: Path) -> None:
    write_events(tmp_path, Population(3, 200), 400, course=Course(BEGIN, 100.0))
    times = [json.loads(line)["ts"] for line in (tmp_path / "2-changes.events.jsonl").open()]
    assert times == sorted(times)
    assert timedelta(milliseconds=times[-1] - int(BASE_TIME.timestamp() * 1000)) > timedelta(days=3)
