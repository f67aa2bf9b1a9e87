"""Loopback ports: chosen at the first start, remembered in ``DIR/ports.json``, kept as long as nobody else
takes them."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from connectors.errors import StackError

FILE_NAME: Final = "ports.json"

HOST: Final = "127.0.0.1"

LOWEST: Final = 20_000
"""Below are the ports that well-known programs use by default."""

EPHEMERAL_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The kernel takes the near end of outgoing connections from here. A server that restarts must not find its
port taken by one of them; a client that tries in vain to reach it can even connect to itself."""

ATTEMPTS: Final = 2000


def allocate(data: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a free port for each name, the remembered one where it is still free. Raises StackError."""
    path = data / FILE_NAME
    try:
        remembered = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        remembered = {}
    except msgspec.DecodeError as error:
        raise StackError(f"{path}: {error}; remove the file and start again") from error
    ports: dict[str, int] = {}
    with ExitStack() as held:  # all are held until all are chosen, so that no two names get one port
        for name in names:
            listener = _listen(remembered.get(name)) or _listen_anywhere()
            held.enter_context(listener)
            ports[name] = listener.getsockname()[1]
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(ports) + b"\n")
    os.replace(temporary, path)
    return ports


def answers(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex((HOST, port)) == 0


def _listen(port: int | None) -> socket.socket | None:
    if port is None:
        return None
    listener = socket.socket()
    # As the servers themselves do: connections of the last run that are still closing don't count.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def _listen_anywhere() -> socket.socket:
    highest = _ephemeral_start()
    for _ in range(ATTEMPTS):
        listener = _listen(random.randrange(LOWEST, highest))
        if listener is not None:
            return listener
    raise StackError(
        f"no free port between {LOWEST} and {highest} on {HOST}; end some of the programs that listen there"
    )


def _ephemeral_start() -> int:
    try:
        start = int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except FileNotFoundError:
        start = 32_768
    # Machines that give nearly all ports to outgoing connections leave no room; any port must do there.
    return start if start >= LOWEST + 1000 else 60_000
