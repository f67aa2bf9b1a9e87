"""Decisions from the terminal and from events files: into the log, and what they lead to in the store."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from avro.change import Place, RawEvent
from avro.codec import DecisionCodec
from avro.record import DeadLetter, Decision, DecisionKind, Mention, MentionPlace
from connectors.feeds import Catalog
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.errors import DecisionError
from streams.cli.app import build
from streams.decisions import check_form, decision_in, read_place, show_place
from streams.why import Why
from tests.unit.feed_rows import CASES
from tests.unit.linkage_world import record
from tests.unit.test_replay_all import created, key_of, message

FEED = Catalog.load().by_id("police.hj_ryjbxx")
ROW = CASES["police.hj_ryjbxx"].row
LEFT = MentionPlace("police", "hj_ryjbxx", key_of(FEED, {**ROW, "RYNBID": 1}), "self")
RIGHT = MentionPlace("police", "hj_ryjbxx", key_of(FEED, {**ROW, "RYNBID": 2}), "self")
DECISION = Decision("D1", DecisionKind.CANNOT_LINK, LEFT, RIGHT, "steward", "twins", 5)


def event(value: bytes) -> RawEvent:
    return RawEvent(Place("renkou.records", 0, 7), b"decision|D1", value, None, 0)


def test_places_are_read_as_they_are_shown() -> None:
    odd = MentionPlace("police", "hj", '{"a":"1|2|self|3"}', "self", 4)
    for place in (LEFT, odd):
        assert read_place(show_place(place)) == place
    for wrong in ("", "police|1|self|0", "police.hj|1|self", "police.hj|1|self|x"):
        with pytest.raises(DecisionError, match="as renkou reviews prints it"):
            read_place(wrong)


def test_decisions_survive_their_schema() -> None:
    codec = DecisionCodec()
    revoked = msgspec.structs.replace(
        DECISION, revoked_by="a", revoke_reason="b", revoked_at=9, overrides=("different_numbers",)
    )
    for decision in (DECISION, revoked):
        assert codec.decode(codec.encode(decision)) == decision


def test_what_is_no_decision_is_a_dead_letter() -> None:
    assert decision_in(event(msgspec.json.encode(DECISION))) == DECISION
    nameless = msgspec.structs.replace(DECISION, author=" ")
    for value in (b"", b"[]", b'{"decision_id":"D1"}', msgspec.json.encode(nameless), b"\xff"):
        letter = decision_in(event(value))
        assert isinstance(letter, DeadLetter)
        assert (letter.rule, letter.value) == ("malformed_decision", value)
        assert "twins" not in letter.error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"right": LEFT}, "names one twice"),
        ({"reason": ""}, "an id, an author and a reason"),
        ({"overrides": ("sex",)}, "different_numbers"),
        ({"revoked_at": 7}, "who, why and when"),
    ],
)
def test_a_decision_that_lacks_something_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(DecisionError, match=said):
        check_form(msgspec.structs.replace(DECISION, **change))


class Terminal:
    """The command line in this process, on one data folder."""

    def __init__(self, folder: Path) -> None:
        self._app, self._folder = build(), folder

    def __call__(self, *arguments: str, fails: str = "") -> str:
        result = CliRunner().invoke(self._app, [*arguments, "--data", str(self._folder)])
        assert result.exit_code == (1 if fails else 0), result.output
        assert fails in result.stderr
        return result.stdout

    def persons(self) -> list[str]:
        query = "SELECT person_id FROM identities ORDER BY key"
        return self("sql", query, "--format", "TSV").split()

    def state(self, decision_id: str) -> str:
        return self(
            "sql", f"SELECT state FROM decisions WHERE decision_id = '{decision_id}'", "--format", "TSV"
        ).strip()


def test_a_decision_parts_and_its_revocation_joins(tmp_path: Path) -> None:
    lines = [created(FEED, {**ROW, "RYNBID": number}, number) for number in (1, 2)]
    lines.append(message("renkou.records", 9, "decision|D1", json.loads(msgspec.json.encode(DECISION))))
    lines.append(message("renkou.records", 10, "decision|D2", {"decision_id": "D2"}))
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(lines), encoding="utf-8")
    renkou = Terminal(tmp_path / "data")
    summary = json.loads(renkou("replay", str(events), str(events)).splitlines()[-1])
    wanted = {"read": 8, "records": 3, "deletes": 0, "superseded": 3, "ignored": 0, "dead_letters": 2}
    assert summary == wanted, "the second time nothing changes"
    assert len(set(renkou.persons())) == 2
    ends = show_place(LEFT), show_place(RIGHT)
    renkou(
        "decide", *ends, "--same", "--reason", "one", fails="decision D1 says the opposite; revoke it first"
    )
    renkou(
        "decide",
        ends[0],
        ends[1].replace("|self|", "|mother|"),
        "--same",
        "--reason",
        "x",
        fails="not in the register",
    )
    renkou("decide", "--revoke", "D1", "--reason", "they are one", "--author", "another")
    assert renkou.state("D1") == "revoked"
    assert len(set(renkou.persons())) == 1
    made = json.loads(renkou("decide", *ends, "--same", "--reason", "one"))
    assert renkou.state(made["decision_id"]) == "in_force"
    assert renkou("reviews", "--json") == ""
    told = json.loads(renkou("why", *ends, "--json"))
    assert (told["same_person"], told["decision"]) == (True, made["decision_id"])
    assert "明显" not in renkou("why", *ends)
    assert "P0000000001" in renkou("why", renkou.persons()[0])
    renkou("why", "P0000000099", fails="there is no such person")


def test_the_route_tells_what_the_engine_knows(tmp_path: Path) -> None:
    one = Mention("self", name="王小芳", birth_date=3652)
    with DurableLinker(tmp_path, 1, {}) as linker:
        linker.open()
        linker.apply(
            [LogEntry(0, record("police.hj", "1", 1, one)), LogEntry(1, record("edu.xs", "2", 1, one))]
        )
        app = FastAPI()
        app.include_router(Why(linker).router)
        client = TestClient(app)
        pair = client.get("/v1/why", params={"left": "police.hj|1|self|0", "right": "edu.xs|2|self|0"})
        assert pair.status_code == 200
        assert pair.json()["same_person"]
        assert client.get("/v1/why", params={"left": "P0000000001"}).json()["state"] == "active"
        assert client.get("/v1/why", params={"left": "P0000000009"}).status_code == 404
        assert client.get("/v1/why", params={"left": "x", "right": "y"}).status_code == 422
