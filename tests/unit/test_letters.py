"""Dead letters of a store: listed without personal data, sent again after a fix, never ahead of a newer change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from avro.change import Place, RawEvent, carried
from avro.envelope import EnvelopeDecoder
from avro.record import DeadLetter, letter_version
from connectors.clickhouse.letters import LetterId
from connectors.errors import LetterError
from connectors.feeds import Catalog
from streams.cli.app import build
from streams.letters import HubPost, Reader
from streams.letters import replay as replay_letters
from streams.normalize import Normalizer, dead_letter_headers, read_dead_letter
from tests.support import deliveries, file_feeds

NAME = "王芳"


class Store:
    """A folder of feeds and a store without a hub, by the command line."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.feeds = file_feeds.write(folder / "feeds")
        self.data = folder / "data"
        monkeypatch.setenv("RENKOU_FEEDS", str(self.feeds))
        monkeypatch.delenv("RENKOU_BROKER", raising=False)

    def run(self, *arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(build(), [*arguments, "--data", str(self.data)])
        assert done.exit_code == code, done.output
        return done

    def load(self, kind: str, content: bytes, records: int, date: str, *options: str) -> dict[str, int]:
        path = deliveries.deliver(self.folder, kind, content, records, date)
        done = self.run("load", f"works.{kind}", str(path), *options)
        summary: dict[str, int] = json.loads(done.stdout)
        return summary

    def query(self, text: str) -> list[dict[str, Any]]:
        output = self.run("sql", text, "--format", "JSONEachRow").stdout
        return [json.loads(line) for line in output.splitlines()]

    def letters(self, state: str = "open") -> list[dict[str, Any]]:
        output = self.run("dead-letters", "list", "--json", "--state", state).stdout
        return [json.loads(line) for line in output.splitlines()]


def grant(op: str, number: str, name: str) -> dict[str, object]:
    return {"op": op, "no": number, "who": {"name": name, "number": None}}


def test_letters_are_sent_again_after_the_cause_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, monkeypatch)
    lines = [grant("A", "1", NAME), grant("Z", "2", NAME), grant("Z", "3", NAME), grant("Q", "4", NAME)]
    summary = store.load("grants", deliveries.grants(lines), 4, "20240101")
    assert (summary["records"], summary["dead_letters"]) == (1, 3)
    store.load("grants", deliveries.grants([grant("U", "3", "李四")]), 1, "20240102")
    listed = store.letters()
    assert [(one["feed"], one["stage"], one["rule"]) for one in listed] == [
        ("works.grants", "load", "unknown_op")
    ] * 3
    assert NAME not in json.dumps(listed, ensure_ascii=False)
    first = listed[0]["id"]
    assert first == "file.works.grants/0/2024010100100000002"
    assert NAME in store.run("dead-letters", "show", first).output
    assert (store.data / "logs" / "audit.jsonl").read_text().count("dead-letters show") == 1

    failed = store.run("dead-letters", "replay", "--feed", "works.grants", code=1)
    assert json.loads(failed.stdout.splitlines()[-1]) == {
        "chosen": 3, "replayed": 0, "discarded": 0, "unreadable": 3,
    }  # fmt: skip
    assert "still cannot be read: unknown_op" in failed.stderr
    assert NAME not in failed.output

    feed_file = store.feeds / "works.yaml"
    feed_file.write_text(feed_file.read_text(encoding="utf-8").replace("update: U", "update: Z"), "utf-8")
    partly = store.run("dead-letters", "replay", "--all", code=1)
    assert json.loads(partly.stdout.splitlines()[-1]) == {
        "chosen": 3, "replayed": 2, "discarded": 0, "unreadable": 1,
    }  # fmt: skip
    found = store.query("SELECT key, name, `offset` FROM works_grants ORDER BY key")
    assert [(row["key"], row["name"], int(row["offset"])) for row in found] == [
        ('{"no":"1"}', NAME, 20240101_001_00000001),
        ('{"no":"2"}', NAME, 20240101_001_00000002),
        ('{"no":"3"}', "李四", 20240102_001_00000001),  # the letter is older: it changed nothing
    ]
    discarded = store.run("dead-letters", "discard", listed[2]["id"])
    assert json.loads(discarded.stdout)["discarded"] == 1
    assert [one["state"] for one in store.letters("any")] == ["replayed", "replayed", "discarded"]


def test_a_line_of_a_full_delivery_that_is_read_later_is_known_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, monkeypatch)
    content = deliveries.roll([("1", NAME, ""), ("2", NAME, "")]).replace(b"\r\n2,", b"\r\n,")
    assert store.load("roll", content, 2, "20240101")["dead_letters"] == 1
    feed_file = store.feeds / "works.yaml"
    # With the name for a key the line has one.
    feed_file.write_text(
        feed_file.read_text(encoding="utf-8").replace("key: [编号]", "key: [姓名]"), encoding="utf-8"
    )
    replayed = store.run("dead-letters", "replay", "--rule", "missing_key")
    assert json.loads(replayed.stdout)["replayed"] == 1
    assert {row["key"] for row in store.query("SELECT key FROM works_roll")} == {
        '{"编号":"1"}',
        f'{{"姓名":"{NAME}"}}',
    }
    later = store.load("roll", deliveries.roll([("9", "赵六", "")]), 1, "20240108", "--confirm-deletes")
    assert (later["records"], later["deletes"]) == (1, 1)
    assert f'{{"姓名":"{NAME}"}}' not in {row["key"] for row in store.query("SELECT key FROM works_roll")}


class Posted:
    """What a producer was given."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None) -> None:
        self.sent.append((topic, key, value, list(headers)))

    def flush(self) -> None:
        self.sent.append("flush")


@pytest.fixture
def normalizer(tmp_path: Path) -> tuple[Catalog, Normalizer]:
    catalog = file_feeds.catalog(tmp_path / "feeds")
    return catalog, Normalizer(catalog, EnvelopeDecoder(None))


def test_into_a_hub_the_event_goes_first_and_its_state_behind_it(
    tmp_path: Path, normalizer: tuple[Catalog, Normalizer]
) -> None:
    catalog, works = normalizer
    event = RawEvent(Place("file.works.roll", 0, 7), b"{}", b'{"no":', [("x", b"y")], 55)
    (dead,) = works.process(event)
    assert isinstance(dead, DeadLetter)
    mended = DeadLetter(**{**vars_of(dead), "value": '{"编号":"1"}'.encode()})
    posted = Posted()
    reader = Reader(catalog, works, tmp_path)
    done = list(replay_letters([[mended]], reader, HubPost(posted), 1_000))  # type: ignore[arg-type]
    assert done == [(LetterId("file.works.roll", 0, 7), "")]
    (topic, _, value, headers), flushed, (letters, *_, states), _ = posted.sent
    assert (topic, value, flushed, letters) == (
        "file.works.roll", mended.value, "flush", "renkou.dead-letters",
    )  # fmt: skip
    there = carried(RawEvent(Place(topic, 0, 99), b"{}", value, headers, 2_000))
    assert (there.place, there.timestamp) == (event.place, 55)
    decided = read_dead_letter(b"{}", value, states)
    assert (decided.state, decided.state_version) == ("replayed", letter_version(1_000, failed=False))
    assert (decided.offset, decided.headers) == (7, [("x", b"y")])

    # Should the hub still not read it, the letter is open again, at the same place.
    broken = RawEvent(there.place, there.key, b"{", there.headers, there.timestamp)
    (again,) = works.process(broken)
    assert isinstance(again, DeadLetter)
    assert (again.state, again.offset, again.headers) == ("open", 7, [("x", b"y")])
    assert decided.state_version < again.state_version < letter_version(1_001, failed=False)


def vars_of(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in DeadLetter.__struct_fields__}


def test_a_letter_survives_its_headers() -> None:
    letter = DeadLetter(
        "works.roll", "t", 3, 9, "normalize", "not_json", "why", b"k", None, [("a", None)], 5, "discarded", 88
    )
    assert read_dead_letter(b"k", None, dead_letter_headers(letter)) == letter
    older = [header for header in dead_letter_headers(letter) if "state" not in header[0]]
    assert read_dead_letter(b"k", None, older).state == "open"


@pytest.mark.parametrize("text", ["", "t/0", "t/0/x", "t/-1/3", "a/b/0/1", "/0/1", "t/0/" + "9" * 30])
def test_what_is_no_letters_name_is_said(text: str) -> None:
    with pytest.raises(LetterError, match="TOPIC/PARTITION/OFFSET"):
        LetterId.parse(text)


def test_replay_and_discard_want_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, monkeypatch)
    assert "--all" in store.run("dead-letters", "replay", code=1).stderr
    assert "not both" in store.run("dead-letters", "discard", "t/0/1", "--all", code=1).stderr
