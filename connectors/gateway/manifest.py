"""What crosses the gateway: bundles of parts, and a manifest for each that says what must be there.

A part is a gzip of ``kcat -J`` lines, events of one partition in the order of their offsets. The manifest is written
last; a part without one is not complete yet.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.errors import GatewayError

FORMAT: Final = "renkou-gateway-1"
ENDING: Final = ".manifest.json"
PART_ENDING: Final = ".jsonl.gz"

MANIFEST_BYTES: Final = 64 << 20
"""The largest manifest that is read: a part takes 300 bytes of it."""

CHANNEL: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NAME: Final = re.compile(rf"({CHANNEL.pattern})-([0-9]{{9}}){re.escape(ENDING)}")
_PART_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,250}")

HEARTBEAT_PREFIX: Final = "__debezium-heartbeat.cdc."


class Partition(msgspec.Struct, frozen=True, order=True):
    """A partition of a topic; as a key of JSON ``topic/partition``."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"

    @property
    def is_heartbeat(self) -> bool:
        """Whether its events say how far all other topics of the department have come."""
        return self.topic.startswith(HEARTBEAT_PREFIX)

    @property
    def department(self) -> str:
        """Whose topic it is."""
        if self.is_heartbeat:
            return self.topic.removeprefix(HEARTBEAT_PREFIX)
        return self.topic.split(".")[1] if "." in self.topic else ""


class Range(msgspec.Struct, frozen=True):
    """Offsets of a partition from ``first`` to before ``next``. ``epoch`` counts how often the topic began anew;
    ``starts``: nothing was exported of it before, in this epoch."""

    topic: str
    partition: int
    first: int
    next: int
    epoch: int = 0
    starts: bool = False

    @property
    def of(self) -> Partition:
        """Whose offsets these are."""
        return Partition(self.topic, self.partition)

    def __str__(self) -> str:
        return f"offsets {self.first} to {self.next - 1} of {self.of}"


class Part(msgspec.Struct, frozen=True):
    """A file of a bundle. ``count`` is its number of events, ``size`` and ``sha256`` are of the packed file."""

    file: str
    range: Range
    count: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """A bundle: ``parts`` in the order in which they are imported, heartbeats last. ``lost`` names offsets that the
    broker no longer had; they will never come. ``created`` is in microseconds since 1970."""

    format: str
    channel: str
    bundle: int
    created: int
    parts: tuple[Part, ...]
    lost: tuple[Range, ...] = ()

    @property
    def name(self) -> str:
        """The manifest's file name."""
        return f"{self.channel}-{self.bundle:09}{ENDING}"


def part_name(channel: str, bundle: int, number: int, of: Partition) -> str:
    """Return the file name of a bundle's part."""
    return f"{channel}-{bundle:09}-{number:05}-{of.topic}-{of.number}{PART_ENDING}"


def bundle_of(name: str) -> tuple[str, int] | None:
    """Return channel and bundle number of a manifest's file name, None when it is none."""
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2])) if match is not None else None


def read_manifest(path: Path) -> Manifest:
    """Return the manifest. Raises GatewayError when it cannot be one of ours."""
    try:
        with path.open("rb") as file:
            data = file.read(MANIFEST_BYTES + 1)
        manifest = msgspec.json.decode(data, type=Manifest)
    except OSError as error:
        raise GatewayError(f"{path}: {error.strerror}; may you read it?") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GatewayError(
            f"{path}: this is no manifest: {type(error).__name__}; have it delivered again"
        ) from error
    if manifest.format != FORMAT:
        raise GatewayError(f"{path}: its format is not {FORMAT}; use the same release on both sides")
    names = [part.file for part in manifest.parts]
    if (
        manifest.name != path.name
        or len(set(names)) != len(names)
        or not all(
            _PART_NAME.fullmatch(part.file)
            and part.file.endswith(PART_ENDING)
            and 0 <= part.range.first < part.range.next
            and 0 <= part.count <= part.range.next - part.range.first
            for part in manifest.parts
        )
    ):
        raise GatewayError(f"{path}: it contradicts itself or its name; have it delivered again")
    return manifest


def write_durably(path: Path, value: Any) -> None:
    """Write ``value`` as JSON in one step: a reader sees the old file or the new one, also after a power loss."""
    temporary = path.with_name(path.name + ".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
