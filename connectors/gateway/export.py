"""The side that exports: what the topics have gained becomes a bundle of files.

The ranges of a bundle are noted before its first byte is written, so that an export that was killed writes the same
bundle again, byte by byte: one that was half taken away does not differ from the one that comes later.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from avro.change import RawEvent
from avro.kcat import write_line
from connectors.errors import GatewayError
from connectors.gateway.manifest import (
    CHANNEL,
    FORMAT,
    Manifest,
    Part,
    Partition,
    Range,
    part_name,
    sync_folder,
    write_durably,
)

PART_EVENTS: Final = 50_000
"""Events of a part at most: some tens of megabytes unpacked."""

PACKING: Final = 6


class Source(Protocol):
    """What an export reads; see `connectors.gateway.broker.Broker`."""

    def partitions(self, topics: Sequence[str]) -> list[Partition]: ...

    def ends(self, of: Partition) -> tuple[int, int]: ...

    def read(self, of: Partition, first: int, end: int) -> Iterator[RawEvent]: ...


class _Reached(msgspec.Struct, frozen=True):
    """How far a partition was exported."""

    topic: str
    partition: int
    next: int
    epoch: int


class _Intent(msgspec.Struct, frozen=True):
    """A bundle that is being written."""

    created: int
    ranges: tuple[Range, ...]
    lost: tuple[Range, ...]


class _State(msgspec.Struct):
    """What an export remembers: the number of the last complete bundle, and the one under way."""

    bundle: int = 0
    reached: tuple[_Reached, ...] = ()
    intent: _Intent | None = None


class Exporter:
    """Exports topics over one channel; each channel has its own numbers and its own memory."""

    def __init__(self, source: Source, state: Path, folder: Path, channel: str) -> None:
        """``state`` is the folder of the memory, ``folder`` where the bundles go; both are made if missing.

        Raises GatewayError.
        """
        if CHANNEL.fullmatch(channel) is None:
            raise GatewayError(f"'{channel}' is no name of a channel: small letters, digits and hyphens")
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._source = source
        self._folder = folder
        self._channel = channel
        self._path = state / f"export-{channel}.json"
        self._state = self._load()

    def export(
        self,
        topics: Sequence[str],
        now: int,
        *,
        accept_loss: bool = False,
        part_events: int = PART_EVENTS,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Manifest | None:
        """Write what is new in the topics as one bundle and return its manifest, None when nothing is new.

        ``now`` is in microseconds since 1970; ``progress`` is told of events. A bundle that was begun is finished
        first, and is then the one that is returned. Raises GatewayError, TransientError.
        """
        intent = self._state.intent
        if intent is None:
            intent = self._plan(topics, now, accept_loss, part_events)
            if intent is None:
                return None
            self._state.intent = intent
            write_durably(self._path, self._state)
        manifest = self._write(intent, progress)
        reached = {Partition(one.topic, one.partition): one for one in self._state.reached}
        for one in (*intent.lost, *intent.ranges):
            reached[one.of] = _Reached(one.topic, one.partition, one.next, one.epoch)
        self._state = _State(manifest.bundle, tuple(reached.values()), None)
        write_durably(self._path, self._state)
        return manifest

    def _load(self) -> _State:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()
        except msgspec.DecodeError as error:
            raise GatewayError(f"{self._path}: {error}; restore it from a backup") from error

    def _plan(self, topics: Sequence[str], now: int, accept_loss: bool, part_events: int) -> _Intent | None:
        partitions = self._source.partitions(topics)
        # A heartbeat says that everything before it is in the other topics: they are looked at after it.
        ends = {of: self._source.ends(of) for of in sorted(partitions, key=lambda of: not of.is_heartbeat)}
        reached = {Partition(one.topic, one.partition): one for one in self._state.reached}
        ranges: list[Range] = []
        lost: list[Range] = []
        for of in sorted(partitions, key=lambda of: (of.is_heartbeat, of)):
            low, high = ends[of]
            known = reached.get(of)
            first, epoch = (known.next, known.epoch) if known is not None else (low, 0)
            starts = known is None
            if high < first:
                _refuse_unless(
                    accept_loss, f"{of} ends at {high}, {first} was reached: the topic was made anew"
                )
                first, epoch, starts = low, epoch + 1, True
            elif low > first:
                gone = Range(of.topic, of.number, first, low, epoch)
                _refuse_unless(accept_loss, f"{gone} are gone from the broker before they were exported")
                lost.append(gone)
                first = low
            while first < high:
                end = min(high, first + part_events)
                ranges.append(Range(of.topic, of.number, first, end, epoch, starts))
                first, starts = end, False
        return _Intent(now, tuple(ranges), tuple(lost)) if ranges or lost else None

    def _write(self, intent: _Intent, progress: Callable[[int], None]) -> Manifest:
        bundle = self._state.bundle + 1
        parts = []
        for number, one in enumerate(intent.ranges, start=1):
            name = part_name(self._channel, bundle, number, one.of)
            parts.append(self._part(name, one))
            progress(parts[-1].count)
        sync_folder(self._folder)
        manifest = Manifest(FORMAT, self._channel, bundle, intent.created, tuple(parts), intent.lost)
        write_durably(self._folder / manifest.name, manifest)
        return manifest

    def _part(self, name: str, one: Range) -> Part:
        path = self._folder / name
        temporary = path.with_name(f"{name}.tmp")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            hashed = _Hashed(file)
            count = _pack(self._source.read(one.of, one.first, one.next), hashed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        return Part(name, one, count, hashed.size, hashed.digest.hexdigest())


class _Hashed(io.RawIOBase):
    """Writes to a file and hashes what it writes."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)


def _pack(events: Iterable[RawEvent], file: _Hashed) -> int:
    count = 0
    # No name and no time in it: the same events are the same bytes.
    with gzip.GzipFile("", "wb", PACKING, file, mtime=0) as packed:
        for event in events:
            packed.write(write_line(event))
            count += 1
    return count


def _refuse_unless(accepted: bool, what: str) -> None:
    if not accepted:
        raise GatewayError(
            f"{what}; take a new snapshot of the source, and go on with --accept-loss, which tells the other side"
        )
