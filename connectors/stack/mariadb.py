"""MariaDB for the departments that have it: the server of Debian's package ``mariadb-server-core``, set up for
capture. Where it is not installed the stack runs without those departments."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pymysql

from connectors.addresses import Address
from connectors.errors import StackError, TransientError
from connectors.mariadb import connect
from connectors.stack import account, ports
from connectors.stack.process import ProcessSpec

PACKAGE: Final = "mariadb-server-core"

ADMINISTRATOR: Final = "renkou_admin"

BINARIES: Final = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/local/mysql/bin")
"""Where the server may be besides the search path, which for an ordinary user has no sbin."""

SYSTEM_TABLES: Final = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
)
"""The server's own scripts. ``mysql_system_tables_data.sql`` is left out: it makes accounts without a password."""

LOG_SECONDS: Final = 7 * 24 * 3600
"""How long the change log is kept: as long as the capture topics."""

SETTINGS: Final = {
    "bind-address": ports.HOST,
    "socket": "",  # TCP serves everybody
    "skip-name-resolve": "ON",
    "skip-external-locking": "ON",
    "server-id": "1",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "binlog-expire-logs-seconds": str(LOG_SECONDS),
    "max-binlog-size": "128M",
    # A commit is on disk, in both logs, before it is confirmed.
    "sync-binlog": "1",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-log-file-size": "48M",
    "innodb-buffer-pool-size": "64M",
    "innodb-data-file-path": "ibdata1:12M:autoextend",
    "performance-schema": "OFF",
    "max-connections": "60",
    "max-allowed-packet": "64M",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    # A crash report quotes the statement, that is persons.
    "stack-trace": "OFF",
    "log-warnings": "0",
    "local-infile": "OFF",
}


@cache
def server() -> Path | None:
    """Return the server's program, None when it is not installed or not whole."""
    search = os.pathsep.join((os.environ.get("PATH", ""), *BINARIES))
    found = shutil.which("mariadbd", path=search)
    return Path(found).resolve() if found is not None and _scripts(Path(found)) is not None else None


def absent() -> str:
    """Return why there is no MariaDB and what to do, "" when there is one."""
    if server() is not None:
        return ""
    return f"MariaDB is not installed on this machine (on Debian: apt-get install {PACKAGE})"


def _scripts(program: Path) -> Path | None:
    prefix = program.resolve().parent.parent
    for folder in (prefix / "share" / "mysql", prefix / "share" / "mariadb", prefix / "share"):
        if all((folder / name).is_file() for name in SYSTEM_TABLES):
            return folder
    return None


def dsn(port: int, database: str, password: str, user: str = ADMINISTRATOR) -> str:
    """Return the address of one database as a URL."""
    return Address("mariadb", ports.HOST, port, database, user, password).url()


def spec(data: Path, port: int, password: str) -> ProcessSpec:
    """Return the process. Its data are in ``data/mariadb``. Raises StackError when it cannot run here."""
    program = server()
    if program is None:
        raise StackError(f"{absent()}; install it or leave the departments with MariaDB away")
    user = account.unprivileged()
    folder = data / "mariadb"
    account.own_folder(folder, user)
    account.check_reachable(program.parent, user)
    account.check_reachable(folder, user)
    files, scratch = folder / "data", folder / "tmp"

    def prepare() -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        account.own_folder(scratch, user)
        if not files.exists():
            _initialize(program, files, scratch, user, password)

    return ProcessSpec(
        name="mariadb",
        argv=(
            str(program),
            "--no-defaults",  # the machine's own server may have settings
            f"--datadir={files}",
            f"--tmpdir={scratch}",
            f"--port={port}",
            *(f"--{name}={value}" for name, value in SETTINGS.items()),
        ),
        cwd=folder,
        user=user,
        prepare=prepare,
        health=lambda: healthy(port, password),
        start_seconds=600,  # recovery after a crash reads the whole of its log
        stop_seconds=60,
    )


def healthy(port: int, password: str) -> bool:
    """Whether the administrator can log in."""
    if not ports.answers(port):
        return False
    connect(dsn(port, "mysql", password)).close()
    return True


def ensure_databases(port: int, password: str, names: Sequence[str]) -> None:
    """Create the databases that are not there yet. Blocks; raises StackError."""
    try:
        connection = connect(dsn(port, "mysql", password))
        try:
            with connection.cursor() as cursor:
                for name in names:
                    quoted = "`" + name.replace("`", "``") + "`"
                    cursor.execute(f"CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4")
        finally:
            connection.close()
    except (TransientError, pymysql.MySQLError) as error:
        raise StackError("cannot create the departments' databases in MariaDB; see its log") from error


def _initialize(program: Path, files: Path, scratch: Path, user: str | None, password: str) -> None:
    """Make the data folder beside its place and move it there, so that an interrupted one is never used."""
    fresh = files.with_name(f"{files.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    account.own_folder(fresh, user)
    folder = _scripts(program)
    assert folder is not None, "whoever found the server found them"
    # In bootstrap mode each statement ends with its line. Passwords are made of characters that need no quoting.
    script = "CREATE DATABASE mysql;\nUSE mysql;\n"
    script += "".join((folder / name).read_text(encoding="utf-8") for name in SYSTEM_TABLES)
    login = f"'{ADMINISTRATOR}'@'{ports.HOST}'"
    script += (
        "FLUSH PRIVILEGES;\n"
        f"CREATE USER {login} IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {login} WITH GRANT OPTION;\n"
    )
    entry = pwd.getpwnam(user) if user is not None else None
    run = subprocess.run(
        [
            str(program),
            "--no-defaults",
            "--bootstrap",
            f"--datadir={fresh}",
            f"--tmpdir={scratch}",
            f"--innodb-log-file-size={SETTINGS['innodb-log-file-size']}",
            f"--innodb-data-file-path={SETTINGS['innodb-data-file-path']}",
            "--skip-log-bin",
            "--log-warnings=0",
            "--max-allowed-packet=8M",
        ],
        input=script.encode(),
        user=entry.pw_uid if entry is not None else None,
        group=entry.pw_gid if entry is not None else None,
        extra_groups=[] if entry is not None else None,
        cwd=files.parent,
        capture_output=True,
        check=False,
    )
    if run.returncode != 0 or b"ERROR" in run.stderr:
        shutil.rmtree(fresh, ignore_errors=True)
        (files.parent.parent / "logs" / "mariadb.log").write_bytes(run.stderr)
        raise StackError(
            f"MariaDB's data folder in {files.parent} cannot be made (exit code {run.returncode}); the reason is in "
            "logs/mariadb.log; free space or choose another folder with --data"
        )
    os.replace(fresh, files)
