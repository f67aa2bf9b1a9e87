"""The side that imports: bundles in any order become events in the topics of the same names.

Of each partition the events go on exactly where they stopped: what comes again is named and left out, what is missing
is named and waited for. Nothing behind a gap is taken, because a change can build upon the one before it (a column that
was not sent again keeps the value it had).
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from avro.change import RawEvent, with_origin
from avro.errors import DecodeError
from avro.kcat import read_line
from connectors.errors import GatewayError
from connectors.gateway.manifest import (
    ENDING,
    PART_ENDING,
    Manifest,
    Part,
    Partition,
    Range,
    bundle_of,
    read_manifest,
    write_durably,
)

IMPORTED: Final = "imported"
"""Folder beside the bundles where those that were taken are moved."""

LINE_BYTES: Final = 128 << 20
"""The longest line: a message of 16 MB whose every byte is escaped."""

STEP: Final = 2000
CHUNK: Final = 1 << 20


class Sink(Protocol):
    """Where the events go; see `streams.producer.Producer`."""

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] | None = None,
        /,
    ) -> None: ...

    def flush(self) -> None: ...


class _Reached(msgspec.Struct, frozen=True):
    topic: str
    partition: int
    next: int
    epoch: int


class _State(msgspec.Struct):
    """What an import remembers of a channel: how far each partition has come; that all bundles up to ``bundle`` and
    those in ``beyond`` were complete; which parts of others were taken; which complete ones may not be moved yet."""

    reached: tuple[_Reached, ...] = ()
    bundle: int = 0
    beyond: list[int] = []
    taken: dict[str, list[str]] = {}
    finished: tuple[str, ...] = ()


class Report(msgspec.Struct):
    """What an import did. ``missing``, ``repeated`` and ``lost`` are sentences that name files or offsets; ``waiting``
    names files that are there and cannot be taken yet."""

    events: int = 0
    bundles: int = 0
    missing: list[str] = []
    repeated: list[str] = []
    lost: list[str] = []
    waiting: list[str] = []


class Importer:
    """Imports the bundles of one channel."""

    def __init__(self, sink: Sink, state: Path, folder: Path, channel: str) -> None:
        """``state`` is the folder of the memory, made if missing; ``folder`` is where bundles arrive.

        Raises GatewayError.
        """
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sink = sink
        self._folder = folder
        self._channel = channel
        self._path = state / f"import-{channel}.json"
        self._state = self._load()
        self._reached = {Partition(one.topic, one.partition): one for one in self._state.reached}

    def topics(self) -> list[str]:
        """Return the topics that the bundles in the folder have events of. Raises GatewayError."""
        return sorted({part.range.topic for manifest in self._manifests()[0] for part in manifest.parts})

    def run(self, progress: Callable[[int], None] = lambda _: None) -> Report:
        """Take everything that can be taken and say what cannot; ``progress`` is told of events.

        Raises GatewayError when folder or memory cannot be used, and the sink's errors.
        """
        report = Report()
        manifests, damaged = self._manifests()
        report.missing += damaged
        self._move_finished()
        present = {manifest.name for manifest in manifests}
        blocked: set[Partition] = set()
        for manifest in manifests:
            waiting = [range_ for range_ in manifest.lost if not self._skip(range_, report)]
            taken = self._state.taken.setdefault(manifest.name, [])
            for part in manifest.parts:
                if part.file not in taken and self._part(manifest, part, blocked, report, progress):
                    taken.append(part.file)
                    self._save()
            if not waiting and len(taken) == len(manifest.parts):
                del self._state.taken[manifest.name]
                self._state.finished = (*self._state.finished, manifest.name)
                self._finish(manifest.bundle)
                self._save()
                self._move(manifest)
                report.bundles += 1
        self._state.finished = ()
        self._save()
        report.missing += self._absent(manifests)
        report.waiting += self._strays(present)
        return report

    def _load(self) -> _State:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()
        except msgspec.DecodeError as error:
            raise GatewayError(f"{self._path}: {error}; restore it from a backup") from error

    def _save(self) -> None:
        self._state.reached = tuple(self._reached.values())
        write_durably(self._path, self._state)

    def _manifests(self) -> tuple[list[Manifest], list[str]]:
        """Return the channel's manifests in the order of their numbers, and what is wrong with the others."""
        try:
            names = sorted(path.name for path in self._folder.iterdir() if path.name.endswith(ENDING))
        except OSError as error:
            raise GatewayError(f"{self._folder}: {error.strerror}; name the folder of the bundles") from error
        found, damaged = [], []
        for name in names:
            bundle = bundle_of(name)
            if bundle is None or bundle[0] != self._channel:
                continue
            try:
                found.append(read_manifest(self._folder / name))
            except GatewayError as error:
                damaged.append(str(error))
        return found, damaged

    def _finish(self, bundle: int) -> None:
        """Note that a bundle is complete."""
        state = self._state
        beyond = {*state.beyond, bundle}
        while state.bundle + 1 in beyond:
            state.bundle += 1
        state.beyond = sorted(number for number in beyond if number > state.bundle)

    def _absent(self, manifests: Sequence[Manifest]) -> list[str]:
        """Name the bundles of which there is no manifest, though later ones have come."""
        known = {*self._state.beyond, *(manifest.bundle for manifest in manifests)}
        newest = max(known, default=0)
        return [
            f"bundle {number} has not arrived; have it delivered again"
            for number in range(self._state.bundle + 1, newest)
            if number not in known
        ]

    def _part(
        self,
        manifest: Manifest,
        part: Part,
        blocked: set[Partition],
        report: Report,
        progress: Callable[[int], None],
    ) -> bool:
        """Take a part if its turn has come; return whether it is done with."""
        of = part.range.of
        if self._is_repeated(part.range):
            report.repeated.append(f"{part.file}: {part.range} were imported before; left out")
            return True
        waits_for = next((one for one in blocked if one == of or _heartbeat_of(of, one)), None)
        if waits_for is not None:
            report.waiting.append(f"{part.file} waits for what is missing of {waits_for}")
            return False
        problem = self._gap(part.range) or self._damage(part)
        if problem:
            report.missing.append(f"bundle {manifest.bundle}, {part.file}: {problem}")
            blocked.add(of)
            return False
        self._take(part, report, progress)
        return True

    def _is_repeated(self, range_: Range) -> bool:
        known = self._reached.get(range_.of)
        return known is not None and (
            range_.epoch < known.epoch or (range_.epoch == known.epoch and range_.next <= known.next)
        )

    def _gap(self, range_: Range) -> str:
        """Return what is missing in front of the range, empty when nothing is."""
        known = self._reached.get(range_.of)
        if range_.starts and (known is None or range_.epoch > known.epoch):
            return ""
        if known is None or range_.epoch > known.epoch:
            return (
                f"everything of {range_.of} before offset {range_.first} is missing; have it delivered again"
            )
        if range_.first > known.next:
            missing = Range(range_.topic, range_.partition, known.next, range_.first)
            return f"{missing} are missing; have the bundle with them delivered again"
        return ""

    def _damage(self, part: Part) -> str:
        """Return what is wrong with the part's file, empty when nothing is."""
        path = self._folder / part.file
        digest = hashlib.sha256()
        size = 0
        try:
            with path.open("rb") as file:
                while size <= part.size and (data := file.read(CHUNK)):
                    size += len(data)
                    digest.update(data)
        except FileNotFoundError:
            return f"the file is missing, with {part.range}; have it delivered again"
        except OSError as error:
            return f"{error.strerror}; may you read it?"
        if size != part.size or digest.hexdigest() != part.sha256:
            return f"the file is damaged, with {part.range}; have it delivered again"
        return ""

    def _take(self, part: Part, report: Report, progress: Callable[[int], None]) -> None:
        known = self._reached.get(part.range.of)
        begin = part.range.first
        if known is not None and known.epoch == part.range.epoch and known.next > begin:
            report.repeated.append(f"{part.file}: offsets {begin} to {known.next - 1} were imported before")
            begin = known.next
        sent = 0
        for event in self._events(part):
            if event.place.offset >= begin:
                self._sink.send(event.place.topic, event.key, event.value, with_origin(event))
                sent += 1
                if sent % STEP == 0:
                    progress(STEP)
        # Behind the flush: what was sent twice after a crash has one version.
        self._sink.flush()
        progress(sent % STEP)
        report.events += sent
        self._reached[part.range.of] = _Reached(
            part.range.topic, part.range.partition, part.range.next, part.range.epoch
        )

    def _events(self, part: Part) -> Iterator[RawEvent]:
        """Yield the events of a part whose hash was right. Raises GatewayError where it is not what it says."""
        count, last = 0, part.range.first - 1
        try:
            with gzip.open(self._folder / part.file, "rb") as lines:
                while line := lines.readline(LINE_BYTES):
                    event = read_line(line)
                    place = event.place
                    count += 1
                    if (
                        (place.topic, place.partition) != (part.range.topic, part.range.partition)
                        or not last < place.offset < part.range.next
                        or count > part.count
                    ):
                        raise GatewayError(_contradiction(part))
                    last = place.offset
                    yield event
        except (OSError, EOFError, zlib.error, DecodeError) as error:
            raise GatewayError(_contradiction(part)) from error
        if count != part.count:
            raise GatewayError(_contradiction(part))

    def _skip(self, range_: Range, report: Report) -> bool:
        """Step over what was lost if its turn has come; return whether it is done with."""
        known = self._reached.get(range_.of)
        if known is None or known.epoch < range_.epoch or known.next < range_.first:
            return False
        if known.epoch == range_.epoch and known.next < range_.next:
            report.lost.append(f"{range_} were lost before they were exported")
            self._reached[range_.of] = _Reached(range_.topic, range_.partition, range_.next, range_.epoch)
            self._save()
        return True

    def _move_finished(self) -> None:
        """Move what a run that was killed had finished, so that it does not look like a repetition."""
        for name in self._state.finished:
            path = self._folder / name
            if path.exists():
                self._move(read_manifest(path))

    def _move(self, manifest: Manifest) -> None:
        """Put a bundle aside; the manifest goes last."""
        folder = self._folder / IMPORTED
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in (*(part.file for part in manifest.parts), manifest.name):
            path = self._folder / name
            if path.exists():
                path.replace(folder / name)

    def _strays(self, present: set[str]) -> list[str]:
        """Return the parts that no manifest names: it comes last, or it is lost."""
        found = []
        prefix = f"{self._channel}-"
        for path in sorted(self._folder.glob(f"{prefix}*{PART_ENDING}")):
            number = path.name.removeprefix(prefix)[:9]
            if f"{prefix}{number}{ENDING}" not in present:
                found.append(f"{path.name} has no manifest yet")
        return found


def _heartbeat_of(of: Partition, other: Partition) -> bool:
    return of.is_heartbeat and of.department == other.department


def _contradiction(part: Part) -> str:
    return f"{part.file}: it does not hold what its manifest says; is the other side of the same release?"
