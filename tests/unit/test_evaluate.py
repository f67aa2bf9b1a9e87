"""An evaluation from end to end: events, the store they lead to, and the figures against their truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import msgspec
import numpy as np
import pytest

from connectors.simulate import Population, write_events
from connectors.simulate.changer import Changer
from connectors.simulate.events import CHANGES, SNAPSHOT, TRUTH
from connectors.simulate.tables import DEPARTMENTS, Key
from connectors.simulate.truth import Truth
from linkage.engine import Engine
from linkage.evaluation import Contingency
from linkage.state import MentionState
from linkage.weights import UNIT
from streams import settings
from streams.cli.link import open_linker
from streams.curve import curve, drawn
from streams.evaluation import Line, TruthError, compact, evaluate, feeds_of, lines_at, read_labelled

LINE = {"department": "police", "table": "hj", "key": '{"HH":1}', "role": "self", "ordinal": 0, "person": "a"}


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


def identity(key: str, person: str) -> dict[str, Any]:
    """A line of identities as the store prints them."""
    return LINE | {"key": key, "person": "", "person_id": person}


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments], capture_output=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    write_events(folder / "events", Population(3, 100), 40)
    events = [str(folder / "events" / name) for name in (SNAPSHOT, CHANGES)]
    done = run("replay", *events, "--data", str(folder / "store"))
    assert done.returncode == 0, done.stderr.decode()
    # Each of the 32 types is understood.
    assert json.loads(done.stdout)["dead_letters"] == 0
    return folder


def test_the_stores_persons_against_the_truth(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "events" / TRUTH).read_bytes().splitlines()]
    # A truth that says of one mention of somebody well known that it is of another person: the store errs there.
    by_person = Counter(line["person"] for line in lines)
    somebody = by_person.most_common(1)[0][0]
    wrong = next(number for number, line in enumerate(lines) if line["person"] == somebody)
    lines[wrong]["person"] = "somebody else"
    truth = write(folder / "truth.jsonl", *lines)
    done = run("evaluate", "--truth", str(truth), "--data", str(folder / "store"), "--json")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    report = found["report"]
    assert report["scores"]["mentions"] == len(lines)
    # Every mention has an identity, and the store has no others: keys and roles agree to the last one.
    assert (report["unlinked"], report["unknown"]) == (0, 0)
    assert report["scores"]["pair_precision"]["value"] > 0.9
    assert sum(one["mentions"] for one in report["by_feed"].values()) == len(lines)
    assert report["by_subgroup"]["child"]["mentions"] > 0
    merges = [
        error
        for error in found["worst"]
        if error["kind"] == "merge" and wrong + 1 in [member["line"] for member in error["members"]]
    ]
    assert len(merges) == 1 or report["scores"]["pair_recall"]["value"] < 1
    for error in found["worst"]:
        assert set(error["same"] + error["differ"] + error["absent"])
        assert error["members"][0]["key"] is None
    # Nothing that identifies anybody is printed.
    assert not [line for line in lines if line["person"] in done.stdout.decode()]

    shown = run("evaluate", "--truth", str(truth), "--data", str(folder / "store"), "--show-values")
    assert b"missing_number" in shown.stdout
    assert not found["worst"] or b"birth_date=" in shown.stdout


def test_wrong_files_are_named_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=r"truth\.jsonl: line 2 names a mention that an earlier line names"):
        read_labelled(write(tmp_path / "truth.jsonl", LINE, LINE))
    with pytest.raises(TruthError, match="line 1 names no person"):
        read_labelled(write(tmp_path / "nobody.jsonl", LINE | {"person": ""}))
    (tmp_path / "broken.jsonl").write_text('{"department": "secret"')
    with pytest.raises(TruthError, match="line 1 is no line of a truth") as error:
        read_labelled(tmp_path / "broken.jsonl")
    assert "secret" not in str(error.value)
    (tmp_path / "truth.csv").write_text("department,table\npolice,hj\n")
    with pytest.raises(TruthError, match="line 2 is no line of a truth"):
        read_labelled(tmp_path / "truth.csv")


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    lines = write(
        tmp_path / "truth.jsonl",
        LINE | {"subgroups": ["child", "twin"]},
        LINE | {"role": "spouse", "person": "b"},
    )
    table = tmp_path / "truth.csv"
    table.write_text(
        "department,table,key,role,ordinal,person,subgroups\n"
        'police,hj,"{""HH"": 1}",self,,a,child|twin\n'
        'police,hj,"{""HH"": 1}",spouse,0,b,\n'
    )
    one, other = read_labelled(lines), read_labelled(table)
    assert np.array_equal(one.places, other.places)
    assert np.array_equal(one.persons, other.persons)
    assert np.array_equal(one.masks, other.masks)
    assert one.groups == other.groups == ("child", "twin")
    assert lines_at(table, [1])[1].whom == "b"
    assert compact('{"a": "x y", "b": 1}') == '{"a":"x y","b":1}'
    assert compact("no json") == "no json"


def test_a_history_is_folded(tmp_path: Path) -> None:
    history = write(
        tmp_path / "mentions.jsonl",
        LINE | {"op": "c"},
        LINE | {"op": "c", "key": '{"HH":2}', "person": "b"},
        LINE | {"op": "c", "key": '{"HH":3}', "person": "c"},
        LINE | {"op": "k", "key": '{"HH":4}', "previous_key": '{"HH":2}', "person": "b"},
        LINE | {"op": "d", "key": '{"HH":3}', "person": "c"},
    )
    final = write(tmp_path / "truth.jsonl", LINE, LINE | {"key": '{"HH":4}', "person": "b"})
    one, other = read_labelled(history), read_labelled(final)
    assert np.array_equal(one.places, other.places)
    assert len(set(one.persons.tolist())) == 2


def test_unlinked_unknown_and_the_previous_state(tmp_path: Path) -> None:
    keys = [f'{{"HH":{number}}}' for number in range(6)]
    truth = write(
        tmp_path / "truth.jsonl",
        *(LINE | {"key": key, "person": person} for key, person in zip(keys[:5], "aabbb", strict=True)),
    )
    linked = write(
        tmp_path / "now.jsonl",
        *(
            LINE | {"key": key, "person": "", "person_id": p}
            for key, p in zip((*keys[:4], keys[5]), "xxyzz", strict=True)
        ),
    )
    before = write(
        tmp_path / "before.jsonl",
        *(identity(key, person) for key, person in zip(keys[:4], "xwvv", strict=True)),
    )
    expected = read_labelled(truth)
    found = evaluate(expected, read_labelled(linked), feeds_of(truth, expected), read_labelled(before))
    report = found.report
    assert (report.unlinked, report.unknown) == (1, 1)
    assert (report.scores.true_pairs, report.scores.linked_pairs, report.scores.right_pairs) == (4, 1, 1)
    assert (report.merged_since, report.split_since) == (1, 1)
    (worst,) = found.worst(3)
    assert (worst.kind, worst.wrong_pairs, worst.members) == ("split", 3, (2, 3, 4))


def test_the_history_beside_simulated_databases_is_a_truth(tmp_path: Path) -> None:
    population = Population(5, 100)
    left: dict[tuple[str, Key, str], str] = {}
    with Truth(tmp_path, 5, 100, DEPARTMENTS) as truth:
        for family in population.everybody():
            truth.add_family(family)
            for entry in family.entries:
                if entry.table.channel in DEPARTMENTS:
                    left |= {(entry.table.id, entry.key, one.role): one.person.ident for one in entry.named}
        truth.filled(population.census)
        changer = Changer(population)
        for _ in range(200):
            transactions = changer.next()
            truth.committed(transactions)
            for fact in (fact for transaction in transactions for fact in transaction.facts):
                if fact.table.channel in DEPARTMENTS:
                    left.pop((fact.table.id, fact.previous_key or fact.key, fact.role), None)
                    if fact.op != "d":
                        left[fact.table.id, fact.key, fact.role] = fact.person
    found = read_labelled(tmp_path / "mentions.jsonl")
    assert len(found.places) == len(left)
    assert len(set(found.persons.tolist())) == len(set(left.values()))
    assert {"child", "migrant", "missing_number"} <= set(found.groups)


def test_the_curve_is_that_of_the_state(folder: Path) -> None:
    truth = read_labelled(folder / "events" / TRUTH)
    options = settings.load(folder / "store")
    with open_linker(options) as engine:
        points = curve(engine.state, truth)
        picture = drawn(points, engine.state.graph.scorer.link / UNIT)
        linked = [one.person.number for one in _at(engine, folder / "events" / TRUTH) if one.person]
    scores = Contingency(truth.persons, np.array(linked, dtype=np.int64)).scores(replicates=1)
    (there,) = [point for point in points if point.threshold == 0]
    assert (there.precision, there.recall) == (scores.pair_precision.value, scores.pair_recall.value)
    assert [point.threshold for point in points] == sorted({point.threshold for point in points})
    recalls = [point.recall or 0 for point in points]
    assert recalls[0] > recalls[-1], "a stricter threshold misses more"
    root = fromstring(picture)
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 2 * len(points)


def _at(engine: Engine, path: Path) -> list[MentionState]:
    """The linker's mentions in the order of the labelled ones."""
    lines = [Line(**{k: v for k, v in json.loads(text).items() if k in Line.__struct_fields__})
             for text in path.read_bytes().splitlines()]  # fmt: skip
    found = [
        engine.state.mention(f"{line.department}.{line.table}", line.key, line.role, line.ordinal)
        for line in sorted(lines, key=Line.place)
    ]
    return [one for one in found if one is not None]
