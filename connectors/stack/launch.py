"""Becomes one process of the stack: ``python launch.py SUPERVISOR PIDFILE DEATHSIGNAL UID GID NICENESS PROGRAM
ARGUMENT…``.

Between fork and exec a program of many threads may do next to nothing safely, so that part is this small
program of its own (standard library only, no package import). It replaces itself with PROGRAM under the same
process id.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""From <linux/prctl.h>: the signal that the kernel sends when the thread that started this process ends."""

EXIT_NOT_STARTED: Final = 127
"""As a shell does when a program cannot be executed."""


def main(argv: list[str]) -> int:
    supervisor, pid_file, death_signal, uid, gid = argv[0], argv[1], int(argv[2]), int(argv[3]), int(argv[4])
    # Named before anything else: from here on a later supervisor finds this process, whatever happens.
    temporary = f"{pid_file}.tmp"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(identity())
    os.replace(temporary, pid_file)
    os.umask(0o077)
    os.nice(int(argv[5]))
    if os.getuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid, which would reset it.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.stderr.write(f"prctl: {os.strerror(ctypes.get_errno())}\n")
        return EXIT_NOT_STARTED
    if os.getppid() != int(supervisor):  # it ended before the line above could notice
        return EXIT_NOT_STARTED
    program = argv[6:]
    try:
        os.execv(program[0], program)  # noqa: S606 (becoming the program is the purpose)
    except OSError as error:
        sys.stderr.write(f"cannot execute {program[0]}: {error.strerror}\n")
    return EXIT_NOT_STARTED


def identity() -> str:
    """Return this process's id, start time and boot as one line."""
    return f"{os.getpid()} {start_time(os.getpid())} {boot_id()}\n"


def start_time(pid: int) -> int:
    """Return when ``pid`` started, in clock ticks since boot: with the id it names a process for ever."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The second field is the name in brackets and may hold blanks; the start time is field 22.
        return int(file.read().rpartition(b")")[2].split()[19])


def boot_id() -> str:
    """Return the kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
