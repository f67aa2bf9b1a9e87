"""The caretaker tells what the store's upkeep finds, and that the upkeep itself fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.clickhouse.store import Store
from connectors.clickhouse.upkeep import Condition
from connectors.errors import StoreError
from connectors.feeds import Catalog
from monitoring import metrics
from streams import caretaker
from streams.caretaker import Caretaker
from streams.settings import Settings
from streams.sink import SourceBoard

FULL = Condition("t", 5, 1, 0)
WELL = Condition("t", 5, 1, None)


@dataclass
class Found:
    """Stands for a store and its upkeep: one answer a look, an error or a condition; then it stops the caretaker."""

    answers: list[Condition | StoreError]
    board: SourceBoard
    seen: list[tuple[str, ...]] = field(default_factory=list)
    care: Caretaker | None = None
    side = None

    @property
    def upkeep(self) -> Any:
        return self

    def condition(self) -> Condition:
        self.note()
        if not self.answers:
            assert self.care is not None
            self.care._stopping.set()
            return WELL
        answer = self.answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def note(self) -> None:
        """Remember what is known before this look."""
        complaints = self.board.complaints
        assert metrics.STORE_COMPLAINTS._value.get() == len(complaints)
        self.seen.append(tuple(one.en for one in complaints))

    def merge_one(self) -> str:
        return ""


def test_complaints_reach_the_board_and_the_metric_and_go_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caretaker, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(caretaker, "take_in", lambda *_: None)
    metrics.STORE_COMPLAINTS.set(0)
    board = SourceBoard()
    found = Found([FULL, StoreError("no"), StoreError("no"), FULL, WELL], board)
    store = cast(Store, found)
    found.care = Caretaker(Settings(data=tmp_path, verify_rate=0), Catalog.load(None), store, board)

    async def look() -> None:
        assert found.care is not None
        found.care.start()
        await asyncio.gather(*found.care._tasks)

    asyncio.run(look())
    (full,) = (one.en for one in FULL.complaints)
    (failed,) = set(found.seen[3]) - {full}
    assert "upkeep fails" in failed
    assert found.seen == [(), (full,), (full, failed), (full, failed), (full,), ()]
    assert board.complaints == ()
