"""The audit trail: who read personal data, when, and a fingerprint of what was asked.

One JSON line a query in ``DIR/logs/audit.jsonl``. The question itself can hold an ID number or a name, and a
plain hash of so short a value is found by trying them all: the fingerprint is keyed (HMAC, RFC 2104) with a
secret beside the store. Who has the secret can check whether a given question was asked.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from streams.errors import StreamError

KEY_BYTES: Final = 32
"""Length of the secret: that of the hash (RFC 2104, section 3)."""


class AuditError(StreamError):
    """The trail cannot be written, so nothing is read."""


class AuditLine(msgspec.Struct, frozen=True):
    """One query: ``what`` is the keyed fingerprint of the question."""

    time: str
    user: str
    uid: int
    pid: int
    command: str
    what: str


def note(data: Path, command: str, question: str) -> None:
    """Add a line to the trail; returns when it is in the file. Raises AuditError."""
    path = data / "logs" / "audit.jsonl"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        what = fingerprint(data, question)
        line = AuditLine(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            user=_user(),
            uid=os.getuid(),
            pid=os.getpid(),
            command=command,
            what=what,
        )
        # One write of one line: lines of commands that run at once do not mix.
        with open(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab", buffering=0) as file:
            file.write(msgspec.json.encode(line) + b"\n")
            os.fsync(file.fileno())
    except OSError as error:
        raise AuditError(
            f"{path}: {error.strerror}; queries are audited, make the folder writable"
        ) from error


def fingerprint(data: Path, text: str) -> str:
    """Return the keyed fingerprint of a question, or of a record's key. Raises OSError."""
    path = data / "logs" / "audit.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hmac.new(_key(path), text.encode("utf-8", "surrogateescape"), hashlib.sha256)
    return f"hmac-sha256:{digest.hexdigest()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in containers
        return str(os.getuid())


def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(temporary, path)  # fails when another command was quicker: its key is the key
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()
