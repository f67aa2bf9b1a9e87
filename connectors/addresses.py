"""Addresses of departments' databases as URLs: ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``, ``mariadb://…``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from connectors.captured import SourceKind
from connectors.errors import TerminalError

_KINDS: Final[Mapping[str, SourceKind]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mariadb": "mariadb",
    "mysql": "mariadb",
}
_PORTS: Final[Mapping[SourceKind, int]] = {"postgresql": 5432, "mariadb": 3306}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is. ``user`` and ``password`` are "" where the URL has none."""

    kind: SourceKind
    host: str
    port: int
    database: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Address({self.kind} at {self.host}:{self.port}/{self.database})"

    def url(self) -> str:
        """Return the address as a URL, the password included."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""
        return f"{self.kind}://{login}{self.host}:{self.port}/{quote(self.database, safe='')}"


def kind_of(dsn: str) -> SourceKind:
    """Return the kind of database that a URL names. Raises TerminalError when it is none of ours."""
    kind = _KINDS.get(dsn.partition(":")[0])
    if kind is None:
        raise TerminalError(
            "a database's address begins with postgresql:// or mariadb://; correct what was given"
        )
    return kind


def read_address(dsn: str, what: str = "the database") -> Address:
    """Return the parts of a URL; ``what`` names the database in errors. Raises TerminalError, never with the URL."""
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise TerminalError(f"the address of {what} has no valid port; write HOST:PORT") from None
    kind = _KINDS.get(parts.scheme)
    database = unquote(parts.path.lstrip("/"))
    if kind is None or not parts.hostname or not database:
        raise TerminalError(
            f"the address of {what} is neither postgresql://USER@HOST:PORT/DATABASE nor mariadb://…; correct it"
        )
    return Address(
        kind,
        parts.hostname,
        port or _PORTS[kind],
        database,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
