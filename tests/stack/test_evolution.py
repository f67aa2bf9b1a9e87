"""A live table that changes: real databases, real Debezium, and what the normalizer makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avro.record import DeadLetter
from connectors.captured import SourceKind
from connectors.feeds.source_check import check_source
from connectors.stack import LocalStack, lacks
from streams.normalize import Outcome, Recorded
from tests.support.pantry import Pantry

pytestmark = pytest.mark.stack

MOST_ROWS = 60
"""Rows that are written while the connector starts again, one after the other has arrived."""

NOVEL = "novel: {field: novel, rule: text}"


def told(outcome: Outcome) -> str:
    """Return what became of a change: ``record``, or the rule of its dead letter."""
    return outcome.rule if isinstance(outcome, DeadLetter) else type(outcome).__name__.lower()


def raw(pantry: Pantry, outcome: Outcome) -> dict[str, object]:
    assert isinstance(outcome, Recorded)
    _, text, _ = pantry.feed.codec.decode(outcome.datum)
    found: dict[str, object] = json.loads(text or "{}")
    return found


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_table_that_changes_loses_nothing_and_invents_nothing(
    stack: LocalStack, tmp_path: Path, kind: SourceKind
) -> None:
    if reason := lacks(kind):
        pytest.skip(reason)
    pantry = Pantry(stack, tmp_path, f"evolving_{kind}", kind)
    pantry.create()
    pantry.execute("INSERT INTO shelf VALUES (1, '甲', NULL, 'a', 1)")
    pantry.start_capture()
    assert [told(outcome) for outcome in pantry.outcomes(1)] == ["recorded"]

    retype = (
        "ALTER TABLE shelf MODIFY amount decimal(10,2)"
        if kind == "mariadb"
        else "ALTER TABLE shelf ALTER amount TYPE numeric(10,2)"
    )
    widen = "MODIFY name varchar(200)" if kind == "mariadb" else "ALTER name TYPE varchar(200)"
    rename = "CHANGE note memo varchar(20)" if kind == "mariadb" else "RENAME note TO memo"
    pantry.execute(
        "ALTER TABLE shelf ADD COLUMN novel varchar(20) DEFAULT 'unread'",
        "INSERT INTO shelf VALUES (2, '乙', NULL, 'b', 2, 'new')",
        f"ALTER TABLE shelf {widen}",
        f"INSERT INTO shelf VALUES (3, '{'长' * 100}', NULL, 'c', 3, NULL)",
        f"ALTER TABLE shelf {rename}",
        "INSERT INTO shelf VALUES (4, '丁', NULL, 'd', 4, NULL)",
    )
    before = pantry.outcomes(4)
    assert [told(outcome) for outcome in before] == ["recorded", "recorded", "recorded", "missing_column"]
    assert raw(pantry, before[1]) == {"id": 2, "name": "乙", "sfzh": None, "note": "b", "amount": 2}
    assert raw(pantry, before[2])["name"] == "长" * 100
    assert isinstance(before[3], DeadLetter)
    assert "column note" in before[3].error
    assert "renkou dead-letters replay" in before[3].error
    notes = {
        difference.text.split(":")[0] for difference in check_source([pantry.feed], stack.dsn(pantry.name))
    }
    assert "column note is not in the table" in notes
    assert "column novel is neither named nor excluded" in notes

    # The feed follows the source: what was set aside becomes a record, without a value that nobody read.
    pantry.write_feed(without=("note",))
    mended = pantry.outcomes(4)
    assert [told(outcome) for outcome in mended] == ["recorded"] * 4
    assert raw(pantry, mended[3]) == {"id": 4, "name": "丁", "sfzh": None, "amount": 4}

    pantry.execute(
        retype,
        "INSERT INTO shelf VALUES (5, '戊', NULL, 'e', 5.5, NULL)",
        "ALTER TABLE shelf DROP COLUMN amount",
        "INSERT INTO shelf VALUES (6, '己', NULL, 'f', NULL)",
    )
    after = pantry.outcomes(6)
    assert [told(outcome) for outcome in after[4:]] == ["wrong_type", "missing_column"]
    pantry.write_feed(without=("note", "amount"))
    assert [told(outcome) for outcome in pantry.outcomes(6)] == ["recorded"] * 6

    # A column that the feed names is taken as soon as the connector has started again with it. What it captures until
    # then has no value of it, and is set aside.
    pantry.write_feed(without=("note", "amount"), extra=NOVEL)
    pantry.start_capture()
    for number in range(7, 7 + MOST_ROWS):
        pantry.execute(f"INSERT INTO shelf VALUES ({number}, '庚', NULL, 'g', 'taken')")
        final = pantry.outcomes(number)
        if told(final[-1]) == "recorded":
            break
        assert told(final[-1]) == "missing_column"
    assert raw(pantry, final[-1]) == {"id": number, "name": "庚", "sfzh": None, "novel": "taken"}
    assert told(final[1]) == "missing_column"
