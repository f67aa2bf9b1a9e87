"""Processor time and memory of the stack's processes, their children included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psutil

from connectors.stack import LocalStack

MEGABYTE: Final = 1024**2


def processes(stack: LocalStack) -> dict[str, psutil.Process]:
    """Return the processes that run now, by name."""
    found: dict[str, psutil.Process] = {}
    for status in stack.status():
        if status.pid is not None:
            try:
                found[status.name] = psutil.Process(status.pid)
            except psutil.NoSuchProcess:
                continue  # it is being restarted
    return found


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants."""
    return [process, *process.children(recursive=True)]


def processor_seconds(stack: LocalStack) -> dict[str, float]:
    """Return the CPU seconds that each process has taken so far, with its children that live or were waited for."""
    return {name: _seconds(process) for name, process in processes(stack).items()}


def seconds_of(stack: LocalStack, name: str) -> float:
    """Return the CPU seconds that one process has taken, 0 while it does not run."""
    process = processes(stack).get(name)
    return 0.0 if process is None else _seconds(process)


def _seconds(process: psutil.Process) -> float:
    total = 0.0
    try:
        for member in family(process):
            try:
                total += sum(member.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        return 0.0
    return total


def since(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two looks; a process that was restarted counts from its start."""
    return {
        name: seconds - before[name] if seconds >= before.get(name, 0.0) and name in before else seconds
        for name, seconds in now.items()
    }


def peak_megabytes(stack: LocalStack) -> dict[str, int]:
    """Return the most memory that each process has had resident, its living children's peaks added."""
    peaks: dict[str, int] = {}
    for name, process in processes(stack).items():
        total = 0
        for member in family(process):
            try:
                with open(f"/proc/{member.pid}/status", encoding="utf-8") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
            except OSError:
                continue  # gone meanwhile
        peaks[name] = total * 1024 // MEGABYTE
    return peaks
