"""Which departments one machine plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.feeds import Catalog
from connectors.stack import HUB, PUSH, lacks
from streams import hub
from streams.errors import SettingError

CATALOG = Catalog.load()


def test_all_are_the_twelve_and_names_keep_their_order() -> None:
    everything = hub.departments_of("all")
    assert set(everything) == {feed.department for feed in CATALOG.feeds}
    assert len(everything) == 12
    assert hub.departments_of(" tax, police,tax ") == ("tax", "police")
    assert set(hub.DEPARTMENTS) < set(everything)


@pytest.mark.parametrize("text", ["", ",", "police,nobody", "ALL", "justice,disabled"])
def test_a_department_that_there_is_not_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(SettingError, match=r"--departments: .*; give all, or some of police,"):
        hub.departments_of(text)


def test_files_come_where_a_department_has_nothing_else_or_where_they_are_asked_for() -> None:
    assert hub.plays_files(hub.departments_of("all"), None)
    assert not hub.plays_files(hub.DEPARTMENTS, None)
    assert hub.plays_files(hub.DEPARTMENTS, True)
    assert not hub.plays_files(hub.departments_of("all"), False)


def test_only_feeds_of_played_departments_in_servers_that_are_here_are_captured() -> None:
    assert {feed.department for feed in hub.on_this_machine(CATALOG).feeds} == set(hub.DEPARTMENTS)
    everywhere = {feed.department for feed in hub.on_this_machine(CATALOG, hub.departments_of("all")).feeds}
    without = {"edu", "medins"} if lacks("mariadb") else set()
    captured = {feed.department for feed in CATALOG.feeds if feed.is_captured}
    assert everywhere == captured - without
    assert hub.missing_departments(CATALOG, hub.DEPARTMENTS) == []
    assert len(hub.missing_departments(CATALOG, hub.departments_of("all"))) == len(without)


def test_the_push_process_runs_only_where_somebody_may_push(tmp_path: Path) -> None:
    ports = dict.fromkeys((*HUB, PUSH), 4000)
    assert [spec.name for spec in hub.hub_specs(tmp_path, ports)] == list(HUB)
    assert [spec.name for spec in hub.hub_specs(tmp_path, ports, push=True)] == [*HUB, PUSH]
