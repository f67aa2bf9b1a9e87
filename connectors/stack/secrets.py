"""The passwords of the one machine's databases: made at the first start, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from connectors.errors import StackError

FILE_NAME: Final = "secrets.json"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords: ``administrator`` of the database servers' superusers, ``capture`` of Debezium's accounts."""

    administrator: str
    capture: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def load(data: Path) -> Secrets:
    """Return the passwords of ``data``, making them when there are none yet. Raises StackError."""
    path = data / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        made = Secrets(administrator=secrets.token_urlsafe(24), capture=secrets.token_urlsafe(24))
        write_private(path, msgspec.json.encode(made) + b"\n")
        return made
    except msgspec.DecodeError as error:
        raise StackError(
            f"{path}: {error}; restore the file: the databases know no other passwords"
        ) from error


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in one step."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
