"""The province's day on a clock of its own."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulate.people import BEIJING
from connectors.simulate.rhythm import Rhythm, is_workday, share

MONDAY = datetime(2026, 6, 1, tzinfo=BEIJING)


def test_an_ordinary_week_has_the_mean_rate_but_for_its_quiet_sunday_night() -> None:
    hours = [share(MONDAY + timedelta(hours=hour)) for hour in range(7 * 24)]
    assert 0.97 < sum(hours) / len(hours) <= 1.0
    assert share(MONDAY.replace(hour=10)) > 20 * share(MONDAY.replace(hour=3))
    sunday = MONDAY + timedelta(days=6)
    assert share(sunday.replace(hour=22)) < share(sunday.replace(hour=15)) / 5
    assert share(sunday.replace(hour=10)) < share(MONDAY.replace(hour=10)) / 5


def test_holidays_are_off_and_their_weekends_are_worked() -> None:
    assert not is_workday(date(2026, 10, 1))
    assert is_workday(date(2026, 10, 10))
    assert [is_workday(date(2199, 6, day)) for day in range(1, 8)].count(True) == 5


@given(st.floats(1, 1e6), st.floats(0, 1), st.integers(0, 365 * 24 * 60))
def test_what_is_due_grows_with_the_hours_and_by_no_more(day: float, part: float, minutes: int) -> None:
    rhythm = Rhythm(day, MONDAY + timedelta(minutes=minutes))
    assert rhythm.passed(0.0) == pytest.approx(0.0, abs=1e-6 * day)
    first = rhythm.passed(day * part)
    second = rhythm.passed(day * (1 + part))
    assert 0 <= first <= second + 1e-6 * day
    assert second - first <= 7 * day


def test_a_week_passes_as_a_week() -> None:
    rhythm = Rhythm(60.0, MONDAY)
    assert rhythm.at(60.0) == MONDAY + timedelta(days=1)
    assert rhythm.passed(7 * 60.0) == pytest.approx(7 * 60.0, rel=0.03)
    assert Rhythm(60.0, MONDAY).passed(20.0) < 10.0 < Rhythm(60.0, MONDAY).passed(30.0)
