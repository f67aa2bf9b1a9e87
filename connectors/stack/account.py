"""The account that the database servers run as: they refuse to be root, for good reasons."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Final

from connectors.errors import StackError

UNPRIVILEGED: Final = "nobody"
"""Exists on every system, so that root needs to create none."""


def unprivileged() -> str | None:
    """Return the account to change to, None when the own one is not root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED).pw_name
    except KeyError as error:
        raise StackError(
            f"the database servers refuse to run as root and there is no account {UNPRIVILEGED}; start as an "
            f"ordinary user"
        ) from error


def check_reachable(path: Path, user: str | None) -> None:
    """Raise StackError when ``user`` cannot enter the folder ``path``."""
    if user is None:
        if not os.access(path, os.X_OK):
            raise StackError(
                f"{path} cannot be entered; fix its permissions or choose another folder with --data"
            )
        return
    entry = pwd.getpwnam(user)
    # Asked of the kernel itself: permissions, access lists and mount options all count.
    test = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(path)],
        user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], cwd="/", capture_output=True, check=False,
    )  # fmt: skip
    if test.returncode != 0:
        raise StackError(
            f"{_closed(path, entry.pw_uid, entry.pw_gid)} cannot be entered by {user}, which "
            f"the database servers must run as since they "
            f"refuse to be root; 'chmod o+x' it, choose another folder, or start as an ordinary user"
        )


def own_folder(path: Path, user: str | None) -> None:
    """Make ``path`` a folder that only ``user`` may read."""
    path.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def _closed(path: Path, uid: int, gid: int) -> Path:
    """Return the first folder on the way whose permissions keep the account out, else ``path`` itself."""
    for folder in (*reversed(path.absolute().parents), path):
        status = folder.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        if not status.st_mode >> shift & 1:
            return folder
    return path
