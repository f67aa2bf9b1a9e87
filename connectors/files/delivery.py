"""A delivered file: its name, its control file, and its bytes through gzip or zip, all within bounds.

Every delivery ``NAME`` has a control file ``NAME.ok``, written after it: ``NAME,<records>,<bytes>,<sha256>``. A packed
delivery ``NAME.gz`` or ``NAME.zip`` may be described as it is (``NAME.gz.ok``) or as what is in it (``NAME.ok``).
Nothing is ever unpacked to disk.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from connectors.errors import DeliveryError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONTROL: Final = ".ok"
_CONTROL_BYTES: Final = 4096
_CONTROL_LINE: Final = re.compile(r"([^,\r\n]+),([0-9]{1,12}),([0-9]{1,15}),([0-9a-fA-F]{64})\s*")
_NAME: Final = re.compile(r"(.+)_([0-9]{8})_([0-9]{3})(\.[A-Za-z0-9]+)+")
_PACKED: Final = (".gz", ".zip")

CHUNK: Final = 1 << 18

MOST_RATIO: Final = 200
"""A packed file may grow by this factor: fixed-width records full of blanks reach 60, bombs begin at 1000."""
FREE_BYTES: Final = 4 << 20
"""What may be unpacked whatever the ratio: a small file of one repeated row is no bomb."""

# Of a zip's directory, which Python's reader holds in memory.
_MOST_ENTRIES: Final = 16
_MOST_DIRECTORY: Final = 1 << 16
_ZIP_END: Final = struct.Struct("<4s4H2LH")
_ZIP_COMMENT: Final = 1 << 16
_ZIP64_LOCATOR: Final = struct.Struct("<4sLQL")
_ZIP64_END: Final = struct.Struct("<4sQ2H2L4Q")

# What gzip, zip and deflate raise on bytes that are not theirs.
_DAMAGED: Final = (
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


class Stream(Protocol):
    """What the parsers read: bytes, forwards only."""

    def read(self, size: int = -1, /) -> bytes: ...

    def readline(self, size: int | None = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Control:
    """What a control file says. ``packed``: bytes and hash are those of the packed file."""

    records: int
    size: int
    sha256: str
    packed: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose control file was read. ``name`` is without what packs it; ``date`` is yyyymmdd."""

    path: Path
    name: str
    date: int
    sequence: int
    control: Control


def find_delivery(path: Path, department: str, kind: str) -> Delivery:
    """Return the delivery of the feed ``<department>.<kind>`` at ``path``. Raises DeliveryError."""
    name = path.name
    packing = next((ending for ending in _PACKED if name.endswith(ending)), "")
    inner = name.removesuffix(packing)
    match = _NAME.fullmatch(inner)
    if match is None or match[1] != f"{department}_{kind}":
        raise DeliveryError(
            f"{path}: the name is not {department}_{kind}_YYYYMMDD_NNN.<any>; name the feed that the file is of"
        )
    try:
        date(int(match[2][:4]), int(match[2][4:6]), int(match[2][6:]))
    except ValueError:
        raise DeliveryError(f"{path}: {match[2]} is no date; ask for the file under its right name") from None
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DeliveryError(f"{path}: {error.strerror}; is the path right, may you read it?") from error
    if not stat.S_ISREG(mode):
        raise DeliveryError(f"{path}: this is no file; name the delivered file itself")
    return Delivery(path, inner, int(match[2]), int(match[3]), _control(path, inner, packing))


def _control(path: Path, inner: str, packing: str) -> Control:
    beside = path.with_name(path.name + CONTROL)
    packed = bool(packing) and beside.exists()
    place = beside if packed or not packing else path.with_name(inner + CONTROL)
    try:
        with place.open("rb") as file:
            data = file.read(_CONTROL_BYTES + 1)
    except FileNotFoundError:
        raise DeliveryError(
            f"{path}: there is no control file {place.name}; the delivery is not complete, wait for it"
        ) from None
    except OSError as error:
        raise DeliveryError(f"{place}: {error.strerror}; may you read it?") from error
    match = _CONTROL_LINE.fullmatch(data.decode("utf-8-sig", "replace"))
    if match is None or len(data) > _CONTROL_BYTES:
        raise DeliveryError(f"{place}: this is not one line NAME,records,bytes,sha256; ask for it again")
    if match[1] != place.name.removesuffix(CONTROL):
        raise DeliveryError(f"{place}: it is the control file of another file; ask for the right one")
    return Control(int(match[2]), int(match[3]), match[4].lower(), packed)


def verify(delivery: Delivery, progress: Callable[[int], None] = lambda _: None) -> None:
    """Read the file once and compare size and hash with the control file. Raises DeliveryError."""
    control = delivery.control
    digest = hashlib.sha256()
    size = 0
    with open_packed(delivery) if control.packed else open_delivery(delivery) as stream:
        while data := stream.read(CHUNK):
            size += len(data)
            if size > control.size:
                break
            digest.update(data)
            progress(len(data))
    if size != control.size:
        found = f"more than {control.size}" if size > control.size else str(size)
        raise DeliveryError(
            f"{delivery.path}: it has {found} bytes, the control file says {control.size}; ask for it again"
        )
    if digest.hexdigest() != control.sha256:
        raise DeliveryError(f"{delivery.path}: its sha256 is not that of the control file; ask for it again")


@contextmanager
def open_packed(delivery: Delivery) -> Iterator[Stream]:
    """Open the file as it was delivered. Raises DeliveryError."""
    with _reported(delivery), delivery.path.open("rb") as file:
        yield file


@contextmanager
def open_delivery(delivery: Delivery) -> Iterator[Stream]:
    """Open the file's content, unpacked within bounds. Raises DeliveryError, also while it is read."""
    with _reported(delivery), delivery.path.open("rb") as file:
        if delivery.path.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield _bounded(delivery, unpacked, file)
        elif delivery.path.name.endswith(".zip"):
            _check_directory(delivery, file)
            with zipfile.ZipFile(file) as archive, archive.open(_member(delivery, archive)) as member:
                yield _bounded(delivery, member, file)
        else:
            yield file


@contextmanager
def _reported(delivery: Delivery) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DeliveryError(
            f"{delivery.path}: it cannot be unpacked: {type(error).__name__}; ask for it again"
        ) from error
    except OSError as error:
        raise DeliveryError(f"{delivery.path}: {error.strerror or error}; may you read it?") from error


def _bounded(delivery: Delivery, unpacked: _Unpacked, file: IO[bytes]) -> Stream:
    limit = max(FREE_BYTES, MOST_RATIO * os.fstat(file.fileno()).st_size)
    return io.BufferedReader(_Bounded(delivery, unpacked, limit), CHUNK)


class _Unpacked(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded(io.RawIOBase):
    """Refuses what unpacks to more than ``limit`` bytes."""

    def __init__(self, delivery: Delivery, unpacked: _Unpacked, limit: int) -> None:
        self._delivery = delivery
        self._unpacked = unpacked
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self._unpacked.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise DeliveryError(
                f"{self._delivery.path}: it unpacks to more than {MOST_RATIO} times its size; "
                "if that is right, deliver it unpacked"
            )
        view[: len(data)] = data
        return len(data)


def _member(delivery: Delivery, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) != 1 or members[0].is_dir():
        raise DeliveryError(
            f"{delivery.path}: the archive does not hold one file; ask for one file an archive"
        )
    (member,) = members
    # Nothing is written under this name, but a path in it is a sign of an attack or of a wrong archive.
    if member.filename != delivery.name:
        raise DeliveryError(
            f"{delivery.path}: the file in it is not named {delivery.name}; ask for the right archive"
        )
    if member.flag_bits & 1:
        raise DeliveryError(f"{delivery.path}: the archive is encrypted; deliver it as it is")
    return member


def _check_directory(delivery: Delivery, file: IO[bytes]) -> None:
    """Refuse a zip whose directory would not fit memory, before Python's reader takes it in."""
    size = os.fstat(file.fileno()).st_size
    begin = max(0, size - _ZIP_END.size - _ZIP_COMMENT)
    file.seek(begin)
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < _ZIP_END.size:
        raise zipfile.BadZipFile
    _, _, _, _, entries, directory, _, _ = _ZIP_END.unpack_from(tail, place)
    if entries > _MOST_ENTRIES or directory > _MOST_DIRECTORY:
        raise DeliveryError(
            f"{delivery.path}: the archive does not hold one file; ask for one file an archive"
        )
    locator = begin + place - _ZIP64_LOCATOR.size
    if locator >= 0:
        file.seek(locator)
        mark, _, offset, _ = _ZIP64_LOCATOR.unpack(file.read(_ZIP64_LOCATOR.size))
        if mark == b"PK\6\7" and offset < size - _ZIP64_END.size:
            file.seek(offset)
            *_, entries, directory, _ = _ZIP64_END.unpack(file.read(_ZIP64_END.size))
            if entries > _MOST_ENTRIES or directory > _MOST_DIRECTORY:
                raise DeliveryError(
                    f"{delivery.path}: the archive does not hold one file; ask for one file an archive"
                )
    file.seek(0)
