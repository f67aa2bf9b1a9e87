"""The durable linker: killed at every system call, its files cut and damaged at every place, its disk
full."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from avro.record import Mark, Mention, Record
from linkage import frames
from linkage.durable import DurableLinker
from linkage.engine import LogEntry
from linkage.errors import (
    LinkerClosedError,
    OffsetError,
    StateDamagedError,
    StateIncompatibleError,
    StateLockedError,
    StateWriteError,
)
from linkage.outputs import Disposition, Output, PassedMark, PersonChange
from linkage.resolve import Step
from tests.unit.linkage_world import (
    AUTHORITY,
    FEEDS,
    NAMES,
    NUMBERS,
    Source,
    Tables,
    live_mentions,
    numbered,
    record,
)

EPOCH = 4
BATCH = 3
SEED = 20240711


def history(length: int = 24) -> list[LogEntry]:
    """A seeded log with every kind of entry."""
    rng = random.Random(SEED)
    source = Source()
    for step in range(length):
        feed, key = rng.choice(FEEDS), rng.choice("123")
        people = tuple(
            [
                Mention(
                    role,
                    name=rng.choice(NAMES),
                    id_number=rng.choice(NUMBERS[:2]),
                    birth_date=rng.choice((3652, None)),
                )
                for role in ("self", "mother")[: rng.randint(1, 2)]
            ]
        )
        free = [new for new in "1234" if (feed, new) not in source.rows]
        if step == length // 2:
            source.truncate(FEEDS[0])
        elif (feed, key) in source.rows and free and rng.random() < 0.5:
            source.rekey(feed, key, rng.choice(free), people, rng.random() < 0.5)
        elif (feed, key) in source.rows and rng.random() < 0.3:
            source.delete(feed, key)
        else:
            source.put(feed, key, people)
    return numbered(source.events)


LOG = history()


def batches(log: Sequence[LogEntry], size: int = BATCH) -> list[Sequence[LogEntry]]:
    return [log[start : start + size] for start in range(0, len(log), size)]


def linker(
    folder: Path,
    snapshot_entries: int = 100_000,
    snapshot_bytes: int = 256 << 20,
    fork_mentions: int = 1 << 40,
) -> DurableLinker:
    return DurableLinker(
        folder,
        EPOCH,
        AUTHORITY,
        snapshot_entries=snapshot_entries,
        snapshot_bytes=snapshot_bytes,
        fork_mentions=fork_mentions,
    )


def as_bytes(outputs: Sequence[Output]) -> list[bytes]:
    result = []
    for output in outputs:
        if isinstance(output, PassedMark):
            result.append(repr(output).encode())
        elif isinstance(output, Disposition):
            result.append(msgspec.msgpack.encode(output))
        else:
            result.append(repr(sorted(output.to_avro().items())).encode())
    return result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """All outputs of `LOG`, taken in without a disturbance."""
    with linker(tmp_path_factory.mktemp("undisturbed") / "link") as running:
        assert running.open() == []
        return as_bytes([output for batch in batches(LOG) for output in running.apply(batch)])


def test_the_log_is_what_the_oracle_says(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
        tables = Tables().add(running.apply(LOG))
        tables.check(live_mentions([e.value for e in LOG if isinstance(e.value, Record | Mark)]))


@pytest.mark.parametrize("snapshot_entries", [1, 7, 1000])
def test_restarts_change_nothing(tmp_path: Path, undisturbed: list[bytes], snapshot_entries: int) -> None:
    outputs: list[Output] = []
    for batch in batches(LOG):
        with linker(tmp_path, snapshot_entries=snapshot_entries) as running:
            recovered = running.open()
            assert as_bytes(recovered) == as_bytes(outputs[len(outputs) - len(recovered) :])
            outputs += running.apply(batch)
            assert running.offset == batch[-1].offset + 1
            running.checkpoint()
    assert as_bytes(outputs) == undisturbed
    kinds = sorted([name.partition("-")[0] for name in os.listdir(tmp_path)])
    assert kinds == ["lock", "log", "snapshot"]


def test_unpublished_outputs_come_again_and_published_ones_do_not(tmp_path: Path) -> None:
    first, second, third, *_ = batches(LOG)
    with linker(tmp_path) as running:
        running.open()
        running.apply(first)
        running.checkpoint()
        expected = running.apply(second) + running.apply(third)
        assert list(running.unpublished) == expected
    for _ in range(2):
        with linker(tmp_path) as running:
            recovered = running.open()
            assert as_bytes(recovered) == as_bytes(expected)
            assert list(running.unpublished) == recovered
    with linker(tmp_path) as running:
        running.open()
        running.checkpoint()
        running.snapshot()
    with linker(tmp_path) as running:
        assert running.open() == []


def test_redelivered_entries_are_skipped(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
        outputs = running.apply(LOG[:6])
        assert running.apply(LOG[:6]) == []
        outputs += running.apply(LOG[3:9])
        with pytest.raises(OffsetError):
            running.apply([LOG[12], LOG[10]])
        outputs += running.apply(LOG[9:])
    with linker(tmp_path / "other") as running:
        running.open()
        assert as_bytes(running.apply(LOG)) == as_bytes(outputs)


def test_log_cut_at_any_byte(tmp_path: Path, undisturbed: list[bytes]) -> None:
    with linker(tmp_path / "whole") as running:
        running.open()
        for batch in batches(LOG):
            running.apply(batch)
    path = tmp_path / "whole" / "log-00000000"
    data = path.read_bytes()
    ends = [end for end, _ in frames.frames(data)]
    rng = random.Random(SEED)
    near = {end + shift for end in ends for shift in (-1, 0, 1, frames.HEADER_BYTES)}
    cuts = sorted(
        (near | {rng.randrange(ends[0], len(data)) for _ in range(80)}) & set(range(ends[0], len(data) + 1))
    )
    for cut in cuts:
        folder = tmp_path / "cut"
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(folder / "log-00000000", cut)
        with linker(folder) as running:
            recovered = running.open()
            kept = sum(end <= cut for end in ends) - 1
            assert running.offset == (batches(LOG)[kept - 1][-1].offset + 1 if kept else 0)
            assert (
                as_bytes(recovered + running.apply([e for e in LOG if e.offset >= running.offset]))
                == undisturbed
            )
        shutil.rmtree(folder)


def test_torn_end_of_zeros_or_rubbish_is_dropped(tmp_path: Path, undisturbed: list[bytes]) -> None:
    rubbish = random.Random(SEED).randbytes(3000)
    for number, tail in enumerate(
        (b"\0" * 5000, rubbish, frames.MAGIC + b"\0" * 40, frames.pack(rubbish)[:-1])
    ):
        folder = tmp_path / str(number)
        with linker(folder) as running:
            running.open()
            outputs = running.apply(LOG[:12])
        with (folder / "log-00000000").open("ab") as file:
            file.write(tail)
        with linker(folder) as running:
            assert as_bytes(running.open()) == as_bytes(outputs)
            outputs += running.apply(LOG[12:])
        with linker(folder) as running:
            assert as_bytes(running.open()) == as_bytes(outputs) == undisturbed


def test_any_damaged_byte_before_the_last_frame_is_refused(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
        for batch in batches(LOG):
            running.apply(batch)
    path = tmp_path / "log-00000000"
    data = path.read_bytes()
    *_, last, _ = [end for end, _ in frames.frames(data)]
    rng = random.Random(SEED)
    for place in [0, 4, 8, 12, *[rng.randrange(last) for _ in range(60)]]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        with (
            linker(tmp_path) as running,
            pytest.raises(StateDamagedError, match=r"log-00000000.*raise the epoch"),
        ):
            running.open()
    path.write_bytes(data)
    with linker(tmp_path) as running:
        running.open()


def test_any_damaged_byte_of_a_snapshot_is_refused(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
        running.apply(LOG)
        running.checkpoint()
        running.snapshot()
    path = tmp_path / "snapshot-00000001"
    data = path.read_bytes()
    ends = [end for end, _ in frames.frames(data)]
    rng = random.Random(SEED)
    damaged = [
        data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        for place in rng.sample(range(len(data)), 60)
    ]
    damaged += [data[:cut] for cut in (0, 3, *ends[:-1], *rng.sample(range(len(data)), 20))] + [data + b"\0"]
    for content in damaged:
        path.write_bytes(content)
        with linker(tmp_path) as running, pytest.raises(StateDamagedError, match="snapshot-00000001"):
            running.open()


def test_missing_or_foreign_files_are_refused(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
        running.apply(LOG[:6])
        running.checkpoint()
        running.snapshot()
        running.apply(LOG[6:])
    log, snapshot = tmp_path / "log-00000001", tmp_path / "snapshot-00000001"
    kept = log.read_bytes()
    log.unlink()
    with linker(tmp_path) as running, pytest.raises(StateDamagedError):
        running.open()
    other = tmp_path / "other"
    with linker(other) as running:
        running.open()
    log.write_bytes((other / "log-00000000").read_bytes())
    with linker(tmp_path) as running, pytest.raises(StateDamagedError):
        running.open()
    log.write_bytes(kept)
    snapshot.unlink()
    with linker(tmp_path) as running, pytest.raises(StateDamagedError):
        running.open()


def test_other_epoch_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
    with pytest.raises(StateIncompatibleError, match=r"epoch 4, the setting is 5.*remove the folder"):
        DurableLinker(tmp_path, 5, AUTHORITY).open()


def test_other_weights_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with linker(tmp_path) as running:
        running.open()
    monkeypatch.setattr("linkage.snapshot.tables_digest", lambda: "another")
    with pytest.raises(StateIncompatibleError, match=r"other tables of weights.*raise the epoch"):
        linker(tmp_path).open()


def test_other_format_is_refused_before_anything_else_is_read(tmp_path: Path) -> None:
    with linker(tmp_path) as running:
        running.open()
    path = tmp_path / "snapshot-00000000"
    path.write_bytes(frames.pack(msgspec.msgpack.encode({"format": 99, "unknown": True})))
    with pytest.raises(StateIncompatibleError, match="format 99"):
        linker(tmp_path).open()


def test_folder_is_private_and_locked(tmp_path: Path) -> None:
    folder = tmp_path / "link"
    with linker(folder) as running:
        running.open()
        with linker(folder) as other, pytest.raises(StateLockedError, match="another process"):
            other.open()
        with pytest.raises(LinkerClosedError):
            running.open()
        assert folder.stat().st_mode & 0o077 == 0
        assert all((folder / name).stat().st_mode & 0o077 == 0 for name in os.listdir(folder))
    with pytest.raises(LinkerClosedError):
        running.apply(LOG[:1])
    with linker(folder) as other:
        other.open()


def test_another_authority_survives_a_restart(tmp_path: Path) -> None:
    person = Mention("self", name="王小芳", id_number=NUMBERS[0], birth_date=1)
    renamed = msgspec.structs.replace(person, name="王晓芳")
    start = numbered([record(FEEDS[0], "1", 1, person), record(FEEDS[2], "2", 1, renamed)])
    with linker(tmp_path) as running:
        running.open()
        running.apply(start)
        running.checkpoint()
        running.snapshot()
    other = {"name": (FEEDS[2],)}
    for _ in range(2):
        with DurableLinker(tmp_path, EPOCH, other) as running:
            assert running.open() == []
    with DurableLinker(tmp_path, EPOCH, other) as running:
        running.open()
        outputs = running.apply([LogEntry(9, record(FEEDS[1], "5", 1))])
        assert [o.to_avro()["name"] for o in outputs if isinstance(o, PersonChange)] == ["王晓芳"]
    with DurableLinker(tmp_path, EPOCH, other) as running:
        assert as_bytes(running.open()) == as_bytes(outputs)


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Let the kernel refuse every write beyond ``size`` bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_applies_nothing_and_can_be_repeated(tmp_path: Path, undisturbed: list[bytes]) -> None:
    with linker(tmp_path) as running:
        running.open()
        outputs = running.apply(LOG[:9])
        size = (tmp_path / "log-00000000").stat().st_size
        for room in (0, 1, 20, 200):
            with small_disk(size + room), pytest.raises(StateWriteError, match="make room") as caught:
                running.apply(LOG[9:])
            assert isinstance(caught.value.__cause__, OSError)
            assert caught.value.__cause__.errno == errno.EFBIG
            assert running.offset == LOG[8].offset + 1
            assert (tmp_path / "log-00000000").stat().st_size == size
        outputs += running.apply(LOG[9:])
        assert as_bytes(outputs) == undisturbed
    with linker(tmp_path) as running:
        assert as_bytes(running.open()) == undisturbed


def test_full_disk_at_a_snapshot_goes_on_without_it(tmp_path: Path, undisturbed: list[bytes]) -> None:
    with linker(tmp_path, snapshot_entries=6) as running:
        running.open()
        outputs = running.apply(LOG[:9])
        with small_disk(900), pytest.raises(StateWriteError, match="snapshot"):
            running.checkpoint()
        assert not [name for name in os.listdir(tmp_path) if name.endswith(".new")]
        outputs += running.apply(LOG[9:12])
        running.checkpoint()
        assert (tmp_path / "snapshot-00000001").exists()
        outputs += running.apply(LOG[12:])
        assert as_bytes(outputs) == undisturbed


def test_a_copy_of_the_process_writes_the_snapshot(tmp_path: Path, undisturbed: list[bytes]) -> None:
    """Whether it is there, was never begun or was killed half way: the same outputs, and nothing is left behind."""
    outputs: list[Output] = []
    snapshots = set()
    for place, batch in enumerate(batches(LOG)):
        with linker(tmp_path, snapshot_entries=4, fork_mentions=0) as running:
            recovered = running.open()
            assert as_bytes(recovered) == as_bytes(outputs[len(outputs) - len(recovered) :])
            outputs += running.apply(batch)
            running.checkpoint()
            if place % 2:  # at every other one the linker ends, and the copy with it
                wait_for_writer(running)
            snapshots |= {name for name in os.listdir(tmp_path) if name.startswith("snapshot-")}
    assert as_bytes(outputs) == undisturbed
    assert len(snapshots - {"snapshot-00000000"}) > 2
    with linker(tmp_path) as running:
        running.open()
        running.checkpoint()
        running.snapshot()
    assert sorted([name.partition("-")[0] for name in os.listdir(tmp_path)]) == ["lock", "log", "snapshot"]


def test_what_changes_while_the_copy_writes_is_not_in_its_snapshot(
    tmp_path: Path, undisturbed: list[bytes]
) -> None:
    with linker(tmp_path, snapshot_entries=9, fork_mentions=0) as running:
        running.open()
        outputs = running.apply(LOG[:9])
        running.checkpoint()
        assert running._writer is not None
        # Values that the copy reads are given up and written anew meanwhile.
        outputs += running.apply(LOG[9:])
        running.checkpoint()
        wait_for_writer(running)
        assert (tmp_path / "snapshot-00000001").exists()
        assert not (tmp_path / "snapshot-00000000").exists()
    with linker(tmp_path) as running:
        again = running.open()
        assert as_bytes(outputs[:0] + again) == undisturbed[len(undisturbed) - len(again) :]
        assert running.offset == LOG[-1].offset + 1
    assert as_bytes(outputs) == undisturbed


def wait_for_writer(running: DurableLinker) -> None:
    while running._writer is not None:
        time.sleep(0.01)
        running.checkpoint()


CALLS = ("fsync", "fdatasync", "pwrite", "ftruncate", "rename", "unlink", "mkdir")


def killed_at(call: int, work: Callable[[], None], *, torn: bool) -> bool:
    """Run ``work`` in a child that is gone just before its system call number ``call`` or, when ``torn``, in
    the middle of its write number ``call``. Return False when there were fewer."""
    child = os.fork()
    if child == 0:
        left = call

        def dying(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def called(*arguments: object) -> object:
                nonlocal left
                left -= 1
                if left == 0:
                    os._exit(9)
                return real(*arguments)

            return called

        def tearing(descriptor: int, data: memoryview, position: int) -> int:
            nonlocal left
            left -= 1
            if left == 0:
                write(descriptor, data[: len(data) // 2], position)
                os._exit(9)
            return write(descriptor, data, position)

        try:
            write = os.pwrite
            if torn:
                os.pwrite = tearing  # type: ignore[assignment]
            else:
                for name in CALLS:
                    setattr(os, name, dying(name))
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("torn", [False, True])
def test_killed_before_every_system_call(tmp_path: Path, undisturbed: list[bytes], torn: bool) -> None:
    log = LOG[:9]

    def link(folder: Path) -> None:
        """Take in the log, publishing to a file, a checkpoint every batch and a snapshot every other."""
        with (
            linker(folder / "link", snapshot_entries=2 * BATCH) as running,
            (folder / "published").open("ab", 0) as out,
        ):
            for item in as_bytes(running.open()):
                out.write(struct.pack("<I", len(item)) + item)
            running.checkpoint()
            for batch in batches(log):
                for item in as_bytes(running.apply(batch)):
                    out.write(struct.pack("<I", len(item)) + item)
                running.checkpoint()

    def published(folder: Path) -> list[bytes]:
        data = (folder / "published").read_bytes()
        items: list[bytes] = []
        while data:
            (size,) = struct.unpack_from("<I", data)
            items.append(data[4 : 4 + size])
            data = data[4 + size :]
        return items

    whole = tmp_path / "whole"
    whole.mkdir()
    link(whole)
    expected = published(whole)
    assert expected == undisturbed[: len(expected)]
    call = 1
    while True:
        folder = tmp_path / str(call)
        folder.mkdir()
        killed = killed_at(call, lambda folder=folder: link(folder), torn=torn)  # type: ignore[misc]
        if not killed:
            break
        link(folder)
        items = published(folder)
        assert list(dict.fromkeys(items)) == list(dict.fromkeys(expected))
        with linker(folder / "link") as running:
            last = as_bytes(running.open())
            assert last == expected[len(expected) - len(last) :], (
                "at most the last batch, whose note was to come"
            )
            assert running.offset == log[-1].offset + 1
        shutil.rmtree(folder)
        call += 1
    assert call > (8 if torn else 30)


def test_a_failure_inside_a_batch_closes_the_linker_until_it_is_opened_anew(
    tmp_path: Path, undisturbed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError

    with linker(tmp_path) as running:
        running.open()
        running.apply(LOG[:6])
        with monkeypatch.context() as patch:
            patch.setattr(Step, "finish", out_of_memory)
            with pytest.raises(MemoryError):
                running.apply(LOG[6:9])
        for refused in (lambda: running.apply(LOG[6:9]), running.checkpoint, running.snapshot):
            with pytest.raises(LinkerClosedError, match="start link again"):
                refused()
    with linker(tmp_path) as running:
        assert as_bytes(running.open() + running.apply(LOG[9:])) == undisturbed
