"""Long versions of what linking promises, on simulated registers of all types with many errors: ``make long-linking``.

Each prints what it has seen. ``RENKOU_SEED`` chooses other registers and other random choices.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import msgspec
import pytest

from avro.record import Decision, DecisionKind, LogValue, MentionPlace, Record
from connectors.feeds import Catalog
from linkage import frames
from linkage.durable import DurableLinker
from linkage.engine import Engine, LogEntry
from linkage.outputs import Output
from linkage.weights import UNIT
from linkage.why import Place, why_pair
from tests.support.registers import as_bytes, digest, owners, records, register_log
from tests.unit.test_linkage_why import sum_of

pytestmark = pytest.mark.long

SEED: Final = int(os.environ.get("RENKOU_SEED", "11"))
SHUFFLES: Final = 20
SIZES: Final = (1, 50, 500, 2000)
KILLS: Final = int(os.environ.get("RENKOU_KILLS", "100"))
KILLS_A_RUN: Final = 3
CASES: Final = 10_000
PAIRS: Final = 100_000
AUTHORITY: Final = Catalog.load(None).authority()


def batches(log: Sequence[LogEntry], size: int) -> list[Sequence[LogEntry]]:
    return [log[start : start + size] for start in range(0, len(log), size)]


def linker(folder: Path) -> DurableLinker:
    return DurableLinker(folder, 1, AUTHORITY, snapshot_entries=300)


def place_of(row: Record) -> MentionPlace:
    department, _, table = row.feed.partition(".")
    return MentionPlace(department, table, row.key, row.mentions[0].role, row.mentions[0].ordinal)


def whole(log: Sequence[LogEntry]) -> tuple[Engine, list[Output]]:
    engine = Engine(1, AUTHORITY)
    return engine, engine.apply(log)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[LogEntry]:
    return register_log(tmp_path_factory.mktemp("small") / "register", 100, SEED)


def test_shuffles_batches_and_crashes_give_one_clustering(small: list[LogEntry], tmp_path: Path) -> None:
    rng = random.Random(SEED)
    engine, outputs = whole(small)
    expected = records(engine, outputs)
    for shuffle in range(SHUFFLES):
        values = [entry.value for entry in small]
        rng.shuffle(values)
        log = [LogEntry(offset, value) for offset, value in enumerate(values)]
        engine, outputs = whole(log)
        assert records(engine, outputs) == expected
        once, state = as_bytes(outputs), digest(engine)
        for size in SIZES:
            folder = tmp_path / f"{shuffle}-{size}"
            parts = batches(log, size)
            crash = rng.randrange(len(parts))
            published: list[bytes] = []
            with linker(folder) as running:
                running.open()
                for place, part in enumerate(parts):
                    made = running.apply(part)
                    if place == crash:
                        break
                    published += as_bytes(made)
                    running.checkpoint()
            with linker(folder) as running:
                published += as_bytes(running.open())
                running.checkpoint()
                for part in parts[crash + 1 :]:
                    published += as_bytes(running.apply(part))
                    running.checkpoint()
                assert digest(running.engine) == state
            assert published == once
            shutil.rmtree(folder)
    print(f"\n{SHUFFLES} shuffles x {len(SIZES)} sizes, {len(small)} entries, {len(expected)} persons: equal")


def victim(folder: Path, log: Sequence[LogEntry], size: int) -> None:
    """Link a log in batches, each output put into a file before it is checkpointed."""
    told = folder / "told"
    told.mkdir(exist_ok=True)

    def tell(outputs: Sequence[Output], running: DurableLinker) -> None:
        number = len(list(told.glob("*.out")))
        part = told / f"{number:06}"
        part.write_bytes(b"".join([frames.pack(one) for one in as_bytes(outputs)]))
        part.rename(part.with_suffix(".out"))
        running.checkpoint()

    with linker(folder / "link") as running:
        tell(running.open(), running)
        for part in batches([entry for entry in log if entry.offset >= running.offset], size):
            tell(running.apply(part), running)


def kill_after(process: BaseProcess, seconds: float) -> bool:
    """Kill the process unless it ends before; return whether it was killed."""
    process.join(seconds)
    if process.exitcode is not None:
        assert process.exitcode == 0
        return False
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return True


def test_kills_change_neither_state_nor_outputs(small: list[LogEntry], tmp_path: Path) -> None:
    rng = random.Random(SEED)
    engine, outputs = whole(small)
    once, state = as_bytes(outputs), digest(engine)
    spawn = multiprocessing.get_context("fork").Process
    started = time.monotonic()
    (tmp_path / "undisturbed").mkdir()
    victim(tmp_path / "undisturbed", small, 50)
    lasts = time.monotonic() - started
    kills = 0
    while kills < KILLS:
        folder = tmp_path / "killed"
        folder.mkdir()
        size = rng.choice(SIZES[1:3])
        for _ in range(KILLS_A_RUN):
            process = spawn(target=victim, args=(folder, small, size))
            process.start()
            if not kill_after(process, rng.uniform(0, lasts)):
                break
            kills += 1
        victim(folder, small, size)
        said = b"".join([path.read_bytes() for path in sorted((folder / "told").glob("*.out"))])
        told = [bytes(payload) for _, payload in frames.frames(said)]
        assert list(dict.fromkeys(told)) == once
        with linker(folder / "link") as running:
            again = as_bytes(running.open())
            # The last checkpoint is noted with the batch behind it: what was told last is told once more.
            assert again == once[len(once) - len(again) :]
            assert digest(running.engine) == state
        shutil.rmtree(folder)
    print(f"\n{kills} kills, {len(small)} entries: state and outputs are those of the undisturbed run")


def test_deletes_and_revoked_decisions_are_as_if_never_seen(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    log = register_log(tmp_path / "register", 400, SEED)
    true = owners(tmp_path / "register")
    families: dict[str, dict[tuple[str, str], Record]] = {}
    newest = {
        (entry.value.feed, entry.value.key): entry.value for entry in log if isinstance(entry.value, Record)
    }
    for (feed, key, _, _), person in true.items():
        record = newest.get((feed, key))
        if (
            record is not None
            and not record.is_deleted
            and not any(said.unchanged for said in record.mentions)
        ):
            families.setdefault(person.partition("-")[0], {})[feed, key] = record
    chosen = [list(rows.values()) for _, rows in sorted(families.items()) if len(rows) >= 4]
    moved = 0
    for case in range(CASES):
        rows = rng.choice(chosen)
        base = rng.sample(rows, min(len(rows) - 1, 12))
        stranger = rng.choice([row for row in rows if row not in base])
        clean = [msgspec.structs.replace(row, previous_key=None, unchanged=()) for row in base]
        engine, outputs = whole([LogEntry(*entry) for entry in enumerate(clean)])
        expected = records(engine, outputs)
        place = rng.randrange(len(clean) + 1)
        if case % 2:
            extra = msgspec.structs.replace(stranger, previous_key=None, unchanged=())
            gone = msgspec.structs.replace(extra, version=extra.version + 1, is_deleted=True, mentions=())
            events: list[LogValue] = [*clean[:place], extra, *clean[place:], gone]
        else:
            ends = [place_of(row)
                    for row in rng.sample(base, 2) if row.mentions]  # fmt: skip
            if len(ends) < 2:
                continue
            kind = rng.choice(list(DecisionKind))
            decision = Decision(f"D{case}", kind, ends[0], ends[1], "steward", "by mistake", 1)
            revoked = msgspec.structs.replace(
                decision, revoked_by="steward", revoke_reason="a mistake", revoked_at=2
            )
            events = [*clean[:place], decision, *clean[place:], revoked]
        engine, outputs = whole([LogEntry(*entry) for entry in enumerate(events)])
        assert records(engine, outputs) == expected, case
        moved += engine.state.next_person - 1 > len(expected)
    print(f"\n{CASES} cases, {moved} of which had merged or split somebody meanwhile: equal")


def test_why_is_the_engine_s_own_score(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    engine, _ = whole(register_log(tmp_path / "register", 800, SEED))
    state = engine.state
    mentions = sorted(
        [one for person in state.persons.values() for one in person.mentions], key=lambda one: one.place
    )
    seen = kept = 0
    while seen < PAIRS:
        one = rng.choice(mentions)
        edges = dict(state.graph.edges(one.node))
        near = [*edges, *state.graph.candidates(one.node)]
        others = [rng.choice(state.graph.members[node]) for node in rng.sample(near, min(len(near), 4))]
        for other in [*others, rng.choice(mentions)]:
            if other is one:
                continue
            spots = [
                Place(place.feed, place.key, place.role, place.ordinal) for place in (one.place, other.place)
            ]
            pair = why_pair(engine, *spots)
            assert pair is not None
            assert abs(sum_of(pair) - pair.score) <= 1e-9
            assert pair.same_person == (one.person is other.person)
            if one.node != other.node:
                assert abs(pair.score - state.graph.score(one.node, other.node) / UNIT) <= 1e-9
                edge = edges.get(other.node)
                if edge is not None:
                    kept += 1
                    assert abs(pair.score - edge / UNIT) <= 1e-9
            seen += 1
    print(f"\n{seen} pairs, {kept} with a score in the graph: equal")
