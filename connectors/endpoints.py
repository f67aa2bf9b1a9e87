"""``endpoints.json``: where the parts of a running hub listen. Other programs rely on its fields."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from connectors.errors import TerminalError

FILE_NAME: Final = "endpoints.json"


class Endpoints(msgspec.Struct, kw_only=True):
    """Addresses of one hub.

    ``sources`` maps a department to the DSN of its database (the administrator's, on one machine). ``push`` is the push
    channel's address, empty where nobody may push. ``metrics`` maps a process (normalize, link, store) to the address
    of its ``/metrics``. ``pids`` maps each process, ``supervisor`` included, to its process id.
    """

    sources: dict[str, str] = {}
    kafka: str = ""
    connect: str = ""
    registry: str = ""
    clickhouse: str = ""
    console: str = ""
    link: str = ""
    push: str = ""
    metrics: dict[str, str] = {}
    pids: dict[str, int] = {}


def load(data: Path) -> Endpoints | None:
    """Return the endpoints of the hub on ``data``, None when none was started there. Raises TerminalError."""
    path = data / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Endpoints)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise TerminalError(f"{data} is no folder; name another one with --data") from error
    except msgspec.DecodeError as error:
        raise TerminalError(f"{path}: {error}; remove the file and start the hub again") from error


def save(data: Path, endpoints: Endpoints) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    path = data / FILE_NAME
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    # The sources' addresses hold the administrator's password.
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n")
    os.replace(temporary, path)
